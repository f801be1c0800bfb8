import { expect, test } from '@jest/globals';
import { apisBy } from '../api/optional-apis.ts';
import type { AppResource } from '../api/resource.ts';
import { decide } from './plan.ts';
import type { Snapshot } from './snapshot.ts';
import {
  app,
  at,
  candidate,
  carrying,
  deployment,
  fresh,
  held,
  judgement,
  migrated,
  pod,
  revision,
  snapshot,
  T0,
  wanted,
} from './testing.ts';

const serving = (change: Partial<Snapshot> = {}): Snapshot => snapshot({ wanted: wanted('v1'), ...change });
const ready = (seen: Snapshot) => decide(seen).conditions.find(({ type }) => type === 'Ready');
const types = (seen: Snapshot) => decide(seen).conditions.map(({ type }) => type);

const ran = (name: string, imageId: string) => pod('v1', name, { imageId });

test.each<[string, Snapshot, 'True' | 'False', string]>([
  ['the wanted release serves', serving(), 'True', 'AsExpected'],
  [
    'it serves and is still watched',
    carrying({ phase: 'Baking' }, {}, { wanted: wanted('v1'), now: T0 }),
    'True',
    'Baking',
  ],
  [
    'it serves and is being written down',
    carrying(
      { phase: 'Baking' },
      {},
      { wanted: wanted('v1'), judgement: judgement('Good', 'v1'), now: T0 + 2e6, revisions: [] },
    ),
    'True',
    'ReleaseForgotten',
  ],
  ['no pod is up', serving({ deployment: deployment({}, { readyReplicas: 0 }) }), 'False', 'PodsUnavailable'],
  [
    'no pod is wanted',
    serving({ deployment: deployment({}, { readyReplicas: 0, wantedReplicas: 0 }) }),
    'True',
    'AsExpected',
  ],
  ['another release serves', snapshot(), 'False', 'Starting'],
  ['nothing is installed', fresh(), 'False', 'Starting'],
  [
    'the wanted release was rejected',
    snapshot({ revisions: [revision('v1', 'released'), revision('v2', 'rejected')] }),
    'False',
    'ReleaseRejected',
  ],
])('Ready: %s', (_sentence, seen, status, reason) => {
  expect(ready(seen)).toMatchObject({ status, reason });
});

test.each<[string, Snapshot, string | undefined]>([
  ['nothing is to be done', serving(), undefined],
  ['something is under way', snapshot(), 'Reconciling'],
  [
    'a release that only bakes is not under way',
    carrying({ phase: 'Baking' }, {}, { wanted: wanted('v1') }),
    undefined,
  ],
  [
    'nothing goes on by itself',
    snapshot({ revisions: [revision('v1', 'released'), revision('v2', 'rejected')] }),
    'Stalled',
  ],
])('kstatus: %s', (_sentence, seen, expected) => {
  expect(types(seen).filter(type => type === 'Reconciling' || type === 'Stalled')).toEqual(expected ? [expected] : []);
});

test('interrupts come before every stage', () => {
  const bad = held({ judgement: judgement('Bad'), missing: [{ reason: 'SecretMissing', message: 'x' }] });
  expect(decide(bad).action).toMatchObject({ do: 'setRecord', record: { phase: 'RollingBack' } });
});

test('an interrupt leaves standing what the stages said last', () => {
  const migratedBefore = {
    ...{ type: 'Migrated', status: 'True', reason: 'UpToDate', message: '2 applied' },
    ...{ lastTransitionTime: at(-60), observedGeneration: 2 },
  };
  const ready = { ...migratedBefore, type: 'Ready', reason: 'Released' };
  const before = { ...app({ paused: true }), status: { conditions: [migratedBefore, ready] } } as AppResource;
  const { conditions } = decide(snapshot({ app: before }));
  expect(conditions).toContainEqual({ type: 'Migrated', status: 'True', reason: 'UpToDate', message: '2 applied' });
  expect(conditions.filter(({ type }) => type === 'Ready')).toMatchObject([{ reason: 'Paused' }]);
});

test('a regression comes before pause', () => {
  const paused = app({ paused: true });
  expect(decide(held({ app: paused, judgement: judgement('Bad') })).action).toBeDefined();
  expect(decide(held({ app: paused, judgement: judgement('Good') })).action).toBeUndefined();
});

test('the furthest stage that speaks of a condition has the word', () => {
  const revisions = [revision('v1', 'released'), revision('v2', 'pending', { migration: migrated('v2') })];
  const { conditions } = decide(held({ revisions, judgement: judgement('Pending') }));
  expect(conditions.filter(({ type }) => type === 'AnalysisPassed')).toMatchObject([{ reason: 'Analysing' }]);
});

