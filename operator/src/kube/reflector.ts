// Keeps a store equal to what the API server has: the I/O around the steps of reflection.ts.

import { delayMs, jittered, sleep } from './backoff.ts';
import type { Discovery } from './discovery.ts';
import { ApiError } from './errors.ts';
import {
  ABSENT_BACKOFF,
  type Failure,
  hasSynced,
  type Input,
  type Next,
  type State,
  type Step,
  step,
} from './reflection.ts';
import { type KubeObject, pathOf, type Resource } from './resource.ts';
import type { PackedObject, Store, StoredObject } from './store.ts';
import type { Query, Transport, WatchEvent } from './transport.ts';

export type ReflectorOptions<Raw extends KubeObject, T extends StoredObject> = {
  transport: Transport;
  resource: Resource<Raw>;
  store: Store<T>;
  /** What to keep of an object. Metadata-only: `raw` has nothing but `metadata`. */
  project: (raw: Raw) => T;
  /** Absent: all namespaces. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** Neither sends nor keeps anything but metadata: for Secrets. */
  metadataOnly?: boolean;
  /** Of a kind that may be missing: who says whether it has come, for all such kinds and namespaces at once. */
  discovery?: Discovery;
  /** Told of every new phase, and of every failure while it lasts. */
  onState?: (state: State<PackedObject>, failure?: Failure) => void;
  timing?: Partial<Timing>;
};

export type Timing = {
  pageSize: number;
  /** After which the server ends a watch. */
  watchSeconds: number;
  /** How much later we do, if it did not. */
  graceMs: number;
  /** Bookmarks come about every minute: a watch that is silent for longer may hang, and a new one costs one request. */
  silenceMs: number;
  listTimeoutMs: number;
};

const TIMING: Timing = {
  pageSize: 100,
  watchSeconds: 290,
  graceMs: 5_000,
  silenceMs: 90_000,
  listTimeoutMs: 60_000,
};

const METADATA = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';
const METADATA_LIST = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';

/** An empty list of metadata alone has null for items. */
type Page<Raw> = { metadata: { resourceVersion: string; continue?: string }; items: Raw[] | null };

export class Reflector<Raw extends KubeObject, T extends StoredObject> {
  readonly #options: ReflectorOptions<Raw, T>;
  readonly #timing: Timing;
  readonly #path: string;
  readonly #selectors: Query;
  readonly #stop = new AbortController();
  readonly #synced = Promise.withResolvers<void>();
  readonly #answer = Promise.withResolvers<void>();
  #isAnswered = false;
  /** Breaks off a watch, and ends a wait. */
  #interrupt = new AbortController();
  /** Asked for anew, and no list has begun since. */
  #stale = false;
  #refreshed = Promise.withResolvers<void>();
  #state: State<PackedObject> = { phase: 'empty' };
  #heardAtMs = performance.now();
  #running: Promise<void> | undefined;

  constructor(options: ReflectorOptions<Raw, T>) {
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
    this.#path = pathOf(options.resource, options.namespace === undefined ? {} : { namespace: options.namespace });
    this.#selectors = { labelSelector: options.labelSelector, fieldSelector: options.fieldSelector };
    // stopped before that: only a problem for those who wait for it
    this.#synced.promise.catch(() => {});
    this.#answer.promise.catch(() => {});
  }

  get state(): State<PackedObject> {
    return this.#state;
  }

  /** Whether the store tells the whole truth of some moment. */
  get hasSynced(): boolean {
    return hasSynced(this.#state);
  }

  /** Resolves once it has synced; rejects when it is stopped before. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** Whether the API server has said what there is, or that we may not know. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** Resolves when it is; rejects when it is stopped before. */
  get answered(): Promise<void> {
    return this.#answer.promise;
  }

  /**
   * Lists anew; resolves when the store holds what was listed, however long the API server takes. For a store that is to
   * be relied on after a time in which nobody did: a watch that hangs looks like one in which nothing happens.
   */
  refresh(): Promise<void> {
    this.#stale = true;
    this.reopen();
    return this.#refreshed.promise;
  }

  /** Goes on from what was seen last, on another connection: after a time in which the network was not to be trusted. */
  reopen(): void {
    this.#interrupt.abort();
    this.#interrupt = new AbortController();
  }

  /** Since the API server last said anything: an event, a bookmark, a list. Above 90 s it is out of reach. */
  get silentMs(): number {
    return performance.now() - this.#heardAtMs;
  }

  start(): this {
    this.#running ??= this.#run();
    return this;
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('stopped'));
    const stopped = new Error(`the reflector of ${this.#path} was stopped`);
    this.#synced.reject(stopped);
    this.#answer.reject(stopped);
    this.#refreshed.resolve();
    await this.#running;
  }

