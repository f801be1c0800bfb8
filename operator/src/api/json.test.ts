import { afterEach, expect, jest, test } from '@jest/globals';
import { jsonOf } from './json.ts';

afterEach(() => {
  jest.restoreAllMocks();
});

test.each([
  ['an object', '{"a": [1]}', { a: [1] }],
  ['a list', '[]', []],
  ['a text', '"a"', 'a'],
  ['null, which is JSON', 'null', null],
  ['what is no JSON', '{"a": ', undefined],
])('%s', (_case, text, expected) => {
  expect(jsonOf(text)).toEqual(expected);
});

test.each([undefined, ''])('for %j no error is made', text => {
  const parse = jest.spyOn(JSON, 'parse');
  expect(jsonOf(text)).toBeUndefined();
  expect(parse).not.toHaveBeenCalled();
});
