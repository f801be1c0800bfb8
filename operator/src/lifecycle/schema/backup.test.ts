import { describe, expect, test } from '@jest/globals';
import { admission } from '../release/admission.ts';
import type { JobView, MigrationResult, Snapshot } from '../snapshot.ts';
import { app, job, migrated, revision, sharer, snapshot, T0, wanted } from '../testing.ts';
import { needsBackups } from './backup.ts';
import { contraction } from './contraction.ts';
import { migration } from './migration.ts';

const DROP = { id: '20261128_drop', what: 'takes away column t.titulo' };
const spec = (more = {}) => ({
  migrations: { contract: { allow: [DROP.id], backup: { cronJob: 'nightly' }, ...more } },
});
const backup = (state: JobView['state'], hash: string): JobView => ({
  ...job(state, hash),
  ...{ name: 'shop-backup', migrationId: '', task: `backup ${DROP.id}` },
});
const pending = { kind: 'pending', detail: '' } as const;
const done = { kind: 'succeeded', endedAt: T0, podRead: false } as const;
const lost = { kind: 'failed', endedAt: T0, podRead: false, detail: 'BackoffLimitExceeded', started: true } as const;

/** v1 is stable and may lose something. */
const stable = (state?: JobView['state'], change: Partial<Snapshot> = {}, result: Partial<MigrationResult> = {}) =>
  snapshot({
    app: app(spec()),
    wanted: wanted('v1'),
    revisions: [
      revision('v1', 'released', { migration: migrated('v1', { result: 'Expanded', withheld: [DROP], ...result }) }),
    ],
    jobs: state ? [backup(state, 'v1')] : [],
    ...change,
  });

test.each<[string, Snapshot, string, object]>([
  ['a backup first', stable(), 'act', { do: 'createBackup', cronJob: 'nightly' }],
  ['it is done', stable(done), 'act', { do: 'createSchemaJob', task: { direction: 'contract' } }],
  ['it failed: nothing is taken away', stable(lost), 'act', { do: 'annotateRevision' }],
])('after the bake: %s', (_sentence, seen, kind, action) => {
  expect(contraction(seen)).toMatchObject({ kind, action });
});

const HOURS = 3_600_000;
const hanging = (progressedAt = T0, state: JobView['state'] = { kind: 'running' }) => ({
  jobs: [{ ...backup(state, 'v1'), createdAt: T0, progressedAt }],
});

test('it takes as long as it takes, while something new is told of it', () => {
  const seen = (now: number, progressedAt: number) => contraction(stable(undefined, { now, ...hanging(progressedAt) }));
  const waits = { kind: 'wait', condition: { reason: 'BackingUp' } };
  expect(seen(T0 + 6 * HOURS - 1, T0)).toMatchObject(waits);
  expect(seen(T0 + 11 * HOURS, T0 + 5 * HOURS + 1)).toMatchObject(waits);
  const decision = seen(T0 + 11 * HOURS, T0 + 5 * HOURS);
  expect(decision).toMatchObject({ kind: 'act', condition: { reason: 'BackupFailed' } });
  expect(decision?.condition.message).toMatch(
    /^the backup by Job shop-backup hangs: nothing new is told of it since \S+Z .*kubectl describe job\/shop-backup .*retryToken to try again$/,
  );
});

test('one that hangs is cleared for another try, and for a newer release', () => {
  const now = T0 + 7 * HOURS;
  const failure = {
    reason: 'BackupFailed',
    ids: [DROP.id],
    message: 'no',
    at: new Date(now - 1).toISOString(),
  } as const;
  const token = app({ ...spec(), rollout: { retryToken: 'again' } });
  const removed = { action: { do: 'deleteJob', job: 'shop-backup' } };
  expect(contraction(stable(undefined, { now, app: token, ...hanging() }, { failure }))).toMatchObject(removed);
  const newer = (at: number) => migration(stable(undefined, { now: at, ...hanging(), ...NEWER }));
  expect(newer(now)).toMatchObject(removed);
  expect(newer(T0 + HOURS)).toMatchObject({ kind: 'wait', condition: { reason: 'Running' } });
});
const NEWER = { wanted: wanted('v2'), revisions: [revision('v1', 'released'), revision('v2', 'pending')] };

