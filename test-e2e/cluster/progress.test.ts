import { expect, test } from '@jest/globals';
import { progressBar } from './progress.ts';

const MINUTE = 60_000;

test.each([
  ['nothing is done yet', { done: 0, total: 100, elapsedMs: MINUTE }, '------------------------   0 %'],
  ['too little to reckon from', { done: 4, total: 100, elapsedMs: MINUTE }, '------------------------   4 %'],
  [
    'a quarter in two minutes',
    { done: 25, total: 100, elapsedMs: 2 * MINUTE },
    '######------------------  25 %, about 6 min left',
  ],
  ['nearly all', { done: 90, total: 100, elapsedMs: 9 * MINUTE }, '#####################---  90 %, about 60 s left'],
  ['all', { done: 100, total: 100, elapsedMs: MINUTE }, '######################## 100 %, done'],
  ['nothing to do', { done: 0, total: 0, elapsedMs: 0 }, '######################## 100 %, done'],
])('%s', (_case, progress, text) => {
  expect(progressBar(progress)).toBe(text);
});
