// What is foreseen is what happens: asked anywhere in a story, then the cluster of the model goes on with nothing failing
// any more. SEED=… repeats a run.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Action } from './decision.ts';
import { foresee } from './foresight.ts';
import { decide } from './plan.ts';
import { inPhase } from './snapshot.ts';
import { held, revision, snapshot, wanted } from './testing.ts';
import { type Fate, ModelCluster } from './testing-cluster.ts';

const RUNS = Number(process.env['RUNS'] ?? 150);
const VERSIONS = ['v1', 'v2', 'v3'];
const GOOD: Fate = { migration: 'up to date', starts: true, smoke: true, canary: 'Good', turnsBad: 'never' };

const fate: fc.Arbitrary<Fate> = fc.record({
  migration: fc.constantFrom('up to date', 'up to date', 'failed'),
  starts: fc.constantFrom(true, true, true, false),
  smoke: fc.constantFrom(true, true, true, false),
  canary: fc.constantFrom<Fate['canary']>('Good', 'Good', 'Bad', 'Insufficient'),
  turnsBad: fc.constantFrom('never', 'never', 'Promoting', 'Baking'),
});
type Chapter = { readonly version: string; readonly passes: number; readonly seconds: number };
const chapter: fc.Arbitrary<Chapter> = fc.record({
  version: fc.constantFrom(...VERSIONS),
  passes: fc.integer({ min: 0, max: 40 }),
  seconds: fc.constantFrom(0, 0, 20, 130),
});
const question = fc.record({
  version: fc.constantFrom(...VERSIONS),
  token: fc.constantFrom(undefined, undefined, 'again'),
  policy: fc.constantFrom('Rollback', 'Rollback', 'Hold', 'Disabled'),
});

/** What people are told of an action; what only tidies up, or writes down, is left out. */
function told(action: Action | undefined): string[] {
  switch (action?.do) {
    case 'createMigrationJob':
    case 'createRehearsal':
      return [`${action.do} ${action.release.hash}`];
    case 'setRecord':
      return [`${action.record.phase} ${action.record.release}`];
    default:
      return [];
  }
}

/** The rest of the story, until nothing is done for longer than a bake. */
function lived(cluster: ModelCluster): string[] {
  const steps: string[] = [];
  for (let still = 0; still < 20; ) {
    const { action } = decide(cluster.snapshot());
    still = action ? 0 : still + 1;
    steps.push(...told(action));
    if (action) cluster.carryOut(action);
    else cluster.now += 10_000;
    cluster.move();
  }
  return steps;
}

const ends = new Set<string>();

function tell(known: Readonly<Record<string, Fate>>, story: readonly Chapter[], policy: string): ModelCluster {
  const cluster = new ModelCluster(known, { policy });
  for (const { version, passes, seconds } of story) {
    cluster.spec = { ...cluster.spec, version };
    for (let turn = 0; turn < passes; turn += 1) {
      const { action } = decide(cluster.snapshot());
      if (action) cluster.carryOut(action);
      cluster.move();
    }
    cluster.now += seconds * 1000;
  }
  return cluster;
}

test('what is foreseen is what happens', () => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
  console.log(`foresight: SEED=${seed}`);
  fc.assert(
    fc.property(
      fc.tuple(fate, fate, fate),
      fc.array(chapter, { maxLength: 6 }),
      question,
      (fates, story, { version, token, policy }) => {
        const known: Record<string, Fate> = Object.fromEntries(VERSIONS.map((hash, n) => [hash, fates[n] as Fate]));
        const cluster = tell(known, story, policy);
        // from here on nothing fails any more
        for (const hash of VERSIONS) known[hash] = GOOD;
        cluster.move();
        cluster.spec = { ...cluster.spec, version, ...(token !== undefined && { retryToken: token }) };
        const foreseen = foresee(cluster.snapshot());
        const happened = lived(cluster);
        expect(foreseen.steps.flatMap(({ action }) => told(action))).toEqual(happened);
        expect(foreseen).toMatchObject(endOf(cluster, version));
        ends.add(`${foreseen.end} ${happened.length === 0 ? 'at once' : 'later'}`);
      },
    ),
    { seed, numRuns: RUNS },
  );
  expect([...ends]).toEqual(expect.arrayContaining(['rests at once', 'rests later', 'refused at once']));
});

function endOf(cluster: ModelCluster, version: string): { end: string; reason?: string } {
  const seen = cluster.snapshot();
  const stalled = decide(seen).conditions.find(({ type, status }) => type === 'Stalled' && status === 'True');
  if (stalled) return { end: 'refused', reason: stalled.reason };
  return { end: inPhase(seen, 'Settled') && seen.deployment?.record.release === version ? 'rests' : 'waits' };
}

const stepsOf = (seen: Parameters<typeof foresee>[0]) => foresee(seen).steps.flatMap(({ action }) => told(action));

test('a new release: migrated, rehearsed, tried, promoted, watched', () => {
  expect(stepsOf(snapshot({ revisions: [revision('v1', 'released')] }))).toEqual([
    'createMigrationJob v2',
    'createRehearsal v2',
    'Candidate v2',
    'Promoting v2',
    'Baking v2',
    'Settled v2',
  ]);
});

test('what serves already: nothing at all', () => {
  expect(foresee(snapshot({ wanted: wanted('v1') }))).toMatchObject({ end: 'rests', steps: [] });
});

test('what was rejected: nothing, and why', () => {
  const seen = snapshot({ revisions: [revision('v1', 'released'), revision('v2', 'rejected')] });
  expect(foresee(seen)).toMatchObject({ end: 'refused', reason: 'ReleaseRejected', steps: [] });
});

test('back to stable in the middle of a trial: at once', () => {
  expect(stepsOf(held({ wanted: wanted('v1') }))).toEqual(['RollingBack v1', 'Settled v1']);
});

test('a Secret that is missing is waited for', () => {
  const missing = [{ reason: 'SecretMissing', message: 'Secret db does not exist' }] as const;
  const seen = snapshot({ missing, wanted: { known: false, why: 'a reference is missing' } });
  expect(foresee(seen)).toMatchObject({ end: 'waits', reason: 'SecretMissing' });
});
