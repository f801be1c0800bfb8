// What is kept of each object: the few fields that a pass reads, in the lifecycle's words. A store of ten thousand
// whole Deployments would not fit into the memory that this process is given.
//
// A container's own words are not kept. Whoever may create a resource chooses its image and puts any Secret of the
// namespace into its environment; what such an image writes into its termination message would be readable in the
// status for everybody who may read that. No image can be told from another one that says the same, so of a verdict only
// what is of a known set or shape passes. The words themselves are in the container's log, for who may read logs.
import type { RouteParent } from '../api/exposure.ts';
import { type IncidentRecord, type IncidentSummary, parseRefusals, type Refusal, rotationId } from '../api/incident.ts';
import { jsonOf } from '../api/json.ts';
import { readNote } from '../api/notes.ts';
import { parseRecord, type ReadRecord } from '../api/rollout.ts';
import { parseRotation, type RotationRecord } from '../api/rotation.ts';
import { NO_NAME, scrub, shownMigration } from '../api/words.ts';
import {
  type Applied,
  appliedBy,
  type ForeignField,
  foreignFields,
  hashOf,
  isAloneIn,
  type Writer,
} from '../kube/apply.ts';
import type {
  controllerRevisions,
  deployments,
  horizontalPodAutoscalers,
  httpRoutes,
  ingresses,
  jobs,
  KubeObject,
  listenerSets,
  OwnerReference,
  pods,
  Resource,
  scaledObjects,
} from '../kube/resource.ts';
import {
  type DoorView,
  isBackupTask,
  type JobVerdict,
  type JobView,
  type ListenersView,
  type ParentView,
  type PodView,
  type PutBack,
  RESULTS,
  type Withheld,
} from '../lifecycle/snapshot.ts';
import { parseIncident } from '../objects/incident.ts';
import { isTexts, KEYRING_FILE } from '../objects/keyring.ts';
import {
  ANNOTATIONS,
  CONTAINER,
  FIELD_MANAGER,
  HTTP_PORT_NAME,
  LABELS,
  MIGRATE_CONTAINER,
  REPLICAS_FIELD_MANAGER,
} from '../objects/names.ts';
import { toldAt } from './backups.ts';

type ObjectOf<R> = R extends Resource<infer T> ? T : never;

/** As whom children are written, and where the hash of what was written is kept. */
export const WRITER: Writer = { fieldManager: FIELD_MANAGER, hashAnnotation: 'devshelf.dev/applied' };
/** Owns nothing but `spec.replicas`, and keeps no hash: its share is one number. */
export const REPLICAS_WRITER: Writer = { fieldManager: REPLICAS_FIELD_MANAGER };

export interface Kept {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly ownerReferences: readonly OwnerReference[];
    readonly deleting: boolean;
  };
}

/** A child of which only its being there, and our share of it, matters. */
export interface KeptChild extends Kept {
  readonly applied: Applied | undefined;
}

export interface KeptMonitor extends KeptChild {
  /** Who does not take it, and why: a Prometheus of Prometheus Operator's that selected it. */
  readonly refused: { readonly by: string; readonly why: string } | undefined;
}

export interface KeptDeployment extends KeptChild {
  readonly appliedReplicas: Applied | undefined;
  /** `spec.replicas` is among the fields that we applied with the rest. */
  readonly ownsReplicas: boolean;
  readonly record: ReadRecord;
  readonly refusals: readonly Refusal[] | undefined;
  /** Hash of the release that the template says it is. */
  readonly templateRelease: string | undefined;
  readonly foreign: readonly ForeignField[];
  /** Somebody asked for a restart of the pods: harmless, but it must not go on into another release. */
  readonly restarted: boolean;
  readonly paused: boolean;
  readonly replicas: number;
  readonly observed: boolean;
  readonly progressedAt: number | undefined;
  readonly refused: string | undefined;
  readonly status: { replicas: number; updatedReplicas: number; readyReplicas: number; availableReplicas: number };
}

