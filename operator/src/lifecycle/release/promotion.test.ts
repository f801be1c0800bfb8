import { expect, test } from '@jest/globals';
import type { Decision } from '../decision.ts';
import type { Snapshot } from '../snapshot.ts';
import { app, at, candidate, carrying, fresh, held, judgement, pod, T0, wanted } from '../testing.ts';
import { promotion } from './promotion.ts';

const promoting = (view = {}, change: Partial<Snapshot> = {}): Snapshot =>
  carrying({ phase: 'Promoting', release: 'v2', since: at(0) }, view, {
    pods: [pod('v1', 'shop-a'), pod('v2', 'shop-b')],
    ...change,
  });
const installing = (view = {}, change: Partial<Snapshot> = {}): Snapshot =>
  carrying({ phase: 'Installing', release: 'v2', stable: undefined as never, since: at(0) }, view, change);
const half = { updatedReplicas: 1, replicas: 3 };
const NONE = { wantedReplicas: 0, replicas: 0, updatedReplicas: 0, readyReplicas: 0, availableReplicas: 0 };
const DEADLINE = 'ProgressDeadlineExceeded';
/** progressDeadlineSeconds and minReadySeconds, both of the defaults. */
const OVER = { now: T0 + 610_000 };
/** The same for each of two pods. */
const TWICE = { now: T0 + 1_220_000, pods: [pod('v2', 'shop-a', { ready: false }), pod('v2', 'shop-b')] };
const slow = (minReadySeconds: number) => ({ ...OVER, app: app({ rollout: { minReadySeconds } }) });
const idle = candidate({ availableReplicas: 0 });
const newDown = { pods: [pod('v1', 'shop-a'), pod('v2', 'shop-b', { ready: false })] };
const noRoom = { pods: [pod('v1', 'shop-a'), pod('v2', 'shop-b', { ready: false, unschedulable: 'no room' })] };
const gone = pod('v1', 'w', { ready: false, ended: { reason: 'Evicted', message: '', disrupted: true } });
const hangs = { ...OVER, ...newDown };
const down = { pods: [pod('v1', 'shop-a', { ready: false }), pod('v2', 'shop-b', { ready: false })] };

test.each<[string, Snapshot, Decision['kind'], string]>([
  ['there is no Deployment yet', fresh(), 'wait', 'Progressing'],
  ['nothing is promoted', carrying({}, {}, { wanted: wanted('v1') }), 'proceed', 'Progressing'],
  ['the candidate is promoted', held({ judgement: judgement('Good') }), 'act', 'Promoting'],
  ['every pod runs it', promoting(), 'proceed', 'Progressing'],
  ['the Deployment controller has not seen it yet', promoting({ observed: false }), 'wait', 'Promoting'],
  ['half of the pods run it', promoting(half), 'wait', 'Promoting'],
  ['scaled out meanwhile, the added pods are not there yet', promoting({ wantedReplicas: 5 }), 'wait', 'Promoting'],
  ['all run it, one is not available', promoting({ availableReplicas: 1 }), 'wait', 'Promoting'],
  ['all run it, an old one is still there', promoting({ replicas: 3 }), 'wait', 'Promoting'],
  ['all run it, but for the worker', promoting({}, { worker: candidate({ updatedReplicas: 0 }) }), 'wait', 'Promoting'],
  ['it does not get on', promoting(half, OVER), 'act', 'ProgressDeadlineExceeded'],
  [
    'its pods get ready and lose it again',
    promoting({ availableReplicas: 1, progressedAt: T0 + 1_219_000 }, TWICE),
    'act',
    DEADLINE,
  ],
  ['it gets on, slowly', promoting({ ...half, progressedAt: T0 + 1_000 }, OVER), 'wait', 'Promoting'],
  ['a pod takes as long as minReadySeconds to count', promoting(half, slow(700)), 'wait', 'Promoting'],
  ['the worker of the release before still runs', promoting({}, { workers: [pod('v1', 'w')] }), 'wait', 'Promoting'],
  ['it could not be replaced', promoting({}, { ...OVER, workers: [pod('v1', 'w')] }), 'fail', 'PodCannotStart'],
  [
    'no node has room, and an evicted worker is still listed',
    promoting(half, { ...OVER, ...noRoom, workers: [gone] }),
    'fail',
    'PodCannotStart',
  ],
  ['the worker does not get on', promoting({}, { ...OVER, worker: idle }), 'act', 'ProgressDeadlineExceeded'],
  ['none gets on, the new ones neither', promoting(half, { ...OVER, ...down }), 'wait', 'DependencyDegraded'],
  ['the new ones are not ready, the stable ones are', promoting(half, { ...OVER, ...newDown }), 'act', DEADLINE],
  ['no node has room', promoting(half, { ...OVER, ...noRoom }), 'fail', 'PodCannotStart'],
  ['a quota refuses the next pod', promoting({ ...half, refused: 'exceeded quota' }, OVER), 'fail', 'PodCannotStart'],
  ['a quota refuses it, and one that has started hangs', promoting({ ...half, refused: 'no' }, hangs), 'act', DEADLINE],
  ['somebody scaled it to zero', promoting({ ...half, wantedReplicas: 0 }), 'wait', 'ScaledToZero'],
  ['scaled to zero, it is not complete', promoting(NONE), 'wait', 'ScaledToZero'],
  ['a first install with no pod is complete', installing(NONE), 'proceed', 'Progressing'],
  ['it is held', carrying({ phase: 'Promoting', release: 'v2', held: true }), 'fail', 'Held'],
  ['somebody paused the Deployment', promoting({ ...half, paused: true }), 'fail', 'Held'],
  ['a first install is complete', installing(), 'proceed', 'Progressing'],
  ['a first install goes on', installing(half), 'wait', 'Promoting'],
  ['a first install does not get on', installing(half, OVER), 'fail', 'FirstReleaseFailed'],
])('%s', (_sentence, seen, kind, reason) => {
  expect(promotion(seen)).toMatchObject({ kind, condition: { type: 'Ready', reason } });
});

