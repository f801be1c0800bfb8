// Against a real API server: what `kubectl describe` shows.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type ApiServer, startApiServer } from '../../../test-e2e/cluster/apiserver.ts';
import { EventRecorder, type Observation, type RecorderOptions } from './events.ts';
import type { EventObject } from './resource.ts';
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
  const list = (await api.request('GET', '/apis/events.k8s.io/v1/namespaces/default/events')) as {
    items: EventObject[];
  };
  return list.items.filter(({ regarding }) => regarding.name === name);
};

test('an observation is an Event that kubectl shows beside its object', async () => {
  const { events, errors } = recorder();
  events.record(observed('shown', { action: 'Rollback' }));
  await events.stop();
  expect(errors).toEqual([]);
  expect(await recorded('shown')).toMatchObject([
    {
      ...{ type: 'Warning', reason: 'RolledBack', action: 'Rollback', note: 'half of the answers were 5xx' },
      ...{ reportingController: 'example.com/operator', reportingInstance: 'pod-1' },
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
  const [first, second, ...more] = (await recorded('repeated')).sort(
    (a, b) => (b.series?.count ?? 0) - (a.series?.count ?? 0),
  );
  expect(first?.series?.count).toBe(5);
  expect(second).toMatchObject({ note: 'a third of them' });
  expect(second?.series).toBeUndefined();
  expect(more).toEqual([]);
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
  expect(Buffer.byteLength(event?.note ?? '')).toBeLessThanOrEqual(1_024);
  expect(event?.note).toMatch(/^a€+…$/);
});

test('a failure is told and disturbs nothing; the next observation begins anew', async () => {
  const { events, errors } = recorder();
  const regarding = { apiVersion: 'example.com/v1', kind: 'Shop', metadata: { namespace: 'nowhere', name: 'lost' } };
  events.record(observed('lost', { regarding }));
  await events.stop();
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatchObject({ code: 'CreateFailed', status: 404 });
});
