/**
 * One object for all that are equal: what ten thousand resources say in the same words is kept once, for as long as any
 * of them says it. Whoever gets it changes nothing in it.
 */
export class Interned<T extends object> {
  readonly #known = new Map<string, WeakRef<T>>();
  readonly #unused = new FinalizationRegistry<string>(key => {
    if (this.#known.get(key)?.deref() === undefined) this.#known.delete(key);
  });

  /** @param key says all that is in the object */
  get(key: string, make: () => T): T {
    const known = this.#known.get(key)?.deref();
    if (known) return known;
    const made = make();
    this.#known.set(key, new WeakRef(made));
    this.#unused.register(made, key);
    return made;
  }

  get size(): number {
    return this.#known.size;
  }
}
