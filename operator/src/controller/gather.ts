// Reads everything that one pass needs into one value. In the steady state it asks the API server nothing.
import type { AppResource } from '../api/resource.ts';
import { ApiError } from '../kube/errors.ts';
import { needsProofs } from '../lifecycle/key-requests.ts';
import {
  type DeploymentView,
  type Judgement,
  type KeyView,
  type MissingReference,
  type Reading,
  type Revision,
  type Snapshot,
  START_GRACE_MS,
  type Wanted,
} from '../lifecycle/snapshot.ts';
import { componentName } from '../objects/app.ts';
import { keyringsOf } from '../objects/keyring.ts';
import { COMPONENTS, LABELS, names } from '../objects/names.ts';
import { contentKey, type Reference, referencesOf } from '../objects/references.ts';
import { releaseOf } from '../objects/release.ts';
import { parseRevision } from '../objects/revision.ts';
import { contentHash, type Digest, type Digests } from './digests.ts';
import type { Keys } from './keys.ts';
import { jobView, type Kept, type KeptJob, type KeptPod, type KeptRevision } from './views.ts';
import { labelled, type Stores } from './world.ts';

export interface Sources {
  readonly stores: Stores;
  readonly digests: Digests;
  readonly now: number;
  readonly judgement: Judgement | undefined;
  readonly serviceMonitorAvailable: boolean;
  readonly keys: Pick<Keys, 'content' | 'proofs'>;
}

/** Never throws for what the cluster lacks: that is a value of the snapshot. */
export async function gather(app: AppResource, sources: Sources): Promise<Snapshot> {
  const { stores, now, judgement, serviceMonitorAvailable } = sources;
  const { name, namespace } = app.metadata;
  const pods = stores.pods
    .byIndex('instance', labelled(namespace, name))
    .filter(pod => isOurs(app, pod.metadata.labels));
  const jobs = stores.jobs.byIndex('instance', labelled(namespace, name)).filter(job => isOwned(app, job));
  const { missing, wanted } = await references(app, sources);
  const deployment = deploymentOf(app, stores);
  const autoscaler = stores.autoscalers.get(namespace, names.autoscaler(name));
  const busy = wanted.known ? busyWith(app, sources, wanted.value.databaseIdentity) : undefined;
  return {
    now,
    app,
    missing,
    wanted,
    keys: await withFacts(app, keysOf(app, stores), sources),
    revisions: revisionsOf(app, stores),
    ...(deployment && { deployment }),
    pods: pods.filter(({ component }) => component === COMPONENTS.server).map(({ view }) => view),
    rehearsals: pods.filter(({ component }) => component === COMPONENTS.rehearsal).map(({ view }) => view),
    jobs: jobs.map(job => jobView(job, newest(pods.filter(pod => ownedBy(pod.metadata.ownerReferences, job))))),
    ...(busy !== undefined && { databaseBusyWith: busy }),
    ...(judgement && { judgement }),
    ...(autoscaler && { autoscaler: { active: autoscaler.active, message: autoscaler.message } }),
    serviceMonitorAvailable,
  };
}

const ownedBy = (owners: readonly { uid: string }[], job: KeptJob): boolean =>
  owners.some(({ uid }) => uid === job.metadata.uid);

/** With a backoffLimit a Job has several pods; its end is the end of the last one. */
const newest = (pods: readonly KeptPod[]): KeptPod | undefined =>
  [...pods].sort((a, b) => a.view.createdAt - b.view.createdAt).at(-1);

/** What an earlier resource of this name left is on its way out, and says nothing about this one. */
const isOwned = (app: AppResource, { metadata }: Kept): boolean =>
  metadata.ownerReferences.some(({ uid }) => uid === app.metadata.uid);

/** Two kinds may use one name: the name label tells them apart. */
const isOurs = (app: AppResource, labels: Readonly<Record<string, string>>): boolean =>
  labels[LABELS.name] === componentName(app.kind);

async function references(
  app: AppResource,
  { digests, now }: Sources,
): Promise<{ missing: MissingReference[]; wanted: Reading<Wanted> }> {
  const found = new Map<string, Digest>();
  const missing: MissingReference[] = [];
  try {
    for (const reference of referencesOf(app)) {
      const digest = await digests.of(reference, app.metadata.namespace);
      if (digest) found.set(contentKey(reference), digest);
      missing.push(...lacking(reference, digest));
    }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { missing, wanted: { known: false, why: error.message } };
  }
  const { name, key } = app.spec.database.urlSecretRef;
  const database = found.get(contentKey({ kind: 'Secret', name }))?.databases.get(key);
  if (missing.length === 0 && database === undefined) missing.push(notAUrl(name, key));
  if (missing.length > 0 || database === undefined)
    return { missing, wanted: { known: false, why: 'a reference is missing' } };
  const contents = Object.fromEntries(contentsOf(app, found));
  const release = releaseOf(app, contents, database);
  return { missing, wanted: { known: true, readAt: now, value: { release, databaseIdentity: database } } };
}

const contentsOf = (app: AppResource, found: ReadonlyMap<string, Digest>): [string, string][] =>
  referencesOf(app).flatMap(reference => {
    const digest = found.get(contentKey(reference));
    return digest ? [[contentKey(reference), contentHash(reference, digest)]] : [];
  });

