// What a person decides about one release: an annotation of the resource names it by its hash. Taken up once: the answer
// is remembered in the same write as its effect, so what stays in the annotation, or comes again, does nothing.
//   promote  what is held goes on. Bad figures, under the policy Hold only, take the word `despite-evidence`
//   hold     a candidate stays on trial until promote, reject or a newer spec; one that turns bad is still taken back
//   reject   it goes back to what served before, and stays rejected until spec.rollout.retryToken changes
// What cannot be done is refused in words, and that is an answer, too.
import type { Decider } from '../../api/incident.ts';
import { type AnsweredRequest, DESPITE, type PromotedByHand, type RolloutRecord } from '../../api/rollout.ts';
import { type Announcement, about, type Decision, type Interrupt } from '../decision.ts';
import { bracketed, type GateRequest, openRequest } from '../requested.ts';
import { passage } from '../schema/fence.ts';
import {
  inPhase,
  iso,
  podsOf,
  type Revision,
  revisionOf,
  type Snapshot,
  versionIn,
  versionOf,
  wantedHash,
} from '../snapshot.ts';
import { promoted } from './promotion.ts';
import { hasStable, withdraw } from './withdrawal.ts';

const { act } = about('AnalysisPassed');

/** @returns undefined where nothing is asked, or cannot be answered yet */
export const gates: Interrupt = seen => gateOf(seen, undefined);

/** `fault`: why the release, which stays where it is, is bad. */
export function gateOf(seen: Snapshot, fault: string | undefined): Decision | undefined {
  const record = seen.deployment?.record;
  if (!record || inPhase(seen, 'RollingBack', 'RollingBackAll')) return undefined;
  // the careful one first
  return reject(seen, record) ?? hold(seen, record) ?? promote(seen, record, fault);
}

// ---- reject

function reject(seen: Snapshot, record: RolloutRecord): Decision | undefined {
  const asked = openRequest(seen, 'reject');
  if (!asked) return undefined;
  if (asked.hash !== record.release) return refuse(seen, record, asked, otherRelease(seen, record, asked));
  const version = versionIn(seen, record.release);
  const back = backOf(seen, record);
  if (back === undefined) {
    const why = `${version} has none before it that is remembered: apply another spec, it is tried like any other`;
    return refuse(seen, record, asked, why);
  }
  const from = { ...record, stable: back };
  // its template is needed, and is made again from what runs (recollection)
  if (record.phase !== 'Candidate' && !revisionOf(seen, back)) return undefined;
  const way = passage(seen, from);
  if (!way.isOpen) return refuse(seen, record, asked, `${version} stays: ${way.words ?? ''}`);
  const where = record.phase === 'Candidate' ? 'serves on' : 'is coming back';
  const message = `${version} is rejected${askedBy(asked)}; ${versionIn(seen, back)} ${where}`;
  const next = withdraw(seen, from, 'rejected', 'RejectedByHand', message, undefined, deciderOf(asked));
  return answer(seen, next, asked, { reason: 'RejectedByHand', message, type: 'Warning' });
}

/** What serves beside it or served before it; of one that is long stable, the one that was found good last before. */
function backOf(seen: Snapshot, record: RolloutRecord): string | undefined {
  if (record.phase !== 'Settled') return hasStable(record) ? record.stable : undefined;
  const good = seen.revisions.filter(
    ({ verdict, release }) => verdict.verdict === 'released' && release.hash !== record.release,
  );
  return good.sort((a, b) => (servedFrom(a) < servedFrom(b) ? -1 : 1)).at(-1)?.release.hash;
}

const servedFrom = ({ served, verdict }: Revision): string => served?.from ?? verdict.at;

// ---- hold

