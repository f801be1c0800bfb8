import { expect, test } from '@jest/globals';
import type { Decision } from '../decision.ts';
import type { Snapshot } from '../snapshot.ts';
import {
  app,
  at,
  carrying,
  deployment,
  fresh,
  held,
  judgement,
  pod,
  revision,
  snapshot,
  stablePods,
  T0,
  candidate as trial,
  wanted,
} from '../testing.ts';
import { candidate } from './candidate.ts';

const first = { stable: undefined as never };
const candidateDown = [...stablePods(), pod('v2', 'shop-c', { ready: false })];
const HOUR = 3_600_000;
const STARTING = 'CandidateStarting';
/** Its first pod was drained an hour after it began; another one is as old as is said. */
const replaced = (ageMs: number): Snapshot => {
  const second = pod('v2', 'shop-d', { ready: false, createdAt: T0 + HOUR - ageMs });
  return held({ pods: [...stablePods(), pod('v2', 'shop-c', { deleting: true }), second], now: T0 + HOUR });
};
const flapping = [...stablePods(), pod('v2', 'shop-c', { ready: false, readyChangedAt: T0 + HOUR - 60_000 })];
const noRoom = [...stablePods(), pod('v2', 'shop-c', { ready: false, unschedulable: '0/3 nodes are available' })];
const refused = trial({ replicas: 0, refused: 'exceeded quota: pods' });
const asleep = held({
  deployment: deployment({ phase: 'Candidate', release: 'v2' }, { wantedReplicas: 0, readyReplicas: 0 }),
  pods: [],
});
const two = app({ rollout: { canaryReplicas: 2 } });
const nobody = (ms: number) => held({ pods: stablePods(), candidate: undefined as never, now: T0 + ms });
const lost = { phase: 'RollingBackAll', release: 'v1', since: at(-700) } as const;
const allDown = [...stablePods({ ready: false }), pod('v2', 'shop-c', { ready: false })];

const cutShort = (change: Partial<Snapshot> = {}): Snapshot =>
  carrying({ phase: 'Baking' }, {}, { revisions: [revision('v1', 'pending'), revision('v2', 'pending')], ...change });
const unwatched = { app: app({ rollout: { analysis: { policy: 'Disabled' } } }) };

test.each<[string, Snapshot, Decision['kind'], string]>([
  ['a first install', fresh(), 'act', 'CandidateStarting'],
  ['the release serves already', snapshot({ wanted: wanted('v1') }), 'proceed', 'AnalysisPassed'],
  ['from a Deployment at rest', snapshot(), 'act', 'CandidateStarting'],
  [
    'the Deployment controller has not seen the last change',
    carrying({}, { observed: false }),
    'wait',
    'CandidateStarting',
  ],
  ['pods of an earlier release are still there', carrying({}, { replicas: 3 }), 'wait', 'CandidateStarting'],
  ['stable is not complete', carrying({}, { updatedReplicas: 1, replicas: 1 }), 'wait', 'CandidateStarting'],
  [
    'whether stable is ready is not asked: this may be the remedy',
    carrying({}, { readyReplicas: 0 }),
    'act',
    'CandidateStarting',
  ],
  ['a bake is cut short by a newer spec', cutShort({ judgement: judgement('Pending', 'v1') }), 'act', 'Released'],
  ['not before its pods were read since the operator began', cutShort(), 'wait', 'CandidateStarting'],
  [
    'what was read of another release is no reading',
    cutShort({ judgement: judgement('Bad') }),
    'wait',
    'CandidateStarting',
  ],
  ['nobody waits for what is never read', cutShort(unwatched), 'act', 'Released'],
  ['and then the candidate starts', carrying({ phase: 'Baking' }), 'act', 'CandidateStarting'],
  ['an earlier trial is leaving', snapshot({ candidate: trial({ replicas: 0 }) }), 'wait', 'CandidateStarting'],
  ['what serves cannot come back', carrying(lost, { readyReplicas: 0 }), 'act', 'Promoting'],
  ['the candidate is ready', held(), 'proceed', 'Analysing'],
  ['it is starting', held({ pods: candidateDown }), 'wait', 'CandidateStarting'],
  ['its pod is not there yet', held({ pods: stablePods() }), 'wait', 'CandidateStarting'],
  [
    'a pod on its way out does not count',
    held({ pods: [...stablePods(), pod('v2', 'shop-c', { deleting: true })] }),
    'wait',
    'CandidateStarting',
  ],
  ['stable is down, too', held({ pods: allDown, now: T0 + 700_000 }), 'wait', 'DependencyDegraded'],
  ['it is not ready in time', held({ pods: candidateDown, now: T0 + 595_000 }), 'act', 'CandidateFailed'],
  ['time is not over', held({ pods: candidateDown, now: T0 + 594_999 }), 'wait', 'CandidateStarting'],
  ['its pod was drained after an hour', replaced(100), 'wait', 'CandidateStarting'],
  ['the one that came instead is not ready in time, either', replaced(600_000), 'act', 'CandidateFailed'],
  ['it lost its readiness a minute ago', held({ pods: flapping, now: T0 + 3_600_000 }), 'wait', 'CandidateStarting'],
  ['its pod was drained, and none is there yet', held({ pods: stablePods(), now: T0 + HOUR }), 'wait', STARTING],
  ['no node has room', held({ pods: noRoom, now: T0 + 10_000 }), 'wait', STARTING],
  ['still none', held({ pods: noRoom, now: T0 + HOUR }), 'fail', 'PodCannotStart'],
  ['a quota refuses it', held({ pods: stablePods(), candidate: refused, now: T0 + HOUR }), 'fail', 'PodCannotStart'],
  [
    'a quota refuses the second of two',
    held({ candidate: refused, now: T0 + HOUR, app: two }),
    'fail',
    'PodCannotStart',
  ],
  ['its Deployment belongs to somebody else', nobody(HOUR), 'fail', 'PodCannotStart'],
  ['its Deployment is about to be made', nobody(1_000), 'wait', STARTING],
  ['the service was scaled to zero', asleep, 'wait', 'ScaledToZero'],
  [
    'every one of them must be ready',
    held({ app: app({ rollout: { canaryReplicas: 2 } }) }),
    'wait',
    'CandidateStarting',
  ],
  [
    'never more than there are replicas',
    held({
      app: app({ rollout: { canaryReplicas: 5 } }),
      deployment: deployment({ phase: 'Candidate', release: 'v2', stable: 'v1' }, { wantedReplicas: 1 }),
    }),
    'proceed',
    'Analysing',
  ],
])('%s', (_sentence, seen, kind, reason) => {
  expect(candidate(seen)).toMatchObject({ kind, condition: { type: 'AnalysisPassed', reason } });
});

