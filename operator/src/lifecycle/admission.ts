// May the release that the spec asks for begin?
//   a. what is left of a release that is no longer wanted goes first
//   b. the release before it has left, or has been promoted
//   c. it was not rejected before, unless spec.rollout.retryToken changed since
//   d. it is written down as a ControllerRevision: from here on its pods are never rendered again

import type { RolloutRecord } from '../api/rollout.ts';
import { ANNOTATIONS, names } from '../objects/names.ts';
import { bake } from './bake.ts';
import { about, type Decision, type Stage } from './decision.ts';
import { promotion } from './promotion.ts';
import {
  hasNewRelease,
  inPhase,
  iso,
  type Revision,
  revisionOf,
  type Snapshot,
  versionOf,
  type Wanted,
  wantedHash,
} from './snapshot.ts';
import { verdictAnnotations } from './verdict.ts';
import { hasStable, withdraw } from './withdrawal.ts';

const { act, fail, proceed } = about('Ready');

export const admission: Stage = seen => {
  const { wanted } = seen;
  if (!wanted.known) return proceed('Progressing', 'the rollout that has begun goes on');
  return leftOver(seen) ?? overtaken(seen, wanted.value) ?? admit(seen, wanted.value);
};

/** A rehearsal pod of another release, of one that serves already, or of one that failed: the next try has its own. */
function leftOver(seen: Snapshot): Decision | undefined {
  const wanted = wantedHash(seen);
  const over = !hasNewRelease(seen) || revisionOf(seen, wanted)?.verdict.verdict === 'rejected';
  const stale = seen.rehearsals.find(pod => !pod.deleting && (over || pod.release !== wanted));
  if (!stale) return undefined;
  return act('Progressing', `rehearsal pod ${stale.name} is no longer needed`, {
    do: 'deletePod',
    pod: stale.name,
    uid: stale.uid,
  });
}

function overtaken(seen: Snapshot, { release }: Wanted): Decision | undefined {
  const record = seen.deployment?.record;
  if (!record || record.release === release.hash) return undefined;
  const goesBack = hasStable(record) && record.stable === release.hash;
  // going back to what is known to be good needs no analysis
  if (hasStable(record) && (record.phase === 'Candidate' || goesBack)) return takeBack(seen, record, release.image);
  if (record.phase === 'Promoting') return endOfPromotion(seen);
  return undefined;
}

/** Half of the pods are replaced already: that ends before the newest begins. */
function endOfPromotion(seen: Snapshot): Decision {
  const progress = promotion(seen);
  return progress.kind === 'proceed' ? bake(seen) : progress;
}

function takeBack(seen: Snapshot, record: RolloutRecord & { stable: string }, image: string): Decision {
  const message = `overtaken by a newer spec (${versionOf(image)})`;
  return act('WaitingForRollback', message, {
    do: 'setRecord',
    record: withdraw(seen, record, 'superseded', 'WaitingForRollback', message),
  });
}

function admit(seen: Snapshot, { release }: Wanted): Decision {
  const revision = revisionOf(seen, release.hash);
  const number = 1 + Math.max(0, ...seen.revisions.map(known => known.number));
  if (!revision) {
    return act(
      'Progressing',
      `${versionOf(release.image)} is a new release`,
      { do: 'createRevision', release, revision: number },
      'Normal',
    );
  }
  if (hasNewRelease(seen) && revision.verdict.verdict === 'rejected') return refuse(seen, revision);
  return proceed('Progressing', `${versionOf(release.image)} may begin`);
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
    job => job.migrationId === migrationId && ['succeeded', 'failed'].includes(job.state.kind),
  );
  if (ended) {
    return act('Progressing', `Job ${ended.name} is cleared for another try`, {
      do: 'deleteJob',
      job: ended.name,
      uid: ended.uid,
    });
  }
  const message = `${versionOf(image)} is tried again (retryToken ${token})`;
  const set = {
    ...verdictAnnotations({ verdict: 'pending', reason: 'Progressing', message, at: iso(seen.now) }, token),
    [ANNOTATIONS.rehearsal]: null,
    // asked again too: somebody may have undone it by hand
    [ANNOTATIONS.migration]: null,
  };
  return act('Progressing', message, { do: 'annotateRevision', revision, set }, 'Normal');
}

const currentImage = (seen: Snapshot): string => {
  const serving = seen.deployment?.record.release;
  return revisionOf(seen, serving)?.release.image ?? serving ?? names.deployment(seen.app.metadata.name);
};
