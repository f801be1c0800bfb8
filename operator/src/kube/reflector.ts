// Keeps a store equal to what the API server has: the I/O around the steps of reflection.ts.

import { jittered, sleep } from './backoff.ts';
import { ApiError } from './errors.ts';
import { type Failure, hasSynced, type Input, type Next, type State, type Step, step } from './reflection.ts';
import { type KubeObject, pathOf, type Resource } from './resource.ts';
import type { Store, StoredObject } from './store.ts';
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
  /** Told of every new phase, and of every failure while it lasts. */
  onState?: (state: State<T>, failure?: Failure) => void;
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
  pageSize: 500,
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
  #state: State<T> = { phase: 'empty' };
  #heardAtMs = performance.now();
  #running: Promise<void> | undefined;

  constructor(options: ReflectorOptions<Raw, T>) {
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
    this.#path = pathOf(options.resource, options.namespace === undefined ? {} : { namespace: options.namespace });
    this.#selectors = { labelSelector: options.labelSelector, fieldSelector: options.fieldSelector };
    this.#synced.promise.catch(() => {}); // stopped before it synced: only a problem for those who wait for it
  }

  get state(): State<T> {
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
    this.#synced.reject(new Error(`the reflector of ${this.#path} was stopped`));
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
        await sleep(jittered(next.ms), this.#stop.signal);
        return this.#step({ input: 'waited' }).next;
      case 'read':
      case 'nothing':
        throw new Error(`nothing leads on from ${this.#state.phase}`);
    }
  }

  #step(input: Input<T>): Step<T> {
    const taken = step(this.#state, input);
    const before = this.#state.phase;
    this.#state = taken.state;
    this.#change(taken);
    if (hasSynced(taken.state)) this.#synced.resolve();
    const failure = 'failure' in input ? input.failure : undefined;
    if (failure || taken.state.phase !== before) this.#options.onState?.(taken.state, failure);
    return taken;
  }

  #change({ change }: Step<T>): void {
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
    return this.#step(await this.#page(continueToken)).next;
  }

  async #page(continueToken: string | undefined): Promise<Input<T>> {
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
        objects: (page.items ?? []).map(item => this.#project(item)),
        resourceVersion: page.metadata.resourceVersion,
        continueToken: page.metadata.continue,
      };
    } catch (error) {
      return { input: 'listFailed', failure: failureOf(error) };
    }
  }

  /** The items of a list do not say what they are. */
  #project(raw: Raw): T {
    const { apiVersion, kind } = this.#options.resource;
    return this.#options.project({ ...raw, apiVersion, kind });
  }

  async #watch(resourceVersion: string): Promise<Next> {
    const startedAtMs = performance.now();
    const watchdog = new Watchdog(this.#stop.signal, this.#timing);
    const lastedMs = () => performance.now() - startedAtMs;
    try {
      for await (const event of this.#open(resourceVersion, watchdog.signal)) {
        watchdog.heard();
        this.#heardAtMs = performance.now();
        if (event.type === 'ERROR') return this.#watchFailed(statusFailure(event.object), lastedMs());
        this.#step(this.#read(event));
      }
    } catch (error) {
      return this.#watchFailed(failureOf(error), lastedMs());
    } finally {
      watchdog.done();
    }
    return this.#step({ input: 'watchEnded', lastedMs: lastedMs() }).next;
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

  #read(event: Exclude<WatchEvent<Raw>, { type: 'ERROR' }>): Input<T> {
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
  readonly #parent: AbortSignal;
  readonly #silence: NodeJS.Timeout;
  readonly #deadline: NodeJS.Timeout;
  readonly #bite = () => this.#controller.abort();

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
