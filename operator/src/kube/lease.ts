// Leader election over a Lease, with client-go's semantics.
//
// Assumed: clocks of different machines need not agree, only run at about the same rate. So another holder's lease is
// never judged by the times written in it, but by how long, on our own monotonic clock, it has not changed.
//
//   observed to change ........ leaseDurationMs without a change: may be taken over
//   held by us ................ renewed every retryPeriodMs; renewDeadlineMs without success: the term is over, and
//                               what it did must end, before leaseDurationMs lets the next one begin
//
// A process may lead for several terms: an API server that was slow for a while does not end it. A holder that stops
// gracefully empties the lease, so the next one begins at once.

import { randomUUID } from 'node:crypto';
import { jittered, sleep } from './backoff.ts';
import { isConflict, isNotFound } from './errors.ts';
import { leases, type Metadata, microTime, pathOf, pathTo } from './resource.ts';
import type { Transport } from './transport.ts';

export type LeaseSpec = {
  holderIdentity?: string | null;
  leaseDurationSeconds?: number | null;
  acquireTime?: string | null;
  renewTime?: string | null;
  leaseTransitions?: number | null;
};
export type LeaseObject = { apiVersion: string; kind: string; metadata: Metadata; spec?: LeaseSpec };

/** A lease as we saw it change last. */
export type Observed = { resourceVersion: string; holder: string; durationMs: number; atMs: number };

export type Attempt =
  | { do: 'create' }
  /** `takesOver`: the holder changes, which counts as a transition. */
  | { do: 'update'; takesOver: boolean }
  | { do: 'wait' };

/** What we know after reading a lease: a change is as old as our seeing it. Pure. */
export function observe(before: Observed | undefined, lease: LeaseObject, nowMs: number): Observed {
  const resourceVersion = lease.metadata.resourceVersion ?? '';
  if (before?.resourceVersion === resourceVersion) return before;
  return {
    resourceVersion,
    holder: lease.spec?.holderIdentity ?? '',
    durationMs: (lease.spec?.leaseDurationSeconds ?? 0) * 1_000,
    atMs: nowMs,
  };
}

/** What to do about the lease. Pure. `observed` absent: there is none. */
export function decideLease(identity: string, observed: Observed | undefined, nowMs: number): Attempt {
  if (!observed) return { do: 'create' };
  if (observed.holder === identity) return { do: 'update', takesOver: false };
  if (observed.holder === '') return { do: 'update', takesOver: true };
  return nowMs - observed.atMs < observed.durationMs ? { do: 'wait' } : { do: 'update', takesOver: true };
}

/** From winning the lease to losing it. */
export type Term = {
  /** Aborted, with the reason, when the term is over. */
  readonly signal: AbortSignal;
  /** Also true when the process slept past the deadline, and nothing could tell it yet. Asked before each write. */
  readonly isOver: () => boolean;
  /** Whether another process may have led before it: what was seen without leading may be older than what that one did. */
  readonly succeeds: boolean;
};

/** Of a process that has no other beside it. */
export const ENDLESS_TERM: Term = { signal: new AbortController().signal, isOver: () => false, succeeds: true };

/** How a lease came to be ours for another `leaseDurationMs`: it was ours still, or it was not. */
type Won = 'keep' | 'take';

export type LeaseOptions = {
  transport: Transport;
  namespace: string;
  name: string;
  /** Unique to this process, or to a place where only one can run at a time (a pod's uid): it restarts without a wait. */
  identity?: string;
  leaseDurationMs?: number;
  renewDeadlineMs?: number;
  retryPeriodMs?: number;
  /** Each time that another one is seen to lead. */
  onOtherLeads?: (holder: string) => void;
  /** An attempt that failed, or a lease that could not be given back. */
  onFailed?: (why: string) => void;
};

/** Four tries before the deadline; half a second more than client-go, as nobody but the API server would notice it. */
export const RETRY_PERIOD_MS = 2_500;
/** After which somebody else may hold a lease that was not renewed. */
export const LEASE_DURATION_MS = 15_000;
/** What `stop` waits for the API server: for the answer to a request that is under way, and for giving the lease back. */
const STOP_ANSWER_MS = 1_000;
const STOP_RELEASE_MS = 2_000;

