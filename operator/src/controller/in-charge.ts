// Two installations may watch one namespace, with leader elections that know nothing of each other. Which of them works
// there stands in one Lease of that namespace. It is not renewed, so that a settled cluster costs no write: who finds
// another's name there asks by an annotation, and whoever works takes that out again. A question that stands for
// `answerMs` was asked of nobody.
//
//   holder   before a write   reads the Lease, unless it did so within `trustMs`; a write ends within `writeMs`
//            is asked         takes the question out, and tells people of the other one
//   other    every `askMs`    asks; reads meanwhile, and writes nothing else
//            unanswered       takes the Lease, as its holder does not live, or has not read it for longer than a write takes
//
// Who writes in many namespaces reads the Leases of all of them with one list, where all are watched.
//
// Where the operator has no right to these Leases nobody is told apart, and it works as if it were alone.
import type { Logger } from 'pino';
import { isForbidden, isOfEndingNamespace, unanswered } from '../kube/errors.ts';
import type { LeaseObject } from '../kube/lease.ts';
import { leases, pathOf, pathTo } from '../kube/resource.ts';
import { compareResourceVersions } from '../kube/store.ts';
import type { Transport } from '../kube/transport.ts';
import { ANNOTATIONS, IN_CHARGE } from '../objects/names.ts';
import { type Kept, metadataOf } from './views.ts';

/** Milliseconds. */
export interface ChargeTiming {
  readonly trustMs: number;
  readonly writeMs: number;
  readonly answerMs: number;
  readonly askMs: number;
  /** For how long after a question the other one is believed to be there. */
  readonly saidMs: number;
}

const TIMING: ChargeTiming = { trustMs: 5_000, writeMs: 15_000, answerMs: 25_000, askMs: 15_000, saidMs: 60_000 };

export interface Charge extends Kept {
  /** Empty: nobody. */
  readonly holder: string;
  readonly askedBy?: string;
}

export function keepCharge(lease: LeaseObject): Charge {
  const askedBy = lease.metadata.annotations?.[ANNOTATIONS.askedBy];
  return {
    metadata: metadataOf(lease),
    holder: lease.spec?.holderIdentity ?? '',
    ...(askedBy !== undefined && { askedBy }),
  };
}

export type Move = 'keep' | 'answer' | 'take' | 'ask' | 'wait';

/**
 * What to do about the Lease. Pure.
 * @param unchangedMs for how long it is as it is, by our own clock; times in it are another machine's
 * @param sinceAskedMs since we asked last; undefined: never
 */
export function moveOf(
  us: string,
  charge: Pick<Charge, 'holder' | 'askedBy'> | undefined,
  { unchangedMs, sinceAskedMs }: { unchangedMs: number; sinceAskedMs: number | undefined },
  { answerMs, askMs }: Pick<ChargeTiming, 'answerMs' | 'askMs'> = TIMING,
): Move {
  if (!charge || charge.holder === '') return 'take';
  if (charge.holder === us) return charge.askedBy === undefined ? 'keep' : 'answer';
  if (charge.askedBy !== undefined) return unchangedMs < answerMs ? 'wait' : 'take';
  return sinceAskedMs === undefined || sinceAskedMs >= askMs ? 'ask' : 'wait';
}

export interface InChargeOptions {
  /** Bound to the term, as what is asked by a process that does not lead is not for it to ask. */
  readonly transport: Transport;
  /** The same for all processes of one leader election: `namespace/name` of its Lease. */
  readonly installation: string;
  /** All namespaces are watched. */
  readonly everywhere?: boolean;
  readonly log: Logger;
  /** Somebody else is in charge there now (named), or no longer. */
  readonly onChange: (namespace: string, other: string | undefined) => void;
  /** Another one has asked, and stands back. */
  readonly onAsked: (namespace: string) => void;
  /** Resolves when what is seen is of a moment after this call. */
  readonly refresh: () => Promise<void>;
  readonly timing?: Partial<ChargeTiming>;
}

interface Known {
  readonly charge: Charge | undefined;
  readonly sinceMs: number;
}

/** So many namespaces, written in within `trustMs`, are worth one page of a list of all. */
const MANY = 4;
const PAGE = 500;

const ONE_NAME = { fieldSelector: `metadata.name=${IN_CHARGE}` };

interface Listed {
  readonly items: readonly LeaseObject[];
  readonly metadata?: { readonly continue?: string };
}

export class InCharge {
  readonly #options: InChargeOptions;
  readonly #timing: ChargeTiming;
  readonly #known = new Map<string, Known>();
  readonly #others = new Map<string, string>();
  readonly #verifiedAt = new Map<string, number>();
  readonly #askedAt = new Map<string, number>();
  readonly #askers = new Map<string, { who: string; atMs: number }>();
  readonly #looking = new Map<string, Promise<boolean>>();
  /** When something was to be written there last. */
  readonly #wroteAt = new Map<string, number>();
  #reading: Promise<void> | undefined;
  /** When a list of all was begun last. */
  #listedAt = Number.NEGATIVE_INFINITY;
  /** Namespaces in which there is no right to the Lease. */
  readonly #refused = new Set<string>();

