import { expect, test } from '@jest/globals';
import { Claims } from './claims.ts';

test('who asks second waits until what the first one did is seen by all', async () => {
  const claims = new Claims();
  let isSeen = false;
  const done: string[] = [];
  const act = (who: string) => async () => {
    done.push(who);
    await Promise.resolve();
    return () => isSeen;
  };
  const both = [claims.whileHolding('db', 'a', act('a')), claims.whileHolding('db', 'b', act('b'))];
  expect(await Promise.all(both)).toEqual([true, false]);
  expect(await claims.whileHolding('db', 'b', act('b'))).toBe(false);
  expect(await claims.whileHolding('other', 'b', act('b on another'))).toBe(true);
  isSeen = true;
  expect(await claims.whileHolding('db', 'b', act('b'))).toBe(true);
  expect(done).toEqual(['a', 'b on another', 'b']);
});

test('one that failed holds nothing', async () => {
  const claims = new Claims();
  const fails = claims.whileHolding('db', 'a', () => Promise.reject(new Error('refused')));
  await expect(fails).rejects.toThrow('refused');
  expect(await claims.whileHolding('db', 'b', async () => () => true)).toBe(true);
});

test('one whose effect is never seen does not hold for ever', async () => {
  let nowMs = 0;
  const claims = new Claims(() => nowMs);
  await claims.whileHolding('db', 'a', async () => () => false);
  nowMs = 9_999;
  expect(await claims.whileHolding('db', 'b', async () => () => true)).toBe(false);
  nowMs = 10_000;
  expect(await claims.whileHolding('db', 'b', async () => () => true)).toBe(true);
});

test('one that fails late takes nothing from the one after it', async () => {
  let nowMs = 0;
  const claims = new Claims(() => nowMs);
  const { promise, reject } = Promise.withResolvers<() => boolean>();
  const late = claims.whileHolding('db', 'a', () => promise);
  nowMs = 10_000;
  expect(await claims.whileHolding('db', 'b', async () => () => false)).toBe(true);
  reject(new Error('refused'));
  await expect(late).rejects.toThrow('refused');
  expect(await claims.whileHolding('db', 'c', async () => () => true)).toBe(false);
});
