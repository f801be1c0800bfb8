import { expect, test } from '@jest/globals';
import { createCache } from './cache.ts';

function counted(outcome: () => Promise<number> = async () => 1) {
  let calls = 0;
  return {
    compute: () => {
      calls += 1;
      return outcome();
    },
    calls: () => calls,
  };
}

test('a value is kept until it is as old as allowed, counted from when it was computed', async () => {
  let at = 0;
  const cache = createCache({ ttlMs: 30_000, now: () => at });
  const { compute, calls } = counted();
  await cache.get('a', compute);
  at = 29_999;
  await cache.get('a', compute);
  expect(calls()).toBe(1);
  at = 30_000;
  await cache.get('a', compute);
  expect(calls()).toBe(2);
});

test('who misses at the same time shares one computation, however long it takes', async () => {
  let at = 0;
  let finish: (value: number) => void = () => undefined;
  const cache = createCache({ ttlMs: 10, now: () => at });
  const { compute, calls } = counted(() => new Promise(resolve => (finish = resolve)));
  const first = cache.get('a', compute);
  at = 1_000;
  const second = cache.get('a', compute);
  finish(7);
  expect(await Promise.all([first, second])).toEqual([7, 7]);
  expect(calls()).toBe(1);
});

test('each key has a value of its own', async () => {
  const cache = createCache({ ttlMs: 10_000 });
  expect(await cache.get('a', async () => 1)).toBe(1);
  expect(await cache.get('b', async () => 2)).toBe(2);
});

test('an error is everyone’s who waited, and is not kept', async () => {
  const cache = createCache({ ttlMs: 10_000 });
  const failing = counted(() => Promise.reject(new Error('down')));
  const both = await Promise.allSettled([cache.get('a', failing.compute), cache.get('a', failing.compute)]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(failing.calls()).toBe(1);
  expect(await cache.get('a', async () => 3)).toBe(3);
});

test('beyond its bound the oldest is forgotten', async () => {
  const cache = createCache({ ttlMs: 10_000, maxKeys: 2 });
  const { compute, calls } = counted();
  for (const key of ['a', 'b', 'c', 'b', 'c']) await cache.get(key, compute);
  expect(calls()).toBe(3);
  await cache.get('a', compute);
  expect(calls()).toBe(4);
});

test('kept for no time, concurrent misses are still computed once', async () => {
  const cache = createCache({ ttlMs: 0 });
  const { compute, calls } = counted();
  await Promise.all([cache.get('a', compute), cache.get('a', compute)]);
  await cache.get('a', compute);
  expect(calls()).toBe(2);
});
