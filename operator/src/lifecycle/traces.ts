// What a trace tells of a release: one span for each phase that was left, and one for the whole.
//
//   release ─┬─ migration     the Job that moved the schema
//            ├─ rehearsal     the pod that no user met
//            ├─ installation  of a first release, instead of the two below
//            ├─ candidate     beside the stable pods
//            ├─ promotion
//            ├─ bake
//            └─ rollback
//
// No span is open anywhere: its ids are hashes of what it is about, its times stand in the cluster. Whoever is killed
// between the write that leaves a phase and the sending loses the span; whoever asks twice gets the same one.

import type { AppResource } from '../api/resource.ts';
import type { RolloutRecord } from '../api/rollout.ts';
import { sha256 } from '../api/sha256.ts';
import { scrub } from '../api/words.ts';
import { ANNOTATIONS, names } from '../objects/names.ts';
import { decisionIn, isVerdict } from './decided.ts';
import type { Action } from './decision.ts';
import { incidentOf } from './release/incident.ts';
import { type MigrationResult, type Revision, revisionOf, type Snapshot, type Verdict, versionOf } from './snapshot.ts';

export type SpanName =
  | 'release'
  | 'migration'
  | 'rehearsal'
  | 'installation'
  | 'candidate'
  | 'promotion'
  | 'bake'
  | 'rollback';

export interface Span {
  readonly name: SpanName;
  /** 32 and 16 hex digits. */
  readonly traceId: string;
  readonly spanId: string;
  /** Absent: it is the whole. */
  readonly parentId?: string;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly attributes: Readonly<Record<string, string | number>>;
  /** What went wrong, without secrets. */
  readonly fault?: string;
}

/** How one phase ended. */
interface End {
  readonly verdict: 'passed' | 'released' | Verdict;
  readonly reason?: string | undefined;
  readonly counts?: { readonly requests: number; readonly errors: number } | undefined;
  readonly fault?: string | undefined;
}

/** One rollout of one release: what all its spans have in common. */
interface Story {
  readonly app: AppResource;
  readonly revision: Revision;
  readonly again: string | undefined;
}

/** One for each try of a release, and for each time that it comes back. */
export const traceIdOf = ({ app, revision, again = '' }: Story): string =>
  hexOf([app.metadata.uid, revision.release.hash, revision.number, attemptIn(revision), again], 32);

const attemptIn = ({ attempt = 1 }: Revision): number => attempt;

const wholeId = (traceId: string): string => hexOf([traceId, 'release'], 16);

const hexOf = (values: readonly (string | number)[], digits: number): string =>
  sha256(JSON.stringify(values)).slice(0, digits);

/** What is left by an action that was carried out. */
export function spansLeft(seen: Snapshot, action: Action): readonly Span[] {
  switch (action.do) {
    case 'setRecord':
      return ofRollout(seen, action);
    case 'annotateRevision':
      return ofRevision(seen, action);
    case 'deletePod':
      return ofRehearsal(seen, action.pod);
    default:
      return [];
  }
}

// ---- before users meet it

/** Of one that comes back nothing is told before it serves: it was migrated and rehearsed in another story. */
const isFirstTime = ({ verdict }: Revision): boolean => verdict.verdict === 'pending';

function ofRevision(seen: Snapshot, action: Extract<Action, { do: 'annotateRevision' }>): Span[] {
  const { revision: name, set } = action;
  const revision = seen.revisions.find(known => known.name === name);
  if (!revision || !isFirstTime(revision)) return [];
  if (isVerdict(action, 'rejected')) return ofRefusal(seen, revision);
  const text = set[ANNOTATIONS.migration];
  return text ? ofMigration(seen, revision, JSON.parse(text) as MigrationResult) : [];
}

function ofMigration(seen: Snapshot, revision: Revision, { jobName, result, finishedAt }: MigrationResult): Span[] {
  const job = migrationJobOf(seen, revision);
  if (job?.name !== jobName || result === 'Partial') return [];
  const story = { app: seen.app, revision, again: undefined };
  return [phaseOf(story, 'migration', job.createdAt, Date.parse(finishedAt), { verdict: 'passed', reason: result })];
}

const migrationJobOf = ({ jobs }: Snapshot, { release }: Revision) =>
  jobs.find(({ migrationId, task }) => migrationId === release.migrationId && task === undefined);

/** The incident is written already, and tells when. */
function ofRefusal(seen: Snapshot, revision: Revision): Span[] {
  const incident = incidentOf(seen, revision.release.hash);
  if (incident?.phase !== 'Migration' && incident?.phase !== 'Rehearsal') return [];
  const story = { app: seen.app, revision, again: undefined };
  const { reason, message, at } = incident;
  const end: End = { verdict: 'rejected', reason, fault: message };
  const began = incident.phase === 'Migration' ? migrationJobOf(seen, revision) : rehearsalOf(seen, revision);
  const name = incident.phase === 'Migration' ? 'migration' : 'rehearsal';
  const phase = began ? [phaseOf(story, name, began.createdAt, Date.parse(at), end)] : [];
  return [...phase, ...wholeOf(story, at, end)];
}

const rehearsalOf = ({ rehearsals, app }: Snapshot, { release }: Revision) =>
  rehearsals.find(({ name }) => name === names.rehearsal(app.metadata.name, release.hash));

/** Its pod goes when it has passed. */
function ofRehearsal(seen: Snapshot, name: string): Span[] {
  const pod = seen.rehearsals.find(known => known.name === name);
  const revision = revisionOf(seen, pod?.release);
  if (!pod || !revision?.rehearsal?.passed || !isFirstTime(revision)) return [];
  if (rehearsalOf(seen, revision) !== pod) return [];
  const story = { app: seen.app, revision, again: undefined };
  const end: End = { verdict: 'passed', reason: 'RehearsalPassed' };
  return [phaseOf(story, 'rehearsal', pod.createdAt, Date.parse(revision.rehearsal.at), end)];
}

