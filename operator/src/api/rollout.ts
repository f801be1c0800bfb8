// The facts of a rollout, kept as one annotation on the Deployment and written in the same patch as its pod
// template: deciding and acting are one write, so there is no instant between them at which a crash could lose one.

/** What one release is. The template is rendered once, when the release is first seen, and never again. */
export interface Release {
  /** Ten hex digits over everything in the spec that changes pods, and over the content of the Secrets it names. */
  hash: string;
  image: string;
  /** Pod template of the serving pods (a `core/v1 PodTemplateSpec`), label `devshelf.dev/release` included. */
  template: PodTemplate;
  /** Pod template of the worker, for kinds that have one. */
  worker?: PodTemplate;
  /** Id of the migration that must be there before this release runs; absent when migrations are disabled. */
  migrationId?: string;
}

/** Structural `PodTemplateSpec`: rendered by `objects/`, stored and applied as it is by everyone else. */
export interface PodTemplate {
  metadata: { labels: Record<string, string>; annotations?: Record<string, string> };
  spec: Record<string, unknown>;
}

/**
 * Where a rollout stands.
 *
 * ```
 * Installing ──► Baking ──► Settled ──► Candidate ──► Promoting ──► Baking ──► Settled
 *                                          │              └──────┬─────┘
 *                                          ▼                     ▼
 *                                     RollingBack         RollingBackAll ──► Settled
 * ```
 */
export const PHASES = [
  'Installing',
  'Candidate',
  'Promoting',
  'Baking',
  'Settled',
  'RollingBack',
  'RollingBackAll',
] as const;
export type Phase = (typeof PHASES)[number];

/** Why a release was taken out. */
export interface Withdrawal {
  release: string;
  /** `rejected` stays out until a new spec or retryToken; `superseded` was only overtaken by a newer spec. */
  verdict: 'rejected' | 'superseded';
  reason: string;
  message: string;
  /** RFC 3339. */
  at: string;
}

export interface RolloutRecord {
  phase: Phase;
  /** Hash of the release whose template the Deployment carries. */
  release: string;
  /** Hash of the release that a rollback returns to; absent until a first release has been proven. */
  stable?: string;
  /** RFC 3339, when this phase began. */
  since: string;
  /** Candidate pods counted when a rollback began: its maxUnavailable, so that no stable pod must start first. */
  candidatePods?: number;
  withdrawn?: Withdrawal;
  /** 5xx share of the stable release when its successor was promoted: what the bake compares with. */
  stableErrorRatio?: number;
}

/** The annotation's text. Keys in a fixed order, so that equal records are equal text. */
export function formatRecord(record: RolloutRecord): string {
  const { phase, release, stable, since, candidatePods, withdrawn, stableErrorRatio } = record;
  return JSON.stringify({ phase, release, stable, since, candidatePods, withdrawn, stableErrorRatio });
}

/** Undefined when the annotation is absent or is not one that this operator wrote. */
export function parseRecord(text: string | undefined): RolloutRecord | undefined {
  if (text === undefined) return undefined;
  try {
    const record = JSON.parse(text) as RolloutRecord;
    return PHASES.includes(record.phase) && typeof record.release === 'string' ? record : undefined;
  } catch {
    return undefined;
  }
}

/** The release that everything but the canary should be: the worker, and what a candidate is compared with. */
export function releaseInForce(record: RolloutRecord): string {
  return record.phase === 'Candidate' ? (record.stable ?? record.release) : record.release;
}
