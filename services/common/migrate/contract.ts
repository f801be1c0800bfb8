import type { Migration } from './files.ts';
import { plainOf, type Statement, statementsOf } from './statements.ts';

/** One thing that the release which runs now cannot live with (contract, as in expand / contract). */
export type Taken = {
  /** in the user's words: `takes away column t.titulo` */
  readonly what: string;
  /** rows are no part of the catalogue: no comparison finds it */
  readonly isData: boolean;
};

/** What the author says decides; without a word from them, the text. Undefined: the running release lives with it. */
export function takenBy({ sql, marks }: Pick<Migration, 'sql' | 'marks'>): string | undefined {
  const why = marks.get('contract');
  if (why === undefined && marks.has('expand')) return undefined;
  const found = [...new Set(findContract(sql).map(({ what }) => what))].join('; ');
  if (found !== '') return found;
  return why === '' ? 'is marked as a contract' : why;
}

/** A text search, not a parser: it errs on the side of marking. `migrate lint --scratch` asks a database. */
export function findContract(sql: string): readonly Taken[] {
  const texts = statementsOf(sql).flatMap(textsOf);
  const made = madeBy(texts);
  return texts.flatMap(text => [...takenByTable(text, made), ...takenByStatement(text, made)]);
}

/** They take nothing away, and hold the rows of whole tables, or a body that is not run now. */
const HARMLESS = /^(?:INSERT|SELECT|UPDATE|COPY|COMMENT|GRANT|SET|CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE))\b/;

/** What is run: the statement; of a DO block, each of its statements, those that it executes from strings among them. */
function textsOf({ sql, words }: Statement): readonly string[] {
  if (HARMLESS.test(words.join(' '))) return [];
  if (words[0] !== 'DO') return [plainOf(sql)];
  return plainOf(sql, true)
    .split(';')
    .map(text => text.trim());
}

const PART = String.raw`(?:"[^"]+"|%[IsL]|[\w$\u0080-\uffff]+)`;
const NAME = String.raw`(${PART}(?:\.${PART})*)`;

/** With NAME for a name, and a blank for what a statement may have there. */
const pattern = (source: string): RegExp =>
  new RegExp(source.replaceAll('MAYBE', '(?:IF (?:NOT )?EXISTS )?(?:ONLY )?').replace(/\bNAME\b/g, NAME), 'i');

/** As PostgreSQL keeps it: in small letters, unless it was quoted. */
const kept = (name: string): string =>
  name.replace(/"([^"]+)"|[^".]+/g, (part, quoted: string | undefined) => quoted ?? part.toLowerCase());

type Column = { readonly hasDefault: boolean; readonly isNotNull: boolean };
/** Tables, and by table columns, that the same file makes: nobody uses them yet. With IF NOT EXISTS it may not. */
type Made = { readonly tables: ReadonlySet<string>; readonly columns: ReadonlyMap<string, Column> };

const CREATES_TABLE = pattern(
  String.raw`\bCREATE (?:(?:LOCAL |GLOBAL )?(?:TEMP|TEMPORARY) |UNLOGGED |FOREIGN )?TABLE (?!IF NOT EXISTS)${'NAME'}`,
);
const ALTERS_TABLE = pattern(String.raw`\bALTER (?:FOREIGN )?TABLE MAYBE(?:NAME )?(.*)$`);
const ADDS_COLUMN = pattern(
  String.raw`\bADD (?!CONSTRAINT\b|CHECK\b|UNIQUE\b|PRIMARY KEY\b|FOREIGN KEY\b|EXCLUDE\b|VALUE\b|ATTRIBUTE\b|GENERATED\b|TABLE\b)(?:COLUMN )?MAYBE${'NAME'}(.*)$`,
);
const MAY_BE_THERE = /^ADD (?:COLUMN )?IF NOT EXISTS\b/i;
const FILLS_ITSELF = /\bDEFAULT\b|\bGENERATED\b|^ \w*SERIAL\d?\b/i;

function madeBy(texts: readonly string[]): Made {
  const tables = new Set<string>();
  const columns = new Map<string, Column>();
  for (const text of texts) {
    const made = CREATES_TABLE.exec(text)?.[1];
    if (made !== undefined) tables.add(kept(made));
    const { table, actions } = actionsOf(text);
    for (const action of actions) {
      const [, name, definition = ''] = ADDS_COLUMN.exec(action) ?? [];
      if (name === undefined || MAY_BE_THERE.test(action)) continue;
      const isNotNull = /\bNOT NULL\b|\bPRIMARY KEY\b/i.test(definition);
      columns.set(`${table}.${kept(name)}`, { hasDefault: FILLS_ITSELF.test(definition), isNotNull });
    }
  }
  return { tables, columns };
}

