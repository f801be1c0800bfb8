import * as z from 'zod';

/** When a log file is rolled over, in the words of Python's TimedRotatingFileHandler. */
export type Rotation =
  | { readonly every: 'second' | 'minute' | 'hour' | 'day' }
  | { readonly every: 'midnight' }
  /** at the midnight that ends this weekday, 0 is Monday */
  | { readonly every: 'week'; readonly weekday: number };

const INTERVALS = { S: 'second', M: 'minute', H: 'hour', D: 'day', MIDNIGHT: 'midnight' } as const;

export const fileRotation = z
  .string()
  .regex(/^(midnight|[smhd]|w[0-6])$/i, 'must be midnight, S, M, H, D or W0 to W6 (W0 is Monday)')
  .transform((word): Rotation => {
    const when = word.toUpperCase();
    if (when.startsWith('W')) return { every: 'week', weekday: Number(when[1]) };
    return { every: INTERVALS[when as keyof typeof INTERVALS] };
  });

const INTERVAL_MS = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

/** The next midnight of this machine's time zone, `days` later. */
const midnightAfter = (moment: Date, days = 0): Date =>
  new Date(moment.getFullYear(), moment.getMonth(), moment.getDate() + 1 + days);

/** When a file whose last line was written at `written` is to be rolled over. */
export function rolloverAfter(rotation: Rotation, written: Date): Date {
  switch (rotation.every) {
    case 'midnight':
      return midnightAfter(written);
    case 'week':
      return midnightAfter(written, (rotation.weekday + 7 - ((written.getDay() + 6) % 7)) % 7);
    default:
      return new Date(written.getTime() + INTERVAL_MS[rotation.every]);
  }
}

/** How many parts of a time a file's name shows: year, month, day, hour, minute, second. */
const PARTS = { second: 6, minute: 5, hour: 4, day: 3, midnight: 3, week: 3 } as const;

const two = (part: number) => String(part).padStart(2, '0');

/** What is added to the name of the file that is rolled over at `rollover`: the beginning of its time. */
export function suffixOf(rotation: Rotation, rollover: Date): string {
  const begin = beginOf(rotation, rollover);
  const parts = [begin.getFullYear(), begin.getMonth() + 1, begin.getDate()].map(two);
  const times = [begin.getHours(), begin.getMinutes(), begin.getSeconds()].map(two).slice(0, PARTS[rotation.every] - 3);
  return [parts.join('-'), ...(times.length > 0 ? [times.join('-')] : [])].join('_');
}

function beginOf({ every }: Rotation, rollover: Date): Date {
  if (every !== 'midnight' && every !== 'week') return new Date(rollover.getTime() - INTERVAL_MS[every]);
  const days = every === 'week' ? 7 : 1;
  return new Date(rollover.getFullYear(), rollover.getMonth(), rollover.getDate() - days);
}

const SUFFIX = /^\d{4}-\d\d-\d\d(_\d\d(-\d\d){0,2})?$/;

/** Of the files in a folder, those that are more than the newest `keep` of `name`; 0 keeps all. */
export function filesToDelete(files: readonly string[], name: string, keep: number): readonly string[] {
  if (keep === 0) return [];
  const rolled = files.filter(file => file.startsWith(`${name}.`) && SUFFIX.test(file.slice(name.length + 1)));
  return rolled.sort().slice(0, -keep);
}
