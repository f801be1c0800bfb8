// The stage that is under way, for who asks "what does it wait for, and how long still?". Nothing in it changes by
// itself with time, so a resource at rest costs no write.
import type { Condition, ConditionType } from '../api/conditions.ts';
import type { AppStatus } from '../api/status.ts';
import { hasNewRelease, inPhase, iso, type Snapshot } from './snapshot.ts';

type Stage = NonNullable<AppStatus['stage']>;

/** Which condition a stage speaks through. */
const SPEAKS = new Map<string, ConditionType>([
  ['Dependencies', 'DependenciesReady'],
  ['Keys', 'KeysCurrent'],
  ['Migration', 'Migrated'],
]);

export function stageOf(seen: Snapshot, conditions: readonly Condition[]): Stage {
  const name = nameOf(seen, conditions);
  const before = seen.app.status.stage;
  const since = sinceIn(seen, name) ?? (before?.name === name ? before.since : iso(seen.now));
  const deadline = deadlineOf(seen, name);
  const waitsFor = waitsForIn(name, conditions);
  return {
    name,
    ...(since !== undefined && { since }),
    ...(deadline !== undefined && { deadline }),
    ...(waitsFor !== undefined && { waitsFor }),
  };
}

function nameOf(seen: Snapshot, conditions: readonly Condition[]): string {
  const phase = seen.deployment?.record.phase;
  if (phase === 'RollingBack' || phase === 'RollingBackAll') return 'RollingBack';
  if (phase === 'Installing' || phase === 'Promoting') return phase;
  if (phase === 'Candidate') return isAnalysing(conditions) ? 'Analysis' : 'Candidate';
  if (phase && !hasNewRelease(seen)) return phase;
  return preparing(conditions) ?? phase ?? 'Installing';
}

const isAnalysing = (conditions: readonly Condition[]): boolean =>
  conditions.some(({ type, reason }) => type === 'AnalysisPassed' && ANALYSING.includes(reason));

const ANALYSING: readonly string[] = ['Analysing', 'InsufficientTraffic', 'Blind', 'DependencyDegraded', 'Overloaded'];

/** The furthest stage that has not passed. */
function preparing(conditions: readonly Condition[]): string | undefined {
  const open = ({ status }: Condition): boolean => status !== 'True';
  if (conditions.some(one => one.type === 'AnalysisPassed' && open(one))) return 'Rehearsal';
  return [...SPEAKS].find(([, type]) => conditions.some(one => one.type === type && open(one)))?.[0];
}

/** Of a rollout the record says it. */
function sinceIn({ deployment }: Snapshot, name: string): string | undefined {
  const isOfRecord = name === 'Analysis' || name === deployment?.record.phase || name === 'RollingBack';
  return isOfRecord ? deployment?.record.since : undefined;
}

/** Absent where nothing limits it. */
function deadlineOf(seen: Snapshot, name: string): string | undefined {
  const { rollout } = seen.app.spec;
  const { record, progressedAt = 0 } = seen.deployment ?? {};
  if (!record || !inPhase(seen, 'Installing', 'Candidate', 'Promoting', 'Baking', 'RollingBackAll')) return undefined;
  const since = Date.parse(record.since);
  if (name === 'Analysis') return iso(since + 1000 * rollout.analysis.timeoutSeconds);
  if (name === 'Baking') return iso(since + 1000 * rollout.bakeSeconds);
  const from = name === 'Candidate' ? since : Math.max(since, progressedAt);
  return ['Candidate', 'Promoting', 'RollingBack', 'Installing'].includes(name)
    ? iso(from + 1000 * rollout.progressDeadlineSeconds)
    : undefined;
}

/** In the words of the condition; what has passed waits for nothing. */
function waitsForIn(name: string, conditions: readonly Condition[]): string | undefined {
  if (name === 'Settled') return undefined;
  const type = SPEAKS.get(name) ?? 'AnalysisPassed';
  const said = conditions.find(one => one.type === type) ?? conditions.find(one => one.type === 'Ready');
  return said?.status === 'True' || said?.message === '' ? undefined : said?.message;
}
