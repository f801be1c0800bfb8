import { addDays, addMonths, MARKET_TIME_ZONE, marketDay } from '../periods.ts';

// Numbers and dates as people in Argentina write them. A date of the database is a day of the calendar there, not an
// instant: it is read and written in UTC so that no time zone moves it.
const LOCALE = 'es-AR';
const DAY_MS = 86_400_000;

const numbers = new Intl.NumberFormat(LOCALE, { useGrouping: 'always' });
const percentages = new Intl.NumberFormat(LOCALE, { style: 'percent', maximumFractionDigits: 0 });

const dates = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(LOCALE, { timeZone: 'UTC', ...options });
const numericDay = dates({ day: '2-digit', month: '2-digit', year: 'numeric' });
const weekday = dates({ weekday: 'long' });
const shortWeekday = dates({ weekday: 'short' });
const shortMonth = dates({ month: 'short' });
const month = dates({ month: 'long', year: 'numeric' });
const clock = dates({ timeZone: MARKET_TIME_ZONE, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });

export const number = (value: number): string => numbers.format(value);

/** 0.256 → "26 %"; 0 where there is no whole. */
export const share = (part: number, whole: number): string => percentages.format(whole === 0 ? 0 : part / whole);

/** "1 pedido", "1.234 pedidos" */
export const count = (value: number, one: string, many: string): string =>
  `${number(value)} ${value === 1 ? one : many}`;

/** A point on an axis: `short` under it, `long` where there is room. */
export type Label = { readonly short: string; readonly long: string };

/** Of the week or month that is not over: it looks smaller than it will be. */
export const unfinished = ({ short, long }: Label): Label => ({ short: `${short}*`, long: `${long}, en curso` });

/** For the sentence under a chart whose last column is such a one. */
export const UNFINISHED_NOTE = '* en curso';

const utc = (day: string) => new Date(`${day}T00:00:00Z`);

/** "2026-11-22" → "22/11/2026" */
export const day = (value: string): string => numericDay.format(utc(value));

/** "2026-11-22" → "dom 22" and "domingo 22/11/2026" */
export const dayLabel = (value: string): Label => ({
  short: `${shortWeekday.format(utc(value)).replace('.', '')} ${value.slice(8)}`,
  long: `${weekday.format(utc(value))} ${day(value)}`,
});

/** "nov", and like the others three letters for September */
const shortMonthOf = (value: string): string => shortMonth.format(utc(value)).slice(0, 3);

/** "2026-11" → "nov 26" and "noviembre de 2026" */
export const monthLabel = (value: string): Label => {
  const first = `${value}-01`;
  return { short: `${shortMonthOf(first)} ${value.slice(2, 4)}`, long: month.format(utc(first)) };
};

/** "22/11/2026, 14:32", the market's time */
export const moment = (instant: Date): string => `${day(marketDay(instant))}, ${clock.format(instant)}`;

/** The last `length` days up to `last`, oldest first. */
export const daysUpTo = (last: string, length: number): string[] =>
  Array.from({ length }, (_, index) => addDays(last, index + 1 - length));

/** The last `length` months up to that of `last`, oldest first, as "YYYY-MM". */
export const monthsUpTo = (last: string, length: number): string[] =>
  Array.from({ length }, (_, index) => addMonths(last, index + 1 - length).slice(0, 7));

/**
 * The first day of a week "YYYY-WW" as strftime's %Y-%W counts it: weeks begin on Monday, the days before the year's
 * first Monday are week 00.
 */
export function firstDayOfWeek(week: string): string {
  const [year = '', number = ''] = week.split('-');
  const newYear = utc(`${year}-01-01`);
  const daysToMonday = (8 - newYear.getUTCDay()) % 7;
  const days = Number(number) === 0 ? 0 : daysToMonday + (Number(number) - 1) * 7;
  return addDays(`${year}-01-01`, days);
}

/** The week "YYYY-WW" (%W) of a day; the inverse of {@link firstDayOfWeek}. */
export function weekOf(value: string): string {
  const date = utc(value);
  const dayOfYear = Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / DAY_MS);
  const daysSinceMonday = (date.getUTCDay() + 6) % 7;
  const week = Math.floor((dayOfYear + 7 - daysSinceMonday) / 7);
  return `${value.slice(0, 4)}-${String(week).padStart(2, '0')}`;
}

/** The last `length` weeks up to that of `last`, oldest first. At New Year a week is two: the old year's and week 00. */
export function weeksUpTo(last: string, length: number): string[] {
  const weeks = daysUpTo(last, length * 7).map(weekOf);
  return [...new Set(weeks)].slice(-length);
}

/** "2026-46" → "16 nov" and "semana del 16/11/2026" */
export const weekLabel = (value: string): Label => {
  const first = firstDayOfWeek(value);
  return { short: `${first.slice(8)} ${shortMonthOf(first)}`, long: `semana del ${day(first)}` };
};
