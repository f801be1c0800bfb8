import { expect, test } from '@jest/globals';
import { addReadings, type UseReading, usesOfPod } from './key-uses.ts';

const SINCE = 1_000_000;
const at = (seconds: number) => ({ since: SINCE, now: SINCE + seconds * 1000 });
const reading = (uid: string, count: UseReading['count'], createdAt = 0): UseReading => ({ uid, createdAt, count });

test('what is added to the first reading counts, over pods, restarts and pods that come', () => {
  const first = addReadings(undefined, [reading('a', 500), reading('b', 700)], at(1));
  expect(first.uses).toMatchObject({ total: 0, usedAt: SINCE, sum: 1200, unread: [] });
  const second = addReadings(first, [reading('a', 510), reading('b', 700)], at(30));
  expect(second.uses).toMatchObject({ total: 10, usedAt: SINCE + 30_000, perMinute: 10 });
  // b's container began anew, c came after the new key was given out
  const third = addReadings(second, [reading('a', 510), reading('b', 3), reading('c', 4, SINCE + 40_000)], at(60));
  expect(third.uses).toMatchObject({ total: 17, usedAt: SINCE + 60_000, perMinute: 17 });
  const fourth = addReadings(third, [reading('c', 4, SINCE + 40_000)], at(130));
  expect(fourth.uses).toMatchObject({ total: 17, usedAt: SINCE + 60_000, perMinute: 0, sum: 4 });
});

test('a pod that is not read is named, and its next reading counts what was missed', () => {
  const first = addReadings(undefined, [reading('a', 5)], at(1));
  const second = addReadings(first, [reading('a', undefined)], at(2));
  expect(second.uses).toMatchObject({ total: 0, unread: ['a'], uncounted: false });
  expect(addReadings(second, [reading('a', 9)], at(3)).uses.total).toBe(4);
});

test('images that count nothing are told from a key that nobody uses', () => {
  expect(addReadings(undefined, [reading('a', 'none')], at(1)).uses.uncounted).toBe(true);
  expect(addReadings(undefined, [reading('a', 0)], at(1)).uses.uncounted).toBe(false);
  expect(addReadings(undefined, [], at(1)).uses.uncounted).toBe(false);
});

test.each([
  ['the counters stand as they stood: what was written down holds', 40, { total: 7, usedAt: SINCE + 5_000 }],
  ['they do not: the key was used meanwhile', 42, { total: 9, usedAt: SINCE + 900_000 }],
  ['pods were replaced: nobody knows', 3, { total: 7, usedAt: SINCE + 900_000 }],
])('another process: %s', (_case, count, expected) => {
  const remembered = { total: 7, sum: 40, usedAt: SINCE + 5_000 };
  expect(addReadings(undefined, [reading('a', count)], { ...at(900), remembered }).uses).toMatchObject(expected);
});

test('another process without a memory begins to look anew', () => {
  expect(addReadings(undefined, [reading('a', 3)], at(900)).uses).toMatchObject({ total: 0, usedAt: SINCE + 900_000 });
});

test.each([
  ['devshelf_keyring_requests_total{keyring="api",kid="1"} 12\n', 12],
  ['devshelf_keyring_requests_total{kid="1",keyring="api"} 1e3', 1000],
  ['devshelf_keyring_requests_total{keyring="scrape",kid="1"} 12\n', 0],
  ['# TYPE devshelf_keyring_requests_total counter\nother 1\n', 'none'],
  ['devshelf_keyring_requests_total{keyring="api",kid="1"} words\n', 0],
])('%j says %s', (text, expected) => {
  expect(usesOfPod(text, 'api', '1')).toBe(expected);
});
