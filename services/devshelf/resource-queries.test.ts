import { expect, test } from '@jest/globals';
import type { Pool } from 'pg';
import { resourceQueries } from './resource-queries.ts';

const ID = '00000000-0000-4000-8000-000000000000';
const row = (micros: number) => ({ id: ID, created_at: new Date(micros / 1_000).toISOString().replace('Z', '000Z') });

/** A table of `size` rows, a millisecond apart, that counts how often it is counted, walked and searched. */
function table(size: number) {
  const seen = { size, counts: 0, walks: 0, walked: 0, surveys: 0, searches: 0, fails: false, now: 0 };
  const rowsFrom = (first: number, limit: number) =>
    Array.from({ length: Math.max(0, Math.min(limit, seen.size - first)) }, (_, n) => row((first + n) * 1_000));
  const surveyed = (every: number, rows: number) =>
    Array.from({ length: Math.ceil(rows / every) - 1 }, (_, n) => (n + 1) * every).map(before => ({
      ...{ before: String(before), micros: String(before * 1_000), id: ID },
    }));
  const beginOf = (text: string, values: readonly number[]) =>
    (text.includes('>=') ? (values[1] ?? 0) / 1_000 : 0) + (text.includes('OFFSET') ? (values.at(-1) ?? 0) : 0);
  const pool = {
    query: async (text: string, values: readonly number[]) => {
      const [one = 0, two = 0] = values;
      if (text.includes('to_tsquery')) {
        seen.searches += 1;
        return {
          rows: [
            {
              ids: rowsFrom(0, 1_001)
                .map(({ id }) => id)
                .join(' '),
            },
          ],
        };
      }
      if (text.includes('ANY(')) return { rows: rowsFrom(0, (values[0] as unknown as readonly string[]).length) };
      if (text.includes('count(*)')) {
        seen.counts += 1;
        if (seen.fails) throw new Error('down');
        return { rows: [{ total: seen.size }] };
      }
      if (text.includes('row_number')) {
        seen.surveys += 1;
        return { rows: surveyed(one, Math.min(two, seen.size)) };
      }
      if (text.includes('AS micros')) {
        seen.walks += 1;
        seen.walked += one;
        const at = one + two / 1_000;
        return { rows: at < seen.size ? [{ micros: String(at * 1_000), id: ID }] : [] };
      }
      return { rows: rowsFrom(beginOf(text, values), one) };
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
  ['the last page is full', 30, 20, 10],
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
  queries.forget();
  expect(await totalOf(0, 10)).toBe(26);
});

test('a total is never less than what the page shows, with the one that follows', async () => {
  const { seen, totalOf } = table(20);
  await totalOf(0, 10);
  seen.size = 40;
  expect(await totalOf(20, 10)).toBe(31);
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

test('who pages on walks once a second, however deep', async () => {
  const { seen, queries } = table(1_000);
  const first = (skip: number) => queries.list({ skip, limit: 100 }).then(({ resources }) => resources[0]?.created_at);
  for (const skip of [0, 100, 200, 300, 400]) expect(await first(skip)).toBe(row(skip * 1_000).created_at);
  expect(seen.walks).toBe(0);
  await first(950);
  await first(950);
  expect(seen.walks).toBe(1);
  // a place that follows from another one lasts no longer than that
  seen.now = 900;
  await first(400);
  await first(500);
  seen.now = 1_000;
  await first(500);
  expect(seen.walks).toBe(2);
  queries.forget();
  await first(500);
  expect(seen.walks).toBe(3);
});

test('a place is looked for from the nearest that is known, and of the end nobody is asked twice', async () => {
  const { seen, queries } = table(10_000);
  const first = (skip: number, type?: string) =>
    queries.list({ skip, limit: 10, type }).then(({ resources }) => resources[0]?.created_at);
  expect(await first(9_000)).toBe(row(9_000_000).created_at);
  expect(await first(9_500)).toBe(row(9_500_000).created_at);
  expect(await first(9_400)).toBe(row(9_400_000).created_at);
  // a page shows where the next one begins, ten rows on
  expect(seen.walked).toBe(9_000 + 490 + 390);
  expect(await first(8_000)).toBe(row(8_000_000).created_at);
  expect(seen.walked).toBe(9_880 + 8_000);
  // of another type nothing is known
  await first(9_600, 'doc');
  expect(seen.walked).toBe(17_880 + 9_600);
  const walks = seen.walks;
  expect([await first(10_000), await first(10_000), await first(20_000), await first(10_001)]).toEqual(
    Array(4).fill(undefined),
  );
  expect(seen.walks).toBe(walks + 1);
});

test('a list that is walked again and again is surveyed once a second, and every place is near', async () => {
  const { seen, queries } = table(100_000);
  const first = (skip: number) => queries.list({ skip, limit: 10 }).then(({ resources }) => resources[0]?.created_at);
  const ask = async (from: number, to: number) => {
    for (let n = from; n < to; n++) {
      const skip = (n * 61_803) % 99_000;
      if (skip >= 100) expect(await first(skip)).toBe(row(skip * 1_000).created_at);
    }
  };
  await ask(1, 207);
  expect([seen.surveys, seen.walked < 206 * 1_000 + 2 * 99_000]).toEqual([1, true]);
  // as long as it is in use it is made anew before it ends
  seen.now = 700;
  await ask(207, 1_207);
  expect(seen.surveys).toBe(2);
  seen.now = 1_200;
  await ask(1_207, 1_217);
  expect(seen.surveys).toBe(2);
  // all who ask at once wait for one
  seen.now = 3_000;
  await Promise.all(Array.from({ length: 8 }, (_, n) => first(50_000 + n * 5_001)));
  expect(seen.surveys).toBe(3);
  // beyond the end there is nothing to look for again and again
  const { walks } = seen;
  for (let n = 0; n < 100; n++) expect(await first(100_000 + n * 7_919)).toBeUndefined();
  expect([seen.surveys, seen.walks - walks < 5]).toEqual([3, true]);
  // a write forgets it, and what it found while one came is not remembered
  queries.forget();
  await first(90_000);
  expect([seen.surveys, seen.walked >= 90_000]).toEqual([3, true]);
});

test('what is added moves no place, and may stand where nothing was', async () => {
  const { seen, queries } = table(1_000);
  const pageOf = (skip: number) => queries.list({ skip, limit: 10 });
  await pageOf(500);
  expect((await pageOf(1_000)).resources).toEqual([]);
  expect(seen.walks).toBe(2);
  seen.size = 1_001;
  await queries.create({ title: 'new', description: null, url: 'https://example.org/', type: 'doc', ownerId: ID });
  expect((await pageOf(1_000)).resources).toHaveLength(1);
  expect([(await pageOf(500)).total, seen.walks, seen.counts]).toEqual([1_001, 3, 2]);
});

test('what is looked for while a write comes is not remembered after it', async () => {
  const { seen, queries } = table(1_000);
  const asked = queries.list({ skip: 500, limit: 10 });
  queries.forget();
  await asked;
  await queries.list({ skip: 500, limit: 10 });
  expect(seen.walks).toBe(2);
});

test('a thousand places are as many as are kept', async () => {
  const { seen, queries } = table(10_000);
  for (let skip = 200; skip < 10_000; skip += 5) await queries.list({ skip, limit: 1 });
  expect(seen.walks).toBe(1_960);
  expect(seen.walked).toBeLessThan(20_000);
});

test('a cursor says where its page begins, whatever is skipped, and the page where the next one begins', async () => {
  const { seen, queries } = table(1_000);
  const page = await queries.list({ skip: 700, limit: 10, cursor: { micros: 20_000, id: ID } });
  expect([page.resources[0]?.created_at, page.next?.micros, page.total]).toEqual([
    row(20_000).created_at,
    30_000,
    1_000,
  ]);
  expect(seen.walks).toBe(0);
  const last = await queries.list({ skip: 0, limit: 10, cursor: { micros: 990_000, id: ID } });
  expect([last.resources.length, last.next, last.total]).toEqual([10, undefined, 1_000]);
});

test('nothing is where nobody is', async () => {
  const { queries } = table(100);
  expect(await queries.list({ skip: 100, limit: 10 })).toMatchObject({ resources: [], total: 100, next: undefined });
});

test('a search is looked up once a second, whatever page of it is read', async () => {
  const { seen, queries } = table(2_000);
  const pageOf = (skip: number) => queries.list({ skip, limit: 10, q: 'common' });
  const [page] = await Promise.all([pageOf(0), pageOf(500), pageOf(990)]);
  expect([page.total, page.capped, page.resources.length, seen.searches]).toEqual([1_000, true, 10, 1]);
  expect((await pageOf(1_000)).resources).toEqual([]);
  seen.now = 1_000;
  await pageOf(0);
  expect(seen.searches).toBe(2);
  queries.forget();
  await pageOf(0);
  expect(seen.searches).toBe(3);
});