test('what stops the walk leaves the stages behind it unsaid', () => {
  const { conditions } = decide(fresh({ missing: [{ reason: 'SecretMissing', message: 'Secret db does not exist' }] }));
  expect(conditions.map(({ type }) => type)).not.toContain('Migrated');
  expect(conditions.find(({ type }) => type === 'Ready')?.message).toContain('Secret db does not exist');
});

test('what surrounds the release never decides about Ready', () => {
  expect(ready(serving({ apis: apisBy(() => 'absent') }))?.status).toBe('True');
  const autoscaled = app({ autoscaling: { minReplicas: 2, maxReplicas: 4 } });
  const seen = serving({ app: autoscaled, autoscaler: { active: false, message: 'no metrics' } });
  expect(ready(seen)?.status).toBe('True');
  expect(decide(seen).conditions).toContainEqual({
    ...{ type: 'AutoscalingActive', status: 'False', reason: 'AutoscalerNotReady', message: 'no metrics' },
  });
});

test.each<[string, Partial<Snapshot>, string, string]>([
  ['pods serve', {}, 'True', 'MinimumPodsAvailable'],
  ['a worker runs', { worker: candidate() }, 'True', 'MinimumPodsAvailable'],
  [
    'no pod is wanted',
    { deployment: deployment({}, { readyReplicas: 0, wantedReplicas: 0 }) },
    'False',
    'ScaledToZero',
  ],
  ['no worker runs', { worker: candidate({ availableReplicas: 0 }) }, 'False', 'WorkerUnavailable'],
  [
    'none is wanted',
    { worker: candidate({ availableReplicas: 0, wantedReplicas: 0 }) },
    'True',
    'MinimumPodsAvailable',
  ],
  ['a tag was pushed again', { pods: [ran('a', 'x@sha256:1'), ran('b', 'x@sha256:2')] }, 'True', 'ImagesDiffer'],
  [
    'pods run the same image',
    { pods: [ran('a', 'x@sha256:1'), ran('b', 'x@sha256:1')] },
    'True',
    'MinimumPodsAvailable',
  ],
])('Available: %s', (_sentence, change, status, reason) => {
  const { conditions } = decide(serving(change));
  expect(conditions.find(({ type }) => type === 'Available')).toMatchObject({ status, reason });
});

test.each([
  [1, 'one pod: a drain is an outage; two outlive it'],
  [2, 'pods serve'],
])('Available with %i wanted', (pods, message) => {
  const { conditions } = decide(serving({ deployment: deployment({}, { readyReplicas: pods, wantedReplicas: pods }) }));
  expect(conditions.find(({ type }) => type === 'Available')).toMatchObject({ status: 'True', message });
});

test('without a worker a release is not Ready, and the kubelet’s words are told', () => {
  const workers = [pod('v1', 'shop-worker-a', { ready: false, lastExit: 'exit code 1' })];
  const seen = serving({ worker: candidate({ availableReplicas: 0 }), workers });
  expect(ready(seen)).toMatchObject({
    ...{ status: 'False', reason: 'WorkerUnavailable' },
    message: '0 of 1 workers ready (shop-worker-a: exit code 1): jobs wait',
  });
});

test('one Warning for each fault: that it stays refused is not told again', () => {
  const plan = decide(snapshot({ revisions: [revision('v1', 'released'), revision('v2', 'rejected')] }));
  expect(plan).not.toHaveProperty('announce');
  expect(plan.conditions).toContainEqual(expect.objectContaining({ type: 'Stalled', reason: 'ReleaseRejected' }));
  expect(plan.recheckMs).toBeUndefined();
});

test('the same snapshot gives the same plan', () => {
  const frozen = Object.freeze(held({ judgement: judgement('Good') }));
  expect(decide(frozen)).toEqual(decide(frozen));
});

test.each<[string, Snapshot, string, string]>([
  [
    'a candidate without traffic waits for a person',
    held({ judgement: judgement('Insufficient') }),
    'Stalled',
    'InsufficientTraffic',
  ],
  ['so does one that cannot be read', held({ judgement: judgement('Blind') }), 'Stalled', 'Blind'],
  [
    'at rest with no pod ready',
    serving({ deployment: deployment({}, { readyReplicas: 0 }) }),
    'Reconciling',
    'PodsUnavailable',
  ],
])('%s', (_sentence, seen, type, reason) => {
  const said = decide(seen).conditions.filter(one => one.type === 'Stalled' || one.type === 'Reconciling');
  expect(said).toEqual([expect.objectContaining({ type, status: 'True', reason })]);
});
