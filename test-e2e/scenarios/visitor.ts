// Somebody who asks a service at its Service's address, and what was answered: nothing of ours is between the two but a
// port on loopback.
import { forwardToLoopback } from '../cluster/cluster.ts';
import { serviceAddress } from './traffic.ts';
import { until } from './wait.ts';

export type Heard = {
  readonly status: number;
  /** Without its charset. */
  readonly type: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed where it is JSON, else the text. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever a service answers
  readonly body: any;
};

export type Request = {
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly form?: Readonly<Record<string, string>>;
};

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

export type Visitor = {
  ask(method: Method, path: string, request?: Request): Promise<Heard>;
  /** `GET /path` of all that was answered well, without queries. */
  readonly answered: ReadonlySet<string>;
};

/** Resolves when the Service leads to a pod: that is a moment after the pod is ready. */
export async function visit(namespace: string, service: string): Promise<Visitor> {
  const url = `http://127.0.0.1:${await forwardToLoopback(await serviceAddress(namespace, service))}`;
  const answered = new Set<string>();
  const ask: Visitor['ask'] = async (method, path, request = {}) => {
    const heard = await heardOf(await fetch(url + path, { method, redirect: 'manual', ...messageOf(request) }));
    if (heard.status < 300) answered.add(`${method} ${path.replace(/\?.*/, '')}`);
    return heard;
  };
  const isReady = () =>
    ask('GET', '/ready').then(
      ({ status }) => status === 200,
      () => false,
    );
  await until(`${service} to answer at its Service`, isReady);
  return { ask, answered };
}

function messageOf({ headers = {}, json, form }: Request): RequestInit {
  if (form !== undefined) return { headers, body: new URLSearchParams(form) };
  if (json === undefined) return { headers };
  return { headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(json) };
}

async function heardOf(response: Response): Promise<Heard> {
  const headers = Object.fromEntries(response.headers);
  const [type = ''] = (headers['content-type'] ?? '').split(';');
  const text = await response.text();
  return { status: response.status, type, headers, body: type === 'application/json' ? JSON.parse(text) : text };
}

/** What a page loads and leads to on its own host, each once. */
export const linksOf = (html: string): readonly string[] => {
  const links = [...html.matchAll(/\b(?:href|src)="(\/[^"]*)"/g)].map(([, link = '']) => link.replaceAll('&amp;', '&'));
  return [...new Set(links)];
};

type Documented = { readonly paths: Readonly<Record<string, object>> };

/** Operations that a service's own document names and that were never answered well. */
export const unanswered = ({ paths }: Documented, answered: ReadonlySet<string>): readonly string[] =>
  Object.entries(paths)
    .flatMap(([path, operations]) => Object.keys(operations).map(method => `${method.toUpperCase()} ${path}`))
    .filter(operation => {
      const pattern = new RegExp(`^${operation.replace(/\{\w+\}/g, '[^/]+').replace(/\/$/, '')}/?$`);
      return ![...answered].some(one => pattern.test(one));
    });
