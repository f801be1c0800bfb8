import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  aboveBefore,
  aboveLimit,
  aboveLimitDetector,
  advance,
  bakeOnset,
  belowLimitDetector,
  CANARY_ONSET,
  type Counts,
  type Detector,
  errorRatioBefore,
  eValueOf,
  FALSE_BAD,
  FALSE_BLAME,
  FALSE_GOOD,
  FALSE_RISE,
  forget,
  GOOD_ONSET,
  isGood,
  logBernoulli,
  logOddsRatio,
  onsetBetween,
  proves,
  ratiosAbove,
  showsGood,
  towardsGood,
  worseThan,
  worseThanDetector,
} from './statistics.ts';

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
console.log(`evidence/statistics properties: SEED=${seed}`);
fc.configureGlobal({ seed });

const counts = (requests: number, errors: number): Counts => ({ requests, errors });
const limits = fc.double({ min: 0.001, max: 0.4, noNaN: true });

/** Expected value of f over the number of errors among `requests`, each failing with chance p. */
function expected(requests: number, p: number, f: (errors: number) => number): number {
  let sum = 0;
  let chance = (1 - p) ** requests;
  for (let errors = 0; errors <= requests; errors++) {
    sum += chance * f(errors);
    chance *= ((requests - errors) / (errors + 1)) * (p / (1 - p));
  }
  return sum;
}

test('alternatives begin just above the limit, double from twice of it and end with nearly always failing', () => {
  expect(ratiosAbove(0.04)).toEqual([0.05, 0.06, 0.08, 0.16, 0.32, 0.64, 0.95]);
  expect(ratiosAbove(0.5)).toEqual([0.625, 0.75, 0.95]);
  expect(ratiosAbove(0.95)).toEqual([0.975]);
});

test('at or below the limit, one more scrape never raises the expected evidence', () => {
  fc.assert(
    fc.property(
      limits,
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.integer({ min: 0, max: 40 }),
      (limit, share, n) => {
        const before = aboveLimitDetector(limit, FALSE_BAD, CANARY_ONSET);
        const after = expected(n, limit * share, k => eValueOf(advance(before, 0, aboveLimit(counts(n, k), limit))));
        return after <= eValueOf(before) * (1 + 1e-9);
      },
    ),
  );
});

test('with equal groups, one more block never raises the expected evidence, whatever failed', () => {
  const requests = fc.integer({ min: 1, max: 40 });
  fc.assert(
    fc.property(requests, requests, fc.double({ min: 0, max: 1, noNaN: true }), (n, m, share) => {
      const errors = Math.round(share * (n + m));
      const before = worseThanDetector(FALSE_BLAME, CANARY_ONSET);
      const after = drawn(n, m, errors, k =>
        eValueOf(advance(before, 0, worseThan(counts(n, k), counts(m, errors - k)))),
      );
      return after <= eValueOf(before) * (1 + 1e-9);
    }),
  );
});

/** Expected value of f over how many of `errors` balls drawn from n + m are among the n. */
function drawn(n: number, m: number, errors: number, f: (k: number) => number): number {
  let sum = 0;
  let all = 0;
  let ways = 1;
  const first = Math.max(0, errors - m);
  for (let k = first; k <= Math.min(n, errors); k++) {
    sum += ways * f(k);
    all += ways;
    ways *= ((n - k) * (errors - k)) / ((k + 1) * (m - errors + k + 1));
  }
  return sum / all;
}

test('the odds ratio is exactly Fisher’s noncentral hypergeometric against the central one', () => {
  // 2 of 3 and 0 of 9: odds² · C(12,2) / (C(9,2) + 3·9·odds + 3·odds²)
  const odds = 20;
  expect(Math.exp(logOddsRatio(counts(3, 2), counts(9, 0), odds))).toBeCloseTo(
    (400 * 66) / (36 + 27 * 20 + 3 * 400),
    9,
  );
});

test.each([
  ['nobody failed', counts(10, 0), counts(30, 0)],
  ['everybody failed', counts(10, 10), counts(30, 30)],
  ['the stable pods finished nothing: they may hang', counts(10, 10), counts(0, 0)],
  ['the candidate finished nothing', counts(0, 0), counts(30, 30)],
])('says nothing when %s', (_case, candidate, baseline) => {
  for (const log of worseThan(candidate, baseline)) expect(log).toBeCloseTo(0, 9);
});

test('stays finite with a day’s worth of requests in one block', () => {
  expect(logOddsRatio(counts(100_000, 90_000), counts(300_000, 1_000), 100)).toBeGreaterThan(1_000);
  expect(Number.isFinite(logOddsRatio(counts(100_000, 0), counts(300_000, 290_000), 100))).toBe(true);
});

test('one scrape never decides alone, however many requests failed at once', () => {
  const alone = advance(aboveLimitDetector(0.05, FALSE_BAD, CANARY_ONSET), 0, aboveLimit(counts(500, 500), 0.05));
  expect(proves(alone)).toBe(false);
  const compared = advance(worseThanDetector(FALSE_BLAME, CANARY_ONSET), 0, worseThan(counts(9, 9), counts(90, 0)));
  expect(proves(compared)).toBe(false);
});

test('six failures of twelve are enough beside healthy pods; five of a hundred are not', () => {
  const onePerScrape = (pattern: string, limit: number) =>
    [...pattern].reduce<Detector>(
      (seen, char) => advance(seen, 0, aboveLimit(counts(1, char === 'x' ? 1 : 0), limit)),
      aboveLimitDetector(limit, FALSE_BAD, CANARY_ONSET),
    );
  expect(proves(onePerScrape('x.x.x.x.x.xx', 0.05))).toBe(true);
  expect(proves(onePerScrape(`${'.'.repeat(19)}x`.repeat(5), 0.05))).toBe(false);
});

