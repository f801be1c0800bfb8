import { expect, test } from '@jest/globals';
import { delayMs, jittered, sleep, timerMs } from './backoff.ts';

test.each([
  [0, 0],
  [1, 100],
  [2, 200],
  [4, 800],
  [5, 1_000],
  [10_000, 1_000],
])('after %d failures it waits %d ms', (failures, ms) => {
  expect(delayMs({ baseMs: 100, maxMs: 1_000 }, failures)).toBe(ms);
});

test.each([
  ['35 days', 35 * 86_400_000],
  ['until another century', 74 * 365 * 86_400_000],
  ['for ever', Number.POSITIVE_INFINITY],
])('a wait of %s does not end at once', async (_case, ms) => {
  const gaveUp = new AbortController();
  const slept = sleep(jittered(ms), gaveUp.signal).then(
    () => 'slept',
    () => 'gave up',
  );
  await sleep(20);
  gaveUp.abort();
  expect(await slept).toBe('gave up');
  expect(timerMs(ms)).toBeLessThan(2 ** 31);
});
