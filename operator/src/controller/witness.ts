// A Prometheus as the second witness of a trial: asked only while the candidate's own counters cannot be read.
// It has a trial of its own, with its own share of the chances of a false Bad; nothing ever waits for it.
import { readFile } from 'node:fs/promises';
import { USER_AGENT } from '../evidence/metrics.ts';
import {
  type Answered,
  candidateReadAt,
  type Gathered,
  gather,
  NOTHING_GATHERED,
  nextScrape,
  parseAnswer,
  queryOf,
  spacingOf,
  type Told,
  type Watched,
  whyNot,
} from '../evidence/prometheus.ts';
import { whyUnread } from '../evidence/smoke.ts';
import { isAboveLimit, type Judgement, judge, observe, type Policy, type Trial } from '../evidence/trial.ts';
import { ConnectionPool, readText } from '../kube/http.ts';

const TIMEOUT_MS = 5_000;
const MAX_BYTES = 4 * 1024 * 1024;
/** Of all trials together; the others wait. */
const CONNECTIONS = 4;
/** Their names are part of an address, which servers and what is before them limit. */
const MOST_PODS = 30;

export interface PrometheusOptions {
  readonly url: string;
  /** Read again for every question: tokens of service accounts are renewed in place. */
  readonly tokenFile?: string | undefined;
}

export class Prometheus {
  readonly #options: PrometheusOptions;
  readonly #pool = new ConnectionPool({ connections: CONNECTIONS, idleMs: 30_000 });

  constructor(options: PrometheusOptions) {
    this.#options = options;
  }

  /** Raw samples of so many seconds. Never throws, follows no redirection, and says no word of an answer. */
  async read(namespace: string, pods: readonly string[], seconds: number): Promise<Answered> {
    const { url: base, tokenFile } = this.#options;
    const url = new URL(`${base.replace(/\/+$/, '')}/api/v1/query`);
    url.searchParams.set('query', queryOf(namespace, pods.slice(0, MOST_PODS), seconds));
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    let token: string | undefined;
    try {
      token = tokenFile === undefined ? undefined : (await readFile(tokenFile, 'utf8')).trim();
    } catch {
      return { known: false, why: 'the file of --prometheus-token-file cannot be read' };
    }
    try {
      const authorization = token !== undefined && { authorization: `Bearer ${token}` };
      const headers = { 'user-agent': USER_AGENT, accept: 'application/json', ...authorization };
      const answer = await this.#pool.send({ url, headers, signal });
      const text = await readText(answer, signal, MAX_BYTES);
      if (answer.statusCode !== 200) return { known: false, why: `it answered ${answer.statusCode}` };
      return parseAnswer(text);
    } catch (error) {
      return { known: false, why: signal.aborted ? `no answer within ${TIMEOUT_MS / 1000} s` : whyUnread(error) };
    }
  }

  close(): void {
    this.#pool.close();
  }
}

/** So long without a word of the candidate's own, and Prometheus is asked. */
const SILENT_MS = 5_000;
const ASKED_EVERY_MS = { most: 5_000, least: 1_000 } as const;
/** A scrape that was missed is no silence yet. */
const INTERVALS = 3;
/** A first answer tells how often it reads; two samples of the longest interval that `monitoring.interval` allows. */
const FIRST_SECONDS = 300;

export interface WitnessOptions {
  readonly prometheus: Prometheus;
  readonly namespace: string;
  readonly trial: Trial;
  /** Between two scrapes as the ServiceMonitor asks for; only until it is seen. */
  readonly intervalMs: number;
}

/** `silence`: why Prometheus says nothing. */
type Witnessed = Judgement & { readonly silence?: string };

export class Witness {
  readonly #options: WitnessOptions;
  #trial: Trial;
  #gathered: Gathered = NOTHING_GATHERED;
  #told: Answered = { known: false, why: 'it has not answered yet' };
  #targets: readonly Watched[] = [];
  #asking = false;
  #askedAt = 0;
  /** When something newer of the candidate came, by our own clock: Prometheus' may be another. Epoch milliseconds. */
  #newsAt = 0;
  /** Since when a candidate that is ready cannot be read; undefined while it can. Epoch milliseconds. */
  #silentSince: number | undefined;

