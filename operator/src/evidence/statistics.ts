/**
 * What error counts prove. Pure arithmetic, natural logarithms; docs/statistics.md derives and measures it.
 *
 * An e-process is a non-negative process whose expected value stays at or below 1 while the hypothesis holds, however
 * often one looks. Ville's inequality: it reaches 1/alpha with a probability of at most alpha. So looking at every
 * scrape costs no false alarms.
 */

/** Chance that a release at or below its limit is ever called bad. */
export const FALSE_BAD = 0.001;
/** Chance that an outage which hits old and new pods alike is ever blamed on the new ones. */
export const FALSE_BLAME = 0.002;
/** Chance that stable pods at or below the limit are ever taken for being in an outage, which would delay a Bad. */
export const FALSE_OUTAGE = 0.01;
/** Chance that a release at or above its limit ever passes. */
export const FALSE_GOOD = 0.01;
/** Chance that errors which the service had before, and which only moved to the new pods, are ever held against them. */
export const FALSE_RISE = 0.01;

/**
 * Requests in flight fail together, so ten errors at once are not ten witnesses: one scrape counts for at most this
 * many errors, however many it found, and never for enough to decide alone.
 */
const ERRORS_PER_SCRAPE = 1.75;
const MOST_PER_SCRAPE = 4;

/** Evidence beyond so many times what a verdict needs is forgotten, so that an outage that is over does not linger. */
const HEADROOM = 10;

export type Counts = { readonly requests: number; readonly errors: number };

/**
 * When a fault may begin: with probability `atStart` at once, else at a random time after, half of it within `halfMs`.
 * The whole mass is 1 over an endless trial, so the false alarm promise holds however long a trial takes.
 */
export type Onset = { readonly atStart: number; readonly halfMs: number };

/** A canary is mostly bad from its first request, or else it turns bad within the first minute. */
export const CANARY_ONSET: Onset = { atStart: 0.9, halfMs: 60_000 };
/** What is good is mostly good from its first request, or else from the end of an outage on. */
export const GOOD_ONSET: Onset = { atStart: 0.8, halfMs: 60_000 };
/** After promotion nothing is known about when: spread over the bake. */
export const bakeOnset = (bakeMs: number): Onset => ({ atStart: 0.1, halfMs: bakeMs });

/** Probability that the fault begins between `fromMs` and `toMs` after the start, the start itself excluded. */
export function onsetBetween({ atStart, halfMs }: Onset, fromMs: number, toMs: number): number {
  const by = (ms: number) => Math.max(0, ms) / (Math.max(0, ms) + halfMs);
  return Math.max(0, (1 - atStart) * (by(toMs) - by(fromMs)));
}

/**
 * A mixture over alternatives and over the moment the fault began: one e-value per alternative, weights included.
 * Its sum is an e-process (Shiryaev-Roberts style with a proper prior; Shin, Ramdas, Rinaldo 2023, "E-detectors").
 * Capped above, so it never overflows; one that underflows to 0 has said all it could, and faults that begin later
 * still enter.
 */
export type Detector = {
  readonly alpha: number;
  readonly values: readonly number[];
  readonly alternatives: readonly Alternative[];
};

/** `headroom`: how many times what a verdict needs is remembered. */
type Alternative = { readonly weight: number; readonly headroom: number };

const evenly = (weight: number): Alternative => ({ weight, headroom: HEADROOM });

export function detector(alternatives: readonly Alternative[], alpha: number, onset: Onset): Detector {
  return { alpha, alternatives, values: alternatives.map(({ weight }) => weight * onset.atStart) };
}

/**
 * One scrape: faults that began with its traffic enter with mass `entering`, then every alternative is multiplied by its
 * likelihood ratio (given as a log). Forgetting a surplus only lowers an e-process: that is sound.
 */
export function advance(seen: Detector, entering: number, logRatios: readonly number[]): Detector {
  const values = seen.alternatives.map(({ weight, headroom }, i) => {
    const entered = (seen.values[i] ?? 0) + weight * entering;
    return Math.min(headroom / seen.alpha, entered * Math.exp(logRatios[i] ?? 0));
  });
  return { ...seen, values };
}

/** Drops everything seen so far (sound: a part of a mixture is never more than the mixture). */
export const forget = (seen: Detector): Detector => ({ ...seen, values: seen.values.map(() => 0) });

/** How much of a proof is there: ln(e-value) as a share of ln(1/alpha), from 0 to 100. */
export const proofPercent = (eValue: number, alpha: number): number =>
  Math.floor(100 * Math.min(1, Math.log(Math.max(eValue, 1)) / Math.log(1 / alpha)));

