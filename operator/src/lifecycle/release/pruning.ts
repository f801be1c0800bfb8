// Beside the stages: what is remembered is bounded, and what users were served by goes last.
//   a. releases that served: as many as revisionHistoryLimit, besides the one that serves and the one that is asked for
//   b. releases that never did: three; that they were refused is kept on the Deployment, or they would be tried again
//   c. incidents, and what was held or an outage: spec.rollout.incidents says how many and for how long
import type { Refusal } from '../../api/incident.ts';
import { ANNOTATIONS } from '../../objects/names.ts';
import { about, type Decision, type Interrupt } from '../decision.ts';
import { inherited } from '../schema/result.ts';
import { inPhase, type Revision, revisionOf, type Snapshot, wantedHash } from '../snapshot.ts';

const { act } = about('Ready');

const UNSERVED = 3;
const REFUSALS = 100;
const DAY_MS = 24 * 3_600_000;

export const pruning: Interrupt = seen => {
  if (!inPhase(seen, 'Settled')) return undefined;
  return releases(seen) ?? incidents(seen);
};

function releases(seen: Snapshot): Decision | undefined {
  const { record } = seen.deployment ?? {};
  const keep = [record?.release, record?.stable, wantedHash(seen)];
  const past = seen.revisions.filter(({ release: { hash } }) => !keep.includes(hash));
  const limit = seen.app.spec.rollout.revisionHistoryLimit;
  const oldest =
    beyond(past.filter(hasServed), limit) ??
    beyond(
      past.filter(one => !hasServed(one)),
      UNSERVED,
    );
  if (!oldest) return undefined;
  const keeper = revisionOf(seen, record?.release);
  const gone = keeper && inherited(keeper, oldest);
  if (gone)
    return act('AsExpected', `what ${oldest.name} took out of the schema is remembered`, {
      do: 'annotateRevision',
      revision: keeper.name,
      set: { [ANNOTATIONS.gone]: JSON.stringify(gone) },
    });
  const refusals = refusalsWith(seen, oldest);
  if (refusals)
    return act('AsExpected', `it is kept that ${oldest.name} was refused`, { do: 'rememberRefusals', refusals });
  return act('AsExpected', `${oldest.name} is beyond the history that is kept`, {
    do: 'deleteRevision',
    revision: oldest.name,
  });
}

const hasServed = ({ verdict, served }: Revision): boolean => verdict.verdict === 'released' || served !== undefined;

const beyond = <T>(oldestFirst: readonly T[], limit: number): T | undefined =>
  oldestFirst.length > limit ? oldestFirst[0] : undefined;

/** Undefined where what is kept says it already. */
function refusalsWith(seen: Snapshot, { release: { hash }, verdict, attempt = 1, retryToken }: Revision) {
  const known = seen.deployment?.refusals ?? [];
  const own: readonly Refusal[] =
    verdict.verdict === 'rejected'
      ? [{ hash, reason: verdict.reason, attempt, ...(retryToken !== undefined && { token: retryToken }) }]
      : [];
  const before = known.filter(one => one.hash === hash);
  const isKept = before.length === own.length && own.every(one => before.some(kept => isSame(one, kept)));
  return isKept ? undefined : [...known.filter(one => one.hash !== hash), ...own].slice(-REFUSALS);
}

const isSame = (a: Refusal, b: Refusal): boolean =>
  a.reason === b.reason && a.attempt === b.attempt && a.token === b.token;

function incidents({ incidents: ends = [], standing = [], app, now }: Snapshot): Decision | undefined {
  const { limit, days } = app.spec.rollout.incidents;
  const all = [...ends, ...standing].sort((a, b) => (a.at < b.at ? -1 : 1));
  const [oldest] = all;
  if (!oldest || (all.length <= limit && now - Date.parse(oldest.at) <= days * DAY_MS)) return undefined;
  return act('AsExpected', `${oldest.name} is beyond the history that is kept`, {
    do: 'deleteRevision',
    revision: oldest.name,
  });
}
