// One message to one address: what came of it, in words in which no address and no header occurs.
import { lookup as resolve } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { parseRetryAfter } from '../kube/errors.ts';
import { ConnectionPool } from '../kube/http.ts';
import { mayReach } from '../lifecycle/messages/addresses.ts';
import type { Message } from '../lifecycle/messages/formats.ts';
import type { Sink } from '../lifecycle/messages/sinks.ts';

export type Answer =
  | { readonly kind: 'sent' }
  /** Not this message, whenever it is sent. */
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'failed'; readonly why: string; readonly retryAfterMs?: number };

export type Send = (sink: Pick<Sink, 'url' | 'headers'>, message: Message, signal: AbortSignal) => Promise<Answer>;

export interface PostOptions {
  /** Which addresses a name may lead to. */
  readonly allows?: (address: string) => boolean;
  readonly userAgent: string;
  /** From the beginning of the connection to the head of the answer. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 5_000;
/** What is wrong with the message itself; of all else the next try may know better, or somebody puts it right. */
const OF_THE_MESSAGE = new Set([400, 406, 413, 415, 422]);

/** Redirects are not followed: the file says where messages go, and nobody else. Nothing of the answer's body is read. */
export function poster({ allows = mayReach, userAgent, timeoutMs = TIMEOUT_MS }: PostOptions): Send {
  const lookup = guarded(allows);
  return async ({ url, headers }, { contentType, body }, signal) => {
    const pool = new ConnectionPool({ connections: 1 });
    const late = AbortSignal.timeout(timeoutMs);
    try {
      const { statusCode = 0, headers: answered } = await pool.send({
        url: new URL(url),
        method: 'POST',
        headers: { ...headers, 'content-type': contentType, 'user-agent': userAgent },
        body,
        lookup,
        signal: AbortSignal.any([signal, late]),
      });
      return answerOf(statusCode, parseRetryAfter(answered['retry-after'], Date.now()));
    } catch (error) {
      if (late.aborted) return { kind: 'failed', why: `no answer within ${timeoutMs / 1_000} s` };
      return { kind: 'failed', why: `no answer (${codeOf(error)})` };
    } finally {
      pool.close();
    }
  };
}

function answerOf(status: number, retryAfterMs: number | undefined): Answer {
  if (status >= 200 && status < 300) return { kind: 'sent' };
  if (OF_THE_MESSAGE.has(status)) return { kind: 'refused', why: `answered ${status}` };
  const why = `answered ${status}${status >= 300 && status < 400 ? ', and redirects are not followed' : ''}`;
  return { kind: 'failed', why, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}

/** Messages of errors name hosts; codes do not. */
const codeOf = (error: unknown): string => {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,60}$/.test(code) ? code : 'the connection failed';
};

class AddressRefused extends Error {
  readonly code = 'ADDRESS_REFUSED';
}

/** The address that is connected to is the one that was looked at: a name that changes its mind gains nothing. */
function guarded(allows: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, '', 0);
      const allowed = found.filter(({ address }) => allows(address));
      const [first] = allowed;
      if (!first) return callback(new AddressRefused('no address that may be asked'), '', 0);
      if (options.all) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}