test('evidence is bounded above and, once forgotten, comes back only by faults that begin later', () => {
  let seen = aboveLimitDetector(0.05, FALSE_BAD, CANARY_ONSET);
  for (let i = 0; i < 100; i++) seen = advance(seen, 0, aboveLimit(counts(10, 10), 0.05));
  expect(eValueOf(seen)).toBeLessThanOrEqual((10 / FALSE_BAD) * ratiosAbove(0.05).length);
  expect(eValueOf(advance(forget(seen), 0, aboveLimit(counts(10, 10), 0.05)))).toBe(0);
  expect(eValueOf(advance(forget(seen), 1e-3, []))).toBeCloseTo(1e-3, 9);
});

test('the mass of all moments at which a fault may begin is 1, however the time is cut into scrapes', () => {
  const cuts = fc.array(fc.double({ min: 0, max: 1e7, noNaN: true }));
  fc.assert(
    fc.property(cuts, fc.constantFrom(CANARY_ONSET, bakeOnset(1_800_000)), (times, onset) => {
      const at = [0, ...times.toSorted((a, b) => a - b)];
      const entered = at.slice(1).reduce((sum, time, i) => sum + onsetBetween(onset, at[i] ?? 0, time), 0);
      const whole = onsetBetween(onset, 0, at.at(-1) ?? 0);
      return Math.abs(entered - whole) < 1e-9 && entered + onset.atStart <= 1 + 1e-9;
    }),
  );
});

const goodAfter = (requests: Counts, inFlight = 0, before = belowLimitDetector(FALSE_GOOD, GOOD_ONSET)) =>
  towardsGood(before, 0, requests, { limit: 0.05, inFlight });

test('111 requests without an error are good at a limit of 5 %, 110 are not', () => {
  expect(isGood(goodAfter(counts(111, 0)), 0)).toBe(true);
  expect(isGood(goodAfter(counts(110, 0)), 0)).toBe(false);
});

test('at or above the limit, one more scrape never raises the expected evidence of being good', () => {
  fc.assert(
    fc.property(
      limits,
      fc.double({ min: 1, max: 2, noNaN: true }),
      fc.integer({ min: 0, max: 40 }),
      (limit, times, n) => {
        const before = belowLimitDetector(FALSE_GOOD, GOOD_ONSET);
        const after = expected(n, Math.min(1, limit * times), k =>
          eValueOf(towardsGood(before, 0, counts(n, k), { limit, inFlight: 0 })),
        );
        return after <= eValueOf(before) * (1 + 1e-9);
      },
    ),
  );
});

test('what is in flight may fail: with it more has to be seen, and that is remembered', () => {
  expect(isGood(goodAfter(counts(200, 0), 20), 20)).toBe(false);
  expect(isGood(goodAfter(counts(900, 0), 20), 20)).toBe(true);
  expect(Number.isFinite(eValueOf(goodAfter(counts(1e6, 0), 10_000)))).toBe(true);
});

test('after a bad spell, good requests that come later are enough', () => {
  const afterOutage = goodAfter(counts(500, 500));
  expect(isGood(goodAfter(counts(1_000, 0), 0, afterOutage), 0)).toBe(false);
  const later = towardsGood(afterOutage, onsetBetween(GOOD_ONSET, 40_000, 41_000), counts(300, 0), {
    limit: 0.05,
    inFlight: 0,
  });
  expect(isGood(later, 0)).toBe(true);
});

test('near the limit a scrape of many requests may have the errors that are to be expected', () => {
  const added = (k: number) => aboveLimit(counts(400, k), 0.05)[1] ?? 0;
  expect(added(30)).toBeCloseTo(logBernoulli(counts(400, 30), 0.075, 0.05), 9);
  expect(added(60)).toBe(added(50));
  expect(added(1_000)).toBeLessThanOrEqual(4);
});

test.each([
  ['never failed', counts(9_000, 0), 0],
  ['failed now and then: two standard deviations more', counts(10_000, 100), 0.012],
  ['failed nearly as often as the limit allows', counts(100, 5), 0.05],
  ['failed more than the limit allows, as in an outage', counts(1_000, 500), 0],
])('the share of errors before, of stable pods that %s', (_case, before, ratio) => {
  expect(errorRatioBefore(before, 0.05)).toBeCloseTo(ratio, 9);
});

test('with the errors of before, wherever they fall, one more scrape never raises the expected evidence of a rise', () => {
  fc.assert(
    fc.property(
      limits,
      fc.double({ min: 0.1, max: 1, noNaN: true }),
      fc.integer({ min: 0, max: 40 }),
      (limit, part, n) => {
        const seen = aboveLimitDetector(limit, FALSE_RISE, CANARY_ONSET);
        const after = expected(n, limit * part, k =>
          eValueOf(advance(seen, 0, aboveBefore(counts(n, k), limit * part, 0.25, limit))),
        );
        return after <= eValueOf(seen) * (1 + 1e-9);
      },
    ),
  );
});

test.each([
  [111, 0, true],
  [110, 0, false],
  [400, 6, true],
  [400, 14, false],
])('%i requests, %i of them 5xx, at a limit of 5 %%: well below is %p', (requests, errors, wanted) => {
  expect(showsGood({ requests, errors }, 0.05)).toBe(wanted);
});
