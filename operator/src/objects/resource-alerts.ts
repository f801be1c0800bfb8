// What is recorded and alerted about one resource, as data. Thresholds are the resource's own.
//
// Budget: the share of answers that may be 5xx by `objective.availability`. A page needs two windows that burn it, so
// that it ends soon after the errors do, and ten errors in the longer one: at twenty requests a day a single error would
// be the budget of ten days. Below ten a ticket tells.
import type { Alert, Recording } from './alert.ts';
import { type App, isDevShelf } from './app.ts';
import { names } from './names.ts';

/** Every group is evaluated so often: the sums over recorded rates below count on it. */
export const INTERVAL_SECONDS = 30;

const RATES = { requests: 'devshelf:http_requests:rate5m', errors: 'devshelf:http_errors:rate5m' } as const;
const RESPONSES = 'http_responses_total';
const WINDOWS = ['5m', '30m', '1h', '2h', '6h', '1d', '3d'] as const;
type Window = (typeof WINDOWS)[number];

/** How many times faster than its budget allows a service fails, over two windows. */
const BURNS: readonly { long: Window; short: Window; factor: number; for: string; severity: Alert['severity'] }[] = [
  { long: '1h', short: '5m', factor: 14.4, for: '2m', severity: 'critical' },
  { long: '6h', short: '30m', factor: 6, for: '15m', severity: 'critical' },
  { long: '1d', short: '2h', factor: 3, for: '1h', severity: 'warning' },
  { long: '3d', short: '6h', factor: 1, for: '3h', severity: 'warning' },
];

const MIN_ERRORS = 10;
/** Three, less what extrapolation takes away. */
const FEW_ERRORS = 2.5;
const USERS_ROUTES = 'route!~"/health|/live|/ready|/metrics|/recent-requests"';

const timesOf = (factor: number): string => (factor === 1 ? 'more than' : `${factor} times`);
const ratioOver = (window: Window): string => `devshelf:http_error_ratio:${window}`;
const series = (namespace: string, service: string): string => `namespace="${namespace}",service="${service}"`;
const rounded = (value: number): string => String(Number(value.toPrecision(6)));

/** Series that a rule reads; the worker's pods have a service label of their own. */
const servingOf = ({ metadata }: App): string => series(metadata.namespace, names.service(metadata.name));
const workerOf = ({ metadata }: App): string => series(metadata.namespace, names.worker(metadata.name));

const errorsIn = (of: string, window: Window): string =>
  `sum_over_time(${RATES.errors}{${of}}[${window}]) * ${INTERVAL_SECONDS}`;

/** Weighed by traffic: an average of ratios would let a quiet night count as much as a busy day. */
export function resourceRecordings(app: App): readonly Recording[] {
  const of = servingOf(app);
  const rate = (metric: string, more: string) => `rate(${metric}{${of}${more}}[5m])`;
  // some pods of a dashboard may be of an image from before the series by class: each counts by one of both
  const ofPod = (metric: string, more = '') => `sum by (namespace, service, pod, instance) (${rate(metric, more)})`;
  const each = (more: string, older: string) =>
    isDevShelf(app) ? rate(RESPONSES, more) : `${ofPod(RESPONSES, more)} or ${ofPod(older)}`;
  const counted = (more: string, older: string) => `sum by (namespace, service) (${each(more, older)})`;
  return [
    { record: RATES.requests, expr: counted('', 'dashboard_requests_total') },
    { record: RATES.errors, expr: counted(',class="5xx"', 'dashboard_errors_total') },
    ...WINDOWS.map(window => ({
      record: ratioOver(window),
      expr: `sum_over_time(${RATES.errors}{${of}}[${window}]) / (sum_over_time(${RATES.requests}{${of}}[${window}]) > 0)`,
    })),
  ];
}

export function resourceAlerts(app: App): readonly Alert[] {
  return [...budgetAlerts(app), ...slowAlerts(app), ...podAlerts(app), ...workerAlerts(app)];
}

