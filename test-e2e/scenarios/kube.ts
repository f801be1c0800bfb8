// The scenarios' own view of the API server, apart from the operator's code: what is measured here does not depend on
// what is being measured. Watches note when each change was received.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, type RequestOptions, request } from 'node:https';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { parse } from 'yaml';
import { kubeconfigPath } from '../cluster/cluster.ts';

export type Condition = {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
};

/** As much of a Kubernetes object as the scenarios look at. */
export type KubeObject = {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly generation?: number;
    readonly resourceVersion?: string;
    readonly creationTimestamp?: string;
    readonly deletionTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly uid: string }[];
  };
  // biome-ignore lint/suspicious/noExplicitAny: any kind of object
  readonly [field: string]: any;
};

type ListOf = { readonly metadata: { readonly resourceVersion: string }; readonly items: readonly KubeObject[] };

/** The API server refused; the message is its own. */
export class Refused extends Error {
  readonly code = 'REFUSED';
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

type Kubeconfig = {
  readonly clusters: readonly { readonly cluster: Record<string, string> }[];
  readonly users: readonly { readonly user: Record<string, string> }[];
};

let connection: { readonly server: string; readonly agent: Agent } | undefined;

function connect(): { readonly server: string; readonly agent: Agent } {
  if (connection) return connection;
  const { clusters, users } = parse(readFileSync(kubeconfigPath(), 'utf8')) as Kubeconfig;
  const [cluster = {}, user = {}] = [clusters[0]?.cluster, users[0]?.user];
  const pem = (data: string | undefined) => Buffer.from(data ?? '', 'base64');
  const tls = {
    ca: pem(cluster['certificate-authority-data']),
    cert: pem(user['client-certificate-data']),
    key: pem(user['client-key-data']),
  };
  connection = { server: cluster['server'] ?? '', agent: new Agent({ ...tls, keepAlive: true }) };
  return connection;
}

async function send(path: string, options: RequestOptions, body?: string) {
  const { server, agent } = connect();
  const sent = request(server + path, { agent, ...options });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
  if ((response.statusCode ?? 0) < 400) return { sent, response };
  const answer = await text(response);
  throw new Refused(response.statusCode ?? 0, messageOf(answer));
}

function messageOf(answer: string): string {
  try {
    return (JSON.parse(answer) as { message?: string }).message ?? answer;
  } catch {
    return answer;
  }
}

async function json<T>(path: string, options: RequestOptions = {}, body?: unknown): Promise<T> {
  const { response } = await send(path, options, body === undefined ? undefined : JSON.stringify(body));
  return JSON.parse(await text(response)) as T;
}

const PLURALS: Readonly<Record<string, string>> = {
  NetworkPolicy: 'networkpolicies',
  EndpointSlice: 'endpointslices',
  IngressClass: 'ingressclasses',
  GatewayClass: 'gatewayclasses',
};

/** The API path of an object, by its apiVersion and kind. */
export function pathOf({ apiVersion = 'v1', kind = '', metadata: { name, namespace } }: KubeObject): string {
  const root = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
  const plural = PLURALS[kind] ?? `${kind.toLowerCase()}s`;
  return `${root}${namespace ? `/namespaces/${namespace}` : ''}/${plural}/${name}`;
}

const as = (contentType: string) => ({ method: 'PATCH', headers: { 'content-type': contentType } });

export const get = (path: string): Promise<KubeObject> => json<KubeObject>(path);

/** The object, or undefined when there is none. */
export const find = (path: string): Promise<KubeObject | undefined> =>
  get(path).catch((error: unknown) => {
    if (error instanceof Refused && error.status === 404) return undefined;
    throw error;
  });

export const list = async (path: string): Promise<readonly KubeObject[]> => (await json<ListOf>(path)).items;

/** Server-side apply, as `kubectl apply --server-side` does it. @throws Refused */
export const apply = (object: KubeObject): Promise<KubeObject> =>
  json(`${pathOf(object)}?fieldManager=scenario&force=true`, as('application/apply-patch+yaml'), object);

export const patch = (path: string, change: unknown): Promise<KubeObject> =>
  json(`${path}?fieldManager=scenario-edit`, as('application/merge-patch+json'), change);

/** Deletes the object if there is one; its children go in the background. */
export const remove = (path: string): Promise<unknown> =>
  json(path, { method: 'DELETE' }).catch((error: unknown) => {
    if (!(error instanceof Refused && error.status === 404)) throw error;
  });

/** Raw text of any path, e.g. of /metrics or a pod's log. */
export const raw = async (path: string): Promise<string> => text((await send(path, {})).response);

export type Change = {
  /** When it was received, epoch milliseconds with fractions. */
  readonly at: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: KubeObject;
};

const now = (): number => performance.timeOrigin + performance.now();

/** Follows a collection from now on; what is there already comes first. Returns a function that ends it. */
export async function watch(path: string, onChange: (change: Change) => void): Promise<() => void> {
  const first = await json<ListOf>(path);
  for (const object of first.items) onChange({ at: now(), type: 'ADDED', object });
  let version = first.metadata.resourceVersion;
  let ended = false;
  let current: { destroy(): void } | undefined;
  const follow = async (): Promise<void> => {
    const query = `watch=true&resourceVersion=${version}`;
    const { sent, response } = await send(`${path}${path.includes('?') ? '&' : '?'}${query}`, {});
    current = sent;
    for await (const line of createInterface({ input: response })) {
      const { type, object } = JSON.parse(line) as { type: Change['type'] | 'ERROR'; object: KubeObject };
      if (type === 'ERROR') throw new Error(`the watch of ${path} ended: ${line}`);
      version = object.metadata.resourceVersion ?? version;
      onChange({ at: now(), type, object });
    }
  };
  const loop = async (): Promise<void> => {
    while (!ended) {
      await follow().catch((error: Error) => {
        if (!ended && !('code' in error)) throw error;
      });
    }
  };
  void loop();
  return () => {
    ended = true;
    current?.destroy();
  };
}

/** Gives up connections, so that the process can end. */
export function disconnect(): void {
  connection?.agent.destroy();
  connection = undefined;
}

export const conditionOf = (object: KubeObject | undefined, type: string): Condition | undefined =>
  (object?.['status']?.conditions as readonly Condition[] | undefined)?.find(condition => condition.type === type);
