// Evidence about the running pods, wired to the stores: whom to read, with which token, and whom to wake.
// A trial lives in memory only: its facts are the pods' own counters, and those are read again after a restart.
import type { Logger } from 'pino';
import type { GroupFigures } from '../api/incident.ts';
import { jsonOf } from '../api/json.ts';
import type { AppResource } from '../api/resource.ts';
import type { VerdictEvidence } from '../api/rollout.ts';
import { type Latency, LatencyWindow, type P95 } from '../evidence/latency.ts';
import {
  MAX_METRICS_BYTES,
  METRICS_TIMEOUT_MS,
  RequestCounter,
  type RequestCounts,
  type RouteCounts,
  TOO_LARGE,
  type Unread,
  USER_AGENT,
} from '../evidence/metrics.ts';
import {
  type Budget,
  costMs,
  isRelaxed,
  longer,
  NO_STRETCH,
  type Paced,
  paceMs,
  STANDINGS,
  type Standing,
  type Stretch,
  stretchOf,
} from '../evidence/pace.ts';
import { byName, nameFor } from '../evidence/public-name.ts';
import { parseRecent, RECENT_PATH, replay, worstRoutes } from '../evidence/replay.ts';
import { createScraper, type Scraper, type Target } from '../evidence/scrape.ts';
import { ALPHA_SHARE, type Combined, combine, type Slowness, slowScrape } from '../evidence/slowness.ts';
import { type Answer, type Ask, rehearse } from '../evidence/smoke.ts';
import { FALSE_BAD, FALSE_GOOD, proofPercent, showsGood } from '../evidence/statistics.ts';
import {
  isSuspect,
  isUneasy,
  judge,
  observe,
  type PodReading,
  type Policy,
  startTrial,
  type Trial,
  type Judgement as TrialJudgement,
} from '../evidence/trial.ts';
import { get } from '../kube/apply.ts';
import { ConnectionPool, readPieces, readText } from '../kube/http.ts';
import { pathOf, pods, secrets } from '../kube/resource.ts';
import type { Transport } from '../kube/transport.ts';
import { durationMs } from '../lifecycle/around/scraped.ts';
import type { Judgement, PodView } from '../lifecycle/snapshot.ts';
import { isServing, names } from '../objects/names.ts';
import { parseRevision } from '../objects/revision.ts';
import type { OperatorMetrics } from './metrics.ts';
import type { Evidence, Rehearsed, TrialRequest } from './trials.ts';
import type { KeptPod } from './views.ts';
import { Prometheus, type PrometheusOptions, Witness } from './witness.ts';
import { type AppKey, keyOfApp, labelled, splitKey, type World } from './world.ts';

export interface EvidenceOptions {
  readonly world: World;
  readonly wake: (key: AppKey) => void;
  readonly transport: Transport;
  /** `direct`: by the pod's address. `proxy`: through the API server, from outside the cluster. */
  readonly access: 'direct' | 'proxy';
  readonly log: Logger;
  readonly metrics?: Pick<OperatorMetrics, 'readings' | 'readingStretch'>;
  /** Asked where pods cannot be read; absent: there is none. */
  readonly prometheus?: PrometheusOptions;
}

/** Of all trials together. Through the API server every reading is a request to it. */
const BUDGETS = { direct: { perSecond: 100 }, proxy: { perSecond: 25, oftenestMs: 1_000 } } as const;
/** With a database that stands still the services' /ready takes most of a second. */
const READY_TIMEOUT_MS = 2_000;
/**
 * Who could blame the release shares the chances of a false Bad: where Prometheus may be asked it has a tenth of them, and
 * the pods' own counters the others (ln(1/0.9) is a tenth: they find a fault as soon as before).
 */
const WITNESS_SHARE = { pods: 0.9, prometheus: 0.1 } as const;
/** Told to who shows the scrape token. */
const FOR_READERS: ReadonlySet<string> = new Set(['/metrics', RECENT_PATH]);
/** How long answers took is for people, and costs eight times as much to read; the first of it is soon known. */
const LATENCY_MS = { unknown: 1_000, known: 5_000 } as const;
/** Between two looks of one trial, however long the first took. */
const LEAST_REST_MS = 50;
/** From when somebody needs less until all waits are reckoned anew: with ten thousand that takes some milliseconds. */
const RELAX_MS = 500;
/** So many stable pods are asked what they were asked of late. */
const RECENT_FROM = 3;

