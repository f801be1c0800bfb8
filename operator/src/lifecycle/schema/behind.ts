// Going back to an image that does not know of a migration that took something away: its code asks for what is gone.
// A person may still want it, and says so by naming the release and the newest of these migrations.
import { ANNOTATIONS } from '../../objects/names.ts';
import { about, type Decision } from '../decision.ts';
import type { MigrationResult, Revision, Snapshot } from '../snapshot.ts';
import { everContracted } from './result.ts';

const { fail } = about('Migrated');

export function behind(seen: Snapshot, { release }: Revision, { ahead = [] }: MigrationResult): Decision | undefined {
  const contracted = everContracted(seen);
  const gone = ahead.filter(id => contracted.has(id));
  if (gone.length === 0 || isAgreedTo(seen, release.hash, gone)) return undefined;
  return fail(
    'BehindContract',
    `${release.image} does not know of what was taken away since: ${gone.join(', ')}; apply a newer image, or annotate ${consent(release.hash, gone)} to run it all the same`,
  );
}

/** `devshelf.dev/past-contract=HASH/ID`: to no later contract, and to no other release. */
export const consent = (hash: string, ids: readonly string[]): string =>
  `${ANNOTATIONS.pastContract}=${hash}/${[...ids].sort().at(-1) ?? ''}`;

export const isAgreedTo = ({ app }: Snapshot, hash: string, ids: readonly string[]): boolean =>
  consent(hash, ids) === `${ANNOTATIONS.pastContract}=${app.metadata.annotations[ANNOTATIONS.pastContract]}`;