function lacking({ kind, name, keys }: Reference, digest: Digest | undefined): MissingReference[] {
  if (!digest) return [{ reason: `${kind}Missing`, message: `${kind} ${name} does not exist` }];
  return keys
    .filter(key => !digest.hashes.has(key))
    .map(key => ({ reason: `${kind}KeyMissing`, message: `${kind} ${name} has no key ${key}` }));
}

const notAUrl = (name: string, key: string): MissingReference => ({
  reason: 'InvalidDatabaseURL',
  message: `key ${key} of Secret ${name} is not a PostgreSQL URL; write postgresql://user:password@host:5432/database`,
});

function keysOf(app: AppResource, stores: Stores): KeyView[] {
  const secret = (name: string) => stores.secrets.get(app.metadata.namespace, name);
  return keyringsOf(app).map(({ name, secret: keyring, client }) => {
    const both = [secret(keyring), client && secret(client.secret)];
    const foreign = both.find(kept => kept && !isOwned(app, kept));
    return {
      name,
      keyring,
      ...(both[0] && { createdAt: both[0].createdAt }),
      ...(both[0]?.rotation && { record: both[0].rotation }),
      keyringPresent: both[0] !== undefined,
      ...(client && { client: client.secret }),
      clientPresent: client === undefined || both[1] !== undefined,
      ...(foreign && { foreign: { name: foreign.metadata.name, isLeaving: isLeaving(app, foreign) } }),
    };
  });
}

/** The ids in the Secrets, and while a rotation is under way what the pods say to the keys. */
async function withFacts(
  app: AppResource,
  keys: readonly KeyView[],
  { now, keys: source }: Sources,
): Promise<KeyView[]> {
  return Promise.all(
    keys.map(async key => {
      if (key.foreign || !key.keyringPresent) return key;
      const content = await source.content(app, key);
      if (!content.known || !content.value || !needsProofs(app, key, now)) return { ...key, content };
      const proofs = await source.proofs(app, key);
      return { ...key, content, ...(proofs && { proofs }) };
    }),
  );
}

/** It belonged to an earlier resource of this name, and is being collected. */
const isLeaving = ({ kind, metadata: { name } }: AppResource, { metadata }: Kept): boolean =>
  metadata.ownerReferences.some(owner => owner.kind === kind && owner.name === name);

function deploymentOf(app: AppResource, stores: Stores): DeploymentView | undefined {
  const live = stores.deployments.get(app.metadata.namespace, names.deployment(app.metadata.name));
  if (!live?.record || live.metadata.deleting || !isOwned(app, live)) return undefined;
  return { record: live.record, observed: live.observed, wantedReplicas: live.replicas, ...live.status };
}

function revisionsOf(app: AppResource, stores: Stores): Revision[] {
  return stores.revisions
    .byIndex('instance', labelled(app.metadata.namespace, app.metadata.name))
    .filter(kept => isOwned(app, kept))
    .flatMap(kept => revisionOf(kept) ?? [])
    .sort((a, b) => a.number - b.number);
}

/** An annotation that somebody made unreadable counts as absent: what it said is found out anew. */
function revisionOf(kept: KeptRevision): Revision | undefined {
  const { metadata, annotations, revision, data, createdAt } = kept;
  const parsed = parseRevision({ metadata: { name: metadata.name, annotations }, revision, data: JSON.parse(data) });
  if (!parsed) return undefined;
  const { name, number, release, notes } = parsed;
  const migration = json<Revision['migration']>(notes.migration);
  const rehearsal = json<Revision['rehearsal']>(notes.rehearsal);
  return {
    name,
    number,
    release,
    verdict: json<Revision['verdict']>(notes.verdict) ?? {
      verdict: 'pending',
      reason: 'Progressing',
      message: '',
      at: createdAt,
    },
    ...(notes.retryToken !== undefined && { retryToken: notes.retryToken }),
    ...(migration && { migration }),
    ...(rehearsal && { rehearsal }),
  };
}

function json<T>(text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}

/**
 * An image that cannot be pulled holds up nobody but its own release. Should it start after all, the runner's lock in
 * the database lets one of the two wait.
 */
const neverStarts = (job: KeptJob, stores: Stores, now: number): boolean =>
  now - job.createdAt > START_GRACE_MS && !podsOf(job, stores).some(({ started }) => started);

const podsOf = (job: KeptJob, stores: Stores) =>
  stores.pods
    .byIndex('instance', labelled(job.metadata.namespace, job.metadata.labels[LABELS.instance] ?? ''))
    .filter(pod => ownedBy(pod.metadata.ownerReferences, job));

/** A migration Job of another resource that has the same database in hand. */
function busyWith(app: AppResource, { stores, now }: Sources, database: string): string | undefined {
  const { namespace, name } = app.metadata;
  const other = stores.jobs
    .list()
    .filter(job => job.database === database && job.end === undefined && !neverStarts(job, stores, now))
    .find(
      job =>
        job.metadata.namespace !== namespace ||
        job.metadata.labels[LABELS.instance] !== name ||
        !isOurs(app, job.metadata.labels),
    );
  return other && `${other.metadata.namespace}/${other.metadata.name}`;
}