export function createEvidence(options: EvidenceOptions): Evidence {
  return new PodEvidence(options);
}

interface Followed {
  readonly app: AppResource;
  readonly request: TrialRequest;
  readonly scraper: Scraper<PodTarget>;
  trial: Trial;
  pods: number;
  /** That its pods have sent since its last look began. */
  bytes: number;
  /** Routes of each candidate pod that failed, by its uid, as last read. */
  readonly routes: Map<string, RouteCounts>;
  /** How often a Prometheus has read each candidate pod, by its uid, as last read. */
  readonly scrapes: Map<string, number>;
  /** Of each pod, by its uid, as last read. */
  readonly slowness: Map<string, Slowness>;
  latency: LatencySeen;
  /** In the look that is under way; and what it has read, by the pods' uids. */
  readsLatency: boolean;
  readonly latencies: Map<string, Latency>;
  /** The trial of slow answers; absent where they are not judged. */
  slow: Trial | undefined;
  /** Who is asked while the candidate cannot be read. */
  readonly witness: Witness | undefined;
  /** When the phase began that is watched now. */
  phaseSince: number;
  /** What the pods had answered when that phase was first seen. */
  begun: { since: number; from: number; requests: number; errors: number } | undefined;
  judgement: Judgement | undefined;
  /** Why Prometheus said nothing, in the judgement's message. */
  silence?: string | undefined;
  /** When its last look began, by `performance.now()`; and what that look cost, as a wait. */
  lookedAt: number;
  costMs: number;
  /** Until the next look; undefined while one is under way. */
  timer: NodeJS.Timeout | undefined;
  ended: boolean;
}

/** How long answers took in the phase that is watched now. */
interface LatencySeen {
  /** When that phase began; undefined before the first reading. */
  readonly since: number | undefined;
  readonly readAt: number;
  readonly candidate: LatencyWindow;
  readonly baseline: LatencyWindow;
}

interface Replaying {
  readonly pod: KeptPod;
  readonly stable: readonly KeptPod[];
  readonly apiKey: string | undefined;
  /** What the tests before said. */
  readonly message: string;
}

interface PodTarget extends Target {
  readonly pod: KeptPod;
}

class PodEvidence implements Evidence {
  readonly #options: EvidenceOptions;
  readonly #followed = new Map<AppKey, Followed>();
  readonly #tokens = new Map<string, { resourceVersion: string; token: string }>();
  readonly #pods = new ConnectionPool({ connections: 2, idleMs: 10_000 });

  readonly #prometheus: Prometheus | undefined;
  /** The longest that a wait was reckoned with since all were reckoned anew. */
  #reckoned: Stretch = NO_STRETCH;
  #relaxing: NodeJS.Timeout | undefined;

  constructor(options: EvidenceOptions) {
    this.#options = options;
    this.#prometheus = options.prometheus && new Prometheus(options.prometheus);
  }

