// What a way back would lose, by trying it: run, look, and back to the savepoint; then count, and where nothing would be
// lost, once more while nobody else writes.
import type { Client } from 'pg';
import type { Run } from './turns.ts';

type Column = {
  readonly table: string;
  readonly place: string;
  readonly name: string;
  readonly quoted: string;
  readonly type: string;
  readonly filled: string | null;
  readonly isComputed: boolean;
};
type Table = {
  readonly oid: string;
  readonly quoted: string;
  readonly name: string;
  readonly file: string;
  /** of this transaction */
  readonly deleted: string;
  readonly updated: string;
};
type Look = { readonly tables: ReadonlyMap<string, Table>; readonly columns: ReadonlyMap<string, Column> };

const OURS =
  "nspname !~ '^pg_' AND nspname <> 'information_schema' AND relname <> '_prisma_migrations' AND relkind IN ('r', 'p')";

const TABLES = `
  SELECT c.oid::text, format('%I.%I', nspname, relname) AS quoted,
    CASE WHEN nspname = $1 THEN relname ELSE nspname || '.' || relname END AS name, pg_relation_filenode(c.oid)::text AS file,
    pg_stat_get_xact_tuples_deleted(c.oid)::text AS deleted, pg_stat_get_xact_tuples_updated(c.oid)::text AS updated
  FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE ${OURS}`;

const COLUMNS = `
  SELECT attrelid::text AS table, attnum::text AS place, attname AS name, quote_ident(attname) AS quoted,
    atttypid || ' ' || format_type(atttypid, atttypmod) AS type, pg_get_expr(adbin, adrelid) AS filled, attgenerated <> '' AS "isComputed"
  FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace JOIN pg_attribute ON attrelid = c.oid
  LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
  WHERE attnum > 0 AND NOT attisdropped AND ${OURS}`;

async function lookAround(client: Client, schema: string): Promise<Look> {
  const { rows: tables } = await client.query<Table>(TABLES, [schema]);
  const { rows: columns } = await client.query<Column>(COLUMNS);
  return {
    tables: new Map(tables.map(table => [table.oid, table])),
    columns: new Map(columns.map(column => [`${column.table}.${column.place}`, column])),
  };
}

/**
 * Rows of tables that would go, values of columns that would go or become another type and are not what the column is
 * filled with by itself, rows that the SQL deletes or changes: `table pedidos_nota: 1204 rows`. Within the transaction
 * that is open. Readers wait only while the SQL is tried; where nothing is lost nobody writes to the tables concerned
 * until the end of the transaction, so that what was counted is what goes.
 */
export async function whatIsLost(run: Run, plan: readonly { readonly sql: string }[]): Promise<readonly string[]> {
  const { client } = run.session;
  const { schema } = run.history;
  const before = await lookAround(client, schema);
  await client.query('SAVEPOINT attempt');
  for (const { sql } of plan) {
    await client.query(sql);
    await client.query('RESET SESSION AUTHORIZATION; RESET ROLE');
  }
  const after = await lookAround(client, schema);
  const left = await whatIsLeft(client, before, after);
  await client.query('ROLLBACK TO SAVEPOINT attempt');
  const touched = [...before.tables.values()].filter(table => isTouched(table, before, after));
  const lost = await countLost(client, touched, { before, after, left });
  if (lost.length > 0 || touched.length === 0) return lost;
  const names = touched.map(({ quoted }) => quoted).join(', ONLY ');
  await client.query(`LOCK TABLE ONLY ${names} IN SHARE ROW EXCLUSIVE MODE`);
  return countLost(client, touched, { before, after, left });
}

/** How many rows, and a sum over what stands in the columns that stay. */
type Content = { readonly rows: number; readonly sum: string };
type Attempt = { readonly before: Look; readonly after: Look; readonly left: ReadonlyMap<string, Content> };

