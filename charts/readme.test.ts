import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { README, readme, valuesOf } from './readme.ts';

const yaml = readFileSync(join(import.meta.dirname, 'devshelf-operator/values.yaml'), 'utf8');

test('the chart’s README is what values.yaml says', () => {
  expect(readFileSync(README, 'utf8')).toBe(readme(yaml));
});

test('a value’s comment is its description, groups are opened', () => {
  expect(valuesOf('# one\n# and more\na: 1\ngroup:\n  # two\n  b: []\n  # three\n  c: "x|y"\n')).toEqual([
    { name: 'a', text: 'one and more', standard: '1' },
    { name: 'group.b', text: 'two', standard: '[]' },
    { name: 'group.c', text: 'three', standard: '"x|y"' },
  ]);
});

test('a value that nobody explains is an error', () => {
  expect(() => valuesOf('a: 1\n')).toThrow('says nothing about a');
});
