// Whole resources, of which every field is said and some are changed, are read as zod reads them. SEED=… repeats a run.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type * as z from 'zod';
import type * as core from 'zod/v4/core';
import { API_VERSION } from './group.ts';
import { KINDS } from './kinds.ts';
import { resourcePlan, statusPlan } from './plans.ts';
import { readerOf } from './reading.ts';
import { parseResource } from './resource.ts';
import { appStatus } from './schema/status.ts';
import { withoutStatus } from './schema/whole.ts';

const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const RUNS = Number(process.env['RUNS'] ?? 400);

const SAMPLES = ['shop', '/ready', '0.05', '30s', '5%', '10.0.0.0/8', 0, 1, 30, 100, 443, 3_600, 70_000];

/** A value in which each field is said. */
function everythingOf(schema: core.SomeType): unknown {
  const { def } = (schema as core.$ZodTypes)._zod;
  switch (def.type) {
    case 'optional':
    case 'default':
    case 'prefault':
      return everythingOf(def.innerType);
    case 'array':
      return [everythingOf(def.element)];
    case 'record':
      return { a: everythingOf(def.valueType) };
    case 'object':
      return Object.fromEntries(Object.entries(def.shape).map(([name, field]) => [name, everythingOf(field)]));
    case 'enum':
      return Object.values(def.entries).at(-1);
    case 'literal':
      return def.values[0];
    case 'boolean':
      return true;
    default: {
      const sample = SAMPLES.find(value => (schema as unknown as z.ZodType).safeParse(value).success);
      if (sample === undefined) throw new Error(`no sample fits ${JSON.stringify(def)}`);
      return sample;
    }
  }
}

/** Every place below `value`: what it is in, and as what. */
function placesIn(value: unknown): readonly (readonly [Record<string, unknown>, string])[] {
  if (typeof value !== 'object' || value === null) return [];
  const holder = value as Record<string, unknown>;
  return Object.keys(holder).flatMap(name => [[holder, name] as const, ...placesIn(holder[name])]);
}

type Change = (was: unknown) => unknown;

const change = fc.oneof<fc.Arbitrary<Change>[]>(
  fc.constantFrom<unknown>(null, '', 'x', '7', -1, 0, 1.5, 1e300, true, [], {}, [null]).map(to => () => to),
  fc.constant<Change>(() => undefined),
  fc.constantFrom(-1, 1, 0.5, 1e6).map(by => (was: unknown) => (typeof was === 'number' ? was + by : was)),
  fc
    .constantFrom('a', ' ', '👍', 'a'.repeat(300))
    .map(by => (was: unknown) => (typeof was === 'string' ? was + by : was)),
  fc.constantFrom(2, 20, 200).map(times => (was: unknown) => (Array.isArray(was) ? Array(times).fill(was[0]) : was)),
);
const changes = fc.array(fc.record({ at: fc.nat(), change }), { minLength: 1, maxLength: 3 });

function changed(whole: unknown, many: readonly { at: number; change: Change }[]): Record<string, unknown> {
  const copy = structuredClone(whole) as Record<string, unknown>;
  for (const { at, change } of many) {
    const places = placesIn(copy);
    const [holder, name] = places[at % places.length] ?? [copy, 'kind'];
    holder[name] = change(holder[name]);
  }
  // JSON has no undefined
  return JSON.parse(JSON.stringify(copy)) as Record<string, unknown>;
}

const readWithoutStatus = readerOf(resourcePlan());
const readStatus = readerOf(statusPlan());

function expectSame(own: unknown, parsed: z.ZodSafeParseResult<unknown>): void {
  expect(own).toEqual(parsed.data);
  expect(JSON.stringify(own)).toBe(JSON.stringify(parsed.data));
}

test.each(KINDS)('a $kind', ({ kind, spec }) => {
  const metadata = { name: 'shop', namespace: 'test', uid: 'u', labels: { a: 'b' }, finalizers: ['f'] };
  const whole = { apiVersion: API_VERSION, kind, metadata, spec: everythingOf(spec), status: everythingOf(appStatus) };
  const ends = { fits: 0, not: 0, status: 0 };
  const property = fc.property(changes, many => {
    const { status, ...rest } = changed(whole, many);
    const parsed = withoutStatus.safeParse(rest);
    expectSame(readWithoutStatus(rest), parsed);
    const parsedStatus = appStatus.safeParse(status);
    expectSame(readStatus(status), parsedStatus);
    const read = parseResource({ ...rest, status });
    expect(read).toMatchObject(parsed.success ? { ok: true, resource: parsed.data } : { ok: false });
    if (read.ok && parsedStatus.success) expect(read.resource.status).toEqual(parsedStatus.data);
    ends[parsed.success ? 'fits' : 'not'] += 1;
    if (!parsedStatus.success) ends.status += 1;
  });
  expect(withoutStatus.safeParse(changed(whole, []))).toMatchObject({ success: true });
  expect(appStatus.safeParse(whole.status)).toMatchObject({ success: true });
  fc.assert(property, { seed: SEED, numRuns: RUNS });
  process.stdout.write(`SEED=${SEED} ${kind} ${JSON.stringify(ends)}\n`);
  expect(Math.min(...Object.values(ends))).toBeGreaterThan(RUNS / 10);
});
