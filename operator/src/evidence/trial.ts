import {
  type Borne,
  borneAfter,
  fade,
  isExcusedAlone,
  isExcusedBeside,
  type Load,
  loadOf,
  NOTHING_BORNE,
  type Recent,
  recent,
  servedWords,
  shedOfLate,
} from './overload.ts';
import {
  aboveBefore,
  aboveLimit,
  aboveLimitDetector,
  aboveLimitInFull,
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
  FALSE_OUTAGE,
  FALSE_RISE,
  farAboveLimit,
  forget,
  GOOD_ONSET,
  isGood,
  type Onset,
  onsetBetween,
  proves,
  towardsGood,
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
 * the candidate's count from zero (an operator restart loses nothing about it), the baseline's from their first reading,
 * and what those had counted until then is what the service was like before.
 */
export type Group = 'candidate' | 'baseline';

export type Reading =
  | {
      readonly known: true;
      /** Answered since the pod began, and how many of them with 5xx. */
      readonly requests: number;
      readonly errors: number;
      /** How many of the errors the pod itself calls overload; absent where it does not say. */
      readonly shed?: number;
      /** Begun and not answered yet; absent where the pod does not say. */
      readonly inFlight?: number;
      /** When the pod was asked, epoch milliseconds; absent: by this very scrape. */
      readonly askedAt?: number;
      /** What of it may be compared with the candidate's of this scrape; absent: all since the reading before. */
      readonly beside?: Counts;
    }
  | { readonly known: false; readonly why: string };

export type PodReading = {
  readonly name: string;
  readonly uid: string;
  readonly group: Group;
  readonly restarts: number;
  readonly reading: Reading;
  /** Since when the cluster calls it ready, epoch milliseconds; false: it is not. Absent: not known, and taken for yes. */
  readonly readySince?: number | false;
  /** Does the pod's own /ready name a failed dependency? 'unknown': asked, no answer. Absent: not asked. Bake only. */
  readonly dependenciesFailed?: boolean | 'unknown';
};

/** `at`: epoch milliseconds. Baseline pods must have been asked after the candidate's were read, see `createScraper`. */
export type Scrape = { readonly at: number; readonly pods: readonly PodReading[] };

export type TrialStart = {
  /** When the candidate joined (canary) or was promoted (bake); epoch milliseconds, from the cluster. */
  readonly startedAt: number;
  /** Between 0 and 1, both excluded: the schema refuses others. */
  readonly maxServerErrorRatio: number;
  readonly mode?: 'canary' | 'bake';
  /** The stable release's own recorded error ratio: in the bake the new one may reach that, up to twice the limit. */
  readonly stableErrorRatio?: number;
  readonly bakeSeconds?: number;
  /** Of the chances of a false Bad, the part that this trial may use up; another one beside it has the rest. */
  readonly alphaShare?: number;
  /** What the service is known to have served before: in the bake nothing else says that its pods are slower now. */
  readonly borne?: Borne;
  /** Somebody else read the pods, seldom and late: nobody is blamed for what that cannot show. */
  readonly isWitness?: boolean;
};

export type Policy = {
  readonly minimumSeconds: number;
  readonly minimumRequests: number;
  readonly timeoutSeconds: number;
  readonly blindAfterSeconds: number;
};

export type Verdict = 'Pending' | 'Good' | 'Bad' | 'DependencyDegraded' | 'Overloaded' | 'Insufficient' | 'Blind';

export type GroupFigures = {
  readonly requests: number;
  readonly errors: number;
  /** Of the errors, those that were overload by the pods' own count; absent without any. */
  readonly shed?: number;
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
  /** While Pending: what it waits for, without figures of this moment. */
  readonly pending?: string;
  /** Epoch milliseconds; absent while Pending. */
  readonly decidedAt?: number;
  /** Epoch milliseconds of the scrape that first read a 5xx of the candidate; for the operator's own figures. */
  readonly firstErrorAt?: number;
  /** With Bad: it turns requests away that it should bear. */
  readonly fault?: 'OverloadRegression';
  /** The most that was served until now. */
  readonly borne: Borne;
};

type Pod = {
  readonly group: Group;
  /** The counters as far as they were counted: of requests answered, and of those that were begun a while ago, too. */
  readonly answered: Counts;
  readonly begun: Counts;
  readonly inFlight: number;
  readonly readAt: number;
  /** What the pod adds to its group. Stays when the pod is gone. */
  readonly counted: Counts;
  /** Errors of late: each counts for less as time goes by. */
  readonly recentErrors: number;
  /** As far as it was counted, and what of it the pod adds to its group. */
  readonly shed: number;
  readonly countedShed: number;
  readonly recent: Recent;
  readonly firstRestarts: number;
  readonly restarts: number;
};

/** A span in which nothing was heard of requests that baseline pods answered; `why`: some could not be read. */
type Silence = { readonly since: number; readonly erringSince?: number; readonly why?: string };

/**
 * `provenAt`: the last scrape after which the baseline itself was proven to be above the limit. `erredAt`: the last one
 * with an error of it, and how many requests it has answered since.
 */
type Trouble = { readonly provenAt: number; readonly erredAt: number; readonly answered: number };

type ByGroup = { readonly candidate: Counts; readonly baseline: Counts };

/**
 * Requests of both groups over the same span, waiting to be compared. Once there are enough it is closed at a scrape
 * of the candidate, and still open for each stable pod until that has been asked after it (`complete`). What comes
 * later belongs to the next span.
 */
type Block = ByGroup & {
  readonly since: number;
  readonly closedAt?: number;
  readonly complete: ReadonlySet<string>;
  readonly next: ByGroup;
};

export type Trial = {
  readonly mode: 'canary' | 'bake';
  readonly isWitness: boolean;
  readonly startedAt: number;
  readonly limit: number;
  /** The limit that was asked for; in the bake it may be less than the one in force. */
  readonly askedLimit: number;
  /** The share of errors that the service is known to have had before. */
  readonly ratioBefore: number;
  /** What the baseline pods had counted when each was first read. */
  readonly before: Counts;
  readonly onset: Onset;
  readonly pods: ReadonlyMap<string, Pod>;
  readonly firstAt?: number;
  readonly lastAt: number;
  /** The first scrape with a candidate pod that should answer. */
  readonly expectedAt?: number;
  /** The last scrape in which a candidate pod could be read. */
  readonly candidateReadAt?: number;
  /** The first of the scrapes since then, in which none could: who is not asked is not silent. */
  readonly unreadSince?: number;
  /** Since when, until when and for how long, in milliseconds, a candidate pod was seen to be ready and readable. */
  readonly served?: { readonly from: number; readonly until: number; readonly ms: number };
  /** Errors that count against the release. */
  readonly absolute: Detector;
  /** All errors, also those that do not. The same where there are none of these. */
  readonly failing: Detector;
  readonly relative: Detector;
  readonly baselineAbove: Detector;
  readonly risen: Detector;
  readonly good: Detector;
  /** Requests that candidate pods had begun and not answered, as last read. */
  readonly inFlight: number;
  readonly block: Block;
  readonly silence: Silence | undefined;
  readonly provenAt?: number;
  readonly dependencyFailedAt?: number;
  readonly trouble?: Trouble;
  readonly degradedAt?: number;
  /** The last scrape after which it was above its limit by what it shed, and not to blame. */
  readonly overloadedAt?: number;
  readonly load: { readonly candidate: Load; readonly baseline: Load };
  readonly borne: Borne;
  readonly badAt?: number;
  /** Bad by what it shed: what was compared. */
  readonly overload?: string;
  /** Bad without a comparison: why there was nothing to compare with. */
  readonly alone?: string;
  readonly firstErrorAt?: number;
  /** Since when the candidate is under suspicion, and its newest error. */
  readonly suspectSince?: number;
  readonly lastErrorAt?: number;
  readonly whyUnread?: string;
};

/** Fewer requests than this are not worth comparing: within tiny blocks, who got the failures says little. */
const BLOCK_REQUESTS = 8;
/** A baseline pod unread for this long is not waited for. */
const BASELINE_LOST_MS = 2_000;
/** "There is nothing to compare with" needs this long of it, while the candidate fails. */
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
/** The aftermath is over sooner where the baseline answers well for so long, and so many requests. */
const CALM_MS = 2_000;
const CALM_REQUESTS = 20;
/** How long a Bad in the bake waits for pods that do not say whether their dependencies work: they may hang in them. */
const READY_PATIENCE_MS = 30_000;
/** Pods that get too much to do fill up one after the other: by what it shed nobody is blamed before the others had the time. */
const FILLING_MS = 2_000;
/** A share of errors like this before the release: its pods may fail alone for a moment, as those before them did. */
const OWN_ERRORS = 1 / 5;
/** Then a suspicion needs errors for longer than such a moment lasts. */
const MOMENT_MS = 2_500;
/** A release that met no error for so long is looked at more seldom, if need be. */
const UNEASY_MS = 30_000;
/** A longer gap between two readings is no time in which the candidate was seen to serve. */
const UNSEEN_MS = 6_000;
/** A new process first looks for itself before it lets anything pass or run out of time. */
const LOOK_MS = 10_000;
/** Evidence of a fault that holds Good back: one innocent release in ten ever reaches it, and waits a little. */
const SUSPICION = 10;

/** Connections that clients keep stay with their pod: said when the candidate's share of the requests is this small. */
const NEXT_TO_NONE = 1 / 20;
const MANY_REQUESTS = 100;

const NOTHING: Counts = { requests: 0, errors: 0 };
const NONE: ByGroup = { candidate: NOTHING, baseline: NOTHING };

export function startTrial(start: TrialStart): Trial {
  const { startedAt, mode = 'canary', stableErrorRatio = 0, bakeSeconds = 1800, maxServerErrorRatio: asked } = start;
  const { alphaShare = 1, borne = NOTHING_BORNE, isWitness = false } = start;
  const bake = mode === 'bake';
  const most = Math.min(2 * asked, (1 + asked) / 2);
  const limit = bake ? Math.min(most, Math.max(asked, stableErrorRatio)) : asked;
  const onset = bake ? bakeOnset(Math.max(1, bakeSeconds) * 1000) : CANARY_ONSET;
  const absolute = aboveLimitDetector(limit, FALSE_BAD * alphaShare, onset);
  return {
    mode,
    isWitness,
    startedAt,
    limit,
    askedLimit: asked,
    ratioBefore: stableErrorRatio > asked ? 0 : stableErrorRatio,
    before: NOTHING,
    onset,
    pods: new Map(),
    lastAt: startedAt,
    absolute,
    failing: absolute,
    relative: worseThanDetector(FALSE_BLAME * alphaShare, onset),
    baselineAbove: aboveLimitDetector(limit, FALSE_OUTAGE, onset),
    risen: aboveLimitDetector(limit, FALSE_RISE, onset),
    good: belowLimitDetector(FALSE_GOOD, GOOD_ONSET),
    inFlight: 0,
    block: { ...NONE, since: startedAt, complete: new Set(), next: NONE },
    silence: undefined,
    load: { candidate: loadOf([], startedAt), baseline: loadOf([], startedAt) },
    borne,
  };
}

/** Adds one scrape. A trial is never changed, a new one is returned. */
export function observe(trial: Trial, scrape: Scrape): Trial {
  const at = Math.max(trial.lastAt, scrape.at);
  const { pods, before, added: all } = count(trial, scrape, at);
  const load = {
    candidate: groupLoad(pods, scrape, 'candidate', at),
    baseline: groupLoad(pods, scrape, 'baseline', at),
  };
  const added = blamed(all, trial, load);
  const answered = sumOf(all, ({ answered }) => answered);
  const begun = sumOf(added, ({ begun }) => begun).candidate;
  const begunInAll = sumOf(all, ({ begun }) => begun).candidate;
  const dependencies = dependenciesOf(trial, pods, scrape);
  const entering = (onset: Onset) => onsetBetween(onset, trial.lastAt - trial.startedAt, at - trial.startedAt);
  const expected = scrape.pods.some(pod => pod.group === 'candidate' && pod.readySince !== false);
  const readCandidate = scrape.pods.some(pod => pod.group === 'candidate' && pod.reading.known);
  const whyUnread = whyNoReading(scrape, 'candidate');
  const absolute = advance(trial.absolute, entering(trial.onset), aboveLimit(begun, trial.limit));
  const isAllBlamed = trial.failing === trial.absolute && begun.requests === begunInAll.requests;
  const failing = isAllBlamed
    ? absolute
    : advance(trial.failing, entering(trial.onset), aboveLimit(begunInAll, trial.limit));
  const baselineAbove = advance(
    trial.baselineAbove,
    entering(trial.onset),
    aboveLimitInFull(answered.baseline, trial.limit),
  );
  const inTrouble = proves(baselineAbove);
  const wasCalm = !isTroubled(trial, at);
  const { relative, block } = compare(trial, scrape, at, added, entering(trial.onset));
  const ratioBefore = trial.mode === 'bake' ? trial.ratioBefore : errorRatioBefore(before, trial.limit);
  const risen = advance(
    trial.risen,
    entering(trial.onset),
    trial.mode === 'bake' || ratioBefore === 0
      ? []
      : aboveBefore(plus(begunInAll, answered.baseline), ratioBefore, candidateShare(scrape), trial.limit),
  );
  const inFlight = candidateInFlight(pods, scrape);
  const forgetting = inTrouble && wasCalm;
  const suspicious = farAboveLimit(failing, trial.limit) >= SUSPICION;
  const { suspectSince: _suspected, unreadSince = at, ...rest } = trial;

  const seen: Trial = {
    ...rest,
    pods,
    before,
    ratioBefore,
    firstAt: trial.firstAt ?? at,
    lastAt: at,
    ...(trial.expectedAt === undefined && expected && { expectedAt: at }),
    ...(readCandidate ? { candidateReadAt: at } : { unreadSince }),
    ...servedUntil(trial, scrape, at),
    ...(whyUnread !== undefined && { whyUnread }),
    ...(trial.firstErrorAt === undefined && answered.candidate.errors > 0 && { firstErrorAt: at }),
    ...(answered.candidate.errors > 0 && { lastErrorAt: at }),
    ...(suspicious && { suspectSince: trial.suspectSince ?? at }),
    ...(dependencies === 'failed' && { dependencyFailedAt: at }),
    absolute,
    failing,
    load,
    borne: borneAfter(trial.borne, load.candidate, load.baseline),
    baselineAbove,
    ...troubleAfter(trial.trouble, inTrouble, answered.baseline, at),
    good: towardsGood(trial.good, entering(GOOD_ONSET), answered.candidate, { limit: trial.limit, inFlight }),
    inFlight,
    relative: forgetting ? forget(relative) : relative,
    risen: forgetting ? forget(risen) : risen,
    block,
    silence: silenceAfter(trial.silence, scrape, at, sumOf(all, faultsOf)),
  };
  return seen.mode === 'bake'
    ? concludeBake(seen, dependencies)
    : concludeCanary(seen, isDegraded(trial) || isOverloaded(trial));
}

/** The time in which it was seen to serve; before the first reading the cluster's word stands for it. */
function servedUntil({ served, startedAt, isWitness }: Trial, scrape: Scrape, at: number): Pick<Trial, 'served'> {
  const serving = scrape.pods.filter(pod => pod.group === 'candidate' && pod.reading.known && pod.readySince !== false);
  if (serving.length === 0) return served ? { served } : {};
  if (!served) {
    const from = Math.max(startedAt, Math.min(at, ...serving.map(({ readySince }) => readySince || at)));
    return { served: { from, until: at, ms: at - from } };
  }
  const span = at - served.until;
  return { served: { ...served, until: at, ms: served.ms + (isWitness || span <= UNSEEN_MS ? span : 0) } };
}

const candidateInFlight = (pods: ReadonlyMap<string, Pod>, scrape: Scrape): number =>
  scrape.pods
    .filter(({ group }) => group === 'candidate')
    .reduce((sum, { uid }) => sum + (pods.get(uid)?.inFlight ?? 0), 0);

function candidateShare({ pods }: Scrape): number {
  const candidates = pods.filter(({ group }) => group === 'candidate').length;
  return candidates === 0 ? 1 : candidates / pods.length;
}

// --- counting ---

/** What one pod adds in one scrape. `compared`: not its first reading, whose span no other pod shares. */
type Added = {
  readonly uid: string;
  readonly group: Group;
  readonly answered: Counts;
  readonly begun: Counts;
  readonly shed: number;
  readonly compared: boolean;
  readonly askedAt: number;
  readonly beside?: Counts;
};

function count(trial: Trial, scrape: Scrape, at: number) {
  const pods = new Map(trial.pods);
  const added: Added[] = [];
  let { before } = trial;
  for (const { uid, group, restarts, reading } of scrape.pods) {
    if (!reading.known) continue;
    const known = trial.pods.get(uid);
    const { now, fresh } = known ? further(known, reading) : first(reading, group);
    if (!known && group === 'baseline') before = plus(before, now.answered);
    const { answered, shed } = fresh;
    pods.set(uid, {
      group,
      ...now,
      countedShed: (known?.countedShed ?? 0) + shed,
      recent: recent(
        known?.recent,
        known && { served: answered.requests - answered.errors, failed: answered.errors, shed },
        at,
      ),
      readAt: at,
      counted: plus(known?.counted ?? NOTHING, fresh.answered),
      recentErrors: fading(known, at) + fresh.answered.errors,
      firstRestarts: known?.firstRestarts ?? restarts,
      restarts,
    });
    const { askedAt = at, beside } = reading;
    added.push({ uid, group, ...fresh, compared: known !== undefined, askedAt, ...(beside && { beside }) });
  }
  return { pods, before, added };
}

type Known = Extract<Reading, { known: true }>;

/** Whatever a pod claims: whole numbers, not negative, never more errors than requests. */
function countersOf({ requests, errors, shed = 0, inFlight = 0 }: Known) {
  const whole = (value: number) => (Number.isFinite(value) ? Math.max(0, Math.floor(value)) : 0);
  const all = whole(requests);
  const failed = Math.min(all, whole(errors));
  return {
    answered: { requests: all, errors: failed },
    shed: Math.min(failed, whole(shed)),
    inFlight: whole(inFlight),
  };
}

function first(reading: Known, group: Group) {
  const { answered, shed, inFlight } = countersOf(reading);
  const begun = { ...answered, requests: answered.requests + inFlight };
  const fresh = group === 'candidate' ? { answered, begun, shed } : { answered: NOTHING, begun: NOTHING, shed: 0 };
  return { now: { answered, begun, shed, inFlight }, fresh };
}

/**
 * A request in flight counts as begun if the reading before saw it, too: a quick one is counted together with its
 * outcome. A counter that went back: the container restarted and counts from zero.
 */
function further(known: Pod, reading: Known) {
  const { answered, shed, inFlight } = countersOf(reading);
  const restarted = answered.requests < known.answered.requests || answered.errors < known.answered.errors;
  if (restarted) return first(reading, 'candidate');
  const begun = { ...answered, requests: Math.max(answered.requests, known.answered.requests + known.inFlight) };
  const failed = since(known.answered, answered);
  // what is called shed and is no error yet is left for the next scrape, and what was an error before stays one
  const turnedAway = Math.min(failed.errors, Math.max(0, shed - known.shed));
  const freshlyBegun = since(known.begun, begun).requests;
  // of requests that were counted when they began some fail only now: not what comes after them
  const fresh = {
    answered: failed,
    begun: { requests: Math.max(freshlyBegun, failed.errors), errors: failed.errors },
    shed: turnedAway,
  };
  const now = {
    answered: plus(known.answered, failed),
    begun: { requests: known.begun.requests + freshlyBegun, errors: known.begun.errors + failed.errors },
    shed: known.shed + turnedAway,
    inFlight,
  };
  return { now, fresh };
}

/**
 * An error can be counted later than its request (where requests are counted when they begin, or an answer was long in
 * coming): errors beyond the new requests are left for the next scrape.
 */
function since(before: Counts, now: Counts): Counts {
  const requests = Math.max(0, now.requests - before.requests);
  return { requests, errors: Math.min(requests, now.errors - before.errors) };
}

const fading = (pod: Pod | undefined, at: number): number => (pod ? pod.recentErrors * fade(pod.readAt, at) : 0);

const plus = (a: Counts, b: Counts): Counts => ({ requests: a.requests + b.requests, errors: a.errors + b.errors });

function sumOf(added: readonly Added[], of: (added: Added) => Counts): ByGroup {
  let [candidate, baseline] = [NOTHING, NOTHING];
  for (const one of added) {
    if (one.group === 'candidate') candidate = plus(candidate, of(one));
    else baseline = plus(baseline, of(one));
  }
  return { candidate, baseline };
}

// --- what was shed ---

function groupLoad(pods: ReadonlyMap<string, Pod>, scrape: Scrape, whose: Group, at: number): Load {
  const known = scrape.pods.filter(({ group }) => group === whose).map(({ uid }) => pods.get(uid)?.recent);
  return loadOf(
    known.filter(one => one !== undefined),
    at,
  );
}

/**
 * What counts against the release: where it has no more to do than others, what it sheds is an error as any other. Else
 * nothing that was shed is looked at, on either side, as if it had never been asked: real faults show all the same.
 */
function blamed(added: readonly Added[], trial: Trial, { candidate, baseline }: Trial['load']) {
  const isAnythingShed = added.some(({ shed }) => shed > 0);
  if (!isAnythingShed) return added;
  const { mode, limit, borne, isWitness } = trial;
  if (isWitness) return added.map(withoutShed);
  const isExcused = mode === 'bake' ? isExcusedAlone(candidate, borne) : isExcusedBeside(candidate, baseline, limit);
  return added.map(one => (isExcused || !one.compared ? withoutShed(one) : one));
}

const withoutShed = (one: Added): Added => ({
  ...one,
  answered: less(one.answered, one.shed),
  begun: less(one.begun, one.shed),
});

const less = ({ requests, errors }: Counts, shed: number): Counts => {
  const left = Math.min(shed, errors, requests);
  return { requests: requests - left, errors: errors - left };
};

const faultsOf = ({ answered, shed }: Added): Counts => ({ ...answered, errors: answered.errors - shed });

/** Of what the candidate's pods answered with errors of late. */
function isMostlyShed({ pods, lastAt }: Trial): boolean {
  const candidates = [...pods.values()].filter(({ group }) => group === 'candidate');
  const shed = candidates.reduce((sum, { recent: of }) => sum + shedOfLate(of, lastAt), 0);
  const errors = candidates.reduce((sum, pod) => sum + fading(pod, lastAt), 0);
  return shed > 0 && 2 * shed >= errors;
}

// --- comparing with the pods beside it ---

/** The candidate's requests in flight have not failed yet; a stable pod's may hang in an outage and tell nothing. */
const comparable = ({ group, begun, answered, beside }: Added): Counts =>
  beside ?? (group === 'candidate' ? begun : answered);

/**
 * Gathers a block until every baseline pod still in touch has been asked after the candidate was read: an outage that
 * hits all pods at once is then never seen on the candidate alone. While baseline requests hang, the block stays open.
 */
function compare(trial: Trial, scrape: Scrape, at: number, added: readonly Added[], entering: number) {
  const block = closed(
    gathered(
      trial.block,
      added.filter(({ compared }) => compared),
    ),
    isTroubled(trial, at),
    at,
  );
  const complete = new Set(block.complete);
  for (const { uid, askedAt } of added)
    if (block.closedAt !== undefined && askedAt >= block.closedAt) complete.add(uid);
  const waiting = scrape.pods.some(
    pod => pod.group === 'baseline' && !complete.has(pod.uid) && (pod.reading.known || inTouch(trial, pod, at)),
  );
  if (block.closedAt === undefined || waiting)
    return { relative: advance(trial.relative, entering, []), block: { ...block, complete } };
  const isOfTrouble = isTroubled(trial, at) || (trial.trouble && block.since <= trial.trouble.erredAt);
  const cap = isOfTrouble ? TROUBLED_CAP : Number.POSITIVE_INFINITY;
  const ratios = worseThan(block.candidate, block.baseline).map(log => Math.min(cap, log));
  return {
    relative: advance(trial.relative, entering, ratios),
    block: { ...block.next, since: block.closedAt, complete: new Set<string>(), next: NONE },
  };
}

/** Once closed, what the candidate answers is of the next span, and what a pod answers that is complete already. */
function gathered(block: Block, added: readonly Added[]): Block {
  const isLater = ({ uid, group }: Added) =>
    block.closedAt !== undefined && (group === 'candidate' || block.complete.has(uid));
  const [now, later] = [added.filter(one => !isLater(one)), added.filter(isLater)].map(part => sumOf(part, comparable));
  return {
    ...block,
    candidate: plus(block.candidate, now?.candidate ?? NOTHING),
    baseline: plus(block.baseline, now?.baseline ?? NOTHING),
    next: {
      candidate: plus(block.next.candidate, later?.candidate ?? NOTHING),
      baseline: plus(block.next.baseline, later?.baseline ?? NOTHING),
    },
  };
}

function closed(block: Block, troubled: boolean, at: number): Block {
  const small = block.candidate.requests + block.baseline.requests < BLOCK_REQUESTS;
  const short = troubled && at - block.since < TROUBLED_BLOCK_MS;
  if (block.closedAt !== undefined || small || short || block.baseline.requests === 0) return block;
  return { ...block, closedAt: at };
}

/** Its aftermath is over after a while, and sooner where the baseline answers well again. */
function isTroubled({ trouble }: Trial, at: number): boolean {
  if (!trouble || at - trouble.provenAt >= AFTERMATH_MS) return false;
  return trouble.answered < CALM_REQUESTS || at - trouble.erredAt < CALM_MS;
}

function troubleAfter(
  before: Trouble | undefined,
  isProven: boolean,
  { requests, errors }: Counts,
  at: number,
): Pick<Trial, 'trouble'> {
  if (!isProven && !before) return {};
  const provenAt = isProven || !before ? at : before.provenAt;
  const erred = errors > 0 || !before;
  const calm = erred ? { erredAt: at, answered: 0 } : { erredAt: before.erredAt, answered: before.answered + requests };
  return { trouble: { provenAt, ...calm } };
}

function inTouch(trial: Trial, { uid }: PodReading, at: number): boolean {
  const pod = trial.pods.get(uid);
  return pod !== undefined && at - pod.readAt < BASELINE_LOST_MS;
}

function silenceAfter(before: Silence | undefined, scrape: Scrape, at: number, fresh: ByGroup): Silence | undefined {
  if (fresh.baseline.requests > 0) return undefined;
  const erringSince = before?.erringSince ?? (before && fresh.candidate.errors > 0 ? at : undefined);
  const why = whyNoReading(scrape, 'baseline');
  return {
    since: before?.since ?? at,
    ...(erringSince !== undefined && { erringSince }),
    ...(why !== undefined && { why }),
  };
}

/**
 * Why there is nothing to compare with: all the time the candidate was failing, nothing was heard of a request that a
 * stable pod answered. Pods that served before may hang in the same outage: that takes longer.
 */
function aloneBecause({ silence, pods, lastAt, isWitness }: Trial): string | undefined {
  if (isWitness || silence?.erringSince === undefined) return undefined;
  const served = [...pods.values()].some(pod => pod.group === 'baseline' && pod.answered.requests > 0);
  const ms = lastAt - silence.erringSince;
  if (ms < (served ? HANG_MS : SILENCE_MS)) return undefined;
  const what = silence.why === undefined ? 'answered no request' : 'could not be read';
  const why = silence.why === undefined ? '' : ` (${silence.why})`;
  return `judged by its limit alone, for the stable pods ${what} for ${Math.floor(ms / 1000)} s${why}`;
}

// --- concluding ---

/** Bad is final: evidence that was once enough stays enough (Ville's inequality is about the highest value ever). */
function concludeCanary({ provenAt, ...seen }: Trial, wasDegraded: boolean): Trial {
  const trial: Trial = isProvenWorse(seen) && provenAt !== undefined ? { ...seen, provenAt } : seen;
  if (trial.badAt !== undefined || !proves(trial.failing) || isMoment(trial)) return trial;
  if (!proves(trial.absolute)) return overloaded(trial);
  if (isProvenWorse(trial)) return worse(trial);
  const alone = aloneBecause(trial);
  if (alone !== undefined) return { ...trial, badAt: trial.lastAt, alone };
  if (!wasDegraded && !proves(trial.baselineAbove)) return trial;
  return isMostlyShed(trial) ? overloaded(trial) : { ...trial, degradedAt: trial.lastAt };
}

const isProvenWorse = (trial: Trial): boolean => proves(trial.relative) && !hasMoved(trial);

function worse(trial: Trial): Trial {
  const provenAt = trial.provenAt ?? trial.lastAt;
  const mayBeFirst = isMostlyShed(trial) && trial.lastAt - provenAt < FILLING_MS;
  return mayBeFirst ? { ...trial, provenAt } : bad(trial);
}

function bad(trial: Trial): Trial {
  const { load, borne, lastAt } = trial;
  const overload = isMostlyShed(trial) && servedWords(load.candidate, load.baseline, borne);
  return { ...trial, badAt: lastAt, ...(overload !== false && { overload }) };
}

/** Above its limit by what does not count against it: nobody is blamed while that is so. */
const overloaded = (trial: Trial): Trial => (isMostlyShed(trial) ? { ...trial, overloadedAt: trial.lastAt } : trial);

/** Errors that the service had before and that only moved to the candidate are no regression. */
const hasMoved = ({ ratioBefore, risen }: Trial): boolean => ratioBefore > 0 && !proves(risen);

/** Where pods fail alone now and then, a moment of it says nothing. */
function isMoment({ ratioBefore, askedLimit, suspectSince = 0, lastErrorAt = 0 }: Trial): boolean {
  return ratioBefore >= OWN_ERRORS * askedLimit && lastErrorAt - suspectSince < MOMENT_MS;
}

type Dependencies = 'failed' | 'fine' | 'unanswered' | 'not asked';

/** What the pods say from which the errors come: one pod cut off from its database does not speak for the others. */
function dependenciesOf({ mode }: Trial, pods: ReadonlyMap<string, Pod>, scrape: Scrape): Dependencies {
  const asked = scrape.pods.filter(({ dependenciesFailed }) => dependenciesFailed !== undefined);
  if (mode !== 'bake' || asked.length === 0) return 'not asked';
  const erring = asked.some(({ uid }) => (pods.get(uid)?.recentErrors ?? 0) > 0);
  const errorsWhere = (answer: boolean | 'unknown') =>
    asked
      .filter(({ dependenciesFailed }) => dependenciesFailed === answer)
      .reduce((sum, { uid }) => sum + (erring ? (pods.get(uid)?.recentErrors ?? 0) : 1), 0);
  const [failed, unknown, fine] = [errorsWhere(true), errorsWhere('unknown'), errorsWhere(false)];
  if (failed >= unknown + fine) return 'failed';
  return failed + unknown > fine ? 'unanswered' : 'fine';
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
  // by what was counted a while ago nobody can tell whether a dependency was at fault then
  if (badAt !== undefined || trial.isWitness) return trial;
  if (dependencyFailedAt !== undefined && lastAt - dependencyFailedAt < AFTERMATH_MS) {
    const { provenAt: _, ...rest } = trial;
    const absolute = forget(trial.absolute);
    return { ...rest, absolute, failing: absolute, degradedAt: lastAt };
  }
  if (!proves(trial.failing) || isMoment(trial)) return trial;
  if (!proves(trial.absolute)) return overloaded(trial);
  const provenAt = trial.provenAt ?? lastAt;
  const waits = lastAt - provenAt < PATIENCE_MS[dependencies];
  return waits ? { ...trial, provenAt } : { ...bad(trial), provenAt };
}

/** True when it is worth asking pods in the bake about their dependencies. */
export const isSuspect = ({ suspectSince }: Trial): boolean => suspectSince !== undefined;

/** True while more requests fail than the limit allows, whoever is to blame. */
export const isAboveLimit = ({ failing }: Trial): boolean => proves(failing);

/** True while an error is so new that others may follow. */
export const isUneasy = ({ lastErrorAt, lastAt }: Trial): boolean =>
  lastErrorAt !== undefined && lastAt - lastErrorAt < UNEASY_MS;

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
      good: rounded(eValueOf(trial.good)),
    },
    message: messageOf(verdict, trial, policy, now, { candidate, baseline }),
    ...(verdict === 'Pending' && { pending: pendingWhy(trial) }),
    ...(decidedAt !== undefined && { decidedAt }),
    ...(trial.firstErrorAt !== undefined && { firstErrorAt: trial.firstErrorAt }),
    ...(verdict === 'Bad' && trial.overload !== undefined && { fault: 'OverloadRegression' as const }),
    borne: { all: rounded(trial.borne.all), perPod: rounded(trial.borne.perPod) },
  };
}

