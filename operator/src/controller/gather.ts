// Reads everything that one pass needs into one value. In the steady state it asks the API server nothing.
import type { Apis } from '../api/optional-apis.ts';
import type { AppResource } from '../api/resource.ts';
import type { Release, RolloutRecord } from '../api/rollout.ts';
import { ApiError } from '../kube/errors.ts';
import { isReadingDue, needsCallers, needsProofs, needsUses } from '../lifecycle/keys/draining.ts';
import { remembered } from '../lifecycle/release/remembered.ts';
import { needsBackups } from '../lifecycle/schema/backup.ts';
import { goneBy } from '../lifecycle/schema/result.ts';
import {
  type DatabaseSharer,
  type DeploymentView,
  type DoorView,
  type JobView,
  type Judgement,
  type KeyView,
  type MissingReference,
  type Orphan,
  type Reading,
  type Revision,
  type ScaledObjectView,
  type Snapshot,
  START_GRACE_MS,
  type Wanted,
  type WorkloadView,
} from '../lifecycle/snapshot.ts';
import { componentName } from '../objects/app.ts';
import {
  type Database,
  type Digest,
  lacking,
  type Seed,
  sourcesOf,
  wantedAgain,
  wantedOf,
} from '../objects/contents.ts';
import { tlsSecretOf } from '../objects/exposure.ts';
import { keyringsOf } from '../objects/keyring.ts';
import { ANNOTATIONS, COMPONENTS, isServing, LABELS, MANAGED_BY, names } from '../objects/names.ts';
import { contentKey, referencesOf } from '../objects/references.ts';
import { SEED } from '../objects/release-seed.ts';
import { parseRevision } from '../objects/revision.ts';
import type { Digests } from './digests.ts';
import type { Answer, Asking, Question } from './inquiries.ts';
import type { Keys } from './keys.ts';
import { jobView, type Kept, type KeptDeployment, type KeptJob, type KeptPod, type KeptRevision } from './views.ts';
import { type KeptApp, type KeptMigration, labelled, type Stores } from './world.ts';

export interface Sources {
  readonly stores: Stores;
  readonly digests: Digests;
  readonly now: number;
  readonly judgement: Judgement | undefined;
  readonly apis: Apis;
  readonly keys: Pick<Keys, 'content' | 'proofs' | 'askedPods' | 'knownUses' | 'readUses' | 'callers'>;
  readonly asking: Asking;
  /** Of every watched namespace. */
  readonly migrationsOf: (database: string) => readonly KeptMigration[];
  readonly servingFrom: (database: string) => readonly KeptApp[];
  readonly backupsOf: (app: AppResource) => Promise<Reading<JobView[]>>;
  readonly otherOperator?: string;
  /** Where Prometheus is asked. */
  readonly prometheusUrl?: string;
  readonly isTraced?: boolean;
  readonly isContested?: true;
  readonly refusedRotation?: string | undefined;
}

/** Key of a Secret of type kubernetes.io/tls. */
const TLS_CERTIFICATE = 'tls.crt';
/** Who holds a rotation is looked for again after this long. */
const CALLERS_MS = 300_000;

