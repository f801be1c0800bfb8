import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import type { Decision } from '../decision.ts';
import { type JobVerdict, type JobView, RESULTS, type Revision, type Snapshot } from '../snapshot.ts';
import { app, at, incident, job, migrated, release, revision, sharer, snapshot, T0, wanted } from '../testing.ts';
import { migration } from './migration.ts';

const upToDate: JobVerdict = { result: 'up to date', applied: ['20260301_cart'], pending: [] };
const says = (result: JobVerdict['result']): JobVerdict => ({ result, applied: [], pending: ['20260301_cart'] });
const succeeded = (verdict?: JobVerdict, podRead = true): JobView =>
  job({ kind: 'succeeded', endedAt: T0, podRead, ...(verdict && { verdict }) });
const failed = (verdict?: JobVerdict, detail = 'BackoffLimitExceeded', started = true, podRead = true): JobView =>
  job({ kind: 'failed', endedAt: T0, podRead, detail, started, ...(verdict && { verdict }) });
const disrupted = job({ kind: 'failed', endedAt: T0, podRead: true, detail: 'x', started: true, disrupted: true });
const WITHHELD = [{ id: '20261128_drop', what: 'takes away column t.titulo' }];
const ALEMBIC = { command: ['alembic', 'upgrade', 'head'], verifyCommand: ['alembic', 'current', '--check-heads'] };
const MANUAL = app({ migrations: { policy: 'Manual' } });
const statusJob = (state: JobView['state']): JobView => ({ ...job(state), migrationId: 's2', task: 'status' });
const PENDING: JobView['state'] = {
  ...{ kind: 'failed', endedAt: T0, podRead: true, detail: 'exit code 1', started: true },
  verdict: { result: 'pending', applied: [], pending: ['20260301_cart', '20261128_drop'], withheld: WITHHELD },
};
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
  [
    'the same of a database that takes no writes now',
    { jobs: [failed(says('readonly'))], now: T0 + 15_000 },
    'act',
    'DatabaseUnreachable',
  ],
  ['somebody holds the lock', { jobs: [failed(says('locked'))] }, 'wait', 'DatabaseUnreachable'],
  ['the end of a failed pod was not seen yet', { jobs: [failed(undefined, '', true, false)] }, 'wait', 'Verifying'],
  [
    'the pod never ran: it may start once what is missing is there',
    { jobs: [failed(undefined, 'x', false)], now: T0 + 15_000 },
    'act',
    'PodCannotStart',
  ],
  ['not at once, again and again', { jobs: [failed(undefined, 'x', false)] }, 'wait', 'PodCannotStart'],
  [
    'told to stop, it goes on in another Job',
    { jobs: [failed(says('stopped'))], now: T0 + 15_000 },
    'act',
    'DatabaseUnreachable',
  ],
  ['stopped at its deadline', { jobs: [failed(says('stopped'), 'DeadlineExceeded: …')] }, 'act', 'DeadlineExceeded'],
  ['evicted: asked again', { jobs: [disrupted], now: T0 + 15_000 }, 'act', 'Verifying'],
  [
    'removed by force: asked again',
    { jobs: [failed(undefined, 'x', true, false)], now: T0 + 15_000 },
    'act',
    'Verifying',
  ],
  ['the password is wrong', { jobs: [failed(says('refused'))] }, 'fail', 'DatabaseRefused'],
  ['the Secret has changed since', { jobs: [{ ...failed(says('refused')), release: 'v9' }] }, 'act', 'DatabaseRefused'],
  [
    'what takes something away was left out',
    { jobs: [succeeded({ ...upToDate, result: 'expanded', withheld: WITHHELD })] },
    'act',
    'Verifying',
  ],
  [
    'it waits for agreement',
    { revisions: done({ result: 'Expanded', withheld: WITHHELD }) },
    'proceed',
    'ContractWithheld',
  ],
  ['its schema was lost in part since', { revisions: done({ contractedAt: at(0) }) }, 'act', 'Starting'],
  [
    'a Job from before that',
    { revisions: done({ contractedAt: at(1) }), jobs: [succeeded(upToDate)] },
    'act',
    'Verifying',
  ],
  [
    'another resource took something away since',
    { revisions: done(), databaseSharedWith: [sharer([], { contracts: [{ ids: ['x'], at: at(0) }] })] },
    'act',
    'Starting',
  ],
  [
    'the image does not know of what another resource took away',
    {
      revisions: done({ ahead: ['x'] }),
      databaseSharedWith: [sharer([], { contracts: [{ ids: ['x'], at: at(-90) }] })],
    },
    'fail',
    'BehindContract',
  ],
  ['only a part is done', { revisions: done({ result: 'Partial' }) }, 'act', 'Starting'],
  ['a second command has asked', { revisions: done({ result: 'Verified' }) }, 'proceed', 'Verified'],
  [
    'the second command says no',
    { jobs: [failed(undefined, 'BackoffLimitExceeded; exit code 255')], app: app({ migrations: ALEMBIC }) },
    'act',
    'FalseSuccess',
  ],
  [
    'the first of the two failed',
    { jobs: [failed(undefined, 'x; init container migrate: exit code 1')], app: app({ migrations: ALEMBIC }) },
    'act',
    'JobFailed',
  ],
  ['a migration failed', { jobs: [failed(says('failed'))] }, 'act', 'JobFailed'],
  ['it ended without a word', { jobs: [failed()] }, 'act', 'JobFailed'],
  ['it took too long', { jobs: [failed(undefined, 'DeadlineExceeded: …')] }, 'act', 'DeadlineExceeded'],
  ['an earlier run was interrupted', { jobs: [failed(says('interrupted'))] }, 'act', 'MigrationInterrupted'],
  ['a migration was edited since', { jobs: [failed(says('edited'))] }, 'act', 'MigrationEdited'],
  ['the verdict is written down', { revisions: done() }, 'proceed', 'UpToDate'],
  ['a verdict that is written down needs no Job', { revisions: done(), jobs: [] }, 'proceed', 'UpToDate'],
  ['only the exit code is known', { revisions: done({ result: 'ExitCodeOnly' }) }, 'proceed', 'ExitCodeOnly'],
  ['Manual: first it is asked what is pending', { app: MANUAL }, 'act', 'MigrationPending'],
  [
    'that takes a moment',
    { app: MANUAL, jobs: [statusJob({ kind: 'pending', detail: '' })] },
    'wait',
    'MigrationPending',
  ],
  ['it is known: a person is waited for', { app: MANUAL, jobs: [statusJob(PENDING)] }, 'fail', 'MigrationPending'],
  [
    'a command of somebody else cannot be asked',
    { app: app({ migrations: { policy: 'Manual', command: ['x'] } }) },
    'fail',
    'MigrationPending',
  ],
  [
    'Manual and asked for',
    { app: app({ migrations: { policy: 'Manual' } }, { annotations: { 'devshelf.dev/migrate': 'm2' } }) },
    'act',
    'Starting',
  ],
  [
    'asked for another migration',
    {
      app: app({ migrations: { policy: 'Manual' } }, { annotations: { 'devshelf.dev/migrate': 'm1' } }),
      jobs: [statusJob(PENDING)],
    },
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
    ...{ id: 'm2', jobName: 'shop-migrate-m2', database: 'db', result: 'UpToDate', applied: ['20260301_cart'] },
    finishedAt: new Date(T0).toISOString(),
    phaseSince: at(-600),
  });
});

