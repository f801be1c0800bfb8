// Reads what a schema fits, in a fraction of the time that zod takes: one function for each part of the schema, made
// once, without a text that is compiled (jitless.ts) and without a list of issues for each field. Ten thousand
// resources are read after a restart, and each after every change; the API server has validated them, so they fit.
// What does not is zod's: it has the words. zod stays the one source of what fits; the kinds of schema below are those
// that ours are made of, all others are handed to zod as they are.
import type * as z from 'zod';
import type * as core from 'zod/v4/core';

type Read = (value: unknown) => unknown;

class Misfit extends Error {}
const MISFIT = new Misfit('it does not fit');

/**
 * For JSON. Returns what `schema.parse` returns, defaults filled in; undefined for a value that does not fit.
 */
export function readerOf<S extends z.ZodType>(schema: S): (value: unknown) => z.output<S> | undefined {
  const read = readOf(schema as unknown as core.$ZodTypes);
  return value => {
    try {
      return read(value) as z.output<S>;
    } catch (error) {
      if (error === MISFIT) return undefined;
      throw error;
    }
  };
}

function readOf(schema: core.$ZodTypes): Read {
  const read = plainlyOf(schema);
  if (!read) return asZodDoes(schema);
  const checks = checksOf(schema);
  return checks.length === 0 ? read : value => checked(read(value), checks);
}

function plainlyOf(schema: core.$ZodTypes): Read | undefined {
  const { def } = schema._zod;
  switch (def.type) {
    case 'string':
    case 'boolean':
      return 'coerce' in def && def.coerce ? undefined : ofType(def.type);
    case 'number':
      return 'coerce' in def && def.coerce ? undefined : value => (Number.isFinite(value) ? value : misfit());
    case 'literal':
      return among(new Set(def.values));
    case 'enum':
      return among(new Set(Object.values(def.entries)));
    case 'optional':
      return optional(def.innerType as core.$ZodTypes);
    case 'default':
      return filledIn(readOf(def.innerType as core.$ZodTypes), () => def.defaultValue);
    case 'prefault': {
      const read = readOf(def.innerType as core.$ZodTypes);
      return filledIn(read, () => read(def.defaultValue));
    }
    case 'array': {
      const read = readOf(def.element as core.$ZodTypes);
      return value => (Array.isArray(value) ? value.map(read) : misfit());
    }
    case 'record':
      return record(def);
    case 'object':
      return def.catchall ? undefined : object(def.shape);
    case 'union':
      return anyOf(def.options.map(option => readOf(option as core.$ZodTypes)));
    default:
      return undefined;
  }
}

function misfit(): never {
  throw MISFIT;
}

const asZodDoes = (schema: core.$ZodTypes): Read => {
  const { safeParse } = schema as unknown as z.ZodType;
  return value => {
    const parsed = safeParse(value);
    return parsed.success ? parsed.data : misfit();
  };
};

const ofType =
  (type: 'string' | 'boolean'): Read =>
  value =>
    typeof value === type ? value : misfit();

const among =
  (known: ReadonlySet<unknown>): Read =>
  value =>
    known.has(value) ? value : misfit();

function optional(inner: core.$ZodTypes): Read {
  const read = readOf(inner);
  const isFilledIn = inner._zod.optin === 'defaulted';
  return value => (value === undefined && !isFilledIn ? undefined : read(value));
}

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

function record({ keyType, valueType, mode }: core.$ZodRecordDef): Read | undefined {
  const key = keyType as core.$ZodTypes;
  if (key._zod.def.type !== 'string' || mode === 'loose') return undefined;
  const [readKey, read] = [readOf(key), readOf(valueType as core.$ZodTypes)];
  return value => {
    const entries = Object.entries(asObject(value)).filter(([name]) => name !== '__proto__');
    return Object.fromEntries(entries.map(([name, one]) => [readKey(name), read(one)]));
  };
}

function object(shape: core.$ZodShape): Read {
  const fields = Object.entries(shape).map(([name, field]) => ({
    name,
    read: readOf(field as core.$ZodTypes),
    isLeftOut: field._zod.optin === 'optional' && field._zod.optout === 'optional',
  }));
  return value => {
    const given = asObject(value);
    const read: Record<string, unknown> = {};
    for (const field of fields) {
      const one = given[field.name];
      if (one !== undefined || !field.isLeftOut) read[field.name] = field.read(one);
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

/** As zod runs them: a schema may be a check of its own. */
function checksOf(schema: core.$ZodTypes): readonly core.$ZodCheck<unknown>[] {
  const own = schema._zod.traits.has('$ZodCheck') ? [schema] : [];
  return [...own, ...(schema._zod.def.checks ?? [])] as unknown as core.$ZodCheck<unknown>[];
}

function checked(value: unknown, checks: readonly core.$ZodCheck<unknown>[]): unknown {
  const payload: core.ParsePayload = { value, issues: [] };
  for (const { _zod: check } of checks) {
    if (check.def.when && !check.def.when(payload)) continue;
    void check.check(payload);
    if (payload.issues.length > 0) return misfit();
  }
  return payload.value;
}
