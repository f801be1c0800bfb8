import { expect, test } from '@jest/globals';
import type { Contract, RolloutRecord } from '../../api/rollout.ts';
import { admission } from '../release/admission.ts';
import { bakeEnd } from '../release/bake.ts';
import { candidate } from '../release/candidate.ts';
import { promotion } from '../release/promotion.ts';
import { regression } from '../release/regression.ts';
import { release } from '../release/release.ts';
import type { MigrationResult, Revision, Snapshot } from '../snapshot.ts';
import {
  app,
  at,
  carrying,
  held,
  judgement,
  migrated,
  pod,
  revision,
  sharer,
  snapshot,
  T0,
  wanted,
} from '../testing.ts';
import { migration } from './migration.ts';

const DROP = '20261128_drop';
const took: Partial<MigrationResult> = { contracted: [DROP], contractedAt: at(-30), finishedAt: at(-30), withheld: [] };
const v1 = revision('v1', 'released', { migration: migrated('v1', { finishedAt: at(-900), withheld: [] }) });
const revisions = [v1, revision('v2', 'pending', { migration: migrated('v2', took) })];
const contract = (change: Partial<Contract> = {}): Contract => ({
  ...{ ids: [DROP], served: { requests: 12, errors: 0 }, proven: false },
  ...change,
});
const proven = contract({ served: { requests: 1140, errors: 0 }, proven: true });
const bad = { revisions, judgement: judgement('Bad') };
const agreed = app({}, { annotations: { 'devshelf.dev/past-contract': `v1/${DROP}` } });

/** v2 took something away and serves; it is bad. */
const serving = (record: Partial<RolloutRecord>, change: Partial<Snapshot> = {}): Snapshot =>
  carrying({ release: 'v2', stable: 'v1', since: at(-10), contract: contract(), ...record }, {}, { ...bad, ...change });
const baking = (change: Partial<Snapshot> = {}, of = contract()): Snapshot =>
  serving({ phase: 'Baking', contract: of }, change);

test.each<[string, Snapshot, string, string | undefined]>([
  ['a candidate is taken out at once', held(bad), 'act', 'RolledBack'],
  ['in the bake, with too little seen of the one before', baking(), 'fail', 'RollbackFenced'],
  ['with enough seen', baking({}, proven), 'act', 'RolledBack'],
  ['with enough seen before something else went, too', baking({}, { ...proven, ids: [] }), 'fail', 'RollbackFenced'],
  ['nothing was taken away', baking({ revisions: [v1, revision('v2', 'pending')] }), 'act', 'RolledBack'],
  [
    'it was taken away before the stable release was asked last',
    baking({ revisions: [{ ...v1, migration: migrated('v1', { finishedAt: at(-20) }) }, revisions[1] as Revision] }),
    'act',
    'RolledBack',
  ],
  [
    'another resource took it away',
    baking({
      revisions: [v1, revision('v2', 'pending')],
      databaseSharedWith: [sharer([], { contracts: [{ ids: [DROP], at: at(-30) }] })],
    }),
    'fail',
    'RollbackFenced',
  ],
  ['a person agrees', baking({ app: agreed }), 'act', 'RolledBack'],
  [
    'a person agreed to something else',
    baking({ app: app({}, { annotations: { 'devshelf.dev/past-contract': 'v1/20250101_drop' } }) }),
    'fail',
    'RollbackFenced',
  ],
  ['in a promotion: no further pod is replaced', serving({ phase: 'Promoting' }), 'act', 'RollbackFenced'],
  ['that is written down once', serving({ phase: 'Promoting', held: true }), 'fail', 'RollbackFenced'],
  [
    'another release took it away, which was rejected',
    baking({
      revisions: [v1, revision('v2', 'pending'), revision('v3', 'rejected', { migration: migrated('v3', took) })],
    }),
    'fail',
    'RollbackFenced',
  ],
])('a bad release: %s', (_sentence, seen, kind, reason) => {
  expect(regression(seen)).toMatchObject({ kind, condition: { type: 'AnalysisPassed', reason } });
});

test('the message has the figures, and both ways out', () => {
  const words = regression(baking())?.condition.message;
  expect(words).toContain('11 of 24 requests');
  expect(words).toContain('1 answered 12 requests on this schema, 0 of them 5xx');
  expect(words).toContain(`devshelf.dev/past-contract=v1/${DROP}`);
  expect(regression(baking({}, proven))?.condition.message).toContain('1 answered 1,140 requests on this schema');
});

test('while it is watched, it is said what a way back would miss', () => {
  const words = (seen: Snapshot) => migration(seen).condition.message;
  const fence = `the release that serves was migrated before it; behind the fence: ${DROP} took something away since 1 was migrated`;
  expect([held(bad), baking()].map(words)).toEqual([fence, fence]);
  const released = carrying({ phase: 'Settled', release: 'v2', stable: 'v2' }, {}, bad);
  expect(words(released)).toBe('the release that serves was migrated before it');
});

