import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  judge,
  observe,
  type PodReading,
  type Policy,
  type Reading,
  type Scrape,
  startTrial,
  type Trial,
} from './trial.ts';

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
console.log(`evidence/trial properties: SEED=${seed}`);
fc.configureGlobal({ seed });

const T0 = 1_700_000_000_000;
const POLICY: Policy = { minimumSeconds: 30, minimumRequests: 50, timeoutSeconds: 600, blindAfterSeconds: 15 };
const start = () => startTrial({ startedAt: T0, maxServerErrorRatio: 0.05 });
const bake = () => startTrial({ startedAt: T0, maxServerErrorRatio: 0.05, mode: 'bake', bakeSeconds: 1800 });

type Counters = readonly [requests: number, errors: number] | 'unread';

function pod(uid: string, group: PodReading['group'], counters: Counters, more: Partial<PodReading> = {}): PodReading {
  const reading: Reading =
    counters === 'unread'
      ? { known: false, why: 'refused' }
      : { known: true, requests: counters[0], errors: counters[1] };
  return { name: uid, uid, group, restarts: 0, reading, ...more };
}
const candidate = (counters: Counters, more?: Partial<PodReading>) => pod('new', 'candidate', counters, more);
const stable = (counters: Counters, more?: Partial<PodReading>) => pod('old', 'baseline', counters, more);

/** One scrape every 250 ms; each row gives the pods of the i-th. */
function watch(trial: Trial, scrapes: number, pods: (i: number) => PodReading[], from = 0): Trial {
  let seen = trial;
  for (let i = 0; i < scrapes; i++) seen = observe(seen, { at: T0 + from + i * 250, pods: pods(i) });
  return seen;
}
const atEnd = (trial: Trial, policy = POLICY) => judge(trial, policy, trial.lastAt);

test('nothing is said before the first reading', () => {
  expect(judge(start(), POLICY, T0 + 3_600_000)).toMatchObject({ verdict: 'Pending', message: 'no reading yet' });
});

test('half of the candidate’s requests fail beside healthy pods: Bad, with the figures in the message', () => {
  const judgement = atEnd(watch(start(), 13, i => [candidate([2 * i, i]), stable([100 + 6 * i, 0])]));
  expect(judgement).toMatchObject({
    verdict: 'Bad',
    candidate: { requests: 24, errors: 12 },
    baseline: { requests: 72 },
  });
  expect(judgement.message).toBe('12 of 24 requests answered 5xx (limit 5 %), the pods beside it 0 of 72');
  expect(judgement.decidedAt).toBeLessThanOrEqual(T0 + 12 * 250);
  expect(judgement.firstErrorAt).toBe(T0 + 250);
});

test('Bad is final, also when the candidate answers well again or cannot be read any more', () => {
  const bad = watch(start(), 13, i => [candidate([2 * i, i]), stable([6 * i, 0])]);
  expect(atEnd(watch(bad, 400, i => [candidate([24 + 9 * i, 12]), stable([72, 0])], 4_000)).verdict).toBe('Bad');
  expect(judge(bad, POLICY, T0 + 900_000).verdict).toBe('Bad');
});

test('well below the limit is Good, but not before the least time and the least requests', () => {
  const quick = watch(start(), 40, i => [candidate([10 * i, 0]), stable([30 * i, 0])]);
  expect(atEnd(quick).verdict).toBe('Pending');
  expect(atEnd(quick, { ...POLICY, minimumSeconds: 9 }).verdict).toBe('Good');
  expect(atEnd(quick, { ...POLICY, minimumSeconds: 9, minimumRequests: 1_000 }).verdict).toBe('Pending');
  expect(atEnd(watch(quick, 100, i => [candidate([390 + i, 0]), stable([1200, 0])], 10_000)).verdict).toBe('Good');
});

test('both fail: the release is not to blame, and goes on to Good when the outage is over', () => {
  const outage = watch(start(), 40, i => [candidate([2 * i, 2 * i]), stable([6 * i, 6 * i])]);
  expect(atEnd(outage)).toMatchObject({
    verdict: 'DependencyDegraded',
    message: expect.stringContaining('not to blame'),
  });
  const after = watch(outage, 300, i => [candidate([78 + 2 * i, 78]), stable([234 + 6 * i, 234])], 10_000);
  expect(atEnd(after).verdict).toBe('Good');
});

