// The protocol that keeps a store equal to what the API server has, as a pure step function: (state, input) gives a
// new state, changes for the store, and the one thing to do next. The driver beside it does the I/O.
//
//            start                last page              410, or a resource that is not served any more
//   empty ----------> listing ----------------> watching ----------------> relisting ---.
//                        |                         ^                          |         |
//                        |                         '--------------------------'         |
//                        '-------> absent <---------------------------------------------'
//                                (404, 403: asked again slowly, since only a person can change it)
//
// Promised: a store is only ever replaced by a whole list (the driver puts the first one in as it comes: nobody relies on
// a store before `hasSynced`); resourceVersion never goes back while watching, and an event that is told again changes
// nothing, so no object is ever shown as it was before; every failure in a row waits longer, and only progress (an event,
// a watch that lasted) ends that, so no answer of the server, however broken, makes a storm of requests.

import { delayMs } from './backoff.ts';
import { compareResourceVersions, type StoredObject } from './store.ts';

export type AbsentReason = 'NotServed' | 'Forbidden';

/** `P`: objects of a list as they wait for its last page. */
export type State<P> =
  | { phase: 'empty' }
  /** The first list; `pages` are those so far. */
  | { phase: 'listing'; pages: readonly (readonly P[])[]; continueToken: string | undefined; failures: number }
  /** The store still holds what it held before. */
  | { phase: 'relisting'; pages: readonly (readonly P[])[]; continueToken: string | undefined; failures: number }
  | { phase: 'watching'; resourceVersion: string; failures: number }
  /** `holding`: the store still has objects from before. `asked`: how often in a row the answer was this one. */
  | { phase: 'absent'; reason: AbsentReason; message: string; asked: number; holding: boolean };

export type Failure = {
  status: number;
  message: string;
  retryAfterMs?: number | undefined;
};

export type Input<T, P = T> =
  | { input: 'start' }
  | { input: 'page'; objects: readonly P[]; resourceVersion: string; continueToken: string | undefined }
  | { input: 'listFailed'; failure: Failure }
  | { input: 'changed'; object: T }
  | { input: 'deleted'; object: T }
  | { input: 'bookmark'; resourceVersion: string }
  /** The stream ended as streams do. */
  | { input: 'watchEnded'; lastedMs: number }
  /** It was refused or broke, or the server sent an ERROR event. */
  | { input: 'watchFailed'; failure: Failure; lastedMs: number }
  | { input: 'waited' }
  /** What the store holds is to be as new as now: a watch that hangs would not tell. */
  | { input: 'refresh' };

export type Change<T, P = T> =
  | { change: 'replace'; objects: readonly P[]; resourceVersion: string }
  | { change: 'upsert'; object: T }
  | { change: 'remove'; object: T }
  | { change: 'advance'; resourceVersion: string };

/** Exactly one, so there is never a second request under way. Waits are to be spread by the driver. */
export type Next =
  | { next: 'list'; continueToken: string | undefined }
  | { next: 'watch'; resourceVersion: string }
  /** The next event of the watch that is open. */
  | { next: 'read' }
  | { next: 'wait'; ms: number }
  /** The input does not belong to this state (it came too late): nothing changes. */
  | { next: 'nothing' };

export type Step<T, P = T> = { state: State<P>; change?: Change<T, P>; next: Next };

/** Long waits help nobody here: a dozen watches that ask every five seconds are no load, and being blind costs users. */
export const FAILURE_BACKOFF = { baseMs: 100, maxMs: 5_000 };
/** A server that asks for longer is asked before: a clock or a proxy that is wrong must not blind the operator. */
export const MAX_RETRY_AFTER_MS = 30_000;
export const ABSENT_BACKOFF = { baseMs: 2_000, maxMs: 30_000 };
/** A watch that lived this long was a working one, even if nothing happened in it. */
export const PROGRESS_MS = 10_000;

type Listing<P> = Extract<State<P>, { phase: 'listing' | 'relisting' }>;
type Watching<P> = Extract<State<P>, { phase: 'watching' }>;
type Absent<P> = Extract<State<P>, { phase: 'absent' }>;

export function step<T extends StoredObject, P>(state: State<P>, input: Input<T, P>): Step<T, P> {
  switch (state.phase) {
    case 'empty':
      return input.input === 'start' ? list({ phase: 'listing', ...NO_PAGES, failures: 0 }) : nothing(state);
    case 'listing':
    case 'relisting':
      return stepListing(state, input);
    case 'watching':
      return stepWatching(state, input);
    case 'absent':
      return input.input === 'waited' ? askAgain(state) : stepAbsent(state, input);
  }
}

/** Whether the store tells the whole truth of some moment, be it that there is nothing to know. */
export function hasSynced<P>(state: State<P>): boolean {
  switch (state.phase) {
    case 'empty':
    case 'listing':
      return false;
    case 'relisting':
    case 'watching':
      return true;
    case 'absent':
      return state.reason === 'NotServed' || state.holding;
  }
}

const NO_PAGES = { pages: [], continueToken: undefined } as const;

function nothing<T, P>(state: State<P>): Step<T, P> {
  return { state, next: { next: 'nothing' } };
}

function list<T, P>(state: Listing<P>): Step<T, P> {
  return { state, next: { next: 'list', continueToken: state.continueToken } };
}

function waitMs(failures: number, retryAfterMs = 0): number {
  return Math.max(delayMs(FAILURE_BACKOFF, failures), Math.min(retryAfterMs, MAX_RETRY_AFTER_MS));
}

