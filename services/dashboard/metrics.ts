import type { FastifyInstance } from 'fastify';
import { Counter, Gauge, type Registry } from 'prom-client';
import { remembered, routeOf } from '../common/metrics.ts';

/** How many of the last requests the 95th percentile looks at. */
const RECENT = 1_000;

/**
 * The names that today's scripts and panels read, in their exact form: totals without labels, `path` the route's
 * template. Probes and scrapes count here, as they always did; `http_requests_total` tells them apart by route.
 */
export function countDashboardRequests(app: FastifyInstance, registry: Registry): void {
  const registers = [registry];
  const counter = (name: string, help: string) => new Counter({ name, help, registers });
  const byPath = (name: string, help: string) => new Counter({ name, help, labelNames: ['path'] as const, registers });

  const requests = counter('dashboard_requests_total', 'Responses sent');
  const errors = counter('dashboard_errors_total', 'Responses with a status of 500 and above');
  const requestsByPath = byPath('dashboard_requests_by_path_total', 'Responses sent, by route');
  const errorsByPath = byPath('dashboard_errors_by_path_total', 'Responses with a status of 500 and above, by route');
  const durationByPath = byPath('dashboard_request_duration_ms_sum', 'Milliseconds spent on responses, by route');
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

  const series = remembered((path: string) => ({
    requests: requestsByPath.labels(path),
    duration: durationByPath.labels(path),
  }));
  app.addHook('onResponse', (request, reply, done) => {
    const path = routeOf(request);
    const counted = series(path);
    requests.inc();
    counted.requests.inc();
    counted.duration.inc(reply.elapsedTime);
    recent.add(reply.elapsedTime);
    if (reply.statusCode >= 500) {
      errors.inc();
      errorsByPath.inc({ path });
    }
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
