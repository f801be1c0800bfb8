// Whatever happens in whatever order, some things never happen, and when nothing happens any more everything comes
// to rest. SEED=… repeats a run. Looked at by node:assert: jest's `expect` takes longer than what is looked at.
import assert from 'node:assert/strict';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DESPITE, GATES, type Gate, type Phase, type RolloutRecord } from '../api/rollout.ts';
import { DECISIONS, decisionIn, lastDecisions } from './decided.ts';
import type { Action } from './decision.ts';
import { decide } from './plan.ts';
import { type Revision, revisionOf, type Snapshot } from './snapshot.ts';
import { addOf, dropOf, type Fate, ModelCluster, type SchemaPolicy } from './testing-cluster.ts';
import { isReadAgain } from './testing-notes.ts';
import { type Span, spansLeft } from './traces.ts';

const RUNS = Number(process.env['RUNS'] ?? 600);
const VERSIONS = ['v1', 'v2', 'v3', 'v4'];
/** Of passes and moves: enough for the longest story to end. */
const REST = 400;
const ANSWERS_IN_A_ROW = 20;

const verdicts = fc.constantFrom('Good', 'Bad', 'Pending', 'Insufficient', 'Blind', 'DependencyDegraded');
const fate: fc.Arbitrary<Fate> = fc.record({
  migration: fc.constantFrom('up to date', 'up to date', 'up to date', 'unreachable', 'failed'),
  starts: fc.constantFrom(true, true, true, false),
  smoke: fc.constantFrom(true, true, true, false),
  canary: verdicts as fc.Arbitrary<Fate['canary']>,
  turnsBad: fc.constantFrom('never', 'never', 'Promoting', 'Baking'),
  contracts: fc.boolean(),
  stableSurvives: fc.boolean(),
  lossless: fc.boolean(),
});
const schema: fc.Arbitrary<SchemaPolicy> = fc.record({
  when: fc.constantFrom('AfterBake', 'BeforeRollout'),
  downOnRollback: fc.constantFrom('Never', 'IfSafe'),
});
const analysis = fc.record({
  policy: fc.constantFrom('Rollback', 'Rollback', 'Hold', 'Observe', 'Disabled'),
  onInsufficientTraffic: fc.constantFrom('Hold', 'Promote'),
  onBlind: fc.constantFrom('Hold', 'Promote', 'Rollback'),
});

type Event =
  | {
      what:
        | 'pass'
        | 'killedBeforeWrite'
        | 'killedAfterWrite'
        | 'move'
        | 'pause'
        | 'outage'
        | 'secret'
        | 'seed'
        | 'remove'
        | 'undo';
    }
  /** Undisturbed for so many passes. */
  | { what: 'work'; passes: number }
  | { what: 'wait'; seconds: number }
  | { what: 'apply'; version: string }
  /** Its image is removed from the registry. */
  | { what: 'gone'; version: string }
  | { what: 'retry'; token: string }
  | { what: 'ask'; gate: Gate; version: string; words: string };

const events: fc.Arbitrary<Event> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Event>({ what: 'pass' }) },
  { weight: 4, arbitrary: fc.constant<Event>({ what: 'move' }) },
  { weight: 8, arbitrary: fc.record({ what: fc.constant('work' as const), passes: fc.integer({ min: 1, max: 25 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ what: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 130 }) }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('apply' as const), version: fc.constantFrom(...VERSIONS) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('gone' as const), version: fc.constantFrom(...VERSIONS) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('retry' as const), token: fc.constantFrom('a', 'b') }) },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant('ask' as const),
      gate: fc.constantFrom(...GATES),
      version: fc.constantFrom(...VERSIONS, 'v9'),
      words: fc.constantFrom('', DESPITE),
    }),
  },
  { weight: 1, arbitrary: fc.constantFrom<Event>({ what: 'killedBeforeWrite' }, { what: 'killedAfterWrite' }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Event>(
      ...['pause', 'outage', 'secret', 'seed', 'remove', 'undo'].map(what => ({ what }) as Event),
    ),
  },
);