export interface KeptAutoscaler extends KeptChild {
  readonly active: boolean;
  readonly message: string;
}

export interface KeptPod extends Kept {
  readonly view: PodView;
  readonly component: string;
  /** What `migrate` said, if its container ended. */
  readonly verdict: JobVerdict | undefined;
  readonly started: boolean;
  /** How an init container that failed did so. `isOurs`: it is the migration itself. */
  readonly initFailure: { readonly words: string; readonly isOurs: boolean } | undefined;
  readonly port: number;
}

export interface KeptJob extends Kept {
  readonly migrationId: string;
  readonly database: string;
  readonly task: string | undefined;
  readonly createdAt: number;
  /** When its status was written last. */
  readonly toldAt: number;
  /** By its own status: pods made of somebody else's template are not watched. One that never ran counts, once deleted. */
  readonly begun: boolean;
  /** It has failed, and its pods are on their way out. */
  readonly ending: boolean;
  readonly end: { readonly state: 'succeeded' | 'failed'; readonly at: number; readonly detail: string } | undefined;
}

/** A Secret's metadata; its data is read only when a pass needs it. */
export interface KeptSecret extends Kept {
  readonly createdAt: number;
  readonly rotation: RotationRecord | undefined;
  /** Field manager of somebody else who wrote its data last. */
  readonly writer: string | undefined;
  readonly putBack: PutBack | undefined;
  /** The keys in it are those of its record: nobody but us wrote either. */
  readonly isAsRecorded?: true;
  /** SHA-256 of the keys for callers, by name; absent where they are not only ours, or an earlier version wrote them. */
  readonly held?: Readonly<Record<string, string>>;
}

export interface KeptRevision extends Kept {
  readonly createdAt: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly revision: number;
  /** Absent: it is no release. */
  readonly data?: unknown;
  readonly incident?: IncidentSummary;
}

export const keep = (object: KubeObject): Kept => ({ metadata: metadataOf(object) });

export const metadataOf = ({ metadata }: KubeObject): Kept['metadata'] => ({
  name: metadata.name,
  namespace: metadata.namespace ?? '',
  uid: metadata.uid ?? '',
  resourceVersion: metadata.resourceVersion ?? '',
  labels: metadata.labels ?? {},
  ownerReferences: metadata.ownerReferences ?? [],
  deleting: metadata.deletionTimestamp !== undefined,
});

/** Whether two statuses say the same. In which order conditions stand says nothing: others' may be among them. */
export function hashOfStatus(status: { conditions?: readonly { type: string }[] | undefined } | undefined): string {
  const conditions = [...(status?.conditions ?? [])].sort((a, b) => (a.type < b.type ? -1 : 1));
  return hashOf({ ...status, conditions });
}

export const keepChild = (object: KubeObject): KeptChild => ({
  ...keep(object),
  applied: appliedBy(object.metadata, WRITER),
});

/** Prometheus Operator writes bindings where its gate for them is on; without them nothing is known. */
interface Binding {
  readonly namespace?: string;
  readonly name?: string;
  readonly conditions?: readonly {
    readonly type?: string;
    readonly status?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly observedGeneration?: number;
  }[];
}

export function keepMonitor(object: KubeObject & { status?: { bindings?: readonly Binding[] } }): KeptMonitor {
  const { generation = 0 } = object.metadata;
  const refusals = (object.status?.bindings ?? []).flatMap(({ namespace = '', name = '', conditions = [] }) =>
    conditions
      // what was said of an earlier spec is not said of this one
      .filter(({ observedGeneration = generation }) => observedGeneration >= generation)
      .filter(({ type, status }) => type === 'Accepted' && status === 'False')
      .map(({ reason, message }) => ({
        by: scrub(`${namespace}/${name}`),
        why: scrub(message || reason || 'no reason'),
      })),
  );
  return { ...keepChild(object), refused: refusals[0] };
}