/** Never throws for what the cluster lacks: that is a value of the snapshot. */
export async function gather(app: AppResource, sources: Sources): Promise<Snapshot> {
  const { stores, now, judgement, apis, otherOperator, isContested, refusedRotation, isTraced } = sources;
  const { name, namespace } = app.metadata;
  const pods = stores.pods
    .byIndex('instance', labelled(namespace, name))
    .filter(pod => isOurs(app, pod.metadata.labels));
  const jobs = stores.jobs.byIndex('instance', labelled(namespace, name)).filter(job => isOwned(app, job));
  const revisions = revisionsOf(app, stores);
  const writers = stores.apps[app.kind].get(namespace, name)?.writers;
  const { record } = deploymentOf(app, stores) ?? {};
  const { missing, wanted, database, lacksSeed } = await references(app, sources, revisions, record);
  const deployment = deploymentOf(app, stores);
  const candidate = workloadOf(app, stores, names.candidate(name));
  const worker = workloadOf(app, stores, names.worker(name));
  const backups = needsBackups({ app, revisions }) ? await sources.backupsOf(app) : undefined;
  return {
    now,
    app,
    ...(writers && { writers }),
    missing,
    wanted,
    orphans: orphansOf(app, stores),
    keys: await withFacts(app, keysOf(app, stores), sources),
    revisions,
    ...incidentsOf(app, stores),
    ...(lacksSeed && { lacksSeed }),
    ...(deployment && { deployment }),
    ...(liveOf(app, stores, names.deployment(name))?.record === 'later' && { isLaterRecord: true }),
    ...(candidate && { candidate }),
    ...(worker && { worker }),
    pods: pods.filter(({ component }) => isServing(component)).map(({ view }) => view),
    workers: pods.filter(({ component }) => component === COMPONENTS.worker).map(({ view }) => view),
    rehearsals: pods.filter(({ component }) => component === COMPONENTS.rehearsal).map(({ view }) => view),
    configMaps: stores.configMaps
      .byIndex('instance', labelled(namespace, name))
      .filter(copy => isOwned(app, copy) && !copy.metadata.deleting)
      .map(({ metadata }) => metadata.name),
    jobs: [
      ...jobs.map(job => jobView(job, newest(pods.filter(pod => ownedBy(pod.metadata.ownerReferences, job))))),
      ...(backups?.known ? backups.value : []),
    ],
    ...(backups?.known === false && { backupsUnread: backups.why }),
    ...(database !== undefined && onDatabase(app, sources, database)),
    ...(judgement && { judgement }),
    ...scaling(app, sources),
    ...(await outside(app, sources)),
    apis,
    ...(otherOperator !== undefined && { otherOperator }),
    ...(isTraced && { isTraced: true }),
    ...(isContested && { isContested }),
    ...(refusedRotation !== undefined && { refusedRotation }),
  };
}

/** Who else works on its database, or serves from it. */
function onDatabase(app: AppResource, sources: Sources, database: Database): Partial<Snapshot> {
  const busy = busyWith(app, sources, database);
  const sharers = sharersOf(app, sources, database);
  return {
    ...(busy !== undefined && { databaseBusyWith: busy }),
    ...(sharers.length > 0 && { databaseSharedWith: sharers }),
  };
}

export function scaling(
  app: AppResource,
  { stores, prometheusUrl }: Pick<Sources, 'stores' | 'prometheusUrl'>,
): Partial<Snapshot> {
  const { name, namespace } = app.metadata;
  const autoscaler = stores.autoscalers.get(namespace, names.autoscaler(name));
  const scaled = scaledObjectOf(app, stores, names.scaledObject(name), names.kedaAutoscaler(name));
  const workerScaled = scaledObjectOf(app, stores, names.workerScaledObject(name), names.workerKedaAutoscaler(name));
  return {
    ...(autoscaler && { autoscaler: { active: autoscaler.active, message: autoscaler.message } }),
    ...(scaled && { scaledObject: scaled }),
    ...(isOfKeda(stores.autoscalers.get(namespace, names.kedaAutoscaler(name))) && { kedaScales: true }),
    ...(workerScaled && { workerScaledObject: workerScaled }),
    ...(prometheusUrl !== undefined && { prometheusUrl }),
  };
}

/** What others see of it: monitors, and the door with its certificate. */
async function outside(app: AppResource, sources: Sources): Promise<Partial<Snapshot>> {
  const refused = refusedMonitor(app, sources.stores);
  const door = doorOf(app, sources.stores);
  const certificate = await certificateOf(app, sources);
  return {
    ...(refused && { monitorRefused: refused }),
    ...(door && { door }),
    ...(certificate && { certificate }),
  };
}

function refusedMonitor(app: AppResource, stores: Stores): Snapshot['monitorRefused'] {
  const { name, namespace } = app.metadata;
  const monitors = [
    stores.serviceMonitors.get(namespace, names.serviceMonitor(name)),
    stores.podMonitors.get(namespace, names.podMonitor(name)),
  ];
  const [first] = monitors.flatMap((monitor, index) =>
    monitor?.refused && isOwned(app, monitor)
      ? [
          {
            kind: index === 0 ? 'ServiceMonitor' : 'PodMonitor',
            name: monitor.metadata.name,
            ...monitor.refused,
          } as const,
        ]
      : [],
  );
  return first;
}