const recordOf = (seen: Snapshot) => {
  const decision = promotion(seen);
  return decision.kind === 'act' && decision.action.do === 'setRecord' ? decision.action.record : undefined;
};

test('what stable answered meanwhile is what the bake compares with', () => {
  const seen = held({ judgement: { ...judgement('Good'), baseline: { requests: 2_000, errors: 100 } } });
  expect(recordOf(seen)).toEqual({
    ...{ phase: 'Promoting', release: 'v2', stable: 'v1', since: at(0), version: 2 },
    stableErrorRatio: 0.04, // not 0.05: a hundred may have been eighty
    trial: {
      ...{ verdict: 'Good', at: at(0) },
      ...{ candidate: { requests: 24, errors: 0 }, baseline: { requests: 2_000, errors: 100 } },
    },
  });
});

test('overload is no fault that the bake allows; what was borne is what it expects', () => {
  const borne = { all: 40, perPod: 10 };
  const seen = held({
    judgement: { ...judgement('Good'), baseline: { requests: 2_000, errors: 200, shed: 100 }, borne },
  });
  expect(recordOf(seen)).toMatchObject({ stableErrorRatio: 0.04, borne });
  expect(recordOf(held({ judgement: { ...judgement('Good'), borne: { all: 0, perPod: 0 } } }))).not.toHaveProperty(
    'borne',
  );
});

test.each([
  ['without requests', { requests: 0, errors: 0 }],
  ['with errors that may be chance', { requests: 20, errors: 4 }],
])('%s there is nothing to compare with', (_what, baseline) => {
  const seen = held({ judgement: { ...judgement('Good'), baseline } });
  expect(recordOf(seen)).not.toHaveProperty('stableErrorRatio');
});

test('a promotion that does not get on brings all stable pods back', () => {
  expect(recordOf(promoting(half, OVER))).toMatchObject({
    phase: 'RollingBackAll',
    release: 'v1',
    withdrawn: { release: 'v2', verdict: 'rejected' },
  });
});

test('the message has the words of the first pod that does not get on', () => {
  const waiting = { reason: 'ImagePullBackOff', message: 'no such tag' };
  const seen = installing(half, { pods: [pod('v2', 'shop-b', { ready: false, waiting })] });
  expect(promotion(seen).condition.message).toContain('(shop-b: ImagePullBackOff: no such tag)');
});
