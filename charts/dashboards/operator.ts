import type { DashboardSpec, Lines, Row } from './panels.ts';
import { conditionsTold, decisionMarks, decisionsTold, keysMade, notTrue, RATE, told } from './service.ts';

/** Of every resource in the chosen namespaces. */
const R = 'resource_namespace=~"$namespace"';
/** Of the operator's processes, whatever its scrape job is called. */
const OWN = 'and on (instance, job) devshelf_operator_build_info';
const quantile = (q: number, metric: string, window: string, by = '') =>
  `histogram_quantile(${q}, sum by (le${by}) (rate(${metric}_bucket${window})))`;

const lines = (
  title: string,
  description: string,
  unit: string,
  width: number,
  expr: string,
  legend: string,
  more: Partial<Lines> = {},
): Lines => ({
  type: 'lines',
  title,
  description,
  unit,
  width,
  queries: [{ expr, legend }],
  ...more,
});

const now: Row = {
  title: 'Now',
  panels: [
    {
      type: 'stat',
      title: 'Leads',
      description: 'Processes that say that they lead. It has to be 1.',
      unit: 'short',
      width: 3,
      plain: true,
      thresholds: [
        { value: null, color: 'red' },
        { value: 1, color: 'green' },
        { value: 2, color: 'red' },
      ],
      query: { expr: 'sum(devshelf_operator_leader)' },
    },
    {
      type: 'stat',
      title: 'Version',
      description: 'Of the operator.',
      unit: 'none',
      width: 3,
      shows: 'name',
      query: { expr: 'topk(1, count by (version) (devshelf_operator_build_info))', legend: '{{version}}' },
    },
    {
      type: 'stat',
      title: 'Resources',
      description: 'That it looks after, in the chosen namespaces.',
      unit: 'short',
      width: 3,
      query: { expr: `count(${told('devshelf_resource_info', R)})` },
    },
    {
      type: 'stat',
      title: 'Not ready',
      description: 'Resources whose condition Ready is not True: a release is on its way, or something is wrong.',
      unit: 'short',
      width: 3,
      thresholds: [
        { value: null, color: 'green' },
        { value: 1, color: 'yellow' },
      ],
      query: {
        expr: `count(${conditionsTold(`${R},type="Ready",status!="True"`)}) or vector(0)`,
      },
    },
    {
      type: 'stat',
      title: 'Wait for a person',
      description: 'Resources that are Stalled.',
      unit: 'short',
      width: 3,
      thresholds: [
        { value: null, color: 'green' },
        { value: 1, color: 'red' },
      ],
      query: { expr: `count(${conditionsTold(`${R},type="Stalled"`)}) or vector(0)` },
    },
    {
      type: 'stat',
      title: 'Taken back',
      description: 'Releases, in the chosen time.',
      unit: 'short',
      width: 3,
      decimals: 0,
      plain: true,
      query: { expr: 'sum(increase(devshelf_operator_rollbacks_total[$__range])) or vector(0)' },
    },
    {
      type: 'stat',
      title: 'API server heard',
      description: 'Age of the quietest watch. Above 90 s it is out of reach.',
      unit: 's',
      width: 3,
      thresholds: [
        { value: null, color: 'green' },
        { value: 90, color: 'red' },
      ],
      query: { expr: 'max(devshelf_operator_watch_age_seconds)' },
    },
    {
      type: 'stat',
      title: 'Wait for a pass, p99',
      description: 'From being due to the beginning of the pass.',
      unit: 's',
      width: 3,
      thresholds: [
        { value: null, color: 'green' },
        { value: 5, color: 'red' },
      ],
      query: { expr: quantile(0.99, 'devshelf_operator_queue_seconds', RATE) },
    },
  ],
};

const resources: Row = {
  title: 'Resources',
  panels: [
    lines(
      'Resources by phase',
      'The stage that is under way; Released: none.',
      'short',
      12,
      `count by (phase) (${told('devshelf_resource_info', R, 'phase')})`,
      '{{phase}}',
      { stacked: true },
    ),
    lines(
      'Conditions that are not True, by reason',
      'How many resources have each. docs/reasons.md has a section for each.',
      'short',
      12,
      `count by (reason) (${conditionsTold(`${R},type!="Stalled",status!="True"`)})`,
      '{{reason}}',
    ),
    {
      type: 'table',
      title: 'Not as it should be',
      description: 'Every condition that is not True (Stalled: that is), and for how long.',
      unit: 's',
      width: 24,
      columns: {
        resource_namespace: 'Namespace',
        resource: 'Resource',
        kind: 'Kind',
        type: 'Condition',
        status: 'Status',
        reason: 'Reason',
      },
      value: 'For',
      query: { expr: notTrue(R) },
    },
  ],
};

