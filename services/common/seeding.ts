import type { Client } from 'pg';

/** Numbers from 0 to below 1, always the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export type Column = { readonly name: string; readonly type: string; readonly values: readonly Value[] };

type Value = string | number | null;

/** Rows of one statement: few round trips, and no statement's text grows without bound. */
const ROWS_AT_ONCE = 25_000;

/**
 * Appends rows that are given column by column, a whole array to a parameter: as fast as COPY but for the reading of
 * the text. A `timestamptz` is given in milliseconds since 1970.
 */
export async function insertColumns(client: Client, table: string, columns: readonly Column[]): Promise<void> {
  const rows = columns[0]?.values.length ?? 0;
  const names = columns.map(({ name }) => `"${name}"`).join(', ');
  const given = columns.map(({ name, type }) =>
    type === 'timestamptz' ? `to_timestamp("${name}" / 1000)` : `"${name}"`,
  );
  const arrays = columns.map(({ type }, index) => `$${index + 1}::${type === 'timestamptz' ? 'float8' : type}[]`);
  const text = `INSERT INTO "${table}" (${names}) SELECT ${given.join(', ')} FROM unnest(${arrays.join(', ')}) AS given (${names})`;
  for (let from = 0; from < rows; from += ROWS_AT_ONCE) {
    const slices = columns.map(({ values }) => values.slice(from, from + ROWS_AT_ONCE));
    await client.query(text, slices.map(arrayLiteral));
  }
}

/** `pg` would quote every number; for a million of them that is most of the time. */
function arrayLiteral(values: readonly Value[]): string {
  if (typeof values[0] === 'number') return `{${values.join(',')}}`;
  return `{${values.map(value => (value === null ? 'NULL' : quoted(String(value)))).join(',')}}`;
}

const quoted = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`;
