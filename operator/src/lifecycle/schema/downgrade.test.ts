import { expect, test } from '@jest/globals';
import { shownMigration } from '../../api/words.ts';
import type { Decision } from '../decision.ts';
import type { JobVerdict, JobView, MigrationResult, Revision, Snapshot } from '../snapshot.ts';
import {
  app,
  at,
  deployment,
  job,
  migrated,
  pod,
  revision,
  sharer,
  snapshot,
  stablePods,
  T0,
  wanted,
} from '../testing.ts';
import { downgrade, schemaReverted } from './downgrade.ts';
import { migration } from './migration.ts';

const APPLIED = ['20261128_nota'];
const did: Partial<MigrationResult> = {
  applied: APPLIED,
  database: 'db',
  withheld: [],
  contracted: [],
  irreversible: [],
};
const SAFE = app({ migrations: { downOnRollback: 'IfSafe' } });

/** v2 was taken back; v1 serves, and the spec still asks for v2. */
const back = (change: Partial<Snapshot> = {}, result: Partial<MigrationResult> = {}): Snapshot =>
  snapshot({ app: SAFE, revisions: [revision('v1', 'released'), rejected(result)], ...change });
const rejected = (result: Partial<MigrationResult> = {}, change: Partial<Revision> = {}): Revision =>
  revision('v2', 'rejected', { migration: migrated('v2', { ...did, ...result }), ...change });
/** v3 came after it, and serves. */
const later = (change: Partial<Revision>): Snapshot =>
  back({
    wanted: wanted('v3'),
    deployment: deployment({ release: 'v3', stable: 'v3' }),
    revisions: [rejected(), revision('v3', 'released', change)],
    pods: [],
  });
const downJob = (state: JobView['state']): JobView => ({ ...job(state), task: `down ${APPLIED.join()}` });
const says = (result: JobVerdict['result'], lost: string[] = []): JobVerdict => ({
  result,
  applied: [],
  pending: [],
  lost,
});
const done = (result: JobVerdict['result'], endedAt = T0): JobView =>
  downJob({ kind: 'succeeded', endedAt, podRead: true, verdict: says(result) });
const failed = (verdict: JobVerdict): JobView =>
  downJob({ kind: 'failed', endedAt: T0, podRead: true, detail: 'exit code 1', started: true, verdict });

test.each<[string, Snapshot]>([
  ['nobody has asked for it', back({ app: app() })],
  [
    'nothing was rejected',
    back({ revisions: [revision('v1', 'released'), revision('v2', 'pending', { migration: migrated('v2', did) })] }),
  ],
  ['it applied nothing', back({}, { applied: [] })],
  ['it is decided', back({ revisions: [rejected({}, { downgrade: { result: 'Kept', why: 'x', at: at(0) } })] })],
  ['a newer spec is coming', back({ wanted: wanted('v3'), revisions: [rejected(), revision('v3', 'pending')] })],
  [
    'it is coming back itself',
    back({ deployment: { ...snapshot().deployment, record: { phase: 'RollingBackAll' } } as never }),
  ],
  ['its rehearsal pod is still to be removed', back({ rehearsals: [pod('v2', 'r')] })],
  ['the database is not known now', back({ wanted: { known: false, why: 'x' } })],
])('%s: nothing is undone', (_sentence, seen) => {
  expect(downgrade(seen)).toBeUndefined();
});

