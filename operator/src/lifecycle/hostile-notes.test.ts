// Whoever may annotate what is watched chooses what the operator remembers. It decides something all the same, and says
// what: no pass fails for the words. SEED=… repeats a run, RUNS=… lengthens it.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseRefusals } from '../api/incident.ts';
import { readNote } from '../api/notes.ts';
import { PHASES, parseRecord } from '../api/rollout.ts';
import { parseRotation } from '../api/rotation.ts';
import { decide } from './plan.ts';
import { remembered } from './release/remembered.ts';
import type { Judgement, Snapshot } from './snapshot.ts';
import { statusOf } from './status.ts';
import { app, at, deployment, job, judgement, pod, release, snapshot, stablePods, T0 } from './testing.ts';
import { AT, nearly, nearlyText, WRITTEN } from './testing-notes.ts';

const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const RUNS = Number(process.env['RUNS'] ?? 4_000);

const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined });

/** Of a Deployment; of each phase, with and without what a record may leave out. */
const records = fc
  .record({
    phase: fc.constantFrom(...PHASES),
    left: fc.subarray(['stable', 'held', 'withdrawn', 'contract', 'trial', 'asked', 'heldBy', 'byHand', 'again']),
    made: nearly(WRITTEN.rollout, 100),
  })
  .map(({ phase, left, made }) => {
    if (typeof made !== 'object' || made === null) return JSON.stringify(made);
    const rest = Object.entries({ ...made, phase }).filter(([name]) => !left.includes(name));
    return JSON.stringify(Object.fromEntries(rest));
  });

const notes = fc.record(
  {
    ...{ verdict: nearlyText(WRITTEN.verdict), migration: nearlyText({ ...WRITTEN.migration, id: 'm2' }) },
    ...{ downgrade: nearlyText(WRITTEN.downgrade), gone: nearlyText(WRITTEN.gone), served: nearlyText(WRITTEN.served) },
    ...{ rehearsal: nearlyText(WRITTEN.rehearsal), firstMetrics: nearlyText(WRITTEN.firstMetrics) },
    ...{ requestedBy: nearlyText(WRITTEN.requestedBy), attempt: fc.constantFrom('2', '', '1e400', 'x') },
    retryToken: fc.string(),
  },
  { requiredKeys: [] },
);

const ENDS = [
  { kind: 'running' },
  { kind: 'succeeded', endedAt: T0 - 1_000, podRead: true },
  { kind: 'failed', endedAt: T0 - 1_000, podRead: true, detail: 'exit code 1', started: true },
] as const;
const VERDICTS: readonly Judgement['verdict'][] = ['Pending', 'Good', 'Bad', 'Blind', 'Insufficient', 'Overloaded'];

const seen: fc.Arbitrary<Snapshot> = fc
  .record({
    ...{ record: records, remembered: records, first: notes, second: notes },
    refusals: nearlyText([WRITTEN.refusal]),
    rotation: maybe(nearlyText(WRITTEN.rotation)),
    putBack: maybe(nearlyText(WRITTEN.putBack)),
    verdict: maybe(fc.constantFrom(...VERDICTS)),
    end: maybe(fc.constantFrom(...ENDS)),
    isMade: fc.boolean(),
  })
  .map(made => {
    const record = parseRecord(made.record);
    const isKnown = record !== undefined && record !== 'later';
    const written = (hash: string, number: number, texts: typeof made.first) =>
      remembered({ name: `shop-${hash}`, number, release: release(hash), notes: texts as never }, at(-600));
    const rotated = parseRotation(made.rotation);
    const putBack = readNote('putBack', made.putBack);
    const { deployment: _none, ...around } = snapshot();
    const given = app();
    return {
      ...around,
      app: { ...given, status: { ...given.status, rollout: { ...given.status.rollout, record: made.remembered } } },
      ...(record === 'later' && { isLaterRecord: true as const }),
      ...(isKnown && {
        deployment: { ...deployment(), record, refusals: parseRefusals(made.refusals) ?? [] },
      }),
      keys: around.keys.map(key => ({ ...key, ...(rotated && { record: rotated }), ...(putBack && { putBack }) })),
      revisions: [written('v1', 1, made.first), ...(made.isMade ? [written('v2', 2, made.second)] : [])],
      pods: [...stablePods(), pod('v2', 'shop-c')],
      jobs: made.end === undefined ? [] : [job(made.end)],
      ...(made.verdict && { judgement: judgement(made.verdict) }),
    };
  });

test('whatever has become of its notes, something is decided and told', () => {
  const reasons = new Set<string>();
  fc.assert(
    fc.property(seen, about => {
      const plan = decide(about);
      statusOf(about, plan, 'https://docs.example');
      const ready = plan.conditions.find(({ type }) => type === 'Ready');
      expect(ready).toBeDefined();
      reasons.add(ready?.reason ?? '');
    }),
    { seed: SEED, numRuns: RUNS },
  );
  process.stdout.write(`SEED=${SEED} ${[...reasons].sort().join(', ')}\n`);
  // from an early end to the last stage
  expect(reasons.size).toBeGreaterThan(5);
});

test('a note of which a place was changed is found out anew', () => {
  const migration = JSON.stringify({ ...WRITTEN.migration, applied: null });
  const known = remembered({ name: 'shop-v2', number: 2, release: release('v2'), notes: { migration } }, AT);
  expect(known.migration).toBeUndefined();
  expect(known.verdict.verdict).toBe('pending');
});
