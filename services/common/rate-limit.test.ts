import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { clientKey, hitsWithFallback, judgeBy, memoryHits } from './rate-limit.ts';

const MINUTE = { max: 2, windowMs: 60_000 };
const judge = judgeBy(MINUTE);

test('so many are let in within a window, then none until it ends', () => {
  let now = 0;
  const hits = memoryHits(10, () => now);
  const limited = () => judge(hits.hit('ana', MINUTE.windowMs)).limited;
  expect([limited(), limited(), limited()]).toEqual([false, false, true]);
  now = 59_999;
  expect(limited()).toBe(true);
  now = 60_000;
  expect(limited()).toBe(false);
});

test('clients are counted apart', () => {
  const hits = memoryHits();
  hits.hit('ana', 1_000);
  expect(hits.hit('bea', 1_000).count).toBe(1);
});

test('who must wait is told for how long, in whole seconds that suffice', () => {
  expect(judge({ count: 3, resetMs: 41_001 })).toEqual({
    limited: true,
    headers: { 'ratelimit-policy': '"default";q=2;w=60', ratelimit: '"default";r=0;t=42', 'retry-after': '42' },
  });
});

test('who may come in is told what is left', () => {
  expect(judge({ count: 1, resetMs: 60_000 })).toEqual({
    limited: false,
    headers: { 'ratelimit-policy': '"default";q=2;w=60', ratelimit: '"default";r=1;t=60' },
  });
});

test('a wait is never longer than the window, whatever clocks with fractions add up to', () => {
  expect(judge({ count: 1, resetMs: 60_000.000_000_1 }).headers['ratelimit']).toBe('"default";r=1;t=60');
});

test('strangers cannot fill the memory, and who came last is remembered', () => {
  const hits = memoryHits(100, () => 0);
  for (let client = 0; client < 1_000; client += 1) hits.hit(`client ${client}`, 1_000);
  expect(hits.hit('client 999', 1_000).count).toBe(2);
  expect(hits.hit('client 900', 1_000).count).toBe(2);
  expect(hits.hit('client 899', 1_000).count).toBe(1);
});

test('a window that has ended makes room before one that has not', () => {
  let now = 0;
  const hits = memoryHits(2, () => now);
  hits.hit('long', 10_000);
  hits.hit('short', 1_000);
  now = 2_000;
  hits.hit('new', 1_000);
  expect(hits.hit('long', 10_000).count).toBe(2);
});

test('never more than the limit within one window, whatever the order of clients and clock ticks', () => {
  const judge = judgeBy({ max: 3, windowMs: 1_000 });
  const step = fc.record({ client: fc.constantFrom('a', 'b', 'c'), waitMs: fc.nat(400) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), steps => {
      let now = 0;
      const hits = memoryHits(10, () => now);
      const openedAt = new Map<string, number>();
      const admitted = new Map<string, number>();
      for (const { client, waitMs } of steps) {
        now += waitMs;
        const { limited } = judge(hits.hit(client, 1_000));
        if (now >= (openedAt.get(client) ?? Number.NEGATIVE_INFINITY) + 1_000) {
          openedAt.set(client, now);
          admitted.set(client, 0);
        }
        const before = admitted.get(client) ?? 0;
        expect(limited).toBe(before >= 3);
        if (!limited) admitted.set(client, before + 1);
      }
    }),
  );
});

test('without the shared count each process counts for itself, and leaves the other alone for a second', async () => {
  let now = 0;
  let asked = 0;
  const failures: unknown[] = [];
  const down = async () => {
    asked += 1;
    throw new Error('down');
  };
  const broken = { hit: down, peek: down };
  const hits = hitsWithFallback(
    broken,
    memoryHits(10, () => now),
    failure => failures.push(failure),
    () => now,
  );
  expect((await hits.hit('ana', 60_000)).count).toBe(1);
  expect((await hits.hit('ana', 60_000)).count).toBe(2);
  expect([asked, failures.length]).toEqual([1, 1]);
  now = 1_000;
  expect((await hits.hit('ana', 60_000)).count).toBe(3);
  expect(asked).toBe(2);
  expect((await hits.peek('ana')).count).toBe(3);
  expect((await hits.peek('bea')).count).toBe(0);
});

test.each([
  ['IPv4', '192.0.2.7', '192.0.2.7'],
  ['IPv4 in IPv6', '::ffff:192.0.2.7', '192.0.2.7'],
  ['IPv6: its network', '2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['the same network', '2001:db8:1:2::99', '2001:db8:1:2::/64'],
  ['no address', 'x'.repeat(10_000), 'unknown'],
])('who is counted: %s', (_case, ip, key) => {
  expect(clientKey(ip)).toBe(key);
});

test('a look counts nothing, and sees no window that ended', () => {
  let now = 0;
  const hits = memoryHits(10, () => now);
  hits.hit('ana', 1_000);
  expect([hits.peek('ana'), hits.peek('ana'), hits.peek('bea')]).toEqual([
    { count: 1, resetMs: 1_000 },
    { count: 1, resetMs: 1_000 },
    { count: 0, resetMs: 0 },
  ]);
  now = 1_000;
  expect(hits.peek('ana').count).toBe(0);
});
