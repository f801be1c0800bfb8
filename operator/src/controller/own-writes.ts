// Reading one's own writes: after a write, its resource is not decided on again until the stores show it.
// Otherwise a pass over stale stores could, say, see no Job and ask for a second one.

interface Pending {
  readonly what: string;
  readonly seen: () => boolean;
  readonly sinceMs: number;
}

/** A write that no watch shows after this long was overtaken (deleted, say); stores are believed again. */
const GIVE_UP_MS = 10_000;

export class OwnWrites {
  readonly #pending = new Map<string, Pending[]>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** @param seen whether the stores show the write */
  expect(key: string, what: string, seen: () => boolean): void {
    if (seen()) return;
    const pending = this.#pending.get(key) ?? [];
    this.#pending.set(key, [...pending, { what, seen, sinceMs: this.#nowMs() }]);
  }

  /** What the stores do not show yet; undefined when they can be believed. */
  unseen(key: string): string | undefined {
    const now = this.#nowMs();
    const left = (this.#pending.get(key) ?? []).filter(({ seen, sinceMs }) => !seen() && now - sinceMs < GIVE_UP_MS);
    if (left.length > 0) this.#pending.set(key, left);
    else this.#pending.delete(key);
    return left[0]?.what;
  }

  forget(key: string): void {
    this.#pending.delete(key);
  }
}
