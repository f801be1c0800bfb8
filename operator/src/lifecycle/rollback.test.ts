import { expect, test } from '@jest/globals';
import type { Withdrawal } from '../api/rollout.ts';
import { rollback } from './rollback.ts';
import type { PodView, Snapshot } from './snapshot.ts';
import { at, carrying, held, pod, revision, snapshot, stablePods, T0 } from './testing.ts';

const withdrawn: Withdrawal = { release: 'v2', verdict: 'rejected', reason: 'Regression', message: 'bad', at: at(0) };
const written = (when: string) =>
  revision('v2', 'rejected', { verdict: { verdict: 'rejected', reason: 'Regression', message: 'bad', at: when } });
const back = (view = {}, change: Partial<Snapshot> = {}): Snapshot =>
  carrying({ phase: 'RollingBack', release: 'v1', withdrawn, candidatePods: 1, since: at(0) }, view, {
    revisions: [revision('v1', 'released'), written(at(0))],
    ...change,
  });

test.each<[string, Snapshot, 'act' | 'wait' | undefined]>([
  ['nothing was taken back', snapshot(), undefined],
  ['a candidate is held', held(), undefined],
  ['the reason is written down first', back({}, { revisions: [revision('v2', 'pending')] }), 'act'],
  ['a pod of the release is left', back({}, { pods: [...stablePods(), pod('v2', 'c')] }), 'wait'],
  [
    'a pod on its way out is not left',
    back({}, { pods: [...stablePods(), pod('v2', 'c', { deleting: true })] }),
    'act',
  ],
  ['the Deployment controller has not seen it yet', back({ observed: false }), 'wait'],
  ['stable is not complete', back({ updatedReplicas: 1 }), 'wait'],
  [
    'stable cannot come back: the spec that mends it is let in',
    back({ updatedReplicas: 1 }, { now: T0 + 600_001 }),
    'act',
  ],
  ['stable is back', back(), 'act'],
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
    candidatePods: 1,
    since: at(0),
  });
  if (!deployment) throw new Error('carrying() has a Deployment');
  return deployment;
}
