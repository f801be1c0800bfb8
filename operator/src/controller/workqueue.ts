// Which keys are to be worked on, with the semantics of client-go's workqueue:
//
//  - a key that is waiting is not added twice;
//  - a key is worked on by one worker at a time; added meanwhile, it comes again after `done`;
//  - so after every `add` there is a whole pass that began later, and never two passes of one key at once;
//  - a key that has been begun goes before one that has not: of many new ones at once each is brought to its end, and what
//    is under way at one time is what the workers can bear. So that nobody waits for ever, every eighth key that is
//    handed out is one that has not been begun (controller-runtime's priority queue does as much for what it lists first);
//  - `addAfter` keeps the earliest of a key's times; `addRateLimited` waits longer with every failure until `forget`;
//  - after `shutDown` nothing is added and nothing handed out: what was due is for the next process.

import { setImmediate as turn } from 'node:timers/promises';
import { delayMs, timerMs } from '../kube/backoff.ts';

export type Clock = {
  nowMs: () => number;
  /** Calls back once after `ms`; returns the way to prevent it. */
  after: (ms: number, callback: () => void) => () => void;
};

export type QueueHooks = {
  added?: (key: string) => void;
  depth?: (waiting: number) => void;
  /** From being due to being handed out. */
  waited?: (ms: number) => void;
  /** From being handed out to `done`. */
  worked?: (ms: number) => void;
  retried?: (key: string) => void;
};

export type QueueOptions = {
  clock?: Clock;
  hooks?: QueueHooks;
  /** The wait after a key's first failure; doubles from failure to failure. */
  baseMs?: number;
  maxMs?: number;
};

const BASE_MS = 5;
/**
 * An API server that was away for long is back, for every key, within this. Only keys that have something to ask of it
 * fail, and the workers bound how many ask at once.
 */
const MAX_MS = 5_000;

/** Of the keys that are handed out while both kinds wait, one in so many has not been begun. */
const BEGIN_ONE_IN = 8;

const systemClock: Clock = {
  nowMs: () => performance.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, timerMs(ms));
    return () => clearTimeout(timer);
  },
};

type Delayed = { dueMs: number; cancel: () => void };

export class WorkQueue {
  readonly #clock: Clock;
  readonly #hooks: QueueHooks;
  readonly #baseMs: number;
  readonly #maxMs: number;
  /** Have been begun. Handed out in this order; the value is since when they wait. */
  readonly #waiting = new Map<string, number>();
  /** Have not been begun; the same. */
  readonly #fresh = new Map<string, number>();
  /** Handed out before, and not gone since. */
  readonly #begun = new Set<string>();
  /** Handed out since the last fresh one. */
  #sinceFresh = 0;
  /** Being worked on; the value is since when. */
  readonly #working = new Map<string, number>();
  /** Added while being worked on; the value is since when. */
  readonly #again = new Map<string, number>();
  readonly #delayed = new Map<string, Delayed>();
  readonly #failures = new Map<string, number>();
  /** Workers that have nothing to do. */
  #idle: ((key: string | undefined) => void)[] = [];
  #drained: (() => void)[] = [];
  #closed = false;

  constructor({ clock = systemClock, hooks = {}, baseMs = BASE_MS, maxMs = MAX_MS }: QueueOptions = {}) {
    this.#clock = clock;
    this.#hooks = hooks;
    this.#baseMs = baseMs;
    this.#maxMs = maxMs;
  }

  /** Keys that are due and not being worked on. */
  get depth(): number {
    return this.#waiting.size + this.#fresh.size;
  }

