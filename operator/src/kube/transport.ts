// HTTP to one API server: pooled connections, renewed credentials, deadlines, and retries where a retry is harmless.
//
// Promised: a read that fails for a passing reason (429, 5xx, connection lost) is asked again up to READ_ATTEMPTS times
// with growing, spread waits. A write is sent again only after 401 (with renewed credentials) and after 429 with a
// Retry-After: in both the server says that it did nothing. After any other failure nobody knows, so the caller,
// who knows what it wanted, decides.

import type { IncomingMessage } from 'node:http';
import { setTimeout as startTimer } from 'node:timers';
import { delayMs, jittered, sleep } from './backoff.ts';
import { elapsedMs } from './elapsed.ts';
import {
  ApiError,
  type ErrorCode,
  parseRetryAfter,
  parseStatus,
  refused,
  type StatusBody,
  unanswered,
} from './errors.ts';
import { ConnectionPool, ConnectTimeout, type ProxyEnv, readText } from './http.ts';
import { LineSplitter } from './lines.ts';

export type TlsMaterial = {
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
  servername?: string;
  rejectUnauthorized?: boolean;
};

export type Credentials = { readonly headers: Readonly<Record<string, string>>; readonly tls: TlsMaterial };

/** Where the API server is, and as whom to talk to it. */
export type Cluster = {
  /** `https://host:port`, perhaps with a path. */
  readonly server: string;
  /** The namespace of the kubeconfig's context, or of the pod. */
  readonly namespace: string;
  /** What stands between; absent: nothing. */
  readonly proxyEnv?: ProxyEnv;
  /** Cheap to ask for every request. `renew`: the last ones were refused, read them again from their source. */
  credentials(renew: boolean): Promise<Credentials>;
};

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export type Request = {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  query?: Query;
  /** Sent as JSON unless it is a string. */
  body?: unknown;
  contentType?: string;
  accept?: string;
  headers?: Readonly<Record<string, string>>;
  /** For one attempt, waiting for a free connection included. */
  timeoutMs?: number;
  /** For `text`: a longer answer is not read to its end, and fails. */
  maxBytes?: number;
  signal?: AbortSignal;
};

export type TextAnswer = { status: number; contentType: string | undefined; text: string };

export type WatchEvent<T = unknown> =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: T }
  | { type: 'BOOKMARK'; object: { metadata: { resourceVersion: string } } }
  | { type: 'ERROR'; object: StatusBody };

/** One attempt that ended; `status` is 0 when no answer came. For metrics. */
export type Call = { verb: string; resource: string; status: number; ms: number };

export type TransportOptions = {
  onCall?: (call: Call) => void;
  /** Connections for requests, and as many for `text`; each watch has one of its own. */
  connections?: number;
  timeoutMs?: number;
  userAgent?: string;
};

export type WatchOptions = { accept?: string };

export type Transport = {
  /** @throws ApiError */
  request<T>(request: Request): Promise<T>;
  /**
   * One attempt, for what lies behind the API server (a pod's `/metrics` through its proxy): the answer whatever its
   * status. Headers of the kind `Authorization` do not get through the API server's proxy.
   * @throws ApiError when the API server itself refuses, cannot reach the pod, or does not answer
   */
  text(request: Request): Promise<TextAnswer>;
  /**
   * Ends when the server ends it. The signal ends it silently.
   * @throws ApiError when it is refused, or when the stream breaks; events before that were whole
   */
  watch<T>(path: string, query: Query, signal?: AbortSignal, options?: WatchOptions): AsyncIterable<WatchEvent<T>>;
  /** Breaks what is under way. */
  close(): Promise<void>;
};

const READ_ATTEMPTS = 4;
const WRITE_ATTEMPTS = 4;
const READ_BACKOFF = { baseMs: 100, maxMs: 2_000 };
/** A server that asks for longer is not waited for here: the error says how long. */
const MAX_RETRY_AFTER_MS = 10_000;
const DEFAULT_TIMEOUT_MS = 15_000;
const DEFAULT_CONNECTIONS = 16;
/** The API server closes idle connections after 90 s or more; closing them first avoids writing into a closing one. */
const IDLE_MS = 30_000;

