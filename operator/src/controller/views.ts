// What is kept of each object: the few fields that a pass reads, in the lifecycle's words. A store of ten thousand
// whole Deployments would not fit into the memory that this process is given.
import { parseRecord, type RolloutRecord } from '../api/rollout.ts';
import { parseRotation, type RotationRecord } from '../api/rotation.ts';
import { type Applied, appliedBy, type Writer } from '../kube/apply.ts';
import type {
  controllerRevisions,
  deployments,
  horizontalPodAutoscalers,
  jobs,
  KubeObject,
  OwnerReference,
  pods,
  Resource,
} from '../kube/resource.ts';
import type { JobVerdict, JobView, PodView } from '../lifecycle/snapshot.ts';
import {
  ANNOTATIONS,
  CONTAINER,
  FIELD_MANAGER,
  HTTP_PORT_NAME,
  LABELS,
  REPLICAS_FIELD_MANAGER,
} from '../objects/names.ts';

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

export interface KeptDeployment extends KeptChild {
  readonly appliedReplicas: Applied | undefined;
  readonly record: RolloutRecord | undefined;
  readonly replicas: number;
  readonly observed: boolean;
  readonly status: { replicas: number; updatedReplicas: number; readyReplicas: number; availableReplicas: number };
}

export interface KeptAutoscaler extends KeptChild {
  readonly active: boolean;
  readonly message: string;
}

export interface KeptPod extends Kept {
  readonly view: PodView;
  readonly component: string;
  readonly terminationMessage: string | undefined;
  readonly started: boolean;
  readonly port: number;
}

export interface KeptJob extends Kept {
  readonly migrationId: string;
  readonly database: string;
  readonly createdAt: number;
  readonly end: { readonly state: 'succeeded' | 'failed'; readonly at: number; readonly detail: string } | undefined;
}

/** A Secret's metadata; its data is read only when a pass needs it. */
export interface KeptSecret extends Kept {
  readonly createdAt: number;
  readonly rotation: RotationRecord | undefined;
}

/** The whole revision as text: it is parsed only in a pass over its resource. */
export interface KeptRevision extends Kept {
  readonly createdAt: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly revision: number;
  readonly data: string;
}

export function keep({ metadata }: KubeObject): Kept {
  return {
    metadata: {
      name: metadata.name,
      namespace: metadata.namespace ?? '',
      uid: metadata.uid ?? '',
      resourceVersion: metadata.resourceVersion ?? '',
      labels: metadata.labels ?? {},
      ownerReferences: metadata.ownerReferences ?? [],
      deleting: metadata.deletionTimestamp !== undefined,
    },
  };
}

export const keepChild = (object: KubeObject): KeptChild => ({
  ...keep(object),
  applied: appliedBy(object.metadata, WRITER),
});

export const keepSecret = (object: KubeObject): KeptSecret => ({
  ...keep(object),
  createdAt: Date.parse(object.metadata.creationTimestamp ?? '') || 0,
  rotation: parseRotation(object.metadata.annotations?.[ANNOTATIONS.rotation]),
});

