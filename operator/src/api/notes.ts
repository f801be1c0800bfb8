// The guard at the edge where the operator's own notes come back from the cluster. Anybody who may write there may have
// changed them: one that is not of the shape that it was written in counts as not written, and what it said is found
// out anew.
import type * as z from 'zod';
import { jsonOf } from './json.ts';
import { notesPlan } from './plans.ts';
import { type FieldReaders, fieldReadersOf } from './reading.ts';
import type { notes } from './schema/notes.ts';

/** What is absent is left out, and never undefined. */
type Given<T> = T extends readonly (infer One)[]
  ? readonly Given<One>[]
  : T extends object
    ? { readonly [Name in keyof T]: Given<Exclude<T[Name], undefined>> }
    : T;

export type Notes = Given<z.infer<typeof notes>>;

const readers: FieldReaders<Notes> = fieldReadersOf<Notes>(notesPlan());

/** Undefined for what is no such note. Its fields stand as they are given: notes are compared as texts. */
export function noteIn<Name extends keyof Notes>(name: Name, value: unknown): Notes[Name] | undefined {
  const read = readers[name](value);
  return read === undefined ? undefined : (inOrderOf(value, read) as Notes[Name]);
}

function inOrderOf(given: unknown, read: unknown): unknown {
  if (Array.isArray(read)) return read.map((one, index) => inOrderOf((given as readonly unknown[])[index], one));
  if (typeof read !== 'object' || read === null) return read;
  const fields = read as Readonly<Record<string, unknown>>;
  const ordered: Record<string, unknown> = {};
  for (const [name, one] of Object.entries(given as object))
    if (Object.hasOwn(fields, name)) ordered[name] = inOrderOf(one, fields[name]);
  return ordered;
}

/** Of the text of an annotation; undefined, too, where there is none. */
export const readNote = <Name extends keyof Notes>(name: Name, text: string | undefined): Notes[Name] | undefined =>
  text === undefined ? undefined : noteIn(name, jsonOf(text));
