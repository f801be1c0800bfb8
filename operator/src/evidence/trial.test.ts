import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  isUneasy,
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

test('the least time is time in which the candidate was seen to serve, not time in which it started', () => {
  const quiet = { ...POLICY, blindAfterSeconds: 9_999 };
  const starting = watch(start(), 160, () => [candidate('unread', { readySince: false }), stable([90, 0])]);
  expect(judge(starting, POLICY, T0 + 40_000)).toMatchObject({
    verdict: 'Pending',
    message: expect.stringContaining('none of its pods is ready yet'),
  });
  const serving = (scrapes: number) =>
    watch(starting, scrapes, i => [candidate([10 * i, 0]), stable([90 + 30 * i, 0])], 40_000);
  expect(atEnd(serving(120)).verdict).toBe('Pending');
  expect(atEnd(serving(121)).verdict).toBe('Good');
  const unread = watch(serving(60), 80, () => [candidate('unread'), stable([9_000, 0])], 55_000);
  const again = watch(unread, 60, i => [candidate([600 + 10 * i, 0]), stable([9_000, 0])], 75_000);
  expect(atEnd(again, quiet).verdict).toBe('Pending');
});

test('a pod of the candidate that takes long to start is not one that cannot be read', () => {
  const starting = watch(start(), 400, () => [candidate('unread', { readySince: false }), stable([90, 0])]);
  expect(atEnd(starting).verdict).toBe('Pending');
  expect(atEnd(watch(starting, 61, () => [candidate('unread'), stable([90, 0])], 100_000)).verdict).toBe('Blind');
});

test('requests counted when they begin and errors when they end are no restart', () => {
  const reads: [number, number][] = [
    [1_000, 10],
    [1_001, 10],
    [1_001, 11],
    [1_002, 11],
  ];
  const seen = watch(start(), reads.length, i => [candidate(reads[i] ?? [0, 0]), stable([1_000 + i, 0])]);
  expect(atEnd(seen).candidate).toMatchObject({ requests: 1_002, errors: 11 });
});

test('errors that are quick do not stand for the requests beside them that take long', () => {
  const inFlight = (i: number) => ({ reading: { known: true, requests: i, errors: i, inFlight: 19 * i } }) as const;
  const slow = watch(start(), 40, i => [candidate([0, 0], inFlight(i)), stable([100 + 3 * i, 0])]);
  expect(atEnd(slow).evidence.absolute).toBeLessThan(1);
  const silent = watch(start(), 40, i => [candidate([i, i]), stable([100 + 3 * i, 0])]);
  expect(atEnd(silent).verdict).toBe('Bad');
});

test('requests in flight are no successes: nothing passes while their failures would matter', () => {
  const many = (inFlight: number) => (i: number) => [
    candidate([0, 0], { reading: { known: true, requests: 2 * i, errors: 0, inFlight } }),
    stable([6 * i, 0]),
  ];
  expect(atEnd(watch(start(), 130, many(0))).verdict).toBe('Good');
  expect(atEnd(watch(start(), 130, many(30))).verdict).toBe('Pending');
});

test('errors that the service had before and that only moved to the candidate are no regression', () => {
  const moved = (before: number) =>
    atEnd(watch(start(), 200, i => [candidate([25 * i, 4 * i]), stable([50_000 + 75 * i, before])]));
  expect(moved(2_000)).toMatchObject({
    verdict: 'Pending',
    message: expect.stringContaining('the service as a whole fails no more than before'),
  });
  expect(moved(0).verdict).toBe('Bad');
  const worse = watch(start(), 200, i => [candidate([25 * i, 20 * i]), stable([50_000 + 75 * i, 2_000])]);
  expect(atEnd(worse).verdict).toBe('Bad');
});

test('an outage that the stable pods have behind them makes nobody slower to find a bad release', () => {
  const bad = watch(start(), 13, i => [candidate([2 * i, i]), stable([1_000 + 6 * i, 400])]);
  expect(atEnd(bad).verdict).toBe('Bad');
});

test('where pods fail alone for a moment now and then, a moment says nothing; what lasts does', () => {
  const failing = (scrapes: number) =>
    watch(start(), scrapes, i => [candidate([2 * i, 2 * i]), stable([50_000 + 6 * i, 1_700])]);
  expect(atEnd(failing(8)).verdict).toBe('Pending');
  expect(atEnd(failing(14)).verdict).toBe('Bad');
});