export function keepDeployment(object: ObjectOf<typeof deployments>): KeptDeployment {
  const { metadata, spec, status } = object;
  return {
    ...keepChild(object),
    appliedReplicas: appliedBy(metadata, REPLICAS_WRITER),
    record: parseRecord(metadata.annotations?.[ANNOTATIONS.rollout]),
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

export function keepAutoscaler(object: ObjectOf<typeof horizontalPodAutoscalers>): KeptAutoscaler {
  const conditions = object.status?.conditions ?? [];
  const troubled = conditions.find(({ type, status }) => type !== 'ScalingLimited' && status === 'False');
  return { ...keepChild(object), active: troubled === undefined, message: troubled?.message ?? 'scales on CPU use' };
}

export function keepPod(object: ObjectOf<typeof pods>): KeptPod {
  const { metadata, spec, status } = object;
  const kept = keep(object);
  // others may be injected beside it, and come first
  const container = status?.containerStatuses?.find(({ name }) => name === CONTAINER);
  const ended = container?.state?.terminated ?? container?.lastState?.terminated;
  const conditions = status?.conditions ?? [];
  const waiting = container?.state?.waiting;
  const grace = (metadata as { deletionGracePeriodSeconds?: number }).deletionGracePeriodSeconds;
  const unscheduled = conditions.find(({ type, status: is }) => type === 'PodScheduled' && is === 'False');
  return {
    ...kept,
    component: kept.metadata.labels[LABELS.component] ?? '',
    terminationMessage: ended?.message,
    started: container?.state?.running !== undefined || ended !== undefined,
    port: portOf(spec?.containers?.find(({ name }) => name === CONTAINER)?.ports),
    view: {
      name: metadata.name,
      uid: kept.metadata.uid,
      release: kept.metadata.labels[LABELS.release] ?? '',
      ready: conditions.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
      deleting: kept.metadata.deleting,
      ...(grace !== undefined && { graceSeconds: grace }),
      createdAt: Date.parse(metadata.creationTimestamp ?? '') || 0,
      restarts: container?.restartCount ?? 0,
      ...(status?.podIP !== undefined && { ip: status.podIP }),
      ...(waiting && { waiting: { reason: waiting.reason ?? '', message: waiting.message ?? '' } }),
      ...(ended && { lastExit: exitOf(ended) }),
      ...(metadata.annotations?.[ANNOTATIONS.keys] !== undefined && { keys: metadata.annotations[ANNOTATIONS.keys] }),
      ...(unscheduled && { unschedulable: unscheduled.message ?? 'no node takes it' }),
    },
  };
}

const portOf = (ports: readonly { name?: string; containerPort: number }[] = []): number =>
  ports.find(({ name }) => name === HTTP_PORT_NAME)?.containerPort ?? 0;

const LAST_WORDS = 300;

function exitOf(ended: { reason?: string; exitCode?: number; message?: string }): string {
  if (ended.reason === 'OOMKilled') return 'OOMKilled';
  const words = ended.message?.trim().slice(-LAST_WORDS);
  return `exit code ${ended.exitCode ?? '?'}${words ? `: ${words}` : ''}`;
}

export function keepJob(object: ObjectOf<typeof jobs>): KeptJob {
  const kept = keep(object);
  const { labels } = kept.metadata;
  return {
    ...kept,
    migrationId: labels[LABELS.migration] ?? '',
    database: labels[LABELS.database] ?? '',
    createdAt: Date.parse(object.metadata.creationTimestamp ?? '') || 0,
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
    detail: [last.reason, last.message].filter(Boolean).join(': '),
  };
}

export function keepRevision(object: ObjectOf<typeof controllerRevisions>): KeptRevision {
  return {
    ...keep(object),
    createdAt: object.metadata.creationTimestamp ?? '',
    annotations: object.metadata.annotations ?? {},
    revision: object.revision ?? 0,
    data: JSON.stringify(object.data ?? null),
  };
}

/** A Job together with its pod: only the pod knows whether it ever ran, and what the database said. */
export function jobView(job: KeptJob, pod: KeptPod | undefined): JobView {
  return {
    name: job.metadata.name,
    uid: job.metadata.uid,
    migrationId: job.migrationId,
    createdAt: job.createdAt,
    state: jobState(job, pod),
  };
}

function jobState({ end }: KeptJob, pod: KeptPod | undefined): JobView['state'] {
  const verdict = parseVerdict(pod?.terminationMessage);
  const ended = pod?.view.lastExit !== undefined;
  if (end?.state === 'succeeded')
    return { kind: 'succeeded', endedAt: end.at, podRead: ended, ...(verdict && { verdict }) };
  if (end) {
    const detail = [end.detail, pod?.view.lastExit ?? pod?.view.waiting?.reason].filter(Boolean).join('; ');
    // a pod that is gone already (its node, or somebody, removed it) may have run
    const started = pod?.started ?? true;
    return {
      kind: 'failed',
      endedAt: end.at,
      podRead: ended || !started,
      detail,
      started,
      ...(verdict && { verdict }),
    };
  }
  if (pod?.started) return { kind: 'running' };
  const { unschedulable, waiting } = pod?.view ?? {};
  return {
    kind: 'pending',
    detail: unschedulable ?? (waiting && `${waiting.reason} ${waiting.message}`.trim()) ?? 'no pod yet',
  };
}

/** The last line of the termination message, if it is a verdict of `migrate`. */
export function parseVerdict(message: string | undefined): JobVerdict | undefined {
  const line = message?.trim().split('\n').at(-1);
  if (!line?.startsWith('{')) return undefined;
  try {
    const { result, applied, pending, message: words } = JSON.parse(line) as Record<keyof JobVerdict, unknown>;
    if (typeof result !== 'string') return undefined;
    const verdict = { result, applied: textsOf(applied), pending: textsOf(pending) };
    return typeof words === 'string' ? { ...verdict, message: words } : verdict;
  } catch {
    return undefined;
  }
}

/** Any image may write any JSON there. */
const textsOf = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(String) : []);
