// Reads what a schema fits, without the schema and in a fraction of the time that zod takes: one function for each part of
// a plan (plan.ts), made once, without a text that is compiled (jitless.ts) and without a list of issues for each field.
// Ten thousand resources are read after a restart, and each after every change; the API server has validated them, so
// they fit. What does not is zod's: it has the words (misfits.ts).

/** What a schema says, as JSON. A node names by number what it is made of, all before it; the last one is the whole. */
export type Plan = readonly Node[];

export type Node =
  | { readonly is: 'string' | 'number'; readonly checks?: readonly Check[] }
  | { readonly is: 'boolean' | 'unknown' }
  | { readonly is: 'oneOf'; readonly values: readonly unknown[] }
  /** `orLeftOut`: also where it does not fit. */
  | { readonly is: 'optional'; readonly of: number; readonly orLeftOut?: true }
  /** What is filled in is taken as it is, or, `raw`, read like what is given. */
  | { readonly is: 'default'; readonly of: number; readonly value: unknown; readonly raw?: true }
  | { readonly is: 'array'; readonly of: number; readonly checks?: readonly Check[] }
  | { readonly is: 'record'; readonly key: number; readonly of: number }
  | { readonly is: 'object'; readonly fields: Readonly<Record<string, number>> }
  | { readonly is: 'union'; readonly of: readonly number[] };

/** One bound has one key. Lengths of strings are in code points, as JSON Schema has it. */
export type Check =
  | { readonly safeInteger: true }
  | { readonly min: number }
  | { readonly max: number }
  | { readonly above: number }
  | { readonly below: number }
  | { readonly minLength: number }
  | { readonly maxLength: number }
  | { readonly pattern: string; readonly flags?: string };

type Read = (value: unknown) => unknown;
// of what is of the node's type already
type Test = (value: never) => boolean;

class Misfit extends Error {}
const MISFIT = new Misfit('it does not fit');

/**
 * For JSON. Returns what `parse` of the plan's schema returns, defaults filled in; undefined for a value that does not fit.
 */
export function readerOf<T>(plan: Plan): (value: unknown) => T | undefined {
  return fittingOf(at(readsOf(plan), plan.length - 1)) as (value: unknown) => T | undefined;
}

export type FieldReaders<T> = { readonly [Name in keyof T]: (value: unknown) => T[Name] | undefined };

/** A reader for each field of an object, which are read by themselves. */
export function fieldReadersOf<T>(plan: Plan): FieldReaders<T> {
  const reads = readsOf(plan);
  const whole = at(plan, plan.length - 1);
  if (whole.is !== 'object') throw new Error('the plan is of no object');
  const fields = Object.entries(whole.fields).map(([name, index]) => [name, fittingOf(at(reads, index))]);
  return Object.fromEntries(fields) as FieldReaders<T>;
}

function readsOf(plan: Plan): readonly Read[] {
  const reads: Read[] = [];
  for (const node of plan) reads.push(readOf(node, plan, reads));
  return reads;
}

/** Undefined for what does not fit. */
const fittingOf =
  (read: Read): Read =>
  value => {
    try {
      return read(value);
    } catch (error) {
      if (error === MISFIT) return undefined;
      throw error;
    }
  };

function readOf(node: Node, plan: Plan, reads: readonly Read[]): Read {
  switch (node.is) {
    case 'string':
      return checked(value => typeof value === 'string', node.checks);
    case 'number':
      return checked(Number.isFinite, node.checks);
    case 'boolean':
      return value => (typeof value === 'boolean' ? value : misfit());
    case 'unknown':
      return value => value;
    case 'oneOf':
      return among(new Set(node.values));
    case 'optional': {
      const read = node.orLeftOut ? fittingOf(at(reads, node.of)) : at(reads, node.of);
      return value => (value === undefined ? undefined : read(value));
    }
    case 'default': {
      const read = at(reads, node.of);
      return filledIn(read, () => (node.raw ? read(node.value) : node.value));
    }
    case 'array':
      return array(at(reads, node.of), node.checks);
    case 'record':
      return record(at(reads, node.key), at(reads, node.of));
    case 'object':
      return object(node.fields, plan, reads);
    case 'union':
      return anyOf(node.of.map(option => at(reads, option)));
  }
}

