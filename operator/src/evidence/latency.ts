// How long nineteen of twenty users waited at most: the p95 of what pods answered within a window, as a dashboard says it.
// Pods count their answers by how long they took, since they began; the window is the last reading of each less its first.

/** Answers by the time that they took at most: seconds to count, the one of `Infinity` of all. Each holds those below it. */
export type Buckets = ReadonlyMap<number, number>;

/** What one pod says of it. */
export type Latency = {
  readonly buckets?: Buckets;
  /** Its own p95 of its last answers, in milliseconds; pods that count nothing tell only that. */
  readonly ownP95Ms?: number;
};

export type P95 = {
  readonly ms: number;
  /** The metric that it was made of; of the second the highest of all pods. */
  readonly source: 'http_request_duration_seconds' | 'dashboard_request_duration_ms_p95';
};

const NOTHING: Buckets = new Map();
/** Ours have eleven; more than this is no histogram. */
export const MOST_EDGES = 100;

type Known = { readonly last: Latency; readonly counted: Buckets };

/** Of one group of pods over one window. `add` returns another one. */
export class LatencyWindow {
  readonly #pods: ReadonlyMap<string, Known>;

  constructor(pods: ReadonlyMap<string, Known> = new Map()) {
    this.#pods = pods;
  }

  /** @param isNew the pod began within the window: all that it has counted counts */
  add(uid: string, now: Latency, isNew: boolean): LatencyWindow {
    const known = this.#pods.get(uid);
    const before = known?.last.buckets ?? (isNew ? NOTHING : now.buckets);
    const added = between(before ?? NOTHING, now.buckets ?? NOTHING);
    return new LatencyWindow(
      new Map(this.#pods).set(uid, { last: now, counted: sum(known?.counted ?? NOTHING, added) }),
    );
  }

  /** The same pods from now on. */
  begun(): LatencyWindow {
    return new LatencyWindow(new Map([...this.#pods].map(([uid, { last }]) => [uid, { last, counted: NOTHING }])));
  }

  /** Undefined where nobody asked, or where nothing can be made of what pods say. */
  p95(): P95 | undefined {
    const pods = [...this.#pods.values()];
    if (pods.some(({ last }) => last.buckets)) {
      const seconds = quantile(0.95, pods.map(({ counted }) => counted).reduce(sum, NOTHING));
      return seconds === undefined
        ? undefined
        : { ms: Math.round(seconds * 100_000) / 100, source: 'http_request_duration_seconds' };
    }
    const own = pods.flatMap(({ last }) => last.ownP95Ms ?? []);
    return own.length === 0 ? undefined : { ms: Math.max(...own), source: 'dashboard_request_duration_ms_p95' };
  }
}

/** What was counted since; a count that went back is of a container that began anew, and counts in full. */
function between(before: Buckets, now: Buckets): Buckets {
  const isAnew = [...before].some(([edge, count]) => (now.get(edge) ?? 0) < count);
  return isAnew ? now : new Map([...now].map(([edge, count]) => [edge, count - (before.get(edge) ?? 0)]));
}

const sum = (a: Buckets, b: Buckets): Buckets =>
  new Map([...new Set([...a.keys(), ...b.keys()])].map(edge => [edge, (a.get(edge) ?? 0) + (b.get(edge) ?? 0)]));

/**
 * As PromQL's `histogram_quantile`: within a bucket answers are taken to be spread evenly, and beyond the last edge that
 * edge is all that is known. Undefined without an answer, and for what are no counts of that kind.
 */
export function quantile(share: number, buckets: Buckets): number | undefined {
  const all = buckets.get(Number.POSITIVE_INFINITY) ?? 0;
  const sorted = [...buckets].sort(([a], [b]) => a - b);
  if (all === 0 || sorted.length < 2 || sorted.length > MOST_EDGES) return undefined;
  if (sorted.some(([, count], index) => count < (sorted[index - 1]?.[1] ?? 0))) return undefined;
  const rank = share * all;
  const at = sorted.findIndex(([, count]) => count >= rank);
  const [edge, count] = sorted[at] ?? [0, 0];
  const [start, below] = sorted[at - 1] ?? [0, 0];
  if (edge === Number.POSITIVE_INFINITY) return start;
  if (at === 0 && edge <= 0) return edge;
  return count === below ? edge : start + ((edge - start) * (rank - below)) / (count - below);
}
