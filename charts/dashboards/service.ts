// What the dashboards of both services share. $name is the resource, and the service label of its pods.
import { OPERATIONAL_ROUTES } from '../../services/common/metrics.ts';
import { countOf, type Lines, type Mark, type PanelSpec, type Row, type Variable } from './panels.ts';

export const RATE = '[$__rate_interval]';

/** Serving pods. */
export const S = 'namespace="$namespace",service="$name"';
/** DevShelf's workers: their PodMonitor names them so. */
export const W = 'namespace="$namespace",service="$name-worker"';
/** What users ask: probes and scrapes are not theirs. */
export const USERS = `route!~"${OPERATIONAL_ROUTES.join('|')}"`;

export const resourceOf = (kind: string): string => `kind="${kind}",resource_namespace="$namespace",resource="$name"`;

/** Two pods of the operator may tell of a resource at once, while one follows the other: each thing is drawn once. */
export const told = (series: string, selector: string, ...labels: readonly string[]): string =>
  `max by (${['kind', 'resource_namespace', 'resource', ...labels].join(', ')}) (${series}{${selector}})`;

export const CLASS_COLORS = { '2xx': 'green', '3xx': 'blue', '4xx': 'yellow', '5xx': 'red' } as const;

export const serviceVariables = (kind: string): readonly Variable[] => [
  {
    name: 'namespace',
    label: 'Namespace',
    query: `label_values(devshelf_resource_info{kind="${kind}"}, resource_namespace)`,
  },
  {
    name: 'name',
    label: 'Resource',
    query: `label_values(devshelf_resource_info{kind="${kind}", resource_namespace="$namespace"}, resource)`,
  },
  {
    name: 'objective',
    label: 'Objective',
    text: '0.995',
    description: 'spec.monitoring.objective.availability of the resource: the budget below is what it leaves',
  },
];

/** The last of each decision. */
export const decisionsTold = (selector: string): string =>
  told('devshelf_operator_decision_timestamp_seconds', selector, 'decision', 'version', 'release', 'reason');
export const keysMade = (selector: string): string =>
  told('devshelf_resource_key_timestamp_seconds', `${selector},event="made"`, 'key');

export const decisionMarks = (selector: string, title: string): readonly Mark[] => [
  {
    name: 'Releases',
    expr: `${decisionsTold(`${selector},decision=~"candidate|promoted|promoted-unproven|released"`)} * 1000`,
    color: 'blue',
    title,
    text: '{{reason}}',
  },
  {
    name: 'Taken back',
    expr: `${decisionsTold(`${selector},decision=~"rejected|rolled-back|superseded"`)} * 1000`,
    color: 'red',
    title,
    text: '{{reason}}',
  },
];

const duration = (quantile: number, by = '') =>
  `histogram_quantile(${quantile}, sum by (le${by}) (rate(http_request_duration_seconds_bucket{${S},${USERS}}${RATE})))`;
const requests = `sum(rate(http_responses_total{${S}}${RATE}))`;

export const now = (kind: string): Row => ({
  title: 'Now',
  panels: [
    {
      type: 'stat',
      title: 'Version',
      description: 'The release that serves.',
      unit: 'none',
      width: 3,
      shows: 'name',
      query: { expr: told('devshelf_resource_info', resourceOf(kind), 'version'), legend: '{{version}}' },
    },
    {
      type: 'stat',
      title: 'Phase',
      description: 'The stage that is under way; Released: none.',
      unit: 'none',
      width: 3,
      shows: 'name',
      query: { expr: told('devshelf_resource_info', resourceOf(kind), 'phase'), legend: '{{phase}}' },
    },
    {
      type: 'stat',
      title: 'Pods ready',
      description: 'Serving pods that are ready, of those that are wanted.',
      unit: 'percentunit',
      width: 3,
      decimals: 0,
      thresholds: [
        { value: null, color: 'red' },
        { value: 1, color: 'green' },
      ],
      query: {
        expr: `max(devshelf_resource_replicas{${resourceOf(kind)},state="ready"}) / max(devshelf_resource_replicas{${resourceOf(kind)},state="wanted"})`,
      },
    },
    {
      type: 'stat',
      title: 'Requests',
      description: 'Answers to users a second; probes and scrapes left out.',
      unit: 'reqps',
      width: 3,
      query: { expr: requests },
    },
    {
      type: 'stat',
      title: '5xx errors',
      description: 'Share of the answers to users.',
      unit: 'percentunit',
      width: 3,
      decimals: 2,
      thresholds: [
        { value: null, color: 'green' },
        { value: 0.005, color: 'yellow' },
        { value: 0.05, color: 'red' },
      ],
      query: { expr: `sum(rate(http_responses_total{${S},class="5xx"}${RATE})) / ${requests}` },
    },
    {
      type: 'stat',
      title: 'Latency, p95',
      description: 'Nineteen of twenty answers to users take no longer.',
      unit: 's',
      width: 3,
      query: { expr: duration(0.95) },
    },
    {
      type: 'stat',
      title: 'Uptime',
      description: 'Since the youngest pod began; short without a release means that pods begin again and again.',
      unit: 'dtdurations',
      width: 3,
      plain: true,
      query: { expr: `time() - max(process_start_time_seconds{${S}})` },
    },
    {
      type: 'stat',
      title: 'Budget left, 30 days',
      description:
        'Of the errors that the objective allows. Below 0: it was not kept. From the recorded rates of the resource’s PrometheusRule.',
      unit: 'percentunit',
      width: 3,
      decimals: 0,
      plain: true,
      thresholds: [
        { value: null, color: 'red' },
        { value: 0, color: 'yellow' },
        { value: 0.25, color: 'green' },
      ],
      query: {
        expr: `1 - (sum(sum_over_time(devshelf:http_errors:rate5m{${S}}[30d])) / sum(sum_over_time(devshelf:http_requests:rate5m{${S}}[30d]))) / (1 - $objective)`,
      },
    },
  ],
});

