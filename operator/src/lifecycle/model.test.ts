// Whatever happens in whatever order, some things never happen, and when nothing happens any more everything comes
// to rest. SEED=… repeats a run.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Phase, RolloutRecord } from '../api/rollout.ts';
import type { Action } from './decision.ts';
import { decide } from './plan.ts';
import { revisionOf, type Snapshot } from './snapshot.ts';
import { type Fate, ModelCluster } from './testing-cluster.ts';

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
});
const analysis = fc.record({
  policy: fc.constantFrom('Rollback', 'Rollback', 'Hold', 'Observe', 'Disabled'),
  onInsufficientTraffic: fc.constantFrom('Hold', 'Promote'),
  onBlind: fc.constantFrom('Hold', 'Promote', 'Rollback'),
});

type Event =
  | { what: 'pass' | 'killedBeforeWrite' | 'killedAfterWrite' | 'move' | 'pause' | 'outage' | 'secret' | 'remove' }
  /** Undisturbed for so many passes. */
  | { what: 'work'; passes: number }
  | { what: 'wait'; seconds: number }
  | { what: 'apply'; version: string }
  | { what: 'retry'; token: string };

const events: fc.Arbitrary<Event> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Event>({ what: 'pass' }) },
  { weight: 4, arbitrary: fc.constant<Event>({ what: 'move' }) },
  { weight: 8, arbitrary: fc.record({ what: fc.constant('work' as const), passes: fc.integer({ min: 1, max: 25 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ what: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 130 }) }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('apply' as const), version: fc.constantFrom(...VERSIONS) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('retry' as const), token: fc.constantFrom('a', 'b') }) },
  { weight: 1, arbitrary: fc.constantFrom<Event>({ what: 'killedBeforeWrite' }, { what: 'killedAfterWrite' }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Event>(...['pause', 'outage', 'secret', 'remove'].map(what => ({ what }) as Event)),
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
    case 'retry':
      cluster.spec = { ...cluster.spec, retryToken: event.token };
      return;
    case 'pause':
      cluster.spec = { ...cluster.spec, paused: !cluster.spec.paused };
      return;
    case 'secret':
      cluster.secretIsThere = !cluster.secretIsThere;
      return;
    case 'remove':
      cluster.removeDeployment();
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
  expect(new Set(types).size).toBe(types.length);
  expect(types.filter(type => type === 'Reconciling' || type === 'Stalled').length).toBeLessThanOrEqual(1);
  if (!action) return false;
  allowed(seen, action);
  cluster.carryOut(action);
  return true;
}

function allowed(seen: Snapshot, action: Action): void {
  if (seen.app.spec.paused) expect(BEGIN_SOMETHING).not.toContain(action.do);
  if (action.do === 'createMigrationJob') expect(seen.jobs.filter(isUnfinished)).toEqual([]);
  if (action.do === 'createRehearsal') expect(migrated(seen, action.release.hash)).toBe(true);
  if (action.do === 'annotateRevision') onlyATokenForgives(seen, action);
  if (action.do === 'deleteRevision') isNotInUse(seen, action.revision);
  if (action.do === 'setRecord') recordAllowed(seen, action.record);
}

const BEGIN_SOMETHING = ['createRevision', 'createMigrationJob', 'createRehearsal', 'rehearse'];
const isUnfinished = ({ state }: Snapshot['jobs'][number]): boolean => ['pending', 'running'].includes(state.kind);

const migrated = (seen: Snapshot, hash: string): boolean =>
  seen.revisions.some(({ migration }) => migration?.id === `m${hash.slice(1)}`);

function onlyATokenForgives(seen: Snapshot, { revision, set }: Extract<Action, { do: 'annotateRevision' }>): void {
  const known = seen.revisions.find(({ name }) => name === revision);
  const text = set['devshelf.dev/verdict'];
  if (known?.verdict.verdict !== 'rejected' || !text) return;
  const next = (JSON.parse(text) as { verdict: string }).verdict;
  if (next === 'pending') expect(seen.app.spec.rollout.retryToken).not.toBe(known.retryToken);
  else if (next !== 'rejected') expect(seen.deployment?.record.release).toBe(known.release.hash);
}

function isNotInUse(seen: Snapshot, name: string): void {
  const hash = seen.revisions.find(known => known.name === name)?.release.hash;
  expect([seen.deployment?.record.release, seen.deployment?.record.stable]).not.toContain(hash);
}

const NEXT: Readonly<Record<Phase | 'none', readonly Phase[]>> = {
  none: ['Installing', 'Settled'],
  Installing: ['Baking', 'Installing'],
  Baking: ['Settled', 'Candidate', 'Installing', 'RollingBackAll'],
  Settled: ['Candidate'],
  Candidate: ['Promoting', 'RollingBack'],
  Promoting: ['Baking', 'RollingBackAll'],
  RollingBack: ['Settled'],
  RollingBackAll: ['Settled'],
};

const taken = new Set<string>();

function recordAllowed(seen: Snapshot, next: RolloutRecord): void {
  const before = seen.deployment?.record;
  taken.add(`${before?.phase ?? 'none'} to ${next.phase}`);
  expect(NEXT[before?.phase ?? 'none']).toContain(next.phase);
  // the template that goes with the record is rendered from its revision, so that has to be there
  expect(revisionOf(seen, next.release)).toBeDefined();
  if (next.stable !== undefined) expect(revisionOf(seen, next.stable)).toBeDefined();
  if (!before && next.phase === 'Settled') expect(revisionOf(seen, next.release)?.verdict.verdict).toBe('released');
  if (next.phase === 'Candidate' || next.phase === 'Installing') beginAllowed(seen, next);
  if (next.phase === 'Promoting') promotionAllowed(seen, next);
  if (next.phase.startsWith('RollingBack')) expect(next.release).toBe(before?.stable);
}

function beginAllowed(seen: Snapshot, { release, phase, stable }: RolloutRecord): void {
  expect(seen.app.spec.paused).toBe(false);
  expect(revisionOf(seen, release)?.verdict.verdict).not.toBe('rejected');
  expect(migrated(seen, release)).toBe(true);
  if (phase === 'Installing') return;
  expect(stable).not.toBe(release);
  expect(new Set(seen.pods.map(pod => pod.release))).toEqual(new Set([stable]));
  const { rehearsal, verdict } = revisionOf(seen, release) ?? {};
  expect(rehearsal?.passed === true || verdict?.verdict === 'released').toBe(true);
}

function promotionAllowed({ app, judgement, pods }: Snapshot, { release }: RolloutRecord): void {
  const { policy, onInsufficientTraffic, onBlind } = app.spec.rollout.analysis;
  expect(pods.some(pod => pod.release === release && pod.ready)).toBe(true);
  if (policy === 'Disabled') return;
  expect(judgement?.release).toBe(release);
  const passes = {
    ...{ Good: true, Pending: false, DependencyDegraded: false, Bad: policy === 'Observe' },
    ...{ Insufficient: onInsufficientTraffic === 'Promote', Blind: onBlind === 'Promote' },
  };
  expect(passes[judgement?.verdict ?? 'Pending']).toBe(true);
}

/** Nothing changes any more but time; the database is up, the Secret is there, nobody pauses. */
function rest(cluster: ModelCluster): void {
  cluster.spec = { ...cluster.spec, paused: false };
  cluster.databaseIsUp = true;
  cluster.secretIsThere = true;
  let still = 0;
  for (let turn = 0; turn < REST && still < ANSWERS_IN_A_ROW; turn += 1) {
    const acted = pass(cluster);
    still = acted ? 0 : still + 1;
    if (!acted) cluster.now += 20_000;
    cluster.move();
  }
  expect(still).toBe(ANSWERS_IN_A_ROW);
  expect(isOver(cluster.snapshot())).toBe(true);
}

const GOOD: Fate = { migration: 'up to date', starts: true, smoke: true, canary: 'Good', turnsBad: 'never' };
const LONG_FATES: [Fate, Fate, Fate, Fate] = [
  GOOD,
  { ...GOOD, turnsBad: 'Promoting' },
  { ...GOOD, turnsBad: 'Baking' },
  { ...GOOD, canary: 'Bad' },
];
/** Each of the four in turn, undisturbed, so that every rare way is taken at least once. */
const EACH_IN_TURN: Event[] = VERSIONS.flatMap((version): Event[] => [
  { what: 'apply', version },
  { what: 'work', passes: 40 },
  { what: 'wait', seconds: 130 },
  { what: 'work', passes: 40 },
]);
const LONG: Event[] = [...EACH_IN_TURN, { what: 'remove' }, { what: 'work', passes: 20 }];

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
      fc.array(events, { maxLength: 60, size: 'max' }),
      (fates, policy, story) => {
        const cluster = new ModelCluster(
          Object.fromEntries(VERSIONS.map((hash, n) => [hash, fates[n] as Fate])),
          policy,
        );
        for (const event of story) happen(cluster, event);
        rest(cluster);
      },
    ),
    {
      seed,
      numRuns: RUNS,
      examples: [[LONG_FATES, { policy: 'Rollback', onInsufficientTraffic: 'Hold', onBlind: 'Hold' }, LONG]],
    },
  );
  // a run that never got somewhere has shown nothing about it
  const all = Object.entries(NEXT).flatMap(([before, after]) => after.map(phase => `${before} to ${phase}`));
  expect([...taken].sort()).toEqual(all.sort());
});
