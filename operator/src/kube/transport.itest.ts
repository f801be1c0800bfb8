// Against a real API server, with what a network, a proxy and a restart do to requests.
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { type ApiServer, startApiServer } from '../../../test-e2e/cluster/apiserver.ts';
import { type FaultProxy, isRead, isWatch, isWrite, startFaultProxy } from '../../../test-e2e/integration/faults.ts';
import { create, get } from './apply.ts';
import { loadCluster } from './config.ts';
import { ApiError, isConflict, isUnanswered } from './errors.ts';
import { configMaps, type KubeObject, namespaces, pathOf, pods } from './resource.ts';
import { type Call, type Cluster, createTransport, type Transport, type WatchEvent } from './transport.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built
let api: ApiServer;
let proxy: FaultProxy;
let transport: Transport;
const calls: Call[] = [];

function throughProxy(authorization = `Bearer ${api.adminToken}`): Cluster {
  return {
    server: proxy.url,
    namespace: 'default',
    credentials: async () => ({ headers: { authorization }, tls: {} }),
  };
}

beforeAll(async () => {
  api = await startApiServer();
  proxy = await startFaultProxy(api);
  transport = createTransport(throughProxy(), { onCall: call => calls.push(call) });
}, BUILD_MS);
afterEach(() => proxy.clear());
afterAll(async () => {
  await transport?.close();
  await proxy?.stop();
  await api?.stop();
});

const failure = (request: Promise<unknown>): Promise<unknown> =>
  request.then(
    () => undefined,
    error => error,
  );
const configMap = (name: string, data = {}): KubeObject & { data: object } => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
  data,
});
const read = (more = {}) =>
  transport.request<KubeObject>({ method: 'GET', path: pathOf(namespaces, { name: 'default' }), ...more });
const write = (name: string) => create(transport, configMaps, configMap(name), { fieldManager: 'test' });
const exists = async (name: string) => (await get(transport, configMaps, { namespace: 'default', name })) !== undefined;
const attempts = (from: number) => proxy.seen.length - from;

test.each([
  ['the connection is reset', { fault: 'reset' }],
  ['the answer is lost', { fault: 'loseAnswer' }],
  ['the answer is cut in the middle', { fault: 'cut', afterBytes: 50 }],
  ['the answer ends too early', { fault: 'end', afterBytes: 50 }],
  ['500', { fault: 'status', status: 500 }],
  ['503', { fault: 'status', status: 503 }],
  ['429 without a time', { fault: 'status', status: 429 }],
] as const)('a read is asked again: %s', async (_case, fault) => {
  const struck = proxy.inject(isRead, fault, { times: 2 });
  expect((await read()).metadata.name).toBe('default');
  expect(struck()).toBe(2);
});

test('Retry-After is waited for', async () => {
  proxy.inject(isRead, { fault: 'status', status: 429, retryAfter: '1' });
  const startedAt = performance.now();
  await read();
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(1_000);
});

test('a read gives up after four attempts, and the error says why', async () => {
  proxy.inject(isRead, { fault: 'status', status: 503, message: 'etcd is away' }, { times: 99 });
  const from = proxy.seen.length;
  const error = await failure(read());
  expect(error).toMatchObject({ code: 'GetFailed', status: 503 });
  expect(String(error)).toContain('etcd is away');
  expect(attempts(from)).toBe(4);
});

test('an answer that hangs ends at the deadline, and the next attempt is asked on another connection', async () => {
  proxy.inject(isRead, { fault: 'hang' });
  const startedAt = performance.now();
  await read({ timeoutMs: 300 });
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  proxy.inject(isRead, { fault: 'stall', afterBytes: 10 }, { times: 99 });
  expect(await failure(read({ timeoutMs: 50 }))).toMatchObject({ status: 0, reason: 'Timeout' });
});

test('an answer that is only slow is waited for', async () => {
  proxy.inject(isRead, { fault: 'delay', ms: 400 });
  expect((await read({ timeoutMs: 5_000 })).metadata.name).toBe('default');
});

