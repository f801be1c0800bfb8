import { expect, test } from '@jest/globals';
import type { Withdrawal } from '../../api/rollout.ts';
import type { PodView, Snapshot } from '../snapshot.ts';
import { at, carrying, held, incident, pod, revision, snapshot, stablePods, T0, wanted } from '../testing.ts';
import { rollback } from './rollback.ts';

const withdrawn: Withdrawal = { release: 'v2', verdict: 'rejected', reason: 'Regression', message: 'bad', at: at(0) };
const written = (when: string) =>
  revision('v2', 'rejected', { verdict: { verdict: 'rejected', reason: 'Regression', message: 'bad', at: when } });
const back = (view = {}, change: Partial<Snapshot> = {}): Snapshot =>
  carrying({ phase: 'RollingBack', release: 'v1', withdrawn, since: at(0) }, view, {
    revisions: [revision('v1', 'released'), written(at(0))],
    incidents: [incident('v2', at(0))],
    ...change,
  });

const ended = { reason: 'Evicted', message: '', disrupted: true };
const again = { wanted: wanted('v1') };
const allBack = (view = {}, change: Partial<Snapshot> = {}): Snapshot =>
  carrying({ phase: 'RollingBackAll', release: 'v1', withdrawn, since: at(0) }, view, {
    revisions: [revision('v1', 'released'), written(at(0))],
    incidents: [incident('v2', at(0))],
    ...change,
  });
const later = { now: T0 + 600_001 };
const gone = {
  pods: [pod('v1', 'a', { ready: false, waiting: { reason: 'ErrImagePull', message: 'not found' } }), pod('v2', 'c')],
};

test.each<[string, Snapshot, 'act' | 'wait' | 'fail' | undefined]>([
  ['nothing was taken back', snapshot(), undefined],
  ['a candidate is held', held(), undefined],
  ['the reason is written down first', back({}, { revisions: [revision('v2', 'pending')] }), 'act'],
  ['a pod of the release is left', back({}, { pods: [...stablePods(), pod('v2', 'c')] }), 'wait'],
  [
    'a pod on its way out is not left',
    back({}, { pods: [...stablePods(), pod('v2', 'c', { deleting: true })] }),
    'act',
  ],
  ['one that was evicted is not left', back({}, { pods: [...stablePods(), pod('v2', 'c', { ended })] }), 'act'],
  ['a candidate took nothing away that must come back', back({ updatedReplicas: 1, observed: false }), 'act'],
  ['the Deployment controller has not seen it yet', allBack({ observed: false }), 'wait'],
  ['stable is not complete', allBack({ updatedReplicas: 1 }), 'wait'],
  ['it is complete, and not ready', allBack({ readyReplicas: 1 }), 'wait'],
  [
    'stable cannot come back: a person is called',
    allBack({ readyReplicas: 0 }, { ...later, ...gone, ...again }),
    'fail',
  ],
  ['it comes back slowly', allBack({ readyReplicas: 1, progressedAt: T0 + 1_000 }, { ...later, ...again }), 'wait'],
  [
    'the spec that mends it is let in',
    allBack({ readyReplicas: 0 }, { ...later, ...gone, wanted: wanted('v3') }),
    undefined,
  ],
  ['not the one that was taken back', allBack({ readyReplicas: 0 }, { ...later, wanted: wanted('v2') }), 'fail'],
  ['stable is back', allBack(), 'act'],
  ['a revision that somebody deleted holds nothing up', back({}, { revisions: [] }), 'act'],
  [
    'an earlier verdict of the same moment is another one',
    back(
      {},
      {
        revisions: [
          revision('v2', 'pending', { verdict: { verdict: 'pending', reason: 'Progressing', message: '', at: at(0) } }),
        ],
      },
    ),
    'act',
  ],
  [
    'an earlier verdict of a clock that is ahead is another one',
    back(
      {},
      {
        revisions: [
          revision('v2', 'pending', {
            verdict: { verdict: 'pending', reason: 'Progressing', message: '', at: at(900) },
          }),
        ],
      },
    ),
    'act',
  ],
])('%s', (_sentence, seen, kind) => {
  expect(rollback(seen)?.kind).toBe(kind);
});

