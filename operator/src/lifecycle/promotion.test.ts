import { expect, test } from '@jest/globals';
import type { Decision } from './decision.ts';
import { promotion } from './promotion.ts';
import type { Snapshot } from './snapshot.ts';
import { at, carrying, fresh, held, judgement, pod, T0, wanted } from './testing.ts';

const promoting = (view = {}, change: Partial<Snapshot> = {}): Snapshot =>
  carrying({ phase: 'Promoting', release: 'v2', since: at(0) }, view, {
    pods: [pod('v1', 'shop-a'), pod('v2', 'shop-b')],
    ...change,
  });
const installing = (view = {}, change: Partial<Snapshot> = {}): Snapshot =>
  carrying({ phase: 'Installing', release: 'v2', stable: undefined as never, since: at(0) }, view, change);
const half = { updatedReplicas: 1, replicas: 3 };
const down = { pods: [pod('v1', 'shop-a', { ready: false }), pod('v2', 'shop-b', { ready: false })] };

test.each<[string, Snapshot, Decision['kind'], string]>([
  ['there is no Deployment yet', fresh(), 'wait', 'Progressing'],
  ['nothing is promoted', carrying({}, {}, { wanted: wanted('v1') }), 'proceed', 'Progressing'],
  ['the candidate is promoted', held({ judgement: judgement('Good') }), 'act', 'Promoting'],
  ['every pod runs it', promoting(), 'proceed', 'Progressing'],
  ['the Deployment controller has not seen it yet', promoting({ observed: false }), 'wait', 'Promoting'],
  ['half of the pods run it', promoting(half), 'wait', 'Promoting'],
  ['all run it, one is not available', promoting({ availableReplicas: 1 }), 'wait', 'Promoting'],
  ['all run it, an old one is still there', promoting({ replicas: 3 }), 'wait', 'Promoting'],
  ['it does not get on', promoting(half, { now: T0 + 600_000 }), 'act', 'ProgressDeadlineExceeded'],
  ['none gets on, the new ones neither', promoting(half, { now: T0 + 600_000, ...down }), 'wait', 'DependencyDegraded'],
  ['a first install is complete', installing(), 'proceed', 'Progressing'],
  ['a first install goes on', installing(half), 'wait', 'Promoting'],
  ['a first install does not get on', installing(half, { now: T0 + 600_000 }), 'fail', 'FirstReleaseFailed'],
])('%s', (_sentence, seen, kind, reason) => {
  expect(promotion(seen)).toMatchObject({ kind, condition: { type: 'Ready', reason } });
});

const recordOf = (seen: Snapshot) => {
  const decision = promotion(seen);
  return decision.kind === 'act' && decision.action.do === 'setRecord' ? decision.action.record : undefined;
};

test('what stable answered meanwhile is what the bake compares with', () => {
  const seen = held({ judgement: { ...judgement('Good'), baseline: { requests: 200, errors: 1 } } });
  expect(recordOf(seen)).toEqual({
    ...{ phase: 'Promoting', release: 'v2', stable: 'v1', since: at(0) },
    stableErrorRatio: 0.005,
  });
});

test('without requests there is nothing to compare with', () => {
  const seen = held({ judgement: { ...judgement('Good'), baseline: { requests: 0, errors: 0 } } });
  expect(recordOf(seen)).not.toHaveProperty('stableErrorRatio');
});

test('a promotion that does not get on brings all stable pods back', () => {
  expect(recordOf(promoting(half, { now: T0 + 600_000 }))).toMatchObject({
    phase: 'RollingBackAll',
    release: 'v1',
    withdrawn: { release: 'v2', verdict: 'rejected' },
  });
});

test('the message has the words of the first pod that does not get on', () => {
  const waiting = { reason: 'ImagePullBackOff', message: 'no such tag' };
  const seen = installing(half, { pods: [pod('v2', 'shop-b', { ready: false, waiting })] });
  expect(promotion(seen).condition.message).toContain('(shop-b: ImagePullBackOff no such tag)');
});
