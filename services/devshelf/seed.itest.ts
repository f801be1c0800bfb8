import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { migrateCli } from '../common/migrate/cli.ts';
import { query, startPostgres, type TestPostgres } from '../common/testing/postgres.ts';
import { seed } from './seed.ts';
import { testApp } from './testing.ts';

const MIGRATIONS_DIR = new URL('prisma/migrations', import.meta.url).pathname;
let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.remove());

async function emptyLibrary(name: string) {
  const url = await postgres.createDatabase(name);
  const migrate = (...args: string[]) => migrateCli({ args, environment: { DATABASE_URL: url, MIGRATIONS_DIR }, seed });
  expect(await migrate('up')).toBe(0);
  return { url, migrate };
}

const CONTENT =
  "SELECT md5(string_agg(resources::text, ',' ORDER BY id)) AS content, count(*)::int AS n, count(DISTINCT owner_id)::int AS owners FROM resources";

test('a library of the size that was asked for, the same for the same seed, and written once', async () => {
  const flags = ['seed', '--resources', '30000', '--users', '25', '--until', '2026-10-31T00:00:00Z'];
  const [first, second] = [await emptyLibrary('first'), await emptyLibrary('second')];
  expect(await first.migrate(...flags)).toBe(0);
  expect(await second.migrate(...flags)).toBe(0);
  const content = await query(first.url, CONTENT);
  expect(content).toMatchObject([{ n: 30_000, owners: 25 }]);
  expect(await query(second.url, CONTENT)).toEqual(content);
  expect(await first.migrate('seed', '--seed', '2')).toBe(0);
  expect(await query(first.url, CONTENT)).toEqual(content);
}, 60_000);

test('with a password its users log in, without one nobody does', async () => {
  const [open, shut] = [await emptyLibrary('open'), await emptyLibrary('shut')];
  expect(await open.migrate('seed', '--password', 'for-development')).toBe(0);
  expect(await shut.migrate('seed')).toBe(0);
  const statusAt = async (url: string) => {
    const { app } = testApp({ environment: { DATABASE_URL: url } });
    const payload = { username: 'ana', password: 'for-development' };
    const { statusCode } = await app.inject({ method: 'POST', url: '/api/v1/auth/token', payload });
    await app.close();
    return statusCode;
  };
  expect(await statusAt(open.url)).toBe(200);
  expect(await statusAt(shut.url)).toBe(401);
}, 60_000);
