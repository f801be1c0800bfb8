import { expect, test } from '@jest/globals';
import { type Condition, mergeConditions } from './conditions.ts';

const EARLIER = '2026-01-01T00:00:00Z';
const NOW = '2026-01-01T00:05:00Z';

const ready: Condition = { type: 'Ready', status: 'True', reason: 'Released', message: 'serves' };
const before = [{ ...ready, observedGeneration: 3, lastTransitionTime: EARLIER }];

test.each([
  ['a condition that still holds keeps its time', ready, EARLIER],
  ['so it does when only its words change', { ...ready, reason: 'AsExpected', message: 'fine' } as const, EARLIER],
  ['a condition that turns gets a new time', { ...ready, status: 'False' } as const, NOW],
  ['a condition that is new gets a new time', { ...ready, type: 'Migrated' } as const, NOW],
])('%s', (_case, next, lastTransitionTime) => {
  expect(mergeConditions(before, [next], NOW, 4)).toEqual([{ ...next, observedGeneration: 4, lastTransitionTime }]);
});

test('a condition that was not found again is gone', () => {
  expect(mergeConditions(before, [], NOW, 4)).toEqual([]);
});

test('conditions come in one order, whoever found them first', () => {
  const stalled: Condition = { type: 'Stalled', status: 'True', reason: 'RolledBack', message: 'taken back' };
  const types = mergeConditions([], [stalled, ready], NOW, 1).map(condition => condition.type);
  expect(types).toEqual(['Ready', 'Stalled']);
});