  constructor(options: WitnessOptions) {
    this.#options = options;
    this.#trial = options.trial;
  }

  /** After each look at the pods: asks, if it is time to. */
  look(targets: readonly Watched[], isCandidateRead: boolean, now: number): void {
    this.#targets = targets;
    const isExpected = targets.some(({ group, readySince }) => group === 'candidate' && readySince !== false);
    if (isCandidateRead || !isExpected) this.#silentSince = undefined;
    else this.#silentSince ??= now;
    const everyMs = Math.min(
      ASKED_EVERY_MS.most,
      Math.max(ASKED_EVERY_MS.least, (spacingOf(this.#gathered) ?? Number.POSITIVE_INFINITY) / 2),
    );
    if (this.#isNeeded(now) && !this.#asking && now - this.#askedAt >= everyMs) void this.#ask(now);
  }

  #isNeeded(now: number): boolean {
    return this.#silentSince !== undefined && now - this.#silentSince >= SILENT_MS;
  }

  async #ask(now: number): Promise<void> {
    const { prometheus, namespace } = this.#options;
    this.#asking = true;
    this.#askedAt = now;
    const spacing = spacingOf(this.#gathered);
    const seconds = spacing === undefined ? FIRST_SECONDS : Math.max(60, Math.ceil((10 * spacing) / 1_000));
    const [candidates, others] = [true, false].map(isCandidate =>
      this.#targets.filter(({ group }) => (group === 'candidate') === isCandidate),
    );
    const targets = [...(candidates ?? []), ...(others ?? [])].slice(0, MOST_PODS);
    this.#told = await prometheus.read(
      namespace,
      targets.map(({ name }) => name),
      seconds,
    );
    this.#asking = false;
    if (this.#told.known) this.#add(this.#told, targets);
  }

  #add(told: Told, targets: readonly Watched[]): void {
    const before = candidateReadAt(this.#gathered, targets) ?? 0;
    this.#gathered = gather(this.#gathered, told, targets);
    if ((candidateReadAt(this.#gathered, targets) ?? 0) > before) this.#newsAt = Date.now();
    for (let next = nextScrape(this.#gathered, targets); next; next = nextScrape(this.#gathered, targets)) {
      this.#gathered = next.gathered;
      this.#trial = observe(this.#trial, next.scrape);
    }
  }

  /**
   * Undefined while the pods speak for themselves.
   * @param own what they themselves have shown until now
   */
  judged(own: Judgement, policy: Policy, now: number): Witnessed | undefined {
    if (own.verdict === 'Bad') return undefined;
    const isBad = this.#trial.badAt !== undefined;
    if (!isBad && !this.#isNeeded(now)) return undefined;
    const spacing = spacingOf(this.#gathered);
    const patience = Math.max(policy.blindAfterSeconds * 1_000, INTERVALS * (spacing ?? this.#options.intervalMs));
    const readAt = Math.max(this.#newsAt, this.#silentSince ?? now);
    const isSilent = !isBad && (!this.#told.known || now - readAt >= patience);
    if (isSilent) return this.#silent(own);
    return this.#heard(
      own,
      judge(this.#trial, { ...policy, blindAfterSeconds: Number.POSITIVE_INFINITY }, now),
      spacing,
    );
  }

  #silent(own: Judgement): Witnessed {
    const why = this.#told.known ? whyNot(this.#gathered, this.#told, this.#targets) : this.#told.why;
    return { ...own, message: `${own.message}; Prometheus: ${why}`, silence: why };
  }

  #heard(own: Judgement, seen: Judgement, spacing: number | undefined): Judgement {
    const every = spacing === undefined ? '' : ` every ${Math.max(1, Math.round(spacing / 1_000))} s`;
    const source = `read through Prometheus${every}, which shows neither overload nor slowness`;
    const found = {
      ...seen,
      borne: own.borne,
      message: `${seen.message}; ${source}`,
      ...(seen.pending !== undefined && { pending: `${seen.pending}, ${source}` }),
    };
    if (this.#trial.mode === 'canary' || !isAboveLimit(this.#trial)) return found;
    const message = `${found.message}, and in a bake not whether a dependency is at fault: nobody is blamed by it alone`;
    return { ...found, verdict: 'Blind', message };
  }
}