export function keepSecret(object: KubeObject): KeptSecret {
  const { metadata } = object;
  const rotation = parseRotation(metadata.annotations?.[ANNOTATIONS.rotation]);
  const held = parseDigests(metadata.annotations?.[ANNOTATIONS.digests]);
  const isOnlyOurs = (annotation: string, texts: readonly string[]): boolean =>
    isAloneIn(metadata, WRITER, ['f:metadata', 'f:annotations'], [annotation]) &&
    isAloneIn(metadata, WRITER, ['f:data'], texts);
  return {
    ...keep(object),
    createdAt: Date.parse(metadata.creationTimestamp ?? '') || 0,
    rotation,
    writer: foreignFields(metadata, WRITER, ['f:data'])[0]?.manager,
    putBack: readNote('putBack', metadata.annotations?.[ANNOTATIONS.putBack]),
    ...(rotation && isOnlyOurs(ANNOTATIONS.rotation, [KEYRING_FILE]) && { isAsRecorded: true }),
    ...(held && isOnlyOurs(ANNOTATIONS.digests, Object.keys(held)) && { held }),
  };
}

function parseDigests(text: string | undefined): Readonly<Record<string, string>> | undefined {
  const digests = jsonOf(text);
  return isTexts(digests) ? digests : undefined;
}

/** What `kubectl rollout restart` writes. */
const RESTART = 'metadata.annotations.kubectl.kubernetes.io/restartedAt';

export function keepDeployment(object: ObjectOf<typeof deployments>): KeptDeployment {
  const { metadata, spec, status } = object;
  const foreign = foreignFields(metadata, WRITER, ['f:spec', 'f:template']);
  const refused = status?.conditions?.find(({ type, status: is }) => type === 'ReplicaFailure' && is === 'True');
  const progress = status?.conditions?.find(({ type }) => type === 'Progressing')?.lastUpdateTime;
  return {
    ...keepChild(object),
    appliedReplicas: appliedBy(metadata, REPLICAS_WRITER),
    ownsReplicas: ownsReplicas(metadata),
    record: parseRecord(metadata.annotations?.[ANNOTATIONS.rollout]),
    refusals: parseRefusals(metadata.annotations?.[ANNOTATIONS.refused]),
    templateRelease: spec?.template?.metadata?.labels?.[LABELS.release],
    foreign: foreign.filter(({ field }) => field !== RESTART),
    restarted: foreign.some(({ field }) => field === RESTART),
    paused: spec?.paused ?? false,
    progressedAt: progress === undefined ? undefined : Date.parse(progress),
    refused: refused && scrub(refused.message ?? refused.reason ?? ''),
    replicas: spec?.replicas ?? 1,
    observed: (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0),
    status: {
      replicas: status?.replicas ?? 0,
      updatedReplicas: status?.updatedReplicas ?? 0,
      readyReplicas: status?.readyReplicas ?? 0,
      availableReplicas: status?.availableReplicas ?? 0,
    },
  };
}

const ownsReplicas = ({ managedFields = [] }: KubeObject['metadata']): boolean =>
  managedFields.some(({ manager, operation, fieldsV1 }) => {
    const spec = (fieldsV1 as { 'f:spec'?: object } | undefined)?.['f:spec'];
    return manager === FIELD_MANAGER && operation === 'Apply' && spec !== undefined && 'f:replicas' in spec;
  });

/** What KEDA says of it. */
export interface KeptScaledObject extends KeptChild {
  readonly ready: 'True' | 'False' | 'Unknown';
  /** It cannot ask Prometheus, and keeps the pods that run. */
  readonly fallsBack: boolean;
  readonly message: string;
}

