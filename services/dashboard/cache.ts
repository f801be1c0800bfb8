export type Cache = {
  /**
   * The value kept under `key`, or what `compute` gives now. Callers who miss at the same time share one computation.
   * An error is everyone's who waited for it, and is not kept.
   */
  get<Value>(key: string, compute: () => Promise<Value>): Promise<Value>;
};

export type CacheOptions = {
  readonly ttlMs: number;
  /** strangers choose the keys: beyond so many the oldest is forgotten */
  readonly maxKeys?: number;
  /** milliseconds of a clock that only goes forward */
  readonly now?: () => number;
};

type Entry = { readonly value: Promise<unknown>; goodUntil: number };

/** A value's age counts from when it was computed. */
export function createCache({ ttlMs, maxKeys = 500, now = () => performance.now() }: CacheOptions): Cache {
  const entries = new Map<string, Entry>();

  const keep = (key: string, value: Promise<unknown>) => {
    const entry: Entry = { value, goodUntil: Number.POSITIVE_INFINITY };
    const forget = () => {
      if (entries.get(key) === entry) entries.delete(key);
    };
    entries.delete(key); // so that the newest is the last
    const [oldest] = entries.keys();
    if (entries.size >= maxKeys && oldest !== undefined) entries.delete(oldest);
    entries.set(key, entry);
    value.then(() => {
      entry.goodUntil = now() + ttlMs;
    }, forget);
  };

  return {
    get: <Value>(key: string, compute: () => Promise<Value>) => {
      const known = entries.get(key);
      if (known !== undefined && now() < known.goodUntil) return known.value as Promise<Value>;
      const value = compute();
      keep(key, value);
      return value;
    },
  };
}