  async #run(): Promise<void> {
    let { next } = this.#step({ input: 'start' });
    while (!this.#stop.signal.aborted) {
      try {
        next = await this.#act(next);
      } catch (error) {
        if (!this.#stop.signal.aborted) throw error; // a projection or a listener threw: a bug, not to be hidden
      }
    }
  }

  async #act(next: Next): Promise<Next> {
    switch (next.next) {
      case 'list':
        return this.#list(next.continueToken);
      case 'watch':
        return this.#watch(next.resourceVersion);
      case 'wait':
        return this.#wait(next.ms);
      case 'read':
      case 'nothing':
        throw new Error(`nothing leads on from ${this.#state.phase}`);
    }
  }

  async #wait(ms: number): Promise<Next> {
    const over = AbortSignal.any([this.#stop.signal, this.#interrupt.signal]);
    await sleep(jittered(ms), over).catch(() => {});
    return this.#step({ input: 'waited' }).next;
  }

  #step(input: Input<T, PackedObject>): Step<T, PackedObject> {
    const taken = step(this.#state, input);
    const before = this.#state.phase;
    this.#state = taken.state;
    this.#change(taken);
    // a first list that ended before its end
    if (taken.state.phase === 'absent' && !taken.state.holding) this.#options.store.replace([], '');
    if (hasSynced(taken.state)) this.#synced.resolve();
    if (taken.change?.change === 'replace' || taken.state.phase === 'absent') this.#answered();
    const failure = 'failure' in input ? input.failure : undefined;
    if (failure || taken.state.phase !== before) this.#options.onState?.(taken.state, failure);
    return taken;
  }

  #answered(): void {
    this.#isAnswered = true;
    this.#answer.resolve();
    if (this.#stale) return;
    this.#refreshed.resolve();
    this.#refreshed = Promise.withResolvers();
  }

  #change({ change }: Step<T, PackedObject>): void {
    const { store } = this.#options;
    switch (change?.change) {
      case 'replace':
        store.replace(change.objects, change.resourceVersion);
        break;
      case 'upsert':
        store.upsert(change.object);
        break;
      case 'remove':
        store.remove(change.object);
        break;
      case 'advance':
        store.advance(change.resourceVersion);
        break;
    }
  }

  async #list(continueToken: string | undefined): Promise<Next> {
    const isAskedAnew = this.#stale;
    if (continueToken === undefined) this.#stale = false;
    return this.#step((await this.#unserved(isAskedAnew)) ?? (await this.#page(continueToken))).next;
  }

  /**
   * That the kind is still not served, as discovery says it; undefined: list it. An answer to somebody else may be half as
   * old as our wait was long. As long as objects are kept, only the list itself tells that they are gone.
   */
  async #unserved(isAskedAnew: boolean): Promise<Input<T, PackedObject> | undefined> {
    const { discovery, resource } = this.#options;
    const { state } = this;
    if (!discovery || state.phase !== 'absent' || state.reason !== 'NotServed' || state.holding) return undefined;
    const maxAgeMs = isAskedAnew ? 0 : delayMs(ABSENT_BACKOFF, state.asked) / 2;
    try {
      if (await discovery.serves(resource, maxAgeMs, this.#stop.signal)) return undefined;
    } catch (error) {
      const failure = failureOf(error);
      // who may not ask that may still list
      return failure.status === 403 ? undefined : { input: 'listFailed', failure };
    }
    this.#heardAtMs = performance.now();
    return { input: 'listFailed', failure: { status: 404, message: state.message } };
  }

  async #page(continueToken: string | undefined): Promise<Input<T, PackedObject>> {
    const { transport, metadataOnly } = this.#options;
    try {
      const page = await transport.request<Page<Raw>>({
        method: 'GET',
        path: this.#path,
        query: { ...this.#selectors, limit: this.#timing.pageSize, continue: continueToken },
        timeoutMs: this.#timing.listTimeoutMs,
        signal: this.#stop.signal,
        ...(metadataOnly && { accept: METADATA_LIST }),
      });
      this.#heardAtMs = performance.now();
      return {
        input: 'page',
        objects: this.#taken(page.items ?? []),
        resourceVersion: page.metadata.resourceVersion,
        continueToken: page.metadata.continue,
      };
    } catch (error) {
      return { input: 'listFailed', failure: failureOf(error) };
    }
  }

  /** One after another, and none is held any longer: what lives on through a collection of garbage is copied in it. */
  #taken(items: Raw[]): PackedObject[] {
    const { store } = this.#options;
    const taken: PackedObject[] = [];
    for (const [index, item] of items.entries()) {
      delete items[index];
      taken.push(store.unchanged(item.metadata) ?? this.#packed(item));
    }
    return taken;
  }

  /** Nobody relies on a store before its first list is whole: it need not wait to be made of it. */
  #packed(item: Raw): PackedObject {
    const { store } = this.#options;
    const object = this.#project(item);
    return this.#state.phase === 'listing' ? store.fill(object) : store.pack(object);
  }

  /** The items of a list do not say what they are. */
  #project(raw: Raw): T {
    const { apiVersion, kind } = this.#options.resource;
    return this.#options.project({ ...raw, apiVersion, kind });
  }

  async #watch(resourceVersion: string): Promise<Next> {
    if (this.#stale) return this.#step({ input: 'refresh' }).next;
    const startedAtMs = performance.now();
    const watchdog = new Watchdog(AbortSignal.any([this.#stop.signal, this.#interrupt.signal]), this.#timing);
    const lastedMs = () => performance.now() - startedAtMs;
    try {
      // a stream that does not end when it is told to is not waited for
      const failure = await Promise.race([this.#follow(resourceVersion, watchdog), watchdog.bitten]);
      if (this.#stale) return this.#step({ input: 'refresh' }).next;
      if (failure) return this.#watchFailed(failure, lastedMs());
    } catch (error) {
      return this.#watchFailed(failureOf(error), lastedMs());
    } finally {
      watchdog.done();
    }
    return this.#step({ input: 'watchEnded', lastedMs: lastedMs() }).next;
  }

  /** Until the stream ends; what it ended with, if not as streams do. */
  async #follow(resourceVersion: string, watchdog: Watchdog): Promise<Failure | undefined> {
    for await (const event of this.#open(resourceVersion, watchdog.signal)) {
      if (watchdog.signal.aborted) return undefined;
      watchdog.heard();
      this.#heardAtMs = performance.now();
      if (event.type === 'ERROR') return statusFailure(event.object);
      this.#step(this.#read(event));
    }
    return undefined;
  }

  #open(resourceVersion: string, signal: AbortSignal): AsyncIterable<WatchEvent<Raw>> {
    const { transport, metadataOnly } = this.#options;
    const query = {
      ...this.#selectors,
      resourceVersion,
      allowWatchBookmarks: true,
      timeoutSeconds: this.#timing.watchSeconds,
    };
    return transport.watch<Raw>(this.#path, query, signal, metadataOnly ? { accept: METADATA } : {});
  }

  #read(event: Exclude<WatchEvent<Raw>, { type: 'ERROR' }>): Input<T, PackedObject> {
    switch (event.type) {
      case 'BOOKMARK':
        return { input: 'bookmark', resourceVersion: event.object.metadata.resourceVersion };
      case 'DELETED':
        return { input: 'deleted', object: this.#project(event.object) };
      default:
        return { input: 'changed', object: this.#project(event.object) };
    }
  }

  #watchFailed(failure: Failure, lastedMs: number): Next {
    return this.#step({ input: 'watchFailed', failure, lastedMs }).next;
  }
}

function statusFailure(status: { code?: number; message?: string }): Failure {
  return { status: status.code ?? 0, message: status.message ?? 'the watch failed' };
}

/** @throws the error itself when it is not the API server's or the network's */
function failureOf(error: unknown): Failure {
  if (!(error instanceof ApiError)) throw error;
  return { status: error.status, message: error.message, retryAfterMs: error.retryAfterMs };
}

/** Ends a watch that the server should have ended, or that has been silent for too long. */
class Watchdog {
  readonly #controller = new AbortController();
  readonly #bitten = Promise.withResolvers<undefined>();
  readonly #parent: AbortSignal;
  readonly #silence: NodeJS.Timeout;
  readonly #deadline: NodeJS.Timeout;
  readonly #bite = () => {
    this.#controller.abort();
    this.#bitten.resolve(undefined);
  };

  constructor(parent: AbortSignal, { watchSeconds, graceMs, silenceMs }: Timing) {
    this.#parent = parent;
    this.#silence = setTimeout(this.#bite, silenceMs);
    this.#deadline = setTimeout(this.#bite, watchSeconds * 1_000 + graceMs);
    parent.addEventListener('abort', this.#bite, { once: true });
    if (parent.aborted) this.#bite();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Resolves when it ends the watch. */
  get bitten(): Promise<undefined> {
    return this.#bitten.promise;
  }

  heard(): void {
    this.#silence.refresh();
  }

  done(): void {
    clearTimeout(this.#silence);
    clearTimeout(this.#deadline);
    this.#parent.removeEventListener('abort', this.#bite);
  }
}

/** Starts to mirror a resource into a store. */
export function startReflector<Raw extends KubeObject, T extends StoredObject>(
  options: ReflectorOptions<Raw, T>,
): Reflector<Raw, T> {
  return new Reflector(options).start();
}
