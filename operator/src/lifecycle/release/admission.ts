// May the release that the spec asks for begin?
//   a. what is left of a release that is no longer wanted goes first
//   b. the release before it has left, or has been promoted
//   c. it was not rejected before, unless spec.rollout.retryToken changed since
//   d. it is written down as a ControllerRevision: from here on its pods are never rendered again

import { type Release, type RolloutRecord, releaseInForce } from '../../api/rollout.ts';
import { ANNOTATIONS, names } from '../../objects/names.ts';
import { about, type Decision, type Stage } from '../decision.ts';
import { bracketed, requesterBySpec, requesterOf, wordsFor } from '../requested.ts';
import { isBackupFor, isHanging } from '../schema/backup.ts';
import { goneFor, passage } from '../schema/fence.ts';
import { removal } from '../schema/job-end.ts';
import {
  hasNewRelease,
  inPhase,
  iso,
  type PodView,
  type Revision,
  revisionOf,
  type Snapshot,
  versionOf,
  type Wanted,
  wantedHash,
} from '../snapshot.ts';
import { bake } from './bake.ts';
import { attemptOf, nextNumber } from './incident.ts';
import { promotion } from './promotion.ts';
import { verdictAnnotations } from './verdict.ts';
import { hasStable, withdraw } from './withdrawal.ts';

const { act, fail, proceed } = about('Ready');

/** How long the rehearsal pod of a release that did not start is kept, for people to read its log. */
const WORDS_MS = 10 * 60_000;

export const admission: Stage = seen => {
  const { wanted } = seen;
  if (!wanted.known) return proceed('Progressing', 'the rollout that has begun goes on');
  return leftOver(seen) ?? strangers(seen, wanted.value) ?? overtaken(seen, wanted.value) ?? admit(seen, wanted.value);
};

/** A rehearsal pod of another release, of one that serves already, or of one that failed: the next try has its own. */
function leftOver(seen: Snapshot): Decision | undefined {
  const wanted = wantedHash(seen);
  const revision = revisionOf(seen, wanted);
  const isRejected = revision?.verdict.verdict === 'rejected';
  const over = !hasNewRelease(seen) || isRejected;
  const stale = seen.rehearsals.find(
    pod => !pod.deleting && (pod.release !== wanted || (over && !(isRejected && isStillRead(seen, revision, pod)))),
  );
  if (!stale) return undefined;
  return act('Progressing', `rehearsal pod ${stale.name} is no longer needed`, {
    do: 'deletePod',
    pod: stale.name,
    uid: stale.uid,
  });
}

/**
 * Its last words are in its log only. One that crashes changes, so a pass comes by when the time is over; for the next
 * try it goes at once.
 */
const isStillRead = (seen: Snapshot, { verdict, retryToken }: Revision, { lastExit }: PodView): boolean =>
  lastExit !== undefined &&
  seen.now - Date.parse(verdict.at) < WORDS_MS &&
  [undefined, retryToken].includes(seen.app.spec.rollout.retryToken);

/** Whoever comes by a name that the candidate does not know would be answered 400, which is no evidence against it. */
function strangers(seen: Snapshot, { release }: Wanted): Decision | undefined {
  const record = seen.deployment?.record;
  const serving = record && revisionOf(seen, releaseInForce(record))?.release.hosts;
  // the first one is not there yet: nobody comes by its names
  if (!hasNewRelease(seen) || !serving || !release.hosts || record.phase === 'Installing') return undefined;
  if (release.hosts.some(host => serving.includes(host))) return undefined;
  return fail(
    'HostsDisjoint',
    `users come by ${serving.join(', ')}, and spec.exposure.hosts names none of these (${release.hosts.join(', ')}): add the new name first, remove the old one in the next change`,
  );
}

function overtaken(seen: Snapshot, { release }: Wanted): Decision | undefined {
  const record = seen.deployment?.record;
  if (!record || record.release === release.hash) return undefined;
  const goesBack = hasStable(record) && record.stable === release.hash;
  // going back to what is known to be good needs no analysis
  if (hasStable(record) && (record.phase === 'Candidate' || goesBack)) return takeBack(seen, record, release);
  if (record.phase === 'Promoting') return endOfPromotion(seen, record, release);
  return undefined;
}

/** Half of the pods are replaced already: that ends before the newest begins, if it ends by itself. */
function endOfPromotion(seen: Snapshot, record: RolloutRecord, release: Release): Decision | undefined {
  const progress = promotion(seen);
  if (progress.kind === 'proceed') return bake(seen);
  const isStuck = progress.kind === 'fail' || progress.condition.reason === 'DependencyDegraded';
  if (!isStuck || !hasStable(record)) return progress;
  // behind the fence there is nothing to go back to: the newest takes the place of what is stuck
  return passage(seen, record).isOpen ? takeBack(seen, record, release) : undefined;
}