  follow(app: AppResource, wanted: TrialRequest | undefined): void {
    const key = keyOfApp(app);
    const known = this.#followed.get(key);
    if (!wanted) {
      this.forget(key);
      return;
    }
    if (known && sameTrial(known, app, wanted)) {
      known.phaseSince = wanted.startedAt;
      return;
    }
    this.forget(key);
    const { rollout } = app.spec;
    const { mode, startedAt, stableErrorRatio, borne } = wanted;
    const asked = {
      mode,
      startedAt,
      maxServerErrorRatio: Number(rollout.analysis.maxServerErrorRatio),
      bakeSeconds: rollout.bakeSeconds,
      ...(stableErrorRatio !== undefined && { stableErrorRatio }),
      ...(borne && { borne }),
    };
    const alpha = rollout.analysis.latency.policy === 'Rollback' ? ALPHA_SHARE.errors : 1;
    const prometheus = rollout.analysis.prometheus === 'Fallback' ? this.#prometheus : undefined;
    const trial = startTrial({ ...asked, alphaShare: alpha * (prometheus ? WITNESS_SHARE.pods : 1) });
    const followed: Followed = {
      app,
      request: wanted,
      scraper: createScraper((target, signal) => this.#metrics(target, followed, signal)),
      trial,
      pods: 0,
      bytes: 0,
      routes: new Map(),
      scrapes: new Map(),
      slowness: new Map(),
      latency: { since: undefined, readAt: 0, candidate: new LatencyWindow(), baseline: new LatencyWindow() },
      readsLatency: false,
      latencies: new Map(),
      slow: slowTrial(app, wanted),
      witness:
        prometheus &&
        new Witness({
          prometheus,
          namespace: app.metadata.namespace,
          trial: startTrial({ ...asked, alphaShare: alpha * WITNESS_SHARE.prometheus, isWitness: true }),
          intervalMs: durationMs(app.spec.monitoring.interval),
        }),
      phaseSince: startedAt,
      begun: undefined,
      judgement: undefined,
      lookedAt: 0,
      costMs: 0,
      timer: undefined,
      ended: false,
    };
    this.#followed.set(key, followed);
    void this.#look(key, followed);
  }

  forget(key: AppKey): void {
    const { namespace, name } = splitKey(key);
    this.#tokens.delete(tokenAt(namespace, name));
    const followed = this.#followed.get(key);
    if (!followed) return;
    followed.ended = true;
    clearTimeout(followed.timer);
    followed.scraper.stop();
    this.#followed.delete(key);
    this.#stretch();
  }

  judgement(key: AppKey): Judgement | undefined {
    return this.#followed.get(key)?.judgement;
  }

  async rehearse(app: AppResource, name: string, signal: AbortSignal): Promise<Rehearsed> {
    const pod = this.#options.world.of(app.metadata.namespace).pods.get(app.metadata.namespace, name);
    if (!pod) return { passed: false, message: `pod ${name} is gone` };
    const { probes, rollout } = app.spec;
    const paths = [...new Set([probes.liveness.path, probes.readiness.path])];
    const stable = this.#stablePods(app, pod);
    const apiKey = await this.#apiKey(app);
    const [first] = stable;
    const named = this.#byName(app, pod, first);
    const asking = (one: KeptPod): Ask => {
      const ask = named(one, this.#asking(one, app));
      return request => ask({ ...request, signal });
    };
    const found = await rehearse(paths, rollout.smokeTests, asking(pod), {
      ...(first && { stable: asking(first) }),
      ...(apiKey !== undefined && { apiKey }),
    });
    const { passed, message, isShared } = found;
    if (isShared) return { passed, message, reason: 'DependencyDegraded' };
    if (!passed || rollout.rehearsal.replay === 'Disabled') return { passed, message };
    return this.#replayed(app, { pod, stable, apiKey, message }, signal);
  }

  /** Ready pods that serve another release than this one. */
  #stablePods({ metadata: { name, namespace } }: AppResource, { view: { release } }: KeptPod): readonly KeptPod[] {
    return this.#options.world
      .of(namespace)
      .pods.byIndex('instance', labelled(namespace, name))
      .filter(({ view, component }) => isServing(component) && view.release !== release && isAnswering(view));
  }

  /** What users asked of late, asked of the rehearsal pod and of a stable one. */
  async #replayed(app: AppResource, asked: Replaying, signal: AbortSignal): Promise<Rehearsed> {
    const { pod, stable, message: before } = asked;
    const { rehearsal, analysis } = app.spec.rollout;
    const [first] = stable;
    const recent = await this.#recent(app, stable.slice(0, RECENT_FROM), signal);
    if (!first || typeof recent === 'string' || recent.length === 0) {
      const why = typeof recent === 'string' ? recent : 'the stable pods know of no recent requests: none replayed';
      return { passed: true, message: `${before}; ${first ? why : 'no stable pod is ready: none replayed'}` };
    }
    const token = await this.#token(app);
    const proofs = {
      'user-agent': USER_AGENT,
      'x-rehearsal': '1',
      ...(token !== undefined && { 'x-scrape-token': token }),
      ...(asked.apiKey !== undefined && { 'x-api-key': asked.apiKey }),
    };
    const named = this.#byName(app, pod, first);
    const asking = (one: KeptPod): Ask => {
      const ask = named(one, this.#reaching(one));
      return request => ask({ ...request, headers: proofs });
    };
    const settings = {
      maxRequests: rehearsal.maxRequests,
      maxSeconds: rehearsal.maxSeconds,
      limit: Number(analysis.maxServerErrorRatio),
    };
    const found = await replay(recent, { candidate: asking(pod), stable: asking(first) }, settings, signal);
    const { evidence, differences } = found;
    const told = { evidence, ...(differences.length > 0 && { differences }) };
    if (found.verdict === 'DependencyDegraded')
      return { passed: false, message: found.message, reason: found.verdict, ...told };
    const refused = found.verdict === 'Bad' || (differences.length > 0 && rehearsal.onDifference === 'Reject');
    if (!refused) return { passed: true, message: `${before}; ${found.message}`, ...told };
    // a pod that was taken away in the middle answered nothing any more, and is no verdict on its release
    if (!this.#isThere(pod))
      return { passed: false, message: 'the pod left while it was asked', reason: 'DependencyDegraded' };
    return { passed: false, message: found.message, reason: 'RehearsalFailed', ...told };
  }

  /** As users ask these two: by a name that the pod's release knows, where it knows any. */
  #byName({ metadata: { name, namespace }, spec: { probes } }: AppResource, candidate: KeptPod, stable?: KeptPod) {
    const kept = this.#options.world.of(namespace).revisions.byIndex('instance', labelled(namespace, name));
    const releases = kept.flatMap(one => parseRevision(one)?.release ?? []);
    const hostsOf = (pod: KeptPod | undefined) => releases.find(({ hash }) => hash === pod?.view.release)?.hosts ?? [];
    const probePaths = [probes.liveness.path, probes.readiness.path];
    const host = nameFor(hostsOf(candidate), hostsOf(stable));
    return (pod: KeptPod, ask: Ask): Ask =>
      host !== undefined && hostsOf(pod).includes(host) ? byName(ask, host, probePaths) : ask;
  }

  #isThere({ metadata: { namespace, name }, view: { uid } }: KeptPod): boolean {
    const now = this.#options.world.of(namespace).pods.get(namespace, name);
    return now?.view.uid === uid && !now.view.deleting && !now.view.ended;
  }

