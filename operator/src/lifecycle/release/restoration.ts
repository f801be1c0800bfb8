// The Deployment, or the record on it, is gone: somebody removed it by hand. What was found good last serves again
// before anything else is asked; what the spec wants is tried after that, as ever.
import { about, type Interrupt } from '../decision.ts';
import { iso, type Revision, type Snapshot, versionOf } from '../snapshot.ts';

const { act } = about('Ready');

export const restoration: Interrupt = seen => {
  const last = lastReleased(seen);
  if (seen.deployment || !last) return undefined;
  const { hash, image } = last.release;
  return act(
    'PodsUnavailable',
    `the Deployment was removed: ${versionOf(image)} serves again`,
    { do: 'setRecord', record: { phase: 'Settled', release: hash, stable: hash, since: iso(seen.now) } },
    'Warning',
  );
};

/** The release that was found good last. */
export const lastReleased = ({ revisions }: Snapshot): Revision | undefined =>
  revisions
    .filter(({ verdict }) => verdict.verdict === 'released')
    .sort((a, b) => (a.verdict.at < b.verdict.at ? -1 : 1))
    .at(-1);
