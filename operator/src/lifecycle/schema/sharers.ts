// Other resources on the same database: whoever reads the same tables lives with what is taken away. All have to agree
// to it, and none may still serve with an image from before its agreement.
import { about, type Decision } from '../decision.ts';
import { type Revision, type Snapshot, taskText } from '../snapshot.ts';

const { wait } = about('Migrated');

/** Who has not agreed, in words; undefined where everybody has. */
export function disagreement({ databaseSharedWith = [] }: Snapshot, ids: readonly string[]): string | undefined {
  const other = databaseSharedWith.find(({ allow }) => !ids.every(id => allow.includes(id)));
  if (!other) return undefined;
  const missing = ids.filter(id => !other.allow.includes(id)).join(', ');
  return `${other.name} uses the same database and has not agreed to ${missing}: add it to its spec.migrations.contract.allow, too`;
}

/** Another's spec agrees to what its newest release can do without; the pods of the one before cannot. */
export function unrest({ databaseSharedWith = [] }: Snapshot): string | undefined {
  const other = databaseSharedWith.find(({ isAtRest }) => !isAtRest);
  return other && `${other.name} uses the same database, and the release that its spec names does not serve alone yet`;
}

/** After a bake. What has begun is written down when it ends. */
export function onItsWay(
  seen: Snapshot,
  { release: { hash } }: Revision,
  ids: readonly string[],
): Decision | undefined {
  const words = unrest(seen);
  const text = taskText({ direction: 'contract', ids });
  if (words === undefined || seen.jobs.some(({ task, release }) => task === text && release === hash)) return undefined;
  return wait('QueuedBehind', words, 5_000);
}

/** Before a release that takes something away with its own Job: it waits, and goes on by itself. */
export function heldBySharers(seen: Snapshot, ids: readonly string[]): Decision | undefined {
  if (ids.length === 0) return undefined;
  const missing = disagreement(seen, ids);
  if (missing !== undefined) return wait('ContractNotAgreed', missing, 5_000);
  const words = unrest(seen);
  if (words === undefined) return undefined;
  return wait('QueuedBehind', `${words}; where both wait for each other, say contract.when: AfterBake in one`, 5_000);
}
