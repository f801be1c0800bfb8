// PURE: what a person decides about one release -> the annotation that says so, or why not. The operator answers it, in
// status.requests; what it would refuse for certain is refused here, before anything is written.
import { isHeldReason } from '../../api/reasons.ts';
import { DESPITE, type Gate } from '../../api/rollout.ts';
import { ANNOTATIONS } from '../../objects/names.ts';
import { type SeenResource, stalledBy } from './status.ts';

export type Ask = {
  readonly is: 'ask';
  readonly gate: Gate;
  readonly annotation: string;
  /** The annotation's text begins with this; the operator's answer is known by it. */
  readonly begins: string;
  readonly text: string;
  /** For people. */
  readonly what: string;
};
type No = { readonly is: 'refused'; readonly why: string };

export type Asking = {
  /** Epoch milliseconds. */
  readonly now: number;
  readonly despiteEvidence: boolean;
  readonly because?: string | undefined;
};

export function gateAsk(gate: Gate, seen: SeenResource, how: Asking): Ask | No {
  const found = TARGETS[gate](seen, how);
  if ('why' in found) return { is: 'refused', why: found.why };
  const begins = `${found.hash} ${new Date(how.now).toISOString()}`;
  const words = [how.despiteEvidence ? DESPITE : '', how.because?.replace(/\s+/g, ' ').trim() ?? ''];
  const text = [begins, ...words].filter(word => word !== '').join(' ');
  const annotation = ANNOTATIONS[gate];
  return { is: 'ask', gate, annotation, begins, text, what: `${found.what} (${annotation}="${text}")` };
}

type Target = { readonly hash: string; readonly what: string } | { readonly why: string };

const TARGETS: Readonly<Record<Gate, (seen: SeenResource, how: Asking) => Target>> = {
  promote: (seen, { despiteEvidence }) => {
    const tried = triedIn(seen);
    if (!tried) return { why: 'no release is on trial: there is nothing to promote' };
    if (seen.spec?.paused === true) return { why: 'spec.paused is true: resume first' };
    const isBad = seen.status?.analysis?.verdict === 'Bad';
    if (isBad && seen.spec?.rollout?.analysis?.policy === 'Rollback')
      return { why: `${tried.image} is bad, and analysis.policy is Rollback: apply a release that mends it` };
    if (!isHeldReason(stalledBy(seen)))
      return { why: `${tried.image} is not held: it goes on by itself, or hold it first` };
    if (isBad && !despiteEvidence)
      return { why: `${tried.image} is bad (kubectl devshelf why has the figures): say --despite-evidence` };
    return { hash: tried.hash, what: `${tried.image} is to be promoted${isBad ? ' in spite of its figures' : ''}` };
  },
  hold: seen => {
    const tried = triedIn(seen);
    if (!tried || !['Candidate', 'Analysis'].includes(seen.status?.stage?.name ?? ''))
      return { why: 'no candidate is on trial: spec.paused keeps new releases from beginning' };
    return { hash: tried.hash, what: `${tried.image} is to stay a candidate until it is promoted or rejected` };
  },
  reject: seen => {
    if (seen.status?.stage?.name === 'RollingBack') return { why: 'it is being taken back already' };
    const { stable } = seen.status?.rollout ?? {};
    const target = triedIn(seen) ?? named(stable);
    if (!target) return { why: 'nothing was released yet' };
    return { hash: target.hash, what: `${target.image} is to be taken back, and to stay out` };
  },
};

type Named = { readonly hash: string; readonly image: string };
const named = (release: { readonly hash?: string; readonly image?: string } | undefined): Named | undefined =>
  release?.hash === undefined ? undefined : { hash: release.hash, image: release.image ?? release.hash };

const triedIn = ({ status }: SeenResource): Named | undefined => named(status?.rollout?.candidate);

export type Answer = { readonly result: string; readonly message: string };

/** Undefined while there is none. */
export function answerTo({ gate, begins }: Ask, { status }: SeenResource): Answer | undefined {
  const found = status?.requests?.find(({ name, request }) => name === gate && request?.startsWith(begins) === true);
  return found && { result: found.result ?? '?', message: found.message ?? '' };
}
