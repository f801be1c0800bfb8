// Against a real API server behind a proxy that fails on request: whatever happens, the store becomes equal to the truth.
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { type ApiServer, startApiServer } from '../../../test-e2e/cluster/apiserver.ts';
import { type FaultProxy, isList, isWatch, startFaultProxy } from '../../../test-e2e/integration/faults.ts';
import { sleep } from './backoff.ts';
import { Discovery } from './discovery.ts';
import type { Failure, State } from './reflection.ts';
import { Reflector, type ReflectorOptions } from './reflector.ts';
import { configMaps, type KubeObject, type Resource, secrets } from './resource.ts';
import { Store, type StoredObject } from './store.ts';
import { createTransport, type Transport } from './transport.ts';

type Item = StoredObject & { data?: Record<string, string> };
type Raw = KubeObject & { data?: Record<string, string> };

const BUILD_MS = 15 * 60_000; // the first time the programs are built
let api: ApiServer;
let proxy: FaultProxy;
let transport: Transport;
const started: Reflector<Raw, Item>[] = [];

beforeAll(async () => {
  api = await startApiServer();
  proxy = await startFaultProxy(api);
  const headers = { authorization: `Bearer ${api.adminToken}` };
  const credentials = async () => ({ headers, tls: {} });
  transport = createTransport({ server: proxy.url, namespace: 'default', credentials });
}, BUILD_MS);
afterEach(async () => {
  proxy.clear();
  await Promise.all(started.splice(0).map(reflector => reflector.stop()));
});
afterAll(async () => {
  await transport?.close();
  await proxy?.stop();
  await api?.stop();
});

const project = ({ metadata, data }: Raw): Item => {
  const { namespace, name, uid = '', resourceVersion = '' } = metadata;
  return { metadata: { namespace: namespace ?? '', name, uid, resourceVersion }, ...(data && { data }) };
};

function reflect(namespace: string, more: Partial<ReflectorOptions<Raw, Item>> = {}) {
  const store = new Store<Item>();
  const states: string[] = [];
  const told: string[] = [];
  store.onChange((before, after) =>
    told.push(`${before ? '-' : ''}${after ? '+' : ''}${(after ?? before)?.metadata.name}`),
  );
  const onState = (state: State<unknown>, failure?: Failure) =>
    states.push(failure ? `${state.phase} ${failure.status}` : state.phase);
  const resource = configMaps as Resource<Raw>;
  const reflector = new Reflector<Raw, Item>({ transport, resource, store, project, namespace, onState, ...more });
  started.push(reflector.start());
  return { store, states, told, reflector };
}

let folders = 0;
async function freshNamespace(): Promise<string> {
  const name = `reflected-${++folders}`;
  await api.request('POST', '/api/v1/namespaces', { metadata: { name } });
  return name;
}

const collection = (namespace: string) => `/api/v1/namespaces/${namespace}/configmaps`;
const put = (namespace: string, name: string, value = 'x') =>
  api.request('POST', collection(namespace), { metadata: { name, labels: { value } }, data: { value } });
const change = async (namespace: string, name: string, value: string) => {
  const path = `${collection(namespace)}/${name}`;
  const now = (await api.request('GET', path)) as object;
  return api.request('PUT', path, { ...now, data: { value } });
};
const drop = (namespace: string, name: string) => api.request('DELETE', `${collection(namespace)}/${name}`);

async function truth(namespace: string): Promise<string[]> {
  const { items } = (await api.request('GET', collection(namespace))) as { items: KubeObject[] };
  return items.map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`).sort();
}
const mirrored = (store: Store<Item>) =>
  store
    .list()
    .map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`)
    .sort();

async function until(holds: () => boolean | Promise<boolean>, what: string, ms = 10_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await sleep(20);
  }
}
const converged = (namespace: string, store: Store<Item>, ms?: number) =>
  until(async () => `${await truth(namespace)}` === `${mirrored(store)}`, 'the store is the truth', ms);
const requests = (matches: typeof isList, namespace: string) =>
  proxy.seen.filter(seen => matches(seen) && seen.path === collection(namespace));

test('it lists in pages, then follows every change, and tells what happened', async () => {
  const namespace = await freshNamespace();
  await Promise.all(['a', 'b', 'c', 'd', 'e'].map(name => put(namespace, name)));
  const { store, states, told, reflector } = reflect(namespace, { timing: { pageSize: 2 } });
  expect(reflector.hasSynced).toBe(false);
  await reflector.synced;
  expect(mirrored(store)).toEqual(await truth(namespace));
  expect(requests(isList, namespace)).toHaveLength(3);
  expect(states).toEqual(['listing', 'watching']);
  await put(namespace, 'f');
  await change(namespace, 'a', 'changed');
  await drop(namespace, 'b');
  await converged(namespace, store);
  expect(store.get(namespace, 'a')?.data).toEqual({ value: 'changed' });
  expect(told.slice(5)).toEqual(['+f', '-+a', '-b']);
});