export const traffic: Row = {
  title: 'Requests, errors, latency',
  panels: [
    {
      type: 'stat',
      title: 'Requests in total',
      description: 'Answers to users in the chosen time.',
      unit: 'short',
      width: 4,
      plain: true,
      query: { expr: `sum(increase(http_responses_total{${S}}[$__range]))` },
    },
    countOf('5xx in total', 'In the chosen time.', `http_responses_total{${S},class="5xx"}`, { isFault: true }),
    countOf(
      '4xx in total',
      'In the chosen time: what users asked wrongly, or were not allowed.',
      `http_responses_total{${S},class="4xx"}`,
    ),
    {
      type: 'stat',
      title: 'In flight',
      description: 'Requests that have begun and have not been answered.',
      unit: 'short',
      width: 4,
      query: { expr: `sum(http_requests_in_flight{${S}})` },
    },
    {
      type: 'stat',
      title: 'Turned away',
      description: 'Answers 503 a second because there was too much to do.',
      unit: 'reqps',
      width: 4,
      thresholds: [
        { value: null, color: 'green' },
        { value: 0.001, color: 'red' },
      ],
      query: { expr: `sum(rate(http_requests_shed_total{${S}}${RATE}))` },
    },
    {
      type: 'stat',
      title: 'Pods read',
      description: 'Pods that this Prometheus reads. 0: does it select the ServiceMonitor?',
      unit: 'short',
      width: 4,
      plain: true,
      thresholds: [
        { value: null, color: 'red' },
        { value: 1, color: 'green' },
      ],
      query: { expr: `sum(up{${S}})` },
    },
    {
      type: 'lines',
      title: 'Requests by class',
      description: 'Answers to users a second. 5xx is drawn from 0 on: a new pod’s first error is seen.',
      unit: 'reqps',
      width: 12,
      stacked: true,
      colors: CLASS_COLORS,
      queries: [{ expr: `sum by (class) (rate(http_responses_total{${S}}${RATE}))`, legend: '{{class}}' }],
    },
    {
      type: 'lines',
      title: 'Requests by route',
      description: 'The ten routes that are asked most.',
      unit: 'reqps',
      width: 12,
      queries: [
        { expr: `topk(10, sum by (route) (rate(http_requests_total{${S},${USERS}}${RATE})))`, legend: '{{route}}' },
      ],
    },
    {
      type: 'lines',
      title: '5xx by route',
      description: 'Errors a second. Only one route: the release, or what only that route needs. All: a dependency.',
      unit: 'reqps',
      width: 12,
      queries: [
        {
          expr: `sum by (route, status) (rate(http_requests_total{${S},${USERS},status=~"5.."}${RATE}))`,
          legend: '{{route}} {{status}}',
        },
      ],
    },
    {
      type: 'lines',
      title: 'Latency',
      description: 'Of half, nineteen of twenty, and 99 of 100 answers to users.',
      unit: 's',
      width: 12,
      queries: [0.5, 0.95, 0.99].map(quantile => ({ expr: duration(quantile), legend: `p${quantile * 100}` })),
    },
    {
      type: 'lines',
      title: 'Latency by route, p95',
      description: 'The ten slowest routes.',
      unit: 's',
      width: 12,
      queries: [{ expr: `topk(10, ${duration(0.95, ', route')})`, legend: '{{route}}' }],
    },
    {
      type: 'heatmap',
      title: 'Latency, all answers',
      description: 'How many answers took how long: two bands are two kinds of requests, or two kinds of pods.',
      unit: 's',
      width: 12,
      query: {
        expr: `sum by (le) (increase(http_request_duration_seconds_bucket{${S},${USERS}}${RATE}))`,
        legend: '{{le}}',
      },
    },
  ],
};

