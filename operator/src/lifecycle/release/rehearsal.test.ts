import { expect, test } from '@jest/globals';
import type { Decision } from '../decision.ts';
import type { PodView, Revision, Snapshot } from '../snapshot.ts';
import {
  app,
  at,
  carrying,
  fresh,
  incident,
  judgement,
  migrated,
  pod,
  release,
  revision,
  shelf,
  snapshot,
  stablePods,
  T0,
  wanted,
} from '../testing.ts';
import { rehearsal } from './rehearsal.ts';

const trial = (change: Partial<PodView> = {}): Partial<Snapshot> => ({
  rehearsals: [pod('v2', 'shop-rehearsal-v2', { createdAt: T0, ...change })],
});
const tried = (attempts: number, passed = false): Revision =>
  revision('v2', 'pending', { rehearsal: { passed, attempts, message: 'GET /health: 500', at: at(0) } });
const stableIsDown = { pods: stablePods({ ready: false }) };
const notReady = { ready: false };
const pulling = { ready: false, waiting: { reason: 'ImagePullBackOff', message: 'no such tag' } };
const crashing = { ready: false, restarts: 2, lastExit: 'exit code 1' };
const unplaced = { ready: false, unschedulable: '0/3 nodes are available' };

const ended = { reason: 'Evicted', message: '', disrupted: true };

/** The release has a worker, and the pod that serves is ready. */
const withWorker = (worker: Partial<PodView> | undefined, replicas = 1): Snapshot =>
  snapshot({
    app: shelf({ worker: { replicas } }),
    wanted: {
      known: true,
      readAt: T0,
      value: { release: { ...release('v2'), worker: { metadata: { labels: {} }, spec: {} } }, databaseIdentity: 'db' },
    },
    rehearsals: [
      pod('v2', 'shop-rehearsal-v2', { createdAt: T0 }),
      ...(worker ? [pod('v2', 'shop-rehearsal-worker-v2', { createdAt: T0, ...worker })] : []),
    ],
  });

test.each<[string, Snapshot, string, string]>([
  ['a worker is rehearsed beside what serves', withWorker(undefined), 'createRehearsal', 'RehearsalRunning'],
  ['not where none is wanted', withWorker(undefined, 0), 'rehearse', 'RehearsalRunning'],
  ['it is starting', withWorker(notReady), 'wait', 'RehearsalRunning'],
  ['it crashes: no user met it', withWorker(crashing), 'createIncident', 'RehearsalFailed'],
  ['both are ready', withWorker({}), 'rehearse', 'RehearsalRunning'],
])('%s', (_sentence, seen, does, reason) => {
  const decision = rehearsal(seen);
  expect(decision.kind === 'act' ? decision.action.do : decision.kind).toBe(does);
  expect(decision.condition.reason).toBe(reason);
});

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
  [
    'it does not go',
    snapshot({ ...trial({ deleting: true, goneBy: T0 }), now: T0 + 120_000 }),
    'fail',
    'PodCannotStart',
  ],
  ['its node took it away', snapshot(trial({ ...notReady, ended })), 'act', 'RehearsalRunning'],
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

test('a crash is told with its last words, and that no user met it; then it is refused, whatever the pod says', () => {
  const message =
    '2 does not start: exit code 1; kubectl logs shop-rehearsal-v2 --previous has its words for ten minutes (seen in its rehearsal: no user met it)';
  const action = actionOf(snapshot(trial(crashing)));
  expect(action).toMatchObject({
    do: 'createIncident',
    record: { phase: 'Rehearsal', reason: 'RehearsalFailed', at: at(0), cause: { message }, restored: { hash: 'v1' } },
  });
  const incidents = [incident('v2', at(0), { reason: 'RehearsalFailed', message })];
  const then = actionOf(snapshot({ ...trial(), incidents, now: T0 + 3_000 }));
  if (then?.do !== 'annotateRevision') throw new Error('nothing is written down');
  expect(JSON.parse(then.set['devshelf.dev/verdict'] ?? '')).toEqual({
    ...{ verdict: 'rejected', reason: 'RehearsalFailed', at: at(0), message },
  });
});

