/** What the operator's own metrics say of its work. */
export type Counters = {
  /** Requests to the API server by verb and resource, e.g. `get secrets`. */
  readonly requests: Readonly<Record<string, number>>;
  readonly passes: number;
  readonly queued: number;
  readonly heapUsedMib: number;
  readonly cpuSeconds: number;
  /** How late the event loop was since these were asked for last. */
  readonly loopP99Ms: number;
  readonly loopMaxMs: number;
};

const CALL = /^devshelf_operator_api_calls_total\{verb="([^"]*)",resource="([^"]*)",status="([^"]*)"\} (\S+)$/gm;
const WRITE = /^(create|apply|patch|update|delete) (?!leases)/;

export function countersOf(text: string): Counters {
  const requests: Record<string, number> = {};
  for (const [, verb, resource, status, count] of text.matchAll(CALL)) {
    const key = `${verb} ${resource}${status === '404' ? ', none there' : ''}`;
    requests[key] = (requests[key] ?? 0) + Number(count);
  }
  const sum = (name: string): number =>
    [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].reduce(
      (total, [, n]) => total + Number(n),
      0,
    );
  return {
    requests,
    passes: sum('devshelf_operator_reconcile_seconds_count'),
    queued: sum('devshelf_operator_queue_depth'),
    heapUsedMib: sum('nodejs_heap_size_used_bytes') / 2 ** 20,
    cpuSeconds: sum('process_cpu_seconds_total'),
    loopP99Ms: 1_000 * sum('nodejs_eventloop_lag_p99_seconds'),
    loopMaxMs: 1_000 * sum('nodejs_eventloop_lag_max_seconds'),
  };
}

type Requests = Counters['requests'];

export const total = (requests: Requests): number => Object.values(requests).reduce((sum, count) => sum + count, 0);

const totalOf =
  (kind: RegExp) =>
  (requests: Requests): number =>
    total(Object.fromEntries(Object.entries(requests).filter(([key]) => kind.test(key))));

/** The lease aside: it is renewed with any number of resources. */
export const writes = totalOf(WRITE);

export const lists = totalOf(/^list /);

export const secretReads = (requests: Requests): number =>
  (requests['get secrets'] ?? 0) + (requests['get secrets, none there'] ?? 0);

export const since = (before: Requests, after: Requests): Record<string, number> =>
  Object.fromEntries(
    Object.entries(after)
      .map(([key, count]) => [key, count - (before[key] ?? 0)] as const)
      .filter(([, count]) => count !== 0),
  );
