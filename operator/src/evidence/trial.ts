import {
  aboveLimit,
  aboveLimitDetector,
  advance,
  bakeOnset,
  CANARY_ONSET,
  type Counts,
  type Detector,
  eValueOf,
  FALSE_BAD,
  FALSE_BLAME,
  FALSE_OUTAGE,
  forget,
  isGood,
  type Onset,
  onsetBetween,
  proves,
  towardsGood,
  uncapped,
  worseThan,
  worseThanDetector,
} from './statistics.ts';

/**
 * A trial gathers what the running pods answer and says what it proves. Pure: `observe` adds one scrape, `judge` reads.
 *
 * - `canary`: candidate pods beside stable ones that serve the same traffic at the same time.
 * - `bake`: after promotion; every serving pod is the candidate and there is nothing beside it.
 *
 * Only totals are kept per pod, so a scrape may be lost, come late or be repeated. A pod's counters start with the pod:
 * the candidate's count from zero (an operator restart loses nothing about it), the baseline's from their first reading.
 */
export type Group = 'candidate' | 'baseline';

export type Reading =
  | { readonly known: true; readonly requests: number; readonly errors: number }
  | { readonly known: false; readonly why: string };

export type PodReading = {
  readonly name: string;
  readonly uid: string;
  readonly group: Group;
  readonly restarts: number;
  readonly reading: Reading;
  /** Does the pod's own /ready name a failed dependency? 'unknown': asked, no answer. Absent: not asked. Bake only. */
  readonly dependenciesFailed?: boolean | 'unknown';
};

/** `at`: epoch milliseconds. Baseline pods must have been read after the candidate's, see `scrapeAll`. */
export type Scrape = { readonly at: number; readonly pods: readonly PodReading[] };

export type TrialStart = {
  /** When the candidate joined (canary) or was promoted (bake); epoch milliseconds, from the cluster. */
  readonly startedAt: number;
  /** Between 0 and 1, both excluded; values outside are moved inside. */
  readonly maxServerErrorRatio: number;
  readonly mode?: 'canary' | 'bake';
  /** Bake: the stable release's own recorded error ratio; the new one may reach twice that. */
  readonly stableErrorRatio?: number;
  readonly bakeSeconds?: number;
};

export type Policy = {
  readonly minimumSeconds: number;
  readonly minimumRequests: number;
  readonly timeoutSeconds: number;
  readonly blindAfterSeconds: number;
};

export type Verdict = 'Pending' | 'Good' | 'Bad' | 'DependencyDegraded' | 'Insufficient' | 'Blind';

export type GroupFigures = {
  readonly requests: number;
  readonly errors: number;
  /** errors / requests, 0 without requests. */
  readonly ratio: number;
  /** Pods that were read at least once. */
  readonly pods: number;
  /** Container restarts seen during this trial. */
  readonly restarts: number;
};

export type Judgement = {
  readonly verdict: Verdict;
  readonly candidate: GroupFigures;
  readonly baseline: GroupFigures;
  /** e-values: how many times likelier the counts are under the claim than without it. */
  readonly evidence: { readonly absolute: number; readonly relative: number; readonly good: number };
  /** One line for people, with figures. */
  readonly message: string;
  /** Epoch milliseconds; absent while Pending. */
  readonly decidedAt?: number;
  /** Epoch milliseconds of the scrape that first read a 5xx of the candidate; for the operator's own figures. */
  readonly firstErrorAt?: number;
};

type Pod = {
  readonly group: Group;
  /** The counters as last read. */
  readonly last: Counts;
  readonly readAt: number;
  /** What the pod adds to its group. Stays when the pod is gone. */
  readonly counted: Counts;
  readonly firstRestarts: number;
  readonly restarts: number;
};

/** A span in which every baseline pod was readable and none finished a request. */
type Silence = { readonly since: number; readonly erringSince?: number };

/** Requests of both groups over the same span, waiting to be compared. */
type Block = { readonly since: number; readonly candidate: Counts; readonly baseline: Counts };

