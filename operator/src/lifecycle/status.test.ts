import { expect, test } from '@jest/globals';
import type { StatusCondition } from '../api/status.ts';
import { decide } from './plan.ts';
import type { Snapshot } from './snapshot.ts';
import { statusOf } from './status.ts';
import { app, at, carrying, fresh, held, judgement, migrated, revision, snapshot, T0, wanted } from './testing.ts';

const status = (seen: Snapshot) => statusOf(seen, decide(seen));
const serving = (change: Partial<Snapshot> = {}): Snapshot => snapshot({ wanted: wanted('v1'), ...change });
const done = revision('v2', 'pending', { migration: migrated('v2', { applied: ['20260301_cart'] }) });

test.each<[string, Snapshot, string]>([
  ['nothing begins while a Secret is missing', fresh({ wanted: { known: false, why: 'x' } }), 'Pending'],
  ['the schema moves', snapshot(), 'Migration'],
  ['a pod is tried', snapshot({ revisions: [revision('v1', 'released'), done] }), 'Rehearsal'],
  ['the first install', carrying({ phase: 'Installing', release: 'v2' }, { updatedReplicas: 1 }), 'Installing'],
  ['a candidate is held', held({ judgement: judgement('Pending') }), 'Candidate'],
  ['it is promoted', carrying({ phase: 'Promoting', release: 'v2' }, { updatedReplicas: 1 }), 'Promoting'],
  ['it is watched', carrying({ phase: 'Baking', release: 'v2' }), 'Baking'],
  ['it is stable', serving(), 'Released'],
  ['stable comes back', carrying({ phase: 'RollingBack', release: 'v1' }, { updatedReplicas: 1 }), 'RollingBack'],
  ['it was rejected', snapshot({ revisions: [revision('v1', 'released'), revision('v2', 'rejected')] }), 'Failed'],
])('phase: %s', (_sentence, seen, phase) => {
  expect(status(seen).phase).toBe(phase);
});

test('a candidate is not what serves', () => {
  expect(status(held({ judgement: judgement('Pending') }))).toMatchObject({
    currentImage: 'example/dashboard:1',
    rollout: { stable: { hash: 'v1' }, candidate: { hash: 'v2', since: at(-10) } },
  });
});

test('before the first install there are no pods and no release', () => {
  const { currentImage, rollout, replicas, observedGeneration } = status(fresh());
  expect({ currentImage, rollout, replicas, observedGeneration }).toEqual({
    ...{ currentImage: undefined, rollout: {}, replicas: 0, observedGeneration: 3 },
  });
});

test('scale and autoscalers find the serving pods, and nothing else', () => {
  expect(status(serving()).selector).toBe('app.kubernetes.io/instance=shop,devshelf.dev/role=serving');
});

test('the last migration is told', () => {
  expect(
    status(snapshot({ revisions: [revision('v1', 'released', { migration: migrated('v1') }), done] })),
  ).toMatchObject({
    migration: { id: 'm2', result: 'UpToDate', applied: ['20260301_cart'], finishedAt: at(-60) },
  });
});

test('incidents name what failed, and what served on at that time', () => {
  const verdict = (kind: 'rejected' | 'released', seconds: number) => ({
    verdict: { verdict: kind, reason: 'Regression', message: '11 of 24', at: at(seconds) },
  });
  const revisions = [
    revision('v1', 'released', verdict('released', -500)),
    revision('v2', 'rejected', verdict('rejected', -400)),
    revision('v3', 'released', verdict('released', -300)),
    revision('v4', 'rejected', verdict('rejected', -200)),
  ];
  expect(status(serving({ revisions })).incidents).toEqual([
    {
      ...{ at: at(-200), reason: 'Regression', failedImage: 'example/dashboard:4', evidence: '11 of 24' },
      ...{ restoredImage: 'example/dashboard:3', runbookURL: 'docs/reasons.md#regression' },
    },
    {
      ...{ at: at(-400), reason: 'Regression', failedImage: 'example/dashboard:2', evidence: '11 of 24' },
      ...{ restoredImage: 'example/dashboard:1', runbookURL: 'docs/reasons.md#regression' },
    },
  ]);
});

test('no more than ten incidents, the newest', () => {
  const revisions = Array.from({ length: 12 }, (_, n) =>
    revision(`v${n + 1}`, 'rejected', { verdict: { verdict: 'rejected', reason: 'x', message: '', at: at(n) } }),
  );
  const { incidents } = status(serving({ revisions }));
  expect(incidents).toHaveLength(10);
  expect(incidents?.[0]?.failedImage).toBe('example/dashboard:12');
});

const withAnalysis = (verdict: string, release: string) => {
  const written = app();
  return {
    ...written,
    status: { ...written.status, analysis: { verdict, release, candidate: { requests: 1, errors: 0 } } },
  };
};

test.each([
  ['no verdict yet: no figures', held({ judgement: judgement('Pending') }), undefined],
  ['a new verdict comes with its figures', held({ judgement: judgement('Good') }), 24],
  ['more requests are no news', held({ judgement: judgement('Good'), app: withAnalysis('Good', 'v2') }), 1],
  ['another verdict is', held({ judgement: judgement('Good'), app: withAnalysis('Insufficient', 'v2') }), 24],
  ['another release is', held({ judgement: judgement('Good'), app: withAnalysis('Good', 'v1') }), 24],
])('analysis: %s', (_sentence, seen, requests) => {
  expect(status(seen).analysis?.candidate?.requests).toBe(requests);
});

test('a condition keeps the time of its last change', () => {
  const before: StatusCondition[] = [
    { type: 'Ready', status: 'True', reason: 'AsExpected', message: '', lastTransitionTime: at(-99) },
    { type: 'Available', status: 'False', reason: 'NoRelease', message: '', lastTransitionTime: at(-99) },
  ];
  const written = app();
  const { conditions } = status(serving({ app: { ...written, status: { ...written.status, conditions: before } } }));
  const since = (type: string) => conditions?.find(known => known.type === type)?.lastTransitionTime;
  expect(since('Ready')).toBe(at(-99));
  expect(since('Available')).toBe(new Date(T0).toISOString());
});

test('the same snapshot, its status already written, gives the same status', () => {
  const seen = held({ judgement: judgement('Good') });
  const first = status(seen);
  expect(status({ ...seen, app: { ...seen.app, status: first }, now: T0 + 60_000 })).toEqual(first);
});
