// Going back past something that was taken away. While a candidate is on trial there is no fence: the stable pods serve
// on the changed schema at that very moment, and taking the candidate out can only help. Once they are replaced, what
// they answered then is the evidence: it has to pass the test that a release has to pass. Without it nothing comes back
// by itself, for the release that would come back may be worse than the bad one.
import type { Contract, RolloutRecord } from '../../api/rollout.ts';
import { about, type Decision } from '../decision.ts';
import { grouped, hasNewRelease, revisionOf, type Snapshot, versionIn } from '../snapshot.ts';
import { consent, isAgreedTo } from './behind.ts';
import { goneBy, named, resultOf } from './result.ts';

const { act, fail } = about('AnalysisPassed');

type Replacing = RolloutRecord & { stable: string };

/** `words`: why it is open or closed, for people; absent where nothing was taken away. */
export interface Passage {
  readonly isOpen: boolean;
  readonly words?: string;
}

/** Whether the stable release may come back by itself. */
export function passage(seen: Snapshot, record: Replacing): Passage {
  const ids = contractsSince(seen, record.stable);
  if (record.phase === 'Candidate' || ids.length === 0) return { isOpen: true };
  const back = versionIn(seen, record.stable);
  const { served = { requests: 0, errors: 0 }, proven = false } = coversAll(record.contract, ids) ?? {};
  const figures = `${back} answered ${grouped(served.requests)} requests on this schema, ${served.errors} of them 5xx`;
  if (proven) return { isOpen: true, words: figures };
  const gone = wordsFor(seen, ids);
  if (isAgreedTo(seen, record.stable, ids)) return { isOpen: true, words: `a person agreed to go back past ${gone}` };
  return {
    isOpen: false,
    words: `not taken back: ${gone} took something away, and ${figures}: not enough to tell that it does well. Apply a release that mends it; or annotate ${consent(record.stable, ids)} to go back all the same`,
  };
}

/**
 * The answer to a bad release behind the fence; undefined where a newer spec goes ahead, with the bad release as what
 * serves beside it. In a promotion holding takes a write, or the Deployment controller would go on.
 */
export function fenced(seen: Snapshot, record: Replacing, fault: string, why: string): Decision | undefined {
  if (hasNewRelease(seen)) return undefined;
  const message = `${fault}; ${why}`;
  if (record.phase !== 'Promoting' || record.held) return fail('RollbackFenced', message);
  return act('RollbackFenced', message, { do: 'setRecord', record: { ...record, held: true } }, 'Warning');
}

/** With the promotion: what the stable pods answered since, beside the candidate. Evidence and promotion are one write. */
export function contractOf(seen: Snapshot, { stable }: RolloutRecord): Contract | undefined {
  const ids = stable === undefined ? [] : contractsSince(seen, stable);
  if (ids.length === 0) return undefined;
  const { baseline: { requests, errors } = { requests: 0, errors: 0 }, baselineIsGood } = seen.judgement ?? {};
  return { ids, served: { requests, errors }, proven: baselineIsGood ?? false };
}

/** What a person who goes back anyway is told; undefined where nothing is gone. */
export function goneFor(seen: Snapshot, hash: string): string | undefined {
  const ids = contractsSince(seen, hash);
  return ids.length > 0 ? `${wordsFor(seen, ids)} took something away since` : undefined;
}

/** Taken away by order of other releases since the database last told this one that it is up to date. Jobs end by the second. */
function contractsSince(seen: Snapshot, hash: string): readonly string[] {
  const revision = revisionOf(seen, hash);
  const known = revision && resultOf(seen, revision);
  const since = known ? Date.parse(known.finishedAt) : 0;
  const others = [
    ...seen.revisions.flatMap(known => (known.release.hash === hash ? (known.gone ?? []) : goneBy(known))),
    ...(seen.databaseSharedWith ?? []).flatMap(({ contracts }) => contracts),
  ];
  const ids = others.filter(({ at }) => Date.parse(at) >= since).flatMap(gone => gone.ids);
  return [...new Set(ids)].sort();
}

/** Evidence from before a further contract proves nothing. */
const coversAll = (contract: Contract | undefined, ids: readonly string[]): Contract | undefined =>
  contract && ids.every(id => contract.ids.includes(id)) ? contract : undefined;

/** Some Job may have said before what they take away. */
function wordsFor({ revisions }: Snapshot, ids: readonly string[]): string {
  const told = revisions.flatMap(({ migration }) => migration?.withheld ?? []);
  return ids.map(id => named(told.filter(one => one.id === id).slice(0, 1)) || id).join(', ');
}
