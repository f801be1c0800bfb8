// A schema as a plan: plain JSON, from which reading.ts makes the functions that read (`make generate` writes plans.ts).
// A plan knows the kinds of schema that ours are made of, and the settings that these have. Whatever else a schema says
// stops the generator: left out, it would let in what zod refuses.
import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import type * as core from 'zod/v4/core';
import type { Check, Node, Plan } from './reading.ts';

export function planOf(schema: z.ZodType): Plan {
  const nodes: Node[] = [];
  const numbers = new Map<string, number>();
  // parts that say the same are one
  const add: Add = node => {
    const text = JSON.stringify(node);
    const number = numbers.get(text) ?? nodes.push(node) - 1;
    numbers.set(text, number);
    return { number, node };
  };
  addPart(schema as unknown as core.$ZodTypes, '', add);
  return nodes;
}

interface Added {
  readonly number: number;
  readonly node: Node;
}
type Add = (node: Node) => Added;

/** What else may stand in the definition of each kind. */
const SETTINGS: Readonly<Record<string, readonly string[]>> = {
  string: ['checks'],
  number: ['checks', 'check', 'format', 'abort'],
  boolean: [],
  unknown: [],
  literal: ['values'],
  enum: ['entries'],
  optional: ['innerType'],
  catch: ['innerType', 'catchValue'],
  default: ['innerType', 'defaultValue'],
  prefault: ['innerType', 'defaultValue'],
  array: ['element', 'checks'],
  record: ['keyType', 'valueType'],
  object: ['shape'],
  union: ['options', 'discriminator', 'inclusive'],
};

function addPart(schema: core.$ZodTypes, path: string, add: Add): Added {
  const { def, traits } = schema._zod;
  refuseOtherSettings(def, [...(SETTINGS[def.type] ?? refuse(path, `type ${def.type}`)), 'type', 'error'], path);
  if (traits.has('$ZodExactOptional')) refuse(path, 'an exact optional');
  const addInner = (inner: core.SomeType, name = '') => addPart(inner as core.$ZodTypes, path + name, add);
  switch (def.type) {
    case 'string':
      return add({ is: 'string', ...checksOf(def.checks, path) });
    case 'number':
      // z.int() is a check of its own
      return add({
        is: 'number',
        ...checksOf([...('check' in def ? [schema as never] : []), ...(def.checks ?? [])], path),
      });
    case 'boolean':
    case 'unknown':
      return add({ is: def.type });
    case 'literal':
      return add({ is: 'oneOf', values: asJson(def.values, path) });
    case 'enum':
      return add({ is: 'oneOf', values: namesOf(def.entries, path) });
    case 'optional': {
      const inner = addInner(def.innerType);
      // what is filled in is never absent
      return inner.node.is === 'default' ? inner : add({ is: 'optional', of: inner.number });
    }
    case 'catch':
      return add(orLeftOut(addInner(def.innerType).node, def, path));
    case 'default':
    case 'prefault': {
      const value = asJson(def.defaultValue, path);
      if (!isDeepStrictEqual(value, def.defaultValue)) refuse(path, 'a default that is another each time');
      const of = addInner(def.innerType).number;
      return add({ is: 'default', of, value, ...(def.type === 'prefault' && { raw: true }) });
    }
    case 'array':
      return add({ is: 'array', of: addInner(def.element, '[]').number, ...checksOf(def.checks, path) });
    case 'record': {
      const key = addInner(def.keyType, '.(key)');
      if (key.node.is !== 'string') refuse(path, 'keys that are no strings');
      return add({ is: 'record', key: key.number, of: addInner(def.valueType, '.*').number });
    }
    case 'object': {
      const fields = Object.entries(def.shape).map(([name, field]) => {
        const { number, node } = addInner(field, `.${name}`);
        // zod asks that it is there, and lets it be undefined
        if (node.is === 'unknown') refuse(`${path}.${name}`, 'a field that may be anything');
        return [name, number] as const;
      });
      return add({ is: 'object', fields: Object.fromEntries(fields) });
    }
    case 'union': {
      const options = def.options.map((option, index) => addInner(option, `(${index})`));
      if (options.some(({ node }) => ['optional', 'default', 'unknown'].includes(node.is))) {
        refuse(path, 'a choice with one that may be absent');
      }
      if ('discriminator' in def) refuseOtherTags(def as core.$ZodDiscriminatedUnionDef, path);
      else if (def.inclusive === false) refuse(path, 'a choice of exactly one');
      return add({ is: 'union', of: options.map(({ number }) => number) });
    }
    default:
      return refuse(path, `type ${def.type}`);
  }
}