const isOfKeda = (kept: Kept | undefined): boolean =>
  kept?.metadata.ownerReferences.some(({ kind }) => kind === 'ScaledObject') ?? false;

/** KEDA gives its HorizontalPodAutoscaler the labels of the ScaledObject: it is watched with ours. */
function scaledObjectOf(
  { metadata: { namespace } }: AppResource,
  stores: Stores,
  name: string,
  autoscaler: string,
): ScaledObjectView | undefined {
  const kept = stores.scaledObjects.get(namespace, name);
  if (!kept) return undefined;
  const { ready, fallsBack, message } = kept;
  const theirs = stores.autoscalers.get(namespace, autoscaler);
  return { ready, fallsBack, message, ...(theirs && !theirs.active && { trouble: theirs.message }) };
}

async function certificateOf(app: AppResource, { stores, digests }: Sources): Promise<Snapshot['certificate']> {
  const secret = tlsSecretOf(app);
  if (secret === undefined) return undefined;
  const { namespace } = app.metadata;
  if (!stores.secrets.get(namespace, secret)) return { secret, isThere: false };
  const expiresAt = await expiryOf(secret, namespace, digests);
  return { secret, isThere: true, ...(expiresAt !== undefined && { expiresAt }) };
}

/** What cannot be read is not known: no release waits for a certificate. */
async function expiryOf(name: string, namespace: string, digests: Digests): Promise<number | undefined> {
  try {
    return (await digests.of({ kind: 'Secret', name }, namespace))?.expiries.get(TLS_CERTIFICATE);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return undefined;
  }
}

