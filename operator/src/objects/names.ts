// Every name, label and annotation that this operator gives to an object. Nothing else spells one out.

/** Field managers: the second owns only `spec.replicas` of a Deployment, and stops when an autoscaler owns it. */
export const FIELD_MANAGER = 'devshelf-operator';
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
  /** Id of the migration that a Job carries out. */
  migration: 'devshelf.dev/migration',
} as const;

export const MANAGED_BY = 'devshelf-operator';
export const SERVING = 'serving';

/** Values of `app.kubernetes.io/component`. Only a `server` may also carry the role label. */
export const COMPONENTS = {
  server: 'server',
  worker: 'worker',
  migration: 'migration',
  rehearsal: 'rehearsal',
} as const;
export type Component = (typeof COMPONENTS)[keyof typeof COMPONENTS];

export const CONTAINER = 'app';
export const HTTP_PORT_NAME = 'http';

export const ANNOTATIONS = {
  // on the Deployment, set in the same patch as the template
  rollout: 'devshelf.dev/rollout',
  // on a ControllerRevision
  verdict: 'devshelf.dev/verdict',
  migration: 'devshelf.dev/migration-result',
  rehearsal: 'devshelf.dev/rehearsal',
  retryToken: 'devshelf.dev/retry-token',
  firstMetrics: 'devshelf.dev/first-metrics',
  // on the custom resource, by users
  migrate: 'devshelf.dev/migrate',
  rotate: 'devshelf.dev/rotate',
  rotateScrapeToken: 'devshelf.dev/rotate-scrape-token',
  rotateMode: 'devshelf.dev/rotate-mode',
  // on a keyring Secret, set in the same patch as the keys
  rotation: 'devshelf.dev/rotation',
  // on a pod: changing it lets the kubelet bring a changed Secret at once
  keys: 'devshelf.dev/keys',
} as const;

/** The API server's limit on a label value and on most object names that end in a generated suffix. */
const MAX_NAME = 63;

/** `<name>-<suffix>`, the name cut so that the whole stays within 63 characters. */
function suffixed(name: string, suffix: string): string {
  return `${name.slice(0, MAX_NAME - suffix.length - 1)}-${suffix}`;
}

export const names = {
  deployment: (app: string) => app,
  worker: (app: string) => suffixed(app, 'worker'),
  service: (app: string) => app,
  serviceAccount: (app: string) => app,
  disruptionBudget: (app: string) => app,
  autoscaler: (app: string) => app,
  networkPolicy: (app: string) => app,
  serviceMonitor: (app: string) => app,
  revision: (app: string, release: string) => suffixed(app, release),
  rehearsal: (app: string, release: string) => suffixed(app, `rehearsal-${release}`),
  migrationJob: (app: string, migrationId: string) => suffixed(app, `migrate-${migrationId}`),
  /** What the pods mount: every key that they accept. */
  apiKeyring: (app: string) => suffixed(app, 'api-keyring'),
  signingKeyring: (app: string) => suffixed(app, 'signing-keyring'),
  scrapeKeyring: (app: string) => suffixed(app, 'scrape-keyring'),
  /** What callers read: the one key to use now. */
  apiKey: (app: string) => suffixed(app, 'api-key'),
  scrapeToken: (app: string) => suffixed(app, 'scrape-token'),
} as const;
