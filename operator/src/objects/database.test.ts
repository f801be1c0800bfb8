import { expect, test } from '@jest/globals';
import { databaseIdentityOf } from './database.ts';

const shop = databaseIdentityOf('postgresql://app:secret@db:5432/shop');

test('an identity is ten hex digits', () => {
  expect(shop).toMatch(/^[0-9a-f]{10}$/);
});

test.each([
  ['another user and password', 'postgresql://admin:other@db:5432/shop'],
  ['the default port left out', 'postgresql://app:secret@db/shop'],
  ['the host in capitals', 'postgresql://app:secret@DB/shop'],
  ['the short scheme', 'postgres://app:secret@db/shop'],
  ['SQLAlchemy’s driver', 'postgresql+psycopg://app:secret@db/shop'],
  ['another driver of it', 'postgresql+psycopg_async://app:secret@db/shop'],
  ['connection options', 'postgresql://app:secret@db/shop?sslmode=require'],
  ['a line end, as a Secret made from a file has', 'postgresql://app:secret@db/shop\n'],
])('the same database with %s', (_case, url) => {
  expect(databaseIdentityOf(url)).toBe(shop);
});

test('a socket, with a user or without', () => {
  const socket = databaseIdentityOf('postgresql:///shop?host=/run/postgresql');
  expect(socket).toBeDefined();
  expect(databaseIdentityOf('postgresql://ana:secret@/shop?host=/run/postgresql')).toBe(socket);
});

test.each([
  ['another host', 'postgresql://app:secret@db2:5432/shop'],
  ['another port', 'postgresql://app:secret@db:5433/shop'],
  ['another name', 'postgresql://app:secret@db:5432/Shop'],
])('another database: %s', (_case, url) => {
  const other = databaseIdentityOf(url);
  expect(other).toBeDefined();
  expect(other).not.toBe(shop);
});

test.each([
  [''],
  ['redis://db/0'],
  ['postgresql://'],
  ['postgresql://db'],
  ['postgresql://db:99999/shop'],
  ['db/shop'],
  ['postgresql://one:5432,two:5432/shop'],
  ['postgresql://ana@one,two/shop'],
  ['postgresql:///shop?host=one,two'],
  ['postgresql://ana:12/x@db/shop'],
  ['postgresql://ana:12#x@db/shop'],
  ['postgresql://ana@/shop'],
])('not a PostgreSQL database: "%s"', url => {
  expect(databaseIdentityOf(url)).toBeUndefined();
});