/** What does not fit may be left out, and nothing else may stand for it. */
function orLeftOut(inner: Node, { catchValue }: core.$ZodCatchDef, path: string): Node {
  const isLeftOut = inner.is === 'optional' && catchValue({} as never) === undefined;
  return isLeftOut ? { ...inner, orLeftOut: true } : refuse(path, 'what stands for what does not fit');
}

function refuse(path: string, what: string): never {
  throw new Error(`${path.replace(/^\./, '') || 'the whole'}: a plan cannot say ${what}`);
}

function refuseOtherSettings(def: object, known: readonly string[], path: string): void {
  for (const [name, value] of Object.entries(def)) {
    const isSaid = value !== undefined && !(Array.isArray(value) && value.length === 0);
    if (isSaid && !known.includes(name)) refuse(path, `${name}: ${String(value)}`);
  }
}

/** zod chooses by the tag, a reader takes what fits first: the same, where one tag fits one option. */
function refuseOtherTags({ options, discriminator }: core.$ZodDiscriminatedUnionDef, path: string): void {
  for (const option of options as readonly core.$ZodTypes[]) {
    const { def } = option._zod;
    const tag = def.type === 'object' ? (def.shape[discriminator] as core.$ZodTypes | undefined) : undefined;
    if (tag?._zod.def.type !== 'literal') refuse(path, `a choice by ${discriminator} that is no literal`);
  }
}

function asJson<T>(value: T, path: string): T {
  const text = JSON.stringify(value) as string | undefined;
  const read = text === undefined ? undefined : (JSON.parse(text) as T);
  if (read === undefined || !isDeepStrictEqual(read, value)) return refuse(path, `${String(value)} in JSON`);
  return read;
}

function namesOf(entries: core.util.EnumLike, path: string): readonly string[] {
  return Object.values(entries).map(name => (typeof name === 'string' ? name : refuse(path, 'names by number')));
}

function checksOf(checks: readonly core.$ZodCheck<never>[] = [], path: string): { checks?: readonly Check[] } {
  return checks.length > 0 ? { checks: checks.map(check => checkOf(check as unknown as core.$ZodChecks, path)) } : {};
}

function checkOf({ _zod: { def } }: core.$ZodChecks, path: string): Check {
  const only = (...names: string[]) => refuseOtherSettings(def, [...names, 'check', 'abort', 'error', 'message'], path);
  switch (def.check) {
    case 'number_format':
      only('type', 'format', 'checks');
      if (def.format !== 'safeint') return refuse(path, `numbers as ${def.format}`);
      return { safeInteger: true };
    case 'greater_than':
      only('value', 'inclusive');
      return def.inclusive ? { min: numberIn(def.value, path) } : { above: numberIn(def.value, path) };
    case 'less_than':
      only('value', 'inclusive');
      return def.inclusive ? { max: numberIn(def.value, path) } : { below: numberIn(def.value, path) };
    case 'min_length':
      only('minimum', 'when');
      refuseOtherTimes(def.when, path);
      return { minLength: numberIn(def.minimum, path) };
    case 'max_length':
      only('maximum', 'when');
      refuseOtherTimes(def.when, path);
      return { maxLength: numberIn(def.maximum, path) };
    case 'string_format': {
      const { format, pattern } = def;
      only('format', 'pattern');
      if (format !== 'regex' || !pattern) return refuse(path, `texts as ${format}`);
      return { pattern: pattern.source, ...(pattern.flags && { flags: pattern.flags }) };
    }
    default:
      return refuse(path, `check ${(def as { check: string }).check}`);
  }
}

/** zod looks at the length of whatever has one; each schema whose length we bound is of such. */
const OF_WHAT_HAS_A_LENGTH = z.string().min(1)._zod.def.checks?.[0]?._zod.def.when;

function refuseOtherTimes(when: unknown, path: string): void {
  if (when !== OF_WHAT_HAS_A_LENGTH) refuse(path, 'a check that is made at times');
}

const numberIn = (value: unknown, path: string): number =>
  typeof value === 'number' ? asJson(value, path) : refuse(path, `a bound of ${typeof value}`);