function verdictOf(trial: Trial, policy: Policy, now: number, candidate: GroupFigures): Verdict {
  if (trial.badAt !== undefined) return 'Bad';
  if (trial.firstAt === undefined || trial.expectedAt === undefined) return 'Pending';
  if (silentMs(trial, now) >= policy.blindAfterSeconds * 1_000) return 'Blind';
  if (isDegraded(trial)) return 'DependencyDegraded';
  if (isOverloaded(trial)) return 'Overloaded';
  if (isSuspect(trial) || trial.candidateReadAt === undefined) return 'Pending';
  if (passes(trial, policy, now, candidate)) return 'Good';
  return ranOut(trial, policy, now) ? 'Insufficient' : 'Pending';
}

/** For how long the candidate was asked in vain. */
const silentMs = ({ unreadSince, expectedAt = Number.POSITIVE_INFINITY }: Trial, now: number): number =>
  unreadSince === undefined ? 0 : now - Math.max(unreadSince, expectedAt);

function isDegraded(trial: Trial): boolean {
  return trial.degradedAt !== undefined && trial.degradedAt === trial.lastAt;
}

const isOverloaded = ({ overloadedAt, lastAt }: Trial): boolean => overloadedAt === lastAt;

function passes(trial: Trial, policy: Policy, now: number, candidate: GroupFigures): boolean {
  const looked = now - (trial.firstAt ?? now) >= Math.min(policy.minimumSeconds * 1000, LOOK_MS);
  const longEnough = (trial.served?.ms ?? 0) >= policy.minimumSeconds * 1000;
  const enough = candidate.requests >= policy.minimumRequests;
  return looked && longEnough && enough && isGood(trial.good, trial.inFlight);
}

