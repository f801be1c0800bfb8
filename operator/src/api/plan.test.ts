// What a plan cannot say is refused: reading.ts would let in what zod does not.
import { expect, test } from '@jest/globals';
import * as z from 'zod';
import { planOf } from './plan.ts';

test('parts that say the same are one, and stand before what is made of them', () => {
  const name = () => z.string().min(1).describe('another each time');
  const schema = z.object({ a: name(), b: z.array(name()).max(2), c: name().optional(), d: z.int().default(3) });
  expect(planOf(schema)).toEqual([
    { is: 'string', checks: [{ minLength: 1 }] },
    { is: 'array', of: 0, checks: [{ maxLength: 2 }] },
    { is: 'optional', of: 0 },
    { is: 'number', checks: [{ safeInteger: true }] },
    { is: 'default', of: 3, value: 3 },
    { is: 'object', fields: { a: 0, b: 1, c: 2, d: 4 } },
  ]);
});

test.each<[string, z.ZodType]>([
  ['type pipe', z.string().transform(text => text.length)],
  ['type pipe', z.preprocess(String, z.string())],
  ['type nullable', z.string().nullable()],
  ['what stands for what does not fit', z.string().optional().catch('a')],
  ['what stands for what does not fit', z.string().catch(undefined as never)],
  ['type tuple', z.tuple([z.string()])],
  ['type lazy', z.lazy(() => z.string())],
  ['type any', z.any()],
  ['coerce: true', z.coerce.number()],
  ['coerce: true', z.coerce.boolean()],
  ['check custom', z.number().refine(value => value % 2 === 0)],
  ['check custom', z.array(z.string()).refine(list => new Set(list).size === list.length)],
  ['checks:', z.object({ a: z.string() }).refine(({ a }) => a)],
  ['checks:', z.boolean().refine(value => value)],
  ['check overwrite', z.string().trim()],
  ['check multiple_of', z.int().multipleOf(5)],
  ['check length_equals', z.string().length(5)],
  ['format: email', z.email()],
  ['prefix: a', z.string().startsWith('a')],
  ['numbers as int32', z.int32()],
  ['catchall:', z.strictObject({ a: z.string() })],
  ['catchall:', z.looseObject({ a: z.string() })],
  ['an exact optional', z.string().exactOptional()],
  ['keys that are no strings', z.record(z.enum(['a', 'b']), z.string())],
  ['mode: loose', z.looseRecord(z.string().regex(/a/), z.string())],
  ['a choice of exactly one', z.xor([z.string(), z.int()])],
  ['a choice with one that may be absent', z.union([z.string().optional(), z.int()])],
  ['a choice with one that may be absent', z.union([z.unknown(), z.int()])],
  [
    'a choice by of that is no literal',
    z.discriminatedUnion('of', [z.object({ of: z.literal('a').optional() }), z.object({ of: z.literal('b') })]),
  ],
  ['names by number', z.enum({ a: 1, b: 2 })],
  ['a default that is another each time', z.array(z.number()).default(() => [performance.now()])],
  ['a check that is made at times', z.string().min(1, { when: () => false } as never)],
  ['when:', z.int().min(1, { when: () => false } as never)],
  ['in JSON', z.literal(undefined)],
  ['in JSON', z.number().default(Number.NaN)],
  ['in JSON', z.number().min(Number.NEGATIVE_INFINITY)],
])('%s is refused, and where it is said is told', (what, part) => {
  expect(() => planOf(part)).toThrow(what);
  const inside = z.object({ list: z.array(z.object({ field: part, other: z.string() })) });
  expect(() => planOf(inside)).toThrow('list[].field: a plan cannot say ');
});

test('a field that may be anything is refused: zod asks that it is there', () => {
  expect(() => planOf(z.object({ a: z.object({ b: z.unknown() }) }))).toThrow('a.b: a plan cannot say');
});
