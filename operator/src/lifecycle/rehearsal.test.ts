import { expect, test } from '@jest/globals';
import type { Decision } from './decision.ts';
import { rehearsal } from './rehearsal.ts';
import type { PodView, Revision, Snapshot } from './snapshot.ts';
import { app, at, carrying, fresh, judgement, pod, revision, snapshot, stablePods, T0, wanted } from './testing.ts';

const trial = (change: Partial<PodView> = {}): Partial<Snapshot> => ({
  rehearsals: [pod('v2', 'shop-rehearsal-v2', { createdAt: T0, ...change })],
});
const tried = (attempts: number, passed = false): Revision =>
  revision('v2', 'pending', { rehearsal: { passed, attempts, message: 'GET /health: 500', at: at(0) } });
const stableIsDown = { pods: stablePods({ ready: false }) };
const notReady = { ready: false };
const pulling = { ready: false, waiting: { reason: 'ImagePullBackOff', message: 'no such tag' } };
const crashing = { ready: false, restarts: 2, lastExit: 'exit code 1: no such module' };
const unplaced = { ready: false, unschedulable: '0/3 nodes are available' };

test.each<[string, Snapshot, Decision['kind'], string]>([
  ['the release serves already', snapshot({ wanted: wanted('v1') }), 'proceed', 'RehearsalPassed'],
  ['a first install protects nobody', fresh(), 'proceed', 'RehearsalPassed'],
  [
    'a first release that does not serve protects nobody',
    carrying({ phase: 'Installing', release: 'v1', stable: undefined as never }),
    'proceed',
    'RehearsalPassed',
  ],
  [
    'a first release that serves and is still watched protects its users',
    carrying({ phase: 'Baking', release: 'v1', stable: undefined as never }),
    'act',
    'RehearsalRunning',
  ],
  [
    'a first release that is bad protects nobody',
    carrying({ phase: 'Baking', release: 'v1', stable: undefined as never }, {}, { judgement: judgement('Bad', 'v1') }),
    'proceed',
    'RehearsalPassed',
  ],
  ['the release is not written down yet', snapshot({ revisions: [] }), 'wait', 'RehearsalRunning'],
  ['no pod yet', snapshot(), 'act', 'RehearsalRunning'],
  [
    'a release that served before needs none',
    snapshot({ revisions: [revision('v2', 'released')] }),
    'proceed',
    'RehearsalPassed',
  ],
  ['it passed and its pod is there', snapshot({ ...trial(), revisions: [tried(1, true)] }), 'act', 'RehearsalPassed'],
  [
    'it passed and its pod leaves',
    snapshot({ ...trial({ deleting: true }), revisions: [tried(1, true)] }),
    'proceed',
    'RehearsalPassed',
  ],
  ['it passed and its pod is gone', snapshot({ revisions: [tried(1, true)] }), 'proceed', 'RehearsalPassed'],
  ['the pod of an earlier try is leaving', snapshot(trial({ deleting: true })), 'wait', 'RehearsalRunning'],
  ['the pod is starting', snapshot({ ...trial(notReady), now: T0 + 599_000 }), 'wait', 'RehearsalRunning'],
  ['it is not ready in time', snapshot({ ...trial(notReady), now: T0 + 600_000 }), 'act', 'ProgressDeadlineExceeded'],
  ['the image may still come', snapshot({ ...trial(pulling), now: T0 + 119_999 }), 'wait', 'PodStarting'],
  ['the image cannot be pulled', snapshot({ ...trial(pulling), now: T0 + 120_000 }), 'fail', 'PodCannotStart'],
  ['no node takes it', snapshot({ ...trial(unplaced), now: T0 + 120_000 }), 'fail', 'PodCannotStart'],
  ['one restart is forgiven', snapshot(trial({ ...crashing, restarts: 1 })), 'wait', 'RehearsalRunning'],
  ['it crashed twice', snapshot(trial(crashing)), 'act', 'RehearsalFailed'],
  [
    'it is in a crash loop',
    snapshot(trial({ ready: false, waiting: { reason: 'CrashLoopBackOff', message: 'back-off' } })),
    'act',
    'RehearsalFailed',
  ],
  [
    'it crashes while stable is down too',
    snapshot({ ...trial(crashing), ...stableIsDown }),
    'wait',
    'DependencyDegraded',
  ],
  [
    'it is not ready while stable is not, either',
    snapshot({ ...trial(notReady), ...stableIsDown, now: T0 + 600_000 }),
    'wait',
    'DependencyDegraded',
  ],
  ['it is ready and was not asked yet', snapshot(trial()), 'act', 'RehearsalRunning'],
  [
    'the first answer was wrong',
    snapshot({ ...trial(), revisions: [tried(1)], now: T0 + 9_999 }),
    'wait',
    'RehearsalRunning',
  ],
  [
    'it is asked once more',
    snapshot({ ...trial(), revisions: [tried(1)], now: T0 + 10_000 }),
    'act',
    'RehearsalRunning',
  ],
  [
    'it is not asked again while stable is down',
    snapshot({ ...trial(), ...stableIsDown, revisions: [tried(1)], now: T0 + 60_000 }),
    'wait',
    'DependencyDegraded',
  ],
  ['the second answer was wrong, too', snapshot({ ...trial(), revisions: [tried(2)] }), 'act', 'SmokeTestFailed'],
  [
    'the second answer was wrong while stable is down',
    snapshot({ ...trial(), ...stableIsDown, revisions: [tried(2)] }),
    'wait',
    'DependencyDegraded',
  ],
])('%s', (_sentence, seen, kind, reason) => {
  expect(rehearsal(seen)).toMatchObject({ kind, condition: { type: 'AnalysisPassed', reason } });
});

const actionOf = (seen: Snapshot) => {
  const decision = rehearsal(seen);
  return decision.kind === 'act' ? decision.action : undefined;
};

test('a crash is told with its last words, and that no user met it', () => {
  const action = actionOf(snapshot(trial(crashing)));
  if (action?.do !== 'annotateRevision') throw new Error('nothing is written down');
  expect(JSON.parse(action.set['devshelf.dev/verdict'] ?? '')).toEqual({
    ...{ verdict: 'rejected', reason: 'RehearsalFailed', at: at(0) },
    message: '2 does not start: exit code 1: no such module (seen in its rehearsal: no user met it)',
  });
});

test('attempts are counted', () => {
  const rehearse = { do: 'rehearse', pod: 'shop-rehearsal-v2', revision: 'shop-v2' };
  expect(actionOf(snapshot(trial()))).toEqual({ ...rehearse, attempt: 1 });
  expect(actionOf(snapshot({ ...trial(), revisions: [tried(1)], now: T0 + 10_000 }))).toEqual({
    ...rehearse,
    attempt: 2,
  });
});

test('the deadline is the one of the spec', () => {
  const seen = { ...trial(notReady), app: app({ rollout: { progressDeadlineSeconds: 30 } }), now: T0 + 30_000 };
  expect(rehearsal(snapshot(seen)).condition.message).toContain('not ready within 30 s');
});
