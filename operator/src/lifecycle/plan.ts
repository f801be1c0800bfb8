// One pass, decided: interrupts first, then the stages in the runbook's order, and every condition anew.
import type { Condition } from '../api/conditions.ts';
import type { Action, Announcement, Decision } from './decision.ts';
import { isEmergency } from './key-requests.ts';
import { interrupts, keys, stages } from './runbook.ts';
import { hasNewRelease, inPhase, type Snapshot } from './snapshot.ts';

export interface Plan {
  readonly conditions: readonly Condition[];
  readonly action?: Action;
  /** With an action: said when it is done. Without: said when it is new in the status. */
  readonly announce?: Announcement;
  /** Look again after this many milliseconds, even if nothing is seen to change. */
  readonly recheckMs?: number;
}

/** Pure: the same snapshot gives the same plan. */
export function decide(seen: Snapshot): Plan {
  const interruption = interrupted(seen);
  const reached = interruption ? [interruption] : walk(seen);
  const answer = reached.at(-1);
  const beside = areKeysMade(reached) || isEmergency(seen) ? keys(seen) : undefined;
  const said = [...reached, ...(beside ? [beside] : [])].map(({ condition }) => condition);
  const kept = interruption ? lastSaid(seen) : [];
  const about = latest([...kept, ...said.filter(({ type }) => type !== 'Ready')]);
  return { conditions: [...summary(seen, answer), ...about, ...around(seen)], ...both(todo(answer), beside) };
}

/** Not before there is anything to rotate, and while an interrupt has the word only in an emergency. */
const areKeysMade = (reached: readonly Decision[]): boolean =>
  reached.some(({ kind, condition }) => kind === 'proceed' && condition.type === 'KeysCurrent');

type Todo = Pick<Plan, 'action' | 'announce' | 'recheckMs'>;

/** One action per pass, and the release's comes first. */
function both(release: Todo, beside: Decision | undefined): Todo {
  if (release.action || !beside) return release;
  if (beside.kind === 'act') return todo(beside);
  const { reason, message, status } = beside.condition;
  const warning = status === 'False' ? { announce: { type: 'Warning', reason, message } as const } : {};
  const waits = [release.recheckMs, todo(beside).recheckMs].filter(ms => ms !== undefined);
  return { ...warning, ...release, ...(waits.length > 0 && { recheckMs: Math.min(...waits) }) };
}

function interrupted(seen: Snapshot): Decision | undefined {
  for (const interrupt of interrupts) {
    const decision = interrupt(seen);
    if (decision) return decision;
  }
  return undefined;
}

const OF_STAGES: readonly string[] = ['DependenciesReady', 'KeysCurrent', 'Migrated', 'AnalysisPassed'];

/** An interrupt looks at one thing: what the stages said last stays as it was. */
const lastSaid = ({ app }: Snapshot): Condition[] =>
  (app.status?.conditions ?? [])
    .filter(({ type }) => OF_STAGES.includes(type))
    .map(({ type, status, reason, message }) => ({ type, status, reason, message }) as Condition);

/** The decisions up to and including the first that does not proceed. */
function walk(seen: Snapshot): Decision[] {
  const reached: Decision[] = [];
  for (const stage of stages) {
    const decision = stage(seen);
    reached.push(decision);
    if (decision.kind !== 'proceed') break;
  }
  return reached;
}

function todo(answer: Decision | undefined): Todo {
  if (answer?.kind === 'act') return { action: answer.action, ...(answer.announce && { announce: answer.announce }) };
  if (answer?.kind === 'fail') {
    const { reason, message } = answer.condition;
    return { announce: { type: 'Warning', reason, message } };
  }
  return answer?.kind === 'wait' ? { recheckMs: answer.recheckMs } : {};
}

/** Several stages speak through one condition: the furthest one reached has the word. */
const latest = (conditions: readonly Condition[]): Condition[] => [
  ...new Map(conditions.map(condition => [condition.type, condition])).values(),
];

/** Ready, Available, and of Reconciling and Stalled only what is true (kstatus). */
function summary(seen: Snapshot, answer: Decision | undefined): Condition[] {
  const conditions = [ready(seen, answer), available(seen)];
  if (answer === undefined || answer.kind === 'proceed') return conditions;
  const { reason, message } = answer.condition;
  if (answer.kind === 'fail') return [...conditions, { type: 'Stalled', status: 'True', reason, message }];
  if (serves(seen, answer)) return conditions;
  return [...conditions, { type: 'Reconciling', status: 'True', reason, message }];
}

function ready(seen: Snapshot, answer: Decision | undefined): Condition {
  if (answer === undefined) return { type: 'Ready', status: 'Unknown', reason: 'Progressing', message: '' };
  const { reason, message } = answer.condition;
  const { readyReplicas = 0, wantedReplicas = 1 } = seen.deployment ?? {};
  if (serves(seen, answer) && readyReplicas === 0 && wantedReplicas > 0) {
    return { type: 'Ready', status: 'False', reason: 'PodsUnavailable', message: 'no pod is ready' };
  }
  return { type: 'Ready', status: serves(seen, answer) ? 'True' : 'False', reason, message };
}

/** The wanted release serves; what may still be done only confirms it or tidies up. */
function serves(seen: Snapshot, answer: Decision): boolean {
  if (answer.kind === 'proceed') return true;
  if (answer.kind === 'wait') return answer.ready === true;
  return answer.kind === 'act' && inPhase(seen, 'Baking', 'Settled') && seen.wanted.known && !hasNewRelease(seen);
}

function available({ deployment }: Snapshot): Condition {
  const [up, wanted] = [deployment?.readyReplicas ?? 0, deployment?.wantedReplicas ?? 0];
  if (!deployment)
    return { type: 'Available', status: 'False', reason: 'NoRelease', message: 'nothing was released yet' };
  if (up === 0)
    return { type: 'Available', status: 'False', reason: 'PodsUnavailable', message: `0 of ${wanted} pods ready` };
  return { type: 'Available', status: 'True', reason: 'MinimumPodsAvailable', message: 'pods serve' };
}

/** What surrounds the release; it never decides about Ready. */
function around({ app, serviceMonitorAvailable, autoscaler }: Snapshot): Condition[] {
  const conditions: Condition[] = [monitored(app.spec.monitoring.serviceMonitor, serviceMonitorAvailable)];
  if (app.spec.autoscaling && autoscaler) {
    const { active, message } = autoscaler;
    const reason = active ? 'AutoscalerActive' : 'AutoscalerNotReady';
    conditions.push({ type: 'AutoscalingActive', status: active ? 'True' : 'False', reason, message });
  }
  return conditions;
}

function monitored(policy: 'Managed' | 'Disabled', available: boolean): Condition {
  const condition = (status: Condition['status'], reason: Condition['reason'], message: string): Condition => ({
    type: 'Monitored',
    status,
    reason,
    message,
  });
  if (policy === 'Disabled')
    return condition('False', 'MonitoringDisabled', 'spec.monitoring.serviceMonitor is Disabled');
  if (available) return condition('True', 'Monitored', 'a ServiceMonitor names the pods and their scrape token');
  return condition(
    'False',
    'ServiceMonitorAPIMissing',
    'the cluster has no monitoring.coreos.com API: install Prometheus Operator, or set spec.monitoring.serviceMonitor to Disabled',
  );
}
