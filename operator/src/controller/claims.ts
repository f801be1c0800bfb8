// Two resources may share a database and be decided on at the same time, each before it can see the other's Job.
// Who asks first has the database until the stores show its Job; from then on they speak for themselves.

/** An effect that is not seen by then was undone meanwhile. */
const GIVE_UP_MS = 10_000;

interface Claim {
  readonly holder: string;
  readonly sinceMs: number;
  isOver: () => boolean;
}

export class Claims {
  readonly #claims = new Map<string, Claim>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Whether `holder` has it now. `act` is done only then; it tells how to see that its effect is visible to all. */
  async whileHolding(what: string, holder: string, act: () => Promise<() => boolean>): Promise<boolean> {
    for (const [past, claim] of this.#claims) if (!this.#holds(claim)) this.#claims.delete(past);
    const held = this.#claims.get(what);
    if (held && held.holder !== holder) return false;
    const claim: Claim = { holder, sinceMs: this.#nowMs(), isOver: () => false };
    this.#claims.set(what, claim);
    try {
      claim.isOver = await act();
    } catch (error) {
      if (this.#claims.get(what) === claim) this.#claims.delete(what);
      throw error;
    }
    return true;
  }

  #holds({ isOver, sinceMs }: Claim): boolean {
    return !isOver() && this.#nowMs() - sinceMs < GIVE_UP_MS;
  }
}
