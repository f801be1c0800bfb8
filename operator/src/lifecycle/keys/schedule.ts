// When a key is replaced by the clock. Spread: resources with the same schedule, and resources that all became overdue
// in the same moment, do not begin in the same minute.
import { CronExpressionParser } from 'cron-parser';
import type { Rotation } from '../../api/rotation.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
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
    return spread(nextMoment(schedule, timeZone ?? 'UTC', last), HOUR_MS, seed, now);
  } catch (error) {
    return { kind: 'invalid', why: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * The first moment of the schedule after `last`. The schedule is read on the face of a clock, and its hands are then
 * looked for in time: an hour that comes twice is meant once, the first time; one that is left out is meant as the next
 * moment that there is. No day is left out.
 * @throws RangeError for a time zone that there is not, Error for a schedule that cannot be read
 */
function nextMoment(schedule: string, timeZone: string, last: number): number {
  const offset = offsetsOf(timeZone);
  const faces = CronExpressionParser.parse(schedule, { currentDate: new Date(last + offset(last)), tz: 'UTC' });
  for (;;) {
    const moment = momentOf(faces.next().getTime(), offset);
    if (moment > last) return moment;
  }
}

/** Epoch milliseconds at which a clock that is `offset` ahead of UTC shows this face (as if it were UTC). */
function momentOf(face: number, offset: (at: number) => number): number {
  const around = [offset(face - DAY_MS), offset(face + DAY_MS)];
  const shows = around.map(ahead => face - ahead).filter(at => at + offset(at) === face);
  if (shows.length > 0) return Math.min(...shows);
  // the face is never shown: the moment in which it is jumped over
  let [before, after] = [face - Math.max(...around) - 1, face - Math.min(...around)];
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (middle + offset(middle) < face) before = middle;
    else after = middle;
  }
  return after;
}

const formats = new Map<string, Intl.DateTimeFormat>();
const PARTS = ['year', 'month', 'day', 'hour', 'minute', 'second'] as const;

/** How far the clocks of a time zone are ahead of UTC at a moment. Milliseconds. */
function offsetsOf(timeZone: string): (at: number) => number {
  const digits = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric' } as const;
  const format =
    formats.get(timeZone) ??
    new Intl.DateTimeFormat('en-u-ca-iso8601', { ...digits, second: 'numeric', hourCycle: 'h23', timeZone });
  formats.set(timeZone, format);
  return at => {
    const shown = new Map(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
    const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = PARTS.map(part => shown.get(part) ?? 0);
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1000) * 1000;
  };
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