  /** What these pods were asked of late, or why that is not known. */
  async #recent(app: AppResource, stable: readonly KeptPod[], signal: AbortSignal) {
    const answers = await Promise.all(
      stable.map(async pod => {
        try {
          return await this.#asking(pod, app)({ path: RECENT_PATH, timeoutMs: METRICS_TIMEOUT_MS, signal });
        } catch {
          return undefined;
        }
      }),
    );
    const lists = answers.flatMap(answer => (answer?.status === 200 ? [parseRecent(answer.text) ?? []] : []));
    if (lists.length > 0) return lists.flat();
    const isMissing = answers.some(answer => answer?.status === 404);
    return isMissing
      ? 'the stable image tells no recent requests: none replayed'
      : 'the stable pods’ recent requests could not be read: none replayed';
  }

  /** The key that callers of a dashboard hold. Kept for as long as one rehearsal runs. */
  async #apiKey({ kind, metadata: { name, namespace } }: AppResource): Promise<string | undefined> {
    if (kind !== 'DashboardDeployment') return undefined;
    const read = await get(this.#options.transport, secrets, { namespace, name: names.apiKey(name) }).catch(() => null);
    const encoded = read?.data?.['key'];
    return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString();
  }

  async ask(app: AppResource, name: string, question: Parameters<Ask>[0]): Promise<Answer> {
    const pod = this.#options.world.of(app.metadata.namespace).pods.get(app.metadata.namespace, name);
    if (!pod) throw new Error(`pod ${name} is gone`);
    return this.#reaching(pod)(question);
  }

  async stop(): Promise<void> {
    for (const key of [...this.#followed.keys()]) this.forget(key);
    clearTimeout(this.#relaxing);
    this.#pods.close();
    this.#prometheus?.close();
  }

  /** One look, and the next one after it: two looks of one trial are never under way together. */
  async #look(key: AppKey, followed: Followed): Promise<void> {
    const targets = this.#targets(followed);
    followed.pods = targets.length;
    // slow pods are waited for where they would not be asked again soon
    const patienceMs = Math.min(METRICS_TIMEOUT_MS, this.#paceMs(followed) / 4);
    followed.timer = undefined;
    followed.lookedAt = performance.now();
    followed.bytes = 0;
    followed.readsLatency = isLatencyDue(followed);
    followed.latencies.clear();
    let inVain = false;
    try {
      this.#options.metrics?.readings.inc({ standing: standingOf(followed) }, targets.length);
      const scrape = await followed.scraper.look(targets, patienceMs);
      inVain = scrape.pods.some(({ reading }) => !reading.known && reading.why === TOO_LARGE);
      const readings = await this.#withDependencies(followed, scrape.pods);
      if (followed.ended) return;
      followed.trial = observe(followed.trial, { ...scrape, pods: readings });
      if (followed.readsLatency) followed.latency = latencyAfter(followed, readings);
      if (followed.slow) followed.slow = observe(followed.slow, slowScrape(scrape, followed.slowness));
      const isCandidateRead = readings.some(({ group, reading }) => group === 'candidate' && reading.known);
      followed.witness?.look(targets, isCandidateRead, Date.now());
      this.#judge(key, followed);
    } catch (error) {
      const { message: why, stack } = error as Error;
      this.#options.log.warn({ key, why, stack }, 'a look at the pods failed');
    }
    if (followed.ended) return;
    followed.costMs = costMs({ bytes: followed.bytes, inVain }, standingOf(followed));
    // a trial that has just met an error is no healthy one any more: it is looked at again at once
    this.#waits(key, followed, this.#paceMs(followed));
  }

  #waits(key: AppKey, followed: Followed, paceMs: number, leastMs = LEAST_REST_MS): void {
    clearTimeout(followed.timer);
    const restMs = followed.lookedAt + Math.max(paceMs, followed.costMs) - performance.now();
    followed.timer = setTimeout(() => void this.#look(key, followed), Math.max(leastMs, restMs));
  }

  #paceMs(followed: Followed): number {
    return paceMs(pacedOf(followed), this.#stretch(), this.#budget.oftenestMs);
  }

  get #budget(): Budget {
    return BUDGETS[this.#options.access];
  }

  #stretch(): Stretch {
    const stretch = stretchOf([...this.#followed.values()].map(pacedOf), this.#budget);
    for (const standing of STANDINGS) this.#options.metrics?.readingStretch.set({ standing }, stretch[standing]);
    const isOver = isRelaxed(this.#reckoned, stretch);
    this.#reckoned = longer(this.#reckoned, stretch);
    if (isOver) this.#relaxing ??= setTimeout(() => this.#relax(), RELAX_MS);
    return stretch;
  }

  /**
   * Who waits had its wait reckoned when there was less to be had, minutes of it perhaps: all are reckoned anew. Those who
   * have waited for long enough are looked at one after the other.
   */
  #relax(): void {
    this.#relaxing = undefined;
    this.#reckoned = NO_STRETCH;
    const stretch = this.#stretch();
    const waiting = [...this.#followed].filter(([, { timer }]) => timer !== undefined);
    for (const [index, [key, followed]] of waiting.entries()) {
      const pace = paceMs(pacedOf(followed), stretch, this.#budget.oftenestMs);
      this.#waits(key, followed, pace, Math.max(LEAST_REST_MS, (pace * index) / waiting.length));
    }
  }

  #judge(key: AppKey, followed: Followed): void {
    const policy = policyOf(followed.app);
    const own = judge(followed.trial, policy, Date.now());
    const witnessed = followed.witness?.judged(own, policy, Date.now());
    const errors = witnessed ?? own;
    const slow = followed.slow && judge(followed.slow, policy, Date.now());
    const { candidate, baseline, pending, firstErrorAt, borne } = errors;
    const { verdict, message, fault }: Combined = witnessed ?? combined(followed, errors, slow);
    const evidence = fault === 'SlowRegression' && slow ? slow.evidence : errors.evidence;
    const before = followed.judgement;
    const said = saidBefore(followed, verdict, witnessed?.silence);
    followed.silence = witnessed?.silence;
    const scrapes = [...followed.scrapes.values()];
    const { requests, errors: failed } = own.candidate;
    if (followed.begun?.since !== followed.phaseSince)
      followed.begun = { since: followed.phaseSince, from: Date.now(), requests, errors: failed };
    const { begun, latency } = followed;
    const p95 = latency.candidate.p95();
    followed.judgement = {
      verdict,
      since: sinceWhen(before, verdict),
      release: followed.request.release,
      mode: followed.request.mode,
      startedAt: followed.phaseSince,
      ...(followed.request.mode === 'bake' && {
        window: {
          ...{ from: begun.from, requests: requests - begun.requests, errors: failed - begun.errors },
          ...(p95 && { p95 }),
        },
      }),
      ...(scrapes.length > 0 && { scrapes: scrapes.reduce((sum, count) => sum + count, 0) }),
      candidate: { ...groupOf(candidate), ...(slow && { slow: slow.candidate.errors }), ...inMs(p95) },
      baseline: { ...groupOf(baseline), ...(slow && { slow: slow.baseline.errors }), ...inMs(latency.baseline.p95()) },
      ...(fault && { fault }),
      proof: {
        badPercent: proofPercent(
          followed.trial.mode === 'canary' ? Math.min(evidence.absolute, evidence.relative) : evidence.absolute,
          FALSE_BAD,
        ),
        goodPercent: proofPercent(evidence.good, FALSE_GOOD),
      },
      baselineIsGood: isShownGood(followed.app, baseline),
      message: said ?? message,
      ...(verdict === 'Bad' && {
        evidence: before?.evidence ?? evidenceOf({ candidate, baseline, evidence }, followed.routes),
      }),
      ...(pending !== undefined && { pending }),
      ...(firstErrorAt !== undefined && { firstErrorAt }),
      borne,
    };
    if (said !== undefined) return;
    this.#options.log.info({ key, verdict, message }, 'verdict');
    this.#options.wake(key);
  }

  #targets({ app, request }: Followed): PodTarget[] {
    const { name, namespace } = app.metadata;
    const all = this.#options.world.of(namespace).pods.byIndex('instance', labelled(namespace, name));
    return all.flatMap(pod => {
      const { view, component } = pod;
      if (!isServing(component) || view.deleting || view.ended || view.ip === undefined) return [];
      const group = view.release === request.release ? 'candidate' : 'baseline';
      if (group === 'baseline' && view.release !== request.baseline) return [];
      return [
        { name: view.name, uid: view.uid, group, restarts: view.restarts, readySince: readySince(view), pod } as const,
      ];
    });
  }

  async #metrics({ pod, group }: PodTarget, followed: Followed, signal: AbortSignal): Promise<RequestCounts | Unread> {
    const { thresholdSeconds } = followed.app.spec.rollout.analysis.latency;
    const counter = new RequestCounter(followed.slow ? Number(thresholdSeconds) : undefined, followed.readsLatency);
    const take = (piece: Buffer): void => {
      followed.bytes += piece.length;
      counter.add(piece);
    };
    const request = { path: '/metrics', timeoutMs: METRICS_TIMEOUT_MS, signal, take };
    const { status } = await this.#asking(pod, followed.app)(request);
    if (status !== 200) throw new Error(`/metrics answered ${status}`);
    const counts = counter.counts();
    if (group === 'candidate' && counts.known) followed.routes.set(pod.view.uid, counter.failingRoutes());
    const scrapes = counter.prometheusScrapes();
    if (group === 'candidate' && scrapes !== undefined) followed.scrapes.set(pod.view.uid, scrapes);
    if (followed.slow) followed.slowness.set(pod.view.uid, counter.slowness());
    if (followed.readsLatency) followed.latencies.set(pod.view.uid, counter.latency());
    return counts;
  }

  /** With nothing beside it to compare with, a suspect release is asked whether its dependencies work. */
  async #withDependencies(followed: Followed, readings: readonly PodReading[]): Promise<readonly PodReading[]> {
    if (followed.request.mode !== 'bake' || !isSuspect(followed.trial)) return readings;
    const targets = new Map(this.#targets(followed).map(target => [target.uid, target.pod]));
    return Promise.all(
      readings.map(async reading => {
        const pod = targets.get(reading.uid);
        return pod ? { ...reading, dependenciesFailed: await this.#dependenciesFailed(pod, followed.app) } : reading;
      }),
    );
  }

  async #dependenciesFailed(pod: KeptPod, app: AppResource): Promise<boolean | 'unknown'> {
    try {
      const { status, text } = await this.#asking(
        pod,
        app,
      )({ path: app.spec.probes.readiness.path, timeoutMs: READY_TIMEOUT_MS });
      if (status === 200) return false;
      return status === 503 ? namesFailedDependency(text) : 'unknown';
    } catch {
      return 'unknown';
    }
  }

  #reaching(pod: KeptPod): Ask {
    return this.#options.access === 'proxy' ? this.#throughProxy(pod) : this.#directly(pod);
  }

  #asking(pod: KeptPod, app: AppResource): Ask {
    const ask = this.#reaching(pod);
    return async ({ headers, ...rest }) => {
      const token = await this.#token(app);
      // a smoke test may show an Authorization of its own; the token lets it past checks of Host and HTTPS
      const bearer = FOR_READERS.has(rest.path) && { authorization: `Bearer ${token}` };
      const proof = token === undefined ? {} : { ...bearer, 'x-scrape-token': token };
      return ask({ ...rest, headers: { 'user-agent': USER_AGENT, ...headers, ...proof } });
    };
  }

  #directly({ view, port }: KeptPod): Ask {
    return async ({ path, headers = {}, timeoutMs, signal: given, take, statusOnly }): Promise<Answer> => {
      const host = view.ip?.includes(':') ? `[${view.ip}]` : view.ip;
      const late = AbortSignal.timeout(timeoutMs);
      const signal = given ? AbortSignal.any([late, given]) : late;
      const answer = await this.#pods.send({ url: new URL(`http://${host}:${port}${path}`), headers, signal });
      const status = answer.statusCode ?? 0;
      if (statusOnly) {
        await readPieces(answer, signal, Number.POSITIVE_INFINITY, () => {});
        return { status, text: '' };
      }
      if (!take) return { status, text: await readText(answer, signal, MAX_METRICS_BYTES) };
      await readPieces(answer, signal, MAX_METRICS_BYTES, take);
      return { status, text: '' };
    };
  }

  #throughProxy({ metadata, port }: KeptPod): Ask {
    return async ({ path, headers = {}, timeoutMs, signal, take }): Promise<Answer> => {
      // a balancer before the API server may go by the name
      const { authorization: _kept, host: _named, ...passed } = headers as Record<string, string>;
      const pod = pathOf(pods, {
        namespace: metadata.namespace,
        name: `${metadata.name}:${port}`,
        subresource: 'proxy',
      });
      const { pathname, searchParams } = new URL(path, 'http://pod');
      const query = Object.fromEntries(searchParams);
      const answer = await this.#options.transport.text({
        method: 'GET',
        path: `${pod}${pathname}`,
        query,
        headers: passed,
        timeoutMs,
        ...(signal && { signal }),
        maxBytes: MAX_METRICS_BYTES,
      });
      take?.(Buffer.from(answer.text));
      return answer;
    };
  }

  /** Prometheus' own copy of the token, read again when its Secret changed. */
  async #token({ metadata: { name, namespace } }: AppResource): Promise<string | undefined> {
    const secret = names.scrapeToken(name);
    const seen = this.#options.world.of(namespace).secrets.get(namespace, secret);
    if (!seen) return undefined;
    const at = tokenAt(namespace, name);
    const { resourceVersion } = seen.metadata;
    const known = this.#tokens.get(at);
    if (known?.resourceVersion === resourceVersion) return known.token;
    const read = await get(this.#options.transport, secrets, { namespace, name: secret });
    const encoded = read?.data?.['token'];
    if (encoded === undefined) return undefined;
    const token = Buffer.from(encoded, 'base64').toString();
    this.#tokens.set(at, { resourceVersion, token });
    return token;
  }
}