export type Trial = {
  readonly mode: 'canary' | 'bake';
  readonly startedAt: number;
  readonly limit: number;
  readonly onset: Onset;
  readonly pods: ReadonlyMap<string, Pod>;
  readonly firstAt?: number;
  readonly lastAt: number;
  /** The last scrape in which a candidate pod could be read. */
  readonly candidateReadAt?: number;
  readonly absolute: Detector;
  readonly relative: Detector;
  readonly baselineAbove: Detector;
  readonly goodLog: number;
  readonly block: Block;
  readonly silence: Silence | undefined;
  readonly provenAt?: number;
  readonly dependencyFailedAt?: number;
  /** The last scrape after which the baseline itself was proven to be above the limit. */
  readonly troubledAt?: number;
  readonly degradedAt?: number;
  readonly badAt?: number;
  readonly firstErrorAt?: number;
  readonly whyUnread?: string;
};

/** Fewer requests than this are not worth comparing: within tiny blocks, who got the failures says little. */
const BLOCK_REQUESTS = 8;
/** A baseline pod unread for this long is not waited for. */
const BASELINE_LOST_MS = 2_000;
/** "The stable pods get no traffic" needs this long of it, while the candidate fails. */
const SILENCE_MS = 10_000;
/** Pods that served before and finish nothing now may hang in the same outage; request timeouts end within this. */
const HANG_MS = 60_000;
/** Requests that hung in an outage fail for a while after it. */
const AFTERMATH_MS = 10_000;
/**
 * In an outage and its aftermath pods fail in bursts, each at its own moment: only longer spans can be compared, and
 * one of them adds no more to a log e-value than this.
 */
const TROUBLED_BLOCK_MS = 5_000;
const TROUBLED_CAP = 1;
/** How long a Bad in the bake waits for pods that do not say whether their dependencies work: they may hang in them. */
const READY_PATIENCE_MS = 30_000;
/** A new process first looks for itself before it lets anything pass or run out of time. */
const LOOK_MS = 10_000;
/** Evidence of a fault that holds Good back: one innocent release in ten ever reaches it, and waits a little. */
const SUSPICION = 10;

const NOTHING: Counts = { requests: 0, errors: 0 };

export function startTrial(start: TrialStart): Trial {
  const { startedAt, mode = 'canary', stableErrorRatio = 0, bakeSeconds = 1800, maxServerErrorRatio } = start;
  const bake = mode === 'bake';
  const limit = clamp(bake ? Math.max(maxServerErrorRatio, 2 * stableErrorRatio) : maxServerErrorRatio, 0.0001, 0.9);
  const onset = bake ? bakeOnset(Math.max(1, bakeSeconds) * 1000) : CANARY_ONSET;
  return {
    mode,
    startedAt,
    limit,
    onset,
    pods: new Map(),
    lastAt: startedAt,
    absolute: aboveLimitDetector(limit, FALSE_BAD, onset),
    relative: worseThanDetector(FALSE_BLAME, onset),
    baselineAbove: uncapped(aboveLimitDetector(limit, FALSE_OUTAGE, onset)),
    goodLog: 0,
    block: { since: startedAt, candidate: NOTHING, baseline: NOTHING },
    silence: undefined,
  };
}

/** Adds one scrape. A trial is never changed, a new one is returned. */
export function observe(trial: Trial, scrape: Scrape): Trial {
  const at = Math.max(trial.lastAt, scrape.at);
  const { pods, fresh, compared } = count(trial, scrape, at);
  const dependencies = dependenciesOf(trial, scrape);
  const entering = onsetBetween(trial.onset, trial.lastAt - trial.startedAt, at - trial.startedAt);
  const readCandidate = scrape.pods.some(pod => pod.group === 'candidate' && pod.reading.known);
  const whyUnread = whyNoReading(scrape);
  const baselineAbove = advance(trial.baselineAbove, entering, aboveLimit(fresh.baseline, trial.limit));
  const inTrouble = proves(baselineAbove);
  const { relative, block } = compare(trial, scrape, at, compared, entering);

  const seen: Trial = {
    ...trial,
    pods,
    firstAt: trial.firstAt ?? at,
    lastAt: at,
    ...(readCandidate && { candidateReadAt: at }),
    ...(whyUnread !== undefined && { whyUnread }),
    ...(trial.firstErrorAt === undefined && fresh.candidate.errors > 0 && { firstErrorAt: at }),
    ...(dependencies === 'failed' && { dependencyFailedAt: at }),
    absolute: advance(trial.absolute, entering, aboveLimit(fresh.candidate, trial.limit)),
    baselineAbove,
    ...(inTrouble && { troubledAt: at }),
    goodLog: towardsGood(trial.goodLog, fresh.candidate, trial.limit),
    relative: inTrouble && !isTroubled(trial, at) ? forget(relative) : relative,
    block,
    silence: silenceAfter(trial.silence, scrape, at, fresh),
  };
  return seen.mode === 'bake' ? concludeBake(seen, dependencies) : concludeCanary(seen, isDegraded(trial));
}