export function keepScaledObject(object: ObjectOf<typeof scaledObjects>): KeptScaledObject {
  const of = (wanted: string) => object.status?.conditions?.find(({ type }) => type === wanted);
  const [ready, fallback, paused] = [of('Ready'), of('Fallback'), of('Paused')];
  const isPaused = paused?.status === 'True';
  const said = isPaused ? paused : ready;
  return {
    ...keepChild(object),
    ready: isPaused || ready?.status === 'False' ? 'False' : ready?.status === 'True' ? 'True' : 'Unknown',
    fallsBack: fallback?.status === 'True',
    message: scrub(said?.message || said?.reason || 'KEDA has not said a word about it'),
  };
}

export function keepAutoscaler(object: ObjectOf<typeof horizontalPodAutoscalers>): KeptAutoscaler {
  const conditions = object.status?.conditions ?? [];
  const troubled = conditions.find(({ type, status }) => type !== 'ScalingLimited' && status === 'False');
  return {
    ...keepChild(object),
    active: troubled === undefined,
    message: scrub(troubled?.message ?? 'scales on CPU use'),
  };
}

export function keepPod(object: ObjectOf<typeof pods>): KeptPod {
  const { spec, status } = object;
  const metadata = metadataOf(object);
  // others may be injected beside it, and come first
  const container = status?.containerStatuses?.find(({ name }) => name === CONTAINER);
  const initFailure = initFailureOf(status);
  const ended = container?.state?.terminated ?? container?.lastState?.terminated;
  const waiting = container?.state?.waiting;
  const end = endOfPod(status);
  const keys = object.metadata.annotations?.[ANNOTATIONS.keys];
  return {
    metadata,
    component: metadata.labels[LABELS.component] ?? '',
    verdict: parseVerdict(ended?.message),
    started: container?.state?.running !== undefined || ended !== undefined || hasBegun(status),
    initFailure,
    port: portOf(spec?.containers?.find(({ name }) => name === CONTAINER)?.ports),
    view: {
      name: metadata.name,
      uid: metadata.uid,
      release: metadata.labels[LABELS.release] ?? '',
      deleting: metadata.deleting,
      createdAt: Date.parse(object.metadata.creationTimestamp ?? '') || 0,
      restarts: container?.restartCount ?? 0,
      ...goodbyeOf(object.metadata),
      ...readinessOf(status),
      ...(status?.podIP !== undefined && { ip: status.podIP }),
      ...(waiting && { waiting: waitingOf(waiting) }),
      ...(ended && { lastExit: exitOf(ended), ...endedAt(ended) }),
      ...(keys !== undefined && { keys }),
      ...(container?.imageID && { imageId: container.imageID }),
      ...(end && { ended: end }),
    },
  };
}

/** The migration runs, or has run, before the container that asks what came of it. */
const hasBegun = (status: ObjectOf<typeof pods>['status']): boolean =>
  status?.initContainerStatuses?.some(
    ({ name, state }) => name === MIGRATE_CONTAINER && (state?.running ?? state?.terminated) !== undefined,
  ) ?? false;

function initFailureOf(status: ObjectOf<typeof pods>['status']): KeptPod['initFailure'] {
  for (const { name, state } of status?.initContainerStatuses ?? []) {
    const ended = state?.terminated;
    if (!ended || ended.exitCode === 0) continue;
    return { words: `init container ${name}: ${exitOf(ended)}`, isOurs: name === MIGRATE_CONTAINER };
  }
  return undefined;
}

/** While it is on its way out. */
function goodbyeOf(metadata: KubeObject['metadata']): Pick<PodView, 'goneBy' | 'graceSeconds'> {
  if (metadata.deletionTimestamp === undefined) return {};
  const grace = (metadata as { deletionGracePeriodSeconds?: number }).deletionGracePeriodSeconds;
  return { goneBy: Date.parse(metadata.deletionTimestamp), ...(grace !== undefined && { graceSeconds: grace }) };
}