export function doorOf(app: AppResource, stores: Stores): DoorView | undefined {
  const { name, namespace } = app.metadata;
  const { type } = app.spec.exposure;
  if (type === 'None') return undefined;
  const ours = <T>(kept: (Kept & { view: T }) | undefined) => (kept && isOwned(app, kept) ? kept.view : undefined);
  if (type === 'Ingress') return ours(stores.ingresses.get(namespace, names.ingress(name)));
  const route = ours(stores.httpRoutes.get(namespace, names.httpRoute(name)));
  const redirect = ours(stores.httpRoutes.get(namespace, names.redirectRoute(name)));
  // they are on different listeners, so each answer says of which it is
  const parents = [...(route?.parents ?? []), ...(redirect?.parents ?? [])];
  const listeners = ours(stores.listenerSets.get(namespace, names.listenerSet(name)));
  return route && { ...route, parents, ...(listeners && { listeners }) };
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

interface References {
  readonly missing: readonly MissingReference[];
  readonly wanted: Reading<Wanted>;
  readonly database?: Database;
  readonly lacksSeed?: 'copy' | 'both';
}

/** While all that the record was decided on is as it was nothing is read: also not by a process that has just begun. */
async function references(
  app: AppResource,
  sources: Sources,
  revisions: readonly Revision[],
  record: RolloutRecord | undefined,
): Promise<References> {
  // before anything is read: so what is read is never older than what is remembered of it
  const made = sourcesHere(app, sources.stores);
  const releases = revisions.map(({ release }) => release);
  const again = made === undefined ? undefined : wantedAgain(app, made, record?.wanted, releases);
  if (!again) return readReferences(app, sources, releases, made);
  const { databaseIdentity: identity } = again;
  return { missing: [], wanted: { known: true, value: again, readAt: sources.now }, database: { identity } };
}

async function readReferences(
  app: AppResource,
  { digests, now, stores }: Sources,
  releases: readonly Release[],
  made: string | undefined,
): Promise<References> {
  const found = new Map<string, Digest>();
  const missing: MissingReference[] = [];
  let seed: SeedHere;
  try {
    for (const reference of referencesOf(app)) {
      const digest = await digests.of(reference, app.metadata.namespace);
      if (digest) found.set(contentKey(reference), digest);
      missing.push(...lacking(reference, digest));
    }
    seed = await seedOf(app, digests, stores);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { missing, wanted: { known: false, why: error.message } };
  }
  const { lacks, ...known } = seed;
  const hashes = releases.map(({ hash }) => hash);
  const { missing: faulty, wanted, database, isBare } = wantedOf(app, found, known, hashes);
  const from = isBare || made === undefined ? {} : { sources: made };
  return {
    missing: faulty,
    wanted: wanted.known ? { known: true, value: { ...wanted.value, ...from }, readAt: now } : wanted,
    ...(database && { database }),
    ...(faulty.length === 0 && !isBare && lacks),
  };
}

/** Undefined while one of them, or a seed of ours, is not there. */
function sourcesHere(app: AppResource, stores: Stores): string | undefined {
  const { name, namespace } = app.metadata;
  const seed = { kind: 'Secret', name: names.releaseSeed(name) } as const;
  const ours = stores.secrets.get(namespace, seed.name);
  if (!ours || !isOwned(app, ours) || !stores.secrets.get(namespace, names.releaseSeedCopy(name))) return undefined;
  const versions = [seed, ...referencesOf(app)].map(({ kind, name: of }) => {
    const kept = (kind === 'Secret' ? stores.secrets : stores.configMaps).get(namespace, of);
    return kept && { kind, name: of, uid: kept.metadata.uid, resourceVersion: kept.metadata.resourceVersion };
  });
  const there = versions.filter(version => version !== undefined);
  return there.length === versions.length ? sourcesOf(app, there) : undefined;
}

type SeedHere = Seed & { readonly lacks?: LacksSeed };
type LacksSeed = Pick<References, 'lacksSeed'>;

/** Never another one's: what an earlier resource left is collected, and the hashes would change with it. */
async function seedOf(app: AppResource, digests: Digests, stores: Stores): Promise<SeedHere> {
  const name = names.releaseSeed(app.metadata.name);
  const kept = stores.secrets.get(app.metadata.namespace, name);
  const copy = stores.secrets.get(app.metadata.namespace, names.releaseSeedCopy(app.metadata.name));
  if (!kept) {
    const isLeft = copy !== undefined && isOwned(app, copy);
    return { known: false, why: `Secret ${name} is being made`, lacks: { lacksSeed: isLeft ? 'copy' : 'both' } };
  }
  if (!isOwned(app, kept)) {
    const what = isLeaving(app, kept) ? 'of an earlier resource is being removed' : 'is not ours: delete or rename it';
    return { known: false, why: `Secret ${name} ${what}` };
  }
  const value = (await digests.of({ kind: 'Secret', name }, app.metadata.namespace))?.hashes.get(SEED);
  if (value !== undefined) return { known: true, value, ...(!copy && { lacks: { lacksSeed: 'copy' } }) };
  return { known: false, why: `Secret ${name} has no key ${SEED}: delete it, and another one is made` };
}

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
      versions: {
        keyring: both[0]?.metadata.resourceVersion,
        client: (both[1] || undefined)?.metadata.resourceVersion,
      },
      ...(client && { client: client.secret }),
      clientPresent: client === undefined || both[1] !== undefined,
      ...(client && both[1]?.writer !== undefined && { clientWriter: both[1].writer }),
      ...(client && both[1]?.putBack && { putBack: both[1].putBack }),
      ...(foreign && { foreign: { name: foreign.metadata.name, isLeaving: isLeaving(app, foreign) } }),
    };
  });
}

/** The ids in the Secrets, and while a rotation is under way what the pods say to the keys. */
async function withFacts(
  app: AppResource,
  keys: readonly KeyView[],
  { now, keys: source, stores, asking }: Sources,
): Promise<KeyView[]> {
  const withUses = (key: KeyView): KeyView => {
    if (!needsUses(app, key)) return key;
    const uses = source.knownUses(app, key);
    if (isReadingDue(app, { ...key, ...(uses && { uses }) }, now)) {
      // the same question until it is answered, however long that takes
      found(asking, {
        topic: `uses of the ${key.name} key`,
        about: JSON.stringify([key.record, uses?.readAt]),
        find: signal => source.readUses(app, key, now, signal),
      });
    }
    const used = { ...key, ...(uses && { uses }) };
    if (!needsCallers(app, used, now)) return used;
    const callers = found(asking, {
      topic: `callers with the old ${key.name} key`,
      about: JSON.stringify([key.record, Math.floor(now / CALLERS_MS)]),
      find: signal => source.callers(app, used, signal),
    });
    return { ...used, ...(callers?.value && { callers: callers.value }) };
  };
  const version = (name = '') => stores.secrets.get(app.metadata.namespace, name)?.metadata.resourceVersion;
  return Promise.all(
    keys.map(async key => {
      if (key.foreign || !key.keyringPresent) return key;
      const content = await source.content(app, key);
      if (!content.known || !content.value) return { ...key, content };
      const used = withUses(key);
      if (!needsProofs(app, used, now)) return { ...used, content };
      const { name, keyring, client, record } = used;
      const proofs = found(asking, {
        topic: `proof of the ${name} key`,
        about: JSON.stringify([version(keyring), version(client), record, source.askedPods(app)]),
        find: signal => source.proofs(app, key, signal),
        once: true,
      });
      return { ...used, content, ...(proofs?.value && { proofs: proofs.value }) };
    }),
  );
}

