import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import * as z from 'zod';
import { queryInteger, text } from './schemas.ts';

const SMILEY = '😀';

test.each([
  ['within its length', 'año', true],
  ['as long as allowed, in characters', SMILEY.repeat(5), true],
  ['one character too long', `${SMILEY.repeat(5)}x`, false],
  ['too short', '', false],
  ['a NUL, which PostgreSQL cannot store', 'a\0', false],
  ['half of a surrogate pair', '\ud83d', false],
  ['no text', 5, false],
])('text: %s', (_case, value, accepted) => {
  expect(text({ min: 1, max: 5 }).safeParse(value).success).toBe(accepted);
});

test('text accepts just what its JSON Schema promises', () => {
  const schema = text({ min: 1, max: 3 });
  const promised = z.fromJSONSchema(z.toJSONSchema(schema) as Parameters<typeof z.fromJSONSchema>[0]);
  const ascii = fc.string({ unit: fc.constantFrom('a', ' ', '\0', '\n', 'ñ'), maxLength: 5 });
  fc.assert(fc.property(ascii, value => schema.safeParse(value).success === promised.safeParse(value).success));
});

const skip = queryInteger({ min: 0, max: 100, default: 7 });

test.each([
  ['left out', undefined, 7],
  ['decimal', '42', 42],
  ['with a sign', '+1', 1],
])('an integer of the query: %s', (_case, given, value) => {
  expect(skip.parse(given)).toBe(value);
});

test.each(['', ' ', 'abc', '1.5', '1e2', '0x10', '-1', '101', '9'.repeat(400), '٣', '1_000', ['1', '2'], ['1'], null])(
  'no integer of the query: %j',
  given => {
    expect(skip.safeParse(given).success).toBe(false);
  },
);