describe('a release that was left, and is asked for again', () => {
  // v1 serves again since at(-600); v2 was released before that
  const told = (change = {}) => migrated('v2', { phaseSince: at(-6000), applied: ['2_add'], ...change });
  const before = (change = {}) => migrated('v1', { finishedAt: at(-9000), ...change });
  const left = (change: Partial<Revision> = {}, ofV1 = {}): Partial<Snapshot> => ({
    revisions: [
      revision('v1', 'released', { migration: before(ofV1) }),
      revision('v2', 'released', { migration: told(), ...change }),
    ],
  });
  const asked = succeeded(upToDate);
  const ofImage2 = { ...release('v5'), migrationId: 'm2' };
  const otherOfItsImage: Partial<Snapshot> = {
    wanted: { known: true, readAt: T0, value: { release: ofImage2, databaseIdentity: 'db' } },
    revisions: [
      ...(left({ verdict: revision('v2', 'rejected').verdict }).revisions ?? []),
      revision('v5', 'pending', { release: ofImage2 }),
    ],
  };

  test.each<[string, Partial<Snapshot>, string]>([
    ['the database is asked anew', left(), 'Starting'],
    [
      'its Job of that time says nothing new',
      { ...left({ migration: told({ finishedAt: at(0) }) }), jobs: [asked] },
      'Verifying',
    ],
    ['what the new one says is written down', { ...left(), jobs: [asked] }, 'Verifying'],
    ['once', left({ migration: told({ phaseSince: at(-600), finishedAt: at(0) }) }), 'UpToDate'],
    ['so it is for another release of its image, though it was rejected', otherOfItsImage, 'Starting'],
    ['not for what is tried for the first time', left({ verdict: revision('v2', 'pending').verdict }), 'UpToDate'],
    ['what an earlier version of the operator wrote', left({ migration: migrated('v2') }), 'Starting'],
    [
      'the one that serves was asked later, and does not know of it',
      left({}, { finishedAt: at(-30), ahead: ['2_add'] }),
      'Starting',
    ],
    ['nobody is asked on the way back', left({}, { finishedAt: at(-30) }), 'UpToDate'],
    [
      'nor if it was asked later for what went since',
      left({ migration: told({ ahead: ['3_add'] }) }, { applied: ['3_add'] }),
      'UpToDate',
    ],
  ])('%s', (_sentence, change, reason) => {
    expect(migration(snapshot(change)).condition).toMatchObject({ reason });
  });

  test('only the Job of that time is removed', () => {
    expect(actionOf({ ...left({ migration: told({ finishedAt: at(0) }) }), jobs: [asked] })?.do).toBe('deleteJob');
    expect(actionOf({ ...left(), jobs: [asked] })?.do).toBe('annotateRevision');
  });
});

