import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { isWorthCollecting, type Look } from './idle-memory.ts';

const MIB = 2 ** 20;
const idle: Look = { cpuShare: 0.01, heapUsed: 24 * MIB, heapAfterLast: 15 * MIB };

test.each<[string, Partial<Look>, boolean]>([
  ['a busy minute is over', {}, true],
  ['there is work', { cpuShare: 0.2 }, false],
  ['nothing happened since', { heapUsed: 16 * MIB }, false],
  ['it was never done before', { heapAfterLast: 0 }, true],
  ['little of a large heap is garbage', { heapUsed: 110 * MIB, heapAfterLast: 100 * MIB }, false],
  ['much of a large heap is', { heapUsed: 121 * MIB, heapAfterLast: 100 * MIB }, true],
  ['so large a heap that the loop would stand still', { heapUsed: 193 * MIB }, false],
])('%s', (_sentence, change, expected) => {
  expect(isWorthCollecting({ ...idle, ...change })).toBe(expected);
});

/** Tables that stay in memory once they were looked into: 2 MiB for an order of words, 6 for a number. */
const TABLES = /\.(localeCompare|toLocale\w*|normalize)\(|\bIntl\.\w+\(/;
/** Clocks of other time zones are read by nobody but whoever names one. */
const NEEDED = ['lifecycle/keys/schedule.ts'];

test('no table of languages is loaded for what a few characters do', () => {
  const sources = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' }).filter(
    file => /(?<!test)\.ts$/.test(file) && !/^cli\/|\/testing\//.test(file),
  );
  expect(sources.length).toBeGreaterThan(100);
  const using = sources.filter(file => TABLES.test(readFileSync(join(import.meta.dirname, file), 'utf8')));
  expect(using).toEqual(NEEDED);
});
