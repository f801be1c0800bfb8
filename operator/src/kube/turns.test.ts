import { expect, test } from '@jest/globals';
import { Turns } from './turns.ts';

test('so much is done at a time, in the order in which it came, and what fails makes room, too', async () => {
  const turns = new Turns(2);
  const begun: number[] = [];
  const ends: ((fails: boolean) => void)[] = [];
  const work = (index: number) =>
    turns.run(async () => {
      begun.push(index);
      const fails = await new Promise<boolean>(resolve => ends.push(resolve));
      if (fails) throw new Error(`${index} fails`);
      return index;
    });
  const all = Promise.allSettled(Array.from({ length: 5 }, (_, index) => work(index)));
  const settle = () => new Promise(resolve => setImmediate(resolve));
  const seen = [];
  for (let turn = 0; turn < 5; turn += 1) {
    await settle();
    seen.push([...begun]);
    ends.shift()?.(turn === 1);
  }
  expect(seen).toEqual([
    [0, 1],
    [0, 1, 2],
    [0, 1, 2, 3],
    [0, 1, 2, 3, 4],
    [0, 1, 2, 3, 4],
  ]);
  expect((await all).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', ...Array(3).fill('fulfilled')]);
  expect(await turns.run(async () => 'later')).toBe('later');
});
