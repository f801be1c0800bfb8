// A release's verdict as annotations of its ControllerRevision.
import { ANNOTATIONS } from '../objects/names.ts';
import type { Verdict } from './snapshot.ts';

export interface WrittenVerdict {
  readonly verdict: Verdict;
  readonly reason: string;
  readonly message: string;
  /** RFC 3339. */
  readonly at: string;
}

/** The retry token of that moment is kept: only a different one lets a rejected release be tried again. */
export function verdictAnnotations(
  { verdict, reason, message, at }: WrittenVerdict,
  retryToken: string | undefined,
): Record<string, string | null> {
  return {
    [ANNOTATIONS.verdict]: JSON.stringify({ verdict, reason, message, at }),
    [ANNOTATIONS.retryToken]: retryToken ?? null,
  };
}
