// Evidence about the running pods, wired to the stores: whom to read, with which token, and whom to wake.
// A trial lives in memory only: its facts are the pods' own counters, and those are read again after a restart.
import type { Logger } from 'pino';
import type { AppResource } from '../api/resource.ts';
import { scrapeAll, scrapeEveryMs, type Target } from '../evidence/scrape.ts';
import { type Answer, type Ask, rehearse } from '../evidence/smoke.ts';
import { isSuspect, judge, observe, type PodReading, type Policy, startTrial, type Trial } from '../evidence/trial.ts';
import { get } from '../kube/apply.ts';
import { ConnectionPool, readText } from '../kube/http.ts';
import { pathOf, pods, secrets } from '../kube/resource.ts';
import type { Transport } from '../kube/transport.ts';
import type { Judgement } from '../lifecycle/snapshot.ts';
import { COMPONENTS, names } from '../objects/names.ts';
import type { Evidence, TrialRequest } from './trials.ts';
import type { KeptPod } from './views.ts';
import { type AppKey, keyOfApp, labelled, type World } from './world.ts';

export interface EvidenceOptions {
  readonly world: World;
  readonly wake: (key: AppKey) => void;
  readonly transport: Transport;
  /** `direct`: by the pod's address. `proxy`: through the API server, from outside the cluster. */
  readonly access: 'direct' | 'proxy';
  readonly log: Logger;
}

const SCRAPE_TIMEOUT_MS = 500;
/** Through the API server every reading is a request to it. */
const PROXIED = { everyMs: 1_000, timeoutMs: 1_000 } as const;
/** With a database that stands still the services' /ready takes most of a second. */
const READY_TIMEOUT_MS = 2_000;
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

export function createEvidence(options: EvidenceOptions): Evidence {
  return new PodEvidence(options);
}

interface Followed {
  readonly app: AppResource;
  readonly request: TrialRequest;
  trial: Trial;
  judgement: Judgement | undefined;
  timer: NodeJS.Timeout | undefined;
  ended: boolean;
}

interface PodTarget extends Target {
  readonly pod: KeptPod;
}

class PodEvidence implements Evidence {
  readonly #options: EvidenceOptions;
  readonly #followed = new Map<AppKey, Followed>();
  readonly #tokens = new Map<string, { resourceVersion: string; token: string }>();
  readonly #pods = new ConnectionPool({ connections: 2, idleMs: 10_000 });

  constructor(options: EvidenceOptions) {
    this.#options = options;
  }

  follow(app: AppResource, wanted: TrialRequest | undefined): void {
    const key = keyOfApp(app);
    const known = this.#followed.get(key);
    if (!wanted) {
      this.forget(key);
      return;
    }
    if (known && sameTrial(known, app, wanted)) return;
    this.forget(key);
    const { rollout } = app.spec;
    const { mode, startedAt, stableErrorRatio } = wanted;
    const trial = startTrial({
      mode,
      startedAt,
      maxServerErrorRatio: Number(rollout.analysis.maxServerErrorRatio),
      bakeSeconds: rollout.bakeSeconds,
      ...(stableErrorRatio !== undefined && { stableErrorRatio }),
    });
    const followed: Followed = {
      app,
      request: wanted,
      trial,
      judgement: undefined,
      timer: undefined,
      ended: false,
    };
    this.#followed.set(key, followed);
    void this.#look(key, followed);
  }

  forget(key: AppKey): void {
    const followed = this.#followed.get(key);
    if (!followed) return;
    followed.ended = true;
    clearTimeout(followed.timer);
    this.#followed.delete(key);
  }

  judgement(key: AppKey): Judgement | undefined {
    return this.#followed.get(key)?.judgement;
  }