  /** @param isBegun by somebody before us: it does not wait among what is new */
  add(key: string, isBegun = false): void {
    if (isBegun && !this.#begun.has(key)) this.#begunBefore(key);
    if (this.#closed || this.#waiting.has(key) || this.#fresh.has(key) || this.#again.has(key)) return;
    this.#hooks.added?.(key);
    if (this.#working.has(key)) this.#again.set(key, this.#clock.nowMs());
    else this.#wait(key, this.#clock.nowMs());
  }

  /** @throws RangeError for no number: as a time it would be one that comes at once, for ever */
  addAfter(key: string, ms: number): void {
    if (Number.isNaN(ms)) throw new RangeError(`${key} cannot be added after NaN ms`);
    if (this.#closed) return;
    if (ms <= 0) {
      this.add(key);
      return;
    }
    const dueMs = this.#clock.nowMs() + ms;
    const planned = this.#delayed.get(key);
    if (planned && planned.dueMs <= dueMs) return;
    planned?.cancel();
    const due = () => {
      this.#delayed.delete(key);
      this.add(key);
    };
    this.#delayed.set(key, { dueMs, cancel: this.#clock.after(ms, due) });
  }

  /** After a failure. @param maxMs the longest wait, for a key that is in a hurry */
  addRateLimited(key: string, maxMs = this.#maxMs): void {
    const failures = this.failures(key) + 1;
    this.#failures.set(key, failures);
    this.#hooks.retried?.(key);
    this.addAfter(key, delayMs({ baseMs: this.#baseMs, maxMs: Math.min(maxMs, this.#maxMs) }, failures));
  }

  /** After a success, or when the key is of no interest any more: the next failure is a first one. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** Nothing is left to do for the key: when it comes again, it is a new one. */
  gone(key: string): void {
    this.#begun.delete(key);
  }

  /** In a row, since `forget`. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /**
   * The next key to work on, to be given back with `done`. Undefined after `shutDown`, and when the signal ends the
   * waiting: what is due stays for another worker.
   */
  next(signal?: AbortSignal): Promise<string | undefined> {
    if (this.#closed || signal?.aborted) return Promise.resolve(undefined);
    const first = this.#first();
    if (first) return Promise.resolve(this.#handOut(...first));
    return new Promise(resolve => {
      const worker = (key: string | undefined) => {
        signal?.removeEventListener('abort', leave);
        resolve(key);
      };
      const leave = () => {
        this.#idle = this.#idle.filter(other => other !== worker);
        resolve(undefined);
      };
      signal?.addEventListener('abort', leave, { once: true });
      this.#idle.push(worker);
    });
  }

  /** The key that has been worked on for longest, and for how long. */
  get oldest(): { key: string; ms: number } | undefined {
    const [first] = this.#working;
    return first && { key: first[0], ms: this.#clock.nowMs() - first[1] };
  }

  done(key: string): void {
    const sinceMs = this.#working.get(key);
    if (sinceMs === undefined) return;
    this.#working.delete(key);
    this.#hooks.worked?.(this.#clock.nowMs() - sinceMs);
    const againSinceMs = this.#again.get(key);
    if (againSinceMs !== undefined) {
      this.#again.delete(key);
      this.#wait(key, againSinceMs);
    }
    this.#finishIfDrained();
  }

  /** Resolves when what is being worked on is done. */
  shutDown(): Promise<void> {
    this.#closed = true;
    for (const { cancel } of this.#delayed.values()) cancel();
    for (const left of [this.#delayed, this.#waiting, this.#fresh, this.#again]) left.clear();
    this.#hooks.depth?.(0);
    for (const worker of this.#idle.splice(0)) worker(undefined);
    const drained = new Promise<void>(resolve => this.#drained.push(resolve));
    this.#finishIfDrained();
    return drained;
  }

  #wait(key: string, sinceMs: number): void {
    const worker = this.#idle.shift();
    if (worker) {
      worker(this.#handOut(key, sinceMs));
      return;
    }
    (this.#begun.has(key) ? this.#waiting : this.#fresh).set(key, sinceMs);
    this.#hooks.depth?.(this.depth);
  }

  #begunBefore(key: string): void {
    this.#begun.add(key);
    const sinceMs = this.#fresh.get(key);
    if (sinceMs === undefined) return;
    this.#fresh.delete(key);
    this.#waiting.set(key, sinceMs);
  }

  #first(): [key: string, sinceMs: number] | undefined {
    const isFreshDue = this.#waiting.size === 0 || this.#sinceFresh >= BEGIN_ONE_IN - 1;
    const [first] = isFreshDue && this.#fresh.size > 0 ? this.#fresh : this.#waiting;
    return first;
  }

  #handOut(key: string, sinceMs: number): string {
    const nowMs = this.#clock.nowMs();
    this.#sinceFresh = this.#begun.has(key) ? this.#sinceFresh + 1 : 0;
    this.#begun.add(key);
    if (this.#waiting.delete(key) || this.#fresh.delete(key)) this.#hooks.depth?.(this.depth);
    this.#working.set(key, nowMs);
    this.#hooks.waited?.(nowMs - sinceMs);
    return key;
  }

  #finishIfDrained(): void {
    if (!this.#closed || this.#working.size > 0) return;
    for (const resolve of this.#drained.splice(0)) resolve();
  }
}

export type Work = {
  workers: number;
  handle: (key: string) => Promise<void>;
  /** Hears of a handler that threw; answers with the longest wait for the next try, where the queue's own is too long. */
  onError: (key: string, error: unknown) => number | undefined;
  /** Ends it: passes that are under way end by themselves, and no other begins. */
  signal?: AbortSignal;
};

/**
 * Works on the queue's keys until it is shut down or the signal comes; resolves when no handler is under way any more. A
 * handler that throws is asked again later, with growing waits. A handler that succeeds says with `forget`/`addAfter`
 * what comes next. After each key everybody else has a turn, whatever the number of workers: ten thousand resources at
 * rest are ten seconds of passes that wait for nothing, and meanwhile a lease is to be renewed and a probe answered.
 */
export async function work(queue: WorkQueue, { workers, handle, onError, signal }: Work): Promise<void> {
  let turns: Promise<void> = Promise.resolve();
  const worker = async () => {
    for (let key = await queue.next(signal); key !== undefined; key = await queue.next(signal)) {
      try {
        await handle(key);
        queue.forget(key);
      } catch (error) {
        queue.addRateLimited(key, onError(key, error));
      } finally {
        queue.done(key);
      }
      turns = turns.then(() => turn());
      await turns;
    }
  };
  await Promise.all(Array.from({ length: workers }, worker));
}