function happen(cluster: ModelCluster, event: Event): void {
  switch (event.what) {
    case 'pass':
      pass(cluster);
      return;
    case 'killedBeforeWrite':
      decide(cluster.snapshot());
      cluster.restartOperator();
      return;
    case 'killedAfterWrite':
      pass(cluster);
      cluster.restartOperator();
      return;
    case 'move':
      cluster.move();
      return;
    case 'work':
      for (let turn = 0; turn < event.passes; turn += 1) {
        pass(cluster);
        cluster.move();
      }
      return;
    case 'wait':
      cluster.now += event.seconds * 1000;
      return;
    case 'apply':
      cluster.spec = { ...cluster.spec, version: event.version };
      return;
    case 'gone':
      cluster.gone.add(event.version);
      return;
    case 'retry':
      cluster.spec = { ...cluster.spec, retryToken: event.token };
      return;
    case 'ask':
      cluster.ask(event.gate, event.version, event.words);
      return;
    case 'pause':
      cluster.spec = { ...cluster.spec, paused: !cluster.spec.paused };
      return;
    case 'secret':
      cluster.secretIsThere = !cluster.secretIsThere;
      return;
    case 'seed':
      cluster.seedIsThere = false;
      return;
    case 'remove':
      cluster.removeDeployment();
      // here is no status that would remember its record
      lastMade.delete(cluster);
      return;
    case 'undo':
      cluster.undoByHand();
      return;
    case 'outage':
      cluster.databaseIsUp = !cluster.databaseIsUp;
  }
}

/** Whether it acted. */
function pass(cluster: ModelCluster): boolean {
  const seen = cluster.snapshot();
  const { action, conditions } = decide(seen);
  const types = conditions.map(({ type }) => type);
  assert.equal(new Set(types).size, types.length);
  assert.ok(types.filter(type => type === 'Reconciling' || type === 'Stalled').length <= 1);
  if (!action) return false;
  allowed(seen, action, cluster);
  toldOnce(seen, action, cluster);
  cluster.carryOut(action);
  cluster.now += 1;
  toldForADay(seen, action, cluster);
  return true;
}

/** Whoever asks afterwards, and did not ask before, is told when each decision was made last. */
function toldForADay(seen: Snapshot, action: Action, cluster: ModelCluster): void {
  const last = lastMade.get(cluster) ?? new Map<string, string>();
  lastMade.set(cluster, last);
  const made = decisionIn(seen, action);
  if (made) last.set(made.decision, new Date(seen.now).toISOString());
  const told = new Map(lastDecisions(cluster.snapshot()).map(({ decision, at }) => [String(decision), at]));
  for (const [decision, at] of last) assert.equal(told.get(decision), at, decision);
  for (const decision of last.keys()) remembered.add(decision);
}

const lastMade = new WeakMap<ModelCluster, Map<string, string>>();
const remembered = new Set<string>();

function allowed(seen: Snapshot, action: Action, cluster: ModelCluster): void {
  isReadAgain(action);
  if (seen.app.spec.paused) assert.ok(!BEGIN_SOMETHING.includes(action.do), action.do);
  if (action.do === 'createMigrationJob') assert.deepEqual(seen.jobs.filter(isUnfinished), []);
  if (action.do === 'createSchemaJob') schemaAllowed(seen, action, cluster);
  if (action.do === 'createRehearsal') assert.ok(migrated(seen, action.release.hash));
  if (action.do === 'annotateRevision') onlyATokenForgives(seen, action);
  if (action.do === 'deleteRevision') isNotInUse(seen, action.revision);
  if (action.do === 'setRecord') {
    recordAllowed(seen, action.record);
    requestsAllowed(seen, action.record, cluster);
    meetsItsSchema(action.record, cluster);
    isNotPastAContract(seen, action.record, cluster);
  }
}

