// The operator's own notes, each with every field that it may have, and such as are nearly so: what others may make of
// them. SEED=… of a test repeats a run.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { INCIDENT_SCHEMA, type IncidentRecord, type Refusal, type Requester } from '../api/incident.ts';
import { type Notes, noteIn, readNote } from '../api/notes.ts';
import { formatRecord, parseRecord, type RolloutRecord } from '../api/rollout.ts';
import { formatRotation, parseRotation, type RotationRecord } from '../api/rotation.ts';
import { ANNOTATIONS } from '../objects/names.ts';
import type { Action } from './decision.ts';
import type { Downgrade, Gone, MigrationResult, PutBack, Revision, Scraped } from './snapshot.ts';

/** With all that may be left out. */
type Whole<T> = T extends readonly (infer One)[]
  ? readonly Whole<One>[]
  : T extends object
    ? { readonly [Name in keyof T]-?: Whole<Exclude<T[Name], undefined>> }
    : T;

/** What the operator takes each note for. */
type Meant = {
  readonly rollout: RolloutRecord;
  readonly rotation: RotationRecord;
  readonly verdict: Revision['verdict'];
  readonly migration: MigrationResult;
  readonly downgrade: Downgrade;
  readonly gone: Gone;
  readonly rehearsal: NonNullable<Revision['rehearsal']>;
  readonly served: NonNullable<Revision['served']>;
  readonly firstMetrics: { readonly scraped: Scraped };
  readonly requestedBy: Requester;
  readonly refusal: Refusal;
  readonly putBack: PutBack;
  readonly incident: IncidentRecord;
};

export const AT = '2026-03-01T12:00:00.000Z';
/** Of releases. */
export const [EARLIER, LATER] = ['v1', 'v2'];

const group = { requests: 10, errors: 1, shed: 1, slow: 2, pods: 1, restarts: 1, p95Ms: 4.5 };
const counted = { requests: 10, errors: 1 };
const routes = [{ route: '/api/summary', ...counted }];
const evidence = { absolute: 1_000, relative: 0.5, candidate: counted, baseline: counted, routes };
const requestedBy = { who: 'spec', generation: 2, by: 'kubectl', at: AT } as const;
const byHand = { at: AT, phase: 'Candidate', by: 'kubectl', text: 'bbbbb', despite: 'despite-evidence' } as const;
const trial = { verdict: 'Good', at: AT, candidate: group, baseline: group, byHand };
const answered = { request: 'bbbbb', result: 'Done', at: AT, message: 'done' } as const;

const facts = {
  phase: 'Candidate',
  failed: { hash: EARLIER, image: 'example/dashboard:1', attempt: 1 },
  requestedBy,
  restored: { hash: LATER, image: 'example/dashboard:2' },
  cause: { message: 'half of its answers are 5xx', container: 'app', routes },
  figures: {
    ...{ startedAt: AT, firstErrorAt: AT, limit: 0.05, candidate: group, baseline: group },
    evidence: { absolute: 1_000, relative: 0.5, badPercent: 100, goodPercent: 0 },
  },
  decidedBy: { who: 'person', by: 'kubectl', text: 'bbbbb' },
  actions: [{ at: AT, what: 'taken back' }],
} as const;