const groupOf = ({ requests, errors, shed, pods, restarts }: GroupFigures): GroupFigures => ({
  requests,
  errors,
  ...(shed !== undefined && { shed }),
  ...(pods !== undefined && { pods }),
  ...(restarts !== undefined && { restarts }),
});

const inMs = (p95: P95 | undefined): Pick<GroupFigures, 'p95Ms'> => (p95 ? { p95Ms: p95.ms } : {});

const isLatencyDue = ({ latency, phaseSince }: Followed): boolean =>
  latency.since !== phaseSince ||
  Date.now() - latency.readAt >= LATENCY_MS[latency.candidate.p95() ? 'known' : 'unknown'];

/**
 * A candidate's pods are as old as their trial, so all that they counted counts. In a bake it is what came since its first
 * reading, and all of the pods that joined after that.
 */
function latencyAfter(followed: Followed, pods: readonly PodReading[]): LatencySeen {
  const { latency, latencies, request, phaseSince } = followed;
  const isFirst = latency.since !== phaseSince;
  const isCanary = request.mode === 'canary';
  const read = (group: PodReading['group'], isNew: boolean): LatencyWindow =>
    pods
      .filter(pod => pod.group === group && pod.reading.known)
      .reduce((window, { uid }) => window.add(uid, latencies.get(uid) ?? {}, isNew), latency[group]);
  const candidate = read('candidate', isCanary || !isFirst);
  return {
    since: phaseSince,
    readAt: Date.now(),
    candidate: isFirst && !isCanary ? candidate.begun() : candidate,
    baseline: read('baseline', false),
  };
}

