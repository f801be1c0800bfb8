import { expect, test } from '@jest/globals';
import type { StatusCondition } from '../api/status.ts';
import { isToldAlready, recordOf } from './announced.ts';
import { decide } from './plan.ts';
import { refused } from './release/refusal.ts';
import { regression } from './release/regression.ts';
import { app, at, held, judgement, revision, snapshot } from './testing.ts';

const said = (message: string, more: Partial<StatusCondition> = {}): StatusCondition => ({
  type: 'Stalled',
  status: 'True',
  reason: 'RollbackIncomplete',
  message,
  observedGeneration: 3,
  lastTransitionTime: at(-60),
  ...more,
});
const NOW = {
  type: 'Warning',
  reason: 'RollbackIncomplete',
  message: '1.0 does not come back: 1 of 3 pods ready',
} as const;

test.each<[string, readonly StatusCondition[], number, boolean]>([
  ['nothing was said', [], 3, false],
  ['the same', [said(NOW.message)], 3, true],
  ['the same with other figures', [said('1.0 does not come back: 0 of 3 pods ready')], 3, true],
  ['another cause', [said('1.0 does not come back: the Deployment is paused')], 3, false],
  ['the same, while it was only waited for', [said(NOW.message, { type: 'Ready', status: 'False' })], 3, false],
  ['another reason in the same words', [said(NOW.message, { reason: 'RollingBack' })], 3, false],
  ['the same of an earlier spec', [said(NOW.message)], 2, false],
])('%s was told already: %#', (_case, conditions, observedGeneration, told) => {
  const before = { ...app(), status: { observedGeneration, conditions: [...conditions] } };
  expect(isToldAlready(before, NOW)).toBe(told);
});

test('what is taken back names the record that is written after it', () => {
  const seen = held({ judgement: judgement('Bad') });
  const taken = regression(seen);
  expect(taken).toMatchObject({ kind: 'act', announce: { type: 'Warning' }, action: { do: 'setRecord' } });
  expect(taken?.kind === 'act' && recordOf(seen.app, taken.action)).toBe('shop-incident-v2-1');
});

test('what is refused names the record that is written with it', () => {
  const again = revision('v2', 'pending', { attempt: 3 });
  const seen = snapshot({ revisions: [revision('v1', 'released'), again] });
  const words = { phase: 'Rehearsal', reason: 'RehearsalFailed', message: 'GET /live: 500' } as const;
  const told = refused(seen, again, words);
  expect(told.kind === 'act' && recordOf(seen.app, told.action)).toBe('shop-incident-v2-3');
});

test('what goes well has none', () => {
  const seen = snapshot();
  expect(recordOf(seen.app, decide(seen).action)).toBeUndefined();
});
