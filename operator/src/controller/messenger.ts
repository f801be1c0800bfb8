// Messages about records, to the sinks of the administrator. Driven by the records in the stores and by nothing that
// passes do: one that is younger than an hour and has no receipt of a sink that wants it is sent there, the oldest first,
// until it is taken. So a restart loses none; and none is sent twice, but where a process dies between the answer and
// the receipt, or an answer comes too late.
//
//   record without receipt ──► sent ───────► receipt `sent`
//                          ├─► refused ────► receipt `refused`, Event     (the message itself: 400, 413, 422 …)
//                          └─► failed ─────► again after 1, 2, 4 … 300 s; Event when the wait is that long;
//                                            after an hour: Event, and no more of it
//
// A loop for each sink, so that one that is slow delays no other; none is waited for by a pass.
import type { Logger } from 'pino';
import { API_VERSION } from '../api/group.ts';
import type { AppKind } from '../api/resource.ts';
import { get } from '../kube/apply.ts';
import { type Backoff, delayMs, sleep } from '../kube/backoff.ts';
import { isConflict } from '../kube/errors.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Term } from '../kube/lease.ts';
import { controllerRevisions, type OwnerReference, pathTo } from '../kube/resource.ts';
import { keyOf } from '../kube/store.ts';
import type { Transport } from '../kube/transport.ts';
import { messageFor } from '../lifecycle/messages/formats.ts';
import {
  type Headline,
  incidentNews,
  kindOfIncident,
  type News,
  releasedIn,
  releaseNews,
  type Subject,
} from '../lifecycle/messages/news.ts';
import { hasReceipt, parseReceipts, type Receipt } from '../lifecycle/messages/receipts.ts';
import { type Sink, wants } from '../lifecycle/messages/sinks.ts';
import { parseIncident } from '../objects/incident.ts';
import { ANNOTATIONS, FIELD_MANAGER } from '../objects/names.ts';
import { parseRevision } from '../objects/revision.ts';
import type { OperatorMetrics } from './metrics.ts';
import type { Answer, Send } from './post.ts';
import type { SinkSource } from './sinks-file.ts';
import type { KeptRevision } from './views.ts';
import type { Stores } from './world.ts';

export interface MessengerOptions {
  /** Ends with the term. */
  readonly transport: Transport;
  readonly stores: () => readonly Stores[];
  /** Whether this installation works in a namespace, as far as it is known. */
  readonly isOurs: (namespace: string) => boolean;
  /** Rejects where another one does: asked before each message. */
  readonly guard: (namespace: string) => Promise<unknown>;
  readonly sinks: SinkSource;
  readonly send: Send;
  readonly recorder: Pick<EventRecorder, 'record'>;
  readonly metrics: Pick<OperatorMetrics, 'notifications'>;
  readonly docsUrl?: string | undefined;
  readonly log: Logger;
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly waits?: Backoff;
}

/** What the operator is told of messages. */
export type Messages = Pick<MessengerOptions, 'sinks' | 'send' | 'waits'>;

/** Older ones are history. */
const WINDOW_MS = 3_600_000;
const WAITS: Backoff = { baseMs: 1_000, maxMs: 300_000 };
/** Between tries to ask or to tell the API server. */
const API_WAITS: Backoff = { baseMs: 1_000, maxMs: 30_000 };
const CONFLICTS = 5;
const OUTCOMES = ['sent', 'failed', 'refused', 'expired'] as const;

interface Pending extends Headline {
  readonly namespace: string;
  readonly name: string;
  /** Sinks that have it, or will never. */
  readonly done: Set<string>;
  /** What is answered and not yet written down. */
  readonly owed: Map<string, Receipt>;
}

type Revision = NonNullable<typeof controllerRevisions.object>;
type Progress = { readonly failures: number; readonly isTold: boolean };

export class Messenger {
  readonly #options: MessengerOptions;
  readonly #waits: Backoff;
  readonly #pending = new Map<string, Pending>();
  #round: AbortController | undefined;
  #term: Term | undefined;
  #working: Promise<unknown> = Promise.resolve();
  #wake = Promise.withResolvers<void>();