const sinceWhen = (before: Judgement | undefined, verdict: Judgement['verdict']): number =>
  (before?.verdict === verdict ? before.since : undefined) ?? Date.now();

/** Epoch milliseconds, 0 where nobody says; false while it is not ready. */
const readySince = ({ ready, readyChangedAt = 0 }: PodView): number | false => ready && readyChangedAt;

const isAnswering = ({ ready, deleting, ended, ip }: PodView): boolean =>
  ready && !deleting && !ended && ip !== undefined;

const tokenAt = (namespace: string, name: string): string => `${namespace}/${name}`;

/** After the promotion nothing is beside the release: a slow database would look like it. */
function slowTrial({ spec }: AppResource, { mode, startedAt }: TrialRequest): Trial | undefined {
  const { policy, maxSlowRatio } = spec.rollout.analysis.latency;
  if (mode !== 'canary' || policy === 'Disabled') return undefined;
  return startTrial({ startedAt, maxServerErrorRatio: Number(maxSlowRatio), alphaShare: ALPHA_SHARE.slowness });
}

/** A verdict is told with the figures of its first moment: a status and events that change with every reading are none. */
function saidBefore({ judgement, silence }: Followed, verdict: string, silent: string | undefined): string | undefined {
  return judgement?.verdict === verdict && silence === silent ? judgement.message : undefined;
}

