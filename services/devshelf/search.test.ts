import { expect, test } from '@jest/globals';
import { searchQuery } from './search.ts';

test.each([
  ['a word is a beginning', 'pyth', "'pyth':*"],
  ['all words are wanted', 'guía  rápida', "'guia':* & 'rapida':*"],
  ['punctuation parts words', "node.js 'x'; DROP", "'node':* & 'js':* & 'x':* & ';':* & 'DROP':*"],
  ['no operator gets through', 'a & !b | (c) \\ :*', "'a':* & 'b':* & 'c':*"],
  ['other scripts stay', '日本 Привет', "'日本':* & 'Привет':*"],
  ['no more than ten words', 'a b c d e f g h i j k l', expect.stringMatching(/'j':\*$/)],
])('%s', (_case, question, query) => {
  expect(searchQuery(question)).toEqual(query);
});

test.each([[undefined], [''], ['  '], ['.,+'], ['\n']])('nothing is asked: %j', question => {
  expect(searchQuery(question)).toBeUndefined();
});