function takeBack(seen: Snapshot, record: RolloutRecord & { stable: string }, release: Release): Decision {
  const gone = record.phase === 'Candidate' ? undefined : goneFor(seen, record.stable);
  const message = `overtaken by a newer spec${bracketed(versionOf(release.image), wordsFor(requesterOf(seen)))}`;
  return act(
    'WaitingForRollback',
    gone === undefined ? message : `${message}, which goes back although ${gone}`,
    { do: 'setRecord', record: withdraw(seen, record, 'superseded', 'WaitingForRollback', message) },
    gone === undefined ? undefined : 'Warning',
  );
}

function admit(seen: Snapshot, { release }: Wanted): Decision {
  const revision = revisionOf(seen, release.hash);
  if (!revision) {
    const requester = requesterOf(seen);
    const set = { ...refusedBefore(seen, release.hash), [ANNOTATIONS.requestedBy]: JSON.stringify(requester) };
    return act(
      'Progressing',
      `${versionOf(release.image)} is a new release${bracketed(wordsFor(requester))}`,
      { do: 'createRevision', release, revision: nextNumber(seen), set },
      'Normal',
    );
  }
  if (hasNewRelease(seen) && revision.verdict.verdict === 'rejected') return refuse(seen, revision);
  return proceed('Progressing', `${versionOf(release.image)} may begin`);
}

/** Its ControllerRevision went with the years; its verdict did not. */
function refusedBefore(seen: Snapshot, hash: string): Record<string, string | null> {
  const { deployment, incidents = [], now } = seen;
  const known = deployment?.refusals?.findLast(refusal => refusal.hash === hash);
  const tried = incidents.filter(({ release }) => release === hash).map(({ attempt }) => attempt);
  // somebody removed it by hand: what comes of it now is another incident
  if (!known) return tried.length === 0 ? {} : { [ANNOTATIONS.attempt]: String(1 + Math.max(...tried)) };
  const message = `it was rejected before (${known.reason})`;
  const { reason, token, attempt } = known;
  const verdict = { verdict: 'rejected', reason, message, at: iso(now) } as const;
  return { ...verdictAnnotations(verdict, token), [ANNOTATIONS.attempt]: String(attempt) };
}

function refuse(seen: Snapshot, { name, verdict, retryToken, release }: Revision): Decision {
  const token = seen.app.spec.rollout.retryToken;
  if (token !== undefined && token !== retryToken) return retry(seen, name, token, release.image);
  const serving = inPhase(seen, 'Settled', 'Baking') ? `${versionOf(currentImage(seen))} serves; ` : '';
  return fail(
    'ReleaseRejected',
    `${verdict.message}; ${serving}apply a new spec, or change spec.rollout.retryToken to try this one again`,
  );
}

/** The failed attempt is forgotten, not its history: events and incidents tell of it. */
function retry(seen: Snapshot, revision: string, token: string, image: string): Decision {
  const migrationId = seen.wanted.known ? seen.wanted.value.release.migrationId : undefined;
  const ended = seen.jobs.find(
    job =>
      (job.migrationId === migrationId || isBackupFor(job, wantedHash(seen))) &&
      (['succeeded', 'failed'].includes(job.state.kind) || isHanging(seen, job)),
  );
  if (ended) return act('Progressing', `Job ${ended.name} is cleared for another try`, removal(ended));
  const requester = requesterBySpec(seen);
  const message = `${versionOf(image)} is tried again${bracketed(`retryToken ${token}`, wordsFor(requester))}`;
  const set = {
    ...verdictAnnotations({ verdict: 'pending', reason: 'Progressing', message, at: iso(seen.now) }, token),
    [ANNOTATIONS.attempt]: String(1 + attemptOf(seen, wantedHash(seen) ?? '')),
    [ANNOTATIONS.requestedBy]: JSON.stringify(requester),
    [ANNOTATIONS.rehearsal]: null,
    [ANNOTATIONS.downgrade]: null,
    // asked again too: somebody may have undone it by hand
    [ANNOTATIONS.migration]: doneBefore(revisionOf(seen, wantedHash(seen))),
  };
  return act('Progressing', message, { do: 'annotateRevision', revision, set }, 'Normal');
}

/** What this release has done to the schema stays its own; the next Job does not name it again. */
function doneBefore(revision: Revision | undefined): string | null {
  const { migration, downgrade } = revision ?? {};
  if (!migration || downgrade?.result === 'Reverted' || migration.result === 'ExitCodeOnly') return null;
  return migration.applied.length > 0 ? JSON.stringify({ ...migration, result: 'Partial' }) : null;
}

const currentImage = (seen: Snapshot): string => {
  const serving = seen.deployment?.record.release;
  return revisionOf(seen, serving)?.release.image ?? serving ?? names.deployment(seen.app.metadata.name);
};
