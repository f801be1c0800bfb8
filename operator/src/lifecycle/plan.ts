// One pass, decided: interrupts first, then the stages in the runbook's order, and every condition anew.
import type { Condition } from '../api/conditions.ts';
import { isHeldReason } from '../api/reasons.ts';
import { RECORD_VERSION, type RolloutRecord, releaseInForce } from '../api/rollout.ts';
import { autoscaled } from './around/autoscaled.ts';
import { exposed, recheckOf } from './around/exposed.ts';
import { monitored } from './around/monitored.ts';
import { scrapedRecheck } from './around/scraped.ts';
import { soleOperator } from './around/sole-operator.ts';
import { decisionNotes } from './decided.ts';
import type { Action, Announcement, Decision } from './decision.ts';
import { heldRecord } from './keys/held-record.ts';
import { areKeysThere, isEmergency } from './keys/key-requests.ts';
import { seedAgain } from './release/dependencies.ts';
import { lastRecord } from './release/ownership.ts';
import { trouble } from './release/pod-trouble.ts';
import { standing } from './release/standing.ts';
import { answeredBefore } from './requested.ts';
import { interrupts, keys, schema, stages, tidying } from './runbook.ts';
import { schemaReverted } from './schema/downgrade.ts';
import { hasNewRelease, inPhase, podsOf, type Snapshot, workersOf } from './snapshot.ts';

export interface Plan {
  readonly conditions: readonly Condition[];
  readonly action?: Action;
  /** What the action is done for, in its own words. */
  readonly said?: Pick<Condition, 'reason' | 'message'>;
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
  const mayRotate = areKeysMade(reached) || (!interruption && areKeysThere(seen)) || isEmergency(seen);
  const beside = mayRotate ? keys(seen) : undefined;
  const old = answer?.kind === 'proceed' && !interruption ? schema(seen) : undefined;
  const said = [...reached, ...[beside, old].filter(one => one !== undefined)].map(({ condition }) => condition);
  const kept = interruption ? lastSaid(seen) : [];
  const about = latest([...kept, ...said.filter(({ type }) => type !== 'Ready')]);
  const isBusy = [beside, old].some(one => one?.kind === 'act');
  const tidy = isBusy
    ? undefined
    : (seedAgain(seen, answer) ?? standing(seen, answer) ?? heldRecord(seen, beside) ?? tidying(seen));
  const door = exposed(seen);
  const next = [recheckOf(seen, door), scrapedRecheck(seen)].reduce(
    sooner,
    [old, beside, tidy].reduce(both, todo(answer)),
  );
  return {
    conditions: [...summary(seen, answer), ...about, ...around(seen), ...(door ? [door] : [])],
    ...next,
    ...decided(seen, next.action),
  };
}

/** Each record has a number of its own, beyond all before it; what is done to keys says what was seen of them. */
function decided(seen: Snapshot, action: Action | undefined): Pick<Plan, 'action'> {
  if (action?.do === 'rotateKey' || action?.do === 'handOverKey') {
    const { versions } = seen.keys.find(({ keyring }) => keyring === action.keyring) ?? {};
    return versions ? { action: { ...action, decidedOn: versions } } : {};
  }
  if (action?.do !== 'setRecord') return {};
  const write = 1 + Math.max(seen.deployment?.record.write ?? 0, lastRecord(seen)?.write ?? 0);
  const { uid, generation } = seen.app.metadata;
  const decidedOn = { uid, generation };
  const asked = { ...answeredBefore(seen), ...action.record.asked };
  const isAsked = Object.keys(asked).length > 0 && { asked };
  const { decisions: _before, ...record } = action.record;
  const notes = decisionNotes(seen, action);
  const facts = { version: RECORD_VERSION, write, decidedOn, ...wantedIn(seen), ...isAsked, ...notes } as const;
  return { action: { ...action, record: { ...record, ...facts } } };
}

/** So that who comes after us knows what is wanted without reading Secrets that are as they were. */
function wantedIn({ wanted }: Snapshot): Pick<RolloutRecord, 'wanted'> {
  if (!wanted.known || wanted.value.sources === undefined) return {};
  const { release, databaseIdentity: database, sources } = wanted.value;
  return { wanted: { sources, release: release.hash, database } };
}

/** Not before there is anything to rotate, and while an interrupt has the word only in an emergency. */
const areKeysMade = (reached: readonly Decision[]): boolean =>
  reached.some(({ kind, condition }) => kind === 'proceed' && condition.type === 'KeysCurrent');

/** What surrounds the release has its own times. */
const sooner = (next: Todo, recheckMs: number | undefined): Todo =>
  recheckMs === undefined || next.action
    ? next
    : { ...next, recheckMs: Math.min(next.recheckMs ?? recheckMs, recheckMs) };

type Todo = Pick<Plan, 'action' | 'said' | 'announce' | 'recheckMs'>;