function readinessOf(
  status: ObjectOf<typeof pods>['status'],
): Pick<PodView, 'ready' | 'readyChangedAt' | 'unschedulable'> {
  const conditions = status?.conditions ?? [];
  const ready = conditions.find(({ type }) => type === 'Ready');
  const changedAt = Date.parse(ready?.lastTransitionTime ?? '');
  const unscheduled = conditions.find(({ type, status: is }) => type === 'PodScheduled' && is === 'False');
  return {
    ready: ready?.status === 'True',
    ...(!Number.isNaN(changedAt) && { readyChangedAt: changedAt }),
    ...(unscheduled && { unschedulable: scrub(unscheduled.message ?? 'no node takes it') }),
  };
}

/** A pod that restarts its containers ends only because it was made to. */
function endOfPod(status: ObjectOf<typeof pods>['status']): PodView['ended'] {
  if (status?.phase !== 'Failed' && status?.phase !== 'Succeeded') return undefined;
  const disrupted = status.conditions?.some(({ type, status: is }) => type === 'DisruptionTarget' && is === 'True');
  return { reason: status.reason ?? status.phase, message: scrub(status.message ?? ''), disrupted: disrupted ?? false };
}

const portOf = (ports: readonly { name?: string; containerPort: number }[] = []): number =>
  ports.find(({ name }) => name === HTTP_PORT_NAME)?.containerPort ?? 0;

const endedAt = ({ finishedAt }: { finishedAt?: unknown }): Pick<PodView, 'lastEndedAt'> =>
  finishedAt === undefined ? {} : { lastEndedAt: Date.parse(String(finishedAt)) || 0 };

/**
 * Of these the words are the kubelet's about the image and the references. Of others (RunContainerError …) they are the
 * runtime's, which quotes the command; and into a command the kubelet puts the values of variables.
 */
const KUBELETS_OWN: readonly string[] = [
  'ErrImagePull',
  'ErrImageNeverPull',
  'ImagePullBackOff',
  'ImageInspectError',
  'InvalidImageName',
  'RegistryUnavailable',
  'CreateContainerConfigError',
  'CrashLoopBackOff',
];

const waitingOf = ({ reason = '', message = '' }: { reason?: string; message?: string }) => ({
  reason: scrub(reason),
  message: KUBELETS_OWN.includes(reason) ? scrub(message) : '',
});

/** The runtime's words for a container that did not even start; `Error` says no more than the code. */
const NOT_STARTED: readonly string[] = ['StartError', 'ContainerCannotRun', 'ContainerStatusUnknown'];

function exitOf({ reason = '', exitCode }: { reason?: string; exitCode?: number }): string {
  if (reason === 'OOMKilled') return 'OOMKilled';
  return `exit code ${exitCode ?? '?'}${NOT_STARTED.includes(reason) ? ` (${reason})` : ''}`;
}

export function keepJob(object: ObjectOf<typeof jobs>): KeptJob {
  const metadata = metadataOf(object);
  const { labels } = metadata;
  return {
    metadata,
    migrationId: labels[LABELS.migration] ?? '',
    database: labels[LABELS.database] ?? '',
    task: object.metadata.annotations?.[ANNOTATIONS.task],
    createdAt: Date.parse(object.metadata.creationTimestamp ?? '') || 0,
    toldAt: toldAt(object.metadata),
    begun: (object.status?.ready ?? 0) + (object.status?.failed ?? 0) > 0,
    ending:
      object.status?.conditions?.some(({ type, status: is }) => type === 'FailureTarget' && is === 'True') ?? false,
    end: endOf(object),
  };
}

function endOf({ status }: ObjectOf<typeof jobs>): KeptJob['end'] {
  const last = status?.conditions?.find(
    ({ type, status: is }) => (type === 'Complete' || type === 'Failed') && is === 'True',
  );
  if (!last) return undefined;
  return {
    state: last.type === 'Complete' ? 'succeeded' : 'failed',
    at: Date.parse(last.lastTransitionTime ?? '') || 0,
    detail: scrub([last.reason, last.message].filter(Boolean).join(': ')),
  };
}