test('a later try of the same release is another incident', () => {
  const seen = snapshot(trial(crashing));
  const revisions = seen.revisions.map(one => (one.release.hash === 'v2' ? { ...one, attempt: 2 } : one));
  const action = actionOf({ ...seen, revisions, incidents: [incident('v2', at(-600), { reason: 'RehearsalFailed' })] });
  expect(action).toMatchObject({ do: 'createIncident', record: { failed: { hash: 'v2', attempt: 2 } } });
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

const found = (change: Partial<NonNullable<Revision['rehearsal']>>): Partial<Snapshot> => ({
  ...trial(),
  revisions: [
    revision('v1', 'released'),
    revision('v2', 'pending', { rehearsal: { passed: false, attempts: 1, message: 'figures', at: at(0), ...change } }),
  ],
});
const evidence = {
  absolute: 4120,
  relative: 890,
  candidate: { requests: 48, errors: 24 },
  baseline: { requests: 48, errors: 0 },
  routes: [{ route: '/api/summary', requests: 12, errors: 12 }],
};

test('what the replay proves is final, and its evidence goes with the verdict', () => {
  const seen = { ...found({ reason: 'RehearsalFailed', evidence }), now: T0 };
  const decision = rehearsal(snapshot(seen));
  const message = 'figures (seen in its rehearsal: no user met it)';
  expect(decision.condition).toMatchObject({ reason: 'RehearsalFailed', message: expect.stringContaining(message) });
  expect(decision).toMatchObject({
    action: { do: 'createIncident', record: { cause: { routes: evidence.routes }, at: at(0) } },
  });
  const incidents = [incident('v2', at(0), { reason: 'RehearsalFailed', message })];
  const then = actionOf(snapshot({ ...seen, incidents }));
  if (then?.do !== 'annotateRevision') throw new Error('no verdict');
  const verdict = JSON.parse(then.set['devshelf.dev/verdict'] ?? '');
  expect(verdict).toMatchObject({ verdict: 'rejected', reason: 'RehearsalFailed', evidence });
});

test('while both fail it waits, and asks again without counting an attempt', () => {
  const degraded = found({ reason: 'DependencyDegraded', attempts: 0 });
  expect(rehearsal(snapshot({ ...degraded, now: T0 + 9_000 }))).toMatchObject({
    kind: 'wait',
    condition: { reason: 'DependencyDegraded' },
  });
  expect(rehearsal(snapshot({ ...degraded, now: T0 + 10_001 }))).toMatchObject({
    kind: 'act',
    action: { do: 'rehearse', attempt: 1 },
  });
});

test.each([
  ['answers of another kind are said once, to people', ['GET /api/top-products 200 → 404'], 'Warning'],
  ['without any nothing is', [], undefined],
])('%s', (_sentence, differences, type) => {
  const decision = rehearsal(snapshot(found({ passed: true, differences })));
  expect(decision).toMatchObject({ kind: 'act', action: { do: 'deletePod' } });
  expect(decision.kind === 'act' ? decision.announce?.type : 'none').toBe(type);
});

test('a release that needs what was withheld is told so, with the way out', () => {
  const withheld = [{ id: '20261128_rename', what: 'renames column t.titulo to title' }];
  const revisions = [
    revision('v1', 'released'),
    { ...tried(3), migration: migrated('v2', { result: 'Expanded', withheld }) },
  ];
  const { message } = rehearsal(snapshot({ ...trial(), revisions })).condition;
  expect(message).toContain(
    '; withheld: 20261128_rename (renames column t.titulo to title); a change that cannot wait needs spec.migrations.contract.when: BeforeRollout',
  );
});
