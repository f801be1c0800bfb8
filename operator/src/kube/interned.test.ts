import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import { Interned } from './interned.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

test('what is equal is one object, for as long as somebody has it', async () => {
  const known = new Interned<{ n: number }>();
  const one = known.get('1', () => ({ n: 1 }));
  expect(known.get('1', () => ({ n: 1 }))).toBe(one);
  (() => known.get('2', () => ({ n: 2 })))();
  expect(known.size).toBe(2);
  for (let turn = 0; turn < 100 && known.size > 1; turn += 1) {
    collect();
    await pause(5);
  }
  expect(known.size).toBe(1);
  expect(known.get('1', () => ({ n: 3 }))).toBe(one);
});
