// For each alert a situation in which it has to fire, and one close to it in which it must not. Time begins at 0, a
// value stands for each half minute, as Prometheus' own tests write it: `0+3x20` grows by 3, `5x20` stays.

type Series = Readonly<Record<string, string>>;

export interface AlertCase {
  readonly alert: string;
  /** Tells rules of one name apart. */
  readonly labels?: Readonly<Record<string, string>>;
  /** When it is looked at. */
  readonly at: string;
  readonly fires: Series;
  readonly silent: Series;
}

const S = 'namespace="shop",service="devshelf"';
const W = 'namespace="shop",service="devshelf-worker"';
const R = 'kind="DashboardDeployment",resource_namespace="shop",resource="dashboard"';

/** Each half minute so many answers, and of these so many errors. */
const answers = (all: number, errors: number, steps = 600): Series => ({
  [`http_responses_total{${S},class="2xx"}`]: `0+${all - errors}x${steps}`,
  [`http_responses_total{${S},class="5xx"}`]: `0+${errors}x${steps}`,
});

/** Pods begin, and then so many answers come, all of them in one half minute. */
const once = (good: number, errors: number): Series => ({
  [`http_responses_total{${S},class="2xx"}`]: `0 0 0 0 ${good}x60`,
  [`http_responses_total{${S},class="5xx"}`]: `0 0 0 0 ${errors}x60`,
});

const burn = (long: string, short: string, at: string, fires: Series, silent: Series): AlertCase => ({
  alert: 'ServiceErrorBudgetBurn',
  labels: { long, short },
  at,
  fires,
  silent,
});

const durations = (within: string): Series => ({
  [`http_request_duration_seconds_bucket{${S},route="/",le="0.5"}`]: within,
  [`http_request_duration_seconds_bucket{${S},route="/",le="1"}`]: '0+30x120',
  [`http_request_duration_seconds_bucket{${S},route="/",le="+Inf"}`]: '0+30x120',
  [`http_request_duration_seconds_count{${S},route="/"}`]: '0+30x120',
});

export const RESOURCE_CASES: readonly AlertCase[] = [
  burn('1h', '5m', '30m', answers(50, 5), answers(50, 3)),
  burn('6h', '30m', '1h', answers(100, 4), answers(100, 2)),
  burn('1d', '2h', '2h', answers(100, 2), answers(100, 1)),
  burn('3d', '6h', '4h', answers(100, 1), answers(1000, 4)),
  { alert: 'ServiceErrorsAtLowTraffic', at: '20m', fires: once(2, 7), silent: once(0, 2) },
  { alert: 'ServiceSlow', at: '40m', fires: durations('0+15x120'), silent: durations('0+30x120') },
  {
    alert: 'ServiceNotScraped',
    at: '15m',
    fires: { [`up{${S},pod="a"}`]: '0x60' },
    silent: { [`up{${S},pod="a"}`]: '0x60', [`up{${S},pod="b"}`]: '1x60' },
  },
  {
    alert: 'ServiceNotScraped',
    at: '15m',
    // first it does not answer, and then it is not found any more: one alert
    fires: { [`up{${S},pod="a"}`]: '0x12 stale' },
    silent: { [`up{${S},pod="a"}`]: '0x12 stale', [`up{${S},pod="b"}`]: '_x12 1x60' },
  },
  {
    alert: 'ServiceRestarts',
    at: '10m',
    fires: { [`process_start_time_seconds{${S},pod="a"}`]: '1 2 3 4 5x60' },
    silent: { [`process_start_time_seconds{${S},pod="a"}`]: '1 2 3 4x60' },
  },
  {
    alert: 'QueueStuck',
    at: '15m',
    fires: { [`devshelf_queue_oldest_waiting_seconds{${W}}`]: '400x60' },
    silent: { [`devshelf_queue_oldest_waiting_seconds{${W}}`]: '200x60' },
  },
  {
    alert: 'JobsFail',
    at: '45m',
    fires: {
      [`devshelf_jobs_total{${W},outcome="failed"}`]: '0+1x120',
      [`devshelf_jobs_total{${W},outcome="done"}`]: '0+2x120',
    },
    silent: {
      [`devshelf_jobs_total{${W},outcome="failed"}`]: '0+1x120',
      [`devshelf_jobs_total{${W},outcome="done"}`]: '0+9x120',
    },
  },
];

const condition = (type: string, status: string, reason: string, since = '0x240'): Series => ({
  [`devshelf_resource_condition_timestamp_seconds{${R},type="${type}",status="${status}",reason="${reason}"}`]: since,
});
const key = (event: string, when: string): Series => ({
  [`devshelf_resource_key_timestamp_seconds{${R},key="api",event="${event}"}`]: when,
});
const certificate = (until: string): Series => ({
  [`devshelf_resource_certificate_expiry_timestamp_seconds{${R},host="shop.example"}`]: until,
});
const decision = (when: string, made = 'rolled-back'): Series => ({
  [`devshelf_operator_decision_timestamp_seconds{${R},decision="${made}",version="2",release="x",reason="Regression"}`]:
    when,
});
/** Half a minute ago when it is looked at after ten minutes. */
const JUST_NOW = '570x60';

