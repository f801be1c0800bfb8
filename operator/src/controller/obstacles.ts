// What is in the way of a plan: told apart from what passes by itself, and said as conditions.
import type { Condition } from '../api/conditions.ts';
import { scrub } from '../api/words.ts';
import { ApiError, isOfEndingNamespace } from '../kube/errors.ts';

/** Something in the cluster is in the way: said as conditions, tried again later. */
export interface Obstacle {
  readonly reason:
    | 'NotOwned'
    | 'ApiError'
    | 'KeyringUnreadable'
    | 'ReleaseForgotten'
    | 'ConfigurationRestored'
    | 'BackupFailed'
    | 'RotationHeld'
    | 'StrictNeedsDirect';
  readonly message: string;
  /** What is in the way of this alone; the children are as they should be. */
  readonly holds?: 'backup' | 'rotation';
  /** Tried again after this long; absent: as what a person has to mend. */
  readonly recheckMs?: number;
}

/** What came of a plan. */
export interface Outcome {
  /** Children that could not be made as they should be; the others were. */
  readonly obstacles: readonly Obstacle[];
  /** The plan's action was done; also true where it had none. */
  readonly acted: boolean;
  /** What a later try may do better: no answer, 409, 429, 5xx. */
  readonly failure?: unknown;
}

export class Blocked extends Error {
  readonly obstacle: Obstacle;
  constructor(obstacle: Obstacle) {
    super(obstacle.message);
    this.obstacle = obstacle;
  }
}

/**
 * Undefined for what may pass by itself.
 * @throws the error of a namespace that is being removed: no other thing can be made there either
 */
export function obstacleIn(error: unknown): Obstacle | undefined {
  if (isOfEndingNamespace(error)) throw error;
  if (error instanceof Blocked) return error.obstacle;
  if (!(error instanceof ApiError && isRefusal(error))) return undefined;
  const [, webhook] = WEBHOOK.exec(error.message) ?? [];
  if (error.status < 500 || webhook === undefined) return { reason: 'ApiError', message: scrub(error.message) };
  const message = `webhook ${webhook} did not answer: ${scrub(error.message)}; it is waited for. Mend what serves it, or delete its configuration`;
  return { reason: 'ApiError', message, recheckMs: WEBHOOK_RECHECK_MS };
}

/** @throws Blocked where what is in the way of it is in the way of nothing else */
export async function heldBy(work: Promise<void>, obstacle: (words: string) => Obstacle): Promise<void> {
  try {
    await work;
  } catch (error) {
    const found = obstacleIn(error);
    throw found ? new Blocked(obstacle(found.message)) : error;
  }
}

/** The next pass comes soon and leaves the turn to what waits behind the rotation: its record, for one. */
export const rotating = (work: Promise<void>): Promise<void> =>
  heldBy(work, words => ({
    reason: 'RotationHeld',
    message: `the keys cannot be changed: ${words}; it is tried again, and goes on by itself when that is allowed`,
    ...{ holds: 'rotation', recheckMs: AFTER_REFUSAL_MS },
  }));

const AFTER_REFUSAL_MS = 500;

/** A webhook comes back by itself: nobody waits long for that. */
export const WEBHOOK_RECHECK_MS = 5_000;
const WEBHOOK = /failed calling webhook "([^"]{1,253})"/;
export const HANGING = /failed calling webhook .*(?:deadline exceeded|timeout|timed out)/i;

/** The request itself is not wanted: quota, admission, a right that is missing, a field that does not fit. */
const isRefusal = ({ status, message }: ApiError): boolean =>
  status >= 500 ? REFUSING.test(message) : status >= 400 && status !== 409 && status !== 429;

/** A field that no schema knows is answered with 500 by a server-side apply; a webhook that is down is no fault of ours. */
const REFUSING = /field not declared in schema|failed (?:calling|to call) webhook/;

/**
 * The conditions of a pass that met obstacles: a condition of its own names all of them. While a release is on its way,
 * or a person is called already, what is said of that stays.
 */
export function withObstacles(said: readonly Condition[], outcome: Outcome): Condition[] {
  // what holds up one thing alone is in the way of no release
  const acted = outcome.acted || outcome.obstacles.some(({ holds }) => holds !== undefined);
  const conditions = said.map(condition => withoutRotation(withoutBackup(condition, outcome), outcome));
  const inTheWay = outcome.obstacles.filter(({ holds }) => holds === undefined);
  const [first, ...more] = [...inTheWay, ...troubleIn(outcome.failure)];
  if (!first) return conditions;
  const message = [first, ...more].map(obstacle => obstacle.message).join('; ');
  const { reason } = first;
  const applied: Condition = { type: 'ChildrenApplied', status: 'False', reason, message };
  const isBusy = conditions.some(({ type }) => type === 'Reconciling' || type === 'Stalled');
  if (acted && isBusy) return [...conditions, applied];
  const others = conditions.filter(({ type }) => !['Ready', 'Reconciling', 'Stalled'].includes(type));
  return [
    { type: 'Ready', status: 'False', reason, message },
    { type: 'Stalled', status: 'True', reason, message },
    ...others,
    applied,
  ];
}

/** A backup that cannot begin holds up what waits for it, and nothing else: only what speaks of it says so. */
function withoutBackup(condition: Condition, outcome: Outcome): Condition {
  const held = heldUp('backup', outcome);
  if (!held || condition.reason !== 'BackingUp') return condition;
  const { reason, message } = held;
  const { type, status } = condition;
  if (type === 'Reconciling') return { type: 'Stalled', status: 'True', reason, message };
  return { type, status: type === 'Migrated' ? 'False' : status, reason, message };
}

/** Keys stay as they are: what serves, and what is released, knows nothing of that. */
function withoutRotation(condition: Condition, outcome: Outcome): Condition {
  const held = heldUp('rotation', outcome);
  if (!held || condition.type !== 'KeysCurrent') return condition;
  return { type: 'KeysCurrent', status: 'False', reason: held.reason, message: held.message };
}

export const heldUp = (what: NonNullable<Obstacle['holds']>, { obstacles }: Outcome): Obstacle | undefined =>
  obstacles.find(({ holds }) => holds === what);

/** A server or a webhook that does not work is in the way, too; who was faster, or is asked to wait, is not. */
const troubleIn = (failure: unknown): Obstacle[] =>
  failure instanceof ApiError && failure.status >= 500 ? [{ reason: 'ApiError', message: scrub(failure.message) }] : [];
