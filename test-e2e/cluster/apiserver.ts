// A real API server (etcd + kube-apiserver, nothing else) for integration tests:
//
//   const api = await startApiServer();
//   api.url                      https://127.0.0.1:PORT
//   api.caPem                    PEM text; also api.clientCertPem and api.clientKeyPem (group system:masters)
//   api.etcdUrl                  http://127.0.0.1:PORT, for who puts objects there by the thousand
//   api.adminToken               a bearer token in group system:masters that never expires
//   api.adminKubeconfigPath      for kubectl and kubeconfig readers
//   await api.kubectl('get', 'ns')                        standard output
//   await api.request('GET', '/api/v1/namespaces', body?) parsed JSON; throws on status >= 400
//   await api.installCrds('crds')                         applies every *.yaml of the folder, waits until served
//   await api.serviceAccountToken({ namespace, name, seconds })   a real token. The API server forgives 60 s
//                              after the expiry and remembers a good token for 10 s: -61 is expired at once, -50 within 20 s
//   api.freeze(); api.thaw()     it stands still: connections stay, nothing is answered; later it goes on with what came
//   await api.restart()          kill -9 and start again: same port, same data; `api.kill()` alone leaves it down
//   await api.stop()             ends both and removes the folder. The end of this process does so, too
//
// There are no controllers: no Pod is ever run, no child is garbage-collected, no ServiceAccount is made by itself.
import { type ChildProcess, spawn } from 'node:child_process';
import { createPrivateKey, randomUUID, sign } from 'node:crypto';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Binary, binaryPath, ensureBinaries } from './binaries.ts';
import { authority, certificate, kubeconfig, signingKey } from './pki.ts';
import { freePorts } from './ports.ts';
import { run, sleep } from './run.ts';

export type ApiServerOptions = {
  /** Flags added to kube-apiserver's own, e.g. `--max-requests-inflight=5`. */
  readonly flags?: readonly string[];
};

export type TokenRequest = { readonly namespace: string; readonly name: string; readonly seconds: number };

export type ApiServer = {
  readonly url: string;
  readonly etcdUrl: string;
  readonly caPem: string;
  readonly clientCertPem: string;
  readonly clientKeyPem: string;
  readonly adminToken: string;
  readonly adminKubeconfigPath: string;
  readonly kubectl: (...args: string[]) => Promise<string>;
  readonly request: (method: string, path: string, body?: unknown) => Promise<unknown>;
  readonly installCrds: (folder: string) => Promise<void>;
  readonly serviceAccountToken: (request: TokenRequest) => Promise<string>;
  readonly freeze: () => void;
  readonly thaw: () => void;
  readonly kill: () => Promise<void>;
  readonly restart: () => Promise<void>;
  readonly stop: () => Promise<void>;
};

const ISSUER = 'https://kubernetes.default.svc';
const START_DEADLINE_MS = 30_000;
const SERVED_DEADLINE_MS = 30_000;

