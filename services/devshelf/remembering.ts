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
/** So many rows after a place; without a place there is nothing. */
type Spot<Place> = { readonly place: Place | undefined; readonly ahead: number };
/** `ahead` of the place `from`, or of the beginning. */
type Walk<Place> = (type: string | undefined, ahead: number, from: Place | undefined) => Promise<Place | undefined>;

/** Every so many rows, among the first `rows`: how many lie before each place. */
type Survey<Place> = (
  type: string | undefined,
  every: number,
  rows: number,
) => Promise<readonly (readonly [number, Place])[]>;

const PLACES_MAX = 1_000;
/** How many places a survey finds, at most; nearer to each other than so many rows they would save nothing. */
const SURVEYED = { places: 200, everyRows: 500 };
/** To number 100,000 rows took 33 ms where walking past them took 24: after two such walks a survey is the better way. */
const WALKS_OF_A_SURVEY = 2;
/** From one place of a survey to the next, in rows, when it is made for places as far as this. */
const strideTo = (farthest: number): number =>
  Math.max(SURVEYED.everyRows, Math.ceil((2 * farthest) / SURVEYED.places));
/** A survey that is in use is made anew so long before it ends, so nobody waits for the next one. */
const SURVEYED_AHEAD_MS = 400;

/**
 * Where pages begin. To look for a place costs as much as it is far from the one that is known, so it is looked for from
 * the nearest before it. What follows from a place lasts no longer than that: else nothing would ever be looked up again.
 *
 * Callers who ask for ever other pages would walk the list again and again: once they have, in a second, as far as a
 * survey of it costs, it is surveyed, and every place is near.
 */
export function rememberingPlaces<Place>(walk: Walk<Place>, survey: Survey<Place>, now: () => number) {
  const byType = new Map<string | undefined, Map<number, Known<Place>>>();
  const underWay = new Map<string, Promise<Spot<Place>>>();
  const walked = new Map<string | undefined, { readonly until: number; rows: number; farthest: number }>();
  const surveying = new Map<string | undefined, Promise<void>>();
  const surveys = new Map<string | undefined, { readonly until: number; readonly stride: number }>();
  let [size, generation] = [0, 0];

  const forget = () => {
    for (const memory of [byType, underWay, walked, surveying, surveys]) memory.clear();
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
  /** Whether the list was walked so far by now, with `ahead` rows more, that a survey would have cost less. */
  const isFarAgain = ({ type, skip }: At, ahead: number): boolean => {
    const before = walked.get(type);
    const so =
      before !== undefined && now() < before.until ? before : { until: now() + REMEMBERED_MS, rows: 0, farthest: 0 };
    so.farthest = Math.max(so.farthest, skip);
    walked.set(type, so);
    if (ahead <= strideTo(so.farthest)) return false;
    so.rows += ahead;
    return so.rows > so.farthest * WALKS_OF_A_SURVEY;
  };
  /** The survey that is in force. */
  const surveyIn = (type: string | undefined) => {
    const made = surveys.get(type);
    return made && now() < made.until ? made : undefined;
  };
  const surveyOf = async ({ type, skip }: At): Promise<void> => {
    const [asked, until] = [generation, now() + REMEMBERED_MS];
    const farthest = Math.max(skip, walked.get(type)?.farthest ?? 0);
    const stride = strideTo(farthest);
    const places = await survey(type, stride, 2 * farthest);
    if (asked !== generation) return;
    const so = walked.get(type);
    if (so) so.rows = 0;
    surveys.set(type, { until, stride });
    for (const [before, place] of places) keep({ type, skip: before }, { until, place });
  };
  /** One survey of a type at a time, for all who wait for it. */
  const surveyed = (at: At): Promise<void> => {
    const joined = surveying.get(at.type);
    if (joined) return joined;
    const under = surveyOf(at).finally(() => {
      if (surveying.get(at.type) === under) surveying.delete(at.type);
    });
    surveying.set(at.type, under);
    return under;
  };
  const look = async (at: At): Promise<Spot<Place>> => {
    let before = nearest(at);
    const inUse = surveyIn(at.type);
    if (inUse && inUse.until - now() < SURVEYED_AHEAD_MS) surveyed(at).catch(() => undefined); // who needs it next will be told
    const isEnd = () => before !== undefined && before.place === undefined;
    if (!isEnd() && isFarAgain(at, at.skip - (before?.skip ?? 0))) {
      await surveyed(at);
      before = nearest(at);
    }
    if (isEnd()) return { place: undefined, ahead: 0 };
    const ahead = at.skip - (before?.skip ?? 0);
    // the page itself goes so far: one statement less
    if (before !== undefined && ahead <= (surveyIn(at.type)?.stride ?? -1)) return { place: before.place, ahead };
    const [asked, until] = [generation, before?.until ?? now() + REMEMBERED_MS];
    const place = await walk(at.type, ahead, before?.place);
    // what was asked before a write says nothing about the list after it; what is near need not be kept
    if (asked === generation && (place === undefined || !surveyIn(at.type))) keep(at, { until, place });
    return { place, ahead: 0 };
  };

  return {
    of: (at: At): Promise<Spot<Place>> => {
      const known = fresh(at);
      if (known) return Promise.resolve({ place: known.place, ahead: 0 });
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
      if (!fresh(to) && !surveyIn(to.type)) keep(to, { until: fresh(from)?.until ?? now() + REMEMBERED_MS, place });
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
