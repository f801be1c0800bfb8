// HTTP/1.1 over kept connections, by Node's own client: what is in the process anyway costs no memory again.
import {
  type IncomingMessage,
  type OutgoingHttpHeaders,
  Agent as PlainAgent,
  request as plainRequest,
} from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';
import type { LookupFunction, Socket } from 'node:net';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as startTimer } from 'node:timers';
import type { SecureContextOptions } from 'node:tls';

export type PoolOptions = {
  /** At most so many at a time to one host; the next requests wait. Without: as many as there are requests. */
  connections?: number;
  /** A connection that nobody used for so long is closed. Without: it is closed after its one answer. */
  idleMs?: number;
  /** A proxy between, in the words of the environment. Without: none. */
  proxyEnv?: ProxyEnv | undefined;
};

/** `http://` or `https://` URLs; `NO_PROXY`: hosts, with commas between, that are asked directly. */
export type ProxyEnv = {
  readonly HTTPS_PROXY?: string;
  readonly HTTP_PROXY?: string;
  readonly NO_PROXY?: string;
};

export type HttpRequest = {
  url: URL;
  method?: string;
  headers: OutgoingHttpHeaders;
  body?: string | undefined;
  /** Other certificates open other connections: the ones of old certificates end by being idle. */
  tls?: SecureContextOptions & { servername?: string; rejectUnauthorized?: boolean };
  /** How a name becomes an address; of a URL that has an address it is not asked. */
  lookup?: LookupFunction;
  /** Ends the request, and the reading of its answer, with the signal's reason. */
  signal: AbortSignal;
};

export class ConnectTimeout extends Error {
  readonly code = 'CONNECT_TIMEOUT';
}

/** A peer that vanished without a word is noticed by the kernel's probes. */
const TCP_PROBE_MS = 15_000;
const CONNECT_TIMEOUT_MS = 5_000;

export class ConnectionPool {
  readonly #plain: PlainAgent;
  readonly #secure: SecureAgent;

  constructor({ connections = Number.POSITIVE_INFINITY, idleMs, proxyEnv }: PoolOptions) {
    const options = {
      keepAlive: idleMs !== undefined,
      maxSockets: connections,
      ...(idleMs !== undefined && { timeout: idleMs }),
      ...(proxyEnv && { proxyEnv }),
    };
    this.#plain = new PlainAgent(options);
    this.#secure = new SecureAgent(options);
  }

  /** The answer's head; its body is for the caller to read or to destroy. */
  send({ url, method = 'GET', headers: given, body, tls, lookup, signal }: HttpRequest): Promise<IncomingMessage> {
    // for DELETE Node itself would send the body without its length, as the beginning of the next request
    const headers = body === undefined ? given : { ...given, 'content-length': Buffer.byteLength(body) };
    return new Promise((resolve, reject) => {
      const secure = url.protocol === 'https:';
      const options = { method, headers, signal, ...(lookup && { lookup }) };
      const outgoing = secure
        ? secureRequest(url, { ...tls, ...options, agent: this.#secure })
        : plainRequest(url, { ...options, agent: this.#plain });
      outgoing.once('socket', socket => {
        socket.setKeepAlive(true, TCP_PROBE_MS);
        limitConnecting(socket, secure ? 'secureConnect' : 'connect');
      });
      outgoing.once('response', resolve);
      outgoing.on('error', error => reject(signal.aborted ? signal.reason : error));
      outgoing.end(body);
    });
  }

  /** Breaks what is under way. */
  close(): void {
    this.#plain.destroy();
    this.#secure.destroy();
  }
}

function limitConnecting(socket: Socket, connected: 'connect' | 'secureConnect'): void {
  if (!socket.connecting) return;
  const late = () => socket.destroy(new ConnectTimeout(`no connection within ${CONNECT_TIMEOUT_MS} ms`));
  const timer = startTimer(late, CONNECT_TIMEOUT_MS);
  const done = () => clearTimeout(timer);
  socket.once(connected, done).once('close', done);
}

/** @throws when the answer is cut, longer than `maxBytes`, or the signal ends it */
export async function readText(answer: IncomingMessage, signal: AbortSignal, maxBytes = Number.POSITIVE_INFINITY) {
  const decoder = new StringDecoder('utf8');
  let text = '';
  await readPieces(answer, signal, maxBytes, chunk => {
    text += decoder.write(chunk);
  });
  return text + decoder.end();
}

export class AnswerTooLong extends Error {
  readonly code = 'ANSWER_TOO_LONG';
}

/**
 * The body piece by piece, as it arrives. Resolves with its length in bytes.
 * @throws when the answer is cut, longer than `maxBytes` (`AnswerTooLong`), or the signal ends it
 */
export async function readPieces(
  answer: IncomingMessage,
  signal: AbortSignal,
  maxBytes: number,
  take: (piece: Buffer) => void,
): Promise<number> {
  let bytes = 0;
  // with listeners: an iterator takes as long as all else that is done with a piece
  await new Promise<void>((resolve, reject) => {
    const broken = (error: unknown) => {
      answer.destroy();
      reject(signal.aborted ? signal.reason : error);
    };
    const cut = () => broken(answer.errored ?? new Error('the answer was cut'));
    if (answer.destroyed) return cut();
    answer.on('data', (piece: Buffer) => {
      bytes += piece.length;
      try {
        if (bytes > maxBytes) throw new AnswerTooLong(`the answer is longer than ${maxBytes} bytes`);
        take(piece);
      } catch (error) {
        broken(error);
      }
    });
    answer.once('end', resolve).once('error', broken).once('close', cut);
  });
  return bytes;
}