function hold(seen: Snapshot, record: RolloutRecord): Decision | undefined {
  const asked = openRequest(seen, 'hold');
  if (!asked) return undefined;
  // it will be one: it is held then
  const isComing = asked.hash === wantedHash(seen) && asked.hash !== record.release;
  if (isComing && revisionOf(seen, asked.hash)?.verdict.verdict !== 'rejected') return undefined;
  if (asked.hash !== record.release) return refuse(seen, record, asked, otherRelease(seen, record, asked));
  const version = versionIn(seen, record.release);
  if (record.phase !== 'Candidate')
    return refuse(seen, record, asked, `${version} is no candidate any more: reject takes it back`);
  const heldBy = `asked for${byWhom(asked)} at ${iso(seen.now)}`;
  const message = `${version} is held on trial${askedBy(asked)}; a regression is still taken back`;
  return answer(seen, { ...record, heldBy }, asked, { reason: 'Held', message, type: 'Normal' });
}

// ---- promote

function promote(seen: Snapshot, record: RolloutRecord, fault: string | undefined): Decision | undefined {
  const asked = openRequest(seen, 'promote');
  if (!asked) return undefined;
  if (asked.hash !== record.release) return refuse(seen, record, asked, otherRelease(seen, record, asked));
  if (seen.app.spec.paused) return refuse(seen, record, asked, 'spec.paused is true: resume first');
  const known = faultOf(seen, record, fault);
  if (known !== undefined) return despite(seen, record, asked, known);
  if (record.phase === 'Candidate') return candidatePromoted(seen, record, asked);
  const version = versionIn(seen, record.release);
  if (isBlindBake(seen, record)) return letOn(seen, { ...record }, asked, undefined);
  return refuse(seen, record, asked, `${version} is not held: there is nothing to promote (${record.phase})`);
}

/** Bad, by its figures or by what its pods do; held in the middle of its promotion it was found bad before. */
function faultOf({ judgement }: Snapshot, record: RolloutRecord, fault: string | undefined): string | undefined {
  if (fault !== undefined) return fault;
  if (judgement?.verdict === 'Bad' && judgement.release === record.release) return judgement.message;
  return record.held ? 'it was found bad in the middle of its promotion' : undefined;
}

function despite(seen: Snapshot, record: RolloutRecord, asked: GateRequest, fault: string): Decision {
  const { policy } = seen.app.spec.rollout.analysis;
  const version = versionIn(seen, record.release);
  if (!hasStable(record)) return refuse(seen, record, asked, `${version} is the first release: nothing holds it`);
  if (policy === 'Rollback')
    return refuse(
      seen,
      record,
      asked,
      `${version} is bad (${fault}), and analysis.policy is Rollback: it is never promoted; apply a release that mends it`,
    );
  if (policy === 'Hold' && !asked.isDespite)
    return refuse(
      seen,
      record,
      asked,
      `${version} is bad (${fault}): say "${asked.hash} TIME ${DESPITE}" to promote it all the same`,
    );
  if (record.phase === 'Candidate')
    return readyOr(seen, record, asked) ?? letOn(seen, promoted(seen, record), asked, fault);
  const { held: _decided, ...rest } = record;
  return letOn(seen, record.held ? { ...rest, since: iso(seen.now) } : rest, asked, fault);
}

function candidatePromoted(seen: Snapshot, record: RolloutRecord, asked: GateRequest): Decision | undefined {
  const version = versionIn(seen, record.release);
  const isOff = seen.app.spec.rollout.analysis.policy === 'Disabled';
  const judged = seen.judgement?.release === record.release ? seen.judgement : undefined;
  // an operator that has just started has read nothing yet
  if (!judged && !isOff) return undefined;
  if (judged?.verdict === 'DependencyDegraded' || judged?.verdict === 'Overloaded')
    return refuse(seen, record, asked, `${version} waits: ${judged.message}; ask again when that is over`);
  const isHeld = record.heldBy !== undefined || judged?.verdict === 'Insufficient' || judged?.verdict === 'Blind';
  if (!isHeld)
    return refuse(seen, record, asked, `${version} is being judged, and held by nobody: ask again when it is held`);
  return readyOr(seen, record, asked) ?? letOn(seen, promoted(seen, record), asked, undefined);
}

