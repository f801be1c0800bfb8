// Snapshots for the tests of this folder: release v1 serves, the spec asks for v2, which is written down. A row of a
// table changes one fact.

import type { IncidentSummary } from '../api/incident.ts';
import { apisBy } from '../api/optional-apis.ts';
import { type AppResource, parseResource } from '../api/resource.ts';
import type { Release, RolloutRecord } from '../api/rollout.ts';
import type {
  DatabaseSharer,
  DeploymentView,
  JobView,
  Judgement,
  MigrationResult,
  PodView,
  Reading,
  Revision,
  Snapshot,
  Verdict,
  Wanted,
  WorkloadView,
} from './snapshot.ts';

export const T0 = Date.parse('2026-03-01T12:00:00.000Z');
export const at = (secondsAfterT0: number): string => new Date(T0 + secondsAfterT0 * 1000).toISOString();

type Fields = Record<string, unknown>;

/** The same with a queue, and so with a worker. */
export const shelf = (spec: Fields = {}): AppResource =>
  app({ redis: { urlSecretRef: { name: 'redis' } }, ...spec }, {}, 'DevShelfDeployment');

export function app(spec: Fields = {}, metadata: Fields = {}, kind = 'DashboardDeployment'): AppResource {
  const read = parseResource({
    apiVersion: 'apps.devshelf.dev/v1alpha1',
    kind,
    metadata: { name: 'shop', namespace: 'prod', uid: 'uid-of-shop', generation: 3, ...metadata },
    spec: { image: 'example/dashboard:2', database: { urlSecretRef: { name: 'db' } }, ...spec },
  });
  if (!read.ok) throw new Error(read.why);
  return read.resource;
}

/** `v2`: image `example/dashboard:2`, migration `m2`. */
export const release = (hash: string): Release => ({
  hash,
  image: `example/dashboard:${hash.slice(1)}`,
  template: { metadata: { labels: {} }, spec: {} },
  migrationId: `m${hash.slice(1)}`,
});

export const wanted = (hash: string): Reading<Wanted> => ({
  known: true,
  readAt: T0,
  value: { release: release(hash), databaseIdentity: 'db' },
});

export const migrated = (hash: string, result: Partial<MigrationResult> = {}): MigrationResult => ({
  id: `m${hash.slice(1)}`,
  jobName: `shop-migrate-m${hash.slice(1)}`,
  result: 'UpToDate',
  applied: [],
  finishedAt: at(-60),
  ...result,
});

export const revision = (hash: string, verdict: Verdict, change: Partial<Revision> = {}): Revision => ({
  name: `shop-${hash}`,
  number: Number(hash.slice(1)),
  release: release(hash),
  verdict: { verdict, reason: 'Progressing', message: `${hash} is ${verdict}`, at: at(-600) },
  ...change,
});

/** v1 at rest: two of two pods. */
export const deployment = (
  record: Partial<RolloutRecord> = {},
  change: Partial<DeploymentView> = {},
): DeploymentView => ({
  name: 'shop',
  record: { phase: 'Settled', release: 'v1', stable: 'v1', since: at(-600), version: 2, ...record },
  foreign: [],
  observed: true,
  wantedReplicas: 2,
  replicas: 2,
  updatedReplicas: 2,
  readyReplicas: 2,
  availableReplicas: 2,
  ...change,
});

/** One of one pod of a release on trial. */
export const candidate = (change: Partial<WorkloadView> = {}): WorkloadView => ({
  name: 'shop-candidate',
  observed: true,
  wantedReplicas: 1,
  replicas: 1,
  updatedReplicas: 1,
  readyReplicas: 1,
  availableReplicas: 1,
  ...change,
});

export const pod = (releaseHash: string, name: string, change: Partial<PodView> = {}): PodView => ({
  name,
  uid: `uid-of-${name}`,
  release: releaseHash,
  ready: true,
  deleting: false,
  createdAt: T0 - 5_000,
  restarts: 0,
  ...change,
});

export const stablePods = (change: Partial<PodView> = {}): PodView[] => [
  pod('v1', 'shop-a', change),
  pod('v1', 'shop-b', change),
];

export const job = (state: JobView['state'], hash = 'v2'): JobView => ({
  name: `shop-migrate-m${hash.slice(1)}`,
  uid: `uid-of-m${hash.slice(1)}`,
  migrationId: `m${hash.slice(1)}`,
  release: hash,
  createdAt: T0,
  state,
});

/** Another resource on the same database, at rest. */
export const sharer = (allow: readonly string[] = [], change: Partial<DatabaseSharer> = {}): DatabaseSharer => ({
  name: 'other',
  allow,
  isAtRest: true,
  contracts: [],
  ...change,
});

/** That `v2` was taken back. */
export const incident = (hash: string, when: string, change: Partial<IncidentSummary> = {}): IncidentSummary => ({
  name: `shop-incident-${hash}-1`,
  number: 100 + Number(hash.slice(1)),
  release: hash,
  attempt: 1,
  at: when,
  reason: 'Regression',
  failedImage: `example/dashboard:${hash.slice(1)}`,
  restoredImage: 'example/dashboard:1',
  message: '11 of 24',
  ...change,
});

export const judgement = (verdict: Judgement['verdict'], hash = 'v2'): Judgement => ({
  verdict,
  release: hash,
  candidate: { requests: 24, errors: verdict === 'Bad' ? 11 : 0 },
  baseline: { requests: 71, errors: 0 },
  message: verdict === 'Bad' ? '11 of 24 requests answered with 5xx (limit 5 %)' : '0 of 24 requests failed',
});

export const snapshot = (change: Partial<Snapshot> = {}): Snapshot => ({
  now: T0,
  // reading one takes longer than what is decided about it
  app: change.app ?? app(),
  missing: [],
  wanted: wanted('v2'),
  keys: [
    { name: 'api', keyring: 'shop-api-keyring', client: 'shop-api-key', keyringPresent: true, clientPresent: true },
  ],
  revisions: [revision('v1', 'released'), revision('v2', 'pending')],
  deployment: deployment(),
  pods: stablePods(),
  workers: [],
  rehearsals: [],
  orphans: [],
  configMaps: [],
  jobs: [],
  apis: apisBy(() => 'present'),
  ...change,
});

/** v2 is on trial beside two pods of v1, since ten seconds. */
export const held = (change: Partial<Snapshot> = {}, record: Partial<RolloutRecord> = {}): Snapshot =>
  snapshot({
    deployment: deployment({ phase: 'Candidate', release: 'v2', stable: 'v1', since: at(-10), ...record }),
    candidate: candidate(),
    pods: [...stablePods(), pod('v2', 'shop-c')],
    ...change,
  });

/** Nothing is installed yet. */
export const fresh = (change: Partial<Snapshot> = {}): Snapshot => {
  const { deployment: _none, ...rest } = snapshot({ revisions: [revision('v2', 'pending')], pods: [], ...change });
  return rest;
};

/** Nothing but this deployment is different. */
export const carrying = (
  record: Partial<RolloutRecord>,
  view: Partial<DeploymentView> = {},
  change: Partial<Snapshot> = {},
): Snapshot => snapshot({ deployment: deployment(record, view), ...change });
