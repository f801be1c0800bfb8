import type { Pool } from 'pg';
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
};

export type ResourcePage = {
  readonly resources: readonly ShownResource[];
  readonly total: number;
  /** there are more matches than a search looks at */
  readonly capped: boolean;
};

export type ResourceQueries = {
  find(id: string): Promise<ShownResource | undefined>;
  list(options: ListOptions): Promise<ResourcePage>;
  /** After a write of this process: the next total is counted anew. */
  forgetTotals(): void;
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
 */
export function resourceQueries(pool: Pool, now: () => number = () => performance.now()): ResourceQueries {
  const totals = rememberTotals(type => countOf(pool, type), now);
  return {
    find: async id => {
      const { rows } = await pool.query<ShownResource>(`SELECT ${SHOWN} FROM resources WHERE id = $1`, [id]);
      return rows[0];
    },
    list: async options => {
      const words = searchQuery(options.q);
      if (words !== undefined) return search(pool, words, options);
      const resources = await page(pool, options);
      const full = resources.length === options.limit;
      // a page that is not full holds the last one
      const isLast = !full && (resources.length > 0 || options.skip === 0);
      const total = isLast ? options.skip + resources.length : await totals.of(options.type);
      return { resources, total: Math.max(total, full ? options.skip + resources.length : 0), capped: false };
    },
    forgetTotals: totals.forget,
  };
}

/** The index alone says which rows are skipped; only those that are shown are fetched. */
async function page(pool: Pool, { skip, limit, type }: ListOptions): Promise<readonly ShownResource[]> {
  const filter = type === undefined ? '' : 'WHERE type = $3';
  const { rows } = await pool.query<ShownResource>(
    skip < 100
      ? `SELECT ${SHOWN} FROM resources ${filter} ORDER BY resources.created_at, id LIMIT $2 OFFSET $1`
      : `SELECT ${SHOWN} FROM resources
         JOIN (SELECT id FROM resources ${filter} ORDER BY created_at, id LIMIT $2 OFFSET $1) AS page USING (id)
         ORDER BY resources.created_at, id`,
    type === undefined ? [skip, limit] : [skip, limit, type],
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

async function search(pool: Pool, words: string, { skip, limit, type }: ListOptions): Promise<ResourcePage> {
  const { rows } = await pool.query<ShownResource & { total: number }>(
    `WITH found AS MATERIALIZED (
       SELECT id, created_at FROM resources
       WHERE ${SEARCHED} @@ to_tsquery('simple', $1) ${type === undefined ? '' : 'AND type = $4'}
       LIMIT ${SEARCH_CAP + 1}
     ), shown AS (
       SELECT id FROM found ORDER BY created_at, id OFFSET $2 LIMIT $3
     )
     SELECT ${SHOWN}, total FROM (SELECT count(*)::int AS total FROM found) AS counted
     LEFT JOIN (shown JOIN resources USING (id)) ON true
     ORDER BY resources.created_at, id`,
    type === undefined ? [words, skip, limit] : [words, skip, limit, type],
  );
  const found = rows[0]?.total ?? 0;
  const resources = rows.filter(({ id }) => id !== null).map(({ total: _total, ...resource }) => resource);
  return { resources, total: Math.min(found, SEARCH_CAP), capped: found > SEARCH_CAP };
}

const TOTAL_LIVES_MS = 1_000;
const TOTALS_REMEMBERED = 100;

/**
 * Counting 100,000 rows costs as much as ten pages of them, so it happens once a second at most, for all who ask in the
 * meantime; a write of this process ends the second at once.
 */
function rememberTotals(count: (type: string | undefined) => Promise<number>, now: () => number) {
  const remembered = new Map<string | undefined, { readonly until: number; readonly total: Promise<number> }>();
  return {
    of: (type: string | undefined): Promise<number> => {
      const known = remembered.get(type);
      if (known && now() < known.until) return known.total;
      if (remembered.size >= TOTALS_REMEMBERED) remembered.clear();
      const total = count(type);
      remembered.set(type, { until: now() + TOTAL_LIVES_MS, total });
      total.catch(() => remembered.delete(type));
      return total;
    },
    forget: () => remembered.clear(),
  };
}