// --- counting ---

type ByGroup = { readonly candidate: Counts; readonly baseline: Counts };

/** `fresh` is all that is new; `compared` leaves a pod's first reading out, whose span no other pod shares. */
function count(trial: Trial, scrape: Scrape, at: number) {
  const pods = new Map(trial.pods);
  let fresh: ByGroup = { candidate: NOTHING, baseline: NOTHING };
  let compared = fresh;
  for (const { uid, group, restarts, reading } of scrape.pods) {
    if (!reading.known) continue;
    const before = trial.pods.get(uid);
    const last = countsOf(reading);
    const added = before ? since(before.last, last) : group === 'candidate' ? last : NOTHING;
    pods.set(uid, {
      group,
      last,
      readAt: at,
      counted: plus(before?.counted ?? NOTHING, added),
      firstRestarts: before?.firstRestarts ?? restarts,
      restarts,
    });
    fresh = { ...fresh, [group]: plus(fresh[group], added) };
    if (before) compared = { ...compared, [group]: plus(compared[group], added) };
  }
  return { pods, fresh, compared };
}

/** Whatever a pod claims: whole numbers, not negative, never more errors than requests. */
function countsOf({ requests, errors }: Counts): Counts {
  const all = Number.isFinite(requests) ? Math.max(0, Math.floor(requests)) : 0;
  return { requests: all, errors: Number.isFinite(errors) ? clamp(Math.floor(errors), 0, all) : 0 };
}

/** A counter that went back, or more new errors than new requests: the container restarted and counts from zero. */
function since(before: Counts, now: Counts): Counts {
  const requests = now.requests - before.requests;
  const errors = now.errors - before.errors;
  return requests < 0 || errors < 0 || errors > requests ? now : { requests, errors };
}

const plus = (a: Counts, b: Counts): Counts => ({ requests: a.requests + b.requests, errors: a.errors + b.errors });

// --- comparing with the pods beside it ---

/**
 * Gathers a block until every baseline pod still in touch has been read after the candidate: an outage that hits all
 * pods at once is then never seen on the candidate alone. While baseline requests hang, the block stays open.
 */
function compare(trial: Trial, scrape: Scrape, at: number, compared: ByGroup, entering: number) {
  const block: Block = {
    since: trial.block.since,
    candidate: plus(trial.block.candidate, compared.candidate),
    baseline: plus(trial.block.baseline, compared.baseline),
  };
  const waiting = scrape.pods.some(pod => pod.group === 'baseline' && !pod.reading.known && inTouch(trial, pod, at));
  const small = block.candidate.requests + block.baseline.requests < BLOCK_REQUESTS;
  const troubled = isTroubled(trial, at);
  const short = troubled && at - block.since < TROUBLED_BLOCK_MS;
  const ready = !waiting && !small && !short && block.baseline.requests > 0;
  const cap = troubled ? TROUBLED_CAP : Number.POSITIVE_INFINITY;
  const ratios = ready ? worseThan(block.candidate, block.baseline).map(log => Math.min(cap, log)) : [];
  return {
    relative: advance(trial.relative, entering, ratios),
    block: ready ? { since: at, candidate: NOTHING, baseline: NOTHING } : block,
  };
}

const isTroubled = ({ troubledAt }: Trial, at: number): boolean =>
  troubledAt !== undefined && at - troubledAt < AFTERMATH_MS;

function inTouch(trial: Trial, { uid }: PodReading, at: number): boolean {
  const pod = trial.pods.get(uid);
  return pod !== undefined && at - pod.readAt < BASELINE_LOST_MS;
}

function silenceAfter(before: Silence | undefined, scrape: Scrape, at: number, fresh: ByGroup): Silence | undefined {
  const baseline = scrape.pods.filter(pod => pod.group === 'baseline');
  if (fresh.baseline.requests > 0 || baseline.some(pod => !pod.reading.known)) return undefined;
  const erringSince = before?.erringSince ?? (before && fresh.candidate.errors > 0 ? at : undefined);
  return { since: before?.since ?? at, ...(erringSince !== undefined && { erringSince }) };
}