test('both fail and the candidate is a second ahead: still not to blame', () => {
  // four errors a second on the candidate, twelve on the stable pods, which still hang in the first second
  const outage = watch(start(), 60, i => [candidate([i, i]), stable([3 * Math.max(0, i - 4), 3 * Math.max(0, i - 4)])]);
  expect(atEnd(outage).verdict).toBe('DependencyDegraded');
});

test('a candidate that gets bad after an outage is found', () => {
  const outage = watch(start(), 40, i => [candidate([2 * i, 2 * i]), stable([6 * i, 6 * i])]);
  const calm = watch(outage, 120, i => [candidate([78 + 2 * i, 78]), stable([234 + 6 * i, 234])], 10_000);
  expect(atEnd(calm).verdict).not.toBe('Bad');
  const bad = watch(calm, 40, i => [candidate([316 + 2 * i, 78 + i]), stable([948 + 6 * i, 234])], 40_000);
  expect(atEnd(bad).verdict).toBe('Bad');
});

test('an operator restart loses nothing about the candidate: its counters began with the pod', () => {
  const anew = watch(start(), 40, i => [candidate([400 + 2 * i, 0]), stable([9_000 + 6 * i, 0])], 60_000);
  expect(atEnd(anew)).toMatchObject({ verdict: 'Pending', candidate: { requests: 478 }, baseline: { requests: 234 } });
  const looked = observe(anew, { at: T0 + 70_000, pods: [candidate([480, 0])] });
  expect(atEnd(looked).verdict).toBe('Good');
});

test('an operator that starts in the middle of a bad release finds it, and does not run out of time first', () => {
  const late = { ...POLICY, timeoutSeconds: 20 };
  const first = watch(start(), 1, () => [candidate([100, 50]), stable([9_000, 0])], 60_000);
  expect(atEnd(first, late).verdict).toBe('Pending');
  const next = watch(first, 20, i => [candidate([100 + 2 * i, 50 + i]), stable([9_000 + 6 * i, 0])], 60_250);
  expect(atEnd(next, late).verdict).toBe('Bad');
});

test('an operator that starts when the time is long over looks for ten seconds before it says so', () => {
  const anew = watch(start(), 41, i => [candidate([20 + (i > 0 ? 1 : 0), 0]), stable([90, 0])], 700_000);
  expect(judge(anew, POLICY, T0 + 709_000).verdict).toBe('Pending');
  expect(judge(anew, POLICY, T0 + 710_000).verdict).toBe('Insufficient');
});

test('what a candidate answered before the first reading is not compared: nobody else was read over that span', () => {
  const anew = watch(start(), 40, i => [candidate([40 + i, 40]), stable([1_000 + 9 * i, 40])]);
  expect(atEnd(anew).evidence.relative).toBeLessThan(1);
});

test('in an outage what seemed worse about the candidate is forgotten', () => {
  const outage = watch(start(), 40, i => [candidate([2 * i, 2 * i]), stable([6 * i, 6 * i])]);
  expect(atEnd(outage).evidence.relative).toBeLessThan(0.1);
});

test('too few requests in the whole time are Insufficient, with the estimate', () => {
  const sparse = watch(start(), 60, i => [candidate([i, 0]), stable([i, 0])]);
  const judgement = judge(sparse, { ...POLICY, blindAfterSeconds: 9_999 }, T0 + 600_000);
  expect(judgement).toMatchObject({ verdict: 'Insufficient', message: expect.stringContaining('0 of 59') });
});

test('a candidate above its limit never runs out of time: it is not to be promoted for want of a baseline', () => {
  const unread = watch(start(), 200, i => [candidate([2 * i, i]), stable('unread')]);
  expect(judge(unread, { ...POLICY, timeoutSeconds: 10 }, unread.lastAt)).toMatchObject({
    verdict: 'Pending',
    message: expect.stringContaining('above the limit'),
  });
});

