import { expect, test } from '@jest/globals';
import { grouped } from './snapshot.ts';

test.each([0, 7, 999, 1_000, 12_345, 100_000, 1_234_567, Number.MAX_SAFE_INTEGER])('%s as people write it', count => {
  expect(grouped(count)).toBe(count.toLocaleString('en'));
});