test.each<[string, Snapshot, Decision['kind'], string]>([
  ['the image is back: the Job', back(), 'act', 'SchemaReverting'],
  [
    'a pod of it is left',
    back({ pods: [...stablePods(), pod('v2', 'c', { deleting: true })] }),
    'wait',
    'SchemaReverting',
  ],
  ['a worker of it is left', back({ workers: [pod('v2', 'w')] }), 'wait', 'SchemaReverting'],
  ['somebody else migrates the database', back({ databaseBusyWith: 'other' }), 'wait', 'QueuedBehind'],
  ['the Job runs', back({ jobs: [downJob({ kind: 'running' })] }), 'wait', 'SchemaReverting'],
  [
    'it runs although a newer spec came',
    back({ wanted: wanted('v3'), jobs: [downJob({ kind: 'running' })] }),
    'wait',
    'SchemaReverting',
  ],
  ['it is done', back({ jobs: [done('reverted')] }), 'act', 'SchemaReverted'],
  ['it says something else', back({ jobs: [done('up to date')] }), 'act', 'SchemaKept'],
  ['rows would be lost', back({ jobs: [failed(says('refused', ['table n: 1204 rows']))] }), 'act', 'SchemaKept'],
  ['the database is down', back({ jobs: [failed(says('unreachable'))] }), 'wait', 'SchemaReverting'],
  ['it failed', back({ jobs: [failed(says('failed'))] }), 'act', 'SchemaKept'],
  ['the Job of an earlier try', back({ jobs: [done('reverted', T0 - 700_000)] }), 'act', 'SchemaReverting'],
  ['its runner is too old', back({}, { withheld: undefined as never }), 'act', 'SchemaKept'],
  ['there is no way back', back({}, { irreversible: APPLIED }), 'act', 'SchemaKept'],
  ['it took something away', back({}, { contracted: APPLIED }), 'act', 'SchemaKept'],
  ['the Secret names another database', back({}, { database: 'other' }), 'act', 'SchemaKept'],
  ['others use the database', back({ databaseSharedWith: [sharer()] }), 'act', 'SchemaKept'],
  [
    'a later release was migrated',
    back({
      revisions: [
        rejected(),
        revision('v3', 'released', { migration: migrated('v3', { ...did, finishedAt: at(-5) }) }),
      ],
    }),
    'act',
    'SchemaKept',
  ],
  [
    'a later release serves on it, and found nothing to apply',
    later({ migration: migrated('v3', { ...did, applied: [], finishedAt: at(-5) }) }),
    'act',
    'SchemaKept',
  ],
  [
    'a later release of the same image serves',
    later({ release: { ...revision('v3', 'released').release, migrationId: 'm2' } }),
    'act',
    'SchemaKept',
  ],
  [
    'the image of the later release does not know of it',
    later({ migration: migrated('v3', { ...did, applied: [], ahead: APPLIED, finishedAt: at(-5) }) }),
    'act',
    'SchemaReverting',
  ],
])('%s', (_sentence, seen, kind, reason) => {
  expect(downgrade(seen)).toMatchObject({ kind, condition: { type: 'Migrated', reason } });
});

test('of more migrations than a verdict names none is undone: the schema stays, with the count', () => {
  const decision = downgrade(back({}, { more: { applied: 2 } }));
  expect(decision).toMatchObject({ kind: 'act', condition: { reason: 'SchemaKept' } });
  expect(decision?.condition.message).toMatch(
    /it applied 3 migrations, and 2 of them are not known by name here.*: migrate down --only NAMES$/,
  );
});

test('a name that is not shown cannot be given to a Job: the schema stays', () => {
  const decision = downgrade(back({}, { applied: [...APPLIED, shownMigration('nota')] }));
  expect(decision).toMatchObject({ kind: 'act', condition: { reason: 'SchemaKept' } });
  expect(decision?.condition.message).toContain('it applied 2 migrations, and 1 of them');
});

test('all of many migrations are undone, and ten are named to people', () => {
  const many = Array.from({ length: 40 }, (_, index) => `202611281200${index + 10}_nota`);
  const decision = downgrade(back({}, { applied: many }));
  expect(decision).toMatchObject({ action: { task: { direction: 'down', ids: many } } });
  expect(decision?.condition.message).toMatch(/20261128120049_nota and 30 more$/);
});

test('the Job undoes what this release applied, with its image', () => {
  expect(downgrade(back())).toMatchObject({
    action: { do: 'createSchemaJob', release: { hash: 'v2' }, task: { direction: 'down', ids: APPLIED } },
  });
});

test('what would be lost is said, and how a person does it all the same', () => {
  const words = downgrade(back({ jobs: [failed(says('refused', ['table n: 1204 rows']))] }))?.condition.message;
  expect(words).toContain('table n: 1204 rows would be lost');
  expect(words).toContain('migrate down --only 20261128_nota');
});

const KEPT = { result: 'Kept', why: 'table n: 1204 rows would be lost', at: at(-30) } as const;
const successor = revision('v3', 'released', { migration: migrated('v3', { ...did, finishedAt: at(-5) }) });
test.each<[string, readonly Revision[], object | undefined]>([
  ['nothing is decided yet', [rejected()], undefined],
  [
    'rows would be lost',
    [rejected({}, { downgrade: KEPT })],
    { status: 'False', reason: 'SchemaKept', message: expect.stringContaining(KEPT.why) },
  ],
  [
    'it is undone',
    [rejected({}, { downgrade: { result: 'Reverted', reverted: APPLIED, at: at(-30) } })],
    { status: 'True', reason: 'SchemaReverted' },
  ],
  ['a later release was built on it', [rejected({}, { downgrade: KEPT }), successor], undefined],
])('what a rejected release left is in the status: %s', (_sentence, revisions, condition) => {
  const known = schemaReverted(back({ revisions: [revision('v1', 'released'), ...revisions] }));
  if (condition) expect(known).toMatchObject({ type: 'SchemaReverted', ...condition });
  else expect(known).toBeUndefined();
});

test('tried again later, the release is migrated again', () => {
  const reverted = rejected(
    {},
    { verdict: { ...rejected().verdict, verdict: 'pending' }, downgrade: { result: 'Reverted', at: at(-30) } },
  );
  expect(migration(back({ revisions: [revision('v1', 'released'), reverted] }))).toMatchObject({
    action: { do: 'createMigrationJob', migrationId: 'm2' },
  });
});