export function keepRevision(object: ObjectOf<typeof controllerRevisions>): KeptRevision {
  return {
    ...keep(object),
    createdAt: object.metadata.creationTimestamp ?? '',
    annotations: object.metadata.annotations ?? {},
    revision: object.revision ?? 0,
    ...keptData(object),
  };
}

/** Of an incident only what the status tells: there may be twenty of each resource. */
function keptData(object: ObjectOf<typeof controllerRevisions>): Pick<KeptRevision, 'data' | 'incident'> {
  const { metadata, data = null, revision = 0 } = object;
  if (metadata.labels?.[LABELS.record] === undefined) return { data };
  const record = parseIncident(data);
  return record ? { incident: summaryOf(metadata.name, revision, record) } : {};
}

const summaryOf = (name: string, number: number, { failed, restored, ...record }: IncidentRecord): IncidentSummary => ({
  name,
  number,
  release: failed.hash,
  attempt: failed.attempt,
  at: record.at,
  reason: record.reason,
  ...(record.kind && { kind: record.kind }),
  ...(record.rotation && { rotation: rotationId(record.rotation) }),
  failedImage: failed.image,
  ...(restored && { restoredImage: restored.image }),
  message: record.cause.message,
  phase: record.phase,
  ...(record.figures && { figures: record.figures }),
});

/** A Job together with its pod: only the pod knows whether it ever ran, and what the database said. */
export function jobView(job: KeptJob, pod: KeptPod | undefined): JobView {
  return {
    name: job.metadata.name,
    uid: job.metadata.uid,
    migrationId: job.migrationId,
    release: job.metadata.labels[LABELS.release] ?? '',
    ...(job.database !== '' && { database: job.database }),
    ...(job.task !== undefined && { task: job.task }),
    createdAt: job.createdAt,
    ...(isBackupTask(job.task) && { progressedAt: job.toldAt }),
    state: jobState(job, pod),
  };
}

function jobState({ end, begun, ending }: KeptJob, pod: KeptPod | undefined): JobView['state'] {
  const verdict = pod?.verdict;
  const ended = pod?.view.lastExit !== undefined;
  if (end?.state === 'succeeded')
    return { kind: 'succeeded', endedAt: end.at, podRead: ended, ...(verdict && { verdict }) };
  if (end) {
    const words = pod?.view.lastExit ?? pod?.initFailure?.words ?? pod?.view.waiting?.reason;
    const detail = [end.detail, words].filter(Boolean).join('; ');
    // a pod that is gone already (its node, or somebody, removed it) may have run, if there ever was one
    const started = pod?.started ?? begun;
    return {
      kind: 'failed',
      endedAt: end.at,
      podRead: ended || !started || pod?.initFailure !== undefined,
      detail,
      started,
      // its Job deletes a pod at the deadline only, which is told apart
      ...((pod?.view.ended?.disrupted || pod?.view.deleting) && { disrupted: true }),
      ...(verdict && { verdict }),
    };
  }
  if (begun || pod?.started) return { kind: 'running', ...(ending && { ending }) };
  const { unschedulable, waiting } = pod?.view ?? {};
  return {
    kind: 'pending',
    detail: unschedulable ?? (waiting && `${waiting.reason} ${waiting.message}`.trim()) ?? 'no pod yet',
  };
}

/** The last line of the termination message, if it is a verdict of `migrate`: its result, and names of migrations. */
export function parseVerdict(message: string | undefined): JobVerdict | undefined {
  const line = message?.trim().split('\n').at(-1);
  if (!line?.startsWith('{')) return undefined;
  try {
    const said = JSON.parse(line) as Record<string, unknown>;
    const result = RESULTS.find(known => known === said['result']);
    if (result === undefined) return undefined;
    const about = ABOUT.flatMap(list => migrationsOf(said[list]));
    const { withheld, lost } = said;
    const more = countsOf(said['more']);
    return {
      result,
      applied: migrationsOf(said['applied']),
      pending: migrationsOf(said['pending']),
      ...(about.length > 0 && { about }),
      ...(Array.isArray(withheld) && { withheld: withheld.slice(0, MOST_NAMES).flatMap(withheldOf) }),
      ...Object.fromEntries(
        LISTS.flatMap(name => (Array.isArray(said[name]) ? [[name, migrationsOf(said[name])]] : [])),
      ),
      ...(Array.isArray(lost) && { lost: lost.slice(0, MOST_NAMES).map(findingOf) }),
      ...(more && { more }),
    };
  } catch {
    return undefined;
  }
}