export const OPERATOR_CASES: readonly AlertCase[] = [
  {
    alert: 'ResourceUnavailable',
    at: '10m',
    fires: condition('Available', 'False', 'PodsUnavailable'),
    silent: condition('Available', 'False', 'NoRelease'),
  },
  {
    alert: 'ResourceUnavailable',
    at: '10m',
    fires: condition('Available', 'False', 'WorkerUnavailable'),
    silent: condition('Available', 'False', 'ScaledToZero'),
  },
  {
    alert: 'BadReleaseServes',
    at: '10m',
    fires: condition('AnalysisPassed', 'False', 'Held'),
    silent: condition('AnalysisPassed', 'False', 'Regression'),
  },
  {
    alert: 'BadReleaseServes',
    at: '10m',
    fires: condition('AnalysisPassed', 'False', 'RollbackFenced'),
    silent: condition('Migrated', 'False', 'BackupFailed'),
  },
  {
    alert: 'DependencyDown',
    at: '10m',
    fires: condition('Migrated', 'Unknown', 'DatabaseUnreachable'),
    // for an hour something was Unknown, and this is why since a minute ago
    silent: condition('Migrated', 'Unknown', 'DatabaseUnreachable', '_x19 0x60'),
  },
  {
    alert: 'ResourceStalled',
    at: '11m',
    fires: condition('Stalled', 'True', 'JobFailed'),
    silent: condition('Stalled', 'True', 'JobFailed', JUST_NOW),
  },
  { alert: 'ReleaseTakenBack', at: '10m', fires: decision('0x60'), silent: decision('-4000x60') },
  {
    alert: 'ReleaseTakenBack',
    at: '10m',
    fires: decision('0x60', 'rejected'),
    silent: decision('0x60', 'superseded'),
  },
  {
    alert: 'ReleaseNotJudged',
    at: '40m',
    fires: condition('AnalysisPassed', 'Unknown', 'Blind'),
    silent: condition('AnalysisPassed', 'Unknown', 'Analysing'),
  },
  {
    alert: 'MigrationWaits',
    at: '70m',
    fires: condition('Migrated', 'Unknown', 'MigrationPending'),
    silent: condition('Migrated', 'Unknown', 'Running', '4000x240'),
  },
  {
    alert: 'ContractWaits',
    at: '10m',
    fires: condition('Migrated', 'True', 'ContractWithheld', '-605000x60'),
    silent: condition('Migrated', 'True', 'ContractWithheld', '-604000x60'),
  },
  {
    alert: 'RotationHeld',
    at: '20m',
    fires: condition('KeysCurrent', 'False', 'RotationHeld'),
    silent: condition('KeysCurrent', 'Unknown', 'KeysRotating'),
  },
  { alert: 'KeyOverdue', at: '10m', fires: key('due', '-90000x60'), silent: key('due', '-80000x60') },
  {
    alert: 'KeyOld',
    at: '10m',
    fires: key('made', '-5200000x60'),
    silent: { ...key('made', '-5200000x60'), ...key('due', '90000x60') },
  },
  {
    alert: 'NotExposed',
    at: '20m',
    fires: condition('Exposed', 'Unknown', 'RouteUnanswered'),
    silent: {
      ...condition('Exposed', 'False', 'CertificateExpires'),
      ...condition('Exposed', 'False', 'RouteRejected', '1000x60'),
    },
  },
  { alert: 'CertificateExpires', at: '10m', fires: certificate('1210000x60'), silent: certificate('1210300x60') },
  { alert: 'CertificateEnds', at: '10m', fires: certificate('173000x60'), silent: certificate('173500x60') },
  {
    alert: 'AutoscalerBroken',
    at: '20m',
    fires: condition('AutoscalingActive', 'False', 'AutoscalerNotReady'),
    silent: condition('AutoscalingActive', 'False', 'AutoscalerNotReady', '1000x60'),
  },
  {
    alert: 'AutoscalerBroken',
    at: '20m',
    fires: condition('AutoscalingActive', 'Unknown', 'AutoscalerChanging'),
    silent: condition('AutoscalingActive', 'Unknown', 'AutoscalerChanging', '1000x60'),
  },
  {
    alert: 'OperatorDown',
    at: '10m',
    fires: { 'devshelf_operator_leader{pod="a"}': '0x60' },
    silent: { 'devshelf_operator_leader{pod="a"}': '0x60', 'devshelf_operator_leader{pod="b"}': '1x60' },
  },
  {
    alert: 'OperatorTwoLeaders',
    at: '10m',
    fires: { 'devshelf_operator_leader{pod="a"}': '1x60', 'devshelf_operator_leader{pod="b"}': '1x60' },
    silent: { 'devshelf_operator_leader{pod="a"}': '0x60', 'devshelf_operator_leader{pod="b"}': '1x60' },
  },
  {
    alert: 'OperatorDeaf',
    at: '10m',
    fires: { 'devshelf_operator_watch_age_seconds{resource="pods"}': '200x60' },
    silent: { 'devshelf_operator_watch_age_seconds{resource="pods"}': '100x60' },
  },
  {
    alert: 'OperatorSlow',
    at: '30m',
    fires: {
      'devshelf_operator_queue_seconds_bucket{le="5"}': '0+1x120',
      'devshelf_operator_queue_seconds_bucket{le="10"}': '0+9x120',
      'devshelf_operator_queue_seconds_bucket{le="+Inf"}': '0+9x120',
    },
    silent: {
      'devshelf_operator_queue_seconds_bucket{le="5"}': '0+9x120',
      'devshelf_operator_queue_seconds_bucket{le="10"}': '0+9x120',
      'devshelf_operator_queue_seconds_bucket{le="+Inf"}': '0+9x120',
    },
  },
  {
    alert: 'OperatorPassesFail',
    at: '30m',
    fires: {
      'devshelf_operator_reconcile_seconds_count{outcome="failed"}': '0+2x120',
      'devshelf_operator_reconcile_seconds_count{outcome="done"}': '0+8x120',
    },
    silent: {
      'devshelf_operator_reconcile_seconds_count{outcome="failed"}': '0+1x120',
      'devshelf_operator_reconcile_seconds_count{outcome="done"}': '0+20x120',
    },
  },
];
