import type { Pool } from 'pg';
import { remembering, rememberingPlaces } from './remembering.ts';
import { SEARCHED, searchQuery } from './search.ts';

/** A resource as clients see it, in this order. */
export type ShownResource = {
  readonly title: string;
  readonly description: string | null;
  readonly url: string;
  readonly type: string;
  readonly id: string;
  /** UTC, microseconds: `2026-01-31T12:00:00.123456Z` */
  readonly created_at: string;
};

export type ListOptions = {
  readonly skip: number;
  readonly limit: number;
  readonly type?: string | undefined;
  /** words that title or description must hold */
  readonly q?: string | undefined;
  /** where the page begins, whatever is skipped: from the page before it */
  readonly cursor?: Place | undefined;
};

/** A place in the order of the list. It stays where it is when the resource that stood there is gone. */
export type Place = {
  /** since 1970, as many digits as PostgreSQL keeps. Microseconds */
  readonly micros: number;
  readonly id: string;
};

export type ResourcePage = {
  readonly resources: readonly ShownResource[];
  readonly total: number;
  /** there are more matches than a search looks at */
  readonly capped: boolean;
  /** where the next page begins; a search has none, it is counted through */
  readonly next?: Place | undefined;
};

export type NewResource = Pick<ShownResource, 'title' | 'description' | 'url' | 'type'> & { readonly ownerId: string };

export type ResourceQueries = {
  /** In one statement. Totals and searches are asked for anew; places are not: what is newest moves none. */
  create(resource: NewResource): Promise<ShownResource>;
  find(id: string): Promise<ShownResource | undefined>;
  list(options: ListOptions): Promise<ResourcePage>;
  /** After a change or a deletion by this process: totals, places and searches are asked for anew. */
  forget(): void;
};

const SHOWN = `title, description, url, type, id,
  to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at`;

/**
 * A word like `a` begins something in nearly every resource. Sorting all of those would cost more than the rest of the
 * service together, so a search looks at this many matches.
 */
export const SEARCH_CAP = 1_000;

/**
 * The hot reads, past Prisma's client and over the same pool: measured in docs/reference/devshelf.md.
 * `now` gives milliseconds.
 *
 * What costs more than the page itself is remembered for a second, for all who ask in the meantime: how many there are,
 * where a page begins that leaves many out, what a search finds. A write of this process ends that second at once.
 */
export function resourceQueries(pool: Pool, now: () => number = () => performance.now()): ResourceQueries {
  const totals = remembering<number>(now);
  const places = rememberingPlaces<Place>(
    (type, ahead, from) => placeAt(pool, type, ahead, from),
    (type, every, rows) => placesEvery(pool, type, every, rows),
    now,
  );
  const searches = remembering<readonly string[]>(now);
  const totalOf = (type: string | undefined) => totals.of(keyOf(type), () => countOf(pool, type));

  const list = async ({ skip, limit, type, cursor }: ListOptions): Promise<ResourcePage> => {
    const deep = cursor === undefined && skip >= DEEP;
    const { place: begin, ahead } = deep
      ? await places.of({ type, skip })
      : { place: cursor, ahead: cursor ? 0 : skip };
    // one more than is shown: the next page begins there
    const rows = deep && begin === undefined ? [] : await pageOf(pool, { ahead, limit: limit + 1, type, begin });
    const resources = rows.slice(0, limit);
    const following = rows[limit];
    const next = following && placeOf(following);
    if (next !== undefined && cursor === undefined) places.follow({ type, skip }, { type, skip: skip + limit }, next);
    // whoever brings a cursor says himself how many he has left out: nothing is counted from that
    const known = cursor === undefined && next === undefined && (resources.length > 0 || skip === 0);
    const total = known ? skip + resources.length : await totalOf(type);
    const atLeast = cursor === undefined && next !== undefined ? skip + rows.length : 0;
    return { resources, total: Math.max(total, atLeast), capped: false, next };
  };

  const search = async (words: string, { skip, limit, type }: ListOptions): Promise<ResourcePage> => {
    const found = await searches.of(`${words} ${keyOf(type)}`, () => idsOf(pool, words, type));
    const ids = found.slice(0, SEARCH_CAP).slice(skip, skip + limit);
    const resources = ids.length === 0 ? [] : await shownOf(pool, ids);
    return { resources, total: Math.min(found.length, SEARCH_CAP), capped: found.length > SEARCH_CAP };
  };

  const forget = (what?: 'added'): void => {
    for (const memory of [totals, searches]) memory.forget();
    if (what === 'added') places.grown();
    else places.forget();
  };

  return {
    create: async ({ title, description, url, type, ownerId }) => {
      const { rows } = await pool.query<ShownResource>(
        `INSERT INTO resources (title, description, url, type, owner_id) VALUES ($1, $2, $3, $4, $5) RETURNING ${SHOWN}`,
        [title, description, url, type, ownerId],
      );
      forget('added');
      return rows[0] as ShownResource;
    },
    find: async id => {
      const { rows } = await pool.query<ShownResource>(`SELECT ${SHOWN} FROM resources WHERE id = $1`, [id]);
      return rows[0];
    },
    list: async options => {
      const words = searchQuery(options.q);
      return words === undefined ? list(options) : search(words, options);
    },
    forget: () => forget(),
  };
}