/** Which lists of a verdict name what it is about, where something is wrong. */
const ABOUT = ['failed', 'interrupted', 'edited', 'renamed'] as const;
/** A runner of before knows none of these. */
const LISTS = ['contracted', 'irreversible', 'ahead', 'reverted'] as const;
/** As many as `migrate` ever lists. */
const MOST_NAMES = 100;
/** Of the lists that a decision hangs on: how many entries had no room. */
const COUNTED = ['applied', 'pending', 'withheld', 'contracted', 'irreversible', 'ahead'] as const;
/** "takes away column t.titulo", "table pedidos_nota: 1204 rows": its own beginnings, names of the schema, numbers. */
const FINDING =
  /^(?:takes away|renames|moves|demands|hides rows|detaches|empties|deletes rows|changes|is marked|table|column|rows)(?:[ .,;:]{1,2}["(]?[A-Za-z_0-9]{1,63}[")]?){1,40}$/;

function withheldOf(entry: unknown): Withheld[] {
  const { id, what } = (entry ?? {}) as Record<keyof Withheld, unknown>;
  return typeof id === 'string' ? migrationsOf([id]).map(name => ({ id: name, what: findingOf(what) })) : [];
}

const MOST_WORDS = 200;
const findingOf = (value: unknown): string =>
  typeof value === 'string' && value.length <= MOST_WORDS && FINDING.test(value) && scrub(value) === value
    ? value
    : 'the Job’s log says what it is';

/** Any image may write any JSON there. */
const migrationsOf = (value: unknown): readonly string[] =>
  (Array.isArray(value) ? value : [])
    .slice(0, MOST_NAMES)
    .map(name => (typeof name === 'string' ? shownMigration(name) : NO_NAME));

function countsOf(value: unknown): JobVerdict['more'] {
  const said = (value ?? {}) as Record<string, unknown>;
  const counts = COUNTED.flatMap(name => (Number.isSafeInteger(said[name]) ? [[name, Number(said[name])]] : []));
  return counts.length > 0 ? Object.fromEntries(counts) : undefined;
}

/** A door is only what others say of it. */
export interface KeptDoor extends KeptChild {
  readonly view: DoorView;
}

export function keepIngress(object: ObjectOf<typeof ingresses>): KeptDoor {
  const places = object.status?.loadBalancer?.ingress ?? [];
  const addresses = places.flatMap(({ ip, hostname }) => ip ?? hostname ?? []).slice(0, 4);
  const hosts = (object.spec?.rules ?? []).flatMap(({ host }) => host ?? []);
  return { ...keepChild(object), view: { kind: 'Ingress', hosts, addresses, parents: [] } };
}

type Said = NonNullable<NonNullable<ObjectOf<typeof listenerSets>['status']>['conditions']>;

/**
 * What is said of this generation: an answer to an earlier one is none. Gateway API wants each to say which it is about,
 * and its schema lets one be silent; such a one is taken as it is: nobody would ever know of that controller's otherwise.
 */
const saidOf =
  (conditions: Said, generation: number) =>
  (wanted: string): Said[number] | undefined =>
    conditions.find(({ type, observedGeneration = generation }) => type === wanted && observedGeneration >= generation);

const wordsOf = ({ reason, message = '' }: Said[number]): string => scrub(`${reason}: ${message}`);

