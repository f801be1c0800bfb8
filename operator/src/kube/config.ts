// Which API server to talk to, and as whom. In a pod the service account's files are read directly: loading
// client-node takes longer than everything else a start does. Outside, client-node reads kubeconfigs, with all the
// ways to log in that they know (certificates, tokens, exec plugins, OIDC).

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { KubeConfig } from '@kubernetes/client-node';
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
  return fromKubeconfig(kubeconfig, context);
}

async function inCluster(folder: string, host: string, port: string): Promise<Cluster> {
  const namespace = await readFile(`${folder}/namespace`, 'utf8');
  const read = async (): Promise<Credentials> => {
    const [token, ca] = await Promise.all([
      readFile(`${folder}/token`, 'utf8'),
      readFile(`${folder}/ca.crt`, 'utf8').catch(() => undefined),
    ]);
    return { headers: { authorization: `Bearer ${token.trim()}` }, tls: ca === undefined ? {} : { ca } };
  };
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    namespace: namespace.trim(),
    credentials: rereading(read),
  };
}

async function fromKubeconfig(path: string | undefined, context: string | undefined): Promise<Cluster> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const load = () => {
    const config = new KubeConfig();
    if (path === undefined) config.loadFromDefault();
    else config.loadFromFile(path);
    if (context !== undefined) config.setCurrentContext(context);
    return config;
  };
  const config = load();
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new Error(`no cluster: context "${config.getCurrentContext()}" of the kubeconfig names none`);
  if (cluster.proxyUrl) throw new Error(`cluster ${cluster.name}: proxy-url is not supported`);
  return {
    server: cluster.server,
    namespace: config.getContextObject(config.getCurrentContext())?.namespace ?? 'default',
    // read anew from the file: a token that was renewed by another program is in there
    credentials: rereading(() => credentialsOf(load())),
  };
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
export function rereading(
  read: () => Promise<Credentials>,
  nowMs: () => number = () => performance.now(),
): Cluster['credentials'] {
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
