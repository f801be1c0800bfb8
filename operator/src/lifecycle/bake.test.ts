import { expect, test } from '@jest/globals';
import { bake } from './bake.ts';
import type { Decision } from './decision.ts';
import type { Snapshot } from './snapshot.ts';
import { app, at, carrying, fresh, judgement, T0 } from './testing.ts';

const off = { app: app({ rollout: { analysis: { policy: 'Disabled' } } }) };
const baking = (seconds: number, change: Partial<Snapshot> = {}): Snapshot =>
  carrying({ phase: 'Baking', since: at(0) }, {}, { now: T0 + seconds * 1000, ...change });

test.each<[string, Snapshot, Decision['kind'], string]>([
  ['nothing is installed', fresh(), 'proceed', 'Released'],
  ['the release is stable', carrying({}), 'proceed', 'Released'],
  ['the promotion is over', carrying({ phase: 'Promoting', release: 'v2' }), 'act', 'Baking'],
  ['the first install is over', carrying({ phase: 'Installing' }), 'act', 'Baking'],
  ['it is watched', baking(1_799), 'wait', 'Baking'],
  ['it was watched long enough', baking(1_800, { judgement: judgement('Pending', 'v1') }), 'proceed', 'AnalysisPassed'],
  ['long enough, but nothing was read since the operator started', baking(1_800), 'wait', 'Baking'],
  ['what was read is about another release', baking(1_815, { judgement: judgement('Good', 'v2') }), 'wait', 'Baking'],
  ['its pods cannot be read, and nobody waits forever', baking(1_816), 'proceed', 'AnalysisPassed'],
  ['analysis is off', baking(1_800, off), 'proceed', 'AnalysisPassed'],
])('%s', (_sentence, seen, kind, reason) => {
  expect(bake(seen)).toMatchObject({ kind, condition: { reason } });
});

test('a release that is only watched is ready', () => {
  expect(bake(baking(0))).toMatchObject({ ready: true, recheckMs: 60_000 });
  expect(bake(baking(1_799))).toMatchObject({ ready: true, recheckMs: 1_001 });
});

test('what is known about the release before it stays', () => {
  const seen = carrying({ phase: 'Promoting', release: 'v2', stable: 'v1', stableErrorRatio: 0.001 });
  expect(bake(seen)).toMatchObject({
    action: { record: { phase: 'Baking', release: 'v2', stable: 'v1', stableErrorRatio: 0.001, since: at(0) } },
  });
});

test('the message says until when, and that nothing is judged when analysis is off', () => {
  expect(bake(baking(0)).condition.message).toContain('2026-03-01T12:30:00.000Z (taken back if it turns bad)');
  expect(bake(baking(0, off)).condition.message).toContain('analysis is off');
});
