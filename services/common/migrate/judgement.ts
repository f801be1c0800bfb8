// What one migration did to a database, by what the database held before and after it.
import type { Inventory, Item } from './inventory.ts';

export type Judgement = {
  /** what a release that served before it cannot live with, in the user's words */
  readonly takes: readonly string[];
  /** what may or may not matter to it: nobody but its author can tell */
  readonly notes: readonly string[];
};

type Said = { readonly take?: string; readonly note?: string };
type Change = { readonly before: Item; readonly after: Item };
type Context = { readonly before: Inventory; readonly after: Inventory };

export function judge(before: Inventory, after: Inventory): Judgement {
  const context = { before, after };
  const said = [
    ...[...before].flatMap(([key, item]) => {
      const now = after.get(key);
      if (now === undefined) return goesAlong(item, after) ? [] : [gone(item)];
      return sameFacts(item, now) ? [] : [changed({ before: item, after: now })];
    }),
    ...[...after]
      .filter(([key, item]) => !before.has(key) && isOld(item, context))
      .map(([, item]) => come(item, context)),
  ];
  return {
    takes: said.flatMap(({ take }) => (take === undefined ? [] : [take])),
    notes: said.flatMap(({ note }) => (note === undefined ? [] : [note])),
  };
}

/** What a way back leaves otherwise than it was, one line each. */
export const leftovers = (before: Inventory, after: Inventory): readonly string[] => [
  ...[...before].flatMap(([key, item]) => {
    const now = after.get(key);
    if (now === undefined) return goesAlong(item, after) ? [] : [`${key} is missing`];
    return sameFacts(item, now) ? [] : [`${key} is otherwise`];
  }),
  ...[...after]
    .filter(
      ([key, item]) =>
        !before.has(key) && !(item.of !== null && hasOwner(item.of, after) && !hasOwner(item.of, before)),
    )
    .map(([key]) => `${key} is there`),
];

const sameFacts = (one: Item, other: Item): boolean => JSON.stringify(one.facts) === JSON.stringify(other.facts);

const OWNERS = ['table', 'view', 'function', 'sequence'];

const hasOwner = (name: string, inventory: Inventory): boolean =>
  OWNERS.some(kind => inventory.has(`${kind} ${name}`)) || name.startsWith('schema ');

/** Who says that a table is gone has said it of its columns, too. */
const goesAlong = (item: Item, after: Inventory): boolean => item.of !== null && !hasOwner(item.of, after);

/** On something that was there before, so that somebody uses it. */
const isOld = (item: Item, { before }: Context): boolean => item.of !== null && hasOwner(item.of, before);

const unique = ({ facts }: Item): boolean =>
  facts['unique'] === true || ['p', 'u', 'x'].includes(String(facts['type']));

function gone(item: Item): Said {
  const { kind, name } = item;
  if (kind === 'index' || kind === 'constraint') return unique(item) ? { take: `takes away ${kind} ${name}` } : {};
  return { take: `takes away ${kind} ${name}` };
}

function changed(change: Change): Said {
  const { kind, name } = change.after;
  const words: Partial<Record<Item['kind'], (change: Change) => Said>> = {
    table: changedTable,
    column: changedColumn,
    constraint: changedDemand,
    index: changedDemand,
    function: changedFunction,
    enum: changedEnum,
    domain: () => ({ take: `changes domain ${name}` }),
  };
  return words[kind]?.(change) ?? { note: `changes ${kind} ${name}` };
}

const fact = ({ before, after }: Change, name: string) => [before.facts[name], after.facts[name]] as const;

function changedTable(change: Change): Said {
  const { name } = change.after;
  const [partBefore, partNow] = fact(change, 'partOf');
  if (partBefore !== partNow)
    return partBefore === null
      ? { note: `attaches table ${name}` }
      : { take: `detaches table ${name} from ${partBefore}` };
  const isTurnedOn = ['secured', 'forced'].some(
    name => fact(change, name)[1] === true && fact(change, name)[0] === false,
  );
  return isTurnedOn
    ? { take: `turns row level security on for table ${name}` }
    : { note: `turns row level security off for table ${name}` };
}

function changedColumn(change: Change): Said {
  const column = `column ${change.after.name}`;
  const [typeBefore, typeNow] = fact(change, 'type');
  if (typeBefore !== typeNow) return { take: `changes the type of ${column} from ${typeBefore} to ${typeNow}` };
  const [requiredBefore, requiredNow] = fact(change, 'notNull');
  if (requiredNow === true && requiredBefore === false) return { take: `makes ${column} NOT NULL` };
  const isFilled = ({ facts }: Item) => facts['default'] !== null || facts['identity'] !== '';
  if (isFilled(change.before) && !isFilled(change.after)) return { take: `takes away the default of ${column}` };
  return { note: `changes ${column}` };
}

const changedDemand = (change: Change): Said => {
  const { kind, name, facts, of } = change.after;
  if (kind === 'index' && !unique(change.before) && !unique(change.after)) return {};
  return { take: `demands of table ${of}: ${kind} ${name} ${facts['definition']}` };
};

function changedFunction(change: Change): Said {
  const { name } = change.after;
  const [before, now] = fact(change, 'result');
  return before === now
    ? { note: `changes function ${name}` }
    : { take: `changes what function ${name} gives from ${before} to ${now}` };
}

function changedEnum(change: Change): Said {
  const [before, now] = fact(change, 'labels') as readonly (readonly string[])[];
  const missing = (before ?? []).filter(label => !now?.includes(label));
  return missing.length > 0 ? { take: `takes away ${missing.join(', ')} of enum ${change.after.name}` } : {};
}

/** What is new, on something old: it stops the release that does not know it, or it does not. */
function come(item: Item, context: Context): Said {
  const { kind, name, of, facts } = item;
  if (kind === 'trigger' || kind === 'policy') {
    const isStrict = kind === 'policy' && facts['permissive'] === false;
    return isStrict ? { take: `hides rows of table ${of}` } : { note: `adds ${kind} ${name}` };
  }
  if (kind === 'column' && facts['ofTable'] === true && facts['notNull'] === true && !isFilled(item))
    return { take: `adds column ${name}, which must be filled` };
  const isDemand = kind === 'constraint' || (kind === 'index' && facts['unique'] === true);
  return isDemand && demands(item, context) ? { take: `demands of table ${of}: ${shown(item)}` } : {};
}

const isFilled = ({ facts }: Item): boolean =>
  facts['default'] !== null || facts['identity'] !== '' || facts['generated'] !== '';

const shown = ({ facts }: Item): string =>
  String(facts['definition']).replace(/^CREATE (UNIQUE) INDEX .* USING \w+ /, '$1 ');

/**
 * Does it stop writers that do not know its columns? Not when all are new; and a unique key not when one is new and
 * stays empty, as it then differs from every other.
 */
function demands(item: Item, { before, after }: Context): boolean {
  const columns = item.facts['columns'] as readonly string[];
  const added = columns.filter(column => !before.has(`column ${column}`));
  if (columns.length > 0 && added.length === columns.length) return false;
  const staysEmpty = added.some(column => after.get(`column ${column}`)?.facts['default'] === null);
  return !(unique(item) && staysEmpty);
}