  constructor(options: MessengerOptions) {
    this.#options = options;
    this.#waits = options.waits ?? WAITS;
    for (const stores of options.stores()) stores.revisions.onChange((_before, after) => this.#saw(after));
    options.sinks.onChange(() => this.#again());
  }

  /** From now on, until the term is over, messages leave. */
  begin(term: Term): void {
    this.#term = term;
    this.#again();
  }

  /** Nothing new begins; resolves when what is under way has its receipt. */
  async stop(): Promise<void> {
    this.#term = undefined;
    this.#round?.abort();
    await this.#working;
  }

  /** Resolves when nothing is under way: after the term. */
  get idle(): Promise<unknown> {
    return this.#working;
  }

  /** With the sinks as they are now. What is under way ends before. */
  #again(): void {
    this.#round?.abort();
    const before = this.#working;
    const term = this.#term;
    if (!term || term.isOver()) return;
    const round = new AbortController();
    this.#round = round;
    const until = AbortSignal.any([round.signal, term.signal]);
    until.addEventListener('abort', () => this.#wakeAll(), { once: true });
    this.#working = before.then(() => {
      if (until.aborted) return undefined;
      const { sinks } = this.#options.sinks.current;
      for (const { name: sink } of sinks)
        for (const outcome of OUTCOMES) this.#options.metrics.notifications.inc({ sink, outcome }, 0);
      for (const pending of this.#pending.values()) if (pending.owed.size === 0) this.#forget(pending);
      for (const { revisions } of this.#options.stores()) for (const kept of revisions.list()) this.#saw(kept);
      return Promise.all(sinks.map(sink => this.#run(sink, until, term)));
    });
  }

  #saw(kept: KeptRevision | undefined): void {
    if (!kept || !this.#term || this.#term.isOver()) return;
    const headline = headlineOf(kept);
    if (!headline || this.#isOld(headline)) return;
    const { namespace, name } = kept.metadata;
    const key = keyOf(namespace, name);
    const receipts = parseReceipts(kept.annotations[ANNOTATIONS.notified]);
    const wanting = this.#options.sinks.current.sinks.filter(sink => wants(sink, headline.kind, namespace));
    const isDone = wanting.every(({ name: sink }) => hasReceipt(receipts, sink, headline.at));
    const known = this.#pending.get(key);
    if (isDone || known?.at === headline.at) return;
    this.#pending.set(key, { ...headline, namespace, name, done: new Set(), owed: new Map() });
    this.#wakeAll();
  }

  #wakeAll(): void {
    const { resolve } = this.#wake;
    this.#wake = Promise.withResolvers();
    resolve();
  }

  #isOld({ at }: Headline): boolean {
    return this.#options.now() - Date.parse(at) > WINDOW_MS;
  }

  #forget({ namespace, name }: Pending): void {
    this.#pending.delete(keyOf(namespace, name));
  }

  async #run(sink: Sink, until: AbortSignal, term: Term): Promise<void> {
    let progress: Progress = { failures: 0, isTold: false };
    let unanswered = 0;
    while (!until.aborted) {
      const next = this.#next(sink);
      if (!next) {
        await this.#wake.promise;
        continue;
      }
      try {
        const answer = await this.#deliver(sink, next, term);
        unanswered = 0;
        if (answer?.kind !== 'failed') {
          progress = { failures: 0, isTold: false };
          continue;
        }
        progress = this.#failed(sink, next, answer, progress);
        await this.#pause(waitOf(this.#waits, progress.failures, answer), until);
      } catch (error) {
        if (until.aborted) return;
        unanswered += 1;
        this.#options.log.debug({ sink: sink.name, record: next.name, why: String(error) }, 'a record cannot be read');
        await this.#pause(delayMs(API_WAITS, unanswered), until);
      }
    }
  }

  /** The oldest that it wants and has not; those that have become too old are given up. */
  #next(sink: Sink): Pending | undefined {
    for (const pending of this.#pending.values())
      if (this.#isOld(pending) && !this.#options.isOurs(pending.namespace)) this.#forget(pending);
    const open = [...this.#pending.values()]
      .filter(({ kind, namespace, done }) => wants(sink, kind, namespace) && !done.has(sink.name))
      .filter(({ namespace }) => this.#options.isOurs(namespace))
      .toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
    for (const old of open.filter(pending => this.#isOld(pending) && !pending.owed.has(sink.name)))
      this.#expired(sink, old);
    return open.find(({ done }) => !done.has(sink.name));
  }

  async #pause(ms: number, until: AbortSignal): Promise<void> {
    await sleep(ms, until).catch(() => {});
  }

  /** Undefined: there is nothing to send. @throws ApiError where the record cannot be read, or the receipt not written */
  async #deliver(sink: Sink, pending: Pending, term: Term): Promise<Answer | undefined> {
    const { metrics, send, log, docsUrl, sinks, guard } = this.#options;
    const { namespace, name, at } = pending;
    const owed = pending.owed.get(sink.name);
    if (owed) return this.#wrote(sink, pending, owed);
    await guard(namespace);
    const object = await this.#read(pending);
    const news = object && newsIn(object);
    const isOver = !news || news.at !== at || hasReceipt(receiptsOf(object), sink.name, at);
    if (isOver) return this.#done(sink, pending);
    const message = messageFor(sink, news, { cluster: sinks.current.cluster, docsUrl });
    const answer: Answer = message
      ? await send(sink, message, term.signal)
      : { kind: 'refused', why: 'longer than 4 KiB' };
    // broken off: nobody knows, and whoever leads next sends it
    if (term.isOver()) return undefined;
    metrics.notifications.inc({ sink: sink.name, outcome: answer.kind });
    const about = { sink: sink.name, namespace, record: name };
    if (answer.kind === 'sent') log.info(about, 'message sent');
    else log.warn({ ...about, outcome: answer.kind, why: answer.why }, 'a message was not delivered');
    if (answer.kind === 'failed') return answer;
    if (answer.kind === 'refused') this.#tell(news.resource, sink, `is refused by it (${answer.why})`, pending);
    const receipt: Receipt = { outcome: answer.kind, of: at, at: new Date(this.#options.now()).toISOString() };
    pending.owed.set(sink.name, receipt);
    return this.#wrote(sink, pending, receipt);
  }

  #done(sink: Sink, pending: Pending): undefined {
    pending.owed.delete(sink.name);
    pending.done.add(sink.name);
    const { sinks } = this.#options.sinks.current;
    const wanting = sinks.filter(other => wants(other, pending.kind, pending.namespace));
    if (wanting.every(({ name }) => pending.done.has(name))) this.#forget(pending);
  }

  #read(pending: Pending): Promise<Revision | undefined> {
    return get(this.#options.transport, controllerRevisions, pending);
  }

  /** Over the version that was read: another sink’s receipt is not lost. */
  async #wrote(sink: Sink, pending: Pending, receipt: Receipt): Promise<undefined> {
    for (let tries = 1; ; tries++) {
      const object = await this.#read(pending);
      if (!object) return this.#done(sink, pending);
      const receipts = JSON.stringify({ ...receiptsOf(object), [sink.name]: receipt });
      const { resourceVersion } = object.metadata;
      try {
        await this.#options.transport.request({
          method: 'PATCH',
          path: pathTo(controllerRevisions, object),
          query: { fieldManager: FIELD_MANAGER },
          contentType: 'application/merge-patch+json',
          body: { metadata: { resourceVersion, annotations: { [ANNOTATIONS.notified]: receipts } } },
        });
        return this.#done(sink, pending);
      } catch (error) {
        if (!isConflict(error) || tries >= CONFLICTS) throw error;
      }
    }
  }

  #failed(sink: Sink, pending: Pending, { why }: Answer & { kind: 'failed' }, before: Progress): Progress {
    const failures = before.failures + 1;
    const isTold = before.isTold || delayMs(this.#waits, failures) >= this.#waits.maxMs;
    if (isTold && !before.isTold)
      this.#tellOf(pending, sink, `is not taken by it after ${failures} tries (${why}); it is tried for an hour`);
    return { failures, isTold };
  }

  #expired(sink: Sink, pending: Pending): void {
    this.#options.metrics.notifications.inc({ sink: sink.name, outcome: 'expired' });
    this.#tellOf(pending, sink, 'was not taken by it within an hour, and is not sent any more');
    this.#done(sink, pending);
  }

  /** About the resource that the record belongs to, as the store knows it. */
  #tellOf(pending: Pending, sink: Sink, what: string): void {
    const { namespace, name } = pending;
    const kept = this.#options.stores().flatMap(({ revisions }) => revisions.get(namespace, name) ?? [])[0];
    const owner = kept && ownerOf(kept.metadata.ownerReferences);
    if (owner) this.#tell({ ...owner, namespace }, sink, what, pending);
  }

