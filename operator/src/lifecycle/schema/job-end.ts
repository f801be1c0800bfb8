// What the end of a Job that works on the schema means. One table, the same in docs/runbook.md; job-end.test.ts goes
// through it row by row:
//
//   how it ended                                              what it means
//   exit 0, `up to date` or `expanded`                        said: written down
//   exit 0, another word or none, of a runner that gives one  failed: FalseSuccess
//   exit 0 of a foreign command                               said: with what its verifyCommand found
//   `unreachable`, `readonly`, `locked`, `stopped`            again, 15 s later: it passes by itself
//   `refused` (password, TLS)                                 refused: once per change of the Secret
//   `failed`, `edited`, `interrupted`, any other exit         failed
//   activeDeadlineSeconds                                     failed: it took too long
//   evicted, preempted, its node lost                         again: whoever was disturbed has not failed
//   its pod was deleted, by force or not                      again
//   the pod never started, or an init container of others     again: nothing was done; its deadline is no fault of it
import type { Reason } from '../../api/reasons.ts';
import type { Action } from '../decision.ts';
import type { RefusalReason } from '../release/refusal.ts';
import { type JobVerdict, type JobView, type Snapshot, START_GRACE_MS } from '../snapshot.ts';
import { isDone } from './result.ts';

/** What passed by itself is asked again this long after the last attempt ended. */
const RETRY_MS = 15_000;
/** By then the watch of pods has caught up with the one of Jobs, or the pod is gone. */
const POD_LAG_MS = 10_000;

/** What passes by itself. */
const PASSING_WORDS: Partial<Record<JobVerdict['result'], string>> = {
  unreachable: 'the database does not answer; tried again until it does',
  readonly: 'the database takes no writes now; tried again until it does',
  locked: 'somebody holds a lock in the database; tried again until it is free',
  stopped: 'the Job was told to stop; another one goes on',
};

export type JobEnd =
  | { readonly means: 'wait'; readonly reason: Reason; readonly message: string; readonly recheckMs: number }
  /** The pod cannot even start: a person is needed, and then it goes on by itself. */
  | { readonly means: 'stuck'; readonly message: string }
  /** Another Job in its place; after `waitMs`. */
  | ({ readonly means: 'again'; readonly reason: Reason; readonly message: string; readonly waitMs: number } & Ended)
  | { readonly means: 'refused'; readonly message: string }
  | ({ readonly means: 'failed'; readonly reason: RefusalReason; readonly message: string } & Ended)
  | ({ readonly means: 'said' } & Ended);

/** `endedAt` in epoch milliseconds. */
type Ended = { readonly endedAt: number; readonly verdict?: JobVerdict };

/** `givesVerdict`: the program that it runs is ours. */
export function endOf(seen: Snapshot, job: JobView, givesVerdict: boolean): JobEnd {
  const { state, name } = job;
  const { now } = seen;
  switch (state.kind) {
    case 'pending':
      return now - job.createdAt < START_GRACE_MS
        ? { means: 'wait', reason: 'PodStarting', message: state.detail, recheckMs: 5_000 }
        : { means: 'stuck', message: `the pod of Job ${name} does not start: ${state.detail}` };
    case 'running':
      // a pod that is gone may never have run: what was said of it stands until the Job has ended
      if (state.ending && wasStarting(seen))
        return { means: 'wait', reason: 'PodStarting', message: `Job ${name} ends`, recheckMs: 5_000 };
      return { means: 'wait', reason: 'Running', message: `Job ${name} runs`, recheckMs: 5_000 };
    case 'succeeded':
      if (!state.podRead && givesVerdict) return unread(now, job, state.endedAt);
      return { means: 'said', endedAt: state.endedAt, ...(state.verdict && { verdict: state.verdict }) };
    case 'failed':
      return failed(seen, job, state);
  }
}

/** So that another one may take its place. */
export const removal = ({ name, uid, kind }: JobView): Action => ({
  do: 'deleteJob',
  job: name,
  uid,
  ...(kind && { kind }),
});

type Failed = Extract<JobView['state'], { kind: 'failed' }>;

function failed(seen: Snapshot, job: JobView, state: Failed): JobEnd {
  const { now } = seen;
  const { verdict, detail, endedAt, podRead, disrupted } = state;
  const later = Math.max(0, endedAt + RETRY_MS - now);
  const isLate = detail.includes('DeadlineExceeded');
  const started = state.started && !(isLate && !podRead && wasStarting(seen));
  const end = { endedAt, ...(verdict && { verdict }) };
  if (!podRead && endedAt + POD_LAG_MS > now) return unread(now, job, endedAt);
  // its pod ended well in the moment in which its time was up; what was to verify it may not have run
  if (isLate && verdict && isDone(verdict) && seen.app.spec.migrations.verifyCommand === undefined)
    return { means: 'said', ...end };
  if (isLate && started && (!verdict || verdict.result === 'stopped'))
    return { means: 'failed', reason: 'DeadlineExceeded', message: failure(job, detail), ...end };
  if (verdict?.result === 'refused')
    return { means: 'refused', message: `the database refuses the Job (${wordsIn(job)})` };
  const passing = verdict && PASSING_WORDS[verdict.result];
  if (passing !== undefined) {
    const message = `${passing}; ${wordsIn(job)}`;
    return { means: 'again', reason: 'DatabaseUnreachable', message, waitMs: later, ...end };
  }
  if (!verdict && (disrupted || (!podRead && started))) {
    const message = `Job ${job.name} was disturbed (${detail}); it is asked again`;
    return { means: 'again', reason: 'Verifying', message, waitMs: later, ...end };
  }
  // a pod that never ran has changed nothing: once the image or the Secret is there it may start
  if (!started) return { means: 'again', reason: 'PodCannotStart', message: detail, waitMs: later, ...end };
  const reason = reasonOf(verdict?.result, detail);
  return { means: 'failed', reason, message: failure(job, detail, verdict), ...end };
}

/** With its deadline a Job's pod is deleted, too. Whether it ever ran is known from what was said of it last. */
const wasStarting = ({ app }: Snapshot): boolean =>
  app.status?.conditions?.some(
    ({ type, reason }) => type === 'Migrated' && (reason === 'PodStarting' || reason === 'PodCannotStart'),
  ) ?? false;

/** A container's own words stay in its log: any image may write any secret there. */
const wordsIn = ({ name }: JobView): string => `kubectl logs job/${name} has its words`;

function failure(job: JobView, detail: string, verdict?: JobVerdict): string {
  const said = verdict && `"${verdict.result}"${verdict.about ? ` (${verdict.about.join(', ')})` : ''}`;
  return `Job ${job.name} ${said === undefined ? `failed: ${detail}` : `says ${said}`}; ${wordsIn(job)}`;
}

/** Its last words went with its pod: asking again is harmless, the runner does only what is left to do. */
function unread(now: number, { name }: JobView, endedAt: number): JobEnd {
  const message = `Job ${name} ended and the verdict of its pod was not read`;
  const left = endedAt + POD_LAG_MS - now;
  if (left > 0) return { means: 'wait', reason: 'Verifying', message, recheckMs: left };
  return { means: 'again', reason: 'Verifying', message: `${message}: it is asked again`, waitMs: 0, endedAt };
}

function reasonOf(result: string | undefined, detail: string): RefusalReason {
  if (result === 'interrupted') return 'MigrationInterrupted';
  if (result === 'edited') return 'MigrationEdited';
  return detail.includes('DeadlineExceeded') ? 'DeadlineExceeded' : 'JobFailed';
}