const PASSING = new Set([429, 500, 502, 503, 504]);

/**
 * Whether, and after how long, to send a request again. Pure but for the spread.
 * @param attempt of the attempt that failed, from 1
 */
export function retryDelayMs(
  method: Request['method'],
  attempt: number,
  error: Pick<ApiError, 'status' | 'reason' | 'retryAfterMs'>,
  random: () => number = Math.random,
): number | undefined {
  const { status, reason, retryAfterMs } = error;
  if (retryAfterMs !== undefined && retryAfterMs > MAX_RETRY_AFTER_MS) return undefined;
  if (method !== 'GET') {
    if (status !== 429 || retryAfterMs === undefined || attempt >= WRITE_ATTEMPTS) return undefined;
    return retryAfterMs + jittered(READ_BACKOFF.baseMs, random);
  }
  if (attempt >= READ_ATTEMPTS || reason === 'Aborted') return undefined;
  if (status !== 0 && !PASSING.has(status)) return undefined;
  return Math.max(retryAfterMs ?? 0, jittered(delayMs(READ_BACKOFF, attempt), random));
}

/** What a path is about: `pods`, `deployments/scale`, `pods/proxy`. For metrics: no names in it. */
export function resourceOf(path: string): string {
  const parts = path.split('/').filter(part => part !== '');
  const rest = parts[0] === 'api' ? parts.slice(2) : parts[0] === 'apis' ? parts.slice(3) : [];
  if (rest.length === 0) return 'other';
  const local = rest[0] === 'namespaces' && rest.length > 2 ? rest.slice(2) : rest;
  return local[2] === undefined ? `${local[0]}` : `${local[0]}/${local[2]}`;
}

const VERBS = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' } as const;
const CODES: Readonly<Record<string, ErrorCode>> = {
  get: 'GetFailed',
  list: 'ListFailed',
  watch: 'WatchFailed',
  create: 'CreateFailed',
  update: 'UpdateFailed',
  patch: 'PatchFailed',
  apply: 'ApplyFailed',
  delete: 'DeleteFailed',
};

function verbOf({ method, path, contentType }: Request): string {
  if (method === 'PATCH') return contentType === APPLY_PATCH ? 'apply' : 'patch';
  if (method !== 'GET') return VERBS[method];
  // collections: an odd number of parts after the group; `/namespaces/x/pods` and `/pods`
  const parts = path.split('/').filter(part => part !== '');
  const local = parts.slice(parts[0] === 'api' ? 2 : 3);
  const named = local[0] === 'namespaces' && local.length > 2 ? local.slice(2) : local;
  return named.length === 1 ? 'list' : 'get';
}

export const APPLY_PATCH = 'application/apply-patch+yaml';

type Attempt = { request: Request; verb: string; resource: string; what: string; code: ErrorCode };

function describe(request: Request): Attempt {
  const verb = verbOf(request);
  return {
    request,
    verb,
    resource: resourceOf(request.path),
    what: `${request.method} ${request.path}`,
    code: CODES[verb] ?? 'GetFailed',
  };
}

function reasonOf(cause: unknown, signal: AbortSignal | undefined): string {
  if (signal?.aborted) return 'Aborted';
  return cause instanceof Timeout || cause instanceof ConnectTimeout ? 'Timeout' : 'Unreachable';
}

class Timeout extends Error {}

/** A signal of its own for one attempt: aborted by the deadline or by the caller. `done` must be called. */
function deadline(ms: number | undefined, signal: AbortSignal | undefined) {
  const controller = new AbortController();
  const abort = () => controller.abort(signal?.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });
  const timer =
    ms === undefined ? undefined : startTimer(() => controller.abort(new Timeout(`no answer within ${ms} ms`)), ms);
  const done = () => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  };
  return { signal: controller.signal, done };
}

