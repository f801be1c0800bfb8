import { expect, test } from '@jest/globals';
import { Client } from 'pg';
import { databaseUrlFault, parseDatabaseUrl } from './database-url.ts';

test.each([
  'postgresql://ana:secret@db:5432/shop',
  'postgres://db/shop',
  'postgresql+psycopg2://ana@db/shop',
  'postgresql://ana:p%40ss%2Fw@[::1]:5432/shop?sslmode=require',
  'postgresql://ana:p@ss%w d[@db/shop',
  'postgresql://ana@/shop?host=/var/run/postgresql&port=5433',
  'postgresql:///shop?host=/cloudsql/a:b:c',
  'postgresql://ana@%2Fvar%2Frun:5432/shop',
  'postgresql://db/shop\n',
])('taken: %j', url => {
  expect(databaseUrlFault(url)).toBeUndefined();
});

test.each([
  ['postgresql://ana:p%40ss%2Fw@[::1]:5433/shop', '::1', 5433, 'p@ss/w'],
  ['postgresql://ana:p@s:s%w d[@db/shop\n', 'db', 5432, 'p@s:s%w d['],
  ['postgresql+psycopg2://ana:secret@db/shop', 'db', 5432, 'secret'],
  ['postgresql://ana:secret@/shop?host=/var/run/postgresql&port=5433', '/var/run/postgresql', 5433, 'secret'],
  ['postgresql://ana:secret@%2Fvar%2Frun:5433/shop', '/var/run', 5433, 'secret'],
])('the driver reads it as it is meant: %j', (url, host, port, password) => {
  const { connectionString } = parseDatabaseUrl(url);
  const read = new Client({ connectionString });
  expect([read.host, read.port, read.user, read.password, read.database]).toEqual([
    host,
    port,
    'ana',
    password,
    'shop',
  ]);
});

test.each([
  ['mysql://db/shop', 'must begin with postgresql://'],
  ['"postgresql://db/shop"', 'must begin with postgresql://'],
  ['host=db dbname=shop', 'must begin with postgresql://'],
  ['postgresql://ana:hush/hush@db:5432/shop', 'cannot be read'],
  ['postgresql://ana:hush#hush@db/shop', 'cannot be read'],
  ['postgresql://ana:hush?hush@db/shop', 'cannot be read'],
  ['postgresql://ana:12/hush@db/shop', 'cannot be read'],
  ['postgresql://ana:12#hush@db/shop', 'cannot be read'],
  ['postgresql://ana:12?hush@db/shop', 'names no database'],
  ['postgresql://one:5432,two:5432/shop', 'names several hosts'],
  ['postgresql://ana@one,two/shop', 'names several hosts'],
  ['postgresql:///shop?host=one,two', 'names several hosts'],
  ['postgresql:///shop', 'names no host'],
  ['postgresql://ana@/shop', 'names no host'],
  ['postgresql://db', 'names no database'],
  ['postgresql://db/', 'names no database'],
])('refused, without a piece of it: %s', (url, fault) => {
  expect(databaseUrlFault(url)).toMatch(new RegExp(`^${fault}`));
  expect(databaseUrlFault(url)).not.toContain('hush');
});

test('what the driver does not know is taken apart', () => {
  expect(parseDatabaseUrl('postgresql+asyncpg://db/shop?schema=market\n')).toEqual({
    connectionString: 'postgresql://db/shop?schema=market',
    schema: 'market',
  });
  expect(parseDatabaseUrl('postgres://db/shop').schema).toBeUndefined();
});