/** The time in which a shared outage held the trial up does not count, nor does what another process watched. */
function ranOut(trial: Trial, policy: Policy, now: number): boolean {
  if (trial.mode === 'bake') return false;
  const looked = now - (trial.firstAt ?? now) >= Math.min(policy.timeoutSeconds * 1000, LOOK_MS);
  const { degradedAt = 0, overloadedAt = 0 } = trial;
  const from = Math.max(trial.served?.from ?? trial.startedAt, degradedAt, overloadedAt);
  return looked && now - from >= policy.timeoutSeconds * 1000;
}

function figures(trial: Trial, group: Group): GroupFigures {
  const pods = [...trial.pods.values()].filter(pod => pod.group === group);
  const { requests, errors } = pods.reduce((sum, pod) => plus(sum, pod.counted), NOTHING);
  const restarts = pods.reduce((sum, pod) => sum + Math.max(0, pod.restarts - pod.firstRestarts), 0);
  const shed = pods.reduce((sum, pod) => sum + pod.countedShed, 0);
  const ratio = requests === 0 ? 0 : errors / requests;
  return { requests, errors, ...(shed > 0 && { shed }), ratio, pods: pods.length, restarts };
}

// --- for people ---

function messageOf(verdict: Verdict, trial: Trial, policy: Policy, now: number, seen: ByGroupFigures): string {
  const { requests, errors } = seen.candidate;
  const limit =
    trial.limit === trial.askedLimit
      ? `limit ${percent(trial.limit, 12)}`
      : `limit ${percent(trial.limit)}, for the release before failed more often than ${percent(trial.askedLimit, 12)}`;
  const counts = `${errors} of ${requests} requests answered 5xx (${limit})${besides(trial, seen)}${shedWords(trial, seen)}`;
  switch (verdict) {
    case 'Bad':
      if (trial.overload !== undefined)
        return `${counts}; ${trial.overload}: it is slower, or gets too little of a processor`;
      return trial.alone === undefined ? counts : `${counts}; ${trial.alone}`;
    case 'Good':
      // what failed on all pods alike is in the counts, and was not held against the release
      return seen.candidate.ratio > trial.limit
        ? `${counts}, most of them in an outage of all pods: well below the limit since`
        : `${counts}: well below the limit`;
    case 'DependencyDegraded':
      return trial.mode === 'bake'
        ? `${counts}; the pods name a failed dependency: the release is not to blame`
        : `${counts}: as bad as each other, so the release is not to blame`;
    case 'Overloaded': {
      const load = servedWords(trial.load.candidate, trial.load.baseline, trial.borne);
      return `${counts}; ${load}: there is too much to do, and the release is not to blame`;
    }
    case 'Insufficient':
      return `${counts}: not enough to decide in ${policy.timeoutSeconds} s${keptConnections(seen)}`;
    case 'Blind': {
      const forSeconds = Math.floor(silentMs(trial, now) / 1_000);
      return `no reading from the candidate for ${forSeconds} s: ${trial.whyUnread ?? 'it has no pods'}; before that ${counts}`;
    }
    case 'Pending':
      return trial.firstAt === undefined ? pendingWhy(trial) : `${counts}; ${pendingWhy(trial)}`;
  }
}

