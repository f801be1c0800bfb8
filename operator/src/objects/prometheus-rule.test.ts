// The whole object, once for each kind: what Prometheus is told of a resource, letter by letter.
import { expect, test } from '@jest/globals';
import { prometheusRule } from './prometheus-rule.ts';
import { dashboard, dashboardMeta, devshelf } from './testing.ts';

test('of a DevShelf with a worker, an objective for latency, a label that Prometheus wants and the address of the docs', () => {
  const objective = { latencySeconds: '0.5' };
  const app = devshelf({ monitoring: { objective, labels: { release: 'prometheus' } } });
  expect(prometheusRule(app, 'https://git.example/docs')).toEqual({
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: {
      name: 'devshelf',
      namespace: 'shop',
      labels: {
        release: 'prometheus',
        'app.kubernetes.io/name': 'devshelf',
        'app.kubernetes.io/instance': 'devshelf',
        'app.kubernetes.io/managed-by': 'devshelf-operator',
      },
      ownerReferences: [
        {
          apiVersion: 'apps.devshelf.dev/v1alpha1',
          kind: 'DevShelfDeployment',
          name: 'devshelf',
          uid: 'uid-of-devshelf',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: {
      groups: [
        {
          name: 'shop.devshelf.recorded',
          interval: '30s',
          rules: [
            {
              record: 'devshelf:http_requests:rate5m',
              expr: 'sum by (namespace, service) (rate(http_responses_total{namespace="shop",service="devshelf"}[5m]))',
            },
            {
              record: 'devshelf:http_errors:rate5m',
              expr: 'sum by (namespace, service) (rate(http_responses_total{namespace="shop",service="devshelf",class="5xx"}[5m]))',
            },
            {
              record: 'devshelf:http_error_ratio:5m',
              expr: 'sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="devshelf"}[5m]) / (sum_over_time(devshelf:http_requests:rate5m{namespace="shop",service="devshelf"}[5m]) > 0)',
            },
            {
              record: 'devshelf:http_error_ratio:30m',
              expr: 'sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="devshelf"}[30m]) / (sum_over_time(devshelf:http_requests:rate5m{namespace="shop",service="devshelf"}[30m]) > 0)',
            },
            {
              record: 'devshelf:http_error_ratio:1h',
              expr: 'sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="devshelf"}[1h]) / (sum_over_time(devshelf:http_requests:rate5m{namespace="shop",service="devshelf"}[1h]) > 0)',
            },
            {
              record: 'devshelf:http_error_ratio:2h',
              expr: 'sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="devshelf"}[2h]) / (sum_over_time(devshelf:http_requests:rate5m{namespace="shop",service="devshelf"}[2h]) > 0)',
            },
            {
              record: 'devshelf:http_error_ratio:6h',
              expr: 'sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="devshelf"}[6h]) / (sum_over_time(devshelf:http_requests:rate5m{namespace="shop",service="devshelf"}[6h]) > 0)',
            },
            {
              record: 'devshelf:http_error_ratio:1d',
              expr: 'sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="devshelf"}[1d]) / (sum_over_time(devshelf:http_requests:rate5m{namespace="shop",service="devshelf"}[1d]) > 0)',
            },
            {
              record: 'devshelf:http_error_ratio:3d',
              expr: 'sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="devshelf"}[3d]) / (sum_over_time(devshelf:http_requests:rate5m{namespace="shop",service="devshelf"}[3d]) > 0)',
            },
          ],
        },
        {
          name: 'shop.devshelf.alerts',
          interval: '30s',
          rules: [
            {
              alert: 'ServiceErrorBudgetBurn',
              expr: 'devshelf:http_error_ratio:1h{namespace="shop",service="devshelf"} > 0.072 and devshelf:http_error_ratio:5m{namespace="shop",service="devshelf"} > 0.072 and sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="devshelf"}[1h]) * 30 >= 10',
              for: '2m',
              labels: { severity: 'critical', long: '1h', short: '5m' },
              annotations: {
                summary:
                  '{{ $labels.namespace }}/{{ $labels.service }}: {{ $value | humanizePercentage }} of the answers of 1h are 5xx, 14.4 times what the objective allows',
                runbook_url: 'https://git.example/docs/runbook.md#serviceerrorbudgetburn',
              },
            },
            {
              alert: 'ServiceErrorBudgetBurn',
              expr: 'devshelf:http_error_ratio:6h{namespace="shop",service="devshelf"} > 0.03 and devshelf:http_error_ratio:30m{namespace="shop",service="devshelf"} > 0.03 and sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="devshelf"}[6h]) * 30 >= 10',
              for: '15m',
              labels: { severity: 'critical', long: '6h', short: '30m' },
              annotations: {
                summary:
                  '{{ $labels.namespace }}/{{ $labels.service }}: {{ $value | humanizePercentage }} of the answers of 6h are 5xx, 6 times what the objective allows',
                runbook_url: 'https://git.example/docs/runbook.md#serviceerrorbudgetburn',
              },
            },
            {
              alert: 'ServiceErrorBudgetBurn',
              expr: 'devshelf:http_error_ratio:1d{namespace="shop",service="devshelf"} > 0.015 and devshelf:http_error_ratio:2h{namespace="shop",service="devshelf"} > 0.015 and sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="devshelf"}[1d]) * 30 >= 10',
              for: '1h',
              labels: { severity: 'warning', long: '1d', short: '2h' },
              annotations: {
                summary:
                  '{{ $labels.namespace }}/{{ $labels.service }}: {{ $value | humanizePercentage }} of the answers of 1d are 5xx, 3 times what the objective allows',
                runbook_url: 'https://git.example/docs/runbook.md#serviceerrorbudgetburn',
              },
            },
            {
              alert: 'ServiceErrorBudgetBurn',
              expr: 'devshelf:http_error_ratio:3d{namespace="shop",service="devshelf"} > 0.005 and devshelf:http_error_ratio:6h{namespace="shop",service="devshelf"} > 0.005 and sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="devshelf"}[3d]) * 30 >= 10',
              for: '3h',
              labels: { severity: 'warning', long: '3d', short: '6h' },
              annotations: {
                summary:
                  '{{ $labels.namespace }}/{{ $labels.service }}: {{ $value | humanizePercentage }} of the answers of 3d are 5xx, more than what the objective allows',
                runbook_url: 'https://git.example/docs/runbook.md#serviceerrorbudgetburn',
              },
            },
            {
              alert: 'ServiceErrorsAtLowTraffic',
              expr: 'devshelf:http_error_ratio:1h{namespace="shop",service="devshelf"} > 0.5 and sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="devshelf"}[1h]) * 30 >= 2.5 and sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="devshelf"}[1h]) * 30 < 10',
              for: '10m',
              labels: { severity: 'warning' },
              annotations: {
                summary:
                  '{{ $labels.namespace }}/{{ $labels.service }}: more than half of the few answers of the last hour are 5xx',
                runbook_url: 'https://git.example/docs/runbook.md#serviceerrorsatlowtraffic',
              },
            },
            {
              alert: 'ServiceSlow',
              expr: 'histogram_quantile(0.95, sum by (namespace, service, le) (rate(http_request_duration_seconds_bucket{namespace="shop",service="devshelf",route!~"/health|/live|/ready|/metrics|/recent-requests"}[10m]))) > 0.5 and sum by (namespace, service) (increase(http_request_duration_seconds_count{namespace="shop",service="devshelf",route!~"/health|/live|/ready|/metrics|/recent-requests"}[10m])) >= 100',
              for: '15m',
              labels: { severity: 'warning' },
              annotations: {
                summary:
                  '{{ $labels.namespace }}/{{ $labels.service }}: one request in twenty takes longer than {{ $value | humanizeDuration }}, the objective is 0.5 s',
                runbook_url: 'https://git.example/docs/runbook.md#serviceslow',
              },
            },
            {
              alert: 'ServiceNotScraped',
              expr: 'absent(up{namespace="shop",service="devshelf"}) or max by (namespace, service) (up{namespace="shop",service="devshelf"}) == 0',
              for: '10m',
              labels: { severity: 'warning' },
              annotations: {
                summary: '{{ $labels.namespace }}/{{ $labels.service }}: Prometheus reads none of its pods',
                runbook_url: 'https://git.example/docs/runbook.md#servicenotscraped',
              },
            },
            {
              alert: 'ServiceRestarts',
              expr: 'changes(process_start_time_seconds{namespace="shop",service="devshelf"}[30m]) > 3',
              labels: { severity: 'warning' },
              annotations: {
                summary:
                  '{{ $labels.namespace }}/{{ $labels.service }}: pod {{ $labels.pod }} began {{ $value }} times in half an hour',
                runbook_url: 'https://git.example/docs/runbook.md#servicerestarts',
              },
            },
            {
              alert: 'QueueStuck',
              expr: 'max by (namespace, service) (devshelf_queue_oldest_waiting_seconds{namespace="shop",service="devshelf-worker"}) > 300',
              for: '10m',
              labels: { severity: 'warning' },
              annotations: {
                summary:
                  '{{ $labels.namespace }}/{{ $labels.service }}: a job has waited for {{ $value | humanizeDuration }}',
                runbook_url: 'https://git.example/docs/runbook.md#queuestuck',
              },
            },
            {
              alert: 'JobsFail',
              expr: 'sum by (namespace, service) (increase(devshelf_jobs_total{namespace="shop",service="devshelf-worker",outcome="failed"}[30m])) / sum by (namespace, service) (increase(devshelf_jobs_total{namespace="shop",service="devshelf-worker"}[30m])) > 0.2 and sum by (namespace, service) (increase(devshelf_jobs_total{namespace="shop",service="devshelf-worker",outcome="failed"}[30m])) >= 10',
              for: '10m',
              labels: { severity: 'warning' },
              annotations: {
                summary:
                  '{{ $labels.namespace }}/{{ $labels.service }}: {{ $value | humanizePercentage }} of the jobs fail',
                runbook_url: 'https://git.example/docs/runbook.md#jobsfail',
              },
            },
          ],
        },
      ],
    },
  });
});

test('of a dashboard as it is by default', () => {
  expect(prometheusRule(dashboard())).toEqual({
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: dashboardMeta('dashboard'),
    spec: {
      groups: [
        {
          name: 'shop.dashboard.recorded',
          interval: '30s',
          rules: [
            {
              record: 'devshelf:http_requests:rate5m',
              expr: 'sum by (namespace, service) (sum by (namespace, service, pod, instance) (rate(http_responses_total{namespace="shop",service="dashboard"}[5m])) or sum by (namespace, service, pod, instance) (rate(dashboard_requests_total{namespace="shop",service="dashboard"}[5m])))',
            },
            {
              record: 'devshelf:http_errors:rate5m',
              expr: 'sum by (namespace, service) (sum by (namespace, service, pod, instance) (rate(http_responses_total{namespace="shop",service="dashboard",class="5xx"}[5m])) or sum by (namespace, service, pod, instance) (rate(dashboard_errors_total{namespace="shop",service="dashboard"}[5m])))',
            },
            {
              record: 'devshelf:http_error_ratio:5m',
              expr: 'sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="dashboard"}[5m]) / (sum_over_time(devshelf:http_requests:rate5m{namespace="shop",service="dashboard"}[5m]) > 0)',
            },
            {
              record: 'devshelf:http_error_ratio:30m',
              expr: 'sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="dashboard"}[30m]) / (sum_over_time(devshelf:http_requests:rate5m{namespace="shop",service="dashboard"}[30m]) > 0)',
            },
            {
              record: 'devshelf:http_error_ratio:1h',
              expr: 'sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="dashboard"}[1h]) / (sum_over_time(devshelf:http_requests:rate5m{namespace="shop",service="dashboard"}[1h]) > 0)',
            },
            {
              record: 'devshelf:http_error_ratio:2h',
              expr: 'sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="dashboard"}[2h]) / (sum_over_time(devshelf:http_requests:rate5m{namespace="shop",service="dashboard"}[2h]) > 0)',
            },
            {
              record: 'devshelf:http_error_ratio:6h',
              expr: 'sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="dashboard"}[6h]) / (sum_over_time(devshelf:http_requests:rate5m{namespace="shop",service="dashboard"}[6h]) > 0)',
            },
            {
              record: 'devshelf:http_error_ratio:1d',
              expr: 'sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="dashboard"}[1d]) / (sum_over_time(devshelf:http_requests:rate5m{namespace="shop",service="dashboard"}[1d]) > 0)',
            },
            {
              record: 'devshelf:http_error_ratio:3d',
              expr: 'sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="dashboard"}[3d]) / (sum_over_time(devshelf:http_requests:rate5m{namespace="shop",service="dashboard"}[3d]) > 0)',
            },
          ],
        },
        {
          name: 'shop.dashboard.alerts',
          interval: '30s',
          rules: [
            {
              alert: 'ServiceErrorBudgetBurn',
              expr: 'devshelf:http_error_ratio:1h{namespace="shop",service="dashboard"} > 0.072 and devshelf:http_error_ratio:5m{namespace="shop",service="dashboard"} > 0.072 and sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="dashboard"}[1h]) * 30 >= 10',
              for: '2m',
              labels: { severity: 'critical', long: '1h', short: '5m' },
              annotations: {
                summary:
                  '{{ $labels.namespace }}/{{ $labels.service }}: {{ $value | humanizePercentage }} of the answers of 1h are 5xx, 14.4 times what the objective allows',
                runbook: 'docs/runbook.md#serviceerrorbudgetburn',
              },
            },
            {
              alert: 'ServiceErrorBudgetBurn',
              expr: 'devshelf:http_error_ratio:6h{namespace="shop",service="dashboard"} > 0.03 and devshelf:http_error_ratio:30m{namespace="shop",service="dashboard"} > 0.03 and sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="dashboard"}[6h]) * 30 >= 10',
              for: '15m',
              labels: { severity: 'critical', long: '6h', short: '30m' },
              annotations: {
                summary:
                  '{{ $labels.namespace }}/{{ $labels.service }}: {{ $value | humanizePercentage }} of the answers of 6h are 5xx, 6 times what the objective allows',
                runbook: 'docs/runbook.md#serviceerrorbudgetburn',
              },
            },
            {
              alert: 'ServiceErrorBudgetBurn',
              expr: 'devshelf:http_error_ratio:1d{namespace="shop",service="dashboard"} > 0.015 and devshelf:http_error_ratio:2h{namespace="shop",service="dashboard"} > 0.015 and sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="dashboard"}[1d]) * 30 >= 10',
              for: '1h',
              labels: { severity: 'warning', long: '1d', short: '2h' },
              annotations: {
                summary:
                  '{{ $labels.namespace }}/{{ $labels.service }}: {{ $value | humanizePercentage }} of the answers of 1d are 5xx, 3 times what the objective allows',
                runbook: 'docs/runbook.md#serviceerrorbudgetburn',
              },
            },
            {
              alert: 'ServiceErrorBudgetBurn',
              expr: 'devshelf:http_error_ratio:3d{namespace="shop",service="dashboard"} > 0.005 and devshelf:http_error_ratio:6h{namespace="shop",service="dashboard"} > 0.005 and sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="dashboard"}[3d]) * 30 >= 10',
              for: '3h',
              labels: { severity: 'warning', long: '3d', short: '6h' },
              annotations: {
                summary:
                  '{{ $labels.namespace }}/{{ $labels.service }}: {{ $value | humanizePercentage }} of the answers of 3d are 5xx, more than what the objective allows',
                runbook: 'docs/runbook.md#serviceerrorbudgetburn',
              },
            },
            {
              alert: 'ServiceErrorsAtLowTraffic',
              expr: 'devshelf:http_error_ratio:1h{namespace="shop",service="dashboard"} > 0.5 and sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="dashboard"}[1h]) * 30 >= 2.5 and sum_over_time(devshelf:http_errors:rate5m{namespace="shop",service="dashboard"}[1h]) * 30 < 10',
              for: '10m',
              labels: { severity: 'warning' },
              annotations: {
                summary:
                  '{{ $labels.namespace }}/{{ $labels.service }}: more than half of the few answers of the last hour are 5xx',
                runbook: 'docs/runbook.md#serviceerrorsatlowtraffic',
              },
            },
            {
              alert: 'ServiceNotScraped',
              expr: 'absent(up{namespace="shop",service="dashboard"}) or max by (namespace, service) (up{namespace="shop",service="dashboard"}) == 0',
              for: '10m',
              labels: { severity: 'warning' },
              annotations: {
                summary: '{{ $labels.namespace }}/{{ $labels.service }}: Prometheus reads none of its pods',
                runbook: 'docs/runbook.md#servicenotscraped',
              },
            },
            {
              alert: 'ServiceRestarts',
              expr: 'changes(process_start_time_seconds{namespace="shop",service="dashboard"}[30m]) > 3',
              labels: { severity: 'warning' },
              annotations: {
                summary:
                  '{{ $labels.namespace }}/{{ $labels.service }}: pod {{ $labels.pod }} began {{ $value }} times in half an hour',
                runbook: 'docs/runbook.md#servicerestarts',
              },
            },
          ],
        },
      ],
    },
  });
});

test('none where it is disabled', () => {
  expect(prometheusRule(dashboard({ monitoring: { prometheusRule: 'Disabled' } }))).toBeUndefined();
});
