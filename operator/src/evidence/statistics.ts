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
/** Chance that a release at or above its limit passes at one attempt. */
export const FALSE_GOOD = 0.01;

/**
 * Requests in flight fail together, so ten errors at once are not ten witnesses: one scrape counts for at most this
 * many errors, however many it found, and never for enough to decide alone.
 */
const ERRORS_PER_SCRAPE = 1.75;
const MOST_PER_SCRAPE = 4;

/** Evidence beyond ten times what a verdict needs is forgotten, so that an outage that is over does not linger. */
const HEADROOM = 10;

export type Counts = { readonly requests: number; readonly errors: number };

/**
 * When a fault may begin: with probability `atStart` at once, else at a random time after, half of it within `halfMs`.
 * The whole mass is 1 over an endless trial, so the false alarm promise holds however long a trial takes.
 */
export type Onset = { readonly atStart: number; readonly halfMs: number };

/** A canary is mostly bad from its first request, or else it turns bad within the first minute. */
export const CANARY_ONSET: Onset = { atStart: 0.9, halfMs: 60_000 };
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

/** `cap`: the most that one scrape may add to the log. */
type Alternative = { readonly weight: number; readonly cap: number };

export function detector(alternatives: readonly Alternative[], alpha: number, onset: Onset): Detector {
  return { alpha, alternatives, values: alternatives.map(({ weight }) => weight * onset.atStart) };
}

/**
 * One scrape: faults that began with its traffic enter with mass `entering`, then every alternative is multiplied by its
 * likelihood ratio (given as a log). Capping a factor and forgetting a surplus only lower an e-process: both are sound.
 */
export function advance(seen: Detector, entering: number, logRatios: readonly number[]): Detector {
  const ceiling = HEADROOM / seen.alpha;
  const values = seen.alternatives.map(({ weight, cap }, i) => {
    const entered = (seen.values[i] ?? 0) + weight * entering;
    return Math.min(ceiling, entered * Math.exp(Math.min(cap, logRatios[i] ?? 0)));
  });
  return { ...seen, values };
}

/** Drops everything seen so far (sound: a part of a mixture is never more than the mixture). */
export const forget = (seen: Detector): Detector => ({ ...seen, values: seen.values.map(() => 0) });

export const eValueOf = (seen: Detector): number => seen.values.reduce((sum, value) => sum + value, 0);

/** Ville: the evidence has reached 1/alpha. */
export const proves = (seen: Detector): boolean => eValueOf(seen) >= 1 / seen.alpha;

// --- absolute: is the error ratio above the limit? ---

/** Alternatives above a limit: 2, 4, 8 ... times it, and nearly always failing. */
export function ratiosAbove(limit: number): readonly number[] {
  const ratios: number[] = [];
  for (let p = 2 * limit; p < 0.9; p *= 2) ratios.push(p);
  return [...ratios, Math.max(0.95, (1 + limit) / 2)];
}

/** Wald's likelihood ratio of error ratio p against q, in logs: errors·ln(p/q) + successes·ln((1-p)/(1-q)). */
export function logBernoulli({ requests, errors }: Counts, p: number, q: number): number {
  return errors * Math.log(p / q) + (requests - errors) * Math.log((1 - p) / (1 - q));
}

export const aboveLimit = (counts: Counts, limit: number): readonly number[] =>
  ratiosAbove(limit).map(p => logBernoulli(counts, p, limit));

export function aboveLimitDetector(limit: number, alpha: number, onset: Onset): Detector {
  const ratios = ratiosAbove(limit);
  const capOf = (p: number) => Math.min(MOST_PER_SCRAPE, ERRORS_PER_SCRAPE * Math.log(p / limit));
  return detector(
    ratios.map(p => ({ weight: 1 / ratios.length, cap: capOf(p) })),
    alpha,
    onset,
  );
}

/** For the baseline, where a burst is to count in full: to see an outage too soon only delays, to miss it blames. */
export function uncapped(seen: Detector): Detector {
  return { ...seen, alternatives: seen.alternatives.map(({ weight }) => ({ weight, cap: Number.POSITIVE_INFINITY })) };
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
  ODDS.map(odds => logOddsRatio(candidate, baseline, odds));

export function worseThanDetector(alpha: number, onset: Onset): Detector {
  return detector(
    ODDS_WEIGHTS.map(weight => ({ weight, cap: MOST_PER_SCRAPE })),
    alpha,
    onset,
  );
}

// --- good: is the error ratio well below the limit? ---

const GOOD_FLOOR = Math.log(FALSE_GOOD);
const GOOD_CEILING = 1.5 * -GOOD_FLOOR;

/**
 * The likelihood ratio of a fifth of the limit against the limit, kept between 0.01 and 1000: a bad spell that is over
 * (an outage, an operator that started in the middle of one) costs at most twice the good requests, not for ever.
 */
export function towardsGood(log: number, counts: Counts, limit: number): number {
  return Math.min(GOOD_CEILING, Math.max(GOOD_FLOOR, log + logBernoulli(counts, limit / 5, limit)));
}

export const isGood = (log: number): boolean => log >= -GOOD_FLOOR;

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
