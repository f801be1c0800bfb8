import type { Metric } from 'prom-client';

// edges in seconds, from a cached answer to one that ran into the database's timeouts
const EDGES = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** One series of a histogram: the responses with these labels. */
export type Durations = {
  readonly labels: Readonly<Record<'method' | 'route' | 'status', string>>;
  /** by the first edge that is not exceeded; the last is for those beyond all edges */
  readonly perBucket: number[];
  count: number;
  seconds: number;
};

export const newDurations = (labels: Durations['labels']): Durations => ({
  labels,
  perBucket: [...EDGES.map(() => 0), 0],
  count: 0,
  seconds: 0,
});

/** An addition: prom-client's own histogram looks up the labels each time, for as long as all hooks together take. */
export function observe(durations: Durations, seconds: number): void {
  let bucket = 0;
  while (seconds > (EDGES[bucket] ?? Number.POSITIVE_INFINITY)) bucket += 1;
  durations.perBucket[bucket] = (durations.perBucket[bucket] ?? 0) + 1;
  durations.count += 1;
  durations.seconds += seconds;
}

/** What prom-client's registry asks of a histogram when it is scraped; `all` may grow. */
export function histogramOf(name: string, help: string, all: readonly Durations[]): Metric {
  const description = { name, help, type: 'histogram', aggregator: 'sum' };
  const samplesOf = ({ labels, perBucket, count, seconds }: Durations) => {
    let upToHere = 0;
    const buckets = [...EDGES, '+Inf'].map((le, bucket) => {
      upToHere += perBucket[bucket] ?? 0;
      return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: upToHere };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: seconds },
      { metricName: `${name}_count`, labels, value: count },
    ];
  };
  const metric = { ...description, get: async () => ({ ...description, values: all.flatMap(samplesOf) }) };
  return metric as unknown as Metric;
}
