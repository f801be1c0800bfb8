// A release's verdict as annotations of its ControllerRevision.
import type { VerdictEvidence } from '../../api/rollout.ts';
import { ANNOTATIONS } from '../../objects/names.ts';
import type { Verdict } from '../snapshot.ts';

export interface WrittenVerdict {
  readonly verdict: Verdict;
  readonly reason: string;
  readonly message: string;
  /** RFC 3339. */
  readonly at: string;
  readonly evidence?: VerdictEvidence;
}

/** The retry token of that moment is kept: only a different one lets a rejected release be tried again. */
export function verdictAnnotations(
  { verdict, reason, message, at, evidence }: WrittenVerdict,
  retryToken: string | undefined,
): Record<string, string | null> {
  return {
    [ANNOTATIONS.verdict]: JSON.stringify({ verdict, reason, message, at, ...(evidence && { evidence }) }),
    [ANNOTATIONS.retryToken]: retryToken ?? null,
  };
}
