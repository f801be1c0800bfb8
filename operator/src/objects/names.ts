// Every name, label and annotation that this operator gives to an object. Nothing else spells one out.

import { type IncidentRecord, rotationId } from '../api/incident.ts';

/** Field managers: the second owns only `spec.replicas` of a Deployment, and stops when an autoscaler owns it. */
export const FIELD_MANAGER = 'devshelf-operator';
/** Who events are from. */
export const REPORTER = 'apps.devshelf.dev/operator';
export const REPLICAS_FIELD_MANAGER = 'devshelf-operator-replicas';

export const LABELS = {
  name: 'app.kubernetes.io/name',
  instance: 'app.kubernetes.io/instance',
  component: 'app.kubernetes.io/component',
  managedBy: 'app.kubernetes.io/managed-by',
  /** Only pods that take users' requests carry it: Service, PDB and HPA select it, a rehearsal pod never has it. */
  role: 'devshelf.dev/role',
  /** Hash of the release that a pod, Job or ControllerRevision belongs to. */
  release: 'devshelf.dev/release',
  /** Hash of host, port and database name: one migration at a time per database, across resources. */
  database: 'devshelf.dev/database',
  /** On a ControllerRevision that is no release: what it is the record of. */
  record: 'devshelf.dev/record',
  /** Id of the migration that a Job carries out. */
  migration: 'devshelf.dev/migration',
} as const;

/** The Lease of a watched namespace that says which installation of the operator works there. */
export const IN_CHARGE = 'devshelf-operator-in-charge';

/** Value of the label `devshelf.dev/record`. */
export const INCIDENT = 'incident';

export const MANAGED_BY = 'devshelf-operator';
export const SERVING = 'serving';

/** Values of `app.kubernetes.io/component`. Only `server` and `candidate` also carry the role label. */
export const COMPONENTS = {
  server: 'server',
  /** What serves users on trial, in a Deployment of its own. */
  candidate: 'candidate',
  worker: 'worker',
  migration: 'migration',
  backup: 'backup',
  rehearsal: 'rehearsal',
} as const;
export type Component = (typeof COMPONENTS)[keyof typeof COMPONENTS];

/** Whether pods of this component take users' requests. */
export const isServing = (component: string | undefined): boolean =>
  component === COMPONENTS.server || component === COMPONENTS.candidate;

export const CONTAINER = 'app';
/** Init container with a command that gives no verdict; `app` then asks whether it did what it should. */
export const MIGRATE_CONTAINER = 'migrate';
export const HTTP_PORT_NAME = 'http';

export const ANNOTATIONS = {
  // on the Deployment, set in the same patch as the template
  rollout: 'devshelf.dev/rollout',
  // on the Deployment: releases that were refused, and whose ControllerRevision is gone
  refused: 'devshelf.dev/refused',
  // on a ControllerRevision
  verdict: 'devshelf.dev/verdict',
  migration: 'devshelf.dev/migration-result',
  downgrade: 'devshelf.dev/downgrade',
  gone: 'devshelf.dev/gone',
  rehearsal: 'devshelf.dev/rehearsal',
  retryToken: 'devshelf.dev/retry-token',
  firstMetrics: 'devshelf.dev/first-metrics',
  trial: 'devshelf.dev/trial',
  served: 'devshelf.dev/served',
  attempt: 'devshelf.dev/attempt',
  requestedBy: 'devshelf.dev/requested-by',
  // on any record: which sinks have it
  notified: 'devshelf.dev/notified',
  // on the custom resource, by users
  adopt: 'devshelf.dev/adopt',
  migrate: 'devshelf.dev/migrate',
  pastContract: 'devshelf.dev/past-contract',
  promote: 'devshelf.dev/promote',
  hold: 'devshelf.dev/hold',
  reject: 'devshelf.dev/reject',
  rotate: 'devshelf.dev/rotate',
  rotateScrapeToken: 'devshelf.dev/rotate-scrape-token',
  rotateMode: 'devshelf.dev/rotate-mode',
  rotateForce: 'devshelf.dev/rotate-force',
  // on a migration Job: what it does, besides bringing the schema up
  task: 'devshelf.dev/task',
  // on a keyring Secret, set in the same patch as the keys
  rotation: 'devshelf.dev/rotation',
  // on a Secret that callers read, set in the same patch as a key that was put back
  putBack: 'devshelf.dev/put-back',
  // on the same, in the same write as a key: SHA-256 of it, by its name
  digests: 'devshelf.dev/digests',
  // on a pod: changing it lets the kubelet bring a changed Secret at once
  keys: 'devshelf.dev/keys',
  // on the Lease of a watched namespace, by an operator that finds another one's name there
  askedBy: 'devshelf.dev/asked-by',
  // on an Event: the record of what it tells
  record: 'devshelf.dev/record',
} as const;