test.each([
  ['an unreadable baseline', () => stable('unread')],
  ['a baseline that is read every other time', (i: number) => stable(i % 2 ? [0, 0] : 'unread')],
])('%s is not one without traffic', (_case, baseline) => {
  expect(atEnd(watch(start(), 400, i => [candidate([2 * i, i]), baseline(i)])).verdict).toBe('Pending');
});

test('stable pods that get no requests leave nothing to compare with: the limit alone decides, ten seconds later', () => {
  const silent = (scrapes: number) => watch(start(), scrapes, i => [candidate([2 * i, i]), stable([0, 0])]);
  expect(atEnd(silent(40)).verdict).toBe('Pending');
  expect(atEnd(silent(44)).verdict).toBe('Bad');
});

test('stable pods that served before and now finish nothing may hang: that takes a minute', () => {
  const hanging = (scrapes: number) => watch(start(), scrapes, i => [candidate([2 * i, i]), stable([5_000, 0])]);
  expect(atEnd(hanging(230)).verdict).toBe('Pending');
  expect(atEnd(hanging(250)).verdict).toBe('Bad');
});

test('Blind: nothing read from the candidate for too long, with the reason; readings end it', () => {
  const seen = watch(start(), 10, i => [candidate([2 * i, 0]), stable([6 * i, 0])]);
  const blind = watch(seen, 61, () => [candidate('unread'), stable([60, 0])], 2_500);
  expect(atEnd(blind)).toMatchObject({ verdict: 'Blind', message: expect.stringContaining('new: refused') });
  expect(atEnd(watch(blind, 1, () => [candidate([20, 0])], 20_000)).verdict).toBe('Pending');
});

test('a counter that restarts adds what it counted anew; a pod that is gone keeps what it had counted', () => {
  const scrapes: PodReading[][] = [
    [candidate([10, 1]), stable([100, 0])],
    [candidate([20, 2]), stable([130, 0])],
    [candidate([3, 1], { restarts: 1 }), stable([5, 0], { restarts: 1 })],
    [candidate([4, 1], { restarts: 1 })],
  ];
  const seen = watch(start(), scrapes.length, i => scrapes[i] ?? []);
  expect(atEnd(seen)).toMatchObject({
    candidate: { requests: 24, errors: 3, pods: 1, restarts: 1 },
    baseline: { requests: 35, errors: 0, pods: 1, restarts: 1 },
  });
});

test('pods that HPA adds: a candidate’s count from zero, a stable one’s from its first reading', () => {
  const seen = watch(start(), 2, i => [
    candidate([10, 0]),
    stable([100, 0]),
    ...(i === 1 ? [pod('new2', 'candidate', [7, 1]), pod('old2', 'baseline', [50, 9])] : []),
  ]);
  expect(atEnd(seen)).toMatchObject({ candidate: { requests: 17, errors: 1 }, baseline: { requests: 0, errors: 0 } });
});

test('a baseline pod that hangs is waited for two seconds, then compared without', () => {
  const other = (i: number) => pod('old2', 'baseline', i === 0 ? [0, 0] : 'unread');
  const short = watch(start(), 9, i => [candidate([4 * i, 2 * i]), stable([12 * i, 0]), other(i)]);
  expect(atEnd(short)).toMatchObject({ verdict: 'Pending', evidence: { relative: expect.any(Number) } });
  expect(
    atEnd(watch(short, 8, i => [candidate([32 + 4 * i, 16 + 2 * i]), stable([96 + 12 * i, 0]), other(1)], 2_250))
      .verdict,
  ).toBe('Bad');
});

test('bake: a release that turns bad after 2,000 good requests is found within 3 s', () => {
  const good = watch(bake(), 400, i => [candidate([5 * i, 0])]);
  expect(atEnd(good).verdict).toBe('Good');
  const bad = watch(good, 12, i => [candidate([2_000 + 5 * i, 2 * i])], 100_000);
  expect(atEnd(bad)).toMatchObject({ verdict: 'Bad', message: '22 of 2055 requests answered 5xx (limit 5 %)' });
});

