// Dashboard runbook, "Tagging", step 5: the first figures of a release are written down. They are those of its bake alone;
// what its pods answered before, in the trial or in an outage of everybody, is another story.
import { ANNOTATIONS } from '../../objects/names.ts';
import { scrapedWhileBaking } from '../around/scraped.ts';
import { iso, type Scraped, type Snapshot } from '../snapshot.ts';
import { verdictAnnotations } from './verdict.ts';

export interface FirstMetrics {
  readonly window: 'Bake' | 'CutShort' | 'FirstInstall';
  /** RFC 3339: later than the bake's beginning where the operator was restarted in it. Absent: nothing was read. */
  readonly from?: string;
  readonly to: string;
  readonly requests_total: number;
  readonly errors: number;
  /** Two decimals. */
  readonly error_percent: number;
  /** Milliseconds, and the metric that it is made of; absent where nobody asked, or pods do not say. */
  readonly p95_ms?: number;
  readonly p95_source?: string;
  /** Whether a Prometheus read the pods; absent where that could not be seen. */
  readonly scraped?: Scraped;
}

/**
 * Whether this process has read no pod of what serves yet: it has seen no fault because it has seen nothing. Where it
 * never does (analysis is off) it stays so.
 */
export const isUnread = ({ judgement, deployment }: Snapshot): boolean =>
  judgement === undefined || judgement.release !== deployment?.record.release;

export function whyUnread({ app, judgement }: Snapshot): string {
  if (app.spec.rollout.analysis.policy === 'Disabled') return 'analysis is off';
  return judgement?.verdict === 'Blind' ? judgement.message : 'its pods were not read yet';
}

export function firstMetrics(snapshot: Snapshot, window: FirstMetrics['window']): FirstMetrics {
  const { judgement, now } = snapshot;
  const scraped = scrapedWhileBaking(snapshot);
  const seen = isUnread(snapshot) ? undefined : judgement?.window;
  const { requests = 0, errors = 0, p95 } = seen ?? {};
  return {
    window,
    ...(seen && { from: iso(seen.from) }),
    to: iso(now),
    requests_total: requests,
    errors,
    error_percent: requests === 0 ? 0 : Math.round((10_000 * errors) / requests) / 100,
    ...(p95 && { p95_ms: p95.ms, p95_source: p95.source }),
    ...(scraped && { scraped }),
  };
}

/** The verdict that a release is good, with what is known of it then. */
export function releasedAnnotations(
  seen: Snapshot,
  message: string,
  first: FirstMetrics,
): Record<string, string | null> {
  const { since: from, trial, byHand } = seen.deployment?.record ?? {};
  return {
    ...verdictAnnotations(
      { verdict: 'released', reason: 'Released', message, at: iso(seen.now) },
      seen.app.spec.rollout.retryToken,
    ),
    [ANNOTATIONS.firstMetrics]: JSON.stringify(first),
    ...(trial && { [ANNOTATIONS.trial]: JSON.stringify({ ...trial, ...(byHand && { byHand }) }) }),
    ...(from !== undefined && { [ANNOTATIONS.served]: JSON.stringify({ from }) }),
  };
}