function at<T>(list: readonly T[], index: number): T {
  const one = list[index];
  if (one === undefined) throw new Error(`the plan has no part ${index}`);
  return one;
}

function misfit(): never {
  throw MISFIT;
}

function checked(isOfType: (value: unknown) => boolean, checks: readonly Check[] = []): Read {
  const tests: readonly Test[] = [isOfType, ...checks.map(testOf)];
  return value => {
    for (const passes of tests) if (!passes(value as never)) return misfit();
    return value;
  };
}

function testOf(check: Check): Test {
  if ('safeInteger' in check) return Number.isSafeInteger;
  if ('min' in check) return (value: number) => value >= check.min;
  if ('max' in check) return (value: number) => value <= check.max;
  if ('above' in check) return (value: number) => value > check.above;
  if ('below' in check) return (value: number) => value < check.below;
  // a code point is one or two UTF-16 units: hardly a text has to be counted
  if ('minLength' in check) {
    const { minLength: min } = check;
    return (value: Countable) => value.length >= min && (value.length >= 2 * min || lengthOf(value) >= min);
  }
  if ('maxLength' in check) {
    const { maxLength: max } = check;
    return (value: Countable) => value.length <= max || lengthOf(value) <= max;
  }
  const pattern = new RegExp(check.pattern, check.flags);
  return (value: string) => {
    pattern.lastIndex = 0; // of `g` and `y`, which go on where the last text ended
    return pattern.test(value);
  };
}

type Countable = string | readonly unknown[];

function lengthOf(value: Countable): number {
  if (typeof value !== 'string') return value.length;
  let length = 0;
  for (const _ of value) length += 1;
  return length;
}

const among =
  (known: ReadonlySet<unknown>): Read =>
  value =>
    known.has(value) ? value : misfit();

/** What is filled in is one value for all, and frozen: zod clones it for each, which took longer than all the rest. */
function filledIn(read: Read, make: () => unknown): Read {
  let made: unknown;
  return value => {
    if (value !== undefined) return read(value);
    made ??= deeplyFrozen(make());
    return made;
  };
}

function deeplyFrozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const one of Object.values(value)) deeplyFrozen(one);
  return Object.freeze(value);
}

function array(read: Read, checks: readonly Check[] = []): Read {
  const check = checked(Array.isArray, checks);
  return value => (check(value) as readonly unknown[]).map(one => read(one));
}

function record(readKey: Read, read: Read): Read {
  return value => {
    const entries = Object.entries(asObject(value)).filter(([name]) => name !== '__proto__');
    return Object.fromEntries(entries.map(([name, one]) => [readKey(name), read(one)]));
  };
}

function object(shape: Readonly<Record<string, number>>, plan: Plan, reads: readonly Read[]): Read {
  const fields = Object.entries(shape).map(([name, index]) => ({
    name,
    read: at(reads, index),
    isLeftOut: at(plan, index).is === 'optional',
  }));
  return value => {
    const given = asObject(value);
    const read: Record<string, unknown> = {};
    for (const field of fields) {
      const one = given[field.name];
      if (one === undefined && field.isLeftOut) continue;
      const fitting = field.read(one);
      if (fitting !== undefined) read[field.name] = fitting;
    }
    return read;
  };
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return misfit();
  return value as Readonly<Record<string, unknown>>;
}

const anyOf =
  (reads: readonly Read[]): Read =>
  value => {
    for (const read of reads) {
      try {
        return read(value);
      } catch (error) {
        if (error !== MISFIT) throw error;
      }
    }
    return misfit();
  };