function stepListing<T extends StoredObject, P>(state: Listing<P>, input: Input<T, P>): Step<T, P> {
  switch (input.input) {
    case 'page': {
      const pages = [...state.pages, input.objects];
      const { resourceVersion, continueToken } = input;
      if (continueToken) return list({ ...state, pages, continueToken });
      return {
        // failures stay: only the watch shows whether this list was of use
        state: { phase: 'watching', resourceVersion, failures: state.failures },
        change: { change: 'replace', objects: pages.flat(), resourceVersion },
        next: { next: 'watch', resourceVersion },
      };
    }
    case 'listFailed':
      return listFailed(state, input.failure);
    case 'waited':
      return list(state);
    default:
      return nothing(state);
  }
}

function listFailed<T, P>(state: Listing<P>, failure: Failure): Step<T, P> {
  const reason = absentReason(failure);
  if (reason) return absent(reason, failure, 1, state.phase === 'relisting');
  const failures = state.failures + 1;
  // pages of a list whose history is gone do not fit the pages of another one
  const { pages, continueToken } = failure.status === 410 ? NO_PAGES : state;
  return {
    state: { ...state, pages, continueToken, failures },
    next: { next: 'wait', ms: waitMs(failures, failure.retryAfterMs) },
  };
}

function stepWatching<T extends StoredObject, P>(state: Watching<P>, input: Input<T, P>): Step<T, P> {
  switch (input.input) {
    case 'changed':
      return progress(state, input.object.metadata.resourceVersion, { change: 'upsert', object: input.object });
    case 'deleted':
      return progress(state, input.object.metadata.resourceVersion, { change: 'remove', object: input.object });
    case 'bookmark': {
      const { resourceVersion } = input;
      return progress(state, resourceVersion, { change: 'advance', resourceVersion });
    }
    case 'watchEnded': {
      const failures = input.lastedMs >= PROGRESS_MS ? 0 : state.failures + 1;
      return watchAgain({ ...state, failures }, failures);
    }
    case 'watchFailed':
      return watchFailed(state, input.failure, input.lastedMs);
    case 'waited':
      return { state, next: { next: 'watch', resourceVersion: state.resourceVersion } };
    case 'refresh':
      return list({ phase: 'relisting', ...NO_PAGES, failures: state.failures });
    default:
      return nothing(state);
  }
}

function progress<T, P>(before: Watching<P>, resourceVersion: string, change: Change<T, P>): Step<T, P> {
  // told again: the store knows it, or knows better
  if (compareResourceVersions(resourceVersion, before.resourceVersion) <= 0)
    return { state: before, next: { next: 'read' } };
  return { state: { phase: 'watching', resourceVersion, failures: 0 }, change, next: { next: 'read' } };
}

function watchAgain<T, P>(state: Watching<P>, failures: number, retryAfterMs?: number): Step<T, P> {
  const ms = waitMs(failures, retryAfterMs);
  if (ms > 0) return { state, next: { next: 'wait', ms } };
  return { state, next: { next: 'watch', resourceVersion: state.resourceVersion } };
}

function watchFailed<T, P>(state: Watching<P>, failure: Failure, lastedMs: number): Step<T, P> {
  const reason = absentReason(failure);
  if (reason) return absent(reason, failure, 1, true);
  const before = lastedMs >= PROGRESS_MS ? 0 : state.failures;
  const failures = before + 1;
  if (failure.status !== 410) return watchAgain({ ...state, failures }, failures, failure.retryAfterMs);
  const relisting: Listing<P> = { phase: 'relisting', ...NO_PAGES, failures };
  // history runs out in the best of clusters: the first time it is not worth a wait
  if (before === 0) return list(relisting);
  return { state: relisting, next: { next: 'wait', ms: waitMs(failures, failure.retryAfterMs) } };
}

function absentReason({ status }: Failure): AbsentReason | undefined {
  if (status === 404) return 'NotServed';
  return status === 403 ? 'Forbidden' : undefined;
}

function absent<T, P>(reason: AbsentReason, failure: Failure, asked: number, holding: boolean): Step<T, P> {
  return {
    state: { phase: 'absent', reason, message: failure.message, asked, holding },
    next: { next: 'wait', ms: Math.max(delayMs(ABSENT_BACKOFF, asked), waitMs(0, failure.retryAfterMs)) },
  };
}

function askAgain<T, P>(state: Absent<P>): Step<T, P> {
  return { state, next: { next: 'list', continueToken: undefined } };
}

function stepAbsent<T extends StoredObject, P>(state: Absent<P>, input: Input<T, P>): Step<T, P> {
  switch (input.input) {
    case 'page':
      return stepListing({ phase: state.holding ? 'relisting' : 'listing', ...NO_PAGES, failures: 0 }, input);
    case 'listFailed':
      return stillAbsent(state, input.failure);
    default:
      return nothing(state);
  }
}

function stillAbsent<T, P>(state: Absent<P>, failure: Failure): Step<T, P> {
  const reason = absentReason(failure);
  // an API server that starts up is no news about the resource
  if (!reason) return { state, next: { next: 'wait', ms: waitMs(state.asked, failure.retryAfterMs) } };
  const asked = reason === state.reason ? state.asked + 1 : 1;
  const { next, state: after } = absent<T, P>(reason, failure, asked, state.holding);
  // Not served, and still not: the CRD was deleted, and its objects with it. Once is not enough, as an API server
  // that starts says so too. What one may not see any more is not gone.
  if (!(state.holding && reason === 'NotServed' && asked > 1)) return { state: after, next };
  return {
    state: { phase: 'absent', reason, message: failure.message, asked, holding: false },
    change: { change: 'replace', objects: [], resourceVersion: '' },
    next,
  };
}
