import { expect, test } from '@jest/globals';
import type { PodEnd, PodView, Snapshot } from '../snapshot.ts';
import { app, at, carrying, held, judgement, pod, revision, snapshot, stablePods, T0, wanted } from '../testing.ts';
import { regression } from './regression.ts';

const bad = { judgement: judgement('Bad') };
const policy = (name: string) => ({ app: app({ rollout: { analysis: { policy: name } } }) });
const beside = (change: Partial<PodView>) => ({ pods: [...stablePods(), pod('v2', 'shop-c', change)] });
const crashed = { restarts: 2, ready: false, lastExit: 'exit code 1' };
const first = (phase: 'Installing' | 'Baking', change: Partial<Snapshot>): Snapshot =>
  carrying({ phase, release: 'v2', stable: undefined as never }, {}, change);

const KILLED = { restarts: 1, lastExit: 'OOMKilled' };
const baking = (change: Partial<Snapshot>): Snapshot => carrying({ phase: 'Baking', release: 'v2' }, {}, change);
const NODE: PodEnd = { reason: 'Evicted', message: 'The node was low on resource: memory.', disrupted: true };
const OWN: PodEnd = { reason: 'Evicted', message: 'Pod ephemeral local storage usage exceeds 1Gi', disrupted: false };
/** Pods of v2 that are only listed still, and one that serves. */
const evicted = (...ends: (PodEnd | string)[]) => ({
  pods: [
    ...stablePods(),
    ...ends.map((ended, n) =>
      typeof ended === 'string'
        ? pod('v2', ended)
        : pod('v2', `gone-${n}`, { ready: false, ended, readyChangedAt: T0 }),
    ),
  ],
});

test.each<[string, Snapshot]>([
  ['nothing is on trial', snapshot({ judgement: judgement('Bad', 'v1') })],
  ['the candidate is good', held({ judgement: judgement('Good') })],
  ['it is not known yet', held({ judgement: judgement('Pending') })],
  ['the fault is shared', held({ judgement: judgement('DependencyDegraded') })],
  ['there is too much to do for all of them', held({ judgement: judgement('Overloaded') })],
  ['what is bad is another release', held({ judgement: judgement('Bad', 'v1') })],
  ['it is only observed', held({ ...bad, ...policy('Observe') })],
  ['a first release is bad and a newer spec is there', first('Baking', { ...bad, wanted: wanted('v3') })],
  ['a pod restarted once', held(beside({ restarts: 1, lastExit: 'exit code 1' }))],
  [
    'a stable pod crashes, too',
    held({ pods: [...stablePods({ restarts: 2, lastEndedAt: T0 }), pod('v2', 'shop-c', crashed)] }),
  ],
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
  ['one of two pods ran out of memory once', baking({ pods: [pod('v2', 'a', KILLED), pod('v2', 'b')] })],
  ['the only pod ran out of memory once', baking({ pods: [pod('v2', 'a', KILLED)] })],
  ['a node was drained', held(evicted(NODE, NODE, 'shop-c'))],
  ['a node was short of memory twice', baking(evicted(NODE, NODE))],
  [
    'it presses everybody',
    baking({ pods: [...evicted(NODE, NODE, NODE).pods, pod('v1', 'd', { ended: NODE, readyChangedAt: T0 })] }),
  ],
  [
    'evictions of an earlier attempt',
    held({
      pods: evicted(OWN, OWN, OWN, 'shop-c').pods.map(one => ({
        ...one,
        createdAt: T0 - 9e7,
        readyChangedAt: T0 - 8e7,
      })),
    }),
  ],
  ['a pod exceeded its own limit once', baking(evicted(OWN))],
  ['a worker restarted once', baking({ workers: [pod('v2', 'w', { restarts: 1 })] })],
  ['a worker of the stable release crashes', baking({ workers: [pod('v1', 'w', { restarts: 9 })] })],
  ['the worker is not replaced yet', held({ workers: [pod('v2', 'w', { restarts: 9 })] })],
  ['its bake ended a week ago', carrying({ phase: 'Baking', release: 'v2', since: at(-7 * 86_400) }, {}, bad)],
  [
    'what is to be gone back to is made again first',
    carrying({ phase: 'Baking', release: 'v2' }, {}, { ...bad, revisions: [] }),
  ],
  ['a first install crashes: promotion tells of it', first('Installing', beside(crashed))],
])('nothing is taken back: %s', (_sentence, seen) => {
  expect(regression(seen)).toBeUndefined();
});

const ALL = { phase: 'RollingBackAll' };

test.each<[string, Snapshot, object]>([
  ['a bad candidate', held(bad), { phase: 'RollingBack', release: 'v1' }],
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
    'two of three pods ran out of memory',
    baking({ pods: [pod('v2', 'a', KILLED), pod('v2', 'b', KILLED), pod('v2', 'c')] }),
    ALL,
  ],
  ['pods exceeded their own limit twice', baking(evicted(OWN, OWN, 'shop-d')), ALL],
  ['its node is short of memory again and again', baking(evicted(NODE, NODE, NODE, 'shop-d')), ALL],
  [
    'it crashes beside a stable pod that crashed weeks ago',
    held({ pods: [...stablePods({ restarts: 9, lastEndedAt: T0 - 9e8 }), pod('v2', 'shop-c', crashed)] }),
    { phase: 'RollingBack' },
  ],
  [
    'its only live worker crashes',
    baking({
      workers: [pod('v2', 'w', { restarts: 2 }), pod('v2', 'x', { ended: NODE }), pod('v2', 'y', { ended: NODE })],
    }),
    ALL,
  ],
  ['its worker crashes', baking({ workers: [pod('v2', 'w', { restarts: 2 })] }), ALL],
  [
    'a bad candidate, although nobody remembers the stable release',
    held({ ...bad, revisions: [revision('v2', 'pending')] }),
    { phase: 'RollingBack', release: 'v1' },
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

test('on hold in the middle of a promotion: one write stops the replacing of pods', () => {
  const held = (record = {}) =>
    carrying({ phase: 'Promoting', release: 'v2', ...record }, {}, { ...bad, ...policy('Hold') });
  expect(regression(held())).toMatchObject({
    kind: 'act',
    announce: { reason: 'Held' },
    action: { do: 'setRecord', record: { phase: 'Promoting', release: 'v2', held: true } },
  });
  expect(regression(held({ held: true }))).toMatchObject({ kind: 'fail', condition: { reason: 'Held' } });
});

test('after the promotion the stable release has to start again, and that is what is said', () => {
  expect(regression(baking(bad))?.condition.message).toContain('; 1 is coming back; ');
});

test('the event has figures and the next step', () => {
  expect(regression(held(bad))?.condition.message).toBe(
    '2: 11 of 24 requests answered with 5xx (limit 5 %); it is taken out, 1 serves on; apply a new spec, or change spec.rollout.retryToken to try 2 again',
  );
});

test('a release that turns away what others bear is told from one that fails', () => {
  const shed = {
    ...judgement('Bad'),
    fault: 'OverloadRegression' as const,
    candidate: { requests: 24, errors: 11, shed: 11 },
  };
  expect(regression(held({ judgement: shed }))).toMatchObject({
    action: {
      record: {
        phase: 'RollingBack',
        withdrawn: { reason: 'OverloadRegression', facts: { figures: { candidate: { errors: 11, shed: 11 } } } },
      },
    },
  });
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
