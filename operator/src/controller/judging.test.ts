// Whom the operator asks in whose name, where pods are asked through the API server.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { Request, Transport } from '../kube/transport.ts';
import { dashboard, release } from '../objects/testing.ts';
import { createEvidence } from './judging.ts';
import { keyOfApp, type World } from './world.ts';

const POD = {
  metadata: { name: 'shop-rehearsal', namespace: 'shop' },
  port: 8080,
  view: { release: '2', ip: '10.0.0.1' },
};
const REVISION = {
  metadata: { name: 'shop-2' },
  annotations: {},
  revision: 2,
  data: { release: { ...release('2'), hosts: ['shop.example'] } },
};
const METRICS = '# TYPE http_requests_total counter\n';

test('the API server is asked by its own name: a balancer before it may go by that', async () => {
  const asked: Request[] = [];
  const text: Transport['text'] = async request => {
    asked.push(request);
    return { status: 200, contentType: 'text/plain', text: request.path.endsWith('/metrics') ? METRICS : '' };
  };
  const stores = {
    pods: { get: () => POD, byIndex: () => [] },
    revisions: { byIndex: () => [REVISION] },
    secrets: { get: () => undefined },
  };
  const evidence = createEvidence({
    world: { of: () => stores } as unknown as World,
    wake: () => {},
    transport: { text } as Transport,
    access: 'proxy',
    log: pino({ level: 'silent' }),
  });
  const app = dashboard({ rollout: { smokeTests: [{ path: '/' }], rehearsal: { replay: 'Disabled' } } });
  const found = await evidence.rehearse(app, POD.metadata.name, new AbortController().signal);
  await evidence.stop();
  expect(found).toMatchObject({ passed: true });
  expect(asked.map(({ path }) => path)).toContain('/api/v1/namespaces/shop/pods/shop-rehearsal%3A8080/proxy/');
  expect(asked.filter(({ headers = {} }) => 'host' in headers)).toEqual([]);
});

test('a bake that had to wait for minutes is looked at as soon as others need no readings any more', async () => {
  const asked: string[] = [];
  const text: Transport['text'] = async ({ path }) => {
    asked.push(path);
    return { status: 200, contentType: 'text/plain', text: METRICS };
  };
  const now = Date.now();
  const podOf = (name: string) => ({
    metadata: { name: `${name}-a`, namespace: 'shop' },
    ...{ port: 8080, component: 'server' },
    view: { name: `${name}-a`, uid: name, release: '2', ip: '10.0.0.1', ready: true, readyChangedAt: now, restarts: 0 },
  });
  const stores = {
    pods: { byIndex: (_index: string, at: string) => [podOf(at.replace('shop/', ''))] },
    secrets: { get: () => undefined },
  };
  const evidence = createEvidence({
    world: { of: () => stores } as unknown as World,
    wake: () => {},
    transport: { text } as Transport,
    access: 'proxy',
    log: pino({ level: 'silent' }),
  });
  const followed = Array.from({ length: 120 }, (_, index) => {
    const app = dashboard();
    return { ...app, metadata: { ...app.metadata, name: `app-${index}` } };
  });
  for (const [index, app] of followed.entries()) {
    const trial = { release: '2', startedAt: now };
    evidence.follow(app, index < 60 ? { ...trial, mode: 'canary', baseline: '1' } : { ...trial, mode: 'bake' });
  }
  const last = followed.at(-1);
  const looks = () => asked.filter(path => path.includes('app-119-a')).length;
  try {
    // canaries want more than there is: what is left is one and a quarter a second, for sixty bakes
    await until(() => asked.length > 180);
    expect(looks()).toBe(1);
    for (const app of followed) if (app !== last) evidence.forget(keyOfApp(app));
    await until(() => looks() > 2);
  } finally {
    await evidence.stop();
  }
}, 60_000);

async function until(isSo: () => boolean): Promise<void> {
  for (let left = 1_000; !isSo(); left -= 1) {
    if (left === 0) throw new Error('it did not come');
    await sleep(20);
  }
}
