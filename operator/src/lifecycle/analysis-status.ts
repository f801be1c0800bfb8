// The trial in the status: while it runs, and after it. Written when the verdict changes, else now and then only: a
// status that changes with every reading is none. Once a release is settled nothing is on trial, so that costs no write.
import type { AppStatus } from '../api/status.ts';
import { inPhase, iso, type Judgement, type Snapshot } from './snapshot.ts';

type Analysis = NonNullable<AppStatus['analysis']>;

const EVERY_MS = { canary: 5_000, bake: 60_000 } as const;

export function analysisOf(seen: Snapshot): Pick<AppStatus, 'analysis'> {
  const { judgement, app } = seen;
  const before = app.status.analysis;
  const known = before ? { analysis: before } : {};
  if (!judgement || !inPhase(seen, 'Installing', 'Candidate', 'Promoting', 'Baking'))
    return { ...known, ...takenBack(seen, before) };
  if (before && !isNews(seen, judgement, before)) return known;
  return { analysis: told(seen, judgement, before) };
}

function isNews({ now }: Snapshot, judgement: Judgement, before: Analysis): boolean {
  const { verdict, release, mode = 'canary', candidate, baseline } = judgement;
  if (before.verdict !== verdict || !isOfTrial(before, judgement)) return true;
  // the figures of the decision stay
  if (verdict === 'Bad') return false;
  const isSame = before.candidate?.requests === candidate.requests && before.baseline?.requests === baseline.requests;
  return !isSame && release !== '' && now - (Date.parse(before.readAt ?? '') || 0) >= EVERY_MS[mode];
}

const isOfTrial = (before: Analysis, { release, mode, startedAt }: Judgement): boolean =>
  before.release === release &&
  before.mode === mode &&
  before.startedAt === (startedAt === undefined ? undefined : iso(startedAt));

function told(seen: Snapshot, judgement: Judgement, before: Analysis | undefined): Analysis {
  const { verdict, release, mode, startedAt, candidate, baseline, proof, pending } = judgement;
  const decidedAt = before?.verdict === verdict && isOfTrial(before, judgement) ? before.decidedAt : iso(seen.now);
  const decidesBy = deadlineOf(seen, judgement);
  return {
    ...{ verdict, release },
    ...(mode && { mode }),
    ...(startedAt !== undefined && { startedAt: iso(startedAt) }),
    candidate: countsOf(candidate),
    baseline: countsOf(baseline),
    ...(proof && { evidence: { ...proof } }),
    ...(verdict === 'Pending' && pending !== undefined && { waitsFor: pending }),
    ...(decidesBy !== undefined && { decidesBy: iso(decidesBy) }),
    ...(verdict !== 'Pending' && decidedAt !== undefined && { decidedAt }),
    readAt: iso(seen.now),
  };
}

/** The decision to take back is followed by no pass that tells of it: its record does. */
function takenBack({ incidents = [] }: Snapshot, before: Analysis | undefined): Pick<AppStatus, 'analysis'> {
  const last = incidents.at(-1);
  if (!last?.figures || last.at < (before?.readAt ?? before?.decidedAt ?? '')) return {};
  const { candidate, baseline, startedAt, evidence: proof } = last.figures;
  const { badPercent, goodPercent } = proof ?? {};
  return {
    analysis: {
      ...{
        verdict: ['Regression', 'SlowRegression', 'OverloadRegression'].includes(last.reason) ? 'Bad' : last.reason,
        release: last.release,
      },
      mode: last.phase === 'Candidate' ? 'canary' : 'bake',
      ...(startedAt !== undefined && { startedAt }),
      candidate: countsOf(candidate),
      baseline: countsOf(baseline),
      ...(badPercent !== undefined && goodPercent !== undefined && { evidence: { badPercent, goodPercent } }),
      ...{ decidedAt: last.at, readAt: last.at },
    },
  };
}

const countsOf = ({ requests, errors, shed, slow }: Judgement['candidate']) => ({
  requests,
  errors,
  ...(shed !== undefined && { shed }),
  ...(slow !== undefined && { slow }),
});

/** Epoch milliseconds. A bake ends by its own clock, a canary's trial when it had no more time to decide. */
export function deadlineOf({ app }: Snapshot, { mode, startedAt }: Judgement): number | undefined {
  if (startedAt === undefined) return undefined;
  const { bakeSeconds, analysis } = app.spec.rollout;
  return startedAt + 1000 * (mode === 'bake' ? bakeSeconds : analysis.timeoutSeconds);
}
