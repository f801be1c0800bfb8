// When a key is replaced by the clock. Spread: resources with the same schedule, and resources that all became overdue
// in the same moment, do not begin in the same minute.
import { CronExpressionParser } from 'cron-parser';
import type { Rotation } from '../api/rotation.ts';

const HOUR_MS = 3_600_000;
/** How long the door of a resource that is overdue stays open. */
const DOOR_MS = 60_000;

export type Due =
  | { readonly kind: 'never' }
  | { readonly kind: 'invalid'; readonly why: string }
  /** Epoch milliseconds. `plannedAt` stays what it is until the next rotation; `opensAt` may be later. */
  | { readonly kind: 'at'; readonly plannedAt: number; readonly opensAt: number };

/**
 * @param last epoch milliseconds of the last rotation, or of the making of the key
 * @param seed tells resources and keys apart: the spread is a hash of it
 */
export function dueAt(rotation: Rotation | undefined, last: number, seed: string, now: number): Due {
  if (!rotation) return { kind: 'never' };
  const { schedule, timeZone, intervalSeconds } = rotation;
  if (intervalSeconds !== undefined) {
    const window = Math.min(HOUR_MS, intervalSeconds * 100);
    return spread(last + intervalSeconds * 1000, window, seed, now);
  }
  if (schedule === undefined) return { kind: 'never' };
  try {
    const base = CronExpressionParser.parse(schedule, { currentDate: new Date(last), tz: timeZone ?? 'UTC' });
    return spread(base.next().getTime(), HOUR_MS, seed, now);
  } catch (error) {
    return { kind: 'invalid', why: error instanceof Error ? error.message : String(error) };
  }
}

function spread(base: number, window: number, seed: string, now: number): Due {
  const phase = hashOf(seed) % window;
  const plannedAt = base + phase;
  if (now < plannedAt + window) return { kind: 'at', plannedAt, opensAt: plannedAt };
  // long overdue (the schedule is new, or the operator was away): in its own minute of the window
  const sinceOpened = (now - phase) % window;
  return { kind: 'at', plannedAt, opensAt: sinceOpened < DOOR_MS ? now : now - sinceOpened + window };
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return hash;
}
