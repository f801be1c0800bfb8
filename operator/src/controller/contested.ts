// Versions before the Lease `devshelf-operator-in-charge` ask nobody who works in a namespace. What betrays one is the
// status: it applies its own, under the same field manager, and of what we wrote there something else is left.
import type { AppKey } from './world.ts';

/** So many times within so long it is no upgrade, in which the last word of the one before comes late. */
const TIMES = 3;
const WITHIN_MS = 60_000;
/** Between writes of a status that another one writes, too: each wakes the other one. */
const PACE_MS = 5_000;

interface Told {
  /** Hash of what we wrote, or of what was found in its place. */
  readonly hash: string;
  readonly wroteAt: number;
  readonly undoneAt: readonly number[];
}

export class Contested {
  readonly #told = new Map<AppKey, Told>();

  /**
   * In each pass, when the store shows our last write.
   * @param ownStatus hash of what is left of what our field manager wrote
   * @param now epoch milliseconds
   */
  saw(key: AppKey, ownStatus: string, now: number): void {
    const told = this.#told.get(key);
    if (!told || told.hash === ownStatus) return;
    const undoneAt = [...told.undoneAt.filter(at => now - at < WITHIN_MS), now].slice(-TIMES);
    this.#told.set(key, { ...told, hash: ownStatus, undoneAt });
  }

  wrote(key: AppKey, hash: string, now: number): void {
    this.#told.set(key, { hash, wroteAt: now, undoneAt: this.#told.get(key)?.undoneAt ?? [] });
  }

  /** Somebody else writes the status, too. */
  is(key: AppKey, now: number): boolean {
    const undoneAt = this.#told.get(key)?.undoneAt.filter(at => now - at < WITHIN_MS) ?? [];
    return undoneAt.length >= TIMES;
  }

  /** For how long not to write, in milliseconds; 0 where nobody else does. */
  waitMs(key: AppKey, now: number): number {
    const { wroteAt = 0 } = this.#told.get(key) ?? {};
    return this.is(key, now) ? Math.max(0, wroteAt + PACE_MS - now) : 0;
  }

  /** After so long without another find it is over. */
  get forgetsMs(): number {
    return WITHIN_MS + 100;
  }

  forget(key: AppKey): void {
    this.#told.delete(key);
  }
}