/** The actions of an ALTER TABLE are what stands between commas outside of parentheses. */
function actionsOf(text: string): { readonly table: string; readonly actions: readonly string[] } {
  const [, name, rest = ''] = ALTERS_TABLE.exec(text) ?? [];
  return { table: name === undefined ? '?' : kept(name), actions: splitAtCommas(rest) };
}

function splitAtCommas(text: string): readonly string[] {
  let depth = 0;
  const parts = [''];
  for (const character of text) {
    if (character === '(') depth += 1;
    if (character === ')') depth -= 1;
    if (character === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts.map(part => part.trim()).filter(part => part !== '');
}

const DROPS_COLUMN = pattern(
  String.raw`\bDROP (?:COLUMN )?MAYBE(?!(?:COLUMN|IF|CONSTRAINT|DEFAULT|NOT|IDENTITY|EXPRESSION)\b)${'NAME'}`,
);
const SETS_NOT_NULL = pattern(String.raw`\bALTER (?:COLUMN )?NAME SET NOT NULL\b`);
const SETS_TYPE = pattern(String.raw`\bALTER (?:COLUMN )?NAME (?:SET DATA )?TYPE\b`);
const DROPS_DEFAULT = pattern(String.raw`\bALTER (?:COLUMN )?NAME DROP (?:DEFAULT|IDENTITY|EXPRESSION)\b`);
const DEMANDS = pattern(
  String.raw`\bADD (?:CONSTRAINT NAME )?((?:CHECK|UNIQUE|PRIMARY KEY|FOREIGN KEY|EXCLUDE)\b(?! USING INDEX).*)$`,
);
const DETACHES = pattern(String.raw`\b(?:DETACH PARTITION|NO INHERIT) NAME`);
const ROW_SECURITY = /\b(?:ENABLE|FORCE) ROW LEVEL SECURITY\b/i;

function takenByTable(text: string, made: Made): readonly Taken[] {
  const { table, actions } = actionsOf(text);
  if (made.tables.has(table)) return [];
  return actions.flatMap(action => takenByAction(table, action, made)).map(what => ({ what, isData: false }));
}

function takenByAction(table: string, action: string, { columns }: Made): readonly string[] {
  const found = (what: string | undefined) => (what === undefined ? [] : [what]);
  const columnIn = (searched: RegExp) => {
    const name = searched.exec(action)?.[1];
    return name === undefined ? undefined : `${table}.${kept(name)}`;
  };
  const [dropped, filled, typed, bare] = [DROPS_COLUMN, SETS_NOT_NULL, SETS_TYPE, DROPS_DEFAULT].map(columnIn);
  if (dropped !== undefined) return columns.has(dropped) ? [] : [`takes away column ${dropped}`];
  if (filled !== undefined) return columns.get(filled)?.hasDefault ? [] : [`makes column ${filled} NOT NULL`];
  if (typed !== undefined) return columns.has(typed) ? [] : [`changes the type of column ${typed}`];
  if (bare !== undefined)
    return columns.get(bare)?.isNotNull === false ? [] : [`takes away the default of column ${bare}`];
  return [
    ...found(demandOf(table, action, columns)),
    ...found(demandedColumn(table, action)),
    ...(DETACHES.test(action) ? [`detaches ${kept(DETACHES.exec(action)?.[1] ?? '')} from table ${table}`] : []),
    ...(ROW_SECURITY.test(action) ? [`turns row level security on for table ${table}`] : []),
  ];
}

const SHOWN = 80;
const short = (text: string) => (text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text);

/** A constraint over a column that the same file adds stops nobody who does not know that column. */
function demandOf(table: string, action: string, columns: Made['columns']): string | undefined {
  const demand = DEMANDS.exec(action)?.[2];
  return demand === undefined || namesNew(table, demand, columns)
    ? undefined
    : `demands of table ${table}: ${short(demand)}`;
}

const namesNew = (table: string, text: string, columns: Made['columns']): boolean =>
  [...text.matchAll(new RegExp(NAME, 'g'))].some(([name]) => columns.has(`${table}.${kept(name)}`));

function demandedColumn(table: string, action: string): string | undefined {
  const [, name, definition = ''] = ADDS_COLUMN.exec(action) ?? [];
  if (name === undefined || !/\bNOT NULL\b|\bPRIMARY KEY\b/i.test(definition) || FILLS_ITSELF.test(definition))
    return undefined;
  return `adds column ${table}.${kept(name)}, which must be filled`;
}

const DROPS = pattern(
  String.raw`\bDROP (TABLE|FOREIGN TABLE|VIEW|MATERIALIZED VIEW|FUNCTION|PROCEDURE|ROUTINE|AGGREGATE|TRIGGER|SCHEMA|SEQUENCE|TYPE|DOMAIN|EXTENSION|POLICY|RULE|CAST|COLLATION|OPERATOR) MAYBE(.+?)(?: CASCADE| RESTRICT)?$`,
);
const RENAMES = pattern(
  String.raw`\bALTER (TABLE|FOREIGN TABLE|VIEW|MATERIALIZED VIEW|FUNCTION|PROCEDURE|ROUTINE|SCHEMA|SEQUENCE|TYPE|DOMAIN) MAYBE(\S+)(?: ?\([^)]*\))? RENAME (?!CONSTRAINT\b)(?:COLUMN |ATTRIBUTE |VALUE )?(.+)$`,
);
const MOVES = pattern(
  String.raw`\bALTER (TABLE|VIEW|MATERIALIZED VIEW|FUNCTION|PROCEDURE|SEQUENCE|TYPE|DOMAIN) MAYBE(\S+)(?: ?\([^)]*\))? SET SCHEMA NAME`,
);
const NARROWS_TYPE = pattern(
  String.raw`\bALTER (TYPE|DOMAIN) NAME (?:DROP ATTRIBUTE|ALTER ATTRIBUTE|ADD CONSTRAINT|ADD CHECK|SET NOT NULL|DROP DEFAULT)\b`,
);
const UNIQUE_INDEX = pattern(String.raw`\bCREATE UNIQUE INDEX .*?\bON (?:ONLY )?NAME ?(.*)$`);
const REVOKES = /(?<!\bALTER DEFAULT PRIVILEGES\b.*)\bREVOKE\b.*/i;
const RESTRICTS = pattern(String.raw`\bCREATE POLICY NAME ON NAME AS RESTRICTIVE\b`);
// a right, and the event of a trigger, are no statement
const EMPTIES = pattern(
  String.raw`(?:^|\b(?:THEN|ELSE|LOOP|BEGIN|EXECUTE|FORMAT ?\()\s*)TRUNCATE (?:TABLE )?(?:ONLY )?NAME`,
);
const DELETES = pattern(String.raw`\bDELETE FROM (?:ONLY )?NAME`);
const MERGES = pattern(String.raw`\bMERGE INTO (?:ONLY )?NAME.*\bTHEN DELETE\b`);

function takenByStatement(text: string, made: Made): readonly Taken[] {
  const words = [
    sayOf(DROPS, text, ([kind = '', rest = '']) => `takes away ${kind.toLowerCase()} ${named(rest)}`),
    sayOf(RENAMES, text, ([kind = '', name = '', rest = '']) => renamed(kind, kept(name), rest)),
    sayOf(MOVES, text, ([kind = '', name = '', to]) => `moves ${kind.toLowerCase()} ${kept(name)} to schema ${to}`),
    sayOf(NARROWS_TYPE, text, ([kind = '', name = '']) => `demands more of ${kind.toLowerCase()} ${kept(name)}`),
    uniqueIndexOf(text, made),
    sayOf(RESTRICTS, text, ([, table = '']) => `hides rows of table ${kept(table)}`),
    REVOKES.test(text) ? `takes away rights: ${short(REVOKES.exec(text)?.[0] ?? '')}` : undefined,
  ];
  return [
    ...words.flatMap(what => (what === undefined ? [] : [{ what, isData: false }])),
    ...takenRows(EMPTIES, text, 'empties table', made),
    ...takenRows(DELETES, text, 'deletes rows of table', made),
    ...takenRows(MERGES, text, 'deletes rows of table', made),
  ];
}

function sayOf(searched: RegExp, text: string, say: (parts: readonly (string | undefined)[]) => string) {
  const found = searched.exec(text);
  return found === null ? undefined : say(found.slice(1));
}

const named = (names: string): string => splitAtCommas(names).map(kept).join(', ');

function renamed(kind: string, name: string, rest: string): string {
  const [, from, to = rest] = /^(\S+) TO (.+)$/i.exec(rest) ?? [];
  if (from === undefined) return `renames ${kind.toLowerCase()} ${name} ${kept(rest.replace(/^TO /i, 'to '))}`;
  if (from === "''") return `renames a value of ${kind.toLowerCase()} ${name}`;
  return `renames ${/TABLE|VIEW/i.test(kind) ? 'column ' : ''}${name}.${kept(from)} to ${kept(to)}`;
}

function uniqueIndexOf(text: string, { tables, columns }: Made): string | undefined {
  const [, name, demand = ''] = UNIQUE_INDEX.exec(text) ?? [];
  const table = kept(name ?? '');
  if (name === undefined || tables.has(table) || namesNew(table, demand, columns)) return undefined;
  return `demands of table ${table}: UNIQUE ${short(demand)}`;
}

function takenRows(searched: RegExp, text: string, words: string, { tables }: Made): readonly Taken[] {
  const name = searched.exec(text)?.[1];
  return name === undefined || tables.has(kept(name)) ? [] : [{ what: `${words} ${kept(name)}`, isData: true }];
}