test('a selector mirrors a part; leaving it is a deletion', async () => {
  const namespace = await freshNamespace();
  await put(namespace, 'in', 'yes');
  await put(namespace, 'out', 'no');
  const { store, reflector } = reflect(namespace, { labelSelector: 'value=yes' });
  await reflector.synced;
  expect(store.list().map(({ metadata }) => metadata.name)).toEqual(['in']);
  const path = `${collection(namespace)}/in`;
  const now = (await api.request('GET', path)) as { metadata: object };
  await api.request('PUT', path, { ...now, metadata: { ...now.metadata, labels: {} } });
  await until(() => store.size === 0, 'the object left the selection');
});

test('metadata-only brings no content of Secrets, neither by list nor by watch', async () => {
  const namespace = await freshNamespace();
  const path = `/api/v1/namespaces/${namespace}/secrets`;
  const secret = (name: string) => ({ metadata: { name }, data: { key: 'c2VjcmV0' } });
  const seen: object[] = [];
  const { store, reflector } = reflect(namespace, {
    resource: secrets as Resource<Raw>,
    metadataOnly: true,
    project: raw => {
      seen.push(raw);
      return project(raw);
    },
  });
  await reflector.synced; // an empty list of metadata is a list as well
  await api.request('POST', path, secret('watched'));
  await until(() => store.get(namespace, 'watched') !== undefined, 'the Secret was seen');
  await reflector.stop();
  const again = reflect(namespace, { resource: secrets as Resource<Raw>, metadataOnly: true });
  await again.reflector.synced;
  expect(again.store.get(namespace, 'watched')).toBeDefined();
  expect(JSON.stringify([...seen, ...again.store.list()])).not.toContain('c2VjcmV0');
});

test.each([
  ['cut in the middle of a line', { fault: 'cut', afterBytes: 700 }, ['watching 0']],
  ['ended in the middle of a line', { fault: 'end', afterBytes: 700 }, ['watching 0']],
  ['in pieces of one byte', { fault: 'dribble', bytes: 1 }, []],
  ['503', { fault: 'status', status: 503 }, ['watching 503']],
  ['reset', { fault: 'reset' }, ['watching 0']],
  ['429 with Retry-After', { fault: 'status', status: 429, retryAfter: '1' }, ['watching 429']],
  ['410 as an answer', { fault: 'status', status: 410, reason: 'Expired' }, ['relisting 410', 'watching']],
  [
    '410 as an event',
    { fault: 'answer', body: '{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}\n' },
    ['relisting 410', 'watching'],
  ],
  ['nonsense', { fault: 'answer', body: '<html>busy</html>\n' }, ['watching 0']],
] as const)('a watch that meets %s goes on, and nothing is missed', async (_case, fault, expected) => {
  const namespace = await freshNamespace();
  await put(namespace, 'before');
  const struck = proxy.inject(seen => isWatch(seen) && seen.path === collection(namespace), fault);
  const { store, states, reflector } = reflect(namespace);
  await reflector.synced;
  await put(namespace, 'one');
  await drop(namespace, 'before');
  for (const name of ['two', 'three', 'four']) await put(namespace, name);
  await converged(namespace, store);
  expect(struck()).toBe(1);
  expect(states.slice(2)).toEqual(expected);
  // only the loss of history is worth a second list
  expect(requests(isList, namespace)).toHaveLength(expected.some(state => state.startsWith('relisting')) ? 2 : 1);
});

test('a watch goes on from the last event it saw, not from the list', async () => {
  const namespace = await freshNamespace();
  const { store, reflector } = reflect(namespace);
  await reflector.synced;
  await put(namespace, 'a');
  await converged(namespace, store);
  proxy.resetAll();
  await put(namespace, 'b');
  await converged(namespace, store);
  const [first, second] = requests(isWatch, namespace).map(({ query }) => Number(query.get('resourceVersion')));
  expect(second).toBe(Number(store.get(namespace, 'a')?.metadata.resourceVersion));
  expect(second).toBeGreaterThan(first ?? 0);
});