/** What the API server does not answer is unknown, and asked anew: no pass fails for it. */
function found<T>(asking: Asking, question: Question<T>): Answer<T> | undefined {
  try {
    return asking.ask(question);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return undefined;
  }
}

/** Ours by their labels, and nobody's by their owners. Looked for only where a person asks for it. */
function orphansOf(app: AppResource, stores: Stores): Orphan[] {
  if (app.metadata.annotations[ANNOTATIONS.adopt] !== 'true') return [];
  const { name, namespace } = app.metadata;
  const named = Object.entries(stores.children).flatMap(([kind, { store }]) =>
    [name, names.worker(name), names.candidate(name), names.redirectRoute(name)].map(child => ({
      kind,
      kept: store.get(namespace, child),
    })),
  );
  const secrets = keyringsOf(app)
    .flatMap(({ secret, client }) => [secret, ...(client ? [client.secret] : [])])
    .concat(names.releaseSeed(name), names.releaseSeedCopy(name))
    .map(secret => ({ kind: 'Secret', kept: stores.secrets.get(namespace, secret) }));
  const at = labelled(namespace, name);
  const indexed = [
    ...stores.revisions.byIndex('instance', at).map(kept => ({ kind: 'ControllerRevision', kept })),
    ...stores.jobs.byIndex('instance', at).map(kept => ({ kind: 'Job', kept })),
    ...stores.configMaps.byIndex('instance', at).map(kept => ({ kind: 'ConfigMap', kept })),
  ];
  return [...named, ...secrets, ...indexed].flatMap(({ kind, kept }: { kind: string; kept: Kept | undefined }) =>
    kept && isOrphan(app, kept) ? [{ kind, name: kept.metadata.name, uid: kept.metadata.uid }] : [],
  );
}

const isOrphan = (app: AppResource, { metadata: { labels, ownerReferences, deleting } }: Kept): boolean =>
  !deleting &&
  isOurs(app, labels) &&
  labels[LABELS.instance] === app.metadata.name &&
  labels[LABELS.managedBy] === MANAGED_BY &&
  !ownerReferences.some(({ controller }) => controller);

/** It belonged to an earlier resource of this name, and is being collected. */
const isLeaving = ({ kind, metadata: { name } }: AppResource, { metadata }: Kept): boolean =>
  metadata.ownerReferences.some(owner => owner.kind === kind && owner.name === name);

const liveOf = (app: AppResource, stores: Stores, name: string): KeptDeployment | undefined => {
  const live = stores.deployments.get(app.metadata.namespace, name);
  return live && isOwned(app, live) ? live : undefined;
};

function deploymentOf(app: AppResource, stores: Stores): DeploymentView | undefined {
  const live = liveOf(app, stores, names.deployment(app.metadata.name));
  if (!live?.record || live.record === 'later' || live.metadata.deleting) return undefined;
  return {
    ...workload(live),
    record: live.record,
    foreign: live.foreign,
    ...(live.refusals && { refusals: live.refusals }),
  };
}

function workloadOf(app: AppResource, stores: Stores, name: string): WorkloadView | undefined {
  const live = liveOf(app, stores, name);
  return live && workload(live);
}

