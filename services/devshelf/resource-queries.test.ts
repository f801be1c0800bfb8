import { expect, test } from '@jest/globals';
import type { Pool } from 'pg';
import { resourceQueries } from './resource-queries.ts';

/** A table of `size` rows that counts how often it is counted. */
function table(size: number) {
  const seen = { size, counts: 0, fails: false, now: 0 };
  const pool = {
    query: async (text: string, values: readonly number[]) => {
      if (!text.includes('count(*)')) {
        const [skip = 0, limit = 0] = values;
        return { rows: Array.from({ length: Math.max(0, Math.min(limit, seen.size - skip)) }, () => ({})) };
      }
      seen.counts += 1;
      if (seen.fails) throw new Error('down');
      return { rows: [{ total: seen.size }] };
    },
  };
  const queries = resourceQueries(pool as unknown as Pool, () => seen.now);
  const totalOf = async (skip: number, limit: number, type?: string) =>
    (await queries.list({ skip, limit, type })).total;
  return { seen, queries, totalOf };
}

test.each([
  ['all on one page', 5, 0, 10],
  ['the last page', 25, 20, 10],
  ['an empty table', 0, 0, 10],
])('nothing is counted where the page says it: %s', async (_case, size, skip, limit) => {
  const { seen, totalOf } = table(size);
  expect([await totalOf(skip, limit), seen.counts]).toEqual([size, 0]);
});

test('all who ask within a second share one count, for each type', async () => {
  const { seen, totalOf } = table(25);
  expect(await Promise.all([totalOf(0, 10), totalOf(10, 10), totalOf(30, 10)])).toEqual([25, 25, 25]);
  expect(seen.counts).toBe(1);
  await totalOf(0, 10, 'doc');
  expect(seen.counts).toBe(2);
  seen.now = 999;
  await totalOf(0, 10);
  expect(seen.counts).toBe(2);
  seen.now = 1_000;
  await totalOf(0, 10);
  expect(seen.counts).toBe(3);
});

test('a write of this process is counted at once', async () => {
  const { seen, queries, totalOf } = table(25);
  await totalOf(0, 10);
  seen.size = 26;
  queries.forgetTotals();
  expect(await totalOf(0, 10)).toBe(26);
});

test('a total is never less than what the page shows', async () => {
  const { seen, totalOf } = table(20);
  await totalOf(0, 10);
  seen.size = 40;
  expect(await totalOf(20, 10)).toBe(30);
});

test('a count that failed is tried again', async () => {
  const { seen, totalOf } = table(25);
  seen.fails = true;
  await expect(totalOf(0, 10)).rejects.toThrow('down');
  seen.fails = false;
  expect(await totalOf(0, 10)).toBe(25);
});

test('types that nobody asks for again are forgotten', async () => {
  const { seen, totalOf } = table(25);
  for (let n = 0; n < 1_000; n++) await totalOf(0, 10, `type ${n}`);
  expect(seen.counts).toBe(1_000);
  await totalOf(0, 10, 'type 0');
  expect(seen.counts).toBe(1_001);
});
