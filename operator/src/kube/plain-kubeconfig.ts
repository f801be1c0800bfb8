// The kubeconfig that most people have: one file, certificates or a token in or beside it. It is read here, because
// loading client-node costs a short command a fifth of its processor time. Whatever else a kubeconfig may say (programs,
// OIDC, passwords, several files, fields that are not in these lists) is client-node's, and so are all its complaints.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { plainYaml } from './plain-yaml.ts';
import type { Credentials } from './transport.ts';

/** What a kubeconfig says that is read here. */
export type Plain = {
  readonly server: string;
  readonly namespace: string;
  readonly cluster: { readonly name: string; readonly proxyUrl?: string };
  /** @throws when a file that it names cannot be read */
  credentials(): Credentials;
};

type Fields = Readonly<Record<string, unknown>>;

const CLUSTER = [
  'server',
  'certificate-authority',
  'certificate-authority-data',
  'insecure-skip-tls-verify',
  'tls-server-name',
  'proxy-url',
  'extensions',
];
const USER = [
  'client-certificate',
  'client-certificate-data',
  'client-key',
  'client-key-data',
  'token',
  'tokenFile',
  'extensions',
];
const FLAGS = new Set(['insecure-skip-tls-verify', 'extensions']);

/** `undefined`: not one of those. */
export async function plainKubeconfig(file: string, context: string | undefined): Promise<Plain | undefined> {
  const config = await parsed(file);
  const [contextOf, clusterOf, userOf] = (['context', 'cluster', 'user'] as const).map(what => namedIn(config, what));
  const { namespace = 'default', ...chosen } = contextOf?.(context ?? config?.['current-context']) ?? {};
  const [cluster, user] = [clusterOf?.(chosen['cluster']), userOf?.(chosen['user'])];
  if (!cluster || !user || typeof namespace !== 'string') return undefined;
  if (!isOf(cluster, CLUSTER) || !isOf(user, USER)) return undefined;
  const { server, 'proxy-url': proxyUrl } = cluster as { server?: string; 'proxy-url'?: string };
  if (!server?.startsWith('https://')) return undefined;
  return {
    server: server.replace(/\/$/, ''),
    namespace,
    cluster: { name: `${chosen['cluster']}`, ...(proxyUrl !== undefined && { proxyUrl }) },
    credentials: () => credentialsOf(cluster, user, dirname(file)),
  };
}

/** A few are JSON; a parser of YAML is loaded for the others. */
async function parsed(file: string): Promise<Fields | undefined> {
  try {
    const text = readFileSync(file, 'utf8');
    const value = text.startsWith('{') ? JSON.parse(text) : (plainYaml(text) ?? (await import('js-yaml')).load(text));
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Of the list `contexts`, `clusters` or `users`; a list with an entry that is not whole has none. */
function namedIn(config: Fields | undefined, what: 'context' | 'cluster' | 'user') {
  const list = config?.[`${what}s`];
  if (!Array.isArray(list) || !list.every(entry => isFields(entry) && entry['name'] && isFields(entry[what]))) return;
  return (name: unknown): Fields | undefined => list.find(entry => entry.name === name)?.[what];
}

/** Nothing but these fields, text in each, and nothing said twice: as a file and beside it. */
const isOf = (value: Fields, fields: readonly string[]): boolean =>
  Object.entries(value).every(
    ([name, is]) =>
      fields.includes(name) && !(`${name}-data` in value) && (FLAGS.has(name) || (typeof is === 'string' && is !== '')),
  );

type Texts = Readonly<Record<string, string>>;

function credentialsOf(cluster: Fields, user: Fields, folder: string): Credentials {
  const bytes = (of: Texts, name: string): Buffer | undefined => {
    const { [name]: path, [`${name}-data`]: data } = of;
    if (path !== undefined) return readFileSync(resolve(folder, path));
    return data === undefined ? undefined : Buffer.from(data, 'base64');
  };
  const [ofCluster, ofUser] = [cluster as Texts, user as Texts];
  const ca = bytes(ofCluster, 'certificate-authority');
  const [cert, key] = [bytes(ofUser, 'client-certificate'), bytes(ofUser, 'client-key')];
  const { tokenFile } = ofUser;
  const token = tokenFile === undefined ? ofUser['token'] : readFileSync(resolve(folder, tokenFile), 'utf8').trim();
  const servername = ofCluster['tls-server-name'];
  return {
    headers: { ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    tls: {
      ...(ca && { ca }),
      ...(cert && { cert }),
      ...(key && { key }),
      ...(servername !== undefined && { servername }),
      ...(cluster['insecure-skip-tls-verify'] === true && { rejectUnauthorized: false }),
    },
  };
}
