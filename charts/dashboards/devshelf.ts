import { countOf, type DashboardSpec, type Row } from './panels.ts';
import {
  decisionMarks,
  keyAges,
  now,
  processOf,
  RATE,
  releases,
  resourceOf,
  S,
  serviceVariables,
  traffic,
  W,
} from './service.ts';

const KIND = 'DevShelfDeployment';

const accounts: Row = {
  title: 'Accounts and limits',
  panels: [
    {
      type: 'lines',
      title: 'Logins',
      description: 'A second. Many refused ones: somebody tries passwords, or a client keeps an old one.',
      unit: 'reqps',
      width: 6,
      colors: { granted: 'green', refused: 'red' },
      queries: [{ expr: `sum by (outcome) (rate(devshelf_logins_total{${S}}${RATE}))`, legend: '{{outcome}}' }],
    },
    {
      type: 'lines',
      title: 'Refreshed tokens',
      description: 'A second. Reused: a spent one came back, and its session was ended.',
      unit: 'reqps',
      width: 6,
      colors: { rotated: 'green', refused: 'yellow', reused: 'red' },
      queries: [{ expr: `sum by (outcome) (rate(devshelf_refreshes_total{${S}}${RATE}))`, legend: '{{outcome}}' }],
    },
    {
      type: 'lines',
      title: 'Rate limits',
      description: 'Answers 429 a second, by route and reason.',
      unit: 'reqps',
      width: 6,
      queries: [
        {
          expr: `sum by (route, reason) (rate(devshelf_rate_limited_total{${S}}${RATE}))`,
          legend: '{{route}} {{reason}}',
        },
      ],
    },
    {
      type: 'lines',
      title: 'Passwords being hashed',
      description: 'Of all pods. Waiting ones: logins are slow because the CPU is.',
      unit: 'short',
      width: 6,
      colors: { running: 'blue', waiting: 'red' },
      queries: [{ expr: `sum by (state) (devshelf_password_hashes{${S}})`, legend: '{{state}}' }],
    },
  ],
};

const queue: Row = {
  title: 'Queue and workers',
  panels: [
    {
      type: 'stat',
      title: 'Oldest job',
      description: 'How long it has waited. Above 300 s for ten minutes there is an alert.',
      unit: 's',
      width: 4,
      thresholds: [
        { value: null, color: 'green' },
        { value: 60, color: 'yellow' },
        { value: 300, color: 'red' },
      ],
      query: { expr: `max(devshelf_queue_oldest_waiting_seconds{${W}})` },
    },
    {
      type: 'stat',
      title: 'Failed for good',
      description: 'Jobs that lie in the queue as failed.',
      unit: 'short',
      width: 4,
      thresholds: [
        { value: null, color: 'green' },
        { value: 1, color: 'yellow' },
      ],
      query: { expr: `max(devshelf_queue_jobs{${W},state="failed"})` },
    },
    countOf(
      'Jobs taken over',
      'In the chosen time, from workers that were not heard of any more.',
      `devshelf_jobs_stalled_total{${W}}`,
    ),
    {
      type: 'stat',
      title: 'Workers read',
      description: 'Workers that this Prometheus reads. 0: does it select the PodMonitor?',
      unit: 'short',
      width: 4,
      plain: true,
      thresholds: [
        { value: null, color: 'red' },
        { value: 1, color: 'green' },
      ],
      query: { expr: `sum(up{${W}})` },
    },
    countOf('Mails not sent', 'In the chosen time.', `devshelf_mails_total{${S},outcome="failed"}`, { isFault: true }),
    countOf(
      'Jobs lost',
      'In the chosen time: Redis did not take them. What they would have checked is checked by the next sweep.',
      `devshelf_jobs_enqueued_total{${S},outcome="lost"}`,
      { isFault: true },
    ),
    {
      type: 'lines',
      title: 'Jobs in the queue',
      description: 'Each worker reads the same number, so the highest is drawn.',
      unit: 'short',
      width: 8,
      colors: { waiting: 'yellow', active: 'blue', delayed: 'purple', failed: 'red' },
      queries: [{ expr: `max by (state) (devshelf_queue_jobs{${W}})`, legend: '{{state}}' }],
    },
    {
      type: 'lines',
      title: 'Attempts at jobs',
      description: 'A second, by what became of them.',
      unit: 'ops',
      width: 8,
      colors: { done: 'green', retried: 'yellow', failed: 'red' },
      queries: [{ expr: `sum by (outcome) (rate(devshelf_jobs_total{${W}}${RATE}))`, legend: '{{outcome}}' }],
    },
    {
      type: 'lines',
      title: 'Duration of jobs, p95',
      description: 'Of one attempt, by the kind of job; `job` itself is Prometheus’ word for where it reads.',
      unit: 's',
      width: 8,
      queries: [
        {
          expr: `histogram_quantile(0.95, sum by (le, exported_job) (rate(devshelf_job_duration_seconds_bucket{${W}}${RATE})))`,
          legend: '{{exported_job}}',
        },
      ],
    },
  ],
};

export const devshelf: DashboardSpec = {
  uid: 'devshelf-api',
  title: 'DevShelf / API',
  description:
    'One DevShelfDeployment: requests, errors, latency by route, uptime, releases, accounts, queue and pods.',
  variables: serviceVariables(KIND),
  marks: decisionMarks(resourceOf(KIND), '{{decision}} {{version}}'),
  rows: [now(KIND), traffic, releases(KIND), queue, accounts, processOf([keyAges(KIND)])],
};
