// Which API server to talk to, and as whom. In a pod the service account's files are read directly: loading
// client-node takes longer than everything else a start does. Outside, what most kubeconfigs say is read without it, too;
// it reads the others, with all the ways to log in that they know (exec plugins, OIDC).

// not by node:fs/promises, which a short command would load for nothing else
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { elapsedMs } from './elapsed.ts';
import type { ProxyEnv } from './http.ts';
import { type Plain, plainKubeconfig } from './plain-kubeconfig.ts';
import type { Cluster, Credentials, TlsMaterial } from './transport.ts';

export type LoadOptions = {
  /** A kubeconfig; else `KUBECONFIG`, else the pod's service account, else `~/.kube/config`. */
  kubeconfig?: string;
  context?: string;
  env?: Readonly<Record<string, string | undefined>>;
  /** Where a pod finds its service account. */
  serviceAccountFolder?: string;
};

const SERVICE_ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
/** The kubelet renews a pod's token long before it ends; client-go reads it again as often. */
const REREAD_MS = 60_000;

/** @throws Error that names what is missing when no cluster is configured */
export async function loadCluster(options: LoadOptions = {}): Promise<Cluster> {
  const { env = process.env, serviceAccountFolder: folder = SERVICE_ACCOUNT_FOLDER, kubeconfig, context } = options;
  const named = kubeconfig ?? env['KUBECONFIG'];
  const host = env['KUBERNETES_SERVICE_HOST'];
  if (!named && host && existsSync(`${folder}/token`)) {
    return inCluster(folder, host, env['KUBERNETES_SERVICE_PORT'] ?? '443');
  }
  return fromKubeconfig(kubeconfig, context, env);
}

function inCluster(folder: string, host: string, port: string): Cluster {
  const namespace = readFileSync(`${folder}/namespace`, 'utf8');
  const read = async (): Promise<Credentials> => {
    const token = readFileSync(`${folder}/token`, 'utf8');
    const ca = textOf(`${folder}/ca.crt`);
    return { headers: { authorization: `Bearer ${token.trim()}` }, tls: ca === undefined ? {} : { ca } };
  };
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    namespace: namespace.trim(),
    credentials: rereading(read),
  };
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

async function fromKubeconfig(
  path: string | undefined,
  context: string | undefined,
  env: NonNullable<LoadOptions['env']>,
): Promise<Cluster> {
  const files = path !== undefined ? [path] : (env['KUBECONFIG']?.split(delimiter).filter(Boolean) ?? [USUAL_FILE]);
  const read = async () => (files.length === 1 ? await plainKubeconfig(`${files[0]}`, context) : undefined);
  const plain = await read();
  if (!plain) return byClientNode(path, context, files, env);
  const { server, namespace, cluster } = plain;
  const proxyEnv = proxyOf(cluster, env);
  let first: Plain | undefined = plain;
  const credentials = async (): Promise<Credentials> => {
    const now = first ?? (await read());
    first = undefined;
    if (now) return now.credentials();
    // another program wrote it anew, and now it says how to log in
    return (await byClientNode(path, context, files, env)).credentials(true);
  };
  return { server, namespace, ...(proxyEnv && { proxyEnv }), credentials: rereading(credentials) };
}

async function byClientNode(
  path: string | undefined,
  context: string | undefined,
  files: readonly string[],
  env: NonNullable<LoadOptions['env']>,
): Promise<Cluster> {
  const [{ KubeConfig }, { load: parse }] = await Promise.all([import('@kubernetes/client-node'), import('js-yaml')]);
  const load = () => {
    const config = new KubeConfig();
    read(() => (path === undefined ? config.loadFromDefault() : config.loadFromFile(path)));
    if (context !== undefined) config.setCurrentContext(context);
    return config;
  };
  const config = load();
  if (isMadeUp(config)) throw new Error(NO_KUBECONFIG);
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new Error(`no cluster: context "${config.getCurrentContext()}" of the kubeconfig names none`);
  const proxyEnv = proxyOf(cluster, env);
  return {
    server: cluster.server,
    namespace: config.getContextObject(config.getCurrentContext())?.namespace ?? 'default',
    ...(proxyEnv && { proxyEnv }),
    // read anew from the file: a token that was renewed by another program is in there
    credentials: rereading(async () => {
      const now = load();
      const token = tokenOf(now.getCurrentUser()?.name, files, parse);
      const { headers, tls } = await credentialsOf(now);
      return { tls, headers: { ...headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) } };
    }),
  };
}

