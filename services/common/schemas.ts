import * as z from 'zod';

export type TextLimits = { readonly min?: number; readonly max?: number };

/**
 * Text that PostgreSQL can store: no NUL, no half of a surrogate pair. Lengths are in characters (code points), as
 * `varchar(n)` and JSON Schema count them.
 */
export function text({ min = 0, max }: TextLimits = {}) {
  const described = {
    ...(min > 0 && { minLength: min }),
    ...(max !== undefined && { maxLength: max }),
    pattern: '^[^\\u0000]*$',
  };
  return z
    .string()
    .refine(value => !value.includes('\0'), 'must not contain a NUL character')
    .refine(value => value.isWellFormed(), 'must be well-formed Unicode')
    .refine(value => min === 0 || characters(value) >= min, `must have at least ${min} characters`)
    .refine(value => max === undefined || characters(value) <= max, `must have at most ${max} characters`)
    .meta(described);
}

/** Counting is only needed where a pair of code units may be one character. */
function characters(value: string): number {
  let pairs = 0;
  for (let index = 0; index < value.length; index++) {
    const unit = value.charCodeAt(index);
    if (unit >= 0xd800 && unit < 0xdc00) pairs++;
  }
  return value.length - pairs;
}

export const NOT_AN_INTEGER = 'Input should be a valid integer, unable to parse string as an integer';

export type IntegerLimits = { readonly min: number; readonly max: number; readonly default: number };

/** A query parameter given at most once, in decimal digits. */
export const queryInteger = ({ min, max, default: fallback }: IntegerLimits) =>
  z.preprocess(
    value => (typeof value === 'string' && /^[+-]?\d+$/.test(value) ? Number(value) : value),
    z.int(NOT_AN_INTEGER).min(min).max(max).default(fallback),
  );
