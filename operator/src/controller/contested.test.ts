import { expect, test } from '@jest/globals';
import { Contested } from './contested.ts';

const KEY = 'DashboardDeployment/shop/dashboard';

/** Writes and finds something else, so many times, a second apart; the last one at `0`. */
function undone(times: number, gapMs = 1_000): Contested {
  const contested = new Contested();
  for (let index = times - 1; index >= 0; index -= 1) {
    contested.wrote(KEY, 'ours', -index * gapMs - 10);
    contested.saw(KEY, 'theirs', -index * gapMs);
  }
  return contested;
}

test.each([
  ['it was never changed by another one', undone(0), 0, false],
  ['twice: an upgrade, in which two processes overlap', undone(2), 0, false],
  ['three times', undone(3), 0, true],
  ['a minute later nothing is left of it', undone(3), 60_000, false],
  ['three times, but a minute apart', undone(3, 60_000), 0, false],
])('%s', (_sentence, contested, now, is) => {
  expect(contested.is(KEY, now)).toBe(is);
});

test('the same find counts once, and what is as we wrote it never', () => {
  const contested = new Contested();
  contested.saw(KEY, 'of a process before', 0);
  contested.wrote(KEY, 'ours', 0);
  for (let pass = 0; pass < 5; pass += 1) contested.saw(KEY, 'ours', pass);
  for (let pass = 0; pass < 5; pass += 1) contested.saw(KEY, 'theirs', pass);
  expect(contested.is(KEY, 10)).toBe(false);
});

test('while another one writes, too, ours are five seconds apart', () => {
  expect(undone(3).waitMs(KEY, 990)).toBe(4_000);
  expect(undone(3).waitMs(KEY, 6_000)).toBe(0);
  expect(undone(2).waitMs(KEY, 0)).toBe(0);
  const gone = undone(3);
  gone.forget(KEY);
  expect([gone.is(KEY, 0), gone.waitMs(KEY, 0)]).toEqual([false, 0]);
});