/** One id is one span, however often it is told; a trace has one whole, and all its parts belong to that. */
function toldOnce(seen: Snapshot, action: Action, cluster: ModelCluster): void {
  const spans = told.get(cluster) ?? new Map<string, Span>();
  told.set(cluster, spans);
  for (const span of spansLeft(seen, action)) {
    done.add(span.name);
    const { name, traceId, spanId, parentId, startedAt, endedAt } = span;
    assert.deepEqual(spans.get(spanId) ?? span, span);
    containsEqual(spansLeft(structuredClone(seen), structuredClone(action)), span);
    assert.ok(endedAt >= startedAt);
    const others = [...spans.values()].filter(other => other.traceId === traceId);
    for (const other of others) assert.equal(other.parentId ?? other.spanId, parentId ?? spanId);
    assert.equal(name === 'release', parentId === undefined);
    spans.set(spanId, span);
  }
}

function containsEqual(spans: readonly Span[], span: Span): void {
  assert.deepEqual(
    spans.find(({ spanId }) => spanId === span.spanId),
    span,
  );
}

const told = new WeakMap<ModelCluster, Map<string, Span>>();

/** Something is taken away when nobody is left to go back, and given back when nobody is left to use it. */
function schemaAllowed(
  seen: Snapshot,
  { release, task }: Extract<Action, { do: 'createSchemaJob' }>,
  cluster: ModelCluster,
): void {
  done.add(task.direction);
  assert.deepEqual(seen.jobs.filter(isUnfinished), []);
  assert.equal(seen.deployment?.record.phase, 'Settled');
  const { verdict } = revisionOf(seen, release.hash)?.verdict ?? {};
  assert.equal(verdict, task.direction === 'contract' ? 'released' : 'rejected');
  if (task.direction === 'contract') assert.equal(seen.deployment?.record.release, release.hash);
  else assert.ok(![...cluster.pods, ...cluster.rehearsals].some(one => one.release === release.hash));
}

/** What the database has lost is known to the release that comes back by itself, or was seen to do without it. */
function isNotPastAContract(seen: Snapshot, { phase, withdrawn, release }: RolloutRecord, cluster: ModelCluster): void {
  const before = seen.deployment?.record;
  if (phase !== 'RollingBackAll' || withdrawn?.verdict !== 'rejected') return;
  const known = cluster.found.get(release) ?? [];
  const gone = cluster.history.filter(id => id.endsWith('_drop') && id > dropOf(release) && !known.includes(id));
  if (gone.length > 0) done.add('proven');
  if (gone.length > 0) assert.equal(before?.contract?.proven, true);
}

/** Whatever was undone since it was migrated first. */
function meetsItsSchema({ phase, release }: RolloutRecord, { history }: ModelCluster): void {
  if (phase === 'Candidate') assert.ok(history.includes(addOf(release)), `${release} is tried before its schema`);
}

const done = new Set<string>();

const BEGIN_SOMETHING = ['createRevision', 'createMigrationJob', 'createRehearsal', 'rehearse'];
const isUnfinished = ({ state }: Snapshot['jobs'][number]): boolean => ['pending', 'running'].includes(state.kind);

const migrated = (seen: Snapshot, hash: string): boolean =>
  seen.revisions.some(({ migration }) => migration?.id === `m${hash.slice(1)}`);

function onlyATokenForgives(seen: Snapshot, { revision, set }: Extract<Action, { do: 'annotateRevision' }>): void {
  const known = seen.revisions.find(({ name }) => name === revision);
  const text = set['devshelf.dev/verdict'];
  if (known && text && (JSON.parse(text) as { verdict: string }).verdict === 'rejected') isRecorded(seen, known);
  if (known?.verdict.verdict !== 'rejected' || !text) return;
  const next = (JSON.parse(text) as { verdict: string }).verdict;
  if (next === 'pending') assert.notEqual(seen.app.spec.rollout.retryToken, known.retryToken);
  else if (next !== 'rejected') assert.equal(seen.deployment?.record.release, known.release.hash);
}

/** A verdict comes after its incident, and each try has one. */
function isRecorded({ incidents = [] }: Snapshot, { release: { hash }, attempt = 1 }: Revision): void {
  done.add('incident');
  assert.equal(incidents.filter(one => one.release === hash && one.attempt === attempt).length, 1);
}

function isNotInUse(seen: Snapshot, name: string): void {
  const hash = seen.revisions.find(known => known.name === name)?.release.hash;
  assert.ok(![seen.deployment?.record.release, seen.deployment?.record.stable].includes(hash), `${name} is in use`);
}