const recordOf = (seen: Snapshot) => {
  const decision = candidate(seen);
  return decision.kind === 'act' && decision.action.do === 'setRecord' ? decision.action.record : undefined;
};

test('a first install has nothing to go back to', () => {
  expect(recordOf(fresh())).toEqual({ phase: 'Installing', release: 'v2', since: at(0) });
});

test('a candidate knows what it is compared with', () => {
  expect(recordOf(snapshot())).toEqual({ phase: 'Candidate', release: 'v2', stable: 'v1', since: at(0) });
});

test('a first release that does not get on is replaced by the newer spec', () => {
  expect(recordOf(carrying({ phase: 'Installing', ...first }))).toMatchObject({ phase: 'Installing', release: 'v2' });
});

test('a first release that serves and is still watched is what the candidate is compared with', () => {
  expect(recordOf(carrying({ phase: 'Baking', ...first }))).toMatchObject({ phase: 'Candidate', stable: 'v1' });
});

test('a first release that is bad is not compared with', () => {
  const seen = carrying({ phase: 'Baking', ...first }, {}, { judgement: judgement('Bad', 'v1') });
  expect(recordOf(seen)).toMatchObject({ phase: 'Installing', release: 'v2' });
});

test('one that is not ready in time goes', () => {
  const pods = [...candidateDown, pod('v2', 'shop-d', { ready: false })];
  expect(recordOf(held({ pods, now: T0 + 595_000 }))).toMatchObject({
    phase: 'RollingBack',
    release: 'v1',
    withdrawn: { release: 'v2', verdict: 'rejected', reason: 'CandidateFailed' },
  });
});

const read = (requests: number, errors = 0) => ({ window: { from: T0 - 60_000, requests, errors } });

test.each<[string, Partial<Snapshot>, string]>([
  [
    'nothing failed',
    { judgement: { ...judgement('Pending', 'v1'), ...read(24) } },
    'released early (no fault in 24 requests): a newer spec came',
  ],
  [
    'some failed',
    { judgement: { ...judgement('Pending', 'v1'), ...read(240, 1) } },
    'released early (1 of 240 requests answered 5xx): a newer spec came',
  ],
  [
    'it was bad, and Observe let it be',
    { judgement: { ...judgement('Bad', 'v1'), ...read(24, 11) } },
    'released in spite of its figures (11 of 24 requests answered with 5xx (limit 5 %)): a newer spec came',
  ],
  [
    'nobody could read it',
    { judgement: { ...judgement('Blind', 'v1'), message: 'metrics unread for 30 s', ...read(0) } },
    'released unwatched (metrics unread for 30 s): a newer spec came',
  ],
  ['nobody read it', unwatched, 'released unwatched (analysis is off): a newer spec came'],
])('a bake that is cut short does not hide its figures: %s', (_case, change, words) => {
  expect(candidate(cutShort(change))).toMatchObject({
    announce: { type: 'Normal', reason: 'Released', message: `1 is ${words}` },
  });
});