/** A table that was written anew may hold fewer rows than before (TRUNCATE) or other values (ALTER … USING). */
async function whatIsLeft(client: Client, before: Look, after: Look): Promise<ReadonlyMap<string, Content>> {
  const left = new Map<string, Content>();
  for (const table of after.tables.values()) {
    const file = before.tables.get(table.oid)?.file;
    if (file === undefined || file === table.file) continue;
    left.set(table.oid, await contentOf(client, table, sameColumns(table, before, after)));
  }
  return left;
}

const sameColumns = (table: Table, before: Look, after: Look): readonly Column[] =>
  columnsOf(before, table).filter(column => isSame(column, after));

async function contentOf(client: Client, { quoted }: Table, columns: readonly Column[]): Promise<Content> {
  const row = `ROW(${columns.map(column => column.quoted).join(', ')})::text`;
  const { rows } = await client.query<Content>(
    `SELECT count(*)::int AS rows, coalesce(sum(hashtextextended(${row}, 0)::numeric), 0)::text AS sum FROM ONLY ${quoted}`,
  );
  return rows[0] ?? { rows: 0, sum: '0' };
}

async function countLost(client: Client, touched: readonly Table[], attempt: Attempt): Promise<readonly string[]> {
  // a policy that hid rows from us would hide a loss: then it is an error
  await client.query('SET LOCAL row_security = off');
  const lost: string[] = [];
  for (const table of touched) lost.push(...(await lostOf(client, table, attempt)));
  await client.query('SET LOCAL row_security = on');
  return lost;
}

const columnsOf = ({ columns }: Look, table: Table) =>
  [...columns.values()].filter(column => column.table === table.oid);

const isSame = (column: Column, after: Look): boolean =>
  after.columns.get(`${column.table}.${column.place}`)?.type === column.type;

function isTouched(table: Table, before: Look, after: Look): boolean {
  const now = after.tables.get(table.oid);
  if (now === undefined || now.file !== table.file) return true;
  return writtenIn(table, now) > 0 || columnsOf(before, table).some(column => !isSame(column, after));
}

const writtenIn = (before: Table, now: Table): number =>
  Number(now.deleted) - Number(before.deleted) + Number(now.updated) - Number(before.updated);

async function lostOf(client: Client, table: Table, { before, after, left }: Attempt): Promise<readonly string[]> {
  const now = after.tables.get(table.oid);
  if (now === undefined) {
    const rows = await count(client, table, 'true');
    return rows > 0 ? [`table ${table.name}: ${rows} rows`] : [];
  }
  const lost: string[] = [];
  for (const column of columnsOf(before, table).filter(each => !isSame(each, after) && !each.isComputed)) {
    const values = await count(client, table, isItsOwn(column));
    if (values > 0) lost.push(`column ${table.name}.${column.name}: ${values} values`);
  }
  const written = writtenIn(table, now);
  if (written > 0) lost.push(`table ${table.name}: ${written} rows deleted or changed`);
  const then = left.get(table.oid);
  if (then !== undefined) {
    const { rows, sum } = await contentOf(client, table, sameColumns(table, before, after));
    if (then.rows < rows) lost.push(`table ${table.name}: ${rows - then.rows} rows`);
    else if (then.sum !== sum) lost.push(`table ${table.name}: values of ${rows} rows are written anew`);
  }
  return lost;
}

/** To ask a sequence for its next value would take it. */
const isItsOwn = ({ quoted, filled }: Column): string =>
  filled === null || /\bnextval\(/.test(filled)
    ? `${quoted} IS NOT NULL`
    : `${quoted}::text IS DISTINCT FROM (${filled})::text`;

async function count(client: Client, { quoted }: Table, which: string): Promise<number> {
  const { rows } = await client.query<{ rows: string }>(`SELECT count(*) AS rows FROM ONLY ${quoted} WHERE ${which}`);
  return Number(rows[0]?.rows ?? 0);
}