const NEXT: Readonly<Record<Phase | 'none', readonly Phase[]>> = {
  none: ['Installing', 'Settled'],
  Installing: ['Baking', 'Installing'],
  Baking: ['Settled', 'Candidate', 'Installing', 'RollingBackAll', 'Baking'],
  Settled: ['Candidate', 'RollingBackAll', 'Settled'],
  Candidate: ['Promoting', 'RollingBack', 'Candidate'],
  Promoting: ['Baking', 'RollingBackAll', 'Promoting'],
  RollingBack: ['Settled'],
  RollingBackAll: ['Settled', 'Promoting'],
};

const taken = new Set<string>();

function recordAllowed(seen: Snapshot, next: RolloutRecord): void {
  const before = seen.deployment?.record;
  taken.add(`${before?.phase ?? 'none'} to ${next.phase}`);
  assert.ok(NEXT[before?.phase ?? 'none'].includes(next.phase), `${before?.phase} to ${next.phase}`);
  // the template that goes with the record is rendered from its revision, so that has to be there
  assert.ok(revisionOf(seen, next.release));
  if (next.stable !== undefined) assert.ok(revisionOf(seen, next.stable));
  if (!before && next.phase === 'Settled') assert.equal(revisionOf(seen, next.release)?.verdict.verdict, 'released');
  const isBegun = before?.phase !== next.phase || before.release !== next.release;
  if (isBegun && (next.phase === 'Candidate' || next.phase === 'Installing')) beginAllowed(seen, next);
  // who replaces what cannot come back is compared with nobody; who is held was promoted before
  if (next.phase === 'Promoting' && before?.phase === 'Candidate') promotionAllowed(seen, next);
  if (next.phase.startsWith('RollingBack')) wayBackAllowed(seen, next);
}

/** Of what is long stable only a person goes back, and to what was good. */
function wayBackAllowed(seen: Snapshot, { release, withdrawn }: RolloutRecord): void {
  const before = seen.deployment?.record;
  if (before?.phase !== 'Settled') {
    assert.equal(release, before?.stable);
    return;
  }
  assert.equal(withdrawn?.reason, 'RejectedByHand');
  assert.equal(revisionOf(seen, release)?.verdict.verdict, 'released');
  assert.notEqual(release, before.release);
}

/** A request is answered once, whatever is killed, and moves no release but the one that it names. */
function requestsAllowed({ deployment }: Snapshot, next: RolloutRecord, cluster: ModelCluster): void {
  const before = deployment?.record;
  const answered = GATES.filter(gate => next.asked?.[gate]?.request !== before?.asked?.[gate]?.request);
  // with the Deployment went what was known of them: all of them are old then
  if (before) assert.ok(answered.length <= 1);
  const [gate] = before ? answered : [];
  const isMoved = [
    next.withdrawn?.reason === 'RejectedByHand' && before?.withdrawn !== next.withdrawn,
    ...newly(before, next),
  ];
  if (gate === undefined) {
    assert.ok(!isMoved.includes(true));
    return;
  }
  const { request = '', result } = next.asked?.[gate] ?? {};
  assert.equal(cluster.requests[`devshelf.dev/${gate}`], request);
  const all = answers.get(cluster) ?? new Set();
  answers.set(cluster, all);
  assert.ok(!all.has(request), `answered twice: ${request}`);
  all.add(request);
  if (result === 'Done') assert.equal(request.split(' ')[0], before?.release);
  else assert.deepEqual({ ...next, ...NOT_OF_IT }, { ...before, ...NOT_OF_IT });
  if (result === 'Done') done.add(gate === 'promote' && next.byHand?.despite !== undefined ? 'despite' : gate);
}

/** What an answer changes of a record, besides the answer. */
const NOT_OF_IT = { asked: 0, write: 0, decidedOn: 0, decisions: 0 };

const answers = new WeakMap<ModelCluster, Set<string>>();

const newly = (before: RolloutRecord | undefined, next: RolloutRecord): boolean[] => [
  next.heldBy !== undefined && before?.heldBy !== next.heldBy,
  next.byHand !== undefined && before?.byHand?.at !== next.byHand.at,
];

