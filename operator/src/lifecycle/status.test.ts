import { expect, test } from '@jest/globals';
import type { StatusCondition } from '../api/status.ts';
import { decide } from './plan.ts';
import type { JobView, Snapshot } from './snapshot.ts';
import { statusOf } from './status.ts';
import {
  app,
  at,
  carrying,
  fresh,
  held,
  incident,
  job,
  judgement,
  migrated,
  revision,
  snapshot,
  T0,
  wanted,
} from './testing.ts';

const status = (seen: Snapshot) => statusOf(seen, decide(seen));
const serving = (change: Partial<Snapshot> = {}): Snapshot => snapshot({ wanted: wanted('v1'), ...change });
const done = revision('v2', 'pending', { migration: migrated('v2', { applied: ['20260301_cart'] }) });

const MISSING = { reason: 'SecretMissing', message: 'Secret db does not exist' } as const;
const unread = { known: false, why: 'a reference is missing' } as const;
const GONE = { missing: [MISSING], wanted: unread } as const;
const REJECTED = [revision('v1', 'released'), revision('v2', 'rejected')];
const EARLIER = [revision('v1', 'released'), revision('v3', 'rejected')];
const said = { type: 'DependenciesReady', status: 'Unknown', ...MISSING, observedGeneration: 3 } as const;
const waiting = {
  ...app(),
  status: { observedGeneration: 3, conditions: [{ ...said, lastTransitionTime: at(-120) }] },
};
const byHand = app({ migrations: { policy: 'Manual' } });
const asked: JobView = {
  ...job({ kind: 'failed', endedAt: T0, podRead: true, detail: 'exit code 1', started: true }),
  ...{ task: 'status', migrationId: '' },
};

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
  ['it was rejected, and then a Secret went away', snapshot({ ...GONE, revisions: REJECTED }), 'Failed'],
  ['another one is asked for, and a Secret is missing', snapshot({ ...GONE, revisions: EARLIER }), 'Released'],
  ['a migration waits for its annotation', snapshot({ app: byHand, jobs: [asked] }), 'Migration'],
  ['a person is called for a Secret', fresh({ app: waiting, missing: [MISSING], wanted: unread }), 'Pending'],
])('phase: %s', (_sentence, seen, phase) => {
  expect(status(seen).phase).toBe(phase);
});

test('a candidate is not what serves', () => {
  expect(status(held({ judgement: judgement('Pending') }))).toMatchObject({
    currentImage: 'example/dashboard:1',
    rollout: { stable: { hash: 'v1' }, candidate: { hash: 'v2', since: at(-10) } },
  });
});

test('where traces are sent a candidate says which one is its own; nothing else is written for it', () => {
  const seen = held({ judgement: judgement('Pending') });
  const { rollout: told, ...rest } = status({ ...seen, isTraced: true });
  const { rollout, ...others } = status(seen);
  expect(rest).toEqual(others);
  const { traceID, ...candidate } = told?.candidate ?? {};
  expect(traceID).toMatch(/^[0-9a-f]{32}$/);
  expect({ ...told, candidate }).toEqual(rollout);
  const settled = snapshot({ wanted: wanted('v1') });
  expect(status({ ...settled, isTraced: true })).toEqual(status(settled));
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
    },
    {
      ...{ at: at(-400), reason: 'Regression', failedImage: 'example/dashboard:2', evidence: '11 of 24' },
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
    status: { ...written.status, analysis: { verdict, release, candidate: { requests: 1, errors: 0 }, readAt: at(0) } },
  };
};