const byRelease = (more = '') => `sum by (devshelf_dev_release) (rate(http_responses_total{${S}${more}}${RATE}))`;

export const releases = (kind: string): Row => ({
  title: 'Releases',
  panels: [
    {
      type: 'lines',
      title: 'Requests by release',
      description: 'The candidate beside the stable release, by the hash that its pods carry.',
      unit: 'reqps',
      width: 8,
      stacked: true,
      queries: [{ expr: byRelease(), legend: '{{devshelf_dev_release}}' }],
    },
    {
      type: 'lines',
      title: '5xx by release',
      description: 'Share of each release’s own answers. Both rise: a dependency; one rises: that release.',
      unit: 'percentunit',
      width: 8,
      queries: [{ expr: `${byRelease(',class="5xx"')} / ${byRelease()}`, legend: '{{devshelf_dev_release}}' }],
    },
    {
      type: 'lines',
      title: 'Pods',
      description: 'Wanted, ready, and ready ones on trial.',
      unit: 'short',
      width: 8,
      colors: { wanted: 'text', ready: 'green', candidate: 'orange' },
      queries: [
        {
          expr: `max by (state) (devshelf_resource_replicas{${resourceOf(kind)}})`,
          legend: '{{state}}',
        },
      ],
    },
    {
      type: 'table',
      title: 'Not as it should be',
      description:
        'Conditions that are not True (Stalled: that is), and for how long. docs/reasons.md has a section for each reason.',
      unit: 's',
      width: 12,
      columns: { type: 'Condition', status: 'Status', reason: 'Reason' },
      value: 'For',
      query: { expr: notTrue(resourceOf(kind)) },
    },
    {
      type: 'table',
      title: 'Decisions of the last day',
      description: 'The last of each, and how long ago.',
      unit: 's',
      width: 12,
      columns: { decision: 'Decision', version: 'Version', release: 'Release', reason: 'Reason' },
      value: 'Ago',
      query: { expr: `sort(time() - ${decisionsTold(resourceOf(kind))})` },
    },
  ],
});

export const conditionsTold = (selector: string): string =>
  told('devshelf_resource_condition_timestamp_seconds', selector, 'type', 'status', 'reason');

/** Ready and Available are always told, so those that are fine are left out. */
export function notTrue(selector: string): string {
  const is = (matcher: string) => conditionsTold(`${selector},${matcher}`);
  return `sort_desc(time() - (${is('status!="True"')} or ${is('type="Stalled"')} or ${is('reason="ContractWithheld"')}))`;
}

const perPod = (title: string, description: string, unit: string, expr: string, selector = S): Lines => ({
  type: 'lines',
  title,
  description,
  unit,
  width: 8,
  queries: [{ expr: expr.replaceAll('{}', `{${selector}}`), legend: '{{pod}}' }],
});

export const processOf = (more: readonly PanelSpec[] = []): Row => ({
  title: 'Processes and keys',
  panels: [
    perPod(
      'CPU',
      'Seconds of CPU a second. One process uses little more than 1.',
      'short',
      `rate(process_cpu_seconds_total{}${RATE})`,
    ),
    perPod('Memory', 'Resident. The limit is in spec.resources.', 'bytes', 'process_resident_memory_bytes{}'),
    perPod(
      'Event loop, p99',
      'How late the process comes to its work. Above 0.1 s it has too much of it.',
      's',
      'nodejs_eventloop_lag_p99_seconds{}',
    ),
    {
      type: 'lines',
      title: 'Database connections',
      description: 'Of all pods. Requests that wait for one: the pool is too small, or the database is slow.',
      unit: 'short',
      width: 8,
      colors: { used: 'blue', idle: 'green', waiting: 'red' },
      queries: [{ expr: `sum by (state) (db_pool_connections{${S}})`, legend: '{{state}}' }],
    },
    {
      type: 'lines',
      title: 'Uses of keys',
      description:
        'Requests a second that were let in with each key, by its id. An old key that is still used is not revoked.',
      unit: 'reqps',
      width: 8,
      queries: [
        {
          expr: `sum by (keyring, kid) (rate(devshelf_keyring_requests_total{${S}}${RATE}))`,
          legend: '{{keyring}} {{kid}}',
        },
      ],
    },
    ...more,
  ],
});

export const keyAges = (kind: string): PanelSpec => ({
  type: 'table',
  title: 'Age of keys',
  description: 'Since each was made. A rotation is asked for with an annotation, or by spec.keys.',
  unit: 's',
  width: 8,
  columns: { key: 'Key' },
  value: 'Age',
  query: { expr: `time() - ${keysMade(resourceOf(kind))}` },
});
