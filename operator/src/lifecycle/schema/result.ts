// What is known of a database's schema: the verdicts of migration Jobs, as the releases' revisions keep them.
import { shownMigration } from '../../api/words.ts';
import {
  type ContractFailure,
  type Gone,
  iso,
  type JobVerdict,
  type JobView,
  type MigrationResult,
  type More,
  type Revision,
  revisionOf,
  type Snapshot,
  type Withheld,
} from '../snapshot.ts';

/** The words with which `migrate up` says that nothing is left to do; the second: but what takes something away. */
const UP_TO_DATE = 'up to date';
const EXPANDED = 'expanded';
export const isDone = ({ result }: JobVerdict): boolean => result === UP_TO_DATE || result === EXPANDED;

/** Its own, or that of a release with the same image, command and database. */
export const resultOf = (seen: Snapshot, revision: Revision): MigrationResult | undefined =>
  revision.migration ??
  seen.revisions.find(({ migration }) => migration?.id === revision.release.migrationId)?.migration;

/** Epoch milliseconds at which the schema last lost something: what was said of it before need not hold any more. */
export const changedAt = ({ revisions, databaseSharedWith = [] }: Snapshot): number =>
  Math.max(
    0,
    ...databaseSharedWith.flatMap(({ contracts }) => contracts.map(({ at }) => Date.parse(at))),
    ...revisions.flatMap(revision => [...goneBy(revision).map(({ at }) => Date.parse(at)), ...undoneBy(revision)]),
  );

const undoneBy = ({ downgrade }: Revision): number[] =>
  downgrade?.result === 'Reverted' ? [Date.parse(downgrade.at)] : [];

/**
 * Said for a release that was left since: whoever went back may have undone its migrations by hand, as the runbook
 * tells. Coming forward again the database is asked anew. Going back asks nobody: what an earlier release needs was
 * needed by the later one, and the way back must not hang on a Job.
 */
export function isOutdated(seen: Snapshot, revision: Revision): boolean {
  const { verdict, migration } = revision;
  const record = seen.deployment?.record;
  if (!record || !migration || verdict.verdict === 'pending' || migration.phaseSince === record.since) return false;
  const serving = revisionOf(seen, record.release);
  const told = serving && resultOf(seen, serving);
  if (!told || knowsNot(told, migration)) return true;
  if (told.id === migration.id || knowsNot(migration, told)) return false;
  const laterMs = Date.parse(migration.finishedAt) - Date.parse(told.finishedAt);
  return (laterMs || revision.number - serving.number) > 0;
}

/** Whose image does not know what the other one did is the earlier of two. */
const knowsNot = ({ ahead = [] }: MigrationResult, { applied, contracted = [] }: MigrationResult): boolean =>
  [...applied, ...contracted].some(id => ahead.includes(id));

/** Epoch milliseconds at which the last of it was said; a Job that ended then says nothing new. */
export const outdatedAt = (seen: Snapshot, id: string): number =>
  Math.max(
    0,
    ...seen.revisions
      .filter(one => one.migration?.id === id && one.migration.result !== 'Partial' && isOutdated(seen, one))
      .map(({ migration }) => Date.parse(migration?.finishedAt ?? '')),
  );

/** What went by order of a release, and what it remembers of others. */
export function goneBy({ migration, gone }: Revision): Gone[] {
  const { contracted = [], contractedAt } = migration ?? {};
  const own = contractedAt === undefined ? [] : [{ ids: contracted, at: contractedAt }];
  return gone ? [...own, gone] : own;
}

/** Migrations that ever took something away by order of a release of this resource, or of another on its database. */
export const everContracted = ({
  revisions,
  databaseSharedWith = [],
}: Pick<Snapshot, 'revisions' | 'databaseSharedWith'>): ReadonlySet<string> =>
  new Set([
    ...revisions.flatMap(revision => [...(revision.migration?.contracted ?? []), ...(revision.gone?.ids ?? [])]),
    ...databaseSharedWith.flatMap(({ contracts }) => contracts.flatMap(({ ids }) => ids)),
  ]);

/** So many names are remembered of what releases took away that are past; the newest by their dates. */
const REMEMBERED = 500;