function beginAllowed(seen: Snapshot, { release, phase, stable }: RolloutRecord): void {
  assert.equal(seen.app.spec.paused, false);
  assert.notEqual(revisionOf(seen, release)?.verdict.verdict, 'rejected');
  assert.ok(migrated(seen, release));
  if (phase === 'Installing') return;
  assert.notEqual(stable, release);
  assert.deepEqual(new Set(seen.pods.map(pod => pod.release)), new Set([stable]));
  const { rehearsal, verdict } = revisionOf(seen, release) ?? {};
  assert.ok(rehearsal?.passed === true || verdict?.verdict === 'released');
}

function promotionAllowed({ app, judgement, pods, deployment }: Snapshot, { release, byHand }: RolloutRecord): void {
  const { policy, onInsufficientTraffic, onBlind } = app.spec.rollout.analysis;
  assert.ok(pods.some(pod => pod.release === release && pod.ready));
  assert.ok(deployment?.record.heldBy === undefined || byHand !== undefined);
  if (judgement?.verdict === 'Bad' && policy === 'Hold') assert.ok(byHand?.despite !== undefined);
  if (byHand) assert.ok(judgement?.verdict !== 'Bad' || policy !== 'Rollback');
  if (policy === 'Disabled' || byHand) return;
  assert.equal(judgement?.release, release);
  const passes = {
    ...{ Good: true, Pending: false, DependencyDegraded: false, Overloaded: false, Bad: policy === 'Observe' },
    ...{ Insufficient: onInsufficientTraffic === 'Promote', Blind: onBlind === 'Promote' },
  };
  assert.ok(passes[judgement?.verdict ?? 'Pending']);
}

/** Nothing changes any more but time; the database is up, the Secret and every image are there, nobody pauses. */
function rest(cluster: ModelCluster): void {
  cluster.spec = { ...cluster.spec, paused: false };
  cluster.databaseIsUp = true;
  cluster.secretIsThere = true;
  cluster.pull();
  let still = 0;
  for (let turn = 0; turn < REST && still < ANSWERS_IN_A_ROW; turn += 1) {
    const acted = pass(cluster);
    still = acted ? 0 : still + 1;
    if (!acted) cluster.now += 20_000;
    cluster.move();
  }
  assert.equal(still, ANSWERS_IN_A_ROW);
  assert.ok(isOver(cluster.snapshot()));
  // without it no newer spec would be known
  assert.ok(cluster.seedIsThere);
}

const EXPANDING: SchemaPolicy = { when: 'AfterBake', downOnRollback: 'IfSafe' };
const GOOD: Fate = { migration: 'up to date', starts: true, smoke: true, canary: 'Good', turnsBad: 'never' };
const LONG_FATES: [Fate, Fate, Fate, Fate] = [
  GOOD,
  { ...GOOD, turnsBad: 'Promoting' },
  { ...GOOD, turnsBad: 'Baking' },
  { ...GOOD, canary: 'Bad' },
];
const ALL_GOOD: [Fate, Fate, Fate, Fate] = [GOOD, GOOD, GOOD, GOOD];
/** The second takes something away and stays; the third does, too, is bad, and the one before it can do without. */
const LOSING: [Fate, Fate, Fate, Fate] = [
  GOOD,
  { ...GOOD, contracts: true },
  { ...GOOD, contracts: true, stableSurvives: true, turnsBad: 'Baking' },
  { ...GOOD, canary: 'Bad', lossless: true },
];
const CUTTING: SchemaPolicy = { when: 'BeforeRollout', downOnRollback: 'IfSafe' };

/** Each of the four in turn, undisturbed, so that every rare way is taken at least once. */
const EACH_IN_TURN: Event[] = VERSIONS.flatMap((version): Event[] => [
  { what: 'apply', version },
  { what: 'work', passes: 40 },
  { what: 'wait', seconds: 130 },
  { what: 'work', passes: 40 },
]);
const LONG: Event[] = [...EACH_IN_TURN, { what: 'remove' }, { what: 'work', passes: 20 }];