export const eValueOf = (seen: Detector): number => seen.values.reduce((sum, value) => sum + value, 0);

/** Ville: the evidence has reached 1/alpha. */
export const proves = (seen: Detector): boolean => eValueOf(seen) >= 1 / seen.alpha;

// --- absolute: is the error ratio above the limit? ---

/** So near the limit it takes thousands of requests to show anything: a small weight leaves the others their speed. */
const NEAR = [1.25, 1.5] as const;
const NEAR_WEIGHT = 0.15;

const nearAbove = (limit: number): readonly number[] => NEAR.map(times => times * limit).filter(p => p < 0.9);

/** Alternatives from twice a limit on: 2, 4, 8 ... times it, and nearly always failing. */
function farAbove(limit: number): readonly number[] {
  const ratios: number[] = [];
  for (let p = 2 * limit; p < 0.9; p *= 2) ratios.push(p);
  return [...ratios, Math.max(0.95, (1 + limit) / 2)];
}

/** Alternatives above a limit, the nearest first. */
export const ratiosAbove = (limit: number): readonly number[] => [...nearAbove(limit), ...farAbove(limit)];

/** What speaks for one near the limit would take hundreds of good requests to forget: no more of it than is needed. */
function alternativesAbove(limit: number): readonly Alternative[] {
  const [near, far] = [nearAbove(limit), farAbove(limit)];
  const share = near.length === 0 ? 0 : NEAR_WEIGHT;
  return [
    ...near.map(() => ({ weight: share / near.length, headroom: 1 })),
    ...far.map(() => evenly((1 - share) / far.length)),
  ];
}

/** Wald's likelihood ratio of error ratio p against q, in logs: errors·ln(p/q) + successes·ln((1-p)/(1-q)). */
export function logBernoulli({ requests, errors }: Counts, p: number, q: number): number {
  return errors * Math.log(p / q) + (requests - errors) * Math.log((1 - p) / (1 - q));
}

/** For a release under suspicion. Capping a factor only lowers an e-process: that is sound. */
export function aboveLimit(counts: Counts, limit: number): readonly number[] {
  if (counts.requests === 0) return [];
  return ratiosAbove(limit).map(p =>
    Math.min(mostPerScrape(p, limit, counts.requests), logBernoulli(counts, p, limit)),
  );
}

/** For the baseline, where a burst is to count in full: to see an outage too soon only delays, to miss it blames. */
export const aboveLimitInFull = (counts: Counts, limit: number): readonly number[] =>
  ratiosAbove(limit).map(p => logBernoulli(counts, p, limit));

/**
 * Near the limit a scrape of many requests has more errors than the cap by itself: what the alternative expects counts,
 * and the cap is on what comes on top, with room for chance.
 */
function mostPerScrape(p: number, limit: number, requests: number): number {
  if (p >= 2 * limit) return Math.min(MOST_PER_SCRAPE, ERRORS_PER_SCRAPE * Math.log(p / limit));
  const errors = requests * p + ERRORS_PER_SCRAPE * Math.max(1, Math.sqrt(requests * p));
  return Math.min(MOST_PER_SCRAPE, logBernoulli({ requests: Math.max(requests, errors), errors }, p, limit));
}

export const aboveLimitDetector = (limit: number, alpha: number, onset: Onset): Detector =>
  detector(alternativesAbove(limit), alpha, onset);

/** The evidence for a ratio of at least twice the limit. */
export const farAboveLimit = (seen: Detector, limit: number): number =>
  seen.values.slice(nearAbove(limit).length).reduce((sum, value) => sum + value, 0);

// --- risen: does the whole service fail more than before the release? ---

/**
 * `before`: the share of errors that the service had; `share`: the part of its traffic that the candidate is meant to
 * get. The alternatives are what the whole service then answers if the candidate fails with each ratio above its limit.
 */
export function aboveBefore(counts: Counts, before: number, share: number, limit: number): readonly number[] {
  return ratiosAbove(limit).map(p =>
    Math.min(MOST_PER_SCRAPE, logBernoulli(counts, before + share * (p - before), before)),
  );
}

/**
 * The share of errors of stable pods since they began, up to two standard deviations more than was counted, at most the
 * limit. 0 when they never failed, and when they failed more than the limit allows: that was an outage and no habit of
 * a service that was found Good, and excuses nothing.
 */
export function errorRatioBefore({ requests, errors }: Counts, limit: number): number {
  if (errors === 0 || errors > limit * requests) return 0;
  return Math.min(limit, (errors + 2 * Math.sqrt(errors)) / requests);
}

// --- relative: is the candidate worse than the pods beside it? ---