test('bake: the limit is twice the stable release’s own ratio where that is more', () => {
  const trial = startTrial({ startedAt: T0, maxServerErrorRatio: 0.05, mode: 'bake', stableErrorRatio: 0.2 });
  expect(trial.limit).toBe(0.4);
  expect(startTrial({ startedAt: T0, maxServerErrorRatio: 0.05, mode: 'bake', stableErrorRatio: 0.001 }).limit).toBe(
    0.05,
  );
});

test('bake: pods that name a failed dependency are not to blame, nor for what still fails shortly after', () => {
  const failing = (i: number) => [candidate([5 * i, 5 * i], { dependenciesFailed: true })];
  const outage = watch(bake(), 40, failing);
  expect(atEnd(outage).verdict).toBe('DependencyDegraded');
  const after = watch(outage, 30, i => [candidate([195 + 5 * i, 195 + 5 * i], { dependenciesFailed: false })], 10_000);
  expect(atEnd(after).verdict).toBe('DependencyDegraded');
});

test.each([
  ['that do not answer are waited for', 'unknown', 100, 'Pending'],
  ['that do not answer for half a minute are not', 'unknown', 130, 'Bad'],
  ['that name none turn it Bad', false, 12, 'Bad'],
  ['that nobody asks are judged without', undefined, 12, 'Bad'],
] as const)('bake: pods %s', (_case, answer, scrapes, verdict) => {
  const more = answer === undefined ? {} : { dependenciesFailed: answer };
  expect(atEnd(watch(bake(), scrapes, i => [candidate([5 * i, 3 * i], more)])).verdict).toBe(verdict);
});

// --- whatever comes ---

const counters = fc.oneof(
  fc.constant<Counters>('unread'),
  fc.tuple(fc.integer({ min: -5, max: 1_000 }), fc.integer({ min: -5, max: 1_000 })),
  fc.constantFrom<Counters>([Number.NaN, 1], [1, Number.POSITIVE_INFINITY]),
);
const anyPod = fc
  .tuple(fc.constantFrom('a', 'b', 'c', 'd'), counters, fc.nat(3))
  .map(([uid, read, restarts]) => pod(uid, uid < 'c' ? 'candidate' : 'baseline', read, { restarts }));
const anyScrape: fc.Arbitrary<Scrape> = fc.record({
  at: fc.integer({ min: T0 - 5_000, max: T0 + 100_000 }),
  pods: fc.uniqueArray(anyPod, { selector: ({ uid }) => uid }),
});

test('figures are never negative, never shrink, and errors never exceed requests', () => {
  fc.assert(
    fc.property(fc.array(anyScrape), scrapes => {
      let trial = start();
      let before = judge(trial, POLICY, T0);
      for (const scrape of scrapes) {
        trial = observe(trial, scrape);
        const now = judge(trial, POLICY, trial.lastAt);
        for (const group of ['candidate', 'baseline'] as const) {
          expect(now[group].requests).toBeGreaterThanOrEqual(before[group].requests);
          expect(now[group].errors).toBeLessThanOrEqual(now[group].requests);
          expect(now[group].errors).toBeGreaterThanOrEqual(0);
        }
        expect(Number.isFinite(now.evidence.absolute + now.evidence.relative + now.evidence.good)).toBe(true);
        before = now;
      }
    }),
  );
});

test('a scrape more or less in between changes neither the counts nor, below the cap, the evidence', () => {
  // one request at a time, so that no scrape reaches the cap
  const pattern = fc.array(fc.tuple(fc.boolean(), fc.constantFrom(0, 1, 2, 3)), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(pattern, fc.nat(), (requests, extra) => {
      const once = start();
      const scrapes: Scrape[] = [{ at: T0, pods: [candidate([0, 0])] }];
      let errors = 0;
      for (const [i, [failed]] of requests.entries()) {
        errors += failed ? 1 : 0;
        scrapes.push({ at: T0, pods: [candidate([i + 1, errors])] });
      }
      const repeated = scrapes.flatMap((scrape, i) => (i === extra % scrapes.length ? [scrape, scrape] : [scrape]));
      const a = judge(scrapes.reduce(observe, once), POLICY, T0);
      const b = judge(repeated.reduce(observe, once), POLICY, T0);
      expect(b.candidate).toEqual(a.candidate);
      expect(b.evidence).toEqual(a.evidence);
    }),
  );
});
