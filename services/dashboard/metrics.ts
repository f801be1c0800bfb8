import type { FastifyInstance } from 'fastify';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Durations } from '../common/durations.ts';
import { isRehearsal } from '../common/rehearsal.ts';

/** How many of the last requests the 95th percentile looks at. */
const RECENT = 1_000;

/**
 * The names that today's scripts and panels read, in their exact form: totals without labels, `path` the route's
 * template. Probes and scrapes count here, as they always did; `http_requests_total` tells them apart by route.
 */
export function countDashboardRequests(app: FastifyInstance, registry: Registry, counted: readonly Durations[]): void {
  const registers = [registry];
  const total = (name: string, help: string, of: (series: Durations) => number) =>
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        for (const series of counted) this.inc(of(series));
      },
    });
  const byPath = (name: string, help: string, of: (series: Durations) => number) =>
    new Counter({
      name,
      help,
      labelNames: ['path'] as const,
      registers,
      collect() {
        this.reset();
        for (const series of counted) if (of(series) > 0) this.inc({ path: series.labels.route }, of(series));
      },
    });
  const requests = ({ count }: Durations) => count;
  const errors = ({ labels, count }: Durations) => (Number(labels.status) >= 500 ? count : 0);
  const milliseconds = ({ seconds }: Durations) => seconds * 1_000;

  total('dashboard_requests_total', 'Responses sent', requests);
  total('dashboard_errors_total', 'Responses with a status of 500 and above', errors);
  byPath('dashboard_requests_by_path_total', 'Responses sent, by route', requests);
  byPath('dashboard_errors_by_path_total', 'Responses with a status of 500 and above, by route', errors);
  byPath('dashboard_request_duration_ms_sum', 'Milliseconds spent on responses, by route', milliseconds);
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
    if (!isRehearsal(request)) recent.add(reply.elapsedTime);
    done();
  });
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
