// Leader election over a Lease, with client-go's semantics.
//
// Assumed: clocks of different machines need not agree, only run at about the same rate. So another holder's lease is
// never judged by the times written in it, but by how long, on our own monotonic clock, it has not changed.
//
//   observed to change ........ leaseDurationMs without a change: may be taken over
//   held by us ................ renewed every retryPeriodMs; renewDeadlineMs without success: lost, and the process
//                               must end, before leaseDurationMs lets the next one begin
//
// A holder that stops gracefully empties the lease, so the next one begins at once.

import { randomUUID } from 'node:crypto';
import { jittered, sleep } from './backoff.ts';
import { isConflict, isNotFound } from './errors.ts';
import { leases, type Metadata, pathOf, pathTo } from './resource.ts';
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

export type LeaseOptions = {
  transport: Transport;
  namespace: string;
  name: string;
  /** Unique to this process, or to a place where only one can run at a time (a pod's uid): it restarts without a wait. */
  identity?: string;
  leaseDurationMs?: number;
  renewDeadlineMs?: number;
  retryPeriodMs?: number;
  /** The lease was lost while we lead: the process must exit, as another one begins. */
  onLost: (why: Error) => void;
  /** Failed attempts, and who else leads. */
  onWaiting?: (why: string) => void;
};

export class LeaderElection {
  readonly identity: string;
  readonly #options: LeaseOptions;
  readonly #durationMs: number;
  readonly #deadlineMs: number;
  readonly #retryMs: number;
  readonly #stop = new AbortController();
  #observed: Observed | undefined;
  #lease: LeaseObject | undefined;
  #leading = false;
  #renewedAtMs = 0;
  #renewing: Promise<void> = Promise.resolve();
  /** Fires whatever hangs. */
  #deadline: NodeJS.Timeout | undefined;

  /** @throws RangeError unless retryPeriod < renewDeadline < leaseDuration, which is what makes two leaders impossible */
  constructor(options: LeaseOptions) {
    const { leaseDurationMs = 15_000, renewDeadlineMs = 10_000, retryPeriodMs = 2_000 } = options;
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
    return this.#leading && performance.now() - this.#renewedAtMs < this.#deadlineMs;
  }

  /** Resolves when this process leads; from then on the lease is renewed until `stop`. Rejects when it is stopped. */
  async acquire(): Promise<void> {
    while (!(await this.#tryOnce())) await sleep(jittered(this.#retryMs), this.#stop.signal);
    this.#leading = true;
    this.#keepDeadline();
    this.#renewing = this.#renew();
  }

  /** Ends the election; a lease that is held is emptied, if the API server answers, so that the next leader begins at once. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error('stopped'));
    await this.#renewing;
    clearTimeout(this.#deadline);
    if (!this.#leading) return;
    this.#leading = false;
    await this.#release().catch(error => this.#options.onWaiting?.(`the lease was not released: ${error}`));
  }

  async #renew(): Promise<void> {
    while (this.#leading && !this.#stop.signal.aborted) {
      await sleep(this.#retryMs, this.#stop.signal).catch(() => {});
      if (this.#stop.signal.aborted) return;
      if (await this.#tryOnce()) this.#keepDeadline();
      else if (this.#observed && this.#observed.holder !== this.identity) {
        this.#lost(`${this.#observed.holder || 'nobody'} holds the lease`);
      }
    }
  }

  #keepDeadline(): void {
    clearTimeout(this.#deadline);
    if (!this.#leading) return;
    const leftMs = this.#renewedAtMs + this.#deadlineMs - performance.now();
    this.#deadline = setTimeout(() => this.#lost(`not renewed for ${this.#deadlineMs} ms`), leftMs);
  }

  #lost(why: string): void {
    clearTimeout(this.#deadline);
    if (!this.#leading) return;
    this.#leading = false;
    this.#options.onLost(new Error(`the lease ${this.#options.name} is lost: ${why}`));
  }

  /** Whether we hold the lease for another `leaseDurationMs`, counted from before we asked. */
  async #tryOnce(): Promise<boolean> {
    const startedAtMs = performance.now();
    try {
      // what we wrote last is most likely what is there: one request instead of two
      if (!this.#leading || !this.#lease) await this.#read();
      const attempt = decideLease(this.identity, this.#observed, performance.now());
      if (attempt.do === 'wait') {
        this.#options.onWaiting?.(`${this.#observed?.holder} leads`);
        return false;
      }
      this.#saw(await this.#write(attempt));
      this.#renewedAtMs = startedAtMs;
      return true;
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) this.#lease = undefined; // somebody else wrote: read again
      if (this.#leading && !this.#lease) await this.#read().catch(() => {});
      this.#options.onWaiting?.(`${error}`);
      return false;
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
    const now = microTime();
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
  #update(lease: LeaseObject, spec: LeaseSpec): Promise<LeaseObject> {
    const body = { ...lease, spec };
    return this.#options.transport.request({ method: 'PUT', path: pathTo(leases, lease), body, ...this.#limits() });
  }

  /** One answer that hangs, or asks to come again later, must not use up the time there is to renew. */
  #limits() {
    return { signal: AbortSignal.timeout(Math.max(this.#retryMs, this.#deadlineMs / 2)) };
  }

  async #release(): Promise<void> {
    if (!this.#lease) return;
    const now = microTime();
    // like client-go: a second's duration, so that one who reads only the times takes it over as well
    const spec = { ...this.#lease.spec, holderIdentity: '', leaseDurationSeconds: 1, acquireTime: now, renewTime: now };
    await this.#update(this.#lease, spec);
  }
}

/** Kubernetes' MicroTime wants six decimals. */
function microTime(): string {
  return new Date().toISOString().replace('Z', '000Z');
}