export class LeaderElection {
  readonly identity: string;
  readonly #options: LeaseOptions;
  readonly #durationMs: number;
  readonly #deadlineMs: number;
  readonly #retryMs: number;
  readonly #stop = new AbortController();
  /** Breaks the request that is under way. */
  readonly #giveUp = new AbortController();
  #observed: Observed | undefined;
  #lease: LeaseObject | undefined;
  /** While we lead. */
  #term: AbortController | undefined;
  #hasLed = false;
  #renewedAtMs = 0;
  #renewing: Promise<void> = Promise.resolve();
  #attempt: Promise<Won | undefined> = Promise.resolve(undefined);
  /** Fires whatever hangs. */
  #deadline: NodeJS.Timeout | undefined;

  /** @throws RangeError unless retryPeriod < renewDeadline < leaseDuration, which is what makes two leaders impossible */
  constructor(options: LeaseOptions) {
    const { leaseDurationMs = LEASE_DURATION_MS, renewDeadlineMs = 10_000, retryPeriodMs = RETRY_PERIOD_MS } = options;
    if (!(retryPeriodMs * 1.5 < renewDeadlineMs && renewDeadlineMs < leaseDurationMs)) {
      throw new RangeError(
        `1.5 x retryPeriod ${retryPeriodMs} < renewDeadline ${renewDeadlineMs} < leaseDuration ${leaseDurationMs} must hold`,
      );
    }
    this.#options = options;
    this.identity = options.identity ?? randomUUID();
    this.#durationMs = leaseDurationMs;
    this.#deadlineMs = renewDeadlineMs;
    this.#retryMs = retryPeriodMs;
  }

  /** Also false when the process slept past the deadline, and nothing could tell it yet. */
  get isLeader(): boolean {
    return this.#holds(this.#term);
  }