/**
 * Nothing to compare with. Said only when the baseline could be read all the time the candidate was failing and
 * finished no request: an unreadable baseline, or one that has only just been met, says nothing.
 */
function noBaselineTraffic({ silence, pods, lastAt }: Trial): boolean {
  if (silence?.erringSince === undefined) return false;
  const served = [...pods.values()].some(pod => pod.group === 'baseline' && pod.last.requests > 0);
  return lastAt - silence.erringSince >= (served ? HANG_MS : SILENCE_MS);
}

// --- concluding ---

/** Bad is final: evidence that was once enough stays enough (Ville's inequality is about the highest value ever). */
function concludeCanary(trial: Trial, wasDegraded: boolean): Trial {
  if (trial.badAt !== undefined || !proves(trial.absolute)) return trial;
  if (proves(trial.relative) || noBaselineTraffic(trial)) return { ...trial, badAt: trial.lastAt };
  return wasDegraded || proves(trial.baselineAbove) ? { ...trial, degradedAt: trial.lastAt } : trial;
}

type Dependencies = 'failed' | 'fine' | 'unanswered' | 'not asked';

function dependenciesOf({ mode }: Trial, scrape: Scrape): Dependencies {
  const answers = mode === 'bake' ? scrape.pods.map(pod => pod.dependenciesFailed) : [];
  if (answers.includes(true)) return 'failed';
  if (answers.includes(false)) return 'fine';
  return answers.includes('unknown') ? 'unanswered' : 'not asked';
}

/** How long a proof waits for what the pods say of their dependencies; who never asks waits one scrape. */
const PATIENCE_MS: Readonly<Record<Dependencies, number>> = {
  failed: Number.POSITIVE_INFINITY,
  fine: 0,
  unanswered: READY_PATIENCE_MS,
  'not asked': 1,
};

/** What pods answer while they name a failed dependency, and shortly after, says nothing about their release. */
function concludeBake(trial: Trial, dependencies: Dependencies): Trial {
  const { badAt, dependencyFailedAt, lastAt } = trial;
  if (badAt !== undefined) return trial;
  if (dependencyFailedAt !== undefined && lastAt - dependencyFailedAt < AFTERMATH_MS) {
    const { provenAt: _, ...rest } = trial;
    return { ...rest, absolute: forget(trial.absolute), degradedAt: lastAt };
  }
  if (!proves(trial.absolute)) return trial;
  const provenAt = trial.provenAt ?? lastAt;
  const waits = lastAt - provenAt < PATIENCE_MS[dependencies];
  return waits ? { ...trial, provenAt } : { ...trial, provenAt, badAt: lastAt };
}

/** True when it is worth asking pods in the bake about their dependencies. */
export const isSuspect = (trial: Trial): boolean => eValueOf(trial.absolute) >= SUSPICION;

// --- judging ---

export function judge(trial: Trial, policy: Policy, now: number): Judgement {
  const candidate = figures(trial, 'candidate');
  const baseline = figures(trial, 'baseline');
  const verdict = verdictOf(trial, policy, now, candidate);
  const decidedAt = verdict === 'Pending' ? undefined : verdict === 'Bad' ? trial.badAt : now;
  return {
    verdict,
    candidate,
    baseline,
    evidence: {
      absolute: rounded(eValueOf(trial.absolute)),
      relative: rounded(eValueOf(trial.relative)),
      good: rounded(Math.exp(trial.goodLog)),
    },
    message: messageOf(verdict, trial, policy, now, { candidate, baseline }),
    ...(decidedAt !== undefined && { decidedAt }),
    ...(trial.firstErrorAt !== undefined && { firstErrorAt: trial.firstErrorAt }),
  };
}

function verdictOf(trial: Trial, policy: Policy, now: number, candidate: GroupFigures): Verdict {
  if (trial.badAt !== undefined) return 'Bad';
  if (trial.firstAt === undefined) return 'Pending';
  if (now - (trial.candidateReadAt ?? trial.firstAt) >= policy.blindAfterSeconds * 1000) return 'Blind';
  if (isDegraded(trial)) return 'DependencyDegraded';
  if (isSuspect(trial) || trial.candidateReadAt === undefined) return 'Pending';
  if (passes(trial, policy, now, candidate)) return 'Good';
  return ranOut(trial, policy, now) ? 'Insufficient' : 'Pending';
}