test('what was deleted and made anew while nobody watched is told as gone and new', async () => {
  const namespace = await freshNamespace();
  for (const name of ['kept', 'gone', 'replaced']) await put(namespace, name);
  const { store, told, reflector } = reflect(namespace);
  await reflector.synced;
  proxy.inject(isWatch, { fault: 'status', status: 410 });
  proxy.inject(isWatch, { fault: 'reset' }, { times: 3 });
  await proxy.close();
  await drop(namespace, 'gone');
  await drop(namespace, 'replaced');
  await put(namespace, 'replaced', 'anew');
  await proxy.open();
  await converged(namespace, store);
  expect(told.slice(3).sort()).toEqual(['+replaced', '-gone', '-replaced']);
});

test('a page whose history is gone begins the list anew', async () => {
  const namespace = await freshNamespace();
  for (const name of ['a', 'b', 'c']) await put(namespace, name);
  proxy.inject(seen => isList(seen) && seen.query.has('continue'), { fault: 'status', status: 410 });
  const { store, reflector } = reflect(namespace, { timing: { pageSize: 2 } });
  await reflector.synced;
  expect(mirrored(store)).toEqual(await truth(namespace));
});

test('a first list that is refused before its end leaves nothing, and nobody relies on what it brought', async () => {
  const namespace = await freshNamespace();
  for (const name of ['a', 'b', 'c']) await put(namespace, name);
  proxy.inject(seen => isList(seen) && seen.query.has('continue'), { fault: 'status', status: 403 });
  const { store, told, states, reflector } = reflect(namespace, { timing: { pageSize: 2 } });
  await until(() => states.includes('absent 403'), 'the second page was refused');
  expect([told, store.size, store.resourceVersion]).toEqual([['+a', '+b', '-a', '-b'], 0, '']);
  expect(reflector.hasSynced).toBe(false);
  await reflector.synced;
  expect(mirrored(store)).toEqual(await truth(namespace));
});

test('listed once more, what did not change is not made again', async () => {
  const namespace = await freshNamespace();
  for (const name of ['a', 'b', 'c']) await put(namespace, name);
  proxy.inject(isWatch, { fault: 'stall', afterBytes: 0 });
  const made: string[] = [];
  const { store, told, reflector } = reflect(namespace, {
    timing: { pageSize: 2 },
    project: raw => {
      made.push(raw.metadata.name);
      return project(raw);
    },
  });
  await reflector.synced;
  await until(() => requests(isWatch, namespace).length > 0, 'the watch was opened');
  await change(namespace, 'b', 'changed');
  await drop(namespace, 'c');
  await reflector.refresh();
  expect(made).toEqual(['a', 'b', 'c', 'b']);
  expect(told.slice(3)).toEqual(['-c', '-+b']);
  expect(mirrored(store)).toEqual(await truth(namespace));
});

test('a watch that hangs is noticed by its silence, one that never ends by its deadline', async () => {
  const namespace = await freshNamespace();
  proxy.inject(isWatch, { fault: 'stall', afterBytes: 0 });
  const { store, reflector } = reflect(namespace, { timing: { silenceMs: 500 } });
  await reflector.synced;
  await until(() => requests(isWatch, namespace).length > 0, 'the watch was opened');
  await put(namespace, 'unheard');
  await converged(namespace, store);
  await reflector.stop();
  const other = await freshNamespace();
  proxy.inject(isWatch, { fault: 'stall', afterBytes: 0 });
  const deadline = reflect(other, { timing: { watchSeconds: 1, graceMs: 200 } });
  await deadline.reflector.synced;
  await put(other, 'unheard');
  await converged(other, deadline.store);
});

test('asked to be new, it does not trust a watch that hangs', async () => {
  const namespace = await freshNamespace();
  proxy.inject(isWatch, { fault: 'stall', afterBytes: 0 });
  const { store, reflector } = reflect(namespace);
  await reflector.synced;
  await until(() => requests(isWatch, namespace).length > 0, 'the watch was opened');
  await put(namespace, 'unheard');
  expect(mirrored(store)).toEqual([]);
  await reflector.refresh();
  expect(mirrored(store)).toEqual(await truth(namespace));
  await put(namespace, 'heard');
  await converged(namespace, store);
});

test('told to open its watch anew, it hears what one that hangs kept from it, without a list', async () => {
  const namespace = await freshNamespace();
  proxy.inject(isWatch, { fault: 'stall', afterBytes: 0 });
  const { store, reflector } = reflect(namespace);
  await reflector.synced;
  await until(() => requests(isWatch, namespace).length > 0, 'the watch was opened');
  await put(namespace, 'unheard');
  reflector.reopen();
  await converged(namespace, store);
  expect(requests(isList, namespace)).toHaveLength(1);
});

