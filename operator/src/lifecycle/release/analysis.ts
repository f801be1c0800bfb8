// The candidate's answers to users are judged against its limit and against the pods beside it (evidence/).
// `Bad` was looked at before every stage (regression); here is what the other verdicts mean. Never a silent pass.
import { ANNOTATIONS } from '../../objects/names.ts';
import { about, type Decision, type Stage } from '../decision.ts';
import { inPhase, type Judgement, type Snapshot, versionIn, versionOf } from '../snapshot.ts';
import { hasStable, withdraw } from './withdrawal.ts';

const { act, concede, proceed, wait } = about('AnalysisPassed');

const RECHECK_MS = 1_000;

export const analysis: Stage = seen => {
  const { analysis: settings } = seen.app.spec.rollout;
  const heldBy = inPhase(seen, 'Candidate') && seen.deployment?.record.heldBy;
  if (heldBy) return wait('Held', heldInWords(seen, heldBy), RECHECK_MS);
  if (settings.policy === 'Disabled') return proceed('AnalysisDisabled', 'spec.rollout.analysis.policy is Disabled');
  if (!inPhase(seen, 'Candidate')) return proceed('AnalysisPassed', 'no candidate is on trial');
  const judgement = seen.judgement;
  if (!judgement || judgement.release !== seen.deployment?.record.release) {
    return wait('Analysing', 'waiting for the first reading of the candidate’s metrics', RECHECK_MS);
  }
  return answers[judgement.verdict](seen, judgement);
};

/** Without figures: they change with every reading. A release that is bad was looked at before. */
function heldInWords(seen: Snapshot, heldBy: string): string {
  const { release = '' } = seen.deployment?.record ?? {};
  const version = versionIn(seen, release);
  return `${version} is held on trial, ${heldBy}; ${ANNOTATIONS.promote} or ${ANNOTATIONS.reject}, each with "${release} TIME", ends that, and so does a newer spec`;
}

const answers: Record<Judgement['verdict'], (seen: Snapshot, judgement: Judgement) => Decision> = {
  Pending: ({ app }, { pending = 'still counting' }) => {
    const { minimumSeconds, minimumRequests } = app.spec.rollout.analysis;
    return wait(
      'Analysing',
      `the candidate is judged (${pending}): at least ${minimumSeconds} s and ${minimumRequests} requests`,
      RECHECK_MS,
    );
  },
  Good: (_seen, { message }) => proceed('AnalysisPassed', message),
  // reached under the policy Observe only
  Bad: (_seen, { message }) => concede('Regression', `${message}; analysis.policy is Observe`),
  DependencyDegraded: (_seen, { message }) =>
    wait('DependencyDegraded', `${message}: what the releases share is at fault; waiting`, RECHECK_MS),
  Overloaded: (_seen, { message }) =>
    wait('Overloaded', `${message}; waiting: more pods help, or more CPU`, RECHECK_MS),
  Insufficient: ({ app }, { message }) =>
    app.spec.rollout.analysis.onInsufficientTraffic === 'Promote'
      ? concede('InsufficientTraffic', `${message}; promoted because onInsufficientTraffic is Promote`)
      : wait(
          'InsufficientTraffic',
          `${message}; held until more requests come (onInsufficientTraffic is Hold)`,
          RECHECK_MS,
        ),
  Blind: (seen, { message }) => blind(seen, message),
};

function blind(seen: Snapshot, message: string): Decision {
  const record = seen.deployment?.record;
  switch (seen.app.spec.rollout.analysis.onBlind) {
    case 'Promote':
      return concede('Blind', `${message}; promoted because onBlind is Promote`);
    case 'Hold':
      return wait('Blind', `${message}; held until its metrics can be read (onBlind is Hold)`, RECHECK_MS);
    case 'Rollback': {
      if (!hasStable(record)) return wait('Blind', message, RECHECK_MS);
      const words = `${versionOf(record.release)}: ${message}; onBlind is Rollback`;
      return act(
        'Blind',
        words,
        { do: 'setRecord', record: withdraw(seen, record, 'rejected', 'Blind', words) },
        'Warning',
      );
    }
  }
}
