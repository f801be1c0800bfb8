import { expect, test } from '@jest/globals';
import { candidate } from './candidate.ts';
import type { Decision } from './decision.ts';
import type { Snapshot } from './snapshot.ts';
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
  wanted,
} from './testing.ts';

const first = { stable: undefined as never };
const candidateDown = [...stablePods(), pod('v2', 'shop-c', { ready: false })];
const allDown = [...stablePods({ ready: false }), pod('v2', 'shop-c', { ready: false })];

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
  [
    'a bake is cut short by a newer spec',
    carrying({ phase: 'Baking' }, {}, { revisions: [revision('v1', 'pending'), revision('v2', 'pending')] }),
    'act',
    'Released',
  ],
  ['and then the candidate starts', carrying({ phase: 'Baking' }), 'act', 'CandidateStarting'],
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
  ['it is not ready in time', held({ pods: candidateDown, now: T0 + 590_000 }), 'act', 'CandidateFailed'],
  ['time is not over', held({ pods: candidateDown, now: T0 + 589_999 }), 'wait', 'CandidateStarting'],
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

test('one that is not ready in time goes, with as many pods missing as it has', () => {
  const pods = [...candidateDown, pod('v2', 'shop-d', { ready: false })];
  expect(recordOf(held({ pods, now: T0 + 590_000 }))).toMatchObject({
    phase: 'RollingBack',
    release: 'v1',
    candidatePods: 2,
    withdrawn: { release: 'v2', verdict: 'rejected', reason: 'CandidateFailed' },
  });
});

test('a bake that is cut short under Observe does not hide its figures', () => {
  const revisions = [revision('v1', 'pending'), revision('v2', 'pending')];
  const { condition } = candidate(carrying({ phase: 'Baking' }, {}, { revisions, judgement: judgement('Bad', 'v1') }));
  expect(condition.message).toContain('11 of 24');
});
