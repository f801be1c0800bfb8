import type { Borne } from '../operator/src/evidence/overload.ts';
import { ALPHA_SHARE } from '../operator/src/evidence/slowness.ts';
import {
  isSuspect,
  type Judgement,
  judge,
  observe,
  type PodReading,
  type Policy,
  startTrial,
  type Trial,
} from '../operator/src/evidence/trial.ts';

/**
 * One release under traffic, seen through scrapes, judged by the code that the operator runs. Every request is an event
 * with an arrival, a pod, an outcome and a completion; the pods' counters are read at their own moments, candidate
 * first, as `scrapeAll` does. Seeded: the same scenario, seed and run give the same release.
 */
export type Scenario = {
  readonly name: string;
  readonly limit: number;
  /** Chance that a request fails on this group, by seconds since the start. */
  readonly candidate: number | ((seconds: number) => number);
  readonly baseline?: number | ((seconds: number) => number);
  readonly traffic?: 'poisson' | 'round robin' | 'bursty' | 'slow start';
  readonly requestsPerSecond?: number;
  readonly candidatePods?: number;
  readonly baselinePods?: number;
  readonly mode?: 'canary' | 'bake';
  readonly intervalMs?: number;
  /** Stops after this many requests answered by the candidate, or seconds. */
  readonly untilRequests?: number;
  readonly untilSeconds?: number;
  /** Go on past Good, to see whether Bad ever comes. */
  readonly pastGood?: boolean;
  readonly policy?: Partial<Policy>;
  readonly outage?: Outage;
  /** Chance that one reading fails. */
  readonly readingsLost?: number;
  readonly operatorRestartsAt?: number;
  readonly countersResetEvery?: number;
  readonly baselinePodVanishesAt?: number;
  readonly podsAddedAt?: number;
  readonly stableErrorRatio?: number;
  /** What the stable pods failed before; without it what they fail at the beginning. */
  readonly before?: number;
  /** So many clients with one kept connection each, spread over the pods; the first always fails, on the candidate. */
  readonly clients?: number;
  /** Each pod fails everything for a second, once in so many seconds, at its own moment. */
  readonly momentEvery?: number;
  /** How long what succeeds takes, and what fails; both are quick otherwise. */
  readonly successSeconds?: number;
  readonly failureSeconds?: number;
  /** How long the stable pods' metrics take; Infinity: they are never answered. */
  readonly baselineMetricsSeconds?: number;
  /**
   * With `analysis.latency.policy: Rollback` two trials share the promise. `slowness`: what fails here is slow, not
   * wrong; of those in flight that trial knows nothing. Absent: errors alone are judged.
   */
  readonly beside?: 'errors' | 'slowness';
  /** What a pod of each group can do, and how it turns the rest away. Absent: it never has too much to do. */
  readonly capacity?: { readonly candidate: Capacity; readonly baseline: Capacity };
  /** These seconds bring so many times the requests. */
  readonly rush?: { readonly from: number; readonly to: number; readonly times: number };
  /** A candidate pod gets so many times the requests of a stable one. */
  readonly candidateWeight?: number;
  /** The candidate calls so much of what it fails overload. */
  readonly candidateCallsShed?: number;
  /** What was served beside the stable pods, requests a second (bake). */
  readonly borne?: Borne;
};

/** `inBursts`: having turned one away, it turns all away until it has nothing left to do. */
type Capacity = { readonly perSecond: number; readonly queueSeconds: number; readonly inBursts?: boolean };

type Outage = {
  readonly from: number;
  readonly to: number;
  /** Affected requests hang this long and then fail; 0 fails at once. */
  readonly hangSeconds?: number;
  /** The candidate's hang for this long instead. */
  readonly candidateHangSeconds?: number;
  /** Share of the requests that need the dependency. */
  readonly share?: number;
  /** A pod's requests in flight fail together at its own moment, up to this much apart from the other pods'. */
  readonly burstSpreadSeconds?: number;
  /** Seconds until /ready names the failed dependency (bake). */
  readonly readyNoticesAfter?: number;
};

export type Outcome = {
  readonly verdict: Judgement['verdict'];
  readonly requests: number;
  readonly errors: number;
  readonly seconds: number;
  readonly degraded: boolean;
  /** Errors the candidate's users met until the verdict, those not yet scraped included. */
  readonly harmed: number;
};