test('before a release it is rejected, and the next try makes a new one', () => {
  const seen = (change: Partial<Snapshot> = {}) =>
    urgent(undefined, {
      now: T0 + 6 * HOURS,
      jobs: [{ ...backup({ kind: 'running' }, 'v2'), createdAt: T0 }],
      ...change,
    });
  expect(migration(seen())).toMatchObject({ action: { do: 'createIncident', record: { reason: 'BackupFailed' } } });
  const rejected = { revisions: [revision('v1', 'released'), revision('v2', 'rejected')] };
  const again = app({ ...spec({ when: 'BeforeRollout' }), rollout: { retryToken: 'again' } });
  expect(admission(seen({ ...rejected, app: again }))).toMatchObject({
    action: { do: 'deleteJob', job: 'shop-backup' },
  });
});

describe('of a cluster of CloudNativePG', () => {
  const cnpg = app({ migrations: { contract: { allow: [DROP.id], backup: { cnpgCluster: 'shop-db' } } } });
  const of = (state?: JobView['state'], change: Partial<Snapshot> = {}, result: Partial<MigrationResult> = {}) =>
    stable(
      undefined,
      { app: cnpg, jobs: state ? [{ ...backup(state, 'v1'), kind: 'Backup' as const }] : [], ...change },
      result,
    );

  test('a Backup is made, waited for, and then something is taken away', () => {
    expect(contraction(of())).toMatchObject({ action: { do: 'createBackup', cnpgCluster: 'shop-db' } });
    expect(contraction(of(pending))).toMatchObject({
      kind: 'wait',
      condition: { reason: 'BackingUp', message: 'Backup shop-backup of CloudNativePG cluster shop-db makes a backup' },
    });
    expect(contraction(of(done))).toMatchObject({ action: { do: 'createSchemaJob', task: { direction: 'contract' } } });
    expect(contraction(of(lost))?.condition).toMatchObject({
      reason: 'BackupFailed',
      message: expect.stringContaining('the backup by Backup shop-backup failed (BackoffLimitExceeded)'),
    });
  });

  test('what cannot be read is waited for, and none is made meanwhile', () => {
    expect(contraction(of(undefined, { backupsUnread: 'forbidden' }))).toMatchObject({
      kind: 'wait',
      condition: { reason: 'BackingUp', message: 'Backups cannot be read: forbidden' },
    });
  });

  test('the one of an earlier try is removed as what it is', () => {
    const failure = {
      reason: 'ContractFailed',
      ids: [DROP.id],
      message: 'no',
      at: new Date(T0).toISOString(),
    } as const;
    const { contract } = cnpg.spec.migrations;
    const token = app({ migrations: { contract }, rollout: { retryToken: 'again' } });
    expect(contraction(of(done, { app: token }, { failure }))).toMatchObject({
      action: { do: 'deleteJob', kind: 'Backup', job: 'shop-backup' },
    });
  });

  test.each<[string, boolean, object, Partial<MigrationResult>]>([
    ['an agreed migration waits', true, {}, {}],
    ['nothing waits', false, {}, { withheld: [] }],
    ['a release that cannot wait takes it away', true, { when: 'BeforeRollout' }, { withheld: [] }],
    ['it did so', false, { when: 'BeforeRollout' }, { withheld: [], contracted: [DROP.id] }],
    ['a CronJob makes the backup', false, { backup: { cronJob: 'nightly' } }, {}],
  ])('Backups are read where %s: %s', (_sentence, isNeeded, change, result) => {
    const backup = { cnpgCluster: 'shop-db' };
    const seen = of(
      undefined,
      { app: app({ migrations: { contract: { allow: [DROP.id], backup, ...change } } }) },
      result,
    );
    expect(needsBackups(seen)).toBe(isNeeded);
  });
});

test('another of this database has it in hand', () => {
  expect(contraction(stable(undefined, { databaseBusyWith: 'other' }))?.condition.reason).toBe('QueuedBehind');
});

