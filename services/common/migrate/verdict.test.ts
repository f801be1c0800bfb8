import { expect, test } from '@jest/globals';
import { encodeVerdict, nothing, type Verdict } from './verdict.ts';

test('a verdict is one line of JSON', () => {
  const verdict: Verdict = { ...nothing, result: 'up to date', applied: ['a'], ms: 12 };
  expect(JSON.parse(encodeVerdict(verdict))).toEqual(verdict);
  expect(encodeVerdict(verdict)).not.toContain('\n');
});

test('however much there is to say, it fits into a termination message and stays JSON', () => {
  const names = Array.from({ length: 500 }, (_, index) => `20260101000000_${'ñ'.repeat(200)}_${index}`);
  const verdict: Verdict = {
    ...nothing,
    result: 'failed',
    pending: names,
    edited: names,
    message: 'ñ'.repeat(9_000),
    ms: 1,
  };
  const line = encodeVerdict(verdict);
  expect(Buffer.byteLength(line)).toBeLessThanOrEqual(4_096);
  expect(JSON.parse(line)).toMatchObject({ result: 'failed' });
});