/** What `keeper` has to remember when `past` is forgotten; undefined where it knows all of it. */
export function inherited(keeper: Revision, past: Revision): Gone | undefined {
  const known = new Set(goneBy(keeper).flatMap(({ ids }) => ids));
  const lost = goneBy(past);
  if (lost.every(({ ids }) => ids.every(id => known.has(id)))) return undefined;
  const all = [...(keeper.gone ? [keeper.gone] : []), ...lost];
  const ids = [...new Set(all.flatMap(one => one.ids))].sort().slice(-REMEMBERED);
  return {
    ids,
    at:
      all
        .map(({ at }) => at)
        .sort()
        .at(-1) ?? '',
  };
}

/** What waits, by whether the spec agrees to it. */
export function waiting(
  { app }: Pick<Snapshot, 'app'>,
  result: MigrationResult | undefined,
): { readonly agreed: readonly Agreed[]; readonly others: readonly Withheld[] } {
  const allowed = new Map(app.spec.migrations.contract.allow.map(name => [shownMigration(name), name]));
  const withheld = result?.withheld ?? [];
  return {
    agreed: withheld.flatMap(one => {
      const name = allowed.get(one.id);
      return name === undefined ? [] : [{ ...one, name }];
    }),
    others: withheld.filter(({ id }) => !allowed.has(id)),
  };
}

/** `name`: as the spec has it, where `id` is what is shown of it. */
export type Agreed = Withheld & { readonly name: string };

/** So many are named to people. */
const MOST_SAID = 10;

/** "20261128_a, 20261128_b"; of many the newest, and how many others there are. */
export function listed(ids: readonly string[], unnamed = 0): string {
  const others = Math.max(0, ids.length - MOST_SAID) + unnamed;
  return `${ids.slice(-MOST_SAID).join(', ')}${others > 0 ? ` and ${others} more` : ''}`;
}

/** "20261128_drop (takes away column t.titulo), …" */
export const named = (list: readonly Withheld[], unnamed = 0): string =>
  `${list.map(({ id, what }) => `${id} (${what})`).join(', ')}${unnamed > 0 ? ` and ${unnamed} more` : ''}`;

/** What a Job said, added to what Jobs said before it in the same matter. */
export function resultFrom(
  job: JobView,
  database: string,
  endedAt: number,
  verdict: JobVerdict | undefined,
  before?: MigrationResult,
): MigrationResult {
  const finishedAt = iso(endedAt);
  const { contracted = [], irreversible = [], ahead = [] } = verdict ?? {};
  const both = (a: readonly string[] = [], b: readonly string[] = []): string[] => [...new Set([...a, ...b])];
  const all = both(before?.contracted, contracted);
  return {
    id: before?.id ?? job.migrationId,
    jobName: job.name,
    ...(database !== '' && { database }),
    result: resultWord(verdict),
    applied: both(before?.applied, verdict?.applied),
    ...(verdict?.withheld && { withheld: verdict.withheld, contracted: all }),
    ...(verdict?.withheld && { irreversible: both(before?.irreversible, irreversible) }),
    ...(ahead.length > 0 && { ahead }),
    ...moreOf(before?.more, verdict?.more),
    ...(contracted.length > 0
      ? { contractedAt: finishedAt }
      : before?.contractedAt && { contractedAt: before.contractedAt }),
    ...(before?.backup && { backup: before.backup }),
    finishedAt,
  };
}

/** What several Jobs left unnamed adds up; what waits and what is unknown is as the last one found it. */
function moreOf(before: More = {}, { pending: _left, ...now }: More = {}): { more?: More } {
  const sum = (name: 'applied' | 'contracted' | 'irreversible') => (before[name] ?? 0) + (now[name] ?? 0);
  const sums = { applied: sum('applied'), contracted: sum('contracted'), irreversible: sum('irreversible') };
  const found = Object.entries({ ...now, ...sums }).filter(([, count]) => count > 0);
  return found.length > 0 ? { more: Object.fromEntries(found) } : {};
}

function resultWord(verdict: JobVerdict | undefined): MigrationResult['result'] {
  if (!verdict) return 'ExitCodeOnly';
  return verdict.result === EXPANDED ? 'Expanded' : 'UpToDate';
}

/** Whether this very try has failed, and neither what is asked for nor spec.rollout.retryToken has changed since. */
export const stillFails = (
  { app }: Snapshot,
  failure: ContractFailure | undefined,
  ids: readonly string[],
): failure is ContractFailure =>
  failure !== undefined &&
  failure.retryToken === app.spec.rollout.retryToken &&
  [...failure.ids].sort().join() === [...ids].sort().join();
