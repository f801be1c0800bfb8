// Looks at all pods of a trial: who answered how many requests, and how many of them with 5xx.
import { setTimeout as delay } from 'node:timers/promises';
import { METRICS_TIMEOUT_MS, type RequestCounts, type Unread } from './metrics.ts';
import { whyUnread } from './smoke.ts';
import type { Group, PodReading, Reading, Scrape } from './trial.ts';

export interface Target {
  readonly name: string;
  readonly uid: string;
  readonly group: Group;
  readonly restarts: number;
  /** Since when the cluster calls it ready, epoch milliseconds; false: it is not. */
  readonly readySince?: number | false;
}

/** What the pod's /metrics count. @throws whatever went wrong: it becomes the reason why the pod is unread */
export type FetchCounts<T extends Target> = (target: T, signal: AbortSignal) => Promise<RequestCounts | Unread>;

export interface ScraperOptions {
  /** A look waits for so long for pods that usually answer by then; never for others. */
  readonly promptMs?: number;
  /** A pod that has not answered by then is asked anew. */
  readonly timeoutMs?: number;
  readonly now?: () => number;
}

/** One pod that was asked: `reading` once it has answered, or could not. */
interface Asked {
  readonly askedAt: number;
  readonly done: Promise<void>;
  readonly stop: AbortController;
  reading?: Reading;
}

export interface Scraper<T extends Target> {
  /**
   * Reads every pod at the same time, the candidate's first: what the candidate had answered when it was read, the
   * baseline had the chance to answer too, so that a fault which both share is never seen on the candidate alone.
   * A pod that is slow is unread until its answer is there, and holds nobody up; its reading says when it was asked.
   * @param patienceMs for how long slow ones are waited for, too, where the next look is far away
   */
  look(targets: readonly T[], patienceMs?: number): Promise<Scrape>;
  /** Ends what is under way. */
  stop(): void;
}

export function createScraper<T extends Target>(
  fetchCounts: FetchCounts<T>,
  { promptMs = 500, timeoutMs = METRICS_TIMEOUT_MS, now = Date.now }: ScraperOptions = {},
): Scraper<T> {
  const underWay = new Map<string, Asked>();
  const slow = new Set<string>();
  /** Why a pod could not be read the last time: told while it is asked again. */
  const whys = new Map<string, string>();

  function ask(target: T): void {
    const stop = new AbortController();
    const askedAt = now();
    const began = performance.now();
    const done = read(target, fetchCounts, timeoutMs, stop).then(reading => {
      asked.reading = reading.known ? { ...reading, askedAt } : reading;
      if (performance.now() - began > promptMs) slow.add(target.uid);
      else slow.delete(target.uid);
    });
    const asked: Asked = { askedAt, done, stop };
    underWay.set(target.uid, asked);
  }

  function collect({ name, uid, group, restarts, readySince }: T): PodReading {
    const reading = underWay.get(uid)?.reading ?? { known: false, why: whys.get(uid) ?? 'it has not answered yet' };
    if (underWay.get(uid)?.reading) underWay.delete(uid);
    if (reading.known) whys.delete(uid);
    else whys.set(uid, reading.why);
    return { name, uid, group, restarts, reading, ...(readySince !== undefined && { readySince }) };
  }

  async function readGroup(targets: readonly T[], patienceMs: number): Promise<PodReading[]> {
    for (const target of targets) if (!underWay.has(target.uid)) ask(target);
    const isPatient = patienceMs > promptMs;
    const awaited = targets.filter(({ uid }) => isPatient || !slow.has(uid)).map(({ uid }) => underWay.get(uid)?.done);
    const enough = new AbortController();
    const late = delay(Math.max(promptMs, patienceMs), undefined, { signal: enough.signal }).catch(() => {});
    await Promise.race([Promise.all(awaited), late]);
    enough.abort();
    for (const { uid } of targets) if (!underWay.get(uid)?.reading) slow.add(uid);
    return targets.map(collect);
  }

  function forgetOthers(targets: readonly T[]): void {
    const uids = new Set(targets.map(({ uid }) => uid));
    for (const [uid, { stop }] of underWay) {
      if (uids.has(uid)) continue;
      stop.abort();
      underWay.delete(uid);
    }
    for (const known of [slow, whys]) for (const uid of known.keys()) if (!uids.has(uid)) known.delete(uid);
  }

  return {
    look: async (targets, patienceMs = promptMs) => {
      forgetOthers(targets);
      const candidates = await readGroup(of(targets, 'candidate'), patienceMs);
      const at = now();
      const baseline = await readGroup(of(targets, 'baseline'), patienceMs);
      return { at, pods: [...candidates, ...baseline] };
    },
    stop: () => forgetOthers([]),
  };
}

const of = <T extends Target>(targets: readonly T[], group: Group): readonly T[] =>
  targets.filter(target => target.group === group);

/** Never throws. */
async function read<T extends Target>(
  target: T,
  fetchCounts: FetchCounts<T>,
  timeoutMs: number,
  stop: AbortController,
): Promise<Reading> {
  const late = delay(timeoutMs, undefined, { signal: stop.signal }).then(() => {
    stop.abort();
    throw new Error(`no answer within ${timeoutMs} ms`);
  });
  try {
    return await Promise.race([fetchCounts(target, stop.signal), late]);
  } catch (error) {
    return { known: false, why: whyUnread(error) };
  } finally {
    stop.abort();
    late.catch(() => {}); // the race is over
  }
}
