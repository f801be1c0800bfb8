import { expect, test } from '@jest/globals';
import type { Decision } from './decision.ts';
import { migration } from './migration.ts';
import type { JobVerdict, JobView, Snapshot } from './snapshot.ts';
import { app, job, migrated, revision, snapshot, T0, wanted } from './testing.ts';

const upToDate: JobVerdict = { result: 'up to date', applied: ['20260301_cart'], pending: [] };
const says = (result: string): JobVerdict => ({ result, applied: [], pending: ['20260301_cart'], message: result });
const succeeded = (verdict?: JobVerdict, podRead = true): JobView =>
  job({ kind: 'succeeded', endedAt: T0, podRead, ...(verdict && { verdict }) });
const failed = (verdict?: JobVerdict, detail = 'BackoffLimitExceeded', started = true, podRead = true): JobView =>
  job({ kind: 'failed', endedAt: T0, podRead, detail, started, ...(verdict && { verdict }) });
const done = (change = {}) => [
  revision('v1', 'released'),
  revision('v2', 'pending', { migration: migrated('v2', change) }),
];

test.each<[string, Partial<Snapshot>, Decision['kind'], string]>([
  [
    'migrations are somebody else’s',
    { app: app({ migrations: { policy: 'Disabled' } }) },
    'proceed',
    'MigrationsDisabled',
  ],
  ['the wanted release serves already', { wanted: wanted('v1') }, 'proceed', 'UpToDate'],
  ['the release is not written down yet', { revisions: [] }, 'wait', 'Starting'],
  ['no Job yet', {}, 'act', 'Starting'],
  ['another resource migrates this database', { databaseBusyWith: 'prod/other' }, 'wait', 'QueuedBehind'],
  ['a Job of an earlier spec runs: it ends first', { jobs: [job({ kind: 'running' }, 'v9')] }, 'wait', 'Running'],
  [
    'a Job of an earlier spec never started: it goes',
    { jobs: [job({ kind: 'pending', detail: 'ImagePullBackOff' }, 'v9')] },
    'act',
    'Starting',
  ],
  ['a Job of an earlier spec has ended', { jobs: [{ ...succeeded(), migrationId: 'm9' }] }, 'act', 'Starting'],
  ['the pod is starting', { jobs: [job({ kind: 'pending', detail: '' })], now: T0 + 119_999 }, 'wait', 'PodStarting'],
  [
    'the image cannot be pulled',
    { jobs: [job({ kind: 'pending', detail: 'ImagePullBackOff' })], now: T0 + 120_000 },
    'fail',
    'PodCannotStart',
  ],
  ['the Job runs', { jobs: [job({ kind: 'running' })] }, 'wait', 'Running'],
  ['the Job says that nothing is left', { jobs: [succeeded(upToDate)] }, 'act', 'Verifying'],
  ['it exits with 0 and leaves something', { jobs: [succeeded(says('pending'))] }, 'act', 'FalseSuccess'],
  ['it exits with 0 and says nothing', { jobs: [succeeded()] }, 'act', 'FalseSuccess'],
  ['its pod was not seen to end yet', { jobs: [succeeded(undefined, false)], now: T0 + 9_999 }, 'wait', 'Verifying'],
  [
    'its pod went with the verdict: asked again',
    { jobs: [succeeded(undefined, false)], now: T0 + 10_000 },
    'act',
    'Verifying',
  ],
  [
    'a foreign command gives no verdict',
    { jobs: [succeeded()], app: app({ migrations: { command: ['alembic', 'upgrade', 'head'] } }) },
    'act',
    'Verifying',
  ],
  [
    'the database is down: asked again later',
    { jobs: [failed(says('unreachable'))], now: T0 + 14_999 },
    'wait',
    'DatabaseUnreachable',
  ],
  ['later is now', { jobs: [failed(says('unreachable'))], now: T0 + 15_000 }, 'act', 'DatabaseUnreachable'],
  ['somebody holds the lock', { jobs: [failed(says('locked'))] }, 'wait', 'DatabaseUnreachable'],
  ['the end of a failed pod was not seen yet', { jobs: [failed(undefined, '', true, false)] }, 'wait', 'Verifying'],
  [
    'the pod never ran: it may start once what is missing is there',
    { jobs: [failed(undefined, 'x', false)] },
    'act',
    'PodCannotStart',
  ],
  ['a migration failed', { jobs: [failed(says('failed'))] }, 'act', 'JobFailed'],
  ['it ended without a word', { jobs: [failed()] }, 'act', 'JobFailed'],
  ['it took too long', { jobs: [failed(undefined, 'DeadlineExceeded: …')] }, 'act', 'DeadlineExceeded'],
  ['an earlier run was interrupted', { jobs: [failed(says('interrupted'))] }, 'act', 'MigrationInterrupted'],
  ['a migration was edited since', { jobs: [failed(says('edited'))] }, 'act', 'MigrationEdited'],
  ['the verdict is written down', { revisions: done() }, 'proceed', 'UpToDate'],
  ['a verdict that is written down needs no Job', { revisions: done(), jobs: [] }, 'proceed', 'UpToDate'],
  ['only the exit code is known', { revisions: done({ result: 'ExitCodeOnly' }) }, 'proceed', 'ExitCodeOnly'],
  ['Manual waits for a person', { app: app({ migrations: { policy: 'Manual' } }) }, 'fail', 'MigrationPending'],
  [
    'Manual and asked for',
    { app: app({ migrations: { policy: 'Manual' } }, { annotations: { 'devshelf.dev/migrate': 'm2' } }) },
    'act',
    'Starting',
  ],
  [
    'asked for another migration',
    { app: app({ migrations: { policy: 'Manual' } }, { annotations: { 'devshelf.dev/migrate': 'm1' } }) },
    'fail',
    'MigrationPending',
  ],
])('%s', (_sentence, change, kind, reason) => {
  expect(migration(snapshot(change))).toMatchObject({ kind, condition: { type: 'Migrated', reason } });
});

const actionOf = (change: Partial<Snapshot>) => {
  const decision = migration(snapshot(change));
  return decision.kind === 'act' ? decision.action : undefined;
};

test('the Job is named by what it does', () => {
  expect(actionOf({})).toMatchObject({ do: 'createMigrationJob', migrationId: 'm2', release: { hash: 'v2' } });
});

test('the verdict is written down with the release', () => {
  const action = actionOf({ jobs: [succeeded(upToDate)] });
  if (action?.do !== 'annotateRevision') throw new Error('nothing is written down');
  expect(JSON.parse(action.set['devshelf.dev/migration-result'] ?? '')).toEqual({
    ...{ id: 'm2', jobName: 'shop-migrate-m2', result: 'UpToDate', applied: ['20260301_cart'] },
    finishedAt: new Date(T0).toISOString(),
  });
});

test('a failed migration refuses the release', () => {
  const action = actionOf({ jobs: [failed(says('failed'))] });
  if (action?.do !== 'annotateRevision') throw new Error('nothing is written down');
  expect(JSON.parse(action.set['devshelf.dev/verdict'] ?? '')).toMatchObject({
    verdict: 'rejected',
    reason: 'JobFailed',
  });
});

test('a database that is down never refuses the release', () => {
  expect(actionOf({ jobs: [failed(says('unreachable'))], now: T0 + 60_000 })).toMatchObject({ do: 'deleteJob' });
});