test('the caller can give up', async () => {
  proxy.inject(isRead, { fault: 'hang' });
  const from = proxy.seen.length;
  const giveUp = new AbortController();
  setTimeout(() => giveUp.abort(), 50);
  expect(await failure(read({ signal: giveUp.signal }))).toMatchObject({ status: 0, reason: 'Aborted' });
  expect(attempts(from)).toBe(1);
});

test('a write of which nobody knows whether it was done is never sent twice', async () => {
  const from = proxy.seen.length;
  proxy.inject(isWrite, { fault: 'loseAnswer' });
  expect(isUnanswered(await failure(write('lost-answer')))).toBe(true);
  proxy.inject(isWrite, { fault: 'reset' });
  expect(isUnanswered(await failure(write('reset')))).toBe(true);
  proxy.inject(isWrite, { fault: 'status', status: 503, retryAfter: '0' });
  expect(await failure(write('unavailable'))).toMatchObject({ code: 'CreateFailed', status: 503 });
  expect(attempts(from)).toBe(3);
  expect(await exists('lost-answer')).toBe(true);
  expect(await exists('reset')).toBe(false);
});

test('a write that the server says it did not do is sent again', async () => {
  proxy.inject(isWrite, { fault: 'status', status: 429, retryAfter: '0' }, { times: 2 });
  await write('too-many');
  expect(await exists('too-many')).toBe(true);
});

test('what the API server answers to a second writer reaches the caller', async () => {
  await write('twice');
  const conflict = await failure(write('twice'));
  expect(isConflict(conflict)).toBe(true);
  expect(conflict).toBeInstanceOf(ApiError);
});