/** Starts etcd and an API server on free loopback ports. Throws with the end of their log when they do not answer. */
export const startApiServer = async (options: ApiServerOptions = {}): Promise<ApiServer> => {
  await ensureBinaries('etcd', 'kube-apiserver', 'kubectl');
  sweep();
  const folder = mkdtempSync(join(tmpdir(), `devshelf-apiserver-${process.pid}-`));
  const [port, etcdPort, peerPort] = await freePorts(3);
  const url = `https://127.0.0.1:${port}`;
  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const programs = programsIn(folder);
  programs.start('etcd', etcdFlags(folder, etcdUrl, `http://127.0.0.1:${peerPort}`));

  const credentials = await makeCredentials(folder, url);
  const client = clientOf(url, credentials);
  const startServer = async (): Promise<void> => {
    programs.start('kube-apiserver', [
      `--etcd-servers=${etcdUrl}`,
      `--secure-port=${port}`,
      ...credentials.flags,
      ...SERVER_FLAGS,
      ...(options.flags ?? []),
    ]);
    const deadline = Date.now() + START_DEADLINE_MS;
    while (!(await client.isReady())) {
      if (Date.now() > deadline || !programs.isRunning('kube-apiserver')) throw notStarted(folder);
      await sleep(50);
    }
  };
  const kubectl = (...args: string[]): Promise<string> =>
    run([binaryPath('kubectl'), '--kubeconfig', credentials.adminKubeconfigPath, ...args]);

  const server: ApiServer = {
    url,
    etcdUrl,
    ...credentials,
    kubectl,
    request: client.request,
    installCrds: async crds => {
      const names = (await kubectl('apply', '--server-side', '-f', crds, '-o', 'name')).trim().split('\n');
      await kubectl('wait', '--for=condition=Established', '--timeout=30s', ...names);
      await Promise.all(names.map(name => served(client, name.replace(/.*\//, ''))));
    },
    serviceAccountToken: async wanted => {
      const path = `/api/v1/namespaces/${wanted.namespace}/serviceaccounts/${wanted.name}`;
      const account = (await client.request('GET', path)) as { metadata: { uid: string } };
      return token(credentials.signingKeyPath, wanted, account.metadata.uid);
    },
    freeze: () => programs.signal('kube-apiserver', 'SIGSTOP'),
    thaw: () => programs.signal('kube-apiserver', 'SIGCONT'),
    kill: () => programs.kill('kube-apiserver'),
    restart: async () => {
      await programs.kill('kube-apiserver');
      await startServer();
    },
    stop: programs.stop,
  };
  try {
    await startServer();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
};

/** Removes the folders of those who were killed before they could do it. */
const sweep = (): void => {
  for (const entry of readdirSync(tmpdir())) {
    const [, owner] = /^devshelf-apiserver-(\d+)-/.exec(entry) ?? [];
    if (owner === undefined || existsSync(`/proc/${owner}`)) continue;
    rmSync(join(tmpdir(), entry), { recursive: true, force: true });
  }
};

const etcdFlags = (folder: string, clientUrl: string, peerUrl: string): string[] => [
  `--data-dir=${join(folder, 'etcd')}`,
  '--unsafe-no-fsync',
  '--log-level=warn',
  `--listen-client-urls=${clientUrl}`,
  `--advertise-client-urls=${clientUrl}`,
  `--listen-peer-urls=${peerUrl}`,
];

const SERVER_FLAGS = [
  '--bind-address=127.0.0.1',
  '--service-cluster-ip-range=10.96.0.0/16',
  `--service-account-issuer=${ISSUER}`,
  '--authorization-mode=RBAC',
  '--allow-privileged=true',
  '--disable-admission-plugins=ServiceAccount', // nobody makes the "default" one here, and no Pod could be created
];

/** Collected when this much has come on top of what lives (Go's GOGC): at its 100 a quarter of the work was that. */
const GARBAGE_PERCENT = 400;

/** Child processes with their logs in `folder`. They and the folder go with `stop`, or with this process. */
const programsIn = (folder: string) => {
  const children = new Map<Binary, ChildProcess>();
  const removeAll = (): void => {
    for (const child of children.values()) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', removeAll);

  const isRunning = (name: Binary): boolean => {
    const child = children.get(name);
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  };
  const start = (name: Binary, args: readonly string[]): void => {
    const log = openSync(join(folder, `${name}.log`), 'a');
    // the kernel ends it when we are killed ourselves, in whatever way
    const command = ['--pdeathsig', 'KILL', binaryPath(name), ...args];
    const env = { ...process.env, GOGC: String(GARBAGE_PERCENT) };
    const child = spawn('setpriv', command, { cwd: folder, env, stdio: ['ignore', log, log] });
    child.on('error', error => process.stderr.write(`${name}: ${error.message}\n`));
    child.unref();
    closeSync(log);
    children.set(name, child);
  };
  const kill = async (name: Binary): Promise<void> => {
    const child = children.get(name);
    if (child === undefined || !isRunning(name)) return;
    child.ref();
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  const signal = (name: Binary, what: NodeJS.Signals): void => {
    children.get(name)?.kill(what);
  };
  const stop = async (): Promise<void> => {
    await Promise.all([...children.keys()].map(kill));
    process.removeListener('exit', removeAll);
    removeAll();
  };
  return { start, isRunning, signal, kill, stop };
};

const makeCredentials = async (folder: string, url: string) => {
  const [ca, keys] = await Promise.all([authority(folder, 'ca'), signingKey(folder)]);
  const alternativeNames = ['IP:127.0.0.1', 'DNS:localhost'];
  const [serving, admin] = await Promise.all([
    certificate(folder, ca, 'serving', { commonName: 'kube-apiserver', alternativeNames }),
    certificate(folder, ca, 'admin', { commonName: 'admin', organization: 'system:masters' }),
  ]);
  const adminToken = randomUUID();
  const tokenFile = join(folder, 'tokens.csv');
  writeFileSync(tokenFile, `${adminToken},admin,admin,"system:masters"\n`);
  const adminKubeconfigPath = join(folder, 'admin.kubeconfig');
  writeFileSync(adminKubeconfigPath, kubeconfig(url, ca, admin));
  return {
    adminToken,
    adminKubeconfigPath,
    caPem: readFileSync(ca.cert, 'utf8'),
    clientCertPem: readFileSync(admin.cert, 'utf8'),
    clientKeyPem: readFileSync(admin.key, 'utf8'),
    signingKeyPath: keys.privateKey,
    flags: [
      `--tls-cert-file=${serving.cert}`,
      `--tls-private-key-file=${serving.key}`,
      `--client-ca-file=${ca.cert}`,
      `--token-auth-file=${tokenFile}`,
      `--service-account-key-file=${keys.publicKey}`,
      `--service-account-signing-key-file=${keys.privateKey}`,
    ],
  };
};

/** The simplest possible client: a connection per request, so that a restarted server is nothing special. */
const clientOf = (url: string, { adminToken, caPem }: { adminToken: string; caPem: string }) => {
  const call = async (method: string, path: string, body?: unknown): Promise<{ status: number; answer: string }> => {
    const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' };
    const sent = httpsRequest(url + path, { method, headers, ca: caPem, agent: false });
    sent.end(body === undefined ? undefined : JSON.stringify(body));
    const [response] = await once(sent, 'response');
    return { status: response.statusCode, answer: await text(response) };
  };
  const request = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const { status, answer } = await call(method, path, body);
    if (status >= 400) throw new Error(`${method} ${path}: ${status} ${answer}`);
    return JSON.parse(answer);
  };
  const answers = (path: string): Promise<boolean> =>
    call('GET', path).then(
      ({ status }) => status === 200,
      () => false,
    );
  return { request, answers, isReady: () => answers('/readyz') };
};

type Definition = { spec: { group: string; names: { plural: string }; versions: { name: string }[] } };

// "Established" comes a moment before the storage behind it answers
const served = async (client: ReturnType<typeof clientOf>, name: string): Promise<void> => {
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`;
  const { spec } = (await client.request('GET', path)) as Definition;
  const paths = spec.versions.map(version => `/apis/${spec.group}/${version.name}/${spec.names.plural}`);
  const deadline = Date.now() + SERVED_DEADLINE_MS;
  for (const resources of paths) {
    while (!(await client.answers(resources))) {
      if (Date.now() > deadline) throw new Error(`${resources} is still not served`);
      await sleep(50);
    }
  }
};

const notStarted = (folder: string): Error => {
  const log = (name: Binary): string =>
    readFileSync(join(folder, `${name}.log`), 'utf8')
      .trimEnd()
      .split('\n')
      .slice(-15)
      .join('\n');
  return new Error(`the API server did not start\n${log('kube-apiserver')}\netcd:\n${log('etcd')}`);
};

const base64Json = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

// the TokenRequest API gives no token shorter than ten minutes, so it is signed here with the API server's own key
const token = (privateKey: string, { namespace, name, seconds }: TokenRequest, uid: string): string => {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: ISSUER,
    aud: [ISSUER],
    sub: `system:serviceaccount:${namespace}:${name}`,
    iat: now - 60,
    nbf: now - 60,
    exp: now + seconds,
    jti: randomUUID(),
    'kubernetes.io': { namespace, serviceaccount: { name, uid } },
  };
  const unsigned = `${base64Json({ alg: 'ES256', typ: 'JWT' })}.${base64Json(claims)}`;
  const key = { key: createPrivateKey(readFileSync(privateKey)), dsaEncoding: 'ieee-p1363' } as const;
  return `${unsigned}.${sign('sha256', Buffer.from(unsigned), key).toString('base64url')}`;
};