/** As client-go: the cluster's `proxy-url`, else what the environment says. */
function proxyOf(
  { name, proxyUrl }: { readonly name: string; readonly proxyUrl?: string },
  env: NonNullable<LoadOptions['env']>,
): ProxyEnv | undefined {
  if (proxyUrl) {
    const { protocol } = URL.parse(proxyUrl) ?? {};
    if (protocol === 'http:' || protocol === 'https:') return { HTTPS_PROXY: proxyUrl, HTTP_PROXY: proxyUrl };
    throw new Error(`cluster ${name}: proxy-url "${proxyUrl}" must begin with http:// or https://`);
  }
  const said = (['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY'] as const).flatMap(key => {
    const value = env[key] || env[key.toLowerCase()];
    return value ? [[key, value] as const] : [];
  });
  return said.some(([key]) => key !== 'NO_PROXY') ? Object.fromEntries(said) : undefined;
}

const USUAL_FILE = join(homedir(), '.kube', 'config');
const NO_KUBECONFIG =
  'there is no kubeconfig: KUBECONFIG is not set, and ~/.kube/config is not there; say --kubeconfig FILE, or set KUBECONFIG to the file that your cluster’s administrator or provider gives you';

/** Where it finds nothing, client-node makes up a cluster on this machine. */
const isMadeUp = (config: KubeConfig): boolean =>
  config.getCurrentContext() === 'loaded-context' && config.getCurrentCluster()?.server === 'http://localhost:8080';

/** @throws Error that names the file that is not there */
function read(load: () => void): void {
  try {
    load();
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') throw error;
    throw new Error(`there is no kubeconfig "${path}": --kubeconfig or KUBECONFIG names it`, { cause: error });
  }
}

type Users = {
  readonly users?: readonly { readonly name?: string; readonly user?: { readonly tokenFile?: string } }[];
};

/** Of `tokenFile`, which client-node does not know; it wins over `token`, and its path is that of its kubeconfig. */
function tokenOf(
  user: string | undefined,
  files: readonly string[],
  parse: (text: string) => unknown,
): string | undefined {
  for (const file of files) {
    const text = textOf(file);
    const { users = [] } = (text === undefined ? undefined : (parse(text) as Users | null)) ?? {};
    const found = users.find(({ name }) => name === user);
    if (!found) continue;
    const { tokenFile } = found.user ?? {};
    return tokenFile === undefined ? undefined : readFileSync(resolve(dirname(file), tokenFile), 'utf8').trim();
  }
  return undefined;
}

async function credentialsOf(config: KubeConfig): Promise<Credentials> {
  const options: TlsMaterial & { headers?: Record<string, string | string[] | undefined> } = {};
  await config.applyToHTTPSOptions(options as Parameters<KubeConfig['applyToHTTPSOptions']>[0]);
  const { headers = {}, ca, cert, key, servername, rejectUnauthorized } = options;
  const entries = Object.entries(headers).map(([name, value]): [string, string] => [name.toLowerCase(), `${value}`]);
  return {
    headers: Object.fromEntries(entries),
    tls: {
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      ...(servername !== undefined && { servername }),
      ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
    },
  };
}

function sameTls(a: TlsMaterial, b: TlsMaterial): boolean {
  return (
    `${a.ca}` === `${b.ca}` &&
    `${a.cert}` === `${b.cert}` &&
    `${a.key}` === `${b.key}` &&
    a.servername === b.servername &&
    a.rejectUnauthorized === b.rejectUnauthorized
  );
}

/**
 * Remembers what was read for a minute, or until it was refused; callers at the same time share one reading.
 * Certificates that did not change stay the same object, so that connections are kept. While the source cannot be
 * read the last credentials serve on: a file that is being replaced must not stop the process.
 */
export function rereading(read: () => Promise<Credentials>, nowMs: () => number = elapsedMs): Cluster['credentials'] {
  let last: { value: Credentials; readAtMs: number } | undefined;
  let reading: Promise<Credentials> | undefined;
  const refresh = async (): Promise<Credentials> => {
    try {
      const next = await read();
      const value = last && sameTls(last.value.tls, next.tls) ? { ...next, tls: last.value.tls } : next;
      last = { value, readAtMs: nowMs() };
      return value;
    } catch (error) {
      if (!last) throw error;
      return last.value;
    } finally {
      reading = undefined;
    }
  };
  return renew => {
    if (last && !renew && nowMs() - last.readAtMs < REREAD_MS) return Promise.resolve(last.value);
    reading ??= refresh();
    return reading;
  };
}
