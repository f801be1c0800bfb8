import { expect, test } from '@jest/globals';
import type { Condition } from '../api/conditions.ts';
import { formatRecord, type RolloutRecord } from '../api/rollout.ts';
import { DECISIONS, decisionIn, heldIn, lastDecisions } from './decided.ts';
import { decide } from './plan.ts';
import { refused } from './release/refusal.ts';
import type { Revision, Snapshot } from './snapshot.ts';
import {
  app,
  at,
  candidate,
  carrying,
  held,
  incident,
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

const note = (when: number) => ({ release: 'v2', reason: 'CandidateStarting', at: at(when) });
const DAY = 86_400;
const of = (record: Partial<RolloutRecord>, change: Partial<Snapshot> = {}): Snapshot =>
  carrying(record, {}, { revisions: [], ...change });
const taken = (when: number, phase: string, hash = 'v2') => incident(hash, at(when), { phase });
const releasedAt = (when: number): Revision => ({ ...v1, verdict: { ...v1.verdict, at: at(when) } });
/** Its Deployment is gone. */
function removed(decisions: NonNullable<RolloutRecord['decisions']>): Snapshot {
  const { deployment: _gone, ...seen } = of({});
  const record = formatRecord({ phase: 'Settled', release: 'v2', since: at(-5), decisions });
  return { ...seen, app: { ...seen.app, status: { ...seen.app.status, rollout: { record } } } };
}

test.each<[string, Snapshot, Partial<Record<keyof typeof DECISIONS, string>>]>([
  ['a trial that is over', of({ decisions: { candidate: note(-9) } }), { candidate: at(-9) }],
  ['a day ago', of({ decisions: { candidate: note(-DAY) } }), {}],
  ['what a later version decided', of({ decisions: { adjourned: note(-9) } }), {}],
  ['its Deployment was removed', removed({ promoted: note(-9) }), { promoted: at(-9) }],
  ['it was released', of({}, { revisions: [releasedAt(-60)] }), { released: at(-60) }],
  [
    'the one before it was noted',
    of({ decisions: { released: note(-90) } }, { revisions: [releasedAt(-60)] }),
    { released: at(-60) },
  ],
  [
    'one that was released later was rejected then',
    of({ decisions: { released: note(-30) } }, { revisions: [releasedAt(-60)] }),
    { released: at(-30) },
  ],
  ['it was taken back', of({}, { incidents: [taken(-5, 'Candidate')] }), { 'rolled-back': at(-5) }],
  ['it was refused', of({}, { incidents: [taken(-5, 'Rehearsal')] }), { rejected: at(-5) }],
  [
    'three incidents',
    of({}, { incidents: [taken(-90, 'Promoting'), taken(-60, 'Migration', 'v3'), taken(-30, 'Baking', 'v4')] }),
    { 'rolled-back': at(-30), rejected: at(-60) },
  ],
  ['a person was called', of({}, { standing: [incident('v2', at(-5), { kind: 'held' })] }), { held: at(-5) }],
  ['nobody was blamed', of({}, { standing: [incident('v2', at(-5), { kind: 'outage' })] }), { outage: at(-5) }],
  ['a key is no release', of({}, { standing: [incident('v2', at(-5), { kind: 'keys' })] }), {}],
])('told for a day: %s', (_sentence, seen, last) => {
  const told = lastDecisions(seen).map(({ decision, at: when }) => [decision, when]);
  expect(Object.fromEntries(told)).toEqual(last);
});

test.each<[string, Snapshot, readonly string[]]>([
  ['its trial begins', snapshot({ revisions: [v1, tried] }), ['candidate', 'released']],
  [
    'it is promoted',
    held({ judgement: judgement('Good') }, { decisions: { candidate: note(-9) } }),
    ['candidate', 'promoted', 'released'],
  ],
  ['it is taken back', held({ judgement: judgement('Bad') }), ['released', 'rolled-back']],
  ['a newer spec came', held({ wanted: wanted('v3') }), ['released', 'superseded']],
  [
    'a day later',
    held({ judgement: judgement('Bad') }, { decisions: { candidate: note(-DAY) } }),
    ['released', 'rolled-back'],
  ],
])('noted in the record: %s', (_sentence, seen, noted) => {
  const { action } = decide(seen);
  const record = action?.do === 'setRecord' ? action.record : undefined;
  expect(record).toBeDefined();
  expect(Object.keys(record?.decisions ?? {}).sort()).toEqual(noted);
});

test('a release that is forgotten keeps its version, as long as its incident is there', () => {
  const seen = carrying({}, {}, { revisions: [], incidents: [incident('v2', at(-5))] });
  expect(lastDecisions(seen)).toMatchObject([{ release: 'v2', version: '2' }]);
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