/** One action per pass: the release’s first, then the schema’s, then the keys’. */
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
  if (answer?.kind === 'act') {
    const { action, announce, condition } = answer;
    const said = { reason: condition.reason, message: condition.message };
    return { action, said, ...(announce && { announce }) };
  }
  if (answer?.kind === 'fail') {
    const { reason, message } = answer.condition;
    // told already, when it was refused
    if (reason === 'ReleaseRejected') return {};
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
  if (answer === undefined) return conditions;
  const lost = isDown(seen, answer) ? conditions.find(({ type }) => type === 'Ready') : undefined;
  if (lost) return [...conditions, { ...lost, type: 'Reconciling', status: 'True' }];
  if (answer.kind === 'proceed') return conditions;
  const { reason, message } = answer.condition;
  if (answer.kind === 'fail' || (needsPerson(answer) && !serves(seen, answer)))
    return [...conditions, { type: 'Stalled', status: 'True', reason, message }];
  if (serves(seen, answer)) return conditions;
  return [...conditions, { type: 'Reconciling', status: 'True', reason, message }];
}

/** Held until there is traffic, or metrics: it goes on by itself then, but a person had better see to that. */
const needsPerson = ({ kind, condition }: Decision): boolean => kind === 'wait' && isHeldReason(condition.reason);

/** What is wanted is there, and none of its pods is ready. */
const isDown = (seen: Snapshot, answer: Decision): boolean =>
  serves(seen, answer) && seen.deployment?.readyReplicas === 0 && seen.deployment.wantedReplicas > 0;

function ready(seen: Snapshot, answer: Decision | undefined): Condition {
  if (answer === undefined) return { type: 'Ready', status: 'Unknown', reason: 'Progressing', message: '' };
  const { reason, message } = answer.condition;
  if (isDown(seen, answer)) {
    return { type: 'Ready', status: 'False', reason: 'PodsUnavailable', message: 'no pod is ready' };
  }
  const idle = serves(seen, answer) ? workersDown(seen) : undefined;
  if (idle !== undefined) return { type: 'Ready', status: 'False', reason: 'WorkerUnavailable', message: idle };
  return { type: 'Ready', status: serves(seen, answer) ? 'True' : 'False', reason, message };
}

/** The wanted release serves; what may still be done only confirms it or tidies up. */
function serves(seen: Snapshot, answer: Decision): boolean {
  if (answer.kind === 'proceed') return true;
  if (answer.kind === 'wait') return answer.ready === true;
  return answer.kind === 'act' && inPhase(seen, 'Baking', 'Settled') && seen.wanted.known && !hasNewRelease(seen);
}

function available(seen: Snapshot): Condition {
  const { deployment } = seen;
  if (seen.isLaterRecord) {
    const message = 'not looked at: a later version wrote the record';
    return { type: 'Available', status: 'Unknown', reason: 'RecordNotUnderstood', message };
  }
  const [up, wanted] = [deployment?.readyReplicas ?? 0, deployment?.wantedReplicas ?? 0];
  if (!deployment)
    return { type: 'Available', status: 'False', reason: 'NoRelease', message: 'nothing was released yet' };
  if (wanted === 0)
    return {
      type: 'Available',
      status: 'False',
      reason: 'ScaledToZero',
      message: 'spec.replicas is 0: nobody is served',
    };
  if (up === 0)
    return { type: 'Available', status: 'False', reason: 'PodsUnavailable', message: `0 of ${wanted} pods ready` };
  const idle = workersDown(seen);
  if (idle !== undefined) return { type: 'Available', status: 'False', reason: 'WorkerUnavailable', message: idle };
  const differing = imagesDiffer(seen);
  if (differing !== undefined) return { type: 'Available', status: 'True', reason: 'ImagesDiffer', message: differing };
  // the disruption budget lets the only one go: its node could never be drained otherwise
  const message = wanted === 1 ? 'one pod: a drain is an outage; two outlive it' : 'pods serve';
  return { type: 'Available', status: 'True', reason: 'MinimumPodsAvailable', message };
}

/** The worker is part of the release: with none of them running, its jobs wait. */
function workersDown(seen: Snapshot): string | undefined {
  const { worker } = seen;
  if (!worker || worker.wantedReplicas === 0 || worker.availableReplicas > 0) return undefined;
  const words = trouble(workersOf(seen)) ?? worker.refused;
  return `0 of ${worker.wantedReplicas} workers ready${words === undefined ? '' : ` (${words})`}: jobs wait`;
}

/** Pods of one release that run different images: its tag was pushed again, and nobody judged what came. */
function imagesDiffer(seen: Snapshot): string | undefined {
  const record = seen.deployment?.record;
  const ids = record ? podsOf(seen, releaseInForce(record)).flatMap(({ imageId }) => imageId ?? []) : [];
  const [one, two] = [...new Set(ids)].sort();
  if (two === undefined) return undefined;
  return `pods of one release run different images (${one?.slice(-12)}, ${two.slice(-12)}): its tag was pushed again; name the image by its digest`;
}

/** What surrounds the release; it never decides about Ready. */
function around(seen: Snapshot): Condition[] {
  const schemaOfRejected = schemaReverted(seen);
  const found = [monitored(seen), schemaOfRejected, autoscaled(seen), ...soleOperator(seen)];
  return found.filter(condition => condition !== undefined);
}
