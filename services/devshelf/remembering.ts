const REMEMBERED_MS = 1_000;
/** of a search 60 kB each, at most */
const REMEMBERED_MAX = 100;

type Remembered<Value> = { readonly until: number; readonly value: Promise<Value> };

/** What was found out less than a second ago; who asks while it is being found out waits for the same answer. */
export function remembering<Value>(now: () => number) {
  const memory = new Map<string, Remembered<Value>>();
  return {
    of: (key: string, find: () => Promise<Value>): Promise<Value> => {
      const kept = memory.get(key);
      if (kept !== undefined && now() < kept.until) return kept.value;
      const value = find();
      if (memory.size >= REMEMBERED_MAX) memory.clear();
      memory.set(key, { until: now() + REMEMBERED_MS, value });
      value.catch(() => memory.delete(key));
      return value;
    },
    forget: () => memory.clear(),
  };
}

/** `skip` rows into the list of this type. */
type At = { readonly type: string | undefined; readonly skip: number };
/** No place: the list ends before it. */
type Known<Place> = { readonly until: number; readonly place: Place | undefined };
/** `ahead` of the place `from`, or of the beginning. */
type Walk<Place> = (type: string | undefined, ahead: number, from: Place | undefined) => Promise<Place | undefined>;

const PLACES_MAX = 1_000;

/**
 * Where pages begin. To look for a place costs as much as it is far from the one that is known, so it is looked for from
 * the nearest before it. What follows from a place lasts no longer than that: else nothing would ever be looked up again.
 */
export function rememberingPlaces<Place>(walk: Walk<Place>, now: () => number) {
  const byType = new Map<string | undefined, Map<number, Known<Place>>>();
  const underWay = new Map<string, Promise<Place | undefined>>();
  let [size, generation] = [0, 0];

  const forget = () => {
    byType.clear();
    underWay.clear();
    [size, generation] = [0, generation + 1];
  };
  const keep = ({ type, skip }: At, known: Known<Place>) => {
    // deleted ones are counted, too: that forgets a little sooner
    if (size >= PLACES_MAX) forget();
    const places = byType.get(type) ?? new Map<number, Known<Place>>();
    if (!places.has(skip)) size += 1;
    byType.set(type, places.set(skip, known));
  };
  const fresh = ({ type, skip }: At): Known<Place> | undefined => {
    const known = byType.get(type)?.get(skip);
    return known !== undefined && now() < known.until ? known : undefined;
  };
  const nearest = ({ type, skip }: At): (Known<Place> & { readonly skip: number }) | undefined => {
    let best = -1;
    for (const [at, { until }] of byType.get(type) ?? []) if (at <= skip && at > best && now() < until) best = at;
    const known = fresh({ type, skip: best });
    return known && { ...known, skip: best };
  };
  const look = async (at: At): Promise<Place | undefined> => {
    const before = nearest(at);
    if (before && before.place === undefined) return undefined;
    const [asked, until] = [generation, before?.until ?? now() + REMEMBERED_MS];
    const place = await walk(at.type, at.skip - (before?.skip ?? 0), before?.place);
    // what was asked before a write says nothing about the list after it
    if (asked === generation) keep(at, { until, place });
    return place;
  };

  return {
    of: (at: At): Promise<Place | undefined> => {
      const known = fresh(at);
      if (known) return Promise.resolve(known.place);
      const key = `${at.skip} ${at.type === undefined ? 'all' : `type ${at.type}`}`;
      const joined = underWay.get(key);
      if (joined) return joined;
      const looking = look(at).finally(() => {
        if (underWay.get(key) === looking) underWay.delete(key);
      });
      underWay.set(key, looking);
      return looking;
    },
    /** The page that begins at one place shows where the next one begins. */
    follow: (from: At, to: At, place: Place): void => {
      if (!fresh(to)) keep(to, { until: fresh(from)?.until ?? now() + REMEMBERED_MS, place });
    },
    /** The list is longer: only where it ends is not known any more. */
    grown: () => {
      underWay.clear();
      generation += 1;
      for (const places of byType.values())
        for (const [skip, { place }] of places) if (place === undefined) places.delete(skip);
    },
    forget,
  };
}
