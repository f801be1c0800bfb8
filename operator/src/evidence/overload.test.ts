import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { borneAfter, isExcusedAlone, isExcusedBeside, loadOf, NOTHING_BORNE, recent, servedWords } from './overload.ts';
import { judge, observe, type PodReading, type Policy, startTrial, type Trial } from './trial.ts';

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
console.log(`evidence/overload properties: SEED=${seed}`);
fc.configureGlobal({ seed });

const T0 = 1_700_000_000_000;
const POLICY: Policy = { minimumSeconds: 5, minimumRequests: 10, timeoutSeconds: 60, blindAfterSeconds: 15 };
const start = (more: object = {}) => startTrial({ startedAt: T0, maxServerErrorRatio: 0.05, ...more });

/** What a pod answers in each quarter of a second. */
type Each = { readonly requests: number; readonly errors?: number; readonly shed?: number };
const pod = (group: PodReading['group'], i: number, { requests, errors = 0, shed }: Each): PodReading => ({
  name: group,
  uid: group,
  group,
  restarts: 0,
  reading: {
    known: true,
    requests: Math.floor(i * requests),
    errors: Math.floor(i * errors),
    ...(shed !== undefined && { shed: Math.floor(i * shed) }),
  },
});

/** One stable pod beside one candidate; in a bake the candidate alone. */
function watch(trial: Trial, seconds: number, candidate: Each, baseline?: Each): Trial {
  let seen = trial;
  for (let i = 0; i <= seconds * 4 && seen.badAt === undefined; i++) {
    const pods = [pod('candidate', i, candidate), ...(baseline ? [pod('baseline', i, baseline)] : [])];
    seen = observe(seen, { at: T0 + i * 250, pods });
  }
  return seen;
}
const atEnd = (trial: Trial) => judge(trial, POLICY, trial.lastAt);
const secondsTo = (trial: Trial) => (trial.lastAt - T0) / 1_000;

test('both turn requests away: nobody is blamed, nothing passes and nothing runs out of time', () => {
  const both = { requests: 10, errors: 4, shed: 4 };
  const judgement = atEnd(watch(start(), 120, both, both));
  expect(judgement.verdict).toBe('Overloaded');
  expect(judgement.candidate).toMatchObject({ requests: 4_800, errors: 1_920, shed: 1_920 });
  expect(judgement.message).toContain(
    '1920 of 4800 requests answered 5xx (limit 5 %), the pods beside it 1920 of 4800, of these for overload 1920, of the pods beside it 1920',
  );
  expect(judgement.message).toContain('the release is not to blame');
});

test('only the candidate turns away what a stable pod bears: it is taken back, with both numbers', () => {
  const judgement = atEnd(watch(start(), 30, { requests: 4, errors: 2, shed: 2 }, { requests: 4, errors: 0, shed: 0 }));
  expect(judgement).toMatchObject({ verdict: 'Bad', fault: 'OverloadRegression', baseline: { errors: 0 } });
  expect(judgement.candidate.shed).toBe(judgement.candidate.errors);
  expect(judgement.message).toMatch(
    /of these for overload \d+, of the pods beside it 0; a pod of it served 8(\.\d)?\/s, one beside it 16\/s/,
  );
});

test('a release that calls all of its requests overload is found about as soon as one that fails them', () => {
  const beside = { requests: 4, errors: 0, shed: 0 };
  const failing = watch(start(), 60, { requests: 4, errors: 4, shed: 0 }, beside);
  const shedding = watch(start(), 60, { requests: 4, errors: 4, shed: 4 }, beside);
  expect([atEnd(failing).verdict, atEnd(shedding).verdict]).toEqual(['Bad', 'Bad']);
  expect(secondsTo(shedding) - secondsTo(failing)).toBeLessThanOrEqual(3);
});

