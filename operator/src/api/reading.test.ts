// What is read is what zod reads, key for key, and nothing else is read. SEED=… repeats a run.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import * as z from 'zod';
import type * as core from 'zod/v4/core';
import { KINDS } from './kinds.ts';
import { planOf } from './plan.ts';
import { readerOf } from './reading.ts';
import { dashboardSpec } from './schema/dashboard.ts';
import { devshelfSpec } from './schema/devshelf.ts';
import { notes } from './schema/notes.ts';
import { appStatus } from './schema/status.ts';

const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const RUNS = Number(process.env['RUNS'] ?? 50);

const anything = fc.constantFrom<unknown>(
  ...[
    null,
    undefined,
    '',
    '7',
    'x',
    0,
    -1,
    1.5,
    1e300,
    true,
    [],
    {},
    [null],
    { a: 1 },
    'a'.repeat(300),
    '👍',
    '👍👍',
    '👍👍👍👍',
    '👍👍👍👍👍',
    '\ud83d',
  ],
  ...[Number.NaN, JSON.parse('{"__proto__": {"a": 1}}')],
);
const words = fc.constantFrom(
  'shop',
  'db-1',
  '/ready',
  '0.05',
  '5%',
  '100m',
  '64Mi',
  'a.example',
  '2026-11-30T00:00:00Z',
);
const numbers = fc.constantFrom(-1, 0, 1, 2, 30, 80, 443, 1_000, 70_000, 2.5);

/** Mostly what fits. */
function valuesOf(schema: core.$ZodTypes): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 60, arbitrary: fitting(schema) }, { weight: 1, arbitrary: anything });
}

function fitting({ _zod: { def } }: core.$ZodTypes): fc.Arbitrary<unknown> {
  const inner = (of: core.SomeType) => valuesOf(of as core.$ZodTypes);
  switch (def.type) {
    case 'string':
      return words;
    case 'boolean':
      return fc.boolean();
    case 'number':
      return numbers;
    case 'literal':
      return fc.constantFrom(...def.values);
    case 'enum':
      return fc.constantFrom(...Object.values(def.entries));
    case 'optional':
    case 'catch':
    case 'default':
    case 'prefault':
      return fc.option(inner(def.innerType), { nil: undefined });
    case 'array':
      return fc.array(inner(def.element), { maxLength: 2 });
    case 'record':
      return fc.dictionary(words, inner(def.valueType), { maxKeys: 2 });
    case 'object': {
      const fields = Object.entries(def.shape).map(([name, field]) => [name, inner(field)]);
      const shape = fc.record(Object.fromEntries(fields)).map(given => {
        // JSON has no undefined, and knows other fields
        const there = Object.entries(given).filter(([, value]) => value !== undefined);
        return Object.fromEntries([...there, ...(there.length % 5 === 1 ? [['ofALaterVersion', 1]] : [])]);
      });
      return shape;
    }
    case 'union':
      return fc.oneof(...def.options.map(inner));
    default:
      return anything;
  }
}

const others = z.object({
  either: z.discriminatedUnion('of', [
    z.object({ of: z.literal('a'), one: z.int() }),
    z.object({ of: z.literal('b'), two: z.string().optional() }),
  ]),
  inherited: z.string().default('a').optional(),
  between: z.number().gt(1).lt(70_000).default(2),
  counted: z.string().min(2).max(4).optional(), // in code points
  shouted: z
    .string()
    .regex(/^[a-z]+$/i)
    .optional(),
  sticky: z
    .string()
    .regex(/db|shop/y)
    .optional(),
  few: z.array(z.boolean()).min(1).max(1).prefault([true]),
  byName: z.record(z.string().max(4), z.array(z.int()).max(1)).prefault({}),
  ifReadable: z.object({ a: z.int() }).optional().catch(undefined),
});

/** The schema and all that it is made of: of a whole spec that is made at random hardly one fits. */
function partsOf(schema: core.$ZodTypes, found = new Set<core.$ZodTypes>()): Set<core.$ZodTypes> {
  if (found.has(schema)) return found;
  found.add(schema);
  const { def } = schema._zod;
  const inner = [
    ...('innerType' in def ? [def.innerType] : []),
    ...(def.type === 'array' ? [def.element] : []),
    ...(def.type === 'record' ? [def.keyType, def.valueType] : []),
    ...(def.type === 'object' ? Object.values(def.shape) : []),
    ...(def.type === 'union' ? def.options : []),
  ];
  for (const part of inner) partsOf(part as core.$ZodTypes, found);
  return found;
}

test.each<[string, z.ZodType]>([
  ['a DevShelf’s spec', devshelfSpec],
  ['a Dashboard’s spec', dashboardSpec],
  ['a status', appStatus],
  ['a note', notes],
  ['what else a plan can say', others],
])('%s, and each of its parts', (_name, schema) => {
  const ends = { fits: 0, not: 0 };
  const parts = partsOf(schema as unknown as core.$ZodTypes);
  for (const part of parts) {
    const { safeParse } = part as unknown as z.ZodType;
    const read = readerOf(planOf(part as unknown as z.ZodType));
    const property = fc.property(valuesOf(part), value => {
      const parsed = safeParse(value);
      ends[parsed.success ? 'fits' : 'not'] += 1;
      const own = read(value);
      expect(own).toEqual(parsed.success ? parsed.data : undefined);
      expect(JSON.stringify(own)).toBe(JSON.stringify(parsed.success ? parsed.data : undefined));
    });
    fc.assert(property, { seed: SEED, numRuns: RUNS });
  }
  process.stdout.write(`SEED=${SEED} ${parts.size} parts, ${JSON.stringify(ends)}\n`);
  expect(Math.min(ends.fits, ends.not)).toBeGreaterThan(parts.size);
});

test.each(KINDS)('the smallest $kind', ({ spec, smallestSpec }) => {
  const own = readerOf(planOf(spec))(smallestSpec);
  expect(own).toEqual(spec.parse(smallestSpec));
  expect(JSON.stringify(own)).toBe(JSON.stringify(spec.parse(smallestSpec)));
});

test('what is filled in is one value for all, which nobody can change', () => {
  const inner = z.object({ names: z.array(z.string()).default([]) }).prefault({});
  const schema = z.object({ names: z.array(z.string()).default([]), inner });
  const read = readerOf<z.output<typeof schema>>(planOf(schema));
  expect(() => read({})?.names.push('mine')).toThrow(TypeError);
  expect(() => read({})?.inner.names.push('mine')).toThrow(TypeError);
  expect(read({})).toEqual({ names: [], inner: { names: [] } });
});
