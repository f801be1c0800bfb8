// A proxy in front of an API server that fails on request, so that a client meets what a real network does to it:
//
//   const proxy = await startFaultProxy(api);
//   proxy.url                                     http://127.0.0.1:PORT: plain, so that bytes can be cut anywhere
//   proxy.inject(isWatch, { fault: 'cut', afterBytes: 700 }, { times: 2, skip: 1 })
//   proxy.seen                                    every request that came, and what became of it
//   proxy.resetAll()                              breaks every connection there is
//   proxy.clear(); await proxy.stop();
//
// Rules are tried in the order they were injected; the first that matches and is not used up decides.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';

export type Fault =
  /** Answered here: the API server never sees it. */
  | { fault: 'status'; status: number; reason?: string; message?: string; retryAfter?: string }
  /** An answer of 200 made here, closed after it: for a watch, a line per event. */
  | { fault: 'answer'; body: string }
  /** The connection breaks before the API server sees the request. */
  | { fault: 'reset' }
  /** The API server does it, and the answer is lost. */
  | { fault: 'loseAnswer' }
  /** The answer's body is cut after so many bytes. */
  | { fault: 'cut'; afterBytes: number }
  /** The answer's body ends, as if complete, after so many bytes. */
  | { fault: 'end'; afterBytes: number }
  /** Nothing comes any more after so many bytes of the body, and the connection stays. */
  | { fault: 'stall'; afterBytes: number }
  /** Neither forwarded nor answered. */
  | { fault: 'hang' }
  /** Forwarded, and the answer held back for so long. */
  | { fault: 'delay'; ms: number }
  /** Bytes of the answer come in pieces of this size. */
  | { fault: 'dribble'; bytes: number };

export type Seen = {
  atMs: number;
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  body: string;
  fault: Fault['fault'] | undefined;
  /** What the client was told; undefined while, or when, it was told nothing. */
  status: number | undefined;
};

export type Matches = (request: Seen) => boolean;

export const isWatch: Matches = ({ query }) => query.get('watch') === 'true';
export const isList: Matches = ({ method, query, path }) =>
  method === 'GET' && query.get('watch') !== 'true' && query.has('limit') && path !== '/';
export const isRead: Matches = ({ method }) => method === 'GET';
export const isWrite: Matches = ({ method }) => method !== 'GET';

export type FaultProxy = {
  readonly url: string;
  readonly seen: readonly Seen[];
  /** @returns how often it has struck so far, when asked */
  inject(matches: Matches, fault: Fault, options?: { times?: number; skip?: number }): () => number;
  /** No more faults. */
  clear(): void;
  /** Breaks all connections, those of watches included. */
  resetAll(): void;
  /** From now on connections are refused, until `open`. */
  close(): Promise<void>;
  open(): Promise<void>;
  stop(): Promise<void>;
};

type Rule = { matches: Matches; fault: Fault; skip: number; left: number; struck: number };

export async function startFaultProxy(target: { url: string; caPem: string }): Promise<FaultProxy> {
  const proxy = new HttpProxy(target);
  await proxy.open();
  return proxy;
}

class HttpProxy implements FaultProxy {
  readonly #target: URL;
  readonly #agent: Agent;
  readonly #sockets = new Set<Socket>();
  readonly seen: Seen[] = [];
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  #rules: Rule[] = [];
  #port = 0;

  constructor({ url, caPem }: { url: string; caPem: string }) {
    this.#target = new URL(url);
    this.#agent = new Agent({ ca: caPem, keepAlive: true });
    this.#server.on('connection', socket => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => {});
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  inject(matches: Matches, fault: Fault, { times = 1, skip = 0 }: { times?: number; skip?: number } = {}) {
    const rule: Rule = { matches, fault, skip, left: times, struck: 0 };
    this.#rules.push(rule);
    return () => rule.struck;
  }

  clear(): void {
    this.#rules = [];
  }

  resetAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.resetAll();
    await closed;
  }