  async rehearse(app: AppResource, name: string): Promise<{ passed: boolean; message: string }> {
    const pod = this.#options.world.of(app.metadata.namespace).pods.get(app.metadata.namespace, name);
    if (!pod) return { passed: false, message: `pod ${name} is gone` };
    const { probes, rollout } = app.spec;
    const paths = [...new Set([probes.liveness.path, probes.readiness.path])];
    return rehearse(paths, rollout.smokeTests, this.#asking(pod, app));
  }

  async ask(app: AppResource, name: string, question: Parameters<Ask>[0]): Promise<Answer> {
    const pod = this.#options.world.of(app.metadata.namespace).pods.get(app.metadata.namespace, name);
    if (!pod) throw new Error(`pod ${name} is gone`);
    return this.#reaching(pod)(question);
  }

  async stop(): Promise<void> {
    for (const key of [...this.#followed.keys()]) this.forget(key);
    this.#pods.close();
  }

  /** One look, and the next one after it: two looks of one trial are never under way together. */
  async #look(key: AppKey, followed: Followed): Promise<void> {
    const targets = this.#targets(followed);
    const everyMs = this.#options.access === 'proxy' ? PROXIED.everyMs : scrapeEveryMs(targets.length);
    const timeoutMs = this.#scrapeTimeoutMs;
    const startedAt = performance.now();
    try {
      const scrape = await scrapeAll(targets, target => this.#metrics(target, followed.app), { timeoutMs });
      const readings = await this.#withDependencies(followed, scrape.pods);
      if (followed.ended) return;
      followed.trial = observe(followed.trial, { ...scrape, pods: readings });
      this.#judge(key, followed);
    } catch (error) {
      this.#options.log.warn({ key, error }, 'a look at the pods failed');
    }
    if (followed.ended) return;
    const rest = Math.max(50, everyMs - (performance.now() - startedAt));
    followed.timer = setTimeout(() => void this.#look(key, followed), rest);
  }

  #judge(key: AppKey, followed: Followed): void {
    const { verdict, candidate, baseline, message, firstErrorAt } = judge(
      followed.trial,
      policyOf(followed.app),
      Date.now(),
    );
    const before = followed.judgement;
    followed.judgement = {
      verdict,
      release: followed.request.release,
      candidate: { requests: candidate.requests, errors: candidate.errors },
      baseline: { requests: baseline.requests, errors: baseline.errors },
      // the figures of the moment of the verdict: a status and events that change with every reading are none
      message: before?.verdict === verdict ? before.message : message,
      ...(firstErrorAt !== undefined && { firstErrorAt }),
    };
    if (verdict === before?.verdict) return;
    this.#options.log.info({ key, verdict, message }, 'verdict');
    this.#options.wake(key);
  }

  #targets({ app, request }: Followed): PodTarget[] {
    const { name, namespace } = app.metadata;
    const all = this.#options.world.of(namespace).pods.byIndex('instance', labelled(namespace, name));
    return all.flatMap(pod => {
      const { view, component } = pod;
      if (component !== COMPONENTS.server || view.deleting || view.ip === undefined) return [];
      const group = view.release === request.release ? 'candidate' : 'baseline';
      if (group === 'baseline' && view.release !== request.baseline) return [];
      return [{ name: view.name, uid: view.uid, group, restarts: view.restarts, pod } as const];
    });
  }

  get #scrapeTimeoutMs(): number {
    return this.#options.access === 'proxy' ? PROXIED.timeoutMs : SCRAPE_TIMEOUT_MS;
  }

  async #metrics({ pod }: PodTarget, app: AppResource): Promise<string> {
    const { status, text } = await this.#asking(pod, app)({ path: '/metrics', timeoutMs: this.#scrapeTimeoutMs });
    if (status !== 200) throw new Error(`/metrics answered ${status}`);
    return text;
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
      const token = rest.path === '/metrics' ? await this.#token(app) : undefined;
      const proof = token === undefined ? {} : { authorization: `Bearer ${token}`, 'x-scrape-token': token };
      return ask({ ...rest, headers: { ...headers, ...proof } });
    };
  }

  #directly({ view, port }: KeptPod): Ask {
    return async ({ path, headers = {}, timeoutMs }): Promise<Answer> => {
      const host = view.ip?.includes(':') ? `[${view.ip}]` : view.ip;
      const signal = AbortSignal.timeout(timeoutMs);
      const answer = await this.#pods.send({ url: new URL(`http://${host}:${port}${path}`), headers, signal });
      return { status: answer.statusCode ?? 0, text: await readText(answer, signal, MAX_ANSWER_BYTES) };
    };
  }

  #throughProxy({ metadata, port }: KeptPod): Ask {
    return async ({ path, headers = {}, timeoutMs }): Promise<Answer> => {
      const { authorization: _kept, ...passed } = headers as Record<string, string>;
      const pod = pathOf(pods, {
        namespace: metadata.namespace,
        name: `${metadata.name}:${port}`,
        subresource: 'proxy',
      });
      const { pathname, searchParams } = new URL(path, 'http://pod');
      const query = Object.fromEntries(searchParams);
      return this.#options.transport.text({
        method: 'GET',
        path: `${pod}${pathname}`,
        query,
        headers: passed,
        timeoutMs,
      });
    };
  }

  /** Prometheus' own copy of the token, read again when its Secret changed. */
  async #token({ metadata: { name, namespace } }: AppResource): Promise<string | undefined> {
    const secret = names.scrapeToken(name);
    const seen = this.#options.world.of(namespace).secrets.get(namespace, secret);
    if (!seen) return undefined;
    const at = `${namespace}/${secret}`;
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

function policyOf({ spec }: AppResource): Policy {
  const { minimumSeconds, minimumRequests, timeoutSeconds, blindAfterSeconds } = spec.rollout.analysis;
  return { minimumSeconds, minimumRequests, timeoutSeconds, blindAfterSeconds };
}

/**
 * What a 503 of the readiness path says. Both services: `{"dependencies":{"database":"failed"}}`; the dashboard's
 * /health, the Python original's too: `{"status":"unhealthy","database":"error"}`.
 */
function namesFailedDependency(text: string): boolean | 'unknown' {
  try {
    const { dependencies, database } = JSON.parse(text) as {
      dependencies?: Record<string, unknown>;
      database?: unknown;
    };
    if (dependencies) return Object.values(dependencies).some(state => state !== 'ok');
    return database === 'error' ? true : 'unknown';
  } catch {
    return 'unknown';
  }
}
