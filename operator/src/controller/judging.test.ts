// Whom the operator asks in whose name, where pods are asked through the API server.
import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { Request, Transport } from '../kube/transport.ts';
import { dashboard, release } from '../objects/testing.ts';
import { createEvidence } from './judging.ts';
import type { World } from './world.ts';

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
