// One look at all pods of a trial: who answered how many requests, and how many of them with 5xx.
import { setTimeout as delay } from 'node:timers/promises';
import { userRequests } from './metrics.ts';
import type { Group, PodReading, Reading, Scrape } from './trial.ts';

export interface Target {
  readonly name: string;
  readonly uid: string;
  readonly group: Group;
  readonly restarts: number;
}

/** The pod's /metrics as text. @throws whatever went wrong: it becomes the reason why the pod is unread */
export type FetchText<T extends Target> = (target: T, signal: AbortSignal) => Promise<string>;

/**
 * How often to look at this many pods. Every 250 ms finds a fault soonest (docs/statistics.md); with more than ten pods
 * less often, so that a trial costs at most 40 readings a second.
 */
export const scrapeEveryMs = (pods: number): number => Math.min(1_000, Math.max(250, 25 * pods));

export interface ScrapeOptions {
  /** For one pod. */
  readonly timeoutMs?: number;
  readonly now?: () => number;
}

/**
 * Reads every pod at the same time, the candidate's first: what the candidate had answered when it was read, the
 * baseline had the chance to answer too, so that a fault which both share is never seen on the candidate alone.
 * A pod that hangs costs `timeoutMs` and is unread; the others are not held up by it for longer.
 */
export async function scrapeAll<T extends Target>(
  targets: readonly T[],
  fetchText: FetchText<T>,
  { timeoutMs = 500, now = Date.now }: ScrapeOptions = {},
): Promise<Scrape> {
  const read = (group: Group) =>
    Promise.all(targets.filter(target => target.group === group).map(target => readPod(target, fetchText, timeoutMs)));
  const candidates = await read('candidate');
  const at = now();
  const baseline = await read('baseline');
  return { at, pods: [...candidates, ...baseline] };
}

async function readPod<T extends Target>(target: T, fetchText: FetchText<T>, timeoutMs: number): Promise<PodReading> {
  const { name, uid, group, restarts } = target;
  return { name, uid, group, restarts, reading: await read(target, fetchText, timeoutMs) };
}

async function read<T extends Target>(target: T, fetchText: FetchText<T>, timeoutMs: number): Promise<Reading> {
  const stop = new AbortController();
  const late = delay(timeoutMs, undefined, { signal: stop.signal }).then(() => {
    stop.abort();
    throw new Error(`no answer within ${timeoutMs} ms`);
  });
  try {
    return userRequests(await Promise.race([fetchText(target, stop.signal), late]));
  } catch (error) {
    return { known: false, why: error instanceof Error ? error.message : String(error) };
  } finally {
    stop.abort();
    late.catch(() => {}); // the race is over
  }
}