/** The worse of the two; where slowness is not judged, that of errors. */
function combined(followed: Followed, errors: TrialJudgement, slow: TrialJudgement | undefined): Combined {
  if (!followed.slow || !slow) return errors;
  const unknown = [...followed.slowness.values()].find(({ known }) => !known);
  return combine(errors, slow, followed.app.spec.rollout.analysis.latency, {
    isSuspect: isSuspect(followed.slow),
    whyUnknown: unknown && !unknown.known ? unknown.why : undefined,
  });
}

/** Of all candidate pods together. */
function evidenceOf(
  { candidate, baseline, evidence }: Pick<TrialJudgement, 'candidate' | 'baseline' | 'evidence'>,
  byPod: Followed['routes'],
): VerdictEvidence {
  const routes = new Map<string, { requests: number; errors: number }>();
  for (const ofPod of byPod.values())
    for (const [route, { requests, errors }] of ofPod) {
      const known = routes.get(route) ?? { requests: 0, errors: 0 };
      routes.set(route, { requests: known.requests + requests, errors: known.errors + errors });
    }
  return {
    absolute: evidence.absolute,
    relative: evidence.relative,
    candidate: { requests: candidate.requests, errors: candidate.errors },
    baseline: { requests: baseline.requests, errors: baseline.errors },
    routes: worstRoutes(routes),
  };
}

