// One owner of the record and of the pod template. Others write to the Deployment, too: `kubectl rollout undo` brings
// an old template back together with the record of its time, `set env` and `edit` leave things of their own in it.
import type { RolloutRecord } from '../../api/rollout.ts';
import { parseRecord } from '../../api/rollout.ts';
import { ANNOTATIONS, names } from '../../objects/names.ts';
import { about, type Interrupt } from '../decision.ts';
import { inPhase, iso, revisionOf, type Snapshot, secondsSince, versionOf } from '../snapshot.ts';
import { lastReleased } from './restoration.ts';
import { hasStable, withdraw } from './withdrawal.ts';

const { act, fail } = about('Ready');

/** Whose rollout this is not: a later version's, which this one does not understand. */
export const laterRecord: Interrupt = ({ isLaterRecord, app }) =>
  isLaterRecord
    ? fail(
        'RecordNotUnderstood',
        `a later version of the operator wrote the record of the rollout: nothing is touched; install that version again; if there never was one, somebody else wrote it: kubectl annotate deployment ${names.deployment(app.metadata.name)} -n ${app.metadata.namespace} ${ANNOTATIONS.rollout}- takes it away, and what was released last is written down again`,
      )
    : undefined;

/**
 * The record was decided on a later spec than the one that is seen: the stores were told of the Deployment, and not yet
 * of the resource. Nothing can be decided then: what is wanted would be what was wanted once.
 */
export function isBehind({ app, deployment }: Pick<Snapshot, 'app' | 'deployment'>): boolean {
  const { uid, generation } = deployment?.record.decidedOn ?? {};
  return uid === app.metadata.uid && generation !== undefined && generation > app.metadata.generation;
}

/** A record that is not the newest, not in the shape of this version, or not what an operator wrote. */
export const oldRecord: Interrupt = seen => foretold(seen) ?? undone(seen) ?? contradicted(seen) ?? earlierShape(seen);

/** No operator decides on what nobody has written. */
function foretold({ isForetold, deployment, app }: Snapshot) {
  if (!isForetold || !deployment) return undefined;
  const { generation } = app.metadata;
  const said = deployment.record.decidedOn?.generation;
  const message = `somebody wrote into the record of the rollout: it was decided on generation ${said} of a resource that has only come to ${generation}; it is put right`;
  return act('TemplateRestored', message, { do: 'setRecord', record: deployment.record }, 'Warning');
}

/** The record whose number stands in the status was written after this one. */
function undone(seen: Snapshot) {
  const record = seen.deployment?.record;
  const newest = lastRecord(seen);
  if (!record || !newest || writeOf(record) >= writeOf(newest)) return undefined;
  const message = `somebody brought back what the Deployment was before${by(seen)}: it is put right, because the spec decides; to go back to an earlier release, apply its image`;
  return act('TemplateRestored', message, { do: 'setRecord', record: newest }, 'Warning');
}

/** The same without a status to compare with: a rejected release is never tried or watched. */
function contradicted(seen: Snapshot) {
  const record = seen.deployment?.record;
  const good = lastReleased(seen);
  if (!record || !good || !inPhase(seen, 'Candidate', 'Promoting', 'Baking')) return undefined;
  const tried = revisionOf(seen, record.release);
  if (tried?.verdict.verdict !== 'rejected') return undefined;
  const { hash, image } = good.release;
  const message = `${versionOf(tried.release.image)} was rejected, and somebody brought it back${by(seen)}: ${versionOf(image)} is put in its place`;
  const settled: RolloutRecord = { phase: 'Settled', release: hash, stable: hash, since: iso(seen.now) };
  return act('TemplateRestored', message, { do: 'setRecord', record: settled }, 'Warning');
}

/** Until version 2 a candidate was held inside the serving Deployment: it goes, and is tried again in the new shape. */
function earlierShape(seen: Snapshot) {
  const record = seen.deployment?.record;
  if (record?.phase !== 'Candidate' || record.version !== undefined || !hasStable(record)) return undefined;
  const message = 'its trial was begun by an earlier version of the operator: it begins again';
  return act('WaitingForRollback', message, {
    do: 'setRecord',
    record: withdraw(seen, record, 'superseded', 'WaitingForRollback', message),
  });
}

/** Each time costs a rollout: a writer that insists is met no more often than this. */
const RESTORE_EVERY_SECONDS = 600;

/** What somebody else put into the template is taken out again: it would outlive the release that it was meant for. */
export const foreignTemplate: Interrupt = ({ deployment, now }) => {
  const [first, ...more] = deployment?.foreign ?? [];
  if (!deployment || !first) return undefined;
  const { restoredAt } = deployment.record;
  if (restoredAt !== undefined && secondsSince(restoredAt, now) < RESTORE_EVERY_SECONDS) return undefined;
  const others = more.length > 0 ? ` and ${more.length} more` : '';
  return act(
    'TemplateRestored',
    `${first.manager} wrote ${first.field}${others} into the pod template of the Deployment; it is taken out again: say it in the spec, then it is tried as a release`,
    { do: 'setRecord', record: { ...deployment.record, restoredAt: iso(now) } },
    'Warning',
  );
};

const by = ({ deployment }: Snapshot): string => {
  const [first] = deployment?.foreign ?? [];
  return first ? ` (${first.manager})` : '';
};

const writeOf = ({ write = 0 }: RolloutRecord): number => write;

/** The newest record that the status remembers; undefined before the first of version 2. */
export function lastRecord({ app }: Pick<Snapshot, 'app'>): RolloutRecord | undefined {
  const record = parseRecord(app.status.rollout?.record);
  return record === 'later' ? undefined : record;
}
