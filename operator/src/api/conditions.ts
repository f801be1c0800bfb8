// Conditions as kstatus reads them: Reconciling and Stalled are present only while True.
import type { Reason } from './reasons.ts';
import type { StatusCondition } from './status.ts';

/** In the order in which they are written into the status. */
export const CONDITION_TYPES = [
  'Ready',
  'Available',
  'Reconciling',
  'Stalled',
  'ChildrenApplied',
  'DependenciesReady',
  'Migrated',
  'AnalysisPassed',
  'KeysCurrent',
  'Monitored',
  'AutoscalingActive',
  'SchemaReverted',
  'SoleOperator',
  'Exposed',
] as const;

export type ConditionType = (typeof CONDITION_TYPES)[number];
export type ConditionStatus = 'True' | 'False' | 'Unknown';

/** A condition as one pass finds it: it does not know yet since when it holds. */
export interface Condition {
  readonly type: ConditionType;
  readonly status: ConditionStatus;
  readonly reason: Reason;
  readonly message: string;
}

/**
 * The conditions of this pass with the time of their last change, in the order of `CONDITION_TYPES`.
 * A condition whose status is unchanged keeps its time; one that is not in `next` is gone.
 */
export function mergeConditions(
  previous: readonly StatusCondition[],
  next: readonly Condition[],
  nowIso: string,
  observedGeneration: number,
): StatusCondition[] {
  const before = new Map(previous.map(condition => [condition.type, condition]));
  const merged = next.map(condition => {
    const earlier = before.get(condition.type);
    const unchanged = earlier?.status === condition.status;
    return { ...condition, observedGeneration, lastTransitionTime: unchanged ? earlier.lastTransitionTime : nowIso };
  });
  return merged.sort((a, b) => CONDITION_TYPES.indexOf(a.type) - CONDITION_TYPES.indexOf(b.type));
}

/** The condition of this type, if it is there. */
export const findCondition = (
  conditions: readonly StatusCondition[] | undefined,
  type: ConditionType,
): StatusCondition | undefined => conditions?.find(condition => condition.type === type);
