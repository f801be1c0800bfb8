import type { FastifyInstance } from 'fastify';
import { Counter, Gauge, type Registry } from 'prom-client';
import { routeOf } from '../common/metrics.ts';

/** How many of the last requests the 95th percentile looks at. */
const RECENT = 1_000;

/**
 * The names that today's scripts and panels read, in their exact form: totals without labels, `path` the route's
 * template. Probes and scrapes count here, as they always did; `http_requests_total` tells them apart by route.
 */
export function countDashboardRequests(app: FastifyInstance, registry: Registry): void {
  const registers = [registry];
  const paths = new Map<string, Tally>();
  const total = (name: string, help: string, of: (tally: Tally) => number) =>
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc([...paths.values()].reduce((sum, tally) => sum + of(tally), 0));
      },
    });
  const byPath = (name: string, help: string, of: (tally: Tally) => number) =>
    new Counter({
      name,
      help,
      labelNames: ['path'] as const,
      registers,
      collect() {
        this.reset();
        for (const [path, tally] of paths) if (of(tally) > 0) this.inc({ path }, of(tally));
      },
    });
  const requests = ({ requests: count }: Tally) => count;
  const errors = ({ errors: count }: Tally) => count;

  total('dashboard_requests_total', 'Responses sent', requests);
  total('dashboard_errors_total', 'Responses with a status of 500 and above', errors);
  byPath('dashboard_requests_by_path_total', 'Responses sent, by route', requests);
  byPath('dashboard_errors_by_path_total', 'Responses with a status of 500 and above, by route', errors);
  byPath('dashboard_request_duration_ms_sum', 'Milliseconds spent on responses, by route', tally => tally.durationMs);
  const recent = recentDurations();
  new Gauge({
    name: 'dashboard_uptime_seconds',
    help: 'Seconds since the process started',
    registers,
    collect() {
      this.set(Math.round(process.uptime()));
    },
  });
  new Gauge({
    name: 'dashboard_request_duration_ms_p95',
    help: `95th percentile of the last ${RECENT} responses, milliseconds`,
    registers,
    collect() {
      this.set(recent.percentile(0.95));
    },
  });

  app.addHook('onResponse', (request, reply, done) => {
    const tally = tallyOf(paths, routeOf(request));
    const { elapsedTime } = reply;
    tally.requests += 1;
    tally.durationMs += elapsedTime;
    if (reply.statusCode >= 500) tally.errors += 1;
    recent.add(elapsedTime);
    done();
  });
}

/** Counted here, and told when somebody asks: an addition for each response instead of a look-up. */
type Tally = { requests: number; errors: number; durationMs: number };

function tallyOf(paths: Map<string, Tally>, path: string): Tally {
  const known = paths.get(path);
  if (known !== undefined) return known;
  const made = { requests: 0, errors: 0, durationMs: 0 };
  paths.set(path, made);
  return made;
}

function recentDurations() {
  const ring: number[] = [];
  let next = 0;
  return {
    add: (milliseconds: number) => {
      ring[next] = milliseconds;
      next = (next + 1) % RECENT;
    },
    /** Nearest rank; 0 before the first response. */
    percentile: (share: number): number => {
      const sorted = ring.toSorted((left, right) => left - right);
      return sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
    },
  };
}
