import { describe, expect, test } from '@jest/globals';
import { shownMigration } from '../../api/words.ts';
import type { Decision } from '../decision.ts';
import { decide } from '../plan.ts';
import type { JobVerdict, JobView, MigrationResult, Snapshot } from '../snapshot.ts';
import { app, at, deployment, job, migrated, revision, sharer, snapshot, T0, wanted } from '../testing.ts';
import { contraction } from './contraction.ts';

const DROP = { id: '20261128_drop', what: 'takes away column t.titulo' };
const OTHER = { id: '20261129_drop', what: 'takes away table u' };
const expanded: Partial<MigrationResult> = { result: 'Expanded', withheld: [DROP], contracted: [], database: 'db' };

/** v1 is stable and says that something waits. */
const settled = (change: Partial<Snapshot> = {}, result: Partial<MigrationResult> = {}): Snapshot =>
  snapshot({
    app: agreeing(DROP.id),
    wanted: wanted('v1'),
    revisions: [revision('v1', 'released', { migration: migrated('v1', { ...expanded, ...result }) })],
    ...change,
  });
const agreeing = (...allow: string[]) => app({ migrations: { contract: { allow } } });
const contractJob = (state: JobView['state']): JobView => ({ ...job(state, 'v1'), task: `contract ${DROP.id}` });
const says = (change: Partial<JobVerdict>): JobVerdict => ({
  result: 'up to date',
  applied: [],
  pending: [],
  ...change,
});
const ended = (verdict?: JobVerdict): JobView =>
  contractJob({ kind: 'succeeded', endedAt: T0, podRead: true, ...(verdict && { verdict }) });
const failed = (verdict?: JobVerdict, more = {}): JobView =>
  contractJob({
    kind: 'failed',
    endedAt: T0,
    podRead: true,
    detail: 'x',
    started: true,
    ...(verdict && { verdict }),
    ...more,
  });
const gone = says({ applied: [DROP.id], contracted: [DROP.id], withheld: [] });
const rotating = { record: { state: 'Draining', since: at(0), current: '1', to: '2' } as never };

test('nothing is taken away beside a Job that an earlier spec has begun: it ends first, or goes if it never began', () => {
  const beside = (state: JobView['state']) => contraction(settled({ jobs: [job(state, 'v2')] }));
  expect(beside({ kind: 'running' })).toMatchObject({ kind: 'wait', condition: { reason: 'Running' } });
  expect(beside({ kind: 'pending', detail: '' })).toMatchObject({ kind: 'act', action: { do: 'deleteJob' } });
});

test.each<[string, Snapshot]>([
  ['nothing waits', settled({}, { withheld: [] })],
  ['an image that cannot tell', settled({}, { withheld: undefined as never })],
  ['nobody has agreed', settled({ app: agreeing() })],
  ['what is agreed to is something else', settled({ app: agreeing('20251128_drop') })],
  ['the release is on trial', settled({ deployment: deployment({ phase: 'Baking', release: 'v1' }) })],
  ['another release is coming', settled({ wanted: wanted('v2') })],
  ['the spec cannot be read', settled({ wanted: { known: false, why: 'x' } })],
  [
    'it was not found good',
    settled({ revisions: [revision('v1', 'pending', { migration: migrated('v1', expanded) })] }),
  ],
  ['the resource is paused', settled({ app: app({ paused: true, migrations: { contract: { allow: [DROP.id] } } }) })],
  ['a key is being replaced', settled({ keys: [{ ...(settled().keys[0] as never as object), ...rotating } as never] })],
])('%s: nothing is taken away', (_sentence, seen) => {
  expect(contraction(seen)).toBeUndefined();
});

test.each<[string, Snapshot, Decision['kind'], string]>([
  ['agreed, stable: the Job', settled(), 'act', 'Contracting'],
  [
    'agreed before the release knows when',
    settled({ app: app({ migrations: { contract: { allow: [DROP.id], when: 'BeforeRollout' } } }) }),
    'act',
    'Contracting',
  ],
  ['somebody else migrates the database', settled({ databaseBusyWith: 'other' }), 'wait', 'QueuedBehind'],
  ['another resource has not agreed', settled({ databaseSharedWith: [sharer([])] }), 'proceed', 'ContractNotAgreed'],
  ['it has', settled({ databaseSharedWith: [sharer([DROP.id])] }), 'act', 'Contracting'],
  [
    'it has, and its release before still serves',
    settled({ databaseSharedWith: [sharer([DROP.id], { isAtRest: false })] }),
    'wait',
    'QueuedBehind',
  ],
  [
    'that came when it was done already',
    settled({ databaseSharedWith: [sharer([DROP.id], { isAtRest: false })], jobs: [ended(gone)] }),
    'act',
    'Contracted',
  ],
  ['the Job runs', settled({ jobs: [contractJob({ kind: 'running' })] }), 'wait', 'Contracting'],
  [
    'its pod cannot start',
    settled({ jobs: [contractJob({ kind: 'pending', detail: 'x' })], now: T0 + 120_000 }),
    'proceed',
    'PodCannotStart',
  ],
  ['it is done', settled({ jobs: [ended(gone)] }), 'act', 'Contracted'],
  [
    'it left out what it should take away',
    settled({ jobs: [ended(says({ result: 'expanded', withheld: [DROP] }))] }),
    'act',
    'ContractFailed',
  ],
  ['it says nothing', settled({ jobs: [ended()] }), 'act', 'ContractFailed'],
  ['it failed', settled({ jobs: [failed(says({ result: 'failed' }))] }), 'act', 'ContractFailed'],
  ['the database is down', settled({ jobs: [failed(says({ result: 'unreachable' }))] }), 'wait', 'DatabaseUnreachable'],
  [
    'its pod was evicted',
    settled({ jobs: [failed(undefined, { disrupted: true })], now: T0 + 15_000 }),
    'act',
    'Verifying',
  ],
])('%s', (_sentence, seen, kind, reason) => {
  expect(contraction(seen)).toMatchObject({ kind, condition: { type: 'Migrated', reason } });
});

