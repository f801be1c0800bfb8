import * as z from 'zod';
import { NOT_AN_INTEGER } from '../common/schemas.ts';

/** A parameter that is given twice counts as its last value, as it always did. */
const last = (value: unknown): unknown => (Array.isArray(value) ? value.at(-1) : value);

/** The biggest number whose digits survive; what is beyond it is clamped all the same. */
const INTEGER = /^\s*[+-]?\d+\s*$/;

const clamped = (value: number, min: number, max: number) => Math.min(Math.max(value, min), max);

/** An integer: beyond its limits it is clamped, anything else is refused. */
const clampedInteger = (
  limits: { readonly min: number; readonly max: number; readonly default: number },
  what: string,
) =>
  z
    .preprocess(value => {
      const given = last(value);
      return typeof given === 'string' && INTEGER.test(given) ? clamped(Number(given), limits.min, limits.max) : given;
    }, z.int(NOT_AN_INTEGER).default(limits.default))
    .meta({
      description: `${what}; beyond ${limits.min} to ${limits.max} it is clamped`,
      // zod would document the bounds of what it holds exactly, but none is refused
      minimum: undefined,
      maximum: undefined,
    });

const DATE = /^\d{4}-\d\d-\d\d$/;

/** A day of the calendar, else undefined. The year 0000 is no year to PostgreSQL. */
function calendarDay(text: string): string | undefined {
  const day = text.trim();
  if (!DATE.test(day) || day.startsWith('0000')) return undefined;
  const parsed = Date.parse(day);
  return !Number.isNaN(parsed) && new Date(parsed).toISOString().startsWith(day) ? day : undefined;
}

const PROVIDER_LENGTH = 60;

/** What no provider's name is made of goes; an emptied filter is none. */
function cleanedProvider(text: string): string | undefined {
  const cleaned = text.trim().replace(/[^\p{L}\p{N}_\s\-./]/gu, '');
  return [...cleaned].slice(0, PROVIDER_LENGTH).join('') || undefined;
}

const optionalText = (read: (text: string) => string | undefined, description: string) =>
  z
    .preprocess(last, z.string().optional())
    .transform(text => (text === undefined ? undefined : read(text)))
    .meta({ description });

const filters = {
  start_date: optionalText(calendarDay, 'First day, YYYY-MM-DD; anything else is ignored'),
  end_date: optionalText(calendarDay, 'Last day, included, YYYY-MM-DD; anything else is ignored'),
  proveedor: optionalText(
    cleanedProvider,
    'A provider’s code, exactly as it is written: only that provider. Where nobody has that code, part of names and codes, capitals or not',
  ),
};

type Filters = Readonly<Record<keyof typeof filters, string | undefined>>;

const named = <Rest extends Filters>({ start_date, end_date, ...rest }: Rest) => ({
  ...rest,
  startDate: start_date,
  endDate: end_date,
});

export const timelineQuery = z.object({
  days: clampedInteger({ min: 1, max: 90, default: 7 }, 'How many days, today included'),
});
export const providersQuery = z.object({
  limit: clampedInteger({ min: 1, max: 100, default: 10 }, 'How many providers'),
});
export const weeksQuery = z.object({
  weeks: clampedInteger({ min: 1, max: 52, default: 8 }, 'How many weeks, the current one included'),
});
export const topProductsQuery = z
  .object({ limit: clampedInteger({ min: 1, max: 100, default: 10 }, 'How many products'), ...filters })
  .transform(named);
export const trendsQuery = z
  .object({
    months: clampedInteger(
      { min: 1, max: 24, default: 6 },
      'How many months, the current one included; without effect beside a date',
    ),
    ...filters,
  })
  .transform(named);

/** What the analytics page is asked with. */
export const analyticsQuery = z.object(filters).transform(named);
