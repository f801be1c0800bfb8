import { expect, test } from '@jest/globals';
import type { Decision } from '../decision.ts';
import { iso, type Snapshot } from '../snapshot.ts';
import {
  app,
  carrying,
  deployment,
  fresh,
  held,
  job,
  migrated,
  pod,
  revision,
  snapshot,
  T0,
  wanted,
} from '../testing.ts';
import { admission } from './admission.ts';

const rejected = revision('v2', 'rejected', { retryToken: 'a' });
const retried = app({ rollout: { retryToken: 'b' } });
const rehearsing = [pod('v2', 'shop-rehearsal-v2')];

test.each<[string, Snapshot, Decision['kind'], string]>([
  ['a new release is written down first', fresh({ revisions: [] }), 'act', 'Progressing'],
  ['one that is written down may begin', snapshot(), 'proceed', 'Progressing'],
  [
    'the spec cannot be read: what runs goes on',
    held({ wanted: { known: false, why: 'x' } }),
    'proceed',
    'Progressing',
  ],
  ['a rejected one stays rejected', snapshot({ revisions: [rejected] }), 'fail', 'ReleaseRejected'],
  [
    'the token that was there when it was rejected is no new try',
    snapshot({ revisions: [rejected], app: app({ rollout: { retryToken: 'a' } }) }),
    'fail',
    'ReleaseRejected',
  ],
  ['a new token is a new try', snapshot({ revisions: [rejected], app: retried }), 'act', 'Progressing'],
  [
    'a release that serves is not refused, whatever its verdict',
    snapshot({ revisions: [revision('v1', 'rejected')], wanted: wanted('v1') }),
    'proceed',
    'Progressing',
  ],
  [
    'one that was only overtaken may begin',
    snapshot({ revisions: [revision('v2', 'superseded')] }),
    'proceed',
    'Progressing',
  ],
  ['a newer spec takes the candidate back first', held({ wanted: wanted('v3') }), 'act', 'WaitingForRollback'],
  ['going back to stable takes the candidate back', held({ wanted: wanted('v1') }), 'act', 'WaitingForRollback'],
  [
    'going back to stable while promoting needs no analysis',
    carrying({ phase: 'Promoting', release: 'v2', stable: 'v1' }, {}, { wanted: wanted('v1') }),
    'act',
    'WaitingForRollback',
  ],
  [
    'a newer spec waits for the end of a promotion',
    carrying(
      { phase: 'Promoting', release: 'v2', stable: 'v1', since: new Date(T0).toISOString() },
      { updatedReplicas: 1 },
      { wanted: wanted('v3') },
    ),
    'wait',
    'Promoting',
  ],
  [
    'a promotion that is complete ends although a newer spec is there',
    carrying({ phase: 'Promoting', release: 'v2', stable: 'v1' }, {}, { wanted: wanted('v3') }),
    'act',
    'Baking',
  ],
  [
    'a rehearsal pod of another release goes',
    snapshot({ rehearsals: [pod('v9', 'shop-rehearsal-v9')] }),
    'act',
    'Progressing',
  ],
  [
    'a rehearsal pod of a release that serves goes',
    snapshot({ rehearsals: [pod('v1', 'shop-rehearsal-v1')], wanted: wanted('v1') }),
    'act',
    'Progressing',
  ],
  ['the rehearsal pod of the wanted release stays', snapshot({ rehearsals: rehearsing }), 'proceed', 'Progressing'],
  [
    'that of a rejected release goes',
    snapshot({ rehearsals: rehearsing, revisions: [rejected] }),
    'act',
    'Progressing',
  ],
])('%s', (_sentence, seen, kind, reason) => {
  expect(admission(seen)).toMatchObject({ kind, condition: { reason } });
});

const actionOf = (seen: Snapshot) => {
  const decision = admission(seen);
  return decision.kind === 'act' ? decision.action : undefined;
};

test('a new release gets the next number', () => {
  const revisions = [revision('v1', 'released'), revision('v7', 'rejected')];
  expect(actionOf(snapshot({ revisions }))).toMatchObject({ do: 'createRevision', revision: 8 });
});

test('what is overtaken is not blamed', () => {
  expect(actionOf(held({ wanted: wanted('v3') }))).toMatchObject({
    do: 'setRecord',
    record: { phase: 'RollingBack', release: 'v1', stable: 'v1', withdrawn: { release: 'v2', verdict: 'superseded' } },
  });
});

test('going back after the promotion began brings all stable pods at once', () => {
  const seen = carrying({ phase: 'Baking', release: 'v2', stable: 'v1' }, {}, { wanted: wanted('v1') });
  expect(actionOf(seen)).toMatchObject({ do: 'setRecord', record: { phase: 'RollingBackAll', release: 'v1' } });
});

const crashed = [pod('v2', 'shop-rehearsal-v2', { lastExit: 'exit code 1' })];
const refusedSince = (seconds: number) => ({
  rehearsals: crashed,
  revisions: [{ ...rejected, verdict: { ...rejected.verdict, at: iso(T0 - seconds * 1000) } }],
});
test.each<[string, Partial<Snapshot>, Decision['kind']]>([
  ['stays ten minutes for its log', refusedSince(599), 'fail'],
  ['goes after ten minutes', refusedSince(600), 'act'],
  ['goes at once for a new try', { ...refusedSince(0), app: retried }, 'act'],
  ['goes at once for another release', { ...refusedSince(0), wanted: wanted('v3') }, 'act'],
])('the rehearsal pod of a release that did not start %s', (_sentence, change, kind) => {
  expect(admission(snapshot(change)).kind).toBe(kind);
});

test('a new try forgets the verdict, the rehearsal and the Job that failed, in that many passes', () => {
  const failed = job({ kind: 'failed', endedAt: T0, podRead: true, detail: 'exit code 1', started: true });
  const seen = snapshot({ revisions: [rejected], app: retried, jobs: [failed] });
  expect(actionOf(seen)).toEqual({ do: 'deleteJob', job: failed.name, uid: failed.uid });
  expect(actionOf({ ...seen, jobs: [] })).toMatchObject({
    do: 'annotateRevision',
    revision: 'shop-v2',
    set: { 'devshelf.dev/rehearsal': null, 'devshelf.dev/retry-token': 'b' },
  });
});

test('a new try asks the migration again: somebody may have undone it by hand', () => {
  const succeeded = job({ kind: 'succeeded', endedAt: T0, podRead: true });
  const revisions = [{ ...rejected, migration: migrated('v2') }];
  expect(actionOf(snapshot({ revisions, app: retried, jobs: [succeeded] }))).toMatchObject({ do: 'deleteJob' });
  const then = actionOf(snapshot({ revisions, app: retried }));
  expect(then).toMatchObject({ do: 'annotateRevision', set: { 'devshelf.dev/migration-result': null } });
});

test('a refusal names what serves and the two ways forward', () => {
  const { condition } = admission(snapshot({ revisions: [revision('v1', 'released'), rejected] }));
  expect(condition.message).toBe(
    'v2 is rejected; 1 serves; apply a new spec, or change spec.rollout.retryToken to try this one again',
  );
});

test('a first release that was refused names nothing that serves', () => {
  const { condition } = admission(fresh({ revisions: [rejected] }));
  expect(condition.message).toMatch(/^v2 is rejected; apply a new spec/);
});

test('the deployment of a release whose revision is gone is named by its hash', () => {
  const { condition } = admission(snapshot({ revisions: [rejected], deployment: deployment() }));
  expect(condition.message).toContain('v1 serves');
});