test('nothing is said to serve before it does, and the kubelet’s words are told', () => {
  // the Deployment counts every release's pods as its own
  const message = rollback(allBack({ readyReplicas: 1 }, { ...later, ...gone, ...again }))?.condition.message;
  expect(message).toContain('1 does not come back: 0 of 2 pods ready, 1 pods of the release taken back left');
  expect(message).toContain('(a: ErrImagePull: not found)');
});

test('the revision remembers what the record said first', () => {
  const decision = rollback(back({}, { revisions: [revision('v2', 'pending')] }));
  if (decision?.kind !== 'act' || decision.action.do !== 'annotateRevision') throw new Error('nothing is written down');
  const { release: _release, ...verdict } = withdrawn;
  expect(decision.action.revision).toBe('shop-v2');
  expect(JSON.parse(decision.action.set['devshelf.dev/verdict'] ?? '')).toEqual(verdict);
});

test('the record forgets what is written down when stable serves again', () => {
  expect(rollback(back())).toMatchObject({
    action: { record: { phase: 'Settled', release: 'v1', stable: 'v1', since: at(0) } },
  });
  expect(rollback(back())).not.toHaveProperty('action.record.withdrawn');
});

test.each<[string, Snapshot, boolean]>([
  ['a bad pod with a long grace period is hurried', leaving({ graceSeconds: 45 }), true],
  [
    'so is one that turns requests away',
    leaving({ graceSeconds: 45 }, { ...withdrawn, reason: 'OverloadRegression' }),
    true,
  ],
  ['a hurried one is left alone', leaving({ graceSeconds: 1 }), false],
  ['one that is not on its way out yet is the Deployment controller’s', leaving({ deleting: false }), false],
  [
    'what was only overtaken goes politely',
    leaving({ graceSeconds: 45 }, { ...withdrawn, verdict: 'superseded', reason: 'WaitingForRollback' }),
    false,
  ],
])('%s', (_sentence, seen, hurries) => {
  const decision = rollback(seen);
  expect(decision?.kind === 'act' && decision.action.do === 'hurryPod').toBe(hurries);
});

function leaving(view: Partial<PodView>, why: Withdrawal = withdrawn): Snapshot {
  const bad = pod('v2', 'c', { deleting: true, ...view });
  return back({}, { pods: [...stablePods(), bad], deployment: deploymentOf(why) });
}

function deploymentOf(why: Withdrawal): NonNullable<Snapshot['deployment']> {
  const { deployment } = carrying({
    phase: 'RollingBack',
    release: 'v1',
    withdrawn: why,
    since: at(0),
  });
  if (!deployment) throw new Error('carrying() has a Deployment');
  return deployment;
}

test('the incident is written down before the verdict, once', () => {
  const seen = back({}, { incidents: [], revisions: [revision('v1', 'released'), revision('v2', 'pending')] });
  const first = rollback(seen);
  expect(first).toMatchObject({
    action: {
      do: 'createIncident',
      record: { at: at(0), reason: 'Regression', failed: { hash: 'v2', attempt: 1 }, restored: { hash: 'v1' } },
    },
  });
  expect(first).not.toHaveProperty('announce'); // the rollback was told when it began
  const second = rollback({ ...seen, incidents: [incident('v2', at(0))] });
  expect(second).toMatchObject({ action: { do: 'annotateRevision' } });
});

test('facts of the decision are what the record says, whatever is seen later', () => {
  const facts = {
    phase: 'Candidate',
    failed: { hash: 'v2', image: 'example/dashboard:2', attempt: 3 },
    restored: { hash: 'v1', image: 'example/dashboard:1' },
    cause: { message: '6 of 12' },
    figures: { limit: 0.05, candidate: { requests: 12, errors: 6 }, baseline: { requests: 183, errors: 0 } },
    actions: [],
  };
  const seen = carrying(
    { phase: 'RollingBack', release: 'v1', withdrawn: { ...withdrawn, facts }, since: at(0) },
    {},
    { incidents: [incident('v2', at(-900)), incident('v2', at(-500), { attempt: 2 })] },
  );
  expect(rollback(seen)).toMatchObject({ action: { do: 'createIncident', record: { ...facts, at: at(0) } } });
});