test.each([
  ['figures are told before there is a verdict', held({ judgement: judgement('Pending') }), 24],
  ['and stay after the trial', snapshot({ app: withAnalysis('Bad', 'v2') }), 1],
  ['a new verdict comes with its figures', held({ judgement: judgement('Good') }), 24],
  [
    'more requests are no news within five seconds',
    held({ judgement: judgement('Good'), app: withAnalysis('Good', 'v2') }),
    1,
  ],
  [
    'of a regression the figures of the decision stay',
    held({ now: T0 + 60_000, judgement: judgement('Bad'), app: withAnalysis('Bad', 'v2') }),
    1,
  ],
  ['another verdict is', held({ judgement: judgement('Good'), app: withAnalysis('Insufficient', 'v2') }), 24],
  ['another release is', held({ judgement: judgement('Good'), app: withAnalysis('Good', 'v1') }), 24],
])('analysis: %s', (_sentence, seen, requests) => {
  expect(status(seen).analysis?.candidate?.requests).toBe(requests);
});

test('analysis: what was shed is told where anything was', () => {
  const shed = { ...judgement('Overloaded'), candidate: { requests: 24, errors: 11, shed: 9 } };
  const { analysis } = status(held({ judgement: shed }));
  expect(analysis?.candidate).toEqual({ requests: 24, errors: 11, shed: 9 });
  expect(analysis?.baseline).toEqual({ requests: 71, errors: 0 });
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

test('an incident stays told when its release is tried again, with what served, and a page only where there is one', () => {
  const seen = serving({
    incidents: [incident('v2', at(-9))],
    revisions: [revision('v1', 'released'), revision('v2', 'pending')],
  });
  const told = {
    ...{ at: at(-9), reason: 'Regression', failedImage: 'example/dashboard:2', evidence: '11 of 24' },
    ...{ restoredImage: 'example/dashboard:1', record: 'shop-incident-v2-1' },
  };
  expect(status(seen).incidents).toEqual([told]);
  const { incidents } = statusOf(seen, { conditions: [] }, 'https://docs.example/v1/');
  expect(incidents).toEqual([{ ...told, runbookURL: 'https://docs.example/v1/reasons.md#regression' }]);
});

test('what an earlier version told stays told, and is no second incident', () => {
  const { at: when, failedImage, reason } = { at: at(-9), failedImage: 'example/dashboard:2', reason: 'Regression' };
  const written = app();
  const incidents = [
    { at: when, failedImage, reason, evidence: 'before' },
    { at: at(-99), failedImage, reason, evidence: 'long before' },
  ];
  const seen = serving({
    incidents: [incident('v2', at(-9))],
    app: { ...written, status: { ...written.status, incidents } },
  });
  expect(status(seen).incidents?.map(({ evidence }) => evidence)).toEqual(['11 of 24', 'long before']);
});

test.each<[string, Snapshot, object]>([
  [
    'a trial: until when it decides',
    held({ judgement: judgement('Pending') }),
    { name: 'Analysis', since: at(-10), deadline: at(590) },
  ],
  [
    'a bake: until when it is watched',
    carrying({ phase: 'Baking', release: 'v2', stable: 'v1', since: at(-10) }),
    { name: 'Baking', deadline: at(1790) },
  ],
  ['at rest nothing limits it', serving(), { name: 'Settled', since: at(-600) }],
])('stage: %s', (_sentence, seen, stage) => {
  expect(statusOf(seen, decide(seen)).stage).toMatchObject(stage);
});

test('after a rollback the figures of the decision are told, also by another process', () => {
  const counts = { candidate: { requests: 12, errors: 6 }, baseline: { requests: 183, errors: 0 } };
  const incidents = [incident('v2', at(-9), { phase: 'Candidate', figures: { limit: 0.05, ...counts } })];
  const seen = serving({ incidents, app: withAnalysis('Pending', 'v2') });
  const before = {
    ...seen,
    app: { ...seen.app, status: { ...seen.app.status, analysis: { verdict: 'Pending', readAt: at(-12) } } },
  };
  const told = { verdict: 'Bad', release: 'v2', mode: 'canary', decidedAt: at(-9), ...counts };
  expect(status(before).analysis).toMatchObject(told);
  expect(status({ ...seen, app: app() }).analysis).toMatchObject(told);
});
