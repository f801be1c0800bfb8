// The YAML of which kubeconfigs consist as kubectl and the providers' tools write them: mappings and lists in blocks, one
// word or quoted text as a value. A parser of all of YAML costs a short command more to load than its answer does to read.
// Whatever is not exactly this is not read here: `undefined`, and the parser is loaded.

type Value = string | boolean | readonly Value[] | { readonly [key: string]: Value };

const ENTRY = /^( *)((?:- )?)([A-Za-z][A-Za-z0-9-]*):(?: (.*))?$/;
/** Begins with a letter or a slash, so it is no number and no date; has no blank, so it is no mapping and has no comment. */
const WORD = /^[A-Za-z/][A-Za-z0-9/+=_.:@~-]*$/;
const NOT_TEXT = /^(?:true|false|null|yes|no|on|off|y|n)$/i;
const QUOTED = /^"([ !#-[\]-~]*)"$/;

class NotPlain extends Error {}

/** The lines' next value; `at` is a line's number. */
type Read = { readonly value: Value; readonly at: number };

type Line = {
  readonly indent: number;
  readonly dash: boolean;
  readonly key: string;
  readonly rest: string | undefined;
};

/** A mapping, or `undefined` where it is more than that. */
export function plainYaml(text: string): Value | undefined {
  try {
    const lines = text.replace(/\n+$/, '').split('\n').map(lineOf);
    const { value, at } = mapping(lines, 0, 0);
    return at === lines.length ? value : undefined;
  } catch (error) {
    if (error instanceof NotPlain) return undefined;
    throw error;
  }
}

function lineOf(line: string): Line {
  const [, spaces = '', dash = '', key = '', rest] = ENTRY.exec(line) ?? [];
  // a mapping's names are its own, and none is said twice
  if (key === '' || key === '__proto__') throw new NotPlain();
  return { indent: spaces.length, dash: dash !== '', key, rest };
}

/** All entries at this indent; the first may stand behind the dash of a list. */
function mapping(lines: readonly Line[], from: number, indent: number): Read {
  const entries = new Map<string, Value>();
  let at = from;
  for (let line = lines[at]; line; line = lines[at]) {
    const here = line.indent + (line.dash ? 2 : 0);
    if (here < indent || (line.dash && at > from)) break;
    if (here > indent || entries.has(line.key)) throw new NotPlain();
    const read = line.rest === undefined ? block(lines, at + 1, here) : { value: scalar(line.rest), at: at + 1 };
    entries.set(line.key, read.value);
    at = read.at;
  }
  return { value: Object.fromEntries(entries), at };
}

/** What stands below a name: a mapping further in, or a list, which may stand as far out as the name. */
function block(lines: readonly Line[], from: number, outer: number): Read {
  const first = lines[from];
  if (first?.dash && first.indent >= outer) return list(lines, from, first.indent);
  if (!first || first.indent <= outer) throw new NotPlain();
  return mapping(lines, from, first.indent);
}

function list(lines: readonly Line[], from: number, indent: number): Read {
  const items: Value[] = [];
  let at = from;
  for (let line = lines[at]; line?.dash && line.indent === indent; line = lines[at]) {
    const read = mapping(lines, at, indent + 2);
    items.push(read.value);
    at = read.at;
  }
  return { value: items, at };
}

function scalar(text: string): Value {
  if (text === '{}') return {};
  if (text === 'true' || text === 'false') return text === 'true';
  const quoted = QUOTED.exec(text)?.[1];
  if (quoted !== undefined) return quoted;
  if (!WORD.test(text) || NOT_TEXT.test(text) || text.endsWith(':')) throw new NotPlain();
  return text;
}