type SimPod = {
  readonly uid: string;
  readonly group: 'candidate' | 'baseline';
  requests: number;
  errors: number;
  shed: number;
  inFlight: number;
  restarts: number;
  gone: boolean;
  /** Seconds until all that it has begun is done; and whether it turns all away until then. */
  busyUntil: number;
  turnsAway: boolean;
  readonly burstAt: number;
  readonly momentAt: number;
  /** A reading that is on its way. */
  late?: {
    readonly askedAt: number;
    readonly requests: number;
    readonly errors: number;
    readonly shed: number;
    readonly inFlight: number;
  };
};

type Request = { readonly at: number; readonly pod: SimPod; readonly failed: boolean; readonly shed?: boolean };

const NO_WAITING: Policy = { minimumSeconds: 0, minimumRequests: 0, timeoutSeconds: 3600, blindAfterSeconds: 15 };
const SERVICE_SECONDS = 0.02;
/** What a stable pod has answered before the trial. */
const BEFORE = 20_000;

/** sfc32: small, fast, passes PractRand. */
export function randomOf(seed: number, stream: number): () => number {
  let a = seed | 0;
  let b = stream | 0;
  let c = 0x9e3779b9;
  let counter = 1;
  const next = () => {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return (t >>> 0) / 4294967296;
  };
  for (let i = 0; i < 15; i++) next();
  return next;
}

export function simulate(scenario: Scenario, seed: number, run: number): Outcome {
  return new World(scenario, randomOf(seed, run)).run();
}

class World {
  readonly scenario: Scenario;
  readonly random: () => number;
  readonly pods: SimPod[] = [];
  /** The pod of each client that keeps its connection. */
  readonly clients: readonly SimPod[];
  readonly policy: Policy;
  /** Two queues, each in order of completion: quick answers, and those that hung. */
  readonly quick: Request[] = [];
  slow: Request[] = [];
  nextArrival = 0;
  turn = 0;
  now = 0;

  constructor(scenario: Scenario, random: () => number) {
    this.scenario = scenario;
    this.random = random;
    this.policy = { ...NO_WAITING, ...scenario.policy };
    for (let i = 0; i < (scenario.candidatePods ?? 1); i++) this.addPod('candidate');
    const baselinePods = scenario.mode === 'bake' ? 0 : (scenario.baselinePods ?? 3);
    for (let i = 0; i < baselinePods; i++) this.addPod('baseline', BEFORE);
    this.clients = Array.from({ length: scenario.clients ?? 0 }, (_, i) => {
      const pod = this.pods[i === 0 ? 0 : Math.floor(random() * this.pods.length)];
      if (!pod) throw new Error('no pods');
      return pod;
    });
    this.nextArrival = this.gap();
    if (this.scenario.traffic === 'round robin') this.turn = Math.floor(random() * this.pods.length);
  }

  addPod(group: SimPod['group'], requests = 0): void {
    const { outage, momentEvery = 0, before } = this.scenario;
    const burstAt = this.random() * (outage?.burstSpreadSeconds ?? 0);
    const momentAt = momentEvery > 0 ? this.random() * momentEvery : 0;
    const idle = { shed: 0, inFlight: 0, restarts: 0, gone: false, busyUntil: 0, turnsAway: false };
    const pod = { uid: `p${this.pods.length}`, group, burstAt, momentAt, ...idle };
    const errors = Math.round(requests * (before ?? this.ratio({ ...pod, requests, errors: 0 }, 0)));
    this.pods.push({ ...pod, requests, errors });
  }

  run(): Outcome {
    const { scenario, policy } = this;
    const interval = (scenario.intervalMs ?? 250) / 1000;
    let trial = this.newTrial();
    let degraded = false;
    let restarted = false;
    for (let at = interval * this.random(); ; at += interval) {
      if (!restarted && scenario.operatorRestartsAt !== undefined && at >= scenario.operatorRestartsAt) {
        restarted = true;
        trial = this.newTrial();
        at += 3;
      }
      this.incidents(at, interval);
      trial = observe(trial, { at: at * 1000, pods: this.scrape(at, isSuspect(trial)) });
      const judgement = judge(trial, policy, at * 1000);
      degraded ||= ['DependencyDegraded', 'Overloaded'].includes(judgement.verdict);
      if (this.ends(judgement, at)) return this.outcome(judgement, at, degraded);
    }
  }

  newTrial(): Trial {
    const { limit, mode = 'canary', stableErrorRatio = 0, beside, borne } = this.scenario;
    const alphaShare = beside === undefined ? 1 : ALPHA_SHARE[beside];
    return startTrial({
      ...{ startedAt: 0, maxServerErrorRatio: limit, mode, stableErrorRatio, alphaShare },
      ...(borne && { borne }),
    });
  }