export function keepRoute(object: ObjectOf<typeof httpRoutes>): KeptDoor {
  const { namespace: own = '', generation = 0 } = object.metadata;
  const parents = (object.status?.parents ?? []).map(({ parentRef, controllerName, conditions = [] }): ParentView => {
    const fresh = saidOf(conditions, generation);
    const answers = [fresh('Accepted'), fresh('ResolvedRefs')];
    const refusal = answers.find(answer => answer?.status === 'False');
    const isWhole = answers.every(answer => answer?.status === 'True');
    return {
      gateway: `${parentRef.namespace ?? own}/${parentRef.name}`,
      ...(parentRef.kind === 'ListenerSet' && { isListenerSet: true }),
      ...(parentRef.sectionName !== undefined && { section: parentRef.sectionName }),
      controller: controllerName,
      ...(refusal && { answer: { accepted: false, words: wordsOf(refusal) } }),
      ...(isWhole && { answer: { accepted: true, words: '' } }),
    };
  });
  const hosts = object.spec?.hostnames ?? [];
  const attached = (object.spec?.parentRefs ?? []).map(
    ({ kind, name, namespace = own, sectionName }): RouteParent => ({
      kind: kind === 'ListenerSet' ? kind : 'Gateway',
      name,
      namespace,
      ...(sectionName !== undefined && { sectionName }),
    }),
  );
  return { ...keepChild(object), view: { kind: 'HTTPRoute', hosts, addresses: [], parents, attached } };
}

export interface KeptListenerSet extends KeptChild {
  readonly view: ListenersView;
}

export const keepListenerSet = (object: ObjectOf<typeof listenerSets>): KeptListenerSet => ({
  ...keepChild(object),
  view: listenersView(object),
});

/** Of the set as a whole it may be said that it is accepted while one of its listeners is not. */
function listenersView({ metadata, spec, status }: ObjectOf<typeof listenerSets>): ListenersView {
  const { generation = 0 } = metadata;
  const set = saidOf(status?.conditions ?? [], generation);
  const whole = [set('Accepted'), set('Programmed')];
  const each = (spec?.listeners ?? []).map(({ name }) => {
    const conditions = status?.listeners?.find(listener => listener.name === name)?.conditions ?? [];
    const said = saidOf(conditions, generation);
    const answers = LISTENER_SAYS.map(said);
    const conflict = said('Conflicted');
    const refusal = conflict?.status === 'True' ? conflict : answers.find(answer => answer?.status === 'False');
    return { name, refusal, isWhole: answers.every(answer => answer?.status === 'True') };
  });
  const hosts = (spec?.listeners ?? []).flatMap(({ hostname }) => hostname ?? []);
  const refused = whole.find(answer => answer?.status === 'False');
  // where it is for its listeners' sake, these say why
  const isAsAWhole = refused !== undefined && !FOR_ITS_LISTENERS.has(refused.reason ?? '');
  const listener = each.find(({ refusal }) => refusal !== undefined);
  if (listener?.refusal && !isAsAWhole) {
    const words = `listener ${listener.name}: ${wordsOf(listener.refusal)}`;
    const isOfCertificate = listener.refusal.reason === BAD_CERTIFICATE;
    return { hosts, answer: { accepted: false, words, ...(isOfCertificate && { isOfCertificate }) } };
  }
  if (refused) return { hosts, answer: { accepted: false, words: wordsOf(refused) } };
  const isWhole = whole.every(answer => answer?.status === 'True') && each.every(of => of.isWhole);
  return { hosts, ...(isWhole && { answer: { accepted: true, words: '' } }) };
}

/** In this order: why something is refused comes before what it leads to. */
const LISTENER_SAYS = ['ResolvedRefs', 'Accepted', 'Programmed'] as const;
const BAD_CERTIFICATE = 'InvalidCertificateRef';
const FOR_ITS_LISTENERS: ReadonlySet<string> = new Set(['ListenersNotValid', 'Invalid']);
