// What only pods can answer, and may take minutes to: asked beside the passes, so that no worker waits for a pod. A pass
// puts its question; while the answer is under way it goes on without, and the answer wakes its resource. Nothing is
// written here.
//
//   asked ──► waiting for a lane ──► under way ──► answered: handed to the next pass that asks the same
//                    └──────── broken off ◄──┘     (another question, a pass that asks no more, the resource is gone)
import type { AppKey } from './world.ts';

export interface Answer<T> {
  readonly value: T;
}

export interface Question<T> {
  /** A resource has one inquiry of each topic at a time. */
  readonly topic: string;
  /** All that the answer depends on: another text is another question, and the answer to the old one is of no use. */
  readonly about: string;
  /** Aborted when nobody wants to know any more. */
  readonly find: (signal: AbortSignal) => Promise<T>;
  /** An answer is good for one pass: who asks again wants to know how it is now. */
  readonly once?: boolean;
}

/** The questions of one pass. */
export interface Asking {
  /** Undefined while it is under way. @throws what `find` threw: it is asked anew by the next pass */
  ask<T>(question: Question<T>): Answer<T> | undefined;
  /** The pass is over: what it did not ask is not wanted any more. */
  end(): void;
}

type Outcome = { readonly value: unknown } | { readonly error: unknown };

interface Inquiry {
  readonly key: AppKey;
  readonly question: Question<unknown>;
  readonly broken: AbortController;
  outcome?: Outcome;
}

/** Under way at a time, of each topic: the slow ones of one topic hold up no other topic. */
const AT_ONCE = 32;

export class Inquiries {
  readonly #wake: (key: AppKey) => void;
  readonly #atOnce: number;
  readonly #inquiries = new Map<AppKey, Map<string, Inquiry>>();
  readonly #lanes = new Map<string, { underWay: number; waiting: Inquiry[] }>();

  constructor(wake: (key: AppKey) => void, atOnce = AT_ONCE) {
    this.#wake = wake;
    this.#atOnce = atOnce;
  }

  of(key: AppKey): Asking {
    const asked = new Set<string>();
    return {
      ask: <T>(question: Question<T>) => {
        asked.add(question.topic);
        return this.#ask(key, question) as Answer<T> | undefined;
      },
      end: () => {
        for (const topic of this.#inquiries.get(key)?.keys() ?? []) if (!asked.has(topic)) this.#drop(key, topic);
      },
    };
  }

  /** The resource is gone, or no concern of this process any more. */
  forget(key: AppKey): void {
    for (const topic of this.#inquiries.get(key)?.keys() ?? []) this.#drop(key, topic);
  }

  /** Breaks off all of them. */
  stop(): void {
    for (const key of this.#inquiries.keys()) this.forget(key);
  }

  #ask(key: AppKey, question: Question<unknown>): Answer<unknown> | undefined {
    const known = this.#inquiries.get(key)?.get(question.topic);
    if (known?.question.about !== question.about) {
      this.#drop(key, question.topic);
      this.#begin(key, question);
      return undefined;
    }
    const { outcome } = known;
    if (!outcome) return undefined;
    if ('error' in outcome || question.once) this.#drop(key, question.topic);
    if ('error' in outcome) throw outcome.error;
    return outcome;
  }

  #begin(key: AppKey, question: Question<unknown>): void {
    const inquiry: Inquiry = { key, question, broken: new AbortController() };
    const topics = this.#inquiries.get(key) ?? new Map<string, Inquiry>();
    this.#inquiries.set(key, topics.set(question.topic, inquiry));
    const lane = this.#lane(question.topic);
    if (lane.underWay < this.#atOnce) void this.#run(inquiry);
    else lane.waiting.push(inquiry);
  }

  async #run(inquiry: Inquiry): Promise<void> {
    const { key, question, broken } = inquiry;
    const lane = this.#lane(question.topic);
    lane.underWay += 1;
    try {
      inquiry.outcome = { value: await question.find(broken.signal) };
    } catch (error) {
      inquiry.outcome = { error };
    }
    lane.underWay -= 1;
    const next = lane.waiting.shift();
    if (next) void this.#run(next);
    if (!broken.signal.aborted) this.#wake(key);
  }

  #drop(key: AppKey, topic: string): void {
    const topics = this.#inquiries.get(key);
    const inquiry = topics?.get(topic);
    if (!topics || !inquiry) return;
    inquiry.broken.abort(new Error('nobody wants to know any more'));
    const lane = this.#lane(topic);
    lane.waiting = lane.waiting.filter(other => other !== inquiry);
    topics.delete(topic);
    if (topics.size === 0) this.#inquiries.delete(key);
  }

  #lane(topic: string) {
    const lane = this.#lanes.get(topic) ?? { underWay: 0, waiting: [] };
    this.#lanes.set(topic, lane);
    return lane;
  }
}
