/** The days of the market's figures begin and end in its own time zone; `mercado_dia` is the database's word for it. */
export const MARKET_TIME_ZONE = 'America/Argentina/Buenos_Aires';

/** A day as `YYYY-MM-DD`; such days compare like strings. */
export type Day = string;

const dayFormat = new Intl.DateTimeFormat('en-CA', { timeZone: MARKET_TIME_ZONE, dateStyle: 'short' });

export const marketDay = (moment: Date): Day => dayFormat.format(moment);

const DAY_MS = 86_400_000;

export const addDays = (day: Day, days: number): Day =>
  new Date(Date.parse(day) + days * DAY_MS).toISOString().slice(0, 10);

export const firstOfMonth = (day: Day): Day => `${day.slice(0, 7)}-01`;

/** The first day of the month that is so many months away. */
export function addMonths(day: Day, months: number): Day {
  const [year = 0, month = 0] = day.split('-').map(Number);
  return new Date(Date.UTC(year, month - 1 + months, 1)).toISOString().slice(0, 10);
}

/** The Monday of the day's week. */
export const monday = (day: Day): Day => addDays(day, -((new Date(Date.parse(day)).getUTCDay() + 6) % 7));

/** From day to day, both included; open where undefined. */
export type Period = { readonly from?: Day | undefined; readonly to?: Day | undefined };

/**
 * A period as the summary tables hold it: whole months from `monthsFrom` until before `monthsUntil`, and the days that
 * are left of them (from `daysFrom`) and right of them (to `daysTo`, included).
 */
export type Spans = {
  readonly daysFrom: Day;
  readonly monthsFrom: Day;
  readonly monthsUntil: Day;
  readonly daysTo: Day;
};

/** Nothing happened before and after; beyond them neither Date nor PostgreSQL writes a day in ten characters. */
const FIRST_DAY = '1000-01-01';
const LAST_DAY = '9000-12-31';

function withinHistory(day: Day | undefined): Day | undefined {
  if (day === undefined || (day >= FIRST_DAY && day <= LAST_DAY)) return day;
  return day < FIRST_DAY ? FIRST_DAY : LAST_DAY;
}

export function spansOf(period: Period): Spans {
  const [from, to] = [withinHistory(period.from), withinHistory(period.to)];
  const daysFrom = from ?? '-infinity';
  const daysTo = to ?? 'infinity';
  const monthsFrom = from === undefined ? '-infinity' : addMonths(addDays(from, -1), 1);
  const monthsUntil = to === undefined ? 'infinity' : firstOfMonth(addDays(to, 1));
  const noWholeMonth = from !== undefined && to !== undefined && monthsFrom >= monthsUntil;
  if (noWholeMonth) return { daysFrom, monthsFrom: from, monthsUntil: from, daysTo };
  return { daysFrom, monthsFrom, monthsUntil, daysTo };
}
