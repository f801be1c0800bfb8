// Against a real API server: what `kubectl describe` shows.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type ApiServer, startApiServer } from '../../../test-e2e/cluster/apiserver.ts';
import { EventRecorder, type Observation, type RecorderOptions } from './events.ts';
import type { EventObject, KubeObject } from './resource.ts';
import { createTransport, type Transport } from './transport.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built
let api: ApiServer;
let transport: Transport;

beforeAll(async () => {
  api = await startApiServer();
  const credentials = async () => ({ headers: { authorization: `Bearer ${api.adminToken}` }, tls: { ca: api.caPem } });
  transport = createTransport({ server: api.url, namespace: 'default', credentials });
}, BUILD_MS);
afterAll(async () => {
  await transport?.close();
  await api?.stop();
});

function recorder(more: Partial<RecorderOptions> = {}) {
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  const options = { transport, controller: 'example.com/operator', instance: 'pod-1', onError, ...more };
  return { events: new EventRecorder(options), errors };
}

const observed = (name: string, more: Partial<Observation> = {}): Observation => ({
  regarding: { apiVersion: 'example.com/v1', kind: 'Shop', metadata: { namespace: 'default', name, uid: '1-2' } },
  type: 'Warning',
  reason: 'RolledBack',
  note: 'half of the answers were 5xx',
  ...more,
});
const recorded = async (name: string) => {
  const list = (await api.request('GET', '/api/v1/namespaces/default/events')) as { items: EventObject[] };
  return list.items.filter(({ involvedObject }) => involvedObject.name === name);
};

test('an observation is an Event that kubectl shows beside its object', async () => {
  const { events, errors } = recorder();
  events.record(observed('shown', { action: 'Rollback' }));
  await events.stop();
  expect(errors).toEqual([]);
  expect(await recorded('shown')).toMatchObject([
    {
      ...{ type: 'Warning', reason: 'RolledBack', action: 'Rollback', message: 'half of the answers were 5xx' },
      ...{ reportingComponent: 'example.com/operator', reportingInstance: 'pod-1', count: 1 },
    },
  ]);
  const table = await api.kubectl('get', 'events', '--field-selector', 'involvedObject.name=shown');
  expect(table).toContain('half of the answers were 5xx');
});

test('the same observation again is one Event that counts; another note is another one', async () => {
  const { events, errors } = recorder();
  for (let times = 0; times < 5; times++) events.record(observed('repeated'));
  events.record(observed('repeated', { note: 'a third of them' }));
  await events.stop();
  expect(errors).toEqual([]);
  const [first, second, ...more] = (await recorded('repeated')).sort((a, b) => b.count - a.count);
  expect(first?.count).toBe(5);
  expect(second).toMatchObject({ message: 'a third of them', count: 1 });
  expect(more).toEqual([]);
});

test('kubectl describe tells them in the order in which they were seen last', async () => {
  const path = '/api/v1/namespaces/default/configmaps';
  const { metadata } = (await api.request('POST', path, { metadata: { name: 'ordered' } })) as KubeObject;
  const regarding = { apiVersion: 'v1', kind: 'ConfigMap', metadata };
  let nowMs = Date.now() - 60_000;
  const { events, errors } = recorder({ nowMs: () => nowMs });
  const notes = Array.from({ length: 8 }, (_, index) => `note ${index}`);
  const say = (note: string) => {
    events.record(observed('ordered', { regarding, note }));
    nowMs += 1_500;
  };
  notes.forEach(say);
  say('note 0'); // seen again: it is the newest
  await events.stop();
  expect(errors).toEqual([]);
  const told = await api.kubectl('describe', 'configmap', 'ordered');
  expect(told.match(/note \d/g)).toEqual([...notes.slice(1), 'note 0']);
  expect(told).toMatch(/\(x2 over \S+\)\s+example\.com\/operator\s+note 0/);
});

test('after the window it is a new Event', async () => {
  let nowMs = Date.now();
  const { events } = recorder({ windowMs: 1_000, nowMs: () => nowMs });
  events.record(observed('later'));
  nowMs += 1_001;
  events.record(observed('later'));
  await events.stop();
  expect(await recorded('later')).toHaveLength(2);
});

test('a flood is bounded, and what is dropped is counted', async () => {
  const { events } = recorder({ burst: 3, perSecond: 0 });
  for (let index = 0; index < 10; index++) events.record(observed('flood', { note: `note ${index}` }));
  await events.stop();
  expect(await recorded('flood')).toHaveLength(3);
  expect(events.dropped).toBe(7);
});

test('a note that is too long is cut, in the middle of no character', async () => {
  const { events, errors } = recorder();
  events.record(observed('long', { note: `a${'€'.repeat(999)}` }));
  await events.stop();
  expect(errors).toEqual([]);
  const [event] = await recorded('long');
  expect(Buffer.byteLength(event?.message ?? '')).toBeLessThanOrEqual(1_024);
  expect(event?.message).toMatch(/^a€+…$/);
});

test('a failure is told and disturbs nothing; the next observation begins anew', async () => {
  const { events, errors } = recorder();
  const regarding = { apiVersion: 'example.com/v1', kind: 'Shop', metadata: { namespace: 'nowhere', name: 'lost' } };
  events.record(observed('lost', { regarding }));
  await events.stop();
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatchObject({ code: 'CreateFailed', status: 404 });
});
