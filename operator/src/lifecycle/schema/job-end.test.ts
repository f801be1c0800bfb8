// The table of the runbook, row by row.
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import type { JobVerdict, JobView } from '../snapshot.ts';
import { app, job, snapshot, T0 } from '../testing.ts';
import { endOf, type JobEnd } from './job-end.ts';

type State = JobView['state'];
/** Of a Job, of our runner unless it says otherwise; what was said of it before. */
interface Case {
  readonly state: State;
  readonly foreign?: true;
  readonly before?: string;
}

const says = (result: JobVerdict['result']): JobVerdict => ({ result, applied: [], pending: [] });
const exits0 = (result?: JobVerdict['result']): Case => ({
  state: { kind: 'succeeded', endedAt: T0, podRead: true, ...(result && { verdict: says(result) }) },
});
const fails = (change: Partial<Extract<State, { kind: 'failed' }>> = {}, more: Omit<Case, 'state'> = {}): Case => ({
  state: {
    ...{ kind: 'failed', endedAt: T0, podRead: true, detail: 'BackoffLimitExceeded; exit code 1', started: true },
    ...change,
  },
  ...more,
});
const ends = (result: JobVerdict['result']): Case => fails({ verdict: says(result) });
const LATE = { detail: 'DeadlineExceeded: too long' };
const GONE = { podRead: false };

const CHART: Readonly<Record<string, { readonly means: JobEnd['means']; readonly cases: readonly Case[] }>> = {
  'exit 0, and the verdict says `up to date` or `expanded`': {
    means: 'said',
    cases: [exits0('up to date'), exits0('expanded')],
  },
  // the stage refuses what was not said: migration.test.ts
  'exit 0 with another verdict, or none from `migrate`': { means: 'said', cases: [exits0('pending'), exits0()] },
  'exit 0 of a command of your own': {
    means: 'said',
    cases: [
      { ...exits0(), foreign: true },
      { state: { kind: 'succeeded', endedAt: T0, ...GONE }, foreign: true },
    ],
  },
  '`unreachable`, `readonly`, `locked`, `stopped`': {
    means: 'again',
    cases: [ends('unreachable'), ends('readonly'), ends('locked'), ends('stopped')],
  },
  '`refused`: password, user, TLS': { means: 'refused', cases: [ends('refused')] },
  '`failed`, `edited`, `interrupted`, out of memory, any other exit': {
    means: 'failed',
    cases: [
      ...[ends('failed'), ends('edited'), ends('interrupted'), ends('misused'), fails()],
      ...[fails({ detail: 'OOMKilled' }), fails({}, { foreign: true })],
    ],
  },
  'longer than `activeDeadlineSeconds`, and the verdict says `up to date` or `expanded`': {
    means: 'said',
    cases: [fails({ ...LATE, verdict: says('up to date') }), fails({ ...LATE, verdict: says('expanded') })],
  },
  'longer than `activeDeadlineSeconds`': {
    means: 'failed',
    cases: [
      ...[fails(LATE), fails({ ...LATE, verdict: says('stopped') }), fails({ ...LATE, ...GONE })],
      fails({ ...LATE, disrupted: true }),
      fails({ ...LATE, ...GONE }, { before: 'Running' }),
    ],
  },
  'its pod was evicted or preempted, its node went away': { means: 'again', cases: [fails({ disrupted: true })] },
  'its pod was deleted, by force or not': {
    means: 'again',
    cases: [fails({ disrupted: true }, { foreign: true }), fails(GONE), fails(GONE, { foreign: true })],
  },
  'its pod never started, or an init container that others put into it failed': {
    means: 'again',
    cases: [
      ...[fails({ started: false }), fails({ started: false, detail: 'x; init container proxy: exit code 2' })],
      fails({ ...LATE, started: false }),
      fails({ ...LATE, ...GONE }, { before: 'PodStarting' }),
      fails({ ...LATE, ...GONE }, { before: 'PodCannotStart' }),
    ],
  },
};

function meaningOf({ state, foreign, before }: Case): JobEnd {
  const status = { observedGeneration: 3, conditions: [{ type: 'Migrated', status: 'False', reason: before }] };
  const known = before === undefined ? app() : { ...app(), status: status as never };
  return endOf(snapshot({ app: known, now: T0 + 15_000 }), job(state), foreign === undefined);
}

const rows = Object.entries(CHART).flatMap(([row, { means, cases }]) =>
  cases.map((one, index) => [row, index, means, one] as const),
);
test.each(rows)('%s (%i) means: %s', (_row, _index, means, one) => {
  expect(meaningOf(one)).toMatchObject({ means });
});

test('what is to be verified, and was not in time, is not believed', () => {
  const verified = app({ migrations: { command: ['migrate'], verifyCommand: ['verify'] } });
  const { state } = fails({ ...LATE, verdict: says('up to date') });
  expect(endOf(snapshot({ app: verified, now: T0 + 15_000 }), job(state), true)).toMatchObject({
    means: 'failed',
    reason: 'DeadlineExceeded',
  });
});

test('a Job that never started is told so, and one that was disturbed', () => {
  const last = (row: string) => CHART[row]?.cases.map(one => meaningOf(one)) ?? [];
  for (const end of last('its pod never started, or an init container that others put into it failed'))
    expect(end).toMatchObject({ reason: 'PodCannotStart', waitMs: 0 });
  for (const end of last('its pod was deleted, by force or not')) expect(end).toMatchObject({ reason: 'Verifying' });
});

test('what was said of a Job that is failing stands until it has ended', () => {
  const ending: State = { kind: 'running', ending: true };
  expect(meaningOf({ state: ending, before: 'PodCannotStart' })).toMatchObject({
    means: 'wait',
    reason: 'PodStarting',
  });
  expect(meaningOf({ state: ending, before: 'Running' })).toMatchObject({ means: 'wait', reason: 'Running' });
});

/** The left cells of the table under this heading. */
function cellsIn(page: string, heading: string): string[] {
  const text = readFileSync(new URL(`../../../../docs/${page}`, import.meta.url), 'utf8');
  const [, table = ''] = text.slice(text.indexOf(heading)).split('|---|---|\n');
  const lines = table.slice(0, table.indexOf('\n\n')).split('\n');
  return lines.map(line => line.slice(2, line.indexOf(' | ')));
}

test('the runbook has these rows, in both languages', () => {
  const rows = Object.keys(CHART);
  expect(cellsIn('runbook.md', '### How a migration Job may end')).toEqual(rows);
  const spanish = cellsIn('es/runbook.md', '### Cómo puede terminar el Job de una migración');
  expect(spanish).toHaveLength(rows.length);
});