const workload = ({
  metadata,
  observed,
  replicas,
  status,
  progressedAt,
  refused,
  paused,
}: KeptDeployment): WorkloadView => ({
  name: metadata.name,
  observed,
  wantedReplicas: replicas,
  ...status,
  ...(progressedAt !== undefined && { progressedAt }),
  ...(refused !== undefined && { refused }),
  ...(paused && { paused }),
});

function revisionsOf(app: AppResource, stores: Stores): Revision[] {
  return stores.revisions
    .byIndex('instance', labelled(app.metadata.namespace, app.metadata.name))
    .filter(kept => isOwned(app, kept))
    .flatMap(kept => revisionOf(kept) ?? [])
    .sort((a, b) => a.number - b.number);
}

function incidentsOf(app: AppResource, stores: Stores): Pick<Snapshot, 'incidents' | 'standing'> {
  const all = stores.revisions
    .byIndex('instance', labelled(app.metadata.namespace, app.metadata.name))
    .flatMap(kept => (kept.incident && isOwned(app, kept) ? [kept.incident] : []))
    .sort((a, b) => (a.at < b.at ? -1 : 1));
  return { incidents: all.filter(({ kind }) => !kind), standing: all.filter(({ kind }) => kind) };
}

function revisionOf(kept: KeptRevision): Revision | undefined {
  const { metadata, annotations, revision, data, createdAt } = kept;
  const parsed = parseRevision({ metadata: { name: metadata.name, annotations }, revision, data });
  return parsed && remembered(parsed, createdAt);
}

/**
 * Other resources of this namespace that serve from the same database. Those of other namespaces are neither asked nor
 * named: whoever writes a host into a Secret there could hold this one up.
 */
export function sharersOf(
  app: AppResource,
  { servingFrom, stores }: Pick<Sources, 'servingFrom' | 'stores'>,
  database: Database,
): DatabaseSharer[] {
  const { namespace, uid } = app.metadata;
  return servingFrom(database.identity)
    .filter(({ metadata }) => metadata.uid !== uid && metadata.namespace === namespace)
    .map(kept => {
      const { metadata } = kept;
      const { read } = kept;
      if (!read.ok) return { name: metadata.name, allow: [], isAtRest: false, contracts: [] };
      const other = read.resource;
      const revisions = revisionsOf(other, stores);
      return {
        name: metadata.name,
        allow: other.spec.migrations.contract.allow,
        isAtRest: isAtRest(other, stores, revisions),
        contracts: contractsIn(revisions, database),
      };
    });
}

function isAtRest(other: AppResource, stores: Stores, revisions: readonly Revision[]): boolean {
  const record = deploymentOf(other, stores)?.record;
  const serving = revisions.find(({ release }) => release.hash === record?.release);
  return record?.phase === 'Settled' && serving?.release.image === other.spec.image;
}

/** What was taken from this database by order of these, and what they remember of releases that are past. */
const contractsIn = (revisions: readonly Revision[], { identity }: Database): DatabaseSharer['contracts'] =>
  revisions.filter(({ migration }) => migration?.database === identity).flatMap(goneBy);

/**
 * An image that cannot be pulled holds up nobody but its own release. Should it start after all, the runner's lock in
 * the database lets one of the two wait.
 */
const neverStarts = ({ job, pods }: KeptMigration, now: number): boolean =>
  now - job.createdAt > START_GRACE_MS &&
  !job.begun &&
  !pods.some(({ started, metadata }) => started && ownedBy(metadata.ownerReferences, job));

/**
 * A migration Job of another resource of this namespace that has the same database in hand. What other namespaces do
 * is not asked: whose name a Secret there has, nobody can tell, so anybody could keep this one waiting. Two that really
 * share a database take turns by the runner's lock in it.
 */
function busyWith(app: AppResource, { migrationsOf, now }: Sources, database: Database): string | undefined {
  const { namespace, name } = app.metadata;
  const isOther = ({ metadata }: KeptJob): boolean =>
    metadata.namespace === namespace && (metadata.labels[LABELS.instance] !== name || !isOurs(app, metadata.labels));
  return migrationsOf(database.identity)
    .filter(({ job }) => isOther(job) && job.end === undefined)
    .find(migration => !neverStarts(migration, now))?.job.metadata.name;
}
