// Slow is a fault, too: a request that took longer than a bound is counted as one that failed is, in a trial of its own
// beside the one of errors, and judged by the same statistics. The verdict on the release is the worse of the two.
import type { PodReading, Scrape, Judgement as TrialJudgement, Verdict } from './trial.ts';

/** Of users' requests that were not answered 5xx: those are judged already. */
export type Slowness =
  | { readonly known: true; readonly requests: number; readonly slow: number }
  | { readonly known: false; readonly why: string };

/**
 * One false Bad in a thousand is promised of both together. Errors keep nearly all of it, so that a fault that shows
 * itself by errors is found as soon as before; slowness takes about one slow request more.
 */
export const ALPHA_SHARE = { errors: 0.9, slowness: 0.1 } as const;

export type LatencyPolicy = {
  readonly thresholdSeconds: string;
  readonly maxSlowRatio: string;
  readonly policy: 'Rollback' | 'Observe' | 'Disabled';
};

/** The same look at the pods, with slow requests in the place of errors. `slowness` by the pods' uids. */
export function slowScrape({ at, pods }: Scrape, slowness: ReadonlyMap<string, Slowness>): Scrape {
  return { at, pods: pods.map(pod => ({ ...pod, reading: slowReading(pod, slowness.get(pod.uid)) })) };
}

function slowReading({ reading }: PodReading, slowness: Slowness | undefined): PodReading['reading'] {
  if (!reading.known || !slowness) return reading.known ? { known: false, why: 'it has not answered yet' } : reading;
  if (!slowness.known) return slowness;
  const { askedAt } = reading;
  return {
    known: true,
    requests: slowness.requests,
    errors: slowness.slow,
    ...(askedAt !== undefined && { askedAt }),
  };
}

export type Combined = {
  readonly verdict: Verdict;
  readonly message: string;
  readonly fault?: 'SlowRegression' | 'OverloadRegression';
};

/**
 * What errors alone decide stays decided. Slowness adds Bad, and holds back Good while both releases are slow or the new
 * one is under suspicion; that it cannot be known is said and holds nobody back.
 */
export function combine(
  errors: Pick<TrialJudgement, 'verdict' | 'message' | 'fault'>,
  slow: Pick<TrialJudgement, 'verdict' | 'candidate' | 'baseline'>,
  latency: LatencyPolicy,
  { isSuspect, whyUnknown }: { readonly isSuspect: boolean; readonly whyUnknown: string | undefined },
): Combined {
  const { verdict } = errors;
  const words = whyUnknown === undefined ? wordsOf(slow, latency) : `slowness is not known: ${whyUnknown}`;
  const both = `${errors.message}; ${words}`;
  if (verdict === 'Bad') return { verdict, message: errors.message, ...(errors.fault && { fault: errors.fault }) };
  if (slow.verdict === 'Bad' && latency.policy === 'Rollback')
    return { verdict: 'Bad', message: words, fault: 'SlowRegression' };
  if (slow.verdict === 'Bad')
    return { verdict, message: `${both}: SlowRegression, and analysis.latency.policy is Observe` };
  if (verdict !== 'Good' || latency.policy === 'Observe') return { verdict, message: both };
  if (slow.verdict === 'DependencyDegraded')
    return { verdict: slow.verdict, message: `${words}: as slow as each other, so the release is not to blame` };
  return { verdict: isSuspect ? 'Pending' : verdict, message: both };
}

function wordsOf(
  { candidate, baseline }: Pick<TrialJudgement, 'candidate' | 'baseline'>,
  { thresholdSeconds, maxSlowRatio }: LatencyPolicy,
): string {
  const limit = Number((Number(maxSlowRatio) * 100).toPrecision(12));
  return `${candidate.errors} of ${candidate.requests} requests took longer than ${thresholdSeconds} s (limit ${limit} %), the pods beside it ${baseline.errors} of ${baseline.requests}`;
}
