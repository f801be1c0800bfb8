import { expect, test } from '@jest/globals';
import type { Decision } from '../decision.ts';
import type { Snapshot } from '../snapshot.ts';
import { app, at, carrying, fresh, judgement, revision, T0, wanted } from '../testing.ts';
import { bake, bakeEnd } from './bake.ts';

const off = { app: app({ rollout: { analysis: { policy: 'Disabled' } } }) };
const baking = (seconds: number, change: Partial<Snapshot> = {}): Snapshot =>
  carrying({ phase: 'Baking', since: at(0) }, {}, { now: T0 + seconds * 1000, ...change });

/** v2 bakes since a week; there is a stable release to go back to. */
const late = (change: Partial<Snapshot>): Snapshot =>
  carrying({ phase: 'Baking', release: 'v2', since: at(-7 * 86_400) }, {}, change);
const asleep = (seconds: number): Snapshot =>
  carrying({ phase: 'Baking', release: 'v2', since: at(-seconds) }, { wantedReplicas: 0, readyReplicas: 0 });
const good = { judgement: judgement('Good') };
const refused = { wanted: wanted('v3'), revisions: [revision('v2', 'pending'), revision('v3', 'rejected')] };
/** Its verdict is written down, so many seconds from now. */
const foundGood = (seconds: number): Partial<Snapshot> => {
  const verdict = { verdict: 'released', reason: 'Released', message: 'well', at: at(seconds) } as const;
  return { revisions: [revision('v1', 'released'), revision('v2', 'released', { verdict })] };
};
const observed = { app: app({ rollout: { analysis: { policy: 'Observe' } } }) };
const blind = (onBlind: string) => ({
  judgement: judgement('Blind'),
  app: app({ rollout: { analysis: { onBlind } } }),
});

test.each<[string, Snapshot, Decision['kind'], string]>([
  ['nothing is installed', fresh(), 'proceed', 'Released'],
  ['the release is stable', carrying({}), 'proceed', 'Released'],
  ['the promotion is over', carrying({ phase: 'Promoting', release: 'v2' }), 'act', 'Baking'],
  ['the first install is over', carrying({ phase: 'Installing' }), 'act', 'Baking'],
  ['it is watched', baking(1_799), 'wait', 'Baking'],
  ['there is too much to do', baking(60, { judgement: judgement('Overloaded', 'v1') }), 'wait', 'Overloaded'],
  ['long enough, but nothing was read since the operator started', baking(1_800), 'wait', 'Baking'],
  ['what was read is about another release', baking(1_815, { judgement: judgement('Good', 'v2') }), 'wait', 'Baking'],
  ['its pods cannot be read', late({ judgement: judgement('Blind') }), 'wait', 'Blind'],
  ['nothing was read for as long as one waits', late({}), 'wait', 'Blind'],
  ['scaled to zero, nothing is watched', asleep(10), 'wait', 'ScaledToZero'],
])('%s', (_sentence, seen, kind, reason) => {
  expect(bake(seen)).toMatchObject({ kind, condition: { reason } });
});

test.each<[string, Snapshot, Decision['kind'] | undefined, string | undefined]>([
  ['it goes on', baking(1_799), undefined, undefined],
  ['nothing is watched', carrying({}), undefined, undefined],
  ['it was watched long enough', baking(1_800, { judgement: judgement('Pending', 'v1') }), 'act', 'Released'],
  [
    'what was read is about another release',
    baking(1_815, { judgement: judgement('Good', 'v2') }),
    undefined,
    undefined,
  ],
  ['a first release that cannot be read has nobody to go back to', baking(1_816), 'act', 'Released'],
  ['analysis is off', baking(1_800, off), 'act', 'Released'],
  ['the newer spec was rejected', late({ ...good, ...refused }), 'act', 'Released'],
  ['a Secret of the newer spec is missing', late({ ...good, wanted: { known: false, why: '' } }), 'act', 'Released'],
  ['it could not be read, and is not to pass', late(blind('Rollback')), 'act', 'Blind'],
  ['it could not be read, and may pass', late(blind('Promote')), 'act', 'Released'],
  ['it could not be read, and is held', late(blind('Hold')), undefined, undefined],
  ['nothing was read for as long as one waits, and it is held', late({}), undefined, undefined],
  ['it is bad, and has served for a week', late({ judgement: judgement('Bad'), ...refused }), 'fail', 'Held'],
  [
    'the same, and a newer spec comes',
    late({ judgement: judgement('Bad'), wanted: wanted('v3') }),
    undefined,
    undefined,
  ],
  ['it is bad, and only observed', late({ judgement: judgement('Bad'), ...observed }), 'act', 'Released'],
  [
    'it was found good, and cannot be read any more',
    late({ ...blind('Rollback'), ...foundGood(-1) }),
    'act',
    'Released',
  ],
  ['it was found good, and nothing was read since', late(foundGood(-1)), 'act', 'Released'],
  ['it was found good in an earlier bake', late({ ...blind('Hold'), ...foundGood(-8 * 86_400) }), undefined, undefined],
  ['it was found good, and is bad by now', late({ judgement: judgement('Bad'), ...foundGood(-1) }), 'fail', 'Held'],
  ['scaled to zero, it does not end', asleep(7 * 86_400), undefined, undefined],
])('the end of the bake: %s', (_sentence, seen, kind, reason) => {
  const decision = bakeEnd(seen);
  expect([decision?.kind, decision?.condition.reason]).toEqual([kind, reason]);
});

test('what could not be read in its bake is taken back as rejected, where the policy says so', () => {
  expect(bakeEnd(late(blind('Rollback')))).toMatchObject({
    action: { record: { phase: 'RollingBackAll', release: 'v1', withdrawn: { verdict: 'rejected', reason: 'Blind' } } },
  });
});

test('a release that is only watched is ready', () => {
  expect(bake(baking(0))).toMatchObject({ ready: true, recheckMs: 60_000 });
  expect(bake(baking(1_799))).toMatchObject({ ready: true, recheckMs: 1_001 });
});

test('what is known about the release before it stays', () => {
  const seen = carrying({ phase: 'Promoting', release: 'v2', stable: 'v1', stableErrorRatio: 0.001 });
  expect(bake(seen)).toMatchObject({
    action: { record: { phase: 'Baking', release: 'v2', stable: 'v1', stableErrorRatio: 0.001, since: at(0) } },
  });
});

test('the message says until when, and that nothing is judged when analysis is off', () => {
  expect(bake(baking(0)).condition.message).toContain('2026-03-01T12:30:00.000Z (taken back if it turns bad)');
  expect(bake(baking(0, off)).condition.message).toContain('analysis is off');
});