/** Gone back, undone, and forward again. */
const AGAIN: Event[] = [
  ...EACH_IN_TURN.slice(0, 8),
  ...EACH_IN_TURN.slice(0, 4),
  { what: 'undo' },
  ...EACH_IN_TURN.slice(4, 8),
];

/** What is gone back to cannot come back, and a newer spec takes its place. */
const LOST: Event[] = [
  { what: 'apply', version: 'v1' },
  { what: 'work', passes: 40 },
  { what: 'wait', seconds: 130 },
  { what: 'work', passes: 40 },
  { what: 'gone', version: 'v1' },
  { what: 'apply', version: 'v3' },
  { what: 'work', passes: 60 },
  { what: 'wait', seconds: 130 },
  { what: 'apply', version: 'v4' },
  { what: 'work', passes: 60 },
];

/** Nobody to go back to: the first cannot start, the second is bad in its bake, and each is replaced by a newer spec. */
const UNLUCKY: [Fate, Fate, Fate, Fate] = [{ ...GOOD, starts: false }, { ...GOOD, turnsBad: 'Baking' }, GOOD, GOOD];
const REPLACED: Event[] = ['v1', 'v2', 'v3'].flatMap((version): Event[] => [
  { what: 'apply', version },
  { what: 'work', passes: 40 },
]);
/** Held for want of traffic, and let on; the next one is held, and rejected; then the one that is long stable, too. */
const BY_HAND: Event[] = [
  { what: 'apply', version: 'v1' },
  { what: 'work', passes: 40 },
  { what: 'wait', seconds: 130 },
  { what: 'work', passes: 40 },
  { what: 'apply', version: 'v2' },
  { what: 'work', passes: 40 },
  { what: 'ask', gate: 'promote', version: 'v2', words: '' },
  { what: 'work', passes: 20 },
  { what: 'ask', gate: 'hold', version: 'v2', words: '' },
  { what: 'work', passes: 20 },
  { what: 'wait', seconds: 130 },
  { what: 'work', passes: 40 },
  { what: 'ask', gate: 'promote', version: 'v9', words: '' },
  { what: 'work', passes: 3 },
  { what: 'apply', version: 'v3' },
  { what: 'ask', gate: 'hold', version: 'v3', words: '' },
  { what: 'work', passes: 40 },
  { what: 'ask', gate: 'reject', version: 'v3', words: '' },
  { what: 'work', passes: 40 },
  { what: 'apply', version: 'v2' },
  { what: 'ask', gate: 'reject', version: 'v2', words: '' },
  { what: 'work', passes: 40 },
];
/** Bad, and held: let on all the same. */
const IN_SPITE: Event[] = [
  ...EACH_IN_TURN.slice(0, 4),
  { what: 'apply', version: 'v4' },
  { what: 'work', passes: 40 },
  { what: 'ask', gate: 'promote', version: 'v4', words: '' },
  { what: 'work', passes: 5 },
  { what: 'ask', gate: 'promote', version: 'v4', words: DESPITE },
  { what: 'work', passes: 40 },
];
const WITHOUT_TRAFFIC: [Fate, Fate, Fate, Fate] = [GOOD, { ...GOOD, canary: 'Insufficient' }, GOOD, GOOD];