/** The API server's limit on a label value and on most object names that end in a generated suffix. */
const MAX_NAME = 63;

/** `<name>-<suffix>`, the name cut so that the whole stays within 63 characters. */
function suffixed(name: string, suffix: string): string {
  return `${name.slice(0, MAX_NAME - suffix.length - 1)}-${suffix}`;
}

export const names = {
  deployment: (app: string) => app,
  candidate: (app: string) => suffixed(app, 'candidate'),
  worker: (app: string) => suffixed(app, 'worker'),
  service: (app: string) => app,
  serviceAccount: (app: string) => app,
  disruptionBudget: (app: string) => app,
  autoscaler: (app: string) => app,
  scaledObject: (app: string) => app,
  workerScaledObject: (app: string) => suffixed(app, 'worker'),
  /** KEDA's own HorizontalPodAutoscaler: never of the name of ours. */
  kedaAutoscaler: (app: string) => suffixed(app, 'keda'),
  workerKedaAutoscaler: (app: string) => suffixed(app, 'worker-keda'),
  networkPolicy: (app: string) => app,
  ingress: (app: string) => app,
  httpRoute: (app: string) => app,
  listenerSet: (app: string) => app,
  redirectRoute: (app: string) => suffixed(app, 'redirect'),
  tlsSecret: (app: string) => suffixed(app, 'tls'),
  serviceMonitor: (app: string) => app,
  podMonitor: (app: string) => suffixed(app, 'worker'),
  prometheusRule: (app: string) => app,
  revision: (app: string, release: string) => suffixed(app, release),
  incident: (app: string, release: string, attempt: number, kind = 'incident') =>
    suffixed(app, `${kind}-${release}-${attempt}`),
  heldRotation: (app: string, rotation: string) => suffixed(app, `keys-${rotation}`),
  configuration: (app: string, content: string) => suffixed(app, `config-${content}`),
  rehearsal: (app: string, release: string) => suffixed(app, `rehearsal-${release}`),
  workerRehearsal: (app: string, release: string) => suffixed(app, `rehearsal-worker-${release}`),
  migrationJob: (app: string, migrationId: string) => suffixed(app, `migrate-${migrationId}`),
  backup: (app: string, content: string) => suffixed(app, `backup-${content}`),
  /** What the pods mount: every key that they accept. */
  apiKeyring: (app: string) => suffixed(app, 'api-keyring'),
  signingKeyring: (app: string) => suffixed(app, 'signing-keyring'),
  scrapeKeyring: (app: string) => suffixed(app, 'scrape-keyring'),
  /** What callers read: the one key to use now. */
  apiKey: (app: string) => suffixed(app, 'api-key'),
  scrapeToken: (app: string) => suffixed(app, 'scrape-token'),
  /** What the hashes of releases are keyed with. */
  releaseSeed: (app: string) => suffixed(app, 'release-seed'),
  /** The same once more: one that is lost comes back from the other. */
  releaseSeedCopy: (app: string) => suffixed(app, 'release-seed-copy'),
} as const;

/** The same for what is the same: one object for each try of a release, or for each rotation. */
export function incidentName(app: string, { failed, kind, rotation }: IncidentRecord): string {
  if (rotation) return names.heldRotation(app, rotationId(rotation));
  return names.incident(app, failed.hash, failed.attempt, kind);
}