  ends({ verdict, candidate }: Judgement, at: number): boolean {
    const { untilRequests = 5000, untilSeconds = 3600, pastGood } = this.scenario;
    if (verdict === 'Bad' || (verdict === 'Good' && !pastGood)) return true;
    return candidate.requests >= untilRequests || at >= untilSeconds;
  }

  outcome({ verdict, candidate }: Judgement, at: number, degraded: boolean): Outcome {
    const harmed = this.pods.reduce((sum, pod) => sum + (pod.group === 'candidate' ? pod.errors : 0), 0);
    return { verdict, requests: candidate.requests, errors: candidate.errors, seconds: at, degraded, harmed };
  }

  incidents(at: number, interval: number): void {
    const { countersResetEvery, baselinePodVanishesAt = Infinity, podsAddedAt = Infinity } = this.scenario;
    if (countersResetEvery !== undefined && this.random() < interval / countersResetEvery) {
      const pod = this.pods[Math.floor(this.random() * this.pods.length)];
      if (pod) Object.assign(pod, { requests: 0, errors: 0, shed: 0, restarts: pod.restarts + 1 });
    }
    const last = this.pods.findLast(pod => pod.group === 'baseline');
    if (last && at >= baselinePodVanishesAt && at < baselinePodVanishesAt + interval) last.gone = true;
    if (at >= podsAddedAt && at < podsAddedAt + interval) {
      this.addPod('baseline');
      this.addPod('candidate');
    }
  }

  /** Candidate pods first; the baseline's a few milliseconds after. */
  scrape(at: number, suspect: boolean): PodReading[] {
    this.advanceTo(at);
    const candidates = this.read('candidate', at, suspect);
    this.advanceTo(at + 0.002 + 0.02 * this.random());
    return [...candidates, ...this.read('baseline', at, false)];
  }

  read(group: SimPod['group'], at: number, suspect: boolean): PodReading[] {
    const failing = suspect && this.scenario.mode === 'bake' ? this.dependenciesFailed(at) : undefined;
    return this.pods
      .filter(pod => pod.group === group && !pod.gone)
      .map(pod => ({
        name: pod.uid,
        uid: pod.uid,
        group,
        restarts: pod.restarts,
        reading: this.reading(pod, at),
        ...(failing !== undefined && { dependenciesFailed: failing }),
      }));
  }

  reading(pod: SimPod, at: number): PodReading['reading'] {
    const { readingsLost = 0, baselineMetricsSeconds = 0, beside } = this.scenario;
    if (readingsLost > 0 && this.random() < readingsLost) return { known: false, why: 'timeout' };
    const { requests, errors, shed } = pod;
    const inFlight = beside === 'slowness' ? 0 : pod.inFlight;
    if (pod.group === 'candidate' || baselineMetricsSeconds === 0)
      return { known: true, requests, errors, shed, inFlight };
    const { late } = pod;
    if (!late) pod.late = { askedAt: at * 1000, requests, errors, shed, inFlight };
    if (!late || at * 1000 < late.askedAt + baselineMetricsSeconds * 1000) return { known: false, why: 'slow' };
    delete pod.late;
    return { known: true, ...late };
  }

  dependenciesFailed(at: number): boolean | 'unknown' {
    const { outage } = this.scenario;
    if (!outage || at < outage.from || at >= outage.to) return false;
    return at < outage.from + (outage.readyNoticesAfter ?? 0) ? 'unknown' : true;
  }

  advanceTo(until: number): void {
    while (this.nextArrival <= until) {
      this.arrive(this.nextArrival);
      this.nextArrival += this.gap();
    }
    this.complete(this.quick, until);
    this.complete(this.slow, until);
    this.now = until;
  }

  complete(queue: Request[], until: number): void {
    let done = 0;
    for (const { at, pod, failed, shed } of queue) {
      if (at > until) break;
      pod.requests++;
      pod.inFlight--;
      if (failed) pod.errors++;
      if (shed) pod.shed++;
      done++;
    }
    queue.splice(0, done);
  }

