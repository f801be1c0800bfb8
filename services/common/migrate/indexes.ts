import type { Client } from 'pg';

/** An index that CREATE INDEX CONCURRENTLY began and did not finish: it costs every write and serves no reading. */
export type InvalidIndex = {
  /** with its schema, quoted where it must be */
  readonly qualified: string;
  readonly name: string;
};

// partitioned indexes ('I') are invalid until all their parts are there; one that is being built is not one yet
const INVALID = `
  SELECT format('%I.%I', nspname, relname) AS qualified, relname AS name
  FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
  WHERE NOT indisvalid AND relkind = 'i'
    AND NOT EXISTS (SELECT 1 FROM pg_stat_progress_create_index WHERE index_relid = indexrelid)`;

export const readInvalidIndexes = async (client: Client): Promise<readonly InvalidIndex[]> =>
  (await client.query<InvalidIndex>(`${INVALID} ORDER BY 1`)).rows;

const NAME = '((?:"(?:[^"]|"")+"|[\\w$.\\u0080-\\uffff]+)+)';
const CREATES_INDEX = new RegExp(
  `\\bCREATE\\s+(?:UNIQUE\\s+)?INDEX\\s+(?:CONCURRENTLY\\s+)?(?:IF\\s+NOT\\s+EXISTS\\s+)?${NAME}\\s+ON\\s+(?:ONLY\\s+)?${NAME}`,
  'gi',
);
const CREATES_TABLE = new RegExp(`\\bCREATE\\s+(?:UNLOGGED\\s+)?TABLE\\s+(?!IF\\s+NOT\\b)${NAME}\\s*\\(`, 'gi');

const withoutComments = (sql: string) => sql.replace(/--[^\n]*/g, '').replace(/\/\*[\s\S]*?\*\//g, '');

const namesIn = (sql: string, pattern: RegExp): readonly string[] =>
  [...withoutComments(sql).matchAll(pattern)].map(([, name = '']) => name);

/** A name as PostgreSQL keeps it: in small letters, unless it was quoted. */
const kept = (name: string): string =>
  name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase();

/** Names of the indexes that this SQL makes, as the catalogue has them. */
export const indexesMadeBy = (sql: string): readonly string[] => namesIn(sql, CREATES_INDEX).map(kept);

/** The invalid indexes that bear the name, on the table, of one that this SQL makes. */
export async function leftovers(client: Client, sql: string): Promise<readonly InvalidIndex[]> {
  const made = [...withoutComments(sql).matchAll(CREATES_INDEX)];
  const { rows } = await client.query<InvalidIndex>(
    `${INVALID} AND (relname, indrelid) IN (SELECT name, to_regclass(made_on) FROM unnest($1::text[], $2::text[]) AS made(name, made_on))`,
    [made.map(([, name = '']) => kept(name)), made.map(([, , table]) => table)],
  );
  return rows;
}

/** The tables that this SQL makes and that are there already, as the SQL names them. */
export async function tablesInTheWay(client: Client, schema: string, sql: string): Promise<readonly string[]> {
  const names = [...new Set(namesIn(sql, CREATES_TABLE))];
  const { rows } = await client.query<{ name: string }>(
    `SELECT name FROM unnest($1::text[]) WITH ORDINALITY AS made(name, place)
     JOIN pg_class ON pg_class.oid = to_regclass(name) JOIN pg_namespace ON pg_namespace.oid = relnamespace
     WHERE nspname = $2 OR position('.' IN name) > 0 ORDER BY place`,
    [names, schema],
  );
  return rows.map(({ name }) => name.replaceAll('"', ''));
}