// ---- from its first user on

const NAMES: Readonly<Record<RolloutRecord['phase'], SpanName | undefined>> = {
  Installing: 'installation',
  Candidate: 'candidate',
  Promoting: 'promotion',
  Baking: 'bake',
  Settled: undefined,
  RollingBack: 'rollback',
  RollingBackAll: 'rollback',
};

function ofRollout(seen: Snapshot, action: Extract<Action, { do: 'setRecord' }>): Span[] {
  const before = seen.deployment?.record;
  const after = action.record;
  const revision = revisionOf(seen, before?.withdrawn?.release ?? before?.release);
  const name = before && NAMES[before.phase];
  if (!name || !revision || !isLeft(seen, before, after)) return [];
  const story = { app: seen.app, revision, again: before.again };
  const end = endOf(seen, before, action, revision);
  const phase = phaseOf(story, name, Date.parse(before.since), Date.parse(after.since), end);
  const whole = wholeEnd(before, after, revision);
  return [phase, ...(whole ? wholeOf(story, after.since, whole) : [])];
}

/** Not so where a record is put right, or written once more with something that was asked: that began no phase now. */
function isLeft({ now }: Snapshot, before: RolloutRecord, after: RolloutRecord): boolean {
  const isNew = Date.parse(after.since) === now;
  // a release that is swept away for another one that served before was brought back by hand, long after its end
  const isReplaced = after.phase === 'Settled' && after.release !== before.release;
  return isNew && !isReplaced && (after.phase !== before.phase || after.release !== before.release);
}

function endOf(
  seen: Snapshot,
  before: RolloutRecord,
  action: Extract<Action, { do: 'setRecord' }>,
  { verdict: { verdict } }: Revision,
): End {
  const after = action.record;
  const { withdrawn, trial } = after;
  if (before.withdrawn)
    return after.phase === 'Settled'
      ? { verdict: 'passed', reason: 'RollbackComplete' }
      : { verdict: 'superseded', reason: 'RollbackIncomplete', fault: 'what was there before did not come back' };
  if (withdrawn) return withdrawnEnd(withdrawn);
  const isReleased = before.phase === 'Baking' && verdict === 'released';
  if (after.release !== before.release && !isReleased) return { verdict: 'superseded' };
  if (before.phase === 'Candidate')
    return { verdict: 'passed', reason: decisionIn(seen, action)?.reason, counts: trial?.candidate };
  if (before.phase !== 'Baking') return { verdict: 'passed' };
  return { verdict: 'passed', reason: 'Released', counts: windowOf(seen, before) };
}

const withdrawnEnd = ({ verdict, reason, message, facts }: NonNullable<RolloutRecord['withdrawn']>): End => ({
  verdict,
  reason,
  counts: facts?.figures?.candidate,
  ...(verdict === 'rejected' && { fault: message }),
});

const windowOf = ({ judgement }: Snapshot, { release }: RolloutRecord): End['counts'] =>
  judgement?.release === release ? judgement.window : undefined;

/** Its verdict is given by then; where a release is replaced without one the whole may yet go on. */
function wholeEnd({ phase, withdrawn }: RolloutRecord, after: RolloutRecord, revision: Revision): End | undefined {
  if (withdrawn) return withdrawnEnd(withdrawn);
  const isReleased = revision.verdict.verdict === 'released';
  return phase === 'Baking' && isReleased && !after.withdrawn ? { verdict: 'released', reason: 'Released' } : undefined;
}

// ---- spans

const phaseOf = (story: Story, name: SpanName, startedAt: number, endedAt: number, end: End): Span => {
  const traceId = traceIdOf(story);
  const spanId = hexOf([traceId, name, startedAt], 16);
  return { name, traceId, spanId, parentId: wholeId(traceId), ...lasting(startedAt, endedAt), ...told(story, end) };
};

/** From when it was asked for; where the API server does not say, there is none. */
function wholeOf(story: Story, endedAt: string, end: End): Span[] {
  const startedAt = story.again ?? story.revision.requestedBy?.at;
  if (startedAt === undefined) return [];
  const traceId = traceIdOf(story);
  const times = lasting(Date.parse(startedAt), Date.parse(endedAt));
  return [{ name: 'release', traceId, spanId: wholeId(traceId), ...times, ...told(story, end) }];
}

/** Two clocks may differ; nothing ends before it begins. */
const lasting = (startedAt: number, endedAt: number) => ({ startedAt, endedAt: Math.max(startedAt, endedAt) });

function told({ app, revision }: Story, { verdict, reason, counts, fault }: End): Pick<Span, 'attributes' | 'fault'> {
  const { image, hash } = revision.release;
  return {
    attributes: {
      ...{
        'k8s.namespace.name': app.metadata.namespace,
        'devshelf.kind': app.kind,
        'devshelf.name': app.metadata.name,
      },
      ...{ 'devshelf.release': hash, 'devshelf.attempt': attemptIn(revision) },
      ...{ 'devshelf.image': scrub(image), 'devshelf.version': scrub(versionOf(image)) },
      'devshelf.verdict': verdict,
      ...(reason !== undefined && { 'devshelf.reason': reason }),
      ...(counts && { 'devshelf.requests': counts.requests, 'devshelf.errors': counts.errors }),
    },
    ...(fault !== undefined && { fault: scrub(fault) }),
  };
}
