import { expect, test } from '@jest/globals';
import type { Condition } from '../api/conditions.ts';
import { DECISIONS, decisionIn, heldIn } from './decided.ts';
import { decide } from './plan.ts';
import { refused } from './release/refusal.ts';
import type { Snapshot } from './snapshot.ts';
import {
  app,
  at,
  candidate,
  carrying,
  held,
  judgement,
  migrated,
  pod,
  revision,
  snapshot,
  stablePods,
  wanted,
} from './testing.ts';

const v1 = revision('v1', 'released');
const tried = revision('v2', 'pending', {
  migration: migrated('v2'),
  rehearsal: { passed: true, attempts: 1, message: '2 of 2', at: at(-20) },
});
const promote = (analysis: object, change: Partial<Snapshot>): Snapshot =>
  held({ app: app({ rollout: { analysis } }), revisions: [v1, tried], ...change });
const baked = (change: Partial<Snapshot> = {}): Snapshot =>
  carrying(
    { phase: 'Baking', release: 'v2', stable: 'v1', since: at(-3_000) },
    {},
    { revisions: [v1, tried], pods: [pod('v2', 'a'), pod('v2', 'b')], judgement: judgement('Good'), ...change },
  );

test.each<[string, Snapshot, string, string]>([
  ['it meets its first users', snapshot({ revisions: [v1, tried] }), 'candidate', 'CandidateStarting'],
  ['it is promoted on proof', promote({}, { judgement: judgement('Good') }), 'promoted', 'AnalysisPassed'],
  [
    'it is promoted without traffic',
    promote({ onInsufficientTraffic: 'Promote' }, { judgement: judgement('Insufficient') }),
    'promoted-unproven',
    'InsufficientTraffic',
  ],
  ['and unread', promote({ onBlind: 'Promote' }, { judgement: judgement('Blind') }), 'promoted-unproven', 'Blind'],
  ['and unjudged', promote({ policy: 'Disabled' }, {}), 'promoted-unproven', 'AnalysisDisabled'],
  ['it is released', baked(), 'released', 'Released'],
  ['it is taken back', held({ judgement: judgement('Bad') }), 'rolled-back', 'Regression'],
  ['a newer spec came', held({ wanted: wanted('v3') }), 'superseded', 'WaitingForRollback'],
])('%s', (_sentence, seen, decision, reason) => {
  const { action } = decide(seen);
  if (!action) throw new Error(`nothing is done: ${JSON.stringify(decide(seen))}`);
  expect(decisionIn(seen, action)).toEqual({ decision, reason });
  expect(DECISIONS[decision as keyof typeof DECISIONS]).toContain(reason);
});

test('it is refused before it serves anybody: once, although that takes two writes', () => {
  const words = { phase: 'Migration', reason: 'JobFailed', message: 'exit code 1' } as const;
  const seen = snapshot();
  const first = refused(seen, revision('v2', 'pending'), words);
  if (first.kind !== 'act' || first.action.do !== 'createIncident') throw new Error('no incident');
  expect(decisionIn(seen, first.action)).toEqual({ decision: 'rejected', reason: 'JobFailed' });
  const { failed, at: when, reason } = first.action.record;
  const summary = {
    name: 'i',
    number: 9,
    release: failed.hash,
    attempt: 1,
    at: when,
    reason,
    failedImage: '',
    message: '',
  };
  const second = refused({ ...seen, incidents: [summary] }, revision('v2', 'pending'), words);
  expect(second.kind === 'act' && decisionIn(seen, second.action)).toBeUndefined();
});

test('the steps after a decision are none: the incident, the end of the rollback, the end of a bake', () => {
  const withdrawn = { release: 'v2', verdict: 'rejected', reason: 'Regression', message: 'm', at: at(-5) } as const;
  const back = { phase: 'RollingBack', release: 'v1', stable: 'v1', since: at(-5), withdrawn } as const;
  const steps = [
    carrying(back, {}, { pods: stablePods() }),
    carrying(back, {}, { revisions: [v1, { ...tried, verdict: { ...withdrawn } }], pods: stablePods() }),
    baked({ revisions: [v1, { ...tried, verdict: { ...tried.verdict, verdict: 'released' } }] }),
    carrying(
      { phase: 'Promoting', release: 'v2', stable: 'v1' },
      {},
      { revisions: [v1, tried], candidate: candidate() },
    ),
  ];
  for (const seen of steps) {
    const { action } = decide(seen);
    expect(action && decisionIn(seen, action)).toBeUndefined();
    expect(action).toBeDefined();
  }
});

const stalled = (reason: Condition['reason']): Condition => ({ type: 'Stalled', status: 'True', reason, message: '' });
const before = (...conditions: readonly Condition[]) => ({
  observedGeneration: 3,
  conditions: conditions.map(one => ({ ...one, observedGeneration: 3, lastTransitionTime: at(-9) })),
});
test.each<[string, Parameters<typeof heldIn>[0], Condition[], string | undefined]>([
  ['a release is held', before(), [stalled('InsufficientTraffic')], 'InsufficientTraffic'],
  ['it stays held', before(stalled('Held')), [stalled('Held')], undefined],
  ['it is held for something else', before(stalled('Blind')), [stalled('Held')], 'Held'],
  ['a Secret is missing', before(), [stalled('SecretMissing')], undefined],
])('%s', (_sentence, status, now, reason) => {
  expect(heldIn(status, now)?.reason).toBe(reason);
});