const releases: Row = {
  title: 'Releases',
  panels: [
    lines(
      'Verdicts',
      'On releases, in each hour, counted when they change.',
      'short',
      8,
      'sum by (verdict) (increase(devshelf_operator_verdicts_total[1h]))',
      '{{verdict}}',
      {
        colors: {
          Good: 'green',
          Bad: 'red',
          Pending: 'blue',
          DependencyDegraded: 'purple',
          Overloaded: 'purple',
          Insufficient: 'yellow',
          Blind: 'orange',
        },
      },
    ),
    lines(
      'Releases taken back',
      'In each hour, by reason.',
      'short',
      8,
      'sum by (reason) (increase(devshelf_operator_rollbacks_total[1h]))',
      '{{reason}}',
    ),
    {
      type: 'lines',
      title: 'Seconds to a rollback, median of 30 days',
      description:
        'Detection: from the first 5xx read to the decision. Actuation: from there until none of its pods serves.',
      unit: 's',
      width: 8,
      queries: ['detection', 'actuation'].map(legend => ({
        expr: quantile(0.5, `devshelf_operator_rollback_${legend}_seconds`, '[30d]'),
        legend,
      })),
    },
    {
      type: 'table',
      title: 'Decisions of the last day',
      description: 'The last of each and of each resource, and how long ago.',
      unit: 's',
      width: 24,
      columns: {
        resource_namespace: 'Namespace',
        resource: 'Resource',
        decision: 'Decision',
        version: 'Version',
        reason: 'Reason',
      },
      value: 'Ago',
      query: { expr: `sort(time() - ${decisionsTold(R)})` },
    },
    lines(
      'Readings of pods',
      'A second, by how urgent their trial is; about 100 at most.',
      'reqps',
      12,
      `sum by (standing) (rate(devshelf_operator_readings_total${RATE}))`,
      '{{standing}}',
    ),
    lines(
      'Readings wait longer by',
      'So many times longer than wanted. Above 1 there are more trials than the readings suffice for.',
      'short',
      12,
      'max by (standing) (devshelf_operator_reading_stretch)',
      '{{standing}}',
    ),
  ],
};

const keys: Row = {
  title: 'Keys',
  panels: [
    lines(
      'Keys replaced',
      'In each day, counted when every pod refuses the old one.',
      'short',
      8,
      'sum by (key) (increase(devshelf_operator_key_rotations_total[1d]))',
      '{{key}}',
    ),
    lines(
      'Rotations held',
      'Resources of which a key cannot be replaced: condition KeysCurrent says why.',
      'short',
      8,
      'sum(devshelf_operator_key_rotations_held)',
      'held',
      { colors: { held: 'red' } },
    ),
    {
      type: 'table',
      title: 'Oldest keys',
      description: 'Since they were made.',
      unit: 's',
      width: 8,
      columns: { resource_namespace: 'Namespace', resource: 'Resource', key: 'Key' },
      value: 'Age',
      query: {
        expr: `sort_desc(topk(20, time() - ${keysMade(R)}))`,
      },
    },
  ],
};

const itself: Row = {
  title: 'The operator itself',
  panels: [
    lines(
      'Passes',
      'A second. Failed ones are tried again.',
      'ops',
      8,
      `sum by (kind, outcome) (rate(devshelf_operator_reconcile_seconds_count${RATE}))`,
      '{{kind}} {{outcome}}',
    ),
    lines(
      'Duration of a pass, p95',
      'By kind.',
      's',
      8,
      quantile(0.95, 'devshelf_operator_reconcile_seconds', RATE, ', kind'),
      '{{kind}}',
    ),
    lines('Queue', 'Resources that wait for a pass.', 'short', 8, 'sum(devshelf_operator_queue_depth)', 'waiting'),
    lines(
      'Requests to the API server',
      'A second. Settled resources cost no write: what stays are the lease and watches that begin anew.',
      'reqps',
      8,
      `sum by (verb) (rate(devshelf_operator_api_calls_total${RATE}))`,
      '{{verb}}',
    ),
    lines(
      'Requests that failed',
      'A second, by status. 0: no answer. 409 is asked again.',
      'reqps',
      8,
      `sum by (status, resource) (rate(devshelf_operator_api_calls_total{status!~"[23].."}${RATE}))`,
      '{{resource}} {{status}}',
    ),
    lines(
      'Answers of the API server, p99',
      'Of a watch: until it is open.',
      's',
      8,
      quantile(0.99, 'devshelf_operator_api_call_seconds', RATE, ', verb'),
      '{{verb}}',
    ),
    lines(
      'Watches, last heard',
      'By kind of object; above 90 s the API server is out of reach.',
      's',
      12,
      'max by (resource) (devshelf_operator_watch_age_seconds)',
      '{{resource}}',
    ),
    lines(
      'Memory',
      'Resident; grows with the number of resources.',
      'bytes',
      4,
      `process_resident_memory_bytes ${OWN}`,
      '{{instance}}',
    ),
    lines(
      'CPU',
      'Seconds of CPU a second.',
      'short',
      4,
      `rate(process_cpu_seconds_total${RATE}) ${OWN}`,
      '{{instance}}',
    ),
    lines(
      'Event loop, p99',
      'How late the process comes to its work. Above 1 s its lease is in danger.',
      's',
      4,
      `nodejs_eventloop_lag_p99_seconds ${OWN}`,
      '{{instance}}',
    ),
  ],
};

export const operator: DashboardSpec = {
  uid: 'devshelf-operator',
  title: 'DevShelf / Operator',
  description: 'All resources, their releases and keys, and the operator itself.',
  variables: [
    {
      name: 'namespace',
      label: 'Namespace',
      query: 'label_values(devshelf_resource_info, resource_namespace)',
      all: true,
    },
  ],
  marks: decisionMarks(R, '{{resource}}: {{decision}} {{version}}'),
  rows: [now, resources, releases, keys, itself],
};