  gap(): number {
    const { traffic = 'poisson', rush } = this.scenario;
    const isRush = rush !== undefined && this.nextArrival >= rush.from && this.nextArrival < rush.to;
    const requestsPerSecond = (this.scenario.requestsPerSecond ?? 20) * (isRush ? rush.times : 1);
    if (traffic === 'round robin') return 1 / requestsPerSecond;
    const exponential = -Math.log(1 - this.random());
    if (traffic === 'bursty') return (exponential * BUNCH) / requestsPerSecond;
    const rate =
      traffic === 'slow start' ? requestsPerSecond * Math.min(1, 0.1 + this.nextArrival / 15) : requestsPerSecond;
    return exponential / rate;
  }

  arrive(at: number): void {
    const client = Math.floor(this.random() * this.clients.length);
    const pod = this.clients[client] ?? this.choose();
    if (!pod) return;
    if (this.clients.length > 0 && client === 0) {
      this.answer(at, pod, true);
      return;
    }
    const ratio = this.ratio(pod, at);
    if (this.scenario.traffic !== 'bursty') {
      this.answer(at, pod, this.random() < ratio);
      return;
    }
    // a bunch goes to one pod; half of the bunches fail or succeed as one
    const together = this.random() < 0.5 ? this.random() < ratio : undefined;
    do this.answer(at, pod, together ?? this.random() < ratio);
    while (this.random() < 1 - 1 / BUNCH);
  }

  choose(): SimPod | undefined {
    const serving = this.pods.filter(pod => !pod.gone);
    const { candidateWeight = 1 } = this.scenario;
    if (candidateWeight !== 1) {
      const stable = serving.filter(({ group }) => group === 'baseline');
      const candidates = serving.filter(({ group }) => group === 'candidate');
      const share = (candidateWeight * candidates.length) / (candidateWeight * candidates.length + stable.length);
      const group = this.random() < share ? candidates : stable;
      return group[Math.floor(this.random() * group.length)];
    }
    const at = this.scenario.traffic === 'round robin' ? this.turn++ % serving.length : this.random() * serving.length;
    return serving[Math.floor(at)];
  }

  ratio(pod: SimPod, at: number): number {
    const { candidate, baseline = 0.001, momentEvery = 0 } = this.scenario;
    if (momentEvery > 0 && (at + pod.momentAt) % momentEvery < 1) return 1;
    const of = pod.group === 'candidate' ? candidate : baseline;
    return typeof of === 'number' ? of : of(at);
  }

  answer(at: number, pod: SimPod, failed: boolean): void {
    const { outage, successSeconds, failureSeconds, capacity, candidateCallsShed = 0 } = this.scenario;
    if (capacity) {
      this.bear(at, pod, failed, capacity[pod.group]);
      return;
    }
    const seconds = failed ? failureSeconds : successSeconds;
    pod.inFlight++;
    const hit = outage && at >= outage.from && at < outage.to && this.random() < (outage.share ?? 1);
    if (!hit && seconds !== undefined) {
      this.insert({ at: at + seconds, pod, failed });
      return;
    }
    if (!hit) {
      const shed = failed && pod.group === 'candidate' && candidateCallsShed > 0 && this.random() < candidateCallsShed;
      this.quick.push({ at: at + SERVICE_SECONDS, pod, failed, shed });
      return;
    }
    const hang = (pod.group === 'candidate' ? outage.candidateHangSeconds : undefined) ?? outage.hangSeconds ?? 0;
    const spread = outage.burstSpreadSeconds ?? 0;
    // with bursts, a pod's hung requests end together, once per hang, each pod at its own moment
    const end =
      spread > 0
        ? outage.from + pod.burstAt + Math.ceil((at - outage.from - pod.burstAt) / hang + 1e-9) * hang
        : at + hang;
    this.insert({ at: end + SERVICE_SECONDS, pod, failed: true });
  }

  /** One after the other; what would have to wait for too long is turned away. */
  bear(at: number, pod: SimPod, failed: boolean, { perSecond, queueSeconds, inBursts }: Capacity): void {
    pod.inFlight++;
    const waits = Math.max(0, pod.busyUntil - at);
    if (waits === 0) pod.turnsAway = false;
    if (waits > queueSeconds) pod.turnsAway = inBursts ?? false;
    if (waits > queueSeconds || pod.turnsAway) {
      this.insert({ at: at + 0.001, pod, failed: true, shed: true });
      return;
    }
    pod.busyUntil = Math.max(at, pod.busyUntil) + 1 / perSecond;
    this.insert({ at: pod.busyUntil, pod, failed });
  }

  insert(request: Request): void {
    const later = this.slow.findLastIndex(other => other.at <= request.at) + 1;
    this.slow.splice(later, 0, request);
  }
}

const BUNCH = 2.5;
