import { lookup } from 'node:dns/promises';
import { type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { type AddressPolicy, publicOnly } from './addresses.ts';
import { endsTitle, titleOf } from './title.ts';

/** Why there is no answer to speak of. These words are stored (`resources.link_error`, at most 30 characters). */
export type LinkFault =
  | 'bad_url'
  | 'credentials'
  | 'port'
  | 'not_public'
  | 'unresolved'
  | 'unreachable'
  | 'tls'
  | 'timeout'
  | 'bad_answer'
  | 'too_many_redirects';

export type Visit = {
  /** of the last answer, after redirects */
  readonly status: number | undefined;
  readonly title: string | undefined;
  readonly fault: LinkFault | undefined;
};

export type Address = { readonly address: string; readonly family: number };

export type Visitor = {
  readonly policy: AddressPolicy;
  readonly resolve: (hostname: string) => Promise<readonly Address[]>;
  /** for everything together: names, connections, redirects, pages. Milliseconds */
  readonly timeoutMs: number;
};

export const politeVisitor: Visitor = {
  policy: publicOnly,
  resolve: hostname => lookup(hostname, { all: true }),
  timeoutMs: 10_000,
};

const MAX_REDIRECTS = 5;
const MAX_PAGE_BYTES = 256 * 1_024;
const MAX_HEADER_BYTES = 16 * 1_024;

const HEADERS = {
  'User-Agent': 'DevShelf-LinkCheck/1.0',
  Accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.5',
  // a page of 256 KiB can unpack to gigabytes
  'Accept-Encoding': 'identity',
};

class LinkError extends Error {
  readonly fault: LinkFault;

  constructor(fault: LinkFault, cause?: unknown) {
    super(fault, { cause });
    this.fault = fault;
  }
}

/**
 * Does a URL answer, and what is the page's title? Whoever may write a URL could make this process ask a host that
 * only it can reach, so at each hop: the name is resolved once, all its addresses must be public, and the connection
 * goes to one of these very addresses. A second answer of the resolver (DNS rebinding) is never asked for.
 * @throws the signal's reason when `signal` says that this process has no more time
 */
export async function visit(url: string, signal: AbortSignal, visitor: Visitor = politeVisitor): Promise<Visit> {
  const timeout = AbortSignal.timeout(visitor.timeoutMs);
  const either = AbortSignal.any([signal, timeout]);
  try {
    const answer = await follow(url, visitor, either);
    signal.throwIfAborted();
    return { ...answer, fault: undefined };
  } catch (error) {
    signal.throwIfAborted();
    const fault = error instanceof LinkError ? error.fault : timeout.aborted ? 'timeout' : faultOf(error);
    return { status: undefined, title: undefined, fault };
  }
}

async function follow(url: string, visitor: Visitor, signal: AbortSignal): Promise<Omit<Visit, 'fault'>> {
  let next = url;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const answer = await get(next, visitor, signal);
    try {
      const target = redirectOf(answer, next);
      if (target === undefined) return { status: answer.statusCode, title: await readTitle(answer) };
      next = target;
    } finally {
      answer.destroy();
    }
  }
  throw new LinkError('too_many_redirects');
}

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

function redirectOf({ statusCode = 0, headers }: IncomingMessage, from: string): string | undefined {
  if (!REDIRECTS.includes(statusCode) || headers.location === undefined) return undefined;
  const target = URL.parse(headers.location, from);
  if (target === null) throw new LinkError('bad_answer');
  return target.href;
}

async function get(text: string, visitor: Visitor, signal: AbortSignal): Promise<IncomingMessage> {
  const url = checkedUrl(text, visitor.policy);
  const addresses = await checkedAddresses(url.hostname.replace(/^\[|\]$/g, ''), visitor, signal);
  const options: RequestOptions = {
    // an agent of its own: it keeps no connection, and no proxy of the environment stands in between
    agent: false,
    headers: HEADERS,
    lookup: answerWith(addresses),
    maxHeaderSize: MAX_HEADER_BYTES,
    signal,
  };
  return new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? requestHttps(url, options) : requestHttp(url, options);
    request.once('response', resolve);
    request.once('error', reject);
    request.once('close', () => reject(new LinkError('bad_answer'))); // closed without a response
    request.end();
  });
}

function checkedUrl(text: string, policy: AddressPolicy): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) throw new LinkError('bad_url');
  if (url.username !== '' || url.password !== '') throw new LinkError('credentials');
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  if (!policy.allowsPort(port)) throw new LinkError('port');
  return url;
}

/** One address that is not public among them spoils the name: no honest host has both. */
async function checkedAddresses(host: string, visitor: Visitor, signal: AbortSignal): Promise<readonly Address[]> {
  const family = isIP(host);
  const addresses = family === 0 ? await inTime(visitor.resolve(host), signal) : [{ address: host, family }];
  if (addresses.length === 0) throw new LinkError('unresolved');
  if (!addresses.every(({ address }) => visitor.policy.allowsAddress(address))) throw new LinkError('not_public');
  return addresses;
}

/** The resolver cannot be interrupted, only left alone. */
async function inTime<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** For `net.connect`: what the name means was decided before. */
function answerWith(addresses: readonly Address[]): LookupFunction {
  return (_hostname, { all }, done) => {
    const [first] = addresses;
    if (all) done(null, [...addresses]);
    else if (first) done(null, first.address, first.family);
  };
}

/** A page that breaks off, or is too slow, has answered all the same. */
async function readTitle(answer: IncomingMessage): Promise<string | undefined> {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = answer.headers;
  if (!/^(text\/html|application\/xhtml\+xml)\b/i.test(type) || encoding !== 'identity') return undefined;
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= MAX_PAGE_BYTES || endsTitle(chunk)) break;
    }
  } catch {
    // what has come so far may hold the title
  }
  return titleOf(Buffer.concat(chunks).subarray(0, MAX_PAGE_BYTES), type);
}

/** Node's codes, told apart as far as a reader can do something about them. */
function faultOf(error: unknown): LinkFault {
  const { code = '' } = error as { code?: string };
  if (/^(ENOTFOUND|EAI_|ENODATA|ESERVFAIL)/.test(code)) return 'unresolved';
  if (/^(HPE_|ERR_STREAM_PREMATURE_CLOSE)/.test(code)) return 'bad_answer';
  if (/^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO|ERR_OSSL)/.test(code)) return 'tls';
  return 'unreachable';
}

/** May the next attempt say something else? */
export function mayPass({ status = 0, fault }: Visit): boolean {
  const faults: readonly (LinkFault | undefined)[] = ['unresolved', 'unreachable', 'timeout', 'bad_answer'];
  return faults.includes(fault) || status === 429 || status >= 500;
}