test.each<[string, Each]>([
  ['counts none of its 503 as shed', { requests: 4, errors: 2, shed: 0 }],
  ['knows no such series', { requests: 4, errors: 2 }],
])('a release that %s is broken, as before', (_case, candidate) => {
  const trial = watch(start(), 30, candidate, { requests: 4, errors: 0, shed: 0 });
  expect(atEnd(trial)).toMatchObject({ verdict: 'Bad' });
  expect(atEnd(trial)).not.toHaveProperty('fault');
  expect(atEnd(trial).message).not.toContain('overload');
  expect(secondsTo(trial)).toBe(secondsTo(watch(start(), 30, { requests: 4, errors: 2 }, { requests: 4 })));
});

test('whatever share of what it fails it calls overload, a release is taken back beside pods that serve', () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(fc.double({ min: 0.3, max: 1, noNaN: true }), share, share, (failing, calledShed, own) => {
      const candidate = { requests: 8, errors: 8 * failing, shed: 8 * failing * calledShed };
      const baseline = { requests: 8, errors: 0.4 * own, shed: 0.4 * own };
      return atEnd(watch(start(), 60, candidate, baseline)).verdict === 'Bad';
    }),
    { numRuns: 40 },
  );
});

test('faults show through an overload of all: what fails is not hidden by what is shed', () => {
  const candidate = { requests: 20, errors: 14, shed: 8 };
  const judgement = atEnd(watch(start(), 180, candidate, { requests: 20, errors: 8, shed: 8 }));
  expect(judgement.verdict).toBe('Bad');
});

test.each<[string, Each, Each | undefined]>([
  [
    'gets far more requests than a stable pod, and serves no less',
    { requests: 20, errors: 8, shed: 8 },
    { requests: 5 },
  ],
  ['has nothing beside it', { requests: 20, errors: 8, shed: 8 }, undefined],
  ['has pods beside it that are asked nothing', { requests: 20, errors: 8, shed: 8 }, { requests: 0 }],
])('not blamed, and not passed either: a candidate that %s', (_case, candidate, baseline) => {
  expect(atEnd(watch(start(), 180, candidate, baseline)).verdict).toBe('Overloaded');
});

test('overloaded alone, with faults beside: the limit judges the faults', () => {
  const judgement = atEnd(watch(start(), 60, { requests: 20, errors: 12, shed: 4 }));
  expect(judgement).toMatchObject({ verdict: 'Bad', message: expect.stringContaining('judged by its limit alone') });
});

const bake = (more: object = {}) => start({ mode: 'bake', bakeSeconds: 1_800, ...more });

test('in the bake more traffic than pods bear is nobody’s fault', () => {
  const borne = { all: 40, perPod: 40 };
  const judgement = atEnd(watch(bake({ borne }), 60, { requests: 30, errors: 15, shed: 15 }));
  expect(judgement.verdict).toBe('Overloaded');
  expect(judgement.message).toContain('a pod of it served 61/s, one was seen to bear 57/s: there is too much to do');
});

test('in the bake pods that serve far less than they bore, and turn the rest away, are taken back', () => {
  const known = watch(bake({ borne: { all: 40, perPod: 40 } }), 60, { requests: 10, errors: 6, shed: 6 });
  expect(atEnd(known)).toMatchObject({ verdict: 'Bad', fault: 'OverloadRegression' });
  const unknown = watch(bake(), 60, { requests: 10, errors: 6, shed: 6 });
  expect(atEnd(unknown).verdict).toBe('Overloaded');
});

test('a release that is quick to fail does not look busy by it', () => {
  const fails = { requests: 20, errors: 18, shed: 9 };
  expect(atEnd(watch(start(), 60, fails, { requests: 5, errors: 0, shed: 0 })).verdict).toBe('Bad');
});

test('beside an older release that fails under load and calls nothing shed, nobody is blamed', () => {
  const older = { requests: 10, errors: 5 };
  expect(atEnd(watch(start(), 120, { requests: 10, errors: 5, shed: 5 }, older)).verdict).toBe('Overloaded');
});

test('what an operator that was restarted did not see is held against nobody', () => {
  const before = { requests: 40_000, errors: 30_000, shed: 30_000 };
  const pods = [pod('candidate', 1, before), pod('baseline', 1, { requests: 40_000 })];
  let trial = start();
  for (let i = 0; i < 40; i++) trial = observe(trial, { at: T0 + i * 250, pods });
  expect(atEnd(trial).verdict).not.toBe('Bad');
  expect(atEnd(trial).verdict).not.toBe('Good');
});