  constructor(options: InChargeOptions) {
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
  }

  /** How soon one that stands back looks again. */
  get lookMs(): number {
    return Math.min(5_000, this.#timing.answerMs / 5);
  }

  get saidMs(): number {
    return this.#timing.saidMs;
  }

  /** Who else is in charge, as far as is known: asks nothing. */
  other(namespace: string): string | undefined {
    return this.#others.get(namespace);
  }

  /** Who has asked lately, and stands back. */
  asker(namespace: string): string | undefined {
    const asker = this.#askers.get(namespace);
    return asker && performance.now() - asker.atMs < this.#timing.saidMs ? asker.who : undefined;
  }

  /** What the watch shows. Questions are answered; the error of one that was not is of no use: it is asked again. */
  saw(namespace: string, charge: Charge | undefined): void {
    this.#learn(namespace, charge);
    if (charge?.holder === this.#options.installation && charge.askedBy !== undefined)
      this.look(namespace).catch(() => {});
  }

  /** A term begins: questions that came before it are answered. */
  begin(): void {
    for (const [namespace, { charge }] of this.#known) this.saw(namespace, charge);
  }

  /** Reads the Lease and does what is to be done about it. Whether we are in charge. One at a time for a namespace. */
  look(namespace: string): Promise<boolean> {
    const underWay = this.#looking.get(namespace);
    if (underWay) return underWay;
    const looking = this.#look(namespace).finally(() => this.#looking.delete(namespace));
    this.#looking.set(namespace, looking);
    return looking;
  }

  /**
   * Before a write: resolves with the signal within which it must have been made.
   * @throws ApiError where another one is in charge, or nobody knows
   */
  async guard(namespace: string): Promise<AbortSignal> {
    this.#wroteAt.set(namespace, performance.now());
    if (!this.#isOurs(namespace)) await (this.#reading ?? this.#lookEverywhere());
    if (!this.#isOurs(namespace) && !(await this.look(namespace))) {
      const why = new Error(`${this.other(namespace) ?? 'another operator'} works there`);
      throw unanswered('GetFailed', `a write in namespace ${namespace}`, 'Aborted', why);
    }
    return AbortSignal.timeout(this.#timing.writeMs);
  }

  /** Nothing need be read to know it. */
  #isOurs(namespace: string): boolean {
    const verifiedAt = this.#verifiedAt.get(namespace) ?? Number.NEGATIVE_INFINITY;
    const isTrusted = performance.now() - verifiedAt < this.#timing.trustMs;
    return this.#refused.has(namespace) || (isTrusted && this.other(namespace) === undefined);
  }

  /** At most once in `trustMs`: where a list does not help, the next one would not either. */
  #isListDue(): boolean {
    if (!this.#options.everywhere) return false;
    const since = performance.now() - this.#timing.trustMs;
    for (const [namespace, at] of this.#wroteAt) if (at < since) this.#wroteAt.delete(namespace);
    const pages = Math.max(1, Math.ceil(this.#known.size / PAGE));
    return this.#wroteAt.size >= MANY * pages && this.#listedAt <= since;
  }

  /** Finds out where nothing is to be done about the Lease; elsewhere, or if it fails, each is looked at by itself. */
  async #lookEverywhere(): Promise<void> {
    if (!this.#isListDue()) return;
    const atMs = performance.now();
    this.#listedAt = atMs;
    this.#reading = this.#readAll(atMs)
      .catch(error => {
        if (isForbidden(error)) this.#listedAt = Number.POSITIVE_INFINITY;
      })
      .finally(() => {
        this.#reading = undefined;
      });
    await this.#reading;
  }

  async #readAll(atMs: number): Promise<void> {
    let more: string | undefined;
    do {
      const query = { ...ONE_NAME, limit: String(PAGE), ...(more && { continue: more }) };
      const page = await this.#options.transport.request<Listed>({ method: 'GET', path: pathOf(leases), query });
      for (const lease of page.items) {
        const namespace = lease.metadata.namespace ?? '';
        const { charge } = this.#learn(namespace, keepCharge(lease));
        if (charge?.holder === this.#options.installation && charge.askedBy === undefined)
          this.#verifiedAt.set(namespace, Math.max(atMs, this.#verifiedAt.get(namespace) ?? atMs));
      }
      more = page.metadata?.continue;
    } while (more);
  }

  async #look(namespace: string): Promise<boolean> {
    const atMs = performance.now();
    try {
      const lease = await this.#read(namespace);
      const known = this.#learn(namespace, lease && keepCharge(lease));
      const askedAt = this.#askedAt.get(namespace);
      const sinceAskedMs = askedAt === undefined ? undefined : atMs - askedAt;
      const unchangedMs = performance.now() - known.sinceMs;
      const move = moveOf(this.#options.installation, known.charge, { unchangedMs, sinceAskedMs }, this.#timing);
      const isOurs = await this.#make(move, namespace, lease);
      if (isOurs) this.#verifiedAt.set(namespace, atMs);
      return isOurs;
    } catch (error) {
      if (!isForbidden(error)) throw error;
      if (isOfEndingNamespace(error)) return true; // nobody can be in charge any more; of the next one nothing is known
      if (!this.#refused.has(namespace))
        this.#options.log.warn({ namespace, lease: IN_CHARGE }, 'no right to this Lease: no other operator is noticed');
      this.#refused.add(namespace);
      return true;
    }
  }

  async #make(move: Move, namespace: string, lease: LeaseObject | undefined): Promise<boolean> {
    if (move === 'keep') return true;
    if (move === 'wait') return false;
    // what was seen while another one worked may be old
    if (move === 'take' && this.other(namespace) !== undefined) await this.#options.refresh();
    const asker = lease?.metadata.annotations?.[ANNOTATIONS.askedBy];
    this.#learn(namespace, keepCharge(await this.#write(move, namespace, lease)));
    if (move === 'ask') {
      this.#askedAt.set(namespace, performance.now());
      return false;
    }
    if (move === 'answer' && asker !== undefined) this.#asked(namespace, asker);
    return true;
  }

  #asked(namespace: string, text: string): void {
    const who = named(text);
    if (this.asker(namespace) !== who)
      this.#options.log.warn({ namespace, other: who }, 'another operator watches this namespace, too; it stands back');
    this.#askers.set(namespace, { who, atMs: performance.now() });
    this.#options.onAsked(namespace);
  }

  /** What is older than what is known says nothing; one that was removed is known by nobody else. */
  #learn(namespace: string, charge: Charge | undefined): Known {
    const known = this.#known.get(namespace);
    const [before, now] = [known?.charge?.metadata.resourceVersion, charge?.metadata.resourceVersion];
    const isNews = before === undefined || now === undefined || compareResourceVersions(now, before) > 0;
    if (known && (!isNews || before === now)) return known;
    const next = { charge, sinceMs: performance.now() };
    this.#known.set(namespace, next);
    this.#tell(namespace, charge);
    return next;
  }

  #tell(namespace: string, charge: Charge | undefined): void {
    const { installation, log, onChange } = this.#options;
    const holder = charge?.holder ?? '';
    const other = holder === '' || holder === installation ? undefined : named(holder);
    if (this.other(namespace) === other) return;
    if (other === undefined) this.#others.delete(namespace);
    else this.#others.set(namespace, other);
    if (other !== undefined) log.warn({ namespace, other }, 'another operator works in this namespace: stands back');
    else log.info({ namespace }, 'no other operator works in this namespace any more');
    onChange(namespace, other);
  }

  async #read(namespace: string): Promise<LeaseObject | undefined> {
    const path = pathOf(leases, { namespace });
    // a list, which a right to this one name allows as well, tells "none" from "no such namespace" without an error
    const { items } = await this.#options.transport.request<Listed>({ method: 'GET', path, query: ONE_NAME });
    return items[0];
  }

  /** Refused with 409 when anybody wrote since it was read: the resourceVersion goes with it. */
  #write(move: 'take' | 'answer' | 'ask', namespace: string, lease: LeaseObject | undefined): Promise<LeaseObject> {
    const { transport, installation } = this.#options;
    const { [ANNOTATIONS.askedBy]: _asked, ...others } = lease?.metadata.annotations ?? {};
    const annotations = move === 'ask' ? { ...others, [ANNOTATIONS.askedBy]: installation } : others;
    const now = `${new Date().toISOString().slice(0, -1)}000Z`;
    const taken = move === 'take' ? { holderIdentity: installation, acquireTime: now } : {};
    const spec = { ...lease?.spec, ...taken };
    const { apiVersion, kind } = leases;
    if (!lease) {
      const body = { apiVersion, kind, metadata: { namespace, name: IN_CHARGE, annotations }, spec };
      return transport.request({ method: 'POST', path: pathOf(leases, { namespace }), body });
    }
    const body = { ...lease, apiVersion, kind, metadata: { ...lease.metadata, annotations }, spec };
    return transport.request({ method: 'PUT', path: pathTo(leases, lease), body });
  }
}

/** Whoever may write Leases may write anything there; what has not the shape of a name is not repeated. */
const named = (text: string): string =>
  /^[a-z0-9][-a-z0-9.]{0,62}\/[a-z0-9][-a-z0-9.]{0,252}$/.test(text) ? text : 'another operator';
