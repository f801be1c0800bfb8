// What is alerted about every resource and about the operator itself, from the operator's own series. One rule for all:
// an age is the time since a condition changed, so it needs no `for` and survives restarts of whoever evaluates it.
//
// What is said of a resource is the operator's word, whichever of its pods said it: a new pod begins no alert anew. So
// alerts about resources read recordings, without what belongs to a pod. Where nobody says anything of a resource, as
// the one that led has gone and the next one has not come to it yet, its last word stands: what a recording was half a
// minute ago it stays, for as long as OperatorDown waits. What ended before that, or ends while somebody tells, is not
// carried on, as it would be with `last_over_time`; nor is what ended kept for a while, as with `keep_firing_for`.
import type { Alert, Recording } from './alert.ts';

/** As if the resource itself had been read, and not the operator: routes and inhibitions by namespace and service hold. */
const OF_RESOURCE = { namespace: '{{ $labels.resource_namespace }}', service: '{{ $labels.resource }}' } as const;
const WHICH = '{{ $labels.kind }} {{ $labels.resource_namespace }}/{{ $labels.resource }}';
const REASON_PAGE = 'reasons.md#{{ $labels.reason | toLower }}';
const DAY = 86_400;

/** As OperatorDown does. */
const SILENCE = '5m';
const RESOURCE = ['kind', 'resource_namespace', 'resource'] as const;

const CONDITION = 'devshelf_resource_condition_timestamp_seconds';
const DECISION = 'devshelf_operator_decision_timestamp_seconds';
const KEY = 'devshelf_resource_key_timestamp_seconds';
const CERTIFICATE = 'devshelf_resource_certificate_expiry_timestamp_seconds';

const told = (series: string): string => `${series.replace('_', ':')}:told`;

/** @param labels besides those of the resource; what else a series has is of the operator's pod, or of who reads it */
function toldOf(series: string, labels: readonly string[], selected = series): Recording {
  const resource = RESOURCE.join(', ');
  const said = `max by (${[...RESOURCE, ...labels].join(', ')}) (${selected})`;
  const isUntold = `unless on (${resource}) devshelf_resource_info`;
  const wasTold = `and on (${resource}) last_over_time(devshelf_resource_info[${SILENCE}])`;
  return { record: told(series), expr: `${said} or (${told(series)} ${isUntold} ${wasTold})` };
}

/** Two pods that say the same but for the time: the later one knows more. Of conditions, those that alerts look at. */
export const OPERATOR_RECORDINGS: readonly Recording[] = [
  toldOf(
    CONDITION,
    ['type', 'status', 'reason'],
    `${CONDITION}{type!~"Ready|Available"} or ${CONDITION}{type="Available",status!="True"}`,
  ),
  toldOf(DECISION, ['decision', 'version', 'release', 'reason']),
  toldOf(KEY, ['key', 'event']),
  toldOf(CERTIFICATE, ['host']),
];

// An installation is known by the namespace in which Prometheus finds its pods. One that has gone tells nothing any more,
// and nobody else tells of it: what was there within a day is remembered. After a day it is taken for removed.
const LEADS = 'devshelf_operator_leader == 1';
const INSTALLED = 'max by (namespace) (max_over_time(devshelf_operator_leader[1d]))';
const WHERE = '{{ with $labels.namespace }} in {{ . }}{{ end }}';
const passes = (labels: string): string =>
  `sum by (namespace) (rate(devshelf_operator_reconcile_seconds_count${labels}[10m]))`;

const conditionAge = (labels: string): string => `time() - ${told(CONDITION)}{${labels}}`;