test('a failed migration refuses the release', () => {
  const first = actionOf({ jobs: [failed(says('failed'))] });
  expect(first).toMatchObject({ do: 'createIncident', record: { phase: 'Migration', reason: 'JobFailed', at: at(0) } });
  // killed in between: the verdict is as old as the incident
  const incidents = [incident('v2', at(-3), { reason: 'JobFailed' })];
  const action = actionOf({ jobs: [failed(says('failed'))], incidents });
  if (action?.do !== 'annotateRevision') throw new Error('nothing is written down');
  expect(JSON.parse(action.set['devshelf.dev/verdict'] ?? '')).toMatchObject({
    ...{ verdict: 'rejected', reason: 'JobFailed', at: at(-3) },
  });
});

test('a database that is down never refuses the release', () => {
  expect(actionOf({ jobs: [failed(says('unreachable'))], now: T0 + 60_000 })).toMatchObject({ do: 'deleteJob' });
});

test.each<[JobVerdict, string]>([
  [says('unreachable'), 'the database does not answer; tried again until it does'],
  [says('readonly'), 'the database takes no writes now; tried again until it does'],
  [says('locked'), 'somebody holds a lock in the database; tried again until it is free'],
  [says('stopped'), 'the Job was told to stop; another one goes on'],
])('what passes by itself is told apart, and where its words are: %j', (verdict, words) => {
  const { message } = migration(snapshot({ jobs: [failed(verdict)] })).condition;
  expect(message).toBe(`${words}; kubectl logs job/shop-migrate-m2 has its words`);
});

test('a failed migration is named, and where its words are', () => {
  const verdict: JobVerdict = { ...says('failed'), about: ['20260301_cart'] };
  expect(migration(snapshot({ jobs: [failed(verdict)] })).condition.message).toBe(
    'Job shop-migrate-m2 says "failed" (20260301_cart); kubectl logs job/shop-migrate-m2 has its words',
  );
});