  #tell({ kind, ...metadata }: Subject, sink: Sink, what: string, { name }: Pending): void {
    this.#options.recorder.record({
      regarding: { apiVersion: API_VERSION, kind, metadata },
      type: 'Warning',
      reason: 'NotificationFailed',
      note: `sink ${sink.name}: the message about ${name} ${what}`,
      annotations: { [ANNOTATIONS.record]: name },
    });
  }
}

/** Never sooner than a sink asks for, and never later than the longest wait. */
const waitOf = (waits: Backoff, failures: number, { retryAfterMs = 0 }: Answer & { kind: 'failed' }): number =>
  Math.min(waits.maxMs, Math.max(delayMs(waits, failures), retryAfterMs));

const receiptsOf = ({ metadata }: Revision) => parseReceipts(metadata.annotations?.[ANNOTATIONS.notified]);

/** What the store keeps suffices to know whether anybody wants it. */
function headlineOf({ incident, annotations }: KeptRevision): Headline | undefined {
  if (incident) return { kind: kindOfIncident(incident), at: incident.at };
  const released = releasedIn(annotations[ANNOTATIONS.verdict]);
  return released && { kind: 'released', at: released.at };
}

function ownerOf(references: readonly OwnerReference[]): Omit<Subject, 'namespace'> | undefined {
  const owner = references.find(({ controller }) => controller);
  return owner && { kind: owner.kind as AppKind, name: owner.name, uid: owner.uid };
}

export function newsIn(object: Revision): News | undefined {
  const { metadata } = object;
  const { namespace = '', name, uid = '', ownerReferences = [] } = metadata;
  const owner = ownerOf(ownerReferences);
  if (!owner) return undefined;
  const subject: Subject = { ...owner, namespace };
  const incident = parseIncident(object.data);
  if (incident) return incidentNews(subject, { name, uid }, incident);
  const revision = parseRevision(object);
  return revision && releaseNews(subject, { name, uid }, revision.release, revision.notes);
}