export const OPERATOR_ALERTS: readonly Alert[] = [
  {
    alert: 'ResourceUnavailable',
    expr: `${conditionAge('type="Available",status="False",reason!~"NoRelease|ScaledToZero"')} > 60`,
    for: '1m',
    severity: 'critical',
    summary: `${WHICH} serves nobody: {{ $labels.reason }}`,
    page: REASON_PAGE,
    labels: OF_RESOURCE,
  },
  {
    alert: 'BadReleaseServes',
    expr: `${conditionAge('type="AnalysisPassed",status="False",reason=~"Held|FirstReleaseFailed|RollbackFenced"')} > 0`,
    severity: 'critical',
    summary: `${WHICH}: a bad release serves, and a person has to decide: {{ $labels.reason }}`,
    page: REASON_PAGE,
    labels: OF_RESOURCE,
  },
  {
    alert: 'DependencyDown',
    // a condition keeps its age when its reason changes: what counts is how long this one is said
    expr: `${conditionAge('type=~"AnalysisPassed|Migrated",reason=~"DependencyDegraded|DatabaseUnreachable"')} > 0`,
    for: '5m',
    severity: 'critical',
    summary: `${WHICH}: its database or another dependency does not work: {{ $labels.reason }}`,
    page: REASON_PAGE,
    labels: OF_RESOURCE,
  },
  {
    alert: 'ResourceStalled',
    expr: `${conditionAge('type="Stalled"')} > 600`,
    severity: 'warning',
    summary: `${WHICH} waits for a person: {{ $labels.reason }}`,
    page: REASON_PAGE,
    labels: OF_RESOURCE,
  },
  {
    alert: 'ReleaseTakenBack',
    expr: `time() - ${told(DECISION)}{decision=~"rejected|rolled-back"} < 3600`,
    severity: 'warning',
    summary: `${WHICH}: release {{ $labels.version }} was refused or taken back: {{ $labels.reason }}`,
    page: 'reasons.md#releaserejected',
    labels: OF_RESOURCE,
  },
  {
    alert: 'ReleaseNotJudged',
    expr: `${conditionAge('reason=~"Blind|InsufficientTraffic",type="AnalysisPassed"')} > 1800`,
    severity: 'warning',
    summary: `${WHICH}: its release cannot be judged: {{ $labels.reason }}`,
    page: REASON_PAGE,
    labels: OF_RESOURCE,
  },
  {
    alert: 'MigrationWaits',
    expr: `${conditionAge('type="Migrated",status!="True"')} > 3600`,
    severity: 'warning',
    summary: `${WHICH}: its migration does not go on: {{ $labels.reason }}`,
    page: REASON_PAGE,
    labels: OF_RESOURCE,
  },
  {
    alert: 'ContractWaits',
    expr: `${conditionAge('type="Migrated",status="True",reason="ContractWithheld"')} > ${7 * DAY}`,
    severity: 'info',
    summary: `${WHICH}: what is to be taken out of its schema has waited {{ $value | humanizeDuration }} for somebody to agree`,
    page: REASON_PAGE,
    labels: OF_RESOURCE,
  },
  {
    alert: 'RotationHeld',
    expr: `${conditionAge('type="KeysCurrent",status="False"')} > 900`,
    severity: 'warning',
    summary: `${WHICH}: a key cannot be replaced: {{ $labels.reason }}`,
    page: REASON_PAGE,
    labels: OF_RESOURCE,
  },
  {
    alert: 'KeyOverdue',
    expr: `time() - ${told(KEY)}{event="due"} > ${DAY}`,
    severity: 'warning',
    summary: `${WHICH}: key {{ $labels.key }} should have been replaced {{ $value | humanizeDuration }} ago`,
    page: 'runbook.md#keys',
    labels: OF_RESOURCE,
  },
  {
    alert: 'KeyOld',
    expr: `time() - ${told(KEY)}{event="made"} > ${60 * DAY} unless ignoring (event) ${told(KEY)}{event="due"}`,
    severity: 'info',
    summary: `${WHICH}: key {{ $labels.key }} is {{ $value | humanizeDuration }} old and has no schedule`,
    page: 'runbook.md#keys',
    labels: OF_RESOURCE,
  },
  {
    alert: 'NotExposed',
    expr: `${conditionAge('type="Exposed",status!="True",reason!="CertificateExpires"')} > 900`,
    severity: 'warning',
    summary: `${WHICH} is not reached from outside: {{ $labels.reason }}`,
    page: REASON_PAGE,
    labels: OF_RESOURCE,
  },
  {
    alert: 'CertificateExpires',
    expr: `${told(CERTIFICATE)} - time() < ${14 * DAY}`,
    severity: 'warning',
    summary: `${WHICH}: the certificate of {{ $labels.host }} expires in {{ $value | humanizeDuration }}`,
    page: 'reasons.md#certificateexpires',
    labels: OF_RESOURCE,
  },
  {
    alert: 'CertificateEnds',
    expr: `${told(CERTIFICATE)} - time() < ${2 * DAY}`,
    severity: 'critical',
    summary: `${WHICH}: nobody will believe {{ $labels.host }} in {{ $value | humanizeDuration }}: its certificate ends`,
    page: 'reasons.md#certificateexpires',
    labels: OF_RESOURCE,
  },
  {
    alert: 'AutoscalerBroken',
    expr: `${conditionAge('type="AutoscalingActive",status!="True"')} > 900`,
    severity: 'warning',
    summary: `${WHICH}: its autoscaler does not work: {{ $labels.reason }}`,
    page: REASON_PAGE,
    labels: OF_RESOURCE,
  },
  {
    alert: 'OperatorDown',
    expr: `${INSTALLED} unless max by (namespace) (${LEADS}) or on () absent(${LEADS})`,
    for: SILENCE,
    severity: 'critical',
    summary: `No operator leads${WHERE}: nothing is released, and nothing is taken back`,
    page: 'runbook.md#operatordown',
  },
  {
    alert: 'OperatorTwoLeaders',
    // a pod that is gone is remembered for two intervals of its scrapes
    expr: 'sum by (namespace) (devshelf_operator_leader) > 1',
    for: '3m',
    severity: 'critical',
    summary: `{{ $value }} operators say that they lead${WHERE}`,
    page: 'runbook.md#operatortwoleaders',
  },
  {
    alert: 'OperatorDeaf',
    expr: 'max by (namespace, resource) (devshelf_operator_watch_age_seconds) > 120',
    for: '3m',
    severity: 'critical',
    summary: `The operator${WHERE} has not heard the API server on {{ $labels.resource }} for {{ $value | humanizeDuration }}`,
    page: 'runbook.md#operatordeaf',
  },
  {
    alert: 'OperatorSlow',
    expr: 'histogram_quantile(0.99, sum by (namespace, le) (rate(devshelf_operator_queue_seconds_bucket[10m]))) > 5',
    for: '15m',
    severity: 'warning',
    summary: `Resources wait up to {{ $value | humanizeDuration }} for the operator${WHERE}`,
    page: 'runbook.md#operatorslow',
  },
  {
    alert: 'OperatorPassesFail',
    expr: `${passes('{outcome="failed"}')} / ${passes('')} > 0.1`,
    for: '15m',
    severity: 'warning',
    summary: `{{ $value | humanizePercentage }} of the operator’s passes fail${WHERE}`,
    page: 'runbook.md#operatorpassesfail',
  },
];