test('what migrate may say is what is believed', () => {
  const source = readFileSync(new URL('../../../../services/common/migrate/verdict.ts', import.meta.url), 'utf8');
  const codes = /EXIT_CODES = \{([^}]*)\}/.exec(source)?.[1] ?? '';
  expect([...codes.matchAll(/([a-z][a-z ]*[a-z])'?:/g)].map(([, result]) => result)).toEqual(RESULTS);
});

test('what a failed Job had done before is written down with the refusal', () => {
  const verdict = { ...says('failed'), applied: ['a'], contracted: ['a'], withheld: [] };
  const action = actionOf({ jobs: [failed(verdict)], incidents: [incident('v2', at(0))] });
  if (action?.do !== 'annotateRevision') throw new Error('nothing is written down');
  expect(JSON.parse(action.set['devshelf.dev/migration-result'] ?? '')).toMatchObject({
    ...{ result: 'Partial', applied: ['a'], contracted: ['a'] },
  });
});

test('so is what one did that is asked again, and the next adds to it', () => {
  const verdict = { ...says('locked'), applied: ['a'], contracted: [], withheld: [] };
  const first = actionOf({ jobs: [failed(verdict)] });
  if (first?.do !== 'annotateRevision') throw new Error('nothing is written down');
  const partial = JSON.parse(first.set['devshelf.dev/migration-result'] ?? '');
  expect(partial).toMatchObject({ result: 'Partial', applied: ['a'] });
  const revisions = done(partial);
  expect(actionOf({ revisions, jobs: [failed(verdict)], now: T0 + 15_000 })).toMatchObject({ do: 'deleteJob' });
  const last = actionOf({ revisions, jobs: [succeeded({ ...upToDate, applied: ['b'], withheld: [] })] });
  if (last?.do !== 'annotateRevision') throw new Error('nothing is written down');
  expect(JSON.parse(last.set['devshelf.dev/migration-result'] ?? '')).toMatchObject({
    ...{ result: 'UpToDate', applied: ['a', 'b'] },
  });
});

test('who waits, and for what, is said', () => {
  const words = migration(snapshot({ revisions: done({ result: 'Expanded', withheld: WITHHELD }) })).condition.message;
  expect(words).toBe(
    '1 migration waits for agreement: 20261128_drop (takes away column t.titulo): add it to spec.migrations.contract.allow',
  );
  const agreed = app({ migrations: { contract: { allow: ['20261128_drop'] } } });
  const revisions = done({ result: 'Expanded', withheld: WITHHELD });
  expect(migration(snapshot({ app: agreed, revisions })).condition).toMatchObject({
    reason: 'ContractWithheld',
    message: 'agreed to, applied after the bake: 20261128_drop (takes away column t.titulo)',
  });
});

test('a person is told what would run, and what would not', () => {
  const words = migration(snapshot({ app: MANUAL, jobs: [statusJob(PENDING)] })).condition.message;
  expect(words).toBe(
    'the policy is Manual; 1 pending: 20260301_cart; not in it without agreement: 20261128_drop (takes away column t.titulo): annotate the resource with devshelf.dev/migrate=m2 to let the Job run',
  );
});

test('what a Job took away whose verdict was lost is remembered, if it was agreed to and is not left', () => {
  const allow = ['20261128_drop', '20261129_drop', '20261130_drop', '20261201_drop'];
  const urgent = app({ migrations: { contract: { allow, when: 'BeforeRollout' } } });
  const revisions = [
    revision('v1', 'released', { migration: migrated('v1', { contracted: ['20261129_drop'] }) }),
    revision('v2', 'pending'),
  ];
  const verdict = { ...upToDate, applied: [], contracted: [], withheld: [], ahead: ['20261130_drop'] };
  const left = [{ id: '20261201_drop', what: 'x' }];
  const contractedBy = (change: Partial<Snapshot>) => {
    const action = actionOf({ revisions, ...change });
    if (action?.do !== 'annotateRevision') throw new Error('nothing is written down');
    return JSON.parse(action.set['devshelf.dev/migration-result'] ?? '');
  };
  const jobs = [succeeded({ ...verdict, result: 'expanded', withheld: left })];
  expect(contractedBy({ app: urgent, jobs })).toMatchObject({ contracted: ['20261128_drop'], contractedAt: at(0) });
  expect(contractedBy({ jobs: [succeeded(verdict)] })).toMatchObject({ contracted: [] });
});

test('what failed for another release is asked once for this one, after what it did is written down', () => {
  const verdict = { ...says('failed'), applied: ['a'], contracted: [], withheld: [] };
  const jobs = [{ ...failed(verdict), release: 'v9' }];
  const first = actionOf({ jobs });
  if (first?.do !== 'annotateRevision') throw new Error('nothing is written down');
  expect(Object.keys(first.set)).toEqual(['devshelf.dev/migration-result']);
  const revisions = done(JSON.parse(first.set['devshelf.dev/migration-result'] ?? ''));
  expect(actionOf({ revisions, jobs })).toMatchObject({ do: 'deleteJob' });
  expect(actionOf({ jobs: [{ ...failed(says('failed')), release: 'v9' }] })).toMatchObject({ do: 'deleteJob' });
});

describe('what is gone is known', () => {
  const DROP = '20261128_drop';
  const taking: JobVerdict = { result: 'up to date', applied: [DROP], pending: [], withheld: [], contracted: [DROP] };
  const written = (seen: Snapshot): unknown => {
    const decision = migration(seen);
    const action = decision.kind === 'act' && decision.action.do === 'annotateRevision' ? decision.action : undefined;
    return action && [action.revision, JSON.parse(action.set['devshelf.dev/migration-result'] ?? '')];
  };
  const earlier = (verdict: JobVerdict): JobView => ({
    ...job({ kind: 'succeeded', endedAt: T0, podRead: true, verdict }, 'v9'),
    ...{ name: 'shop-migrate-m9', migrationId: 'm9', database: 'db9' },
  });
  const replaced = (change: Partial<Revision> = {}) => [
    revision('v1', 'released'),
    revision('v2', 'pending'),
    revision('v9', 'superseded', change),
  ];

  test('by the Job of a release that a newer spec has replaced, with the database that it was', () => {
    const seen = snapshot({ jobs: [earlier(taking)], revisions: replaced() });
    const result = { id: 'm9', jobName: 'shop-migrate-m9', database: 'db9', contracted: [DROP], contractedAt: at(0) };
    expect(written(seen)).toEqual([expect.stringContaining('v9'), expect.objectContaining(result)]);
  });

  test('also when the spec is again what serves', () => {
    const seen = snapshot({ wanted: wanted('v1'), jobs: [earlier(taking)], revisions: replaced() });
    expect(written(seen)).toEqual([expect.stringContaining('v9'), expect.objectContaining({ contracted: [DROP] })]);
  });

  test('once', () => {
    const revisions = replaced({ migration: migrated('v9', { id: 'm9', contracted: [DROP] }) });
    expect(written(snapshot({ jobs: [earlier(taking)], revisions }))).toBeUndefined();
  });

  test.each<[string, JobVerdict, object]>([
    [
      'still, when the same release is migrated once more and its Job finds nothing to do',
      { ...upToDate, applied: [], withheld: [], contracted: [] },
      { contracted: [DROP], contractedAt: at(-60) },
    ],
    [
      'no more, when somebody has put it back',
      { ...upToDate, result: 'expanded', withheld: [{ id: DROP, what: 'takes away column t.titulo' }], contracted: [] },
      { contracted: [] },
    ],
  ])('%s', (_sentence, verdict, expected) => {
    const before = migrated('v2', {
      ...{ contracted: [DROP], contractedAt: at(-60), finishedAt: at(-60), phaseSince: at(-90) },
    });
    const revisions = [revision('v1', 'released'), revision('v2', 'superseded', { migration: before })];
    expect(written(snapshot({ jobs: [succeeded(verdict)], revisions }))).toEqual([
      expect.stringContaining('v2'),
      expect.objectContaining(expected),
    ]);
  });
});