test('a newer spec goes ahead, and is compared with the bad release', () => {
  const newest = { wanted: wanted('v3'), revisions: [...revisions, revision('v3', 'pending')] };
  expect(regression(baking(newest))).toBeUndefined();
  expect(admission(baking(newest)).kind).toBe('proceed');
});

test('one that is stuck in its promotion is replaced where it is', () => {
  const newest = { wanted: wanted('v3'), revisions: [...revisions, revision('v3', 'pending')] };
  const stuck = serving({ phase: 'Promoting', held: true }, newest);
  expect(regression(stuck)).toBeUndefined();
  expect(admission(stuck).kind).toBe('proceed');
  expect(candidate(stuck)).toMatchObject({
    action: { do: 'setRecord', record: { phase: 'Promoting', release: 'v3', stable: 'v1', contract: { ids: [DROP] } } },
  });
  const open = serving({ phase: 'Promoting', held: true, contract: proven }, newest);
  expect(admission(open)).toMatchObject({ action: { record: { phase: 'RollingBackAll', release: 'v1' } } });
});

test('a promotion that does not go on is not taken back past it', () => {
  const late = { now: T0 + 700_000, pods: [pod('v2', 'shop-d', { ready: false })] };
  const view = { updatedReplicas: 1, availableReplicas: 1 };
  const record = { phase: 'Promoting', release: 'v2', stable: 'v1', since: at(0), contract: contract() } as const;
  const stuck = (of: Contract) => carrying({ ...record, contract: of }, view, { revisions, ...late });
  expect(promotion(stuck(contract()))).toMatchObject({ kind: 'fail', condition: { reason: 'RollbackFenced' } });
  expect(promotion(stuck(proven))).toMatchObject({ kind: 'act', condition: { reason: 'ProgressDeadlineExceeded' } });
});

test('nor is a bake that nobody could read', () => {
  const rollout = { bakeSeconds: 60, analysis: { onBlind: 'Rollback' } };
  const blind = { app: app({ rollout }), judgement: judgement('Blind'), now: T0 + 120_000 };
  expect(bakeEnd(baking(blind))).toMatchObject({ kind: 'fail', condition: { reason: 'RollbackFenced' } });
  expect(bakeEnd(baking(blind, proven))).toMatchObject({ kind: 'act', condition: { reason: 'Blind' } });
});

test('a person who asks for the earlier release gets it, and is told what is gone', () => {
  expect(admission(baking({ wanted: wanted('v1') }))).toMatchObject({
    action: { record: { phase: 'RollingBackAll', release: 'v1' } },
    announce: { type: 'Warning', message: expect.stringContaining(DROP) },
  });
});

test('the evidence is written with the promotion, and goes with the release', () => {
  const good = { ...judgement('Good'), baseline: { requests: 1140, errors: 0 }, baselineIsGood: true };
  const promoted = promotion(held({ revisions, judgement: good }));
  expect(promoted).toMatchObject({ action: { record: { phase: 'Promoting', contract: proven } } });
  expect(promotion(held({ judgement: good }))).not.toHaveProperty('action.record.contract');
  const released = release(
    baking({ revisions: [v1, revision('v2', 'released', { migration: migrated('v2', took) })] }),
  );
  expect(released).not.toHaveProperty('action.record.contract');
});

test('an image that does not know of it is not released, unless a person names both', () => {
  const behind = { migration: migrated('v1', { ahead: [DROP, 'x'], withheld: [], finishedAt: at(0) }) };
  const back = (change: Partial<Snapshot> = {}): Snapshot =>
    snapshot({
      wanted: wanted('v1'),
      ...carryingV2,
      revisions: [revision('v1', 'released', behind), revision('v2', 'released', { migration: migrated('v2', took) })],
      ...change,
    });
  const carryingV2 = {
    deployment: {
      ...(snapshot().deployment as never as object),
      record: { phase: 'Settled', release: 'v2', stable: 'v2', since: at(0) },
    } as never,
  };
  expect(migration(back())).toMatchObject({ kind: 'fail', condition: { reason: 'BehindContract' } });
  expect(migration(back())).toMatchObject({
    condition: { message: expect.stringContaining(`past-contract=v1/${DROP}`) },
  });
  expect(migration(back({ app: agreed })).kind).toBe('proceed');
  // what it was told before the contract holds no more
  expect(
    migration(back({ revisions: [v1, revision('v2', 'released', { migration: migrated('v2', took) })] })),
  ).toMatchObject({
    action: { do: 'createMigrationJob', migrationId: 'm1' },
  });
});