test('asked to be new while the API server is away, it says so when it is back', async () => {
  const namespace = await freshNamespace();
  const { store, reflector } = reflect(namespace);
  await reflector.synced;
  proxy.inject(isList, { fault: 'status', status: 503 }, { times: 6 });
  const refreshed = reflector.refresh();
  await put(namespace, 'later');
  await refreshed;
  expect(mirrored(store)).toEqual(await truth(namespace));
});

test('bookmarks and the end of a watch lead to a new one without a list', async () => {
  const namespace = await freshNamespace();
  const { reflector, states } = reflect(namespace, { timing: { watchSeconds: 1 } });
  await reflector.synced;
  await until(() => requests(isWatch, namespace).length >= 3, 'the watch was opened three times');
  expect(requests(isList, namespace)).toHaveLength(1);
  expect(states).toEqual(['listing', 'watching']);
});

test('an API server that is killed and comes back: nothing is missed, and it is not stormed meanwhile', async () => {
  const namespace = await freshNamespace();
  await put(namespace, 'before');
  const { store, states, reflector } = reflect(namespace);
  await reflector.synced;
  const from = proxy.seen.length;
  await api.kill();
  await sleep(2_000);
  expect(proxy.seen.length - from).toBeLessThan(12);
  await api.restart();
  await put(namespace, 'after');
  await converged(namespace, store, 15_000);
  expect(reflector.hasSynced).toBe(true);
  expect(states.at(-1)).not.toBe('listing');
}, 60_000);

const things: Resource<Raw> = { apiVersion: 'example.com/v1', kind: 'Thing', plural: 'things', namespaced: true };
const definition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'things.example.com' },
  spec: {
    ...{ group: 'example.com', scope: 'Namespaced', names: { kind: 'Thing', plural: 'things' } },
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
  },
};
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

test('a resource that is not served is empty and asked for slowly; it appears, and goes again', async () => {
  const { store, states, reflector } = reflect('default', { resource: things });
  // beside it one that asks by discovery, and one of a kind that never comes
  const discovery = new Discovery(transport);
  const other = reflect('default', { resource: things, discovery, labelSelector: 'name' });
  const never = reflect('default', { resource: { ...things, plural: 'nothings' }, discovery });
  await Promise.all([reflector, other.reflector, never.reflector].map(({ synced }) => synced));
  expect(states).toEqual(['listing', 'absent 404']);
  const looks = () => proxy.seen.filter(({ path }) => path === '/apis').length;
  await until(() => looks() > 0, 'discovery was asked', 15_000);
  const lists = (plural: string, selects: boolean) =>
    proxy.seen.filter(
      seen => isList(seen) && seen.path.endsWith(`/default/${plural}`) && seen.query.has('labelSelector') === selects,
    ).length;
  expect(lists('things', true)).toBe(1);
  await api.request('POST', definitions, definition);
  await until(() => reflector.state.phase === 'watching', 'it is watched', 15_000);
  await until(() => other.reflector.state.phase === 'watching', 'it is watched, as discovery says it is there', 25_000);
  // how often until the API server has made ready what it serves is its own affair
  expect(lists('nothings', false)).toBe(1);
  const thing = { apiVersion: 'example.com/v1', kind: 'Thing', metadata: { name: 'a', labels: { name: 'a' } } };
  await api.request('POST', '/apis/example.com/v1/namespaces/default/things', thing);
  const stores = [store, other.store];
  await until(() => stores.every(({ size }) => size === 1), 'the thing was seen');
  await api.request('DELETE', `${definitions}/things.example.com`);
  for (const of of [reflector, other.reflector])
    await until(() => of.state.phase === 'absent', 'it is not served', 15_000);
  await until(() => stores.every(({ size }) => size === 0), 'the thing is gone', 15_000);
  expect([reflector, other.reflector, never.reflector].every(({ hasSynced }) => hasSynced)).toBe(true);
}, 90_000);

test('a resource one may not list says so, is not synced, and is asked for slowly', async () => {
  await api.request('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'nobody' } });
  const token = await api.serviceAccountToken({ namespace: 'default', name: 'nobody', seconds: 600 });
  const credentials = async () => ({ headers: { authorization: `Bearer ${token}` }, tls: {} });
  const nobody = createTransport({ server: proxy.url, namespace: 'default', credentials });
  const { reflector } = reflect('default', { transport: nobody });
  await until(() => reflector.state.phase === 'absent', 'it is refused');
  expect(reflector.state).toMatchObject({
    reason: 'Forbidden',
    message: expect.stringContaining('cannot list resource'),
  });
  expect(reflector.hasSynced).toBe(false);
  await reflector.stop();
  await nobody.close();
});