function standingOf({ trial }: Followed): Standing {
  if (isSuspect(trial)) return 'suspicious';
  return trial.mode === 'canary' || isUneasy(trial) ? 'canary' : 'bake';
}

const pacedOf = (followed: Followed): Paced => ({ pods: followed.pods, standing: standingOf(followed) });

/** A changed threshold or policy begins anew: what was seen is judged by what the spec says now. */
function sameTrial({ app, request: known }: Followed, now: AppResource, wanted: TrialRequest): boolean {
  return (
    sameQuestion(known, wanted) &&
    app.metadata.uid === now.metadata.uid &&
    JSON.stringify(app.spec.rollout) === JSON.stringify(now.spec.rollout)
  );
}

/** A release that goes from promotion to bake is asked the same question: what was read so far still counts. */
const sameQuestion = (known: TrialRequest, wanted: TrialRequest): boolean =>
  known.mode === wanted.mode && known.release === wanted.release && known.baseline === wanted.baseline;

/** What the stable pods answered would let a release pass: on the schema as it is, they can be gone back to. */
function isShownGood({ spec }: AppResource, { requests, errors }: Judgement['baseline']): boolean {
  const { minimumRequests, maxServerErrorRatio } = spec.rollout.analysis;
  return requests >= minimumRequests && showsGood({ requests, errors }, Number(maxServerErrorRatio));
}

function policyOf({ spec }: AppResource): Policy {
  const { minimumSeconds, minimumRequests, timeoutSeconds, blindAfterSeconds } = spec.rollout.analysis;
  return { minimumSeconds, minimumRequests, timeoutSeconds, blindAfterSeconds };
}

/**
 * What a 503 of the readiness path says. Both services: `{"dependencies":{"database":"failed"}}`; the dashboard's
 * /health, the Python original's too: `{"status":"unhealthy","database":"error"}`.
 */
function namesFailedDependency(text: string): boolean | 'unknown' {
  const { dependencies, database } = (jsonOf(text) ?? {}) as {
    dependencies?: Record<string, unknown>;
    database?: unknown;
  };
  if (dependencies) return Object.values(dependencies).some(state => state !== 'ok');
  return database === 'error' ? true : 'unknown';
}
