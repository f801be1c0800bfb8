import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { Pool } from 'pg';
import { migrateCli } from '../common/migrate/cli.ts';
import { startPostgres, type TestPostgres } from '../common/testing/postgres.ts';
import { startRedis, type TestRedis } from '../common/testing/redis.ts';
import {
  HOST_GAP_MS,
  HOST_QUEUE_MS,
  type LinkStore,
  linkHandlers,
  MAX_BACKLOG,
  openLinkStore,
  takeTurn,
} from './links.ts';

let postgres: TestPostgres;
let redisServer: TestRedis;
let redis: Redis;
let pool: Pool;
let store: LinkStore;

beforeAll(async () => {
  [postgres, redisServer] = await Promise.all([startPostgres(), startRedis()]);
  const DATABASE_URL = await postgres.createDatabase('devshelf');
  const MIGRATIONS_DIR = new URL('prisma/migrations', import.meta.url).pathname;
  expect(await migrateCli({ args: ['up'], environment: { DATABASE_URL, MIGRATIONS_DIR } })).toBe(0);
  pool = new Pool({ connectionString: DATABASE_URL });
  redis = new Redis(redisServer.url);
  store = openLinkStore(pool);
}, 60_000);
beforeEach(() => pool.query('TRUNCATE resources'));
afterAll(async () => {
  redis.disconnect();
  await pool.end();
  await Promise.all([postgres.remove(), redisServer.remove()]);
});

async function insert(count: number, due = 'now()'): Promise<readonly string[]> {
  const { rows } = await pool.query(
    `INSERT INTO resources (title, url, type, link_due_at) SELECT 'x', 'https://example.org/', 'page', ${due}
     FROM generate_series(1, $1) RETURNING id`,
    [count],
  );
  return rows.map(({ id }) => id);
}

const rowOf = async (id: string) => (await pool.query('SELECT * FROM resources WHERE id = $1', [id])).rows[0];
const FOUND = { status: 200, title: 'X', fault: undefined } as const;

test('what is due is claimed once, however many claim at a time, and is due again within the hour', async () => {
  const due = await insert(50);
  await insert(5, "now() + interval '1 minute'");
  const claims = (await Promise.all(Array.from({ length: 8 }, () => store.claimDue(10)))).flat();
  const rest = await store.claimDue(100);
  expect([...claims, ...rest].sort()).toEqual([...due].sort());
  await pool.query("UPDATE resources SET link_due_at = link_due_at - interval '1 hour'");
  expect(await store.claimDue(100)).toHaveLength(55);
});

test('the longest due comes first', async () => {
  await insert(1);
  const [oldest] = await insert(1, "now() - interval '2 days'");
  expect(await store.claimDue(1)).toEqual([oldest]);
});

test('what was found at a URL that has changed meanwhile is not kept', async () => {
  const [id = ''] = await insert(1);
  await store.save(id, 'https://example.org/old', FOUND);
  expect(await rowOf(id)).toMatchObject({ link_status: null, link_checked_at: null });
  await store.save(id, 'https://example.org/', FOUND);
  expect(await rowOf(id)).toMatchObject({ link_status: 200, link_title: 'X', link_error: null });
});

test('a page without a title empties it; an error page, and no page, leave it as it was', async () => {
  const [id = ''] = await insert(1);
  const save = (found: Parameters<LinkStore['save']>[2]) => store.save(id, 'https://example.org/', found);
  await save(FOUND);
  await save({ status: 404, title: 'Not Found', fault: undefined });
  expect(await rowOf(id)).toMatchObject({ link_status: 404, link_title: 'X' });
  await save({ status: undefined, title: undefined, fault: 'timeout' });
  expect(await rowOf(id)).toMatchObject({ link_status: null, link_title: 'X', link_error: 'timeout' });
  await save({ status: 200, title: undefined, fault: undefined });
  expect(await rowOf(id)).toMatchObject({ link_status: 200, link_title: null, link_error: null });
});

test('whoever comes to a host, whenever: turns never lie in the past, nor closer together than the gap', async () => {
  const arrivals = fc.array(
    fc.tuple(fc.constantFrom('a.example', 'b.example:8080'), fc.integer({ min: 0, max: 3_000 })),
    {
      maxLength: 12,
    },
  );
  await fc.assert(
    fc.asyncProperty(arrivals, async list => {
      await redis.flushall();
      let now = Date.now();
      const turns: Record<string, number[]> = {};
      for (const [host, wait] of list) {
        now += wait;
        const turn = (await takeTurn(redis, host, now)) ?? Number.NaN;
        expect(turn).toBeGreaterThanOrEqual(now);
        const before = turns[host]?.at(-1);
        if (before !== undefined) expect(turn - before).toBeGreaterThanOrEqual(HOST_GAP_MS);
        else expect(turn).toBe(now);
        turns[host] = [...(turns[host] ?? []), turn];
      }
    }),
    { numRuns: 50 },
  );
});

test('a host whose next ten minutes are given away has no turn left, and others have', async () => {
  await redis.flushall();
  const now = Date.now();
  const turns: (number | undefined)[] = [];
  for (let link = 0; link < HOST_QUEUE_MS / HOST_GAP_MS + 5; link++)
    turns.push(await takeTurn(redis, 'busy.example', now));
  expect(turns.slice(-4)).toEqual([undefined, undefined, undefined, undefined]);
  expect(turns.at(-5)).toBe(now + HOST_QUEUE_MS);
  expect(await takeTurn(redis, 'quiet.example', now)).toBe(now);
  // nobody who was turned away has pushed the queue further
  expect(await takeTurn(redis, 'busy.example', now + 2 * HOST_GAP_MS)).toBe(now + HOST_QUEUE_MS + HOST_GAP_MS);
});

const ATTEMPT = { last: false, signal: new AbortController().signal, turn: undefined, putOff: () => Promise.reject() };

const handlers = (backlog: number, added: unknown[] = []) =>
  linkHandlers({
    store,
    redis,
    visit: async () => FOUND,
    addAll: async jobs => void added.push(...jobs),
    backlog: async () => backlog,
  });

test('a link for which its host has no turn waits in the database', async () => {
  const [id = ''] = await insert(1);
  await redis.set('{devshelf}:host:example.org', Date.now() + HOST_QUEUE_MS + 60_000);
  await handlers(0)['link.check']({ name: 'link.check', id }, ATTEMPT);
  const { rows } = await pool.query(
    "SELECT link_checked_at, link_due_at - now() > interval '9 minutes' AS later FROM resources",
  );
  expect(rows).toEqual([{ link_checked_at: null, later: true }]);
});

test('a sweep adds nothing to a queue that nobody keeps up with', async () => {
  const added: unknown[] = [];
  const [id] = await insert(1);
  await handlers(MAX_BACKLOG + 1, added)['links.sweep']({ name: 'links.sweep' }, ATTEMPT);
  expect(added).toEqual([]);
  await handlers(MAX_BACKLOG, added)['links.sweep']({ name: 'links.sweep' }, ATTEMPT);
  expect(added).toEqual([{ name: 'link.check', id }]);
});