const written = (decision: Decision | undefined): MigrationResult => {
  if (decision?.kind !== 'act' || decision.action.do !== 'annotateRevision') throw new Error('nothing is written down');
  return JSON.parse(decision.action.set['devshelf.dev/migration-result'] ?? '') as MigrationResult;
};

describe('a migration whose name is not shown', () => {
  const NAME = 'löscht_titulo';
  const UNSHOWN = { id: shownMigration(NAME), what: DROP.what };
  const agreed = (change: Partial<Snapshot> = {}): Snapshot =>
    settled({ app: agreeing(NAME), ...change }, { withheld: [UNSHOWN] });

  test('is agreed to by its name, which the Job gets', () => {
    expect(contraction(agreed())).toMatchObject({ action: { task: { direction: 'contract', ids: [NAME] } } });
  });

  test('is taken away, and remembered as it is shown', () => {
    const verdict = says({ applied: [UNSHOWN.id], contracted: [UNSHOWN.id], withheld: [] });
    const seen = agreed({ jobs: [{ ...ended(verdict), task: `contract ${NAME}` }] });
    expect(written(contraction(seen))).toMatchObject({ contracted: [UNSHOWN.id], withheld: [] });
  });

  test('that still waits after its Job has failed', () => {
    const verdict = says({ result: 'expanded', withheld: [UNSHOWN] });
    const seen = agreed({ jobs: [{ ...ended(verdict), task: `contract ${NAME}` }] });
    expect(contraction(seen)).toMatchObject({ condition: { reason: 'ContractFailed' } });
  });
});

test('what was taken away waits no more, and is remembered with its time', () => {
  const two = { withheld: [DROP, OTHER], applied: ['20261127_add'] };
  const left = says({ ...gone, result: 'expanded', withheld: [OTHER] });
  expect(written(contraction(settled({ jobs: [ended(left)] }, two)))).toMatchObject({
    ...{ id: 'm1', result: 'Expanded', withheld: [OTHER], contracted: [DROP.id], applied: ['20261127_add'] },
    contractedAt: at(0),
    finishedAt: at(0),
  });
});

test('what a Job took away whose verdict was lost is remembered, too', () => {
  expect(written(contraction(settled({ jobs: [ended(says({ contracted: [], withheld: [] }))] })))).toMatchObject({
    ...{ result: 'UpToDate', withheld: [], contracted: [DROP.id], contractedAt: at(0) },
  });
});

test('what failed is tried again when something is changed by a person, and not before', () => {
  const { failure } = written(contraction(settled({ jobs: [failed(says({ result: 'failed' }))] })));
  expect(failure).toMatchObject({ reason: 'ContractFailed', ids: [DROP.id] });
  const after = (change: Partial<Snapshot>) => contraction(settled(change, { failure: failure as never }));
  expect(after({})).toMatchObject({ kind: 'proceed', condition: { status: 'False', reason: 'ContractFailed' } });
  const token = app({ rollout: { retryToken: 'again' }, migrations: { contract: { allow: [DROP.id] } } });
  expect(after({ app: token, jobs: [failed()] })).toMatchObject({ action: { do: 'deleteJob' } });
  expect(after({ app: token })).toMatchObject({ action: { do: 'createSchemaJob' } });
});

test('what becomes of old columns does not decide about Ready', () => {
  const keys = [{ name: 'api', keyring: 'k', keyringPresent: true, clientPresent: true }] as never;
  const failure = { reason: 'ContractFailed', ids: [DROP.id], message: 'no', at: at(0) } as const;
  const { conditions, action } = decide(settled({ keys }, { failure }));
  expect(conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }));
  expect(conditions).toContainEqual(expect.objectContaining({ type: 'Migrated', reason: 'ContractFailed' }));
  expect(action).toBeUndefined();
  expect(decide(settled({ keys })).action).toMatchObject({ do: 'createSchemaJob', task: { direction: 'contract' } });
});