  get isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /**
   * Resolves when this process leads; from then on the lease is renewed until the term is over. May then be called again.
   * Rejects when it is stopped.
   */
  async acquire(): Promise<Term> {
    await this.#renewing; // of the term before
    let won = await this.#try();
    while (!won) {
      await sleep(jittered(this.#retryMs), this.#stop.signal);
      won = await this.#try();
    }
    this.#stop.signal.throwIfAborted();
    const term = new AbortController();
    const succeeds = won === 'take' || !this.#hasLed;
    this.#term = term;
    this.#hasLed = true;
    this.#keepDeadline();
    this.#renewing = this.#renew(term);
    return { signal: term.signal, isOver: () => !this.#holds(term), succeeds };
  }

  /**
   * Ends the election; a lease that is held is emptied, if the API server answers within seconds, so that the next leader
   * begins at once.
   */
  async stop(): Promise<void> {
    this.#stop.abort(new Error('stopped'));
    const late = setTimeout(() => this.#giveUp.abort(new Error('stopped')), STOP_ANSWER_MS);
    await Promise.all([this.#renewing, this.#attempt]);
    clearTimeout(late);
    this.#end(new Error('stopped'));
    if (this.#lease?.spec?.holderIdentity !== this.identity) return;
    await this.#release(this.#lease).catch(error => this.#options.onFailed?.(`the lease was not given back: ${error}`));
  }

  #holds(term: AbortController | undefined): boolean {
    return term !== undefined && term === this.#term && performance.now() - this.#renewedAtMs < this.#deadlineMs;
  }

  async #renew(term: AbortController): Promise<void> {
    const over = AbortSignal.any([term.signal, this.#stop.signal]);
    let tookMs = 0;
    while (!over.aborted) {
      // from the start of one attempt to the start of the next: an answer that hung has used up its time already
      await sleep(Math.max(this.#retryMs - tookMs, this.#retryMs / 10), over).catch(() => {});
      if (over.aborted) return;
      const startedAtMs = performance.now();
      const won = await this.#try();
      tookMs = performance.now() - startedAtMs;
      if (won) this.#keepDeadline();
      else if (this.#observed && this.#observed.holder !== this.identity) {
        this.#lost(`${this.#observed.holder || 'nobody'} holds the lease`);
      }
    }
  }

  #keepDeadline(): void {
    clearTimeout(this.#deadline);
    if (!this.#term) return;
    const leftMs = this.#renewedAtMs + this.#deadlineMs - performance.now();
    this.#deadline = setTimeout(() => this.#lost(`not renewed for ${this.#deadlineMs} ms`), leftMs);
  }

  #lost(why: string): void {
    this.#end(new Error(`the lease ${this.#options.name} is lost: ${why}`));
  }

  #end(why: Error): void {
    clearTimeout(this.#deadline);
    this.#term?.abort(why);
    this.#term = undefined;
  }

  /** One at a time: `stop` waits for it. */
  #try(): Promise<Won | undefined> {
    const attempt = this.#tryOnce();
    this.#attempt = attempt;
    return attempt;
  }

  /** Whether we hold the lease for another `leaseDurationMs`, counted from before we asked. Never rejects. */
  async #tryOnce(): Promise<Won | undefined> {
    const startedAtMs = performance.now();
    try {
      // what we wrote last is most likely what is there: one request instead of two
      if (!this.#term || !this.#lease) await this.#read();
      const attempt = decideLease(this.identity, this.#observed, performance.now());
      if (attempt.do === 'wait') {
        this.#options.onOtherLeads?.(this.#observed?.holder ?? '');
        return undefined;
      }
      this.#saw(await this.#write(attempt));
      this.#renewedAtMs = startedAtMs;
      return attempt.do === 'update' && !attempt.takesOver ? 'keep' : 'take';
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) this.#lease = undefined; // somebody else wrote: read again
      if (this.#term && !this.#lease) await this.#read().catch(() => {});
      this.#options.onFailed?.(`${error}`);
      return undefined;
    }
  }

  async #read(): Promise<void> {
    const { transport, namespace, name } = this.#options;
    try {
      const path = pathOf(leases, { namespace, name });
      this.#saw(await transport.request<LeaseObject>({ method: 'GET', path, ...this.#limits() }));
    } catch (error) {
      if (!isNotFound(error)) throw error;
      this.#observed = undefined;
      this.#lease = undefined;
    }
  }

  #saw(lease: LeaseObject): void {
    this.#lease = lease;
    this.#observed = observe(this.#observed, lease, performance.now());
  }

  #write(attempt: Exclude<Attempt, { do: 'wait' }>): Promise<LeaseObject> {
    const { transport, namespace, name } = this.#options;
    const now = microTime(Date.now());
    const held = this.#lease?.spec;
    const takesOver = attempt.do === 'create' || attempt.takesOver;
    const spec: LeaseSpec = {
      holderIdentity: this.identity,
      leaseDurationSeconds: Math.ceil(this.#durationMs / 1_000),
      acquireTime: takesOver ? now : (held?.acquireTime ?? now),
      renewTime: now,
      leaseTransitions: (held?.leaseTransitions ?? 0) + (attempt.do === 'update' && attempt.takesOver ? 1 : 0),
    };
    if (attempt.do === 'create' || !this.#lease) {
      const body = { apiVersion: leases.apiVersion, kind: leases.kind, metadata: { namespace, name }, spec };
      return transport.request({ method: 'POST', path: pathOf(leases, { namespace }), body, ...this.#limits() });
    }
    return this.#update(this.#lease, spec);
  }

  /** Refused with 409 when anybody wrote since we read: the resourceVersion goes with it. */
  #update(lease: LeaseObject, spec: LeaseSpec, limits = this.#limits()): Promise<LeaseObject> {
    const body = { ...lease, spec };
    return this.#options.transport.request({ method: 'PUT', path: pathTo(leases, lease), body, ...limits });
  }

  /** One answer that hangs, or asks to come again later, must not use up the time there is to renew. */
  #limits() {
    const late = AbortSignal.timeout(Math.max(this.#retryMs, this.#deadlineMs / 2));
    return { signal: AbortSignal.any([late, this.#giveUp.signal]) };
  }

  async #release(lease: LeaseObject): Promise<void> {
    const now = microTime(Date.now());
    // like client-go: a second's duration, so that one who reads only the times takes it over as well
    const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, acquireTime: now, renewTime: now };
    await this.#update(lease, spec, { signal: AbortSignal.timeout(STOP_RELEASE_MS) });
  }
}