function readyOr(seen: Snapshot, record: RolloutRecord, asked: GateRequest): Decision | undefined {
  const pods = podsOf(seen, record.release);
  const wanted = Math.min(seen.app.spec.rollout.canaryReplicas, seen.deployment?.wantedReplicas ?? 1);
  const ready = pods.filter(pod => pod.ready).length;
  if (ready >= Math.max(1, wanted)) return undefined;
  const why = `${versionIn(seen, record.release)}: ${ready} of ${wanted} candidate pods ready; ask again when they are`;
  return refuse(seen, record, asked, why);
}

const isBlindBake = ({ judgement, app }: Snapshot, { phase }: RolloutRecord): boolean =>
  phase === 'Baking' && judgement?.verdict === 'Blind' && app.spec.rollout.analysis.onBlind === 'Hold';

function letOn(seen: Snapshot, next: RolloutRecord, asked: GateRequest, fault: string | undefined): Decision {
  const before = seen.deployment?.record.phase ?? next.phase;
  const byHand: PromotedByHand = {
    ...{ at: iso(seen.now), phase: before, text: asked.request },
    ...(asked.by !== undefined && { by: asked.by }),
    ...(fault !== undefined && { despite: fault }),
  };
  const { heldBy: _over, ...rest } = next;
  const figures = fault ?? seen.judgement?.message ?? 'analysis is off';
  const message = `${versionIn(seen, next.release)} is promoted${askedBy(asked)}${fault === undefined ? '' : ' in spite of its figures'}: ${figures}`;
  const type = fault === undefined ? 'Normal' : 'Warning';
  return answer(seen, { ...rest, byHand }, asked, { reason: 'Promoting', message, type });
}

// ---- answers

const byWhom = ({ by }: GateRequest): string => (by === undefined ? '' : ` by ${by}`);
const askedBy = (asked: GateRequest): string => bracketed(`asked for${byWhom(asked)}: ${asked.request}`);
const deciderOf = ({ by, request: text }: GateRequest): Decider => ({
  who: 'person',
  ...(by !== undefined && { by }),
  text,
});

/** Names what is there: by that the right request can be made. */
function otherRelease(seen: Snapshot, record: RolloutRecord, { hash }: GateRequest): string {
  const there = `${record.release} (${versionIn(seen, record.release)}, ${record.phase})`;
  const known = revisionOf(seen, hash);
  if (!known) return `it is about a release that is not known here; what is there is ${there}`;
  const version = versionOf(known.release.image);
  if (known.verdict.verdict === 'rejected')
    return `${version} was rejected: change spec.rollout.retryToken to try it again; what is there is ${there}`;
  if (hash === wantedHash(seen))
    return `${version} has no pod that serves yet: ask again when it is the candidate, or apply the earlier spec; what is there is ${there}`;
  return `${version} is not the release that is there; that is ${there}`;
}

function refuse(seen: Snapshot, record: RolloutRecord, asked: GateRequest, why: string): Decision {
  const message = `${asked.gate} was refused${askedBy(asked)}: ${why}`;
  return answer(seen, record, asked, { reason: 'RequestRefused', message, type: 'Warning' });
}

/** Of a message as much is remembered with the record. */
const MAX_ANSWER = 400;

function answer(
  seen: Snapshot,
  record: RolloutRecord,
  { gate, request }: GateRequest,
  { reason, message, type }: Announcement,
): Decision {
  const result = reason === 'RequestRefused' ? 'Refused' : 'Done';
  const known: AnsweredRequest = { request, result, at: iso(seen.now), message: message.slice(0, MAX_ANSWER) };
  const asked = { ...record.asked, [gate]: known };
  return act(reason, message, { do: 'setRecord', record: { ...record, asked } }, type);
}