/** Odds ratios candidate : baseline. A release that is worth a rollback is usually much worse: that weighs more. */
const ODDS = [2, 5, 20, 100] as const;
const ODDS_WEIGHTS = [0.1, 0.2, 0.3, 0.4] as const;

/**
 * Given how many requests each group answered and how many of all failed, equal groups share the failures like balls
 * drawn without replacement, whatever the error ratio was and however it moved. The likelihood ratio of Fisher's
 * noncentral hypergeometric distribution with these odds against the central one, in logs:
 * k_c·ln(odds) + ln C(n, k) - ln sum_j C(n_c, j)·C(n_b, k-j)·odds^j. No failures, or a group without requests: 0.
 */
export function logOddsRatio(candidate: Counts, baseline: Counts, odds: number): number {
  const errors = candidate.errors + baseline.errors;
  if (errors === 0 || candidate.requests === 0 || baseline.requests === 0) return 0;
  const logOdds = Math.log(odds);
  let expected = Number.NEGATIVE_INFINITY;
  const last = Math.min(errors, candidate.requests);
  for (let j = Math.max(0, errors - baseline.requests); j <= last; j++) {
    const ways = logChoose(candidate.requests, j) + logChoose(baseline.requests, errors - j);
    expected = logAdd(expected, ways + j * logOdds);
  }
  return candidate.errors * logOdds + logChoose(candidate.requests + baseline.requests, errors) - expected;
}

/** log(e^a + e^b), without overflow. */
function logAdd(a: number, b: number): number {
  const high = Math.max(a, b);
  return high === Number.NEGATIVE_INFINITY ? high : high + Math.log1p(Math.exp(Math.min(a, b) - high));
}

export const worseThan = (candidate: Counts, baseline: Counts): readonly number[] =>
  ODDS.map(odds => Math.min(MOST_PER_SCRAPE, logOddsRatio(candidate, baseline, odds)));

export const worseThanDetector = (alpha: number, onset: Onset): Detector =>
  detector(ODDS_WEIGHTS.map(evenly), alpha, onset);

// --- good: is the error ratio well below the limit? ---

/** Alternatives below a limit, as shares of it: from next to none, which takes fewest requests to show, up to near it. */
const BELOW = [0.02, 0.2, 0.4, 0.7] as const;
const BELOW_WEIGHTS = [0.35, 0.3, 0.2, 0.15] as const;

export const belowLimitDetector = (alpha: number, onset: Onset): Detector =>
  detector(BELOW_WEIGHTS.map(evenly), alpha, onset);

/**
 * The likelihood ratio of each alternative has an expected value of at most 1 for every error ratio from the limit up,
 * also one that moves. More is remembered while requests are in flight, for all of these may fail: see `isGood`.
 */
export function towardsGood(
  seen: Detector,
  entering: number,
  counts: Counts,
  { limit, inFlight }: { readonly limit: number; readonly inFlight: number },
): Detector {
  const values = BELOW.map((share, i) => {
    const entered = (seen.values[i] ?? 0) + (BELOW_WEIGHTS[i] ?? 0) * entering;
    const ceiling = Math.min(LARGEST, HEADROOM / seen.alpha / share ** inFlight);
    return Math.min(ceiling, entered * Math.exp(logBernoulli(counts, share * limit, limit)));
  });
  return { ...seen, values };
}

const LARGEST = 1e300;

/** Good even if all requests in flight should fail: what succeeds may be quicker than what fails. */
export const isGood = (seen: Detector, inFlight: number): boolean =>
  seen.values.reduce((sum, value, i) => sum + value * (BELOW[i] ?? 0) ** inFlight, 0) >= 1 / seen.alpha;

/** Whether these figures alone show an error ratio well below the limit; at 5 %, 111 requests without an error do. */
export const showsGood = (counts: Counts, limit: number): boolean =>
  isGood(towardsGood(belowLimitDetector(FALSE_GOOD, GOOD_ONSET), 0, counts, { limit, inFlight: 0 }), 0);

// --- ln n! ---

const LOG_FACTORIALS: readonly number[] = (() => {
  const table = [0];
  for (let n = 1; n < 256; n++) table.push((table[n - 1] ?? 0) + Math.log(n));
  return table;
})();

/** ln n!; above 255 by Stirling's series, to within 1e-12. */
function logFactorial(n: number): number {
  const exact = LOG_FACTORIALS[n];
  if (exact !== undefined) return exact;
  return n * Math.log(n) - n + 0.5 * Math.log(2 * Math.PI * n) + 1 / (12 * n) - 1 / (360 * n ** 3);
}

function logChoose(n: number, k: number): number {
  return logFactorial(n) - logFactorial(k) - logFactorial(n - k);
}