test('an expired token is renewed, for reads, writes and watches, and the request is sent once more', async () => {
  await api.request('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'app' } });
  await api.request('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: 'app' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'ServiceAccount', name: 'app', namespace: 'default' }],
  });
  const account = { namespace: 'default', name: 'app' };
  const folder = mkdtempSync(join(tmpdir(), 'serviceaccount-'));
  const { hostname, port } = new URL(api.url);
  const env = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
  const token = async (seconds: number) =>
    writeFileSync(join(folder, 'token'), await api.serviceAccountToken({ ...account, seconds }));
  writeFileSync(join(folder, 'ca.crt'), api.caPem);
  writeFileSync(join(folder, 'namespace'), 'default\n');
  const path = pathOf(configMaps, { namespace: 'default' });
  const acts: ((renewing: Transport, name: string) => Promise<unknown>)[] = [
    renewing => renewing.request({ method: 'GET', path }),
    (renewing, name) => create(renewing, configMaps, configMap(name), { fieldManager: 'test' }),
    renewing => collect(renewing.watch<KubeObject>(path, {}), event => event.type === 'ADDED'),
  ];
  try {
    for (const [index, act] of acts.entries()) {
      await token(-90); // the API server forgives a minute
      const renewing = createTransport(await loadCluster({ env, serviceAccountFolder: folder }));
      expect(await failure(act(renewing, `renewed-${index}`))).toMatchObject({ status: 401 });
      await token(60);
      expect(await act(renewing, `renewed-${index}`)).toBeDefined();
      await renewing.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a kubeconfig with a client certificate reaches the API server itself', async () => {
  const direct = createTransport(await loadCluster({ kubeconfig: api.adminKubeconfigPath }));
  const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
  const review = await direct.request({ method: 'POST', path, body });
  expect(review).toMatchObject({ status: { userInfo: { username: 'admin' } } });
  await direct.close();
});

test('a server that is not ours is not talked to', async () => {
  const cluster = await loadCluster({ kubeconfig: api.adminKubeconfigPath });
  const stranger = createTransport({ ...cluster, credentials: async () => ({ headers: {}, tls: {} }) });
  const error = (await failure(stranger.request({ method: 'POST', path: '/api', timeoutMs: 2_000 }))) as ApiError;
  expect(error).toMatchObject({ status: 0, reason: 'Unreachable' });
  expect((error.cause as { code?: string }).code).toMatch(/SELF_SIGNED|UNABLE_TO_VERIFY/);
  await stranger.close();
});

test('requests share connections', async () => {
  const ports = new Set<unknown>();
  const counting = createServer((request, response) => {
    ports.add(request.socket.remotePort);
    response.end('{}');
  }).listen(0, '127.0.0.1');
  await once(counting, 'listening');
  const server = `http://127.0.0.1:${(counting.address() as AddressInfo).port}`;
  const pooled = createTransport(
    { server, namespace: 'x', credentials: async () => ({ headers: {}, tls: {} }) },
    { connections: 2 },
  );
  await Promise.all(Array.from({ length: 50 }, () => pooled.request({ method: 'GET', path: '/api' })));
  expect(ports.size).toBe(2);
  await pooled.close();
  counting.close();
});

test('pods that hang do not hold up what the API server itself is asked', async () => {
  const narrow = createTransport(throughProxy(), { connections: 2 });
  const toPods = (seen: { path: string }) => seen.path.includes('/pods/');
  proxy.inject(toPods, { fault: 'hang' }, { times: 99 });
  const name = pathOf(pods, { namespace: 'default', name: 'hanging', subresource: 'proxy' });
  const hanging = Array.from({ length: 4 }, () =>
    failure(narrow.text({ method: 'GET', path: name, timeoutMs: 1_000 })),
  );
  await narrow.request({ method: 'GET', path: pathOf(namespaces, { name: 'default' }), timeoutMs: 500 });
  for (const each of await Promise.all(hanging)) expect(each).toMatchObject({ status: 0, reason: 'Timeout' });
  await narrow.close();
});

test('through the proxy that a kubeconfig names: requests and watches, by tunnels to the API server alone', async () => {
  const tunnels: string[] = [];
  const between = createServer().on('connect', (request, socket: Socket, head: Buffer) => {
    tunnels.push(request.url ?? '');
    const { hostname, port } = new URL(`tcp://${request.url}`);
    const onward = connect(Number(port), hostname, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const)
      one.on('error', () => other.destroy()).on('close', () => other.destroy());
  });
  await once(between.listen(0, '127.0.0.1'), 'listening');
  const path = join(mkdtempSync(join(tmpdir(), 'devshelf-proxied-')), 'kubeconfig');
  const url = `http://127.0.0.1:${(between.address() as AddressInfo).port}`;
  const config = JSON.parse(readFileSync(api.adminKubeconfigPath, 'utf8'));
  config.clusters[0].cluster['proxy-url'] = url;
  writeFileSync(path, JSON.stringify(config));
  const proxied = createTransport(await loadCluster({ kubeconfig: path }));
  const name = pathOf(namespaces, { name: 'default' });
  expect(await proxied.request<KubeObject>({ method: 'GET', path: name })).toMatchObject({
    metadata: { name: 'default' },
  });
  for await (const { type } of proxied.watch(pathOf(namespaces, {}), {})) {
    expect(type).toBe('ADDED');
    break;
  }
  expect(new Set(tunnels)).toEqual(new Set([new URL(api.url).host]));
  expect(tunnels.length).toBeGreaterThanOrEqual(2);
  await proxied.close();
  between.close();
  between.closeAllConnections();
  rmSync(dirname(path), { recursive: true });
});

test('a restart of the API server is a pause, not a failure, for those who read', async () => {
  const direct = createTransport(await loadCluster({ kubeconfig: api.adminKubeconfigPath }));
  const path = pathOf(namespaces, { name: 'default' });
  await direct.request({ method: 'GET', path });
  await api.restart();
  expect(await direct.request<KubeObject>({ method: 'GET', path })).toMatchObject({ metadata: { name: 'default' } });
  await direct.close();
}, 40_000);

test('every attempt is counted, under the verb and the resource', async () => {
  proxy.inject(isRead, { fault: 'status', status: 503 });
  calls.length = 0;
  await read();
  await transport.request({ method: 'GET', path: pathOf(pods, { namespace: 'default' }) });
  await failure(write('twice'));
  expect(calls.map(({ verb, resource, status }) => [verb, resource, status])).toEqual([
    ['get', 'namespaces', 503],
    ['get', 'namespaces', 200],
    ['list', 'pods', 200],
    ['create', 'configmaps', 409],
  ]);
  expect(calls.every(({ ms }) => ms > 0 && ms < 5_000)).toBe(true);
});

// what lies behind the API server: a pod's answer is an answer, whatever its status
test('text gives the answer of what is behind, and throws the refusal of the API server itself', async () => {
  const backend = createServer((request, response) => {
    response.writeHead(request.url === '/busy' ? 503 : 401, { 'content-type': 'text/plain' });
    response.end(`behind ${request.url}`);
  }).listen(0, '127.0.0.1');
  await once(backend, 'listening');
  const { port } = backend.address() as AddressInfo;
  const server = `http://127.0.0.1:${port}`;
  let renewed = 0;
  const credentials = async (renew: boolean) => {
    if (renew) renewed += 1;
    return { headers: {}, tls: {} };
  };
  const behind = createTransport({ server, namespace: 'x', credentials });
  const busy = await behind.text({ method: 'GET', path: '/busy' });
  expect(busy).toEqual({ status: 503, contentType: 'text/plain', text: 'behind /busy' });
  const long = behind.text({ method: 'GET', path: '/long', maxBytes: 5 });
  expect(await failure(long)).toMatchObject({ message: expect.stringContaining('longer than 5 bytes') });
  // the pod knows nothing of our credentials for the API server
  expect(await behind.text({ method: 'GET', path: '/secret' })).toMatchObject({ status: 401 });
  expect(renewed).toBe(0);
  await behind.close();
  backend.close();
  const path = pathOf(pods, { namespace: 'default', name: 'none', subresource: 'proxy' });
  expect(await failure(transport.text({ method: 'GET', path }))).toMatchObject({ status: 404, reason: 'NotFound' });
});

async function collect(
  events: AsyncIterable<WatchEvent<KubeObject>>,
  until: (event: WatchEvent<KubeObject>) => boolean,
) {
  const seen: WatchEvent<KubeObject>[] = [];
  for await (const event of events) {
    seen.push(event);
    if (until(event)) break;
  }
  return seen;
}

const path = pathOf(configMaps, { namespace: 'default' });
const named = (event: WatchEvent<KubeObject>) => ('metadata' in event.object ? event.object.metadata : undefined);
const isNamed = (name: string) => (event: WatchEvent<KubeObject>) =>
  (named(event) as { name?: string } | undefined)?.name === name;

test('events arrive whole, in pieces of one byte, with characters of four', async () => {
  const text = 'é€😀\n\u2028"';
  await create(transport, configMaps, configMap('pieces', { text }), { fieldManager: 'test' });
  proxy.inject(isWatch, { fault: 'dribble', bytes: 1 });
  const seen = await collect(transport.watch<KubeObject>(path, {}), isNamed('pieces'));
  expect(seen.at(-1)).toMatchObject({ type: 'ADDED', object: { data: { text } } });
});

test('a watch cut in the middle of an event is an error, after the whole events before it', async () => {
  proxy.inject(isWatch, { fault: 'cut', afterBytes: 1_000 });
  const seen: unknown[] = [];
  const cut = await failure(
    (async () => {
      for await (const event of transport.watch<KubeObject>(path, {})) seen.push(event);
    })(),
  );
  expect(seen.length).toBeGreaterThan(0);
  expect(cut).toMatchObject({ code: 'WatchFailed', status: 0 });
  proxy.inject(isWatch, { fault: 'end', afterBytes: 1_000 });
  const ended = await failure(collect(transport.watch<KubeObject>(path, {}), () => false));
  expect(ended).toMatchObject({ code: 'WatchFailed', status: 0 });
});

test('a watch that the caller ends, ends in silence, and its connection with it', async () => {
  const end = new AbortController();
  const seen = await collect(transport.watch<KubeObject>(path, {}, end.signal), event => {
    end.abort();
    return event === undefined;
  });
  expect(seen.length).toBeGreaterThan(0);
});

test('history that is no longer kept: 410, as an answer or as an event', async () => {
  const refusal = await failure(
    collect(
      transport.watch<KubeObject>(path, { resourceVersion: '1' }),
      event => event.type === 'ERROR' && event.object.code === 410,
    ),
  );
  if (refusal !== undefined) expect(refusal).toMatchObject({ status: 410 });
  proxy.inject(isWatch, { fault: 'status', status: 410, reason: 'Expired' });
  const injected = await failure(collect(transport.watch<KubeObject>(path, {}), () => false));
  expect(injected).toMatchObject({ code: 'WatchFailed', status: 410, reason: 'Expired' });
});
