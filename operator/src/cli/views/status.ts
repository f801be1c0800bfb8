// PURE: a resource as the API server gives it -> what `status` shows. A newer or older operator may have written it:
// what is unknown is ignored, what is absent stays absent.
import type { SeenKey } from './keys.ts';

export type SeenResource = {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly generation?: number;
    readonly resourceVersion?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly managedFields?: readonly {
      readonly manager?: string;
      readonly time?: string;
      readonly fieldsV1?: Readonly<Record<string, unknown>>;
    }[];
  };
  readonly spec?: {
    readonly image?: string;
    readonly paused?: boolean;
    readonly replicas?: number;
    readonly autoscaling?: object;
    readonly rollout?: {
      readonly retryToken?: string;
      readonly bakeSeconds?: number;
      readonly smokeTests?: readonly object[];
      readonly analysis?: { readonly policy?: string };
    };
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly phase?: string;
    readonly replicas?: number;
    readonly readyReplicas?: number;
    readonly currentImage?: string;
    readonly rollout?: {
      readonly candidate?: { readonly hash?: string; readonly image?: string };
      readonly stable?: { readonly hash?: string; readonly image?: string };
    };
    readonly requests?: readonly {
      readonly name?: string;
      readonly request?: string;
      readonly result?: string;
      readonly message?: string;
    }[];
    readonly stage?: { readonly name?: string; readonly deadline?: string; readonly waitsFor?: string };
    readonly analysis?: {
      readonly verdict?: string;
      readonly waitsFor?: string;
      readonly decidesBy?: string;
      readonly candidate?: Partial<Counted>;
      readonly baseline?: Partial<Counted>;
    };
    readonly keys?: readonly SeenKey[];
    readonly incidents?: readonly { readonly at?: string; readonly runbookURL?: string }[];
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
    }[];
  };
};

export type State = 'stalled' | 'not ready' | 'under way' | 'ready' | 'unknown';
type Counted = { readonly requests: number; readonly errors: number; readonly shed?: number };
/** Whose requests, how many, how many of these were answered 5xx, and of these for overload. */
export type Row = { readonly who: string } & Counted;
/** Where a release is on its way, what it waits for there, and when that ends one way or another (RFC 3339). */
export type Stage = { readonly name: string; readonly waitsFor?: string; readonly until?: string };
export type StatusModel = {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  readonly state: State;
  readonly phase?: string;
  readonly serves?: string;
  readonly tries?: { readonly image: string; readonly hash?: string };
  readonly pods?: { readonly ready: number; readonly all: number };
  readonly stage?: Stage;
  readonly figures: readonly Row[];
  readonly why?: string;
};

/** Worst first: what a person has to look at is at the top of the list. */
const ORDER: readonly State[] = ['stalled', 'not ready', 'unknown', 'under way', 'ready'];

export function statusView(seen: SeenResource): StatusModel {
  const { status = {}, metadata } = seen;
  const tries = status.rollout?.candidate;
  const state = stateOf(seen);
  const why = whyOf(seen, state);
  const stage = stageOf(status);
  return {
    kind: seen.kind,
    name: metadata.name,
    namespace: metadata.namespace ?? '',
    state,
    ...(status.phase !== undefined && { phase: status.phase }),
    ...(status.currentImage !== undefined && { serves: status.currentImage }),
    ...(tries?.image !== undefined && {
      tries: { image: tries.image, ...(tries.hash !== undefined && { hash: tries.hash }) },
    }),
    ...(status.replicas !== undefined && { pods: { ready: status.readyReplicas ?? 0, all: status.replicas } }),
    ...(stage !== undefined && { stage }),
    figures: [...row('candidate', status.analysis?.candidate), ...row('beside it', status.analysis?.baseline)],
    ...(why !== undefined && { why }),
  };
}

export function worstFirst(models: readonly StatusModel[]): StatusModel[] {
  return models.toSorted(
    (a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || a.name.localeCompare(b.name, 'en'),
  );
}

function stateOf(seen: SeenResource): State {
  const { status = {}, metadata } = seen;
  const holds = (type: string) => status.conditions?.find(condition => condition.type === type)?.status;
  if (holds('Ready') === undefined) return 'unknown';
  // a status of an earlier spec proves nothing about this one
  if (metadata.generation !== undefined && (status.observedGeneration ?? -1) < metadata.generation) return 'under way';
  if (holds('Stalled') === 'True') return 'stalled';
  if (holds('Reconciling') === 'True') return 'under way';
  return holds('Ready') === 'True' ? 'ready' : 'not ready';
}

function stageOf({ stage, analysis }: NonNullable<SeenResource['status']>): Stage | undefined {
  if (stage?.name === undefined) return undefined;
  // a verdict that is still open knows more than the stage; one that was made speaks of what is over
  const open = analysis?.verdict === 'Pending' ? analysis : undefined;
  const waitsFor = open?.waitsFor ?? stage.waitsFor;
  const until = stage.deadline ?? open?.decidesBy;
  return { name: stage.name, ...(waitsFor !== undefined && { waitsFor }), ...(until !== undefined && { until }) };
}

function whyOf(seen: SeenResource, state: State): string | undefined {
  const type = state === 'stalled' ? 'Stalled' : state === 'under way' ? 'Reconciling' : 'Ready';
  const found = seen.status?.conditions?.find(condition => condition.type === type);
  return found && `${found.reason ?? '?'}: ${found.message ?? '?'}`;
}

function row(who: string, seen: Partial<Counted> = {}): Row[] {
  const { requests, errors, shed } = seen;
  return requests === undefined || errors === undefined
    ? []
    : [{ who, requests, errors, ...(shed !== undefined && { shed }) }];
}

/** `dbd/dashboard`: how a person names it. */
export const shortOf = ({ kind, name }: { readonly kind: string; readonly name: string }): string =>
  `${kind === 'DevShelfDeployment' ? 'dsd' : 'dbd'}/${name}`;

/** The reason of Stalled, while it is. */
export const stalledBy = ({ status }: SeenResource): string | undefined =>
  status?.conditions?.find(({ type, status: is }) => type === 'Stalled' && is === 'True')?.reason;