/** A Service spreads connections, not requests: with few clients that keep theirs, a new pod is asked nothing. */
function keptConnections({ candidate, baseline }: ByGroupFigures): string {
  const fair = (baseline.requests / Math.max(1, baseline.pods)) * candidate.pods;
  if (baseline.requests < MANY_REQUESTS || candidate.requests > NEXT_TO_NONE * fair) return '';
  return '; clients keep their connections to the pods that they know, and a new pod gets requests only over new ones';
}

type ByGroupFigures = { readonly candidate: GroupFigures; readonly baseline: GroupFigures };

function shedWords({ mode }: Trial, { candidate, baseline }: ByGroupFigures): string {
  if (candidate.shed === undefined && baseline.shed === undefined) return '';
  const theirs = mode === 'bake' ? '' : `, of the pods beside it ${baseline.shed ?? 0}`;
  return `, of these for overload ${candidate.shed ?? 0}${theirs}`;
}

function besides({ mode }: Trial, { baseline }: ByGroupFigures): string {
  if (mode === 'bake') return '';
  if (baseline.pods === 0) return ', with no stable pod beside it that could be read';
  return `, the pods beside it ${baseline.errors} of ${baseline.requests}`;
}

function pendingWhy(trial: Trial): string {
  if (trial.firstAt === undefined) return 'no reading yet';
  if (trial.expectedAt === undefined) return 'none of its pods is ready yet';
  if (!proves(trial.absolute)) return isSuspect(trial) ? 'suspicious, still counting' : 'still counting';
  if (proves(trial.relative) && hasMoved(trial))
    return `above the limit, but the service as a whole fails no more than before (${percent(trial.ratioBefore)})`;
  return 'above the limit, but not yet shown to be worse than the stable pods';
}

function whyNoReading(scrape: Scrape, whose: Group): string | undefined {
  for (const { group, name, reading } of scrape.pods) {
    if (group === whose && !reading.known) return `${name}: ${reading.why}`;
  }
  return undefined;
}

/** 0.05 is "5 %", 0.005 is "0.5 %". */
const percent = (ratio: number, digits = 3): string => `${Number((ratio * 100).toPrecision(digits))} %`;
const rounded = (value: number): number => Number(value.toPrecision(3));