const STRICT = { policy: 'Rollback', onInsufficientTraffic: 'Hold', onBlind: 'Hold' } as const;
const UNDONE_BY_NOBODY: SchemaPolicy = { when: 'BeforeRollout', downOnRollback: 'Never' };
/** What is taken away by a Job whose release is replaced before anybody has asked how the Job ended. */
const TAKEN_BY_ANOTHER: [Fate, Fate, Fate, Fate] = [
  GOOD,
  GOOD,
  { ...GOOD, contracts: true },
  { ...GOOD, turnsBad: 'Promoting' },
];
const OVERTAKEN: Event[] = [
  { what: 'work', passes: 10 },
  { what: 'apply', version: 'v3' },
  { what: 'wait', seconds: 60 },
  { what: 'work', passes: 3 },
  { what: 'pass' },
  { what: 'apply', version: 'v4' },
];
/** Taken away, left in its trial, and asked for once more: its second Job finds it gone. */
const TAKEN_BEFORE: [Fate, Fate, Fate, Fate] = [GOOD, GOOD, GOOD, { ...GOOD, contracts: true, turnsBad: 'Baking' }];
const LEFT: Event[] = [
  { what: 'work', passes: 10 },
  { what: 'apply', version: 'v4' },
  { what: 'work', passes: 9 },
  { what: 'apply', version: 'v1' },
  { what: 'work', passes: 1 },
  { what: 'apply', version: 'v4' },
];
/** A Job of a spec that was taken back still runs as the stable release may take something away. */
const BUSY: Event[] = [
  { what: 'work', passes: 4 },
  { what: 'apply', version: 'v3' },
  { what: 'work', passes: 9 },
  { what: 'apply', version: 'v2' },
  { what: 'work', passes: 9 },
  { what: 'apply', version: 'v4' },
  { what: 'work', passes: 5 },
  { what: 'apply', version: 'v3' },
];
const STAYS: [Fate, Fate, Fate, Fate] = [GOOD, GOOD, { ...GOOD, contracts: true }, GOOD];

/** It serves, or a person is told what to do, or a candidate is held for want of a verdict. */
function isOver(seen: Snapshot): boolean {
  const { conditions } = decide(seen);
  const isTrue = (wanted: string) => conditions.some(({ type, status }) => type === wanted && status === 'True');
  const isHeld = seen.deployment?.record.phase === 'Candidate' && seen.judgement?.verdict !== 'Good';
  return isTrue('Ready') || isTrue('Stalled') || isHeld;
}

test('what never happens, and that everything comes to rest', () => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
  console.log(`lifecycle model: SEED=${seed}`);
  fc.assert(
    fc.property(
      fc.tuple(fate, fate, fate, fate),
      analysis,
      schema,
      fc.array(events, { maxLength: 60, size: 'max' }),
      (fates, policy, schemaPolicy, story) => {
        const cluster = new ModelCluster(
          Object.fromEntries(VERSIONS.map((hash, n) => [hash, fates[n] as Fate])),
          policy,
          schemaPolicy,
        );
        for (const event of story) happen(cluster, event);
        rest(cluster);
      },
    ),
    {
      seed,
      numRuns: RUNS,
      examples: [
        [LONG_FATES, STRICT, EXPANDING, LONG],
        [LONG_FATES, STRICT, EXPANDING, LOST],
        [LONG_FATES, { policy: 'Hold', onInsufficientTraffic: 'Hold', onBlind: 'Hold' }, EXPANDING, LONG],
        [LOSING, STRICT, EXPANDING, LONG],
        [LOSING, STRICT, CUTTING, LONG],
        [ALL_GOOD, STRICT, EXPANDING, AGAIN],
        [UNLUCKY, STRICT, EXPANDING, REPLACED],
        [WITHOUT_TRAFFIC, STRICT, EXPANDING, BY_HAND],
        [LONG_FATES, { policy: 'Hold', onInsufficientTraffic: 'Hold', onBlind: 'Hold' }, EXPANDING, IN_SPITE],
        [TAKEN_BY_ANOTHER, STRICT, UNDONE_BY_NOBODY, OVERTAKEN],
        [TAKEN_BEFORE, STRICT, UNDONE_BY_NOBODY, LEFT],
        [STAYS, STRICT, { when: 'AfterBake', downOnRollback: 'Never' }, BUSY],
      ],
    },
  );
  // a run that never got somewhere has shown nothing about it
  const all = Object.entries(NEXT).flatMap(([before, after]) => after.map(phase => `${before} to ${phase}`));
  expect([...taken].sort()).toEqual(all.sort());
  expect([...done].sort()).toEqual([
    ...['bake', 'candidate', 'contract', 'despite', 'down', 'hold', 'incident', 'installation', 'migration'],
    ...['promote', 'promotion', 'proven', 'rehearsal', 'reject', 'release', 'rollback'],
  ]);
  const { held: _status, outage: _standing, ...decisions } = DECISIONS;
  expect([...remembered].sort()).toEqual(Object.keys(decisions).sort());
});