test('a stable pod that takes long to answer is compared as of when it was asked, and holds nobody up', () => {
  // asked at every fourth scrape, read four scrapes later
  const slow = (i: number, failing: boolean) => {
    const askedAt = T0 + (i - 4) * 250;
    const counted = 100 + 6 * (i - 4);
    if (i % 4 > 0 || i < 4) return pod('slow', 'baseline', 'unread');
    const reading = { known: true, requests: counted, errors: failing ? counted - 100 : 0, askedAt } as const;
    return pod('slow', 'baseline', [0, 0], { reading });
  };
  const bad = watch(start(), 60, i => [candidate([2 * i, i]), stable([100 + 6 * i, 0]), slow(i, false)]);
  expect(atEnd(bad).verdict).toBe('Bad');
  const outage = watch(start(), 60, i => [candidate([2 * i, 2 * i]), slow(i, true)]);
  expect(atEnd(outage).verdict).toBe('DependencyDegraded');
});

test('no request reaches the candidate because clients keep their connections: that is said', () => {
  const kept = watch(start(), 60, i => [candidate([0, 0]), stable([100 + 20 * i, 0])]);
  const { verdict, message } = judge(kept, { ...POLICY, blindAfterSeconds: 9_999 }, T0 + 600_000);
  expect([verdict, message]).toEqual(['Insufficient', expect.stringContaining('clients keep their connections')]);
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

test('a bad candidate is found soon after a moment in which the stable pods failed, too', () => {
  const trouble = watch(start(), 8, i => [candidate([5 * i, 3 * i]), stable([100 + 10 * i, 5 * i])]);
  const after = (scrapes: number) =>
    watch(trouble, scrapes, i => [candidate([35 + 5 * i, 21 + 3 * i]), stable([170 + 10 * i, 35])], 2_000);
  expect(atEnd(after(6)).verdict).toBe('DependencyDegraded');
  expect(atEnd(after(24)).verdict).toBe('Bad');
});

test('what hung in an outage and failed at its end is no error of the requests that come later', () => {
  const reading = (requests: number, errors: number, inFlight: number): Partial<PodReading> => ({
    reading: { known: true, requests, errors, inFlight },
  });
  const hung = watch(start(), 8, i => [candidate([0, 0], reading(0, 0, 5 * i)), stable([100 + 10 * i, 0])]);
  const failed = watch(hung, 1, () => [candidate([0, 0], reading(35, 35, 0)), stable([180, 0])], 2_000);
  const evidence = (scrapes: number) =>
    atEnd(
      watch(failed, scrapes, i => [candidate([0, 0], reading(37 + 2 * i, 35, 0)), stable([190 + 10 * i, 0])], 2_250),
    ).evidence;
  expect(evidence(1).absolute).toBeLessThan(atEnd(failed).evidence.absolute);
  expect(evidence(2).absolute).toBeLessThan(evidence(1).absolute);
});

test('an operator restart loses nothing about the candidate: its counters began with the pod', () => {
  const ready = { readySince: T0 + 2_000 };
  const anew = watch(start(), 40, i => [candidate([400 + 2 * i, 0], ready), stable([9_000 + 6 * i, 0])], 60_000);
  expect(atEnd(anew)).toMatchObject({ verdict: 'Pending', candidate: { requests: 478 }, baseline: { requests: 234 } });
  const looked = observe(anew, { at: T0 + 70_000, pods: [candidate([480, 0], ready)] });
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
  const anew = watch(
    start(),
    41,
    i => [candidate([20 + (i > 0 ? 1 : 0), 0], { readySince: T0 }), stable([90, 0])],
    700_000,
  );
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

test('a candidate above its limit never runs out of time: it is not to be promoted for want of a comparison', () => {
  const noWorse = watch(start(), 200, i => [candidate([2 * i, i]), stable([100 + i, i])]);
  expect(judge(noWorse, { ...POLICY, timeoutSeconds: 10 }, noWorse.lastAt).verdict).not.toBe('Insufficient');
});

test('stable pods that were never readable leave nothing to compare with: the limit alone decides, and it is said', () => {
  const unread = (scrapes: number) => watch(start(), scrapes, i => [candidate([2 * i, 2 * i]), stable('unread')]);
  expect(atEnd(unread(40)).verdict).toBe('Pending');
  expect(atEnd(unread(44))).toMatchObject({
    verdict: 'Bad',
    message: expect.stringContaining('the stable pods could not be read for 10 s (old: refused)'),
  });
});

test('stable pods that cannot be read any more may hang in the same outage: that takes a minute', () => {
  const lost = (scrapes: number) =>
    watch(start(), scrapes, i => [candidate([2 * i, 2 * i]), i < 2 ? stable([5_000, 0]) : stable('unread')]);
  expect(atEnd(lost(230)).verdict).toBe('Pending');
  expect(atEnd(lost(250)).verdict).toBe('Bad');
});

test('stable pods that are read every other time and answer requests are compared with, however seldom they are read', () => {
  const seldom = watch(start(), 400, i => [
    candidate([2 * i, 2 * i]),
    i % 2 ? stable('unread') : stable([6 * i, 6 * i]),
  ]);
  expect(atEnd(seldom).verdict).toBe('DependencyDegraded');
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

test('who is not asked is not silent: what counts is for how long it was asked in vain', () => {
  const seen = watch(start(), 10, i => [candidate([2 * i, 0]), stable([6 * i, 0])]);
  const late = watch(seen, 1, () => [candidate('unread'), stable([60, 0])], 100_000);
  expect(atEnd(late).verdict).toBe('Pending');
  const still = watch(late, 1, () => [candidate('unread'), stable([60, 0])], 114_999);
  expect(atEnd(still).verdict).toBe('Pending');
  const blind = watch(still, 1, () => [candidate('unread'), stable([60, 0])], 115_001);
  expect(atEnd(blind)).toMatchObject({
    verdict: 'Blind',
    message: expect.stringContaining('from the candidate for 15 s'),
  });
  const read = watch(late, 1, () => [candidate([20, 0])], 200_000);
  expect(atEnd(watch(read, 1, () => [candidate('unread')], 300_000)).verdict).toBe('Pending');
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

test.each([
  ['less than the limit', 0.04, 0.05, 'limit 5 %'],
  ['more than the limit', 0.08, 0.08, 'limit 8 %, for the release before failed more often than 5 %'],
  ['far more, as in an outage', 0.3, 0.1, 'limit 10 %'],
])('bake: the limit where the stable release’s own ratio was %s', (_case, stableErrorRatio, limit, words) => {
  const trial = startTrial({ startedAt: T0, maxServerErrorRatio: 0.05, mode: 'bake', stableErrorRatio });
  expect(trial.limit).toBe(limit);
  expect(atEnd(watch(trial, 2, i => [candidate([i, 0])])).message).toContain(words);
});

test('an outage during the canary does not switch the bake off', () => {
  const trial = startTrial({ startedAt: T0, maxServerErrorRatio: 0.05, mode: 'bake', stableErrorRatio: 0.3 });
  expect(atEnd(watch(trial, 240, i => [candidate([5 * i, Math.floor(2.5 * i)])])).verdict).toBe('Bad');
});

test.each([0.000001, 0.99, 0.999999])('a limit of %s is the one that is judged by', limit => {
  const trial = startTrial({ startedAt: T0, maxServerErrorRatio: limit });
  expect(trial.limit).toBe(limit);
  const below = watch(trial, 400, i => [
    candidate([5 * i, limit > 0.5 ? Math.floor(4.75 * i) : 0]),
    stable([15 * i, 0]),
  ]);
  expect(atEnd(below)).toMatchObject({
    verdict: expect.not.stringMatching('Bad'),
    message: expect.stringContaining(`(limit ${Number((limit * 100).toPrecision(12))} %)`),
  });
  expect(Number.isFinite(atEnd(below).evidence.absolute)).toBe(true);
});

test('bake: one pod of ten that names a failed dependency does not speak for the nine that fail without', () => {
  const ten = (failing: number) => (i: number) =>
    Array.from({ length: 10 }, (_, n) =>
      pod(`p${n}`, 'candidate', [i, n < failing ? i : 0], { dependenciesFailed: n === 0 }),
    );
  expect(atEnd(watch(bake(), 40, ten(10))).verdict).toBe('Bad');
  expect(atEnd(watch(bake(), 40, ten(1))).verdict).toBe('DependencyDegraded');
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

test('one error is enough to be uneasy, for half a minute', () => {
  const one = watch(bake(), 20, i => [candidate([5 * i, i < 19 ? 0 : 1])]);
  expect([isUneasy(watch(bake(), 20, i => [candidate([5 * i, 0])])), isUneasy(one)]).toEqual([false, true]);
  expect(isUneasy(watch(one, 120, i => [candidate([95 + 5 * i, 1])], 5_000))).toBe(false);
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
