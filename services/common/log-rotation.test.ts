import { expect, test } from '@jest/globals';
import { fileRotation, filesToDelete, rolloverAfter, suffixOf } from './log-rotation.ts';

// all in the machine's own time zone, as Python has it; 2026-11-18 is a Wednesday
const at = (day: number, hour = 0, minute = 0, second = 0) => new Date(2026, 10, day, hour, minute, second);

test.each([
  ['S', at(18, 10, 0, 0), at(18, 10, 0, 1), '2026-11-18_10-00-00'],
  ['M', at(18, 10, 0, 30), at(18, 10, 1, 30), '2026-11-18_10-00'],
  ['H', at(18, 10, 20), at(18, 11, 20), '2026-11-18_10'],
  ['D', at(18, 10, 20), at(19, 10, 20), '2026-11-18'],
  ['midnight', at(18, 10, 20), at(19), '2026-11-18'],
  ['midnight', at(18), at(19), '2026-11-18'],
  ['W2', at(18, 10), at(19), '2026-11-12'], // the midnight that ends this Wednesday
  ['W0', at(18, 10), at(24), '2026-11-17'], // the one that ends next Monday
  ['W6', at(18, 10), at(23), '2026-11-16'],
  ['w1', at(18, 10), at(25), '2026-11-18'],
])('%s: a file last written at %s is rolled over at %s to %s', (word, written, rollover, suffix) => {
  const rotation = fileRotation.parse(word);
  expect(rolloverAfter(rotation, written)).toEqual(rollover);
  expect(suffixOf(rotation, rollover)).toBe(suffix);
});

test.each(['W7', 'W', 'X', 'daily', ''])('%j is no rotation', word => {
  expect(fileRotation.safeParse(word).success).toBe(false);
});

const FILES = [
  'dashboard.log',
  'dashboard.log.2026-11-02',
  'dashboard.log.2026-11-01',
  'dashboard.log.2026-11-03',
  'dashboard.log.gz',
  'dashboard.log.2026-11-01.gz',
  'other.log.2026-11-01',
];

test('the oldest go, and only files that were rolled over', () => {
  expect(filesToDelete(FILES, 'dashboard.log', 2)).toEqual(['dashboard.log.2026-11-01']);
  expect(filesToDelete(FILES, 'dashboard.log', 9)).toEqual([]);
  expect(filesToDelete(FILES, 'dashboard.log', 0)).toEqual([]);
});