test('never more is called overload than failed, whatever a pod claims', () => {
  const claim = fc.record({
    requests: fc.nat(50),
    errors: fc.nat(60),
    shed: fc.oneof(fc.integer({ min: -5, max: 90 }), fc.constant(Number.NaN)),
  });
  fc.assert(
    fc.property(fc.array(claim, { minLength: 1, maxLength: 30 }), claims => {
      const trial = claims.reduce(
        (seen, { requests, errors, shed }, i) =>
          observe(seen, {
            at: T0 + i * 250,
            pods: [{ ...pod('candidate', 0, { requests: 0 }), reading: { known: true, requests, errors, shed } }],
          }),
        start(),
      );
      const { errors, shed = 0 } = atEnd(trial).candidate;
      return shed >= 0 && shed <= errors;
    }),
  );
});

// --- rates ---

const steadily = (perSecond: number, seconds: number, shed = 0) => {
  let seen = recent(undefined, undefined, T0);
  for (let i = 1; i <= seconds * 4; i++)
    seen = recent(seen, { served: perSecond / 4, failed: shed / 4, shed: shed / 4 }, T0 + i * 250);
  return seen;
};
const load = (perSecond: number, { seconds = 30, shed = 0, pods = 1 } = {}) =>
  loadOf(Array(pods).fill(steadily(perSecond, seconds, shed)), T0 + seconds * 1_000);

test.each([1, 5, 60])('a steady rate is known for what it is after %i s', seconds => {
  expect(load(8, { seconds, shed: 2 }).served).toBeCloseTo(8, 0);
  expect(load(8, { seconds, shed: 2 }).failed).toBeCloseTo(2, 0);
});

test.each<[string, boolean, boolean]>([
  ['it serves less than a stable pod', isExcusedBeside(load(4), load(10), 0.05), false],
  ['it serves as much', isExcusedBeside(load(10), load(10), 0.05), true],
  [
    'each of two serves as much as each of four',
    isExcusedBeside(load(10, { pods: 2 }), load(10, { pods: 4 }), 0.05),
    true,
  ],
  ['somewhat less, and these are overloaded, too', isExcusedBeside(load(7), load(10, { shed: 2 }), 0.05), true],
  ['far less than overloaded pods', isExcusedBeside(load(4), load(10, { shed: 2 }), 0.05), false],
  ['stable pods that serve nobody', isExcusedBeside(load(0), load(0), 0.05), true],
  ['read for an instant only', isExcusedBeside(load(0, { seconds: 0.25 }), load(10), 0.05), true],
  ['alone, as much as ever', isExcusedAlone(load(10), { all: 10, perPod: 10 }), true],
  ['alone, less than ever', isExcusedAlone(load(5), { all: 10, perPod: 10 }), false],
  ['less of all by fewer pods', isExcusedAlone(load(10), { all: 30, perPod: 10 }), true],
  ['less by each of more pods', isExcusedAlone(load(4, { pods: 5 }), { all: 20, perPod: 10 }), true],
  ['nothing is known of before', isExcusedAlone(load(0), NOTHING_BORNE), true],
])('excused: %s', (_case, isExcused, expected) => {
  expect(isExcused).toBe(expected);
});

test('what was borne only grows, is less than what was counted, and needs ten seconds', () => {
  const borne = borneAfter(NOTHING_BORNE, load(10), load(10, { pods: 3 }));
  expect(borne.all).toBeGreaterThan(35);
  expect(borne.all).toBeLessThan(40);
  expect(borne.perPod).toBeLessThan(10);
  expect(borneAfter(borne, load(1), load(1))).toEqual(borne);
  expect(borneAfter(NOTHING_BORNE, load(10, { seconds: 9 }), load(0, { pods: 0 }))).toEqual(NOTHING_BORNE);
  expect(servedWords(load(2.5), load(12, { pods: 2 }), borne)).toBe('a pod of it served 2.5/s, one beside it 12/s');
});