  async open(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    if (this.#server.listening) await this.close();
    this.#agent.destroy();
  }

  #strike(seen: Seen): Fault | undefined {
    for (const rule of this.#rules) {
      if (rule.left === 0 || !rule.matches(seen)) continue;
      if (rule.skip > 0) {
        rule.skip--;
        continue;
      }
      rule.left--;
      rule.struck++;
      return rule.fault;
    }
    return undefined;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://proxy');
    const body = await buffer(request).catch(() => Buffer.alloc(0));
    const { method = 'GET', headers } = request;
    const seen: Seen = {
      ...{ atMs: performance.now(), method, path: pathname, query: searchParams, headers },
      ...{ body: body.toString('utf8'), fault: undefined, status: undefined },
    };
    const fault = this.#strike(seen);
    seen.fault = fault?.fault;
    this.seen.push(seen);
    if (!fault || !answerHere(fault, request, response, seen)) this.#forward(request, response, body, seen, fault);
  }

  #forward(
    request: IncomingMessage,
    response: ServerResponse,
    body: Buffer,
    seen: Seen,
    fault: Fault | undefined,
  ): void {
    const { host: _host, connection: _connection, ...headers } = request.headers;
    const { hostname, port } = this.#target;
    const onward = httpsRequest({
      ...{ hostname, port, agent: this.#agent, headers, method: request.method ?? 'GET', path: request.url },
    });
    const broken = () => request.socket.resetAndDestroy();
    onward.on('error', broken);
    response.on('close', () => onward.destroy());
    onward.on('response', answer => {
      answer.on('error', broken);
      pass(answer, response, request.socket, seen, fault).catch(broken); // either side went away
    });
    onward.end(body.length > 0 ? body : undefined);
  }
}

/** Whether the fault is such that the API server never hears of the request. */
function answerHere(fault: Fault, request: IncomingMessage, response: ServerResponse, seen: Seen): boolean {
  switch (fault.fault) {
    case 'status': {
      const { status, reason = '', message = 'injected', retryAfter } = fault;
      seen.status = status;
      response.writeHead(status, {
        'content-type': 'application/json',
        ...(retryAfter !== undefined && { 'retry-after': retryAfter }),
      });
      response.end(
        JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code: status, reason, message }),
      );
      return true;
    }
    case 'answer':
      seen.status = 200;
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(fault.body);
      return true;
    case 'reset':
      request.socket.resetAndDestroy();
      return true;
    case 'hang':
      return true;
    default:
      return false;
  }
}

async function pass(
  answer: IncomingMessage,
  response: ServerResponse,
  socket: Socket,
  seen: Seen,
  fault: Fault | undefined,
): Promise<void> {
  if (fault?.fault === 'loseAnswer') {
    answer.resume();
    await once(answer, 'end');
    socket.resetAndDestroy();
    return;
  }
  if (fault?.fault === 'delay') await new Promise(resolve => setTimeout(resolve, fault.ms));
  const { 'content-length': _length, connection: _connection, ...headers } = answer.headers;
  seen.status = answer.statusCode;
  response.writeHead(answer.statusCode ?? 502, headers);
  response.flushHeaders();
  let left = fault && 'afterBytes' in fault ? fault.afterBytes : Number.POSITIVE_INFINITY;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    await writeInPieces(response, chunk.subarray(0, left), fault?.fault === 'dribble' ? fault.bytes : chunk.length);
    left -= Math.min(left, chunk.length);
    if (left === 0) await stopShort(fault, response, socket);
  }
  response.end();
}

async function writeInPieces(response: ServerResponse, chunk: Buffer, size: number): Promise<void> {
  for (let start = 0; start < chunk.length; start += size) {
    await new Promise(resolve => response.write(chunk.subarray(start, start + size), resolve));
  }
}

/** The rest of the answer is not for the client: it is over when the client goes. */
async function stopShort(fault: Fault | undefined, response: ServerResponse, socket: Socket): Promise<void> {
  const gone = once(response, 'close');
  if (fault?.fault === 'cut') socket.resetAndDestroy();
  if (fault?.fault === 'end') response.end();
  await gone;
}