function budgetAlerts(app: App): Alert[] {
  const of = servingOf(app);
  const budget = 1 - Number(app.spec.monitoring.objective.availability);
  return [
    ...BURNS.map(({ long, short, factor, ...rest }): Alert => {
      const limit = rounded(factor * budget);
      return {
        alert: 'ServiceErrorBudgetBurn',
        expr: `${ratioOver(long)}{${of}} > ${limit} and ${ratioOver(short)}{${of}} > ${limit} and ${errorsIn(of, long)} >= ${MIN_ERRORS}`,
        ...rest,
        summary: `{{ $labels.namespace }}/{{ $labels.service }}: {{ $value | humanizePercentage }} of the answers of ${long} are 5xx, ${timesOf(factor)} what the objective allows`,
        page: 'runbook.md#serviceerrorbudgetburn',
        labels: { long, short },
      };
    }),
    {
      alert: 'ServiceErrorsAtLowTraffic',
      expr: `${ratioOver('1h')}{${of}} > 0.5 and ${errorsIn(of, '1h')} >= ${FEW_ERRORS} and ${errorsIn(of, '1h')} < ${MIN_ERRORS}`,
      for: '10m',
      severity: 'warning',
      summary:
        '{{ $labels.namespace }}/{{ $labels.service }}: more than half of the few answers of the last hour are 5xx',
      page: 'runbook.md#serviceerrorsatlowtraffic',
    },
  ];
}

function slowAlerts(app: App): Alert[] {
  const limit = app.spec.monitoring.objective.latencySeconds;
  if (limit === undefined) return [];
  const of = `${servingOf(app)},${USERS_ROUTES}`;
  const buckets = `sum by (namespace, service, le) (rate(http_request_duration_seconds_bucket{${of}}[10m]))`;
  const count = `sum by (namespace, service) (increase(http_request_duration_seconds_count{${of}}[10m]))`;
  return [
    {
      alert: 'ServiceSlow',
      expr: `histogram_quantile(0.95, ${buckets}) > ${limit} and ${count} >= 100`,
      for: '15m',
      severity: 'warning',
      summary: `{{ $labels.namespace }}/{{ $labels.service }}: one request in twenty takes longer than {{ $value | humanizeDuration }}, the objective is ${limit} s`,
      page: 'runbook.md#serviceslow',
    },
  ];
}

function podAlerts(app: App): Alert[] {
  const of = servingOf(app);
  const isWanted = app.spec.autoscaling !== undefined || app.spec.replicas > 0;
  const notScraped: Alert = {
    alert: 'ServiceNotScraped',
    // `absent(up == 1)` would have no labels: nobody could tell whose pods are meant
    expr: `absent(up{${of}}) or max by (namespace, service) (up{${of}}) == 0`,
    for: '10m',
    severity: 'warning',
    summary: '{{ $labels.namespace }}/{{ $labels.service }}: Prometheus reads none of its pods',
    page: 'runbook.md#servicenotscraped',
  };
  return [
    ...(isWanted ? [notScraped] : []),
    {
      alert: 'ServiceRestarts',
      expr: `changes(process_start_time_seconds{${of}}[30m]) > 3`,
      severity: 'warning',
      summary:
        '{{ $labels.namespace }}/{{ $labels.service }}: pod {{ $labels.pod }} began {{ $value }} times in half an hour',
      page: 'runbook.md#servicerestarts',
    },
  ];
}

function workerAlerts(app: App): Alert[] {
  if (!isDevShelf(app) || !app.spec.redis) return [];
  const of = workerOf(app);
  const jobs = (more = '') => `sum by (namespace, service) (increase(devshelf_jobs_total{${of}${more}}[30m]))`;
  return [
    {
      alert: 'QueueStuck',
      expr: `max by (namespace, service) (devshelf_queue_oldest_waiting_seconds{${of}}) > 300`,
      for: '10m',
      severity: 'warning',
      summary: '{{ $labels.namespace }}/{{ $labels.service }}: a job has waited for {{ $value | humanizeDuration }}',
      page: 'runbook.md#queuestuck',
    },
    {
      alert: 'JobsFail',
      expr: `${jobs(',outcome="failed"')} / ${jobs()} > 0.2 and ${jobs(',outcome="failed"')} >= 10`,
      for: '10m',
      severity: 'warning',
      summary: '{{ $labels.namespace }}/{{ $labels.service }}: {{ $value | humanizePercentage }} of the jobs fail',
      page: 'runbook.md#jobsfail',
    },
  ];
}
