import { expect, test } from '@jest/globals';
import { regression } from './regression.ts';
import type { PodView, Snapshot } from './snapshot.ts';
import { app, at, carrying, held, judgement, pod, snapshot, stablePods, wanted } from './testing.ts';

const bad = { judgement: judgement('Bad') };
const policy = (name: string) => ({ app: app({ rollout: { analysis: { policy: name } } }) });
const beside = (change: Partial<PodView>) => ({ pods: [...stablePods(), pod('v2', 'shop-c', change)] });
const crashed = { restarts: 2, ready: false, lastExit: 'exit code 1' };
const first = (phase: 'Installing' | 'Baking', change: Partial<Snapshot>): Snapshot =>
  carrying({ phase, release: 'v2', stable: undefined as never }, {}, change);

test.each<[string, Snapshot]>([
  ['nothing is on trial', snapshot({ judgement: judgement('Bad', 'v1') })],
  ['the candidate is good', held({ judgement: judgement('Good') })],
  ['it is not known yet', held({ judgement: judgement('Pending') })],
  ['the fault is shared', held({ judgement: judgement('DependencyDegraded') })],
  ['what is bad is another release', held({ judgement: judgement('Bad', 'v1') })],
  ['it is only observed', held({ ...bad, ...policy('Observe') })],
  ['a first release is bad and a newer spec is there', first('Baking', { ...bad, wanted: wanted('v3') })],
  ['a pod restarted once', held(beside({ restarts: 1, lastExit: 'exit code 1' }))],
  ['a stable pod crashes, too', held({ pods: [...stablePods({ restarts: 2 }), pod('v2', 'shop-c', crashed)] })],
  ['stable is down, too', held({ pods: [...stablePods({ ready: false }), pod('v2', 'shop-c', crashed)] })],
  ['a pod that crashed is on its way out', held(beside({ ...crashed, deleting: true }))],
  [
    'fewer than half of the pods crash',
    carrying(
      { phase: 'Baking', release: 'v2' },
      {},
      { pods: [pod('v2', 'a', crashed), pod('v2', 'b'), pod('v2', 'c')] },
    ),
  ],
  ['a first install crashes: promotion tells of it', first('Installing', beside(crashed))],
])('nothing is taken back: %s', (_sentence, seen) => {
  expect(regression(seen)).toBeUndefined();
});

test.each<[string, Snapshot, object]>([
  ['a bad candidate', held(bad), { phase: 'RollingBack', release: 'v1', candidatePods: 1 }],
  [
    'a bad candidate, although the resource is paused',
    held({ ...bad, app: app({ paused: true }) }),
    { phase: 'RollingBack' },
  ],
  ['a candidate that crashed twice', held(beside(crashed)), { phase: 'RollingBack' }],
  ['a candidate that ran out of memory once', held(beside({ lastExit: 'OOMKilled' })), { phase: 'RollingBack' }],
  [
    'a release that is bad while it is promoted',
    carrying({ phase: 'Promoting', release: 'v2' }, {}, bad),
    { phase: 'RollingBackAll' },
  ],
  [
    'a release that turned bad later',
    carrying({ phase: 'Baking', release: 'v2' }, {}, bad),
    { phase: 'RollingBackAll' },
  ],
  [
    'a release that crashes while it is watched',
    carrying({ phase: 'Baking', release: 'v2' }, {}, { pods: [pod('v2', 'a', crashed), pod('v2', 'b')] }),
    { phase: 'RollingBackAll' },
  ],
  [
    'what was on hold, once a newer spec is there',
    held({ ...bad, ...policy('Hold'), wanted: wanted('v3') }),
    { phase: 'RollingBack', release: 'v1' },
  ],
])('taken back: %s', (_sentence, seen, record) => {
  expect(regression(seen)).toMatchObject({
    kind: 'act',
    condition: { reason: 'RolledBack' },
    announce: { type: 'Warning', reason: 'RolledBack' },
    action: { do: 'setRecord', record: { ...record, withdrawn: { release: 'v2', verdict: 'rejected' } } },
  });
});

test.each<[string, Snapshot, string]>([
  ['the policy is Hold', held({ ...bad, ...policy('Hold') }), 'Held'],
  ['there is nothing to go back to', first('Baking', bad), 'FirstReleaseFailed'],
])('said, and nothing changed: %s', (_sentence, seen, reason) => {
  expect(regression(seen)).toMatchObject({ kind: 'fail', condition: { reason } });
});

test('the event has figures and the next step', () => {
  expect(regression(held(bad))?.condition.message).toBe(
    '2: 11 of 24 requests answered with 5xx (limit 5 %); 1 serves again; apply a new spec, or change spec.rollout.retryToken to try 2 again',
  );
});

test('the record says what happened, in the same write', () => {
  expect(regression(held(bad))).toMatchObject({
    action: {
      record: {
        withdrawn: { reason: 'Regression', message: '2: 11 of 24 requests answered with 5xx (limit 5 %)', at: at(0) },
      },
    },
  });
});