test('what failed is said until a person changes something, then it is made anew', () => {
  expect(contraction(stable(lost))?.condition).toMatchObject({ reason: 'BackupFailed' });
  const failure = { reason: 'BackupFailed', ids: [DROP.id], message: 'no', at: new Date(T0).toISOString() } as const;
  expect(contraction(stable(lost, {}, { failure }))).toMatchObject({
    kind: 'proceed',
    condition: { status: 'False', reason: 'BackupFailed' },
  });
  const token = app({ ...spec(), rollout: { retryToken: 'again' } });
  expect(contraction(stable(lost, { app: token }, { failure }))).toMatchObject({ action: { do: 'deleteJob' } });
});

test('a backup that was made for an earlier try is none for the next', () => {
  const failure = { reason: 'ContractFailed', ids: [DROP.id], message: 'no', at: new Date(T0).toISOString() } as const;
  const token = app({ ...spec(), rollout: { retryToken: 'again' } });
  const old = { ...done, endedAt: T0 - 60_000 };
  expect(contraction(stable(old, { app: token }, { failure }))).toMatchObject({
    action: { do: 'deleteJob', job: 'shop-backup' },
  });
  expect(contraction(stable({ ...done, endedAt: T0 + 1 }, { app: token }, { failure }))).toMatchObject({
    action: { do: 'createSchemaJob' },
  });
});

test('the result says which backup it was', () => {
  const verdict = { result: 'up to date', applied: [], pending: [], contracted: [DROP.id], withheld: [] } as const;
  const contract = { ...job({ ...done, podRead: true, verdict }, 'v1'), task: `contract ${DROP.id}` };
  const decision = contraction(stable(undefined, { jobs: [backup(done, 'v1'), contract] }));
  if (decision?.kind !== 'act' || decision.action.do !== 'annotateRevision') throw new Error('nothing is written');
  expect(JSON.parse(decision.action.set['devshelf.dev/migration-result'] ?? '')).toMatchObject({
    ...{ backup: 'shop-backup', contracted: [DROP.id] },
  });
});

/** v2 cannot wait. */
const urgent = (state?: JobView['state'], change: Partial<Snapshot> = {}) =>
  snapshot({ app: app(spec({ when: 'BeforeRollout' })), jobs: state ? [backup(state, 'v2')] : [], ...change });

test('before a release that cannot wait, too', () => {
  expect(migration(urgent())).toMatchObject({ action: { do: 'createBackup', release: { hash: 'v2' } } });
  expect(migration(urgent(pending))).toMatchObject({ kind: 'wait', condition: { reason: 'BackingUp' } });
  expect(migration(urgent(done))).toMatchObject({ action: { do: 'createMigrationJob' } });
  expect(migration(urgent(lost))).toMatchObject({
    action: { do: 'createIncident', record: { reason: 'BackupFailed' } },
    condition: { reason: 'BackupFailed' },
  });
  const gone = { ...migrated('v1', { contracted: [DROP.id] }), finishedAt: new Date(T0).toISOString() };
  expect(
    migration(
      urgent(undefined, { revisions: [revision('v1', 'released', { migration: gone }), revision('v2', 'pending')] }),
    ),
  ).toMatchObject({
    action: { do: 'createMigrationJob' },
  });
});

test('a new try makes a new one', () => {
  const rejected = { revisions: [revision('v1', 'released'), revision('v2', 'rejected')] };
  const again = app({ ...spec({ when: 'BeforeRollout' }), rollout: { retryToken: 'again' } });
  expect(admission(urgent(lost, { ...rejected, app: again }))).toMatchObject({
    action: { do: 'deleteJob', job: 'shop-backup' },
  });
});

test.each<[string, Snapshot['databaseSharedWith'] & object, string | undefined]>([
  ['has not agreed', [sharer([])], 'ContractNotAgreed'],
  ['has, and its release before still serves', [sharer([DROP.id], { isAtRest: false })], 'QueuedBehind'],
  ['has, and is at rest', [sharer([DROP.id])], undefined],
])('before a release, too, everybody on the database is waited for: who %s', (_sentence, others, reason) => {
  const decision = migration(urgent(undefined, { databaseSharedWith: others }));
  if (reason) expect(decision).toMatchObject({ kind: 'wait', condition: { type: 'Migrated', reason } });
  else expect(decision).toMatchObject({ action: { do: 'createBackup' } });
  // what is taken away after the bake holds up no release
  const later = urgent(undefined, { databaseSharedWith: others, app: app(spec()) });
  expect(migration(later)).toMatchObject({ action: { do: 'createMigrationJob' } });
});