export const WRITTEN: Whole<Meant> = {
  rollout: {
    ...{ phase: 'Candidate', release: LATER, stable: EARLIER, since: AT, held: true, restoredAt: AT },
    withdrawn: {
      ...{
        facts,
        release: EARLIER,
        verdict: 'rejected',
        reason: 'ErrorRateAboveThreshold',
        message: 'too many',
        at: AT,
      },
      evidence,
    },
    ...{ stableErrorRatio: 0.01, borne: { all: 12, perPod: 4 }, version: 2, write: 4 },
    contract: { ids: ['20260101_drop'], served: counted, proven: true },
    decidedOn: { uid: 'uid', generation: 2 },
    wanted: { sources: 'x', release: LATER, database: 'abcdefabcd' },
    ...{ trial, asked: { promote: answered, hold: answered, reject: answered }, heldBy: 'somebody', byHand, again: AT },
    decisions: { released: { release: EARLIER, reason: 'Released', at: AT } },
  },
  rotation: {
    ...{ state: 'Draining', current: '2', from: '1', to: '2', mode: 'graceful', request: 'now', since: AT },
    ...{ previousUntil: AT, lastRotationTime: AT, begunAt: AT, digests: { 1: 'x', 2: 'y' } },
    revoked: [{ id: '0', digest: 'z' }],
  },
  verdict: { verdict: 'released', reason: 'Released', message: 'well', at: AT, evidence },
  migration: {
    ...{ id: '20260101_drop', jobName: 'shop-migrate', result: 'Partial', applied: ['20260101_add'], finishedAt: AT },
    ...{ phaseSince: AT, database: 'abcdefabcd', withheld: [{ id: '20260101_drop', what: 'takes away column t.c' }] },
    ...{ contracted: ['20260101_drop'], irreversible: ['20260101_drop'], ahead: ['20270101_new'], contractedAt: AT },
    more: { applied: 1, pending: 2, withheld: 3, contracted: 4, irreversible: 5, ahead: 6 },
    backup: 'shop-backup',
    failure: { reason: 'BackupFailed', ids: ['20260101_drop'], message: 'no room', retryToken: 't', at: AT },
  },
  downgrade: { result: 'Kept', reverted: ['20260101_add'], why: 'rows', at: AT },
  gone: { ids: ['20250101_drop'], at: AT },
  rehearsal: {
    ...{ passed: false, attempts: 2, message: '/ready did not answer', at: AT, reason: 'DependencyDegraded', evidence },
    differences: ['/metrics'],
  },
  served: { from: AT, to: AT },
  firstMetrics: { scraped: { seen: true, labels: 'release=prometheus' } },
  requestedBy,
  refusal: { hash: EARLIER, reason: 'MigrationFailed', attempt: 1, token: 't' },
  putBack: { count: 1, at: AT, keyId: '1', by: 'kubectl' },
  incident: {
    ...facts,
    ...{ schema: INCIDENT_SCHEMA, kind: 'keys', reason: 'RotationHeld', at: AT },
    rotation: { key: 'api', state: 'Draining', from: '1', to: '2', since: AT },
  },
} satisfies Notes;

/** What becomes neither a number nor a text. */
const NEITHER = { toString: 1, valueOf: 1 };
const word = fc.constantFrom<unknown>(
  ...['Settled', 'x', '', AT, 0, -1, 1.5, 1e308, null, true, NEITHER, [NEITHER], { x: NEITHER }, [], undefined],
);

/** One that was written, with something else in some of its places, or with nothing there. One place in `whole` is. */
export function nearly(written: unknown, whole = 40): fc.Arbitrary<unknown> {
  const as = (value: unknown): fc.Arbitrary<unknown> => {
    if (Array.isArray(value)) return fc.tuple(...value.map(one => nearly(one, whole)));
    if (typeof value !== 'object' || value === null) return fc.constant(value);
    const fields = Object.entries(value).map(([name, one]) => [name, nearly(one, whole)]);
    return fc.record(Object.fromEntries(fields));
  };
  return fc.oneof({ weight: whole, arbitrary: as(written) }, { weight: 1, arbitrary: word });
}

/** The text of an annotation; empty: there is none. */
export const nearlyText = (written: unknown, whole?: number): fc.Arbitrary<string> =>
  nearly(written, whole).map(value => JSON.stringify(value) ?? '');

const OF_REVISION: readonly (keyof Notes & keyof typeof ANNOTATIONS)[] = [
  ...(['verdict', 'migration', 'downgrade', 'gone', 'rehearsal', 'served', 'requestedBy'] as const),
];

/** What the operator decides to write down it reads again as the same text. @throws AssertionError */
export function isReadAgain(action: Action): void {
  const json = (value: object): unknown => JSON.parse(JSON.stringify(value));
  const isSame = (read: unknown, written: unknown): void => assert.equal(JSON.stringify(read), JSON.stringify(written));
  if (action.do === 'setRecord') {
    const text = formatRecord(action.record);
    const read = parseRecord(text);
    assert.ok(read !== undefined && read !== 'later', text);
    assert.equal(formatRecord(read), text);
  }
  if (action.do === 'rotateKey') {
    const text = formatRotation(action.record);
    const read = parseRotation(text);
    assert.ok(read, text);
    assert.equal(formatRotation(read), text);
  }
  if (action.do === 'createIncident') isSame(noteIn('incident', json(action.record)), action.record);
  if (action.do === 'rememberRefusals')
    for (const refusal of action.refusals) isSame(noteIn('refusal', json(refusal)), refusal);
  const set = 'set' in action ? action.set : undefined;
  for (const name of OF_REVISION) {
    const text = set?.[ANNOTATIONS[name]];
    if (typeof text === 'string') isSame(readNote(name, text), JSON.parse(text));
  }
}