function queryString(query: Query | undefined): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query ?? {})) if (value !== undefined) parameters.set(key, String(value));
  return parameters.size === 0 ? '' : `?${parameters}`;
}

type Opened = {
  answer: IncomingMessage;
  status: number;
  contentType: string | undefined;
  retryAfterMs: number | undefined;
};

function openedBy(answer: IncomingMessage): Opened {
  const { statusCode: status = 0, headers } = answer;
  const retryAfterMs = parseRetryAfter(headers['retry-after'], Date.now());
  return { answer, status, contentType: headers['content-type'], retryAfterMs };
}

class PooledTransport implements Transport {
  readonly #cluster: Cluster;
  readonly #options: TransportOptions;
  readonly #server: string;
  readonly #requests: ConnectionPool;
  readonly #watches: ConnectionPool;
  /** What is behind the API server may be slow to answer, and must not hold up what the API server itself is asked. */
  readonly #behind: ConnectionPool;

  constructor(cluster: Cluster, options: TransportOptions) {
    const { connections = DEFAULT_CONNECTIONS } = options;
    this.#cluster = cluster;
    this.#options = options;
    this.#server = cluster.server.replace(/\/$/, '');
    const { proxyEnv } = cluster;
    this.#requests = new ConnectionPool({ connections, idleMs: IDLE_MS, proxyEnv });
    this.#watches = new ConnectionPool({ proxyEnv });
    this.#behind = new ConnectionPool({ connections, idleMs: IDLE_MS, proxyEnv });
  }