/** No type is another key than any type. */
const keyOf = (type: string | undefined): string => (type === undefined ? 'all' : `type ${type}`);

/** From here on it costs less to look for the place first: the index alone says which rows are left out. */
const DEEP = 100;

const placeOf = ({ id, created_at }: ShownResource): Place => ({
  micros: Date.parse(`${created_at.slice(0, 23)}Z`) * 1_000 + Number(created_at.slice(23, 26)),
  id,
});

/** So many rows after a place, or after the beginning of the list. */
async function placeAt(
  pool: Pool,
  type: string | undefined,
  ahead: number,
  from: Place | undefined,
): Promise<Place | undefined> {
  const values: unknown[] = [ahead, ...(from ? [from.micros, from.id] : [])];
  const where = [...(from ? [FROM] : []), ...(type === undefined ? [] : [`type = $${values.push(type)}`])];
  const { rows } = await pool.query<{ micros: string; id: string }>(
    `SELECT (extract(epoch FROM created_at) * 1000000)::bigint AS micros, id FROM resources
     ${whereOf(where)} ORDER BY created_at, id LIMIT 1 OFFSET $1`,
    values,
  );
  return rows[0] && { micros: Number(rows[0].micros), id: rows[0].id };
}

/** Every so many rows, among the first `rows`: how many are before it, and the place. */
async function placesEvery(
  pool: Pool,
  type: string | undefined,
  every: number,
  rows: number,
): Promise<readonly (readonly [number, Place])[]> {
  const found = await pool.query<{ before: string; micros: string; id: string }>(
    `SELECT before, (extract(epoch FROM created_at) * 1000000)::bigint AS micros, id
     FROM (SELECT created_at, id, row_number() OVER (ORDER BY created_at, id) - 1 AS before
           FROM resources ${type === undefined ? '' : 'WHERE type = $3'}
           ORDER BY created_at, id LIMIT $2) AS numbered
     WHERE before > 0 AND before % $1 = 0`,
    type === undefined ? [every, rows] : [every, rows, type],
  );
  return found.rows.map(({ before, micros, id }) => [Number(before), { micros: Number(micros), id }] as const);
}

/** Of a place that is the second and third value. */
const FROM = `(resources.created_at, id) >= (timestamptz 'epoch' + $2 * interval '1 microsecond', $3::uuid)`;
const whereOf = (conditions: readonly string[]): string =>
  conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;

type Page = { readonly begin: Place | undefined; readonly ahead: number } & Pick<ListOptions, 'limit' | 'type'>;

/** So many rows after a place, or after the beginning of the list. */
async function pageOf(pool: Pool, { begin, ahead, limit, type }: Page): Promise<readonly ShownResource[]> {
  const values: unknown[] = [limit, ...(begin ? [begin.micros, begin.id] : [])];
  const where = [...(begin ? [FROM] : []), ...(type === undefined ? [] : [`type = $${values.push(type)}`])];
  const offset = ahead === 0 ? '' : `OFFSET $${values.push(ahead)}`;
  const { rows } = await pool.query<ShownResource>(
    // the inner one leaves out: of what is shown only the page is made
    `SELECT ${SHOWN} FROM (
       SELECT title, description, url, type, id, created_at FROM resources ${whereOf(where)}
       ORDER BY created_at, id LIMIT $1 ${offset}
     ) AS resources ORDER BY resources.created_at, id`,
    values,
  );
  return rows;
}

async function countOf(pool: Pool, type: string | undefined): Promise<number> {
  const { rows } = await pool.query<{ total: number }>(
    `SELECT count(*)::int AS total FROM resources ${type === undefined ? '' : 'WHERE type = $1'}`,
    type === undefined ? [] : [type],
  );
  return rows[0]?.total ?? 0;
}

/**
 * Of the first matches, in order; one more than a search looks at tells that there are more. In one value: a thousand
 * rows cost this process twice as much.
 */
async function idsOf(pool: Pool, words: string, type: string | undefined): Promise<readonly string[]> {
  const { rows } = await pool.query<{ ids: string | null }>(
    `WITH found AS MATERIALIZED (
       SELECT id, created_at FROM resources
       WHERE ${SEARCHED} @@ to_tsquery('simple', $1) ${type === undefined ? '' : 'AND type = $2'}
       LIMIT ${SEARCH_CAP + 1}
     )
     SELECT string_agg(id::text, ' ' ORDER BY created_at, id) AS ids FROM found`,
    type === undefined ? [words] : [words, type],
  );
  return rows[0]?.ids?.split(' ') ?? [];
}

async function shownOf(pool: Pool, ids: readonly string[]): Promise<readonly ShownResource[]> {
  const { rows } = await pool.query<ShownResource>(
    `SELECT ${SHOWN} FROM resources WHERE id = ANY($1::uuid[]) ORDER BY resources.created_at, id`,
    [ids],
  );
  return rows;
}
