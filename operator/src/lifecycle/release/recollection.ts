// The ControllerRevision of a release that runs is gone: somebody removed it by hand. Without it a rollback would have
// no template to go back to, so it is made again from what runs before anything else is asked.
import { about, type Interrupt } from '../decision.ts';
import { inPhase, iso, revisionOf, type Snapshot } from '../snapshot.ts';
import { verdictAnnotations } from './verdict.ts';

const { act } = about('Ready');

export const recollection: Interrupt = seen => {
  const hash = forgotten(seen);
  if (hash === undefined) return undefined;
  const isStable = hash === seen.deployment?.record.stable;
  const message = `release ${hash} was forgotten: it is written down again from what runs`;
  const verdict = {
    verdict: isStable ? 'released' : 'pending',
    reason: 'Released',
    message,
    at: iso(seen.now),
  } as const;
  const number = 1 + Math.max(0, ...seen.revisions.map(known => known.number));
  const set = verdictAnnotations(verdict, seen.app.spec.rollout.retryToken);
  return act('ReleaseForgotten', message, { do: 'recoverRevision', hash, revision: number, set }, 'Warning');
};

/** What serves, and what can be gone back to. A candidate is tried anew: it need not be recovered. */
function forgotten(seen: Snapshot): string | undefined {
  const { release, stable } = seen.deployment?.record ?? {};
  const needed = [stable, inPhase(seen, 'Candidate') ? undefined : release];
  return needed.find(hash => hash !== undefined && !revisionOf(seen, hash));
}