  async request<T>(request: Request): Promise<T> {
    const attempt = describe(request);
    for (let count = 1; ; count++) {
      try {
        return JSON.parse(await this.#attempt(attempt)) as T;
      } catch (cause) {
        const error = cause instanceof ApiError ? cause : unanswered(attempt.code, attempt.what, 'Unreadable', cause);
        const waitMs = retryDelayMs(request.method, count, error);
        if (waitMs === undefined) throw error;
        await sleep(waitMs, request.signal).catch(reason => {
          throw unanswered(attempt.code, attempt.what, 'Aborted', reason);
        });
      }
    }
  }

  async text(request: Request): Promise<TextAnswer> {
    const attempt = describe(request);
    return this.#timed(attempt, async signal => {
      const first = await this.#readBehind(request, signal, false);
      // a 401 may be the pod's own word: only the API server's says that our credentials are old
      const answer = first.status === 401 && first.refusal ? await this.#readBehind(request, signal, true) : first;
      const { status, contentType, text, refusal, retryAfterMs } = answer;
      if (refusal) throw refused(attempt.code, attempt.what, { status, body: refusal, retryAfterMs });
      return { result: { status, contentType, text }, status };
    });
  }

  async #readBehind(request: Request, signal: AbortSignal, renew: boolean) {
    const opened = openedBy(await this.#send(request, this.#behind, signal, renew));
    const text = await readText(opened.answer, signal, request.maxBytes);
    const refusal = opened.status >= 400 ? parseStatus(opened.contentType, text) : undefined;
    return { ...opened, text, refusal };
  }

  async *watch<T>(path: string, query: Query, signal?: AbortSignal, options: WatchOptions = {}) {
    const request: Request = { method: 'GET', path, query: { ...query, watch: true }, ...options };
    const attempt: Attempt = { ...describe(request), verb: 'watch', code: 'WatchFailed' };
    let body: IncomingMessage | undefined;
    const end = () => body?.destroy();
    signal?.addEventListener('abort', end, { once: true });
    try {
      body = await this.#timed({ ...attempt, request: { ...request, ...(signal && { signal }) } }, async opening => {
        const { answer, status } = await this.#openWatch(attempt, opening);
        return { result: answer, status };
      });
      yield* this.#events<T>(attempt, body);
    } catch (error) {
      if (signal?.aborted) return;
      throw error;
    } finally {
      signal?.removeEventListener('abort', end);
      end();
    }
  }

  async close(): Promise<void> {
    for (const pool of [this.#requests, this.#watches, this.#behind]) pool.close();
  }

  async #openWatch(attempt: Attempt, signal: AbortSignal): Promise<Opened> {
    const opened = await this.#open(attempt, this.#watches, signal);
    const { answer, status, contentType, retryAfterMs } = opened;
    if (status === 200) return opened;
    const text = await readText(answer, signal);
    const body = parseStatus(contentType, text);
    throw refused(attempt.code, attempt.what, { status, body, text, retryAfterMs });
  }

  async *#events<T>({ code, what }: Attempt, body: AsyncIterable<Uint8Array>): AsyncGenerator<WatchEvent<T>> {
    const splitter = new LineSplitter();
    try {
      for await (const chunk of body) {
        for (const line of splitter.push(chunk)) yield JSON.parse(line) as WatchEvent<T>;
      }
    } catch (cause) {
      throw cause instanceof ApiError ? cause : unanswered(code, what, 'Unreachable', cause);
    }
    if (splitter.pendingBytes > 0) {
      throw unanswered(code, what, 'Unreachable', new Error(`cut in the middle of an event`));
    }
  }

  async #attempt(attempt: Attempt): Promise<string> {
    return this.#timed(attempt, async signal => {
      const { answer, status, contentType, retryAfterMs } = await this.#open(attempt, this.#requests, signal);
      const text = await readText(answer, signal);
      if (status < 400) return { result: text, status };
      const body = parseStatus(contentType, text);
      throw refused(attempt.code, attempt.what, { status, body, text, retryAfterMs });
    });
  }

  #timeoutMs({ timeoutMs }: Request): number {
    return timeoutMs ?? this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  }

  /** One attempt under its deadline, counted; whatever breaks becomes an ApiError. */
  async #timed<T>(attempt: Attempt, act: (signal: AbortSignal) => Promise<{ result: T; status: number }>): Promise<T> {
    const { request, verb, resource, code, what } = attempt;
    const limit = deadline(this.#timeoutMs(request), request.signal);
    const startedAt = elapsedMs();
    const count = (status: number) => this.#options.onCall?.({ verb, resource, status, ms: elapsedMs() - startedAt });
    try {
      const { result, status } = await act(limit.signal);
      count(status);
      return result;
    } catch (cause) {
      const error = cause instanceof ApiError ? cause : unanswered(code, what, reasonOf(cause, request.signal), cause);
      count(error.status);
      throw error;
    } finally {
      limit.done();
    }
  }

  /** Sends, and once more with renewed credentials when they were refused: the server then did nothing. */
  async #open({ request }: Attempt, pool: ConnectionPool, signal: AbortSignal): Promise<Opened> {
    let answer = await this.#send(request, pool, signal, false);
    if (answer.statusCode === 401) {
      await readText(answer, signal); // its connection can then be used again
      answer = await this.#send(request, pool, signal, true);
    }
    return openedBy(answer);
  }

  async #send(request: Request, pool: ConnectionPool, signal: AbortSignal, renew: boolean): Promise<IncomingMessage> {
    const { headers, tls } = await this.#cluster.credentials(renew);
    const { method, path, query, body, contentType = 'application/json', accept = 'application/json' } = request;
    return pool.send({
      url: new URL(`${this.#server}${path}${queryString(query)}`),
      method,
      tls,
      signal,
      headers: {
        accept,
        'user-agent': this.#options.userAgent ?? 'kube-transport',
        ...(body !== undefined && { 'content-type': contentType }),
        ...request.headers,
        ...headers,
      },
      body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
    });
  }
}

export function createTransport(cluster: Cluster, options: TransportOptions = {}): Transport {
  return new PooledTransport(cluster, options);
}
