import { expect, test } from '@jest/globals';
import { keepPages } from './kept.ts';

test('a page is rendered again when one of its figures is another object', () => {
  const kept = keepPages();
  const [summary, providers] = [{}, []];
  const first = kept('/', [summary, providers], () => 'first');
  expect(kept('/', [summary, providers], () => 'second')).toBe(first);
  expect(kept('/', [summary, []], () => 'third').text.toString()).toBe('third');
});

test('addresses are kept apart, and the oldest is forgotten', () => {
  const kept = keepPages(2);
  const figures = [{}];
  const render = (key: string, text: string) => kept(key, figures, () => text).text.toString();
  expect(['a', 'b', 'c'].map(key => render(key, key))).toEqual(['a', 'b', 'c']);
  expect(['c', 'b', 'a'].map(key => render(key, 'anew'))).toEqual(['c', 'b', 'anew']);
});