function isDegraded(trial: Trial): boolean {
  return trial.degradedAt !== undefined && trial.degradedAt === trial.lastAt;
}

function passes(trial: Trial, policy: Policy, now: number, candidate: GroupFigures): boolean {
  const looked = now - (trial.firstAt ?? now) >= Math.min(policy.minimumSeconds * 1000, LOOK_MS);
  const longEnough = now - trial.startedAt >= policy.minimumSeconds * 1000;
  return looked && longEnough && candidate.requests >= policy.minimumRequests && isGood(trial.goodLog);
}

/** The time in which a shared outage held the trial up does not count, nor does what another process watched. */
function ranOut(trial: Trial, policy: Policy, now: number): boolean {
  if (trial.mode === 'bake') return false;
  const looked = now - (trial.firstAt ?? now) >= Math.min(policy.timeoutSeconds * 1000, LOOK_MS);
  return looked && now - Math.max(trial.startedAt, trial.degradedAt ?? 0) >= policy.timeoutSeconds * 1000;
}

function figures(trial: Trial, group: Group): GroupFigures {
  const pods = [...trial.pods.values()].filter(pod => pod.group === group);
  const { requests, errors } = pods.reduce((sum, pod) => plus(sum, pod.counted), NOTHING);
  const restarts = pods.reduce((sum, pod) => sum + Math.max(0, pod.restarts - pod.firstRestarts), 0);
  return { requests, errors, ratio: requests === 0 ? 0 : errors / requests, pods: pods.length, restarts };
}

// --- for people ---

function messageOf(verdict: Verdict, trial: Trial, policy: Policy, now: number, seen: ByGroupFigures): string {
  const { requests, errors } = seen.candidate;
  const counts = `${errors} of ${requests} requests answered 5xx (limit ${percent(trial.limit)})${besides(trial, seen)}`;
  switch (verdict) {
    case 'Bad':
      return counts;
    case 'Good':
      // what failed on all pods alike is in the counts, and was not held against the release
      return seen.candidate.ratio > trial.limit
        ? `${counts}, most of them in an outage of all pods: well below the limit since`
        : `${counts}: well below the limit`;
    case 'DependencyDegraded':
      return trial.mode === 'bake'
        ? `${counts}; the pods name a failed dependency: the release is not to blame`
        : `${counts}: as bad as each other, so the release is not to blame`;
    case 'Insufficient':
      return `${counts}: not enough to decide in ${policy.timeoutSeconds} s`;
    case 'Blind': {
      const forSeconds = Math.floor((now - (trial.candidateReadAt ?? trial.firstAt ?? now)) / 1000);
      return `no reading from the candidate for ${forSeconds} s: ${trial.whyUnread ?? 'it has no pods'}; before that ${counts}`;
    }
    case 'Pending':
      return trial.firstAt === undefined ? 'no reading yet' : `${counts}; ${pendingWhy(trial)}`;
  }
}

type ByGroupFigures = { readonly candidate: GroupFigures; readonly baseline: GroupFigures };

function besides({ mode }: Trial, { baseline }: ByGroupFigures): string {
  if (mode === 'bake') return '';
  if (baseline.pods === 0) return ', with no stable pod beside it that could be read';
  return `, the pods beside it ${baseline.errors} of ${baseline.requests}`;
}

function pendingWhy(trial: Trial): string {
  if (!proves(trial.absolute)) return isSuspect(trial) ? 'suspicious, still counting' : 'still counting';
  return 'above the limit, but not yet shown to be worse than the stable pods';
}

function whyNoReading(scrape: Scrape): string | undefined {
  for (const { group, name, reading } of scrape.pods) {
    if (group === 'candidate' && !reading.known) return `${name}: ${reading.why}`;
  }
  return undefined;
}

/** 0.05 is "5 %", 0.005 is "0.5 %". */
const percent = (ratio: number): string => `${Number((ratio * 100).toPrecision(3))} %`;
const rounded = (value: number): number => Number(value.toPrecision(3));
const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));
