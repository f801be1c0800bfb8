// Whether a Prometheus reads the pods is their own word: beside none, and beside a real one. The dashboard as it is, in
// processes on loopback, the operator's own readings, and Prometheus Operator's definitions on a real API server.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { createEvidence } from '../../operator/src/controller/judging.ts';
import { type LittleCluster, startLittleCluster } from '../../operator/src/controller/testing/little-cluster.ts';
import { Scene } from '../../operator/src/controller/testing/scene.ts';
import { ServicePods } from '../../operator/src/controller/testing/service-pods.ts';
import { until } from '../../operator/src/controller/testing/shop.ts';
import { get } from '../../operator/src/kube/apply.ts';
import { type KubeObject, secrets } from '../../operator/src/kube/resource.ts';
import { names } from '../../operator/src/objects/names.ts';
import { startPrometheus } from './prometheus.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built
const TEST_MS = 5 * 60_000;
const PATIENCE_MS = 60_000;
const PORT = 8080;
const PACE_MS = 20;

const ends: (() => unknown)[] = [];
const log = pino({ level: 'silent' });
let cluster: LittleCluster;
let scene: Scene;

beforeAll(async () => {
  const pods = new ServicePods('dashboard', 91, { DASHBOARD_RATELIMIT_ENABLED: 'false' });
  ends.push(() => pods.stopAll());
  cluster = await startLittleCluster({}, pods);
  ends.push(() => cluster.stop());
  pods.connect(cluster.transport);
  await cluster.api.installCrds(join(import.meta.dirname, '../crds/prometheus-operator'));
  scene = new Scene(cluster, 'scraped');
  const transport = await cluster.connect();
  ends.push(() => transport.close());
  scene.evidence = (world, wake) => createEvidence({ world, wake, transport, access: 'direct', log });
  await scene.shop.open();
  await scene.start();
  ends.push(() => scene.stop());
  // there is no database behind it: what needs none is answered
  const users = setInterval(() => {
    const uids = cluster.kubelet.endpoints(scene.shop.namespace);
    const uid = uids[Math.floor(Math.random() * uids.length)];
    if (uid !== undefined) void pods.ask(uid, '/no-such-page', {}).catch(() => undefined);
  }, PACE_MS);
  ends.push(() => clearInterval(users));
}, BUILD_MS);

afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

type Pod = KubeObject & { status?: { podIP?: string } };

/** It finds all pods of the resource, and shows their token. */
async function prometheusComes(): Promise<void> {
  const { shop } = scene;
  const server = createServer(async (_request, response) => {
    const addresses = ((await shop.list('pods')) as Pod[]).flatMap(({ status }) => status?.podIP ?? []);
    const groups = [{ targets: addresses.map(address => `${address}:${PORT}`) }];
    response.setHeader('content-type', 'application/json').end(JSON.stringify(groups));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const name = names.scrapeToken(shop.name);
  const secret = await get(cluster.transport, secrets, { namespace: shop.namespace, name });
  const credentials = Buffer.from(secret?.data?.['token'] ?? '', 'base64').toString();
  const discovery = {
    job_name: 'pods',
    http_sd_configs: [{ url, refresh_interval: '1s' }],
    authorization: { credentials },
  };
  const prometheus = await startPrometheus(
    { global: { scrape_interval: '1s' }, scrape_configs: [discovery] },
    { groups: [] },
  );
  ends.push(() => prometheus.remove());
  const read = async () => (await prometheus.ask<{ result: unknown[] }>('query', { query: 'up == 1' })).result;
  await until(async () => (await read()).length > 0, 'it reads no pod', PATIENCE_MS);
}

/** `Monitored`, of the spec as it is. */
async function monitored(): Promise<string> {
  const { metadata, status } = (await scene.shop.app()) ?? {};
  const found = status?.conditions?.find(({ type }) => type === 'Monitored');
  return found?.observedGeneration === metadata?.generation ? `${found?.reason}: ${found?.message}` : '';
}

const says = (words: string): Promise<unknown> =>
  until(async () => (await monitored()).includes(words), monitored, PATIENCE_MS);

/** A bake that lasts until it is ended. */
const baking = { rollout: { bakeSeconds: 3_600 } };
const UNREAD = 'NotScraped: no Prometheus read the pods of 2 while it baked';
const READ = 'a Prometheus read the pods of 3';

async function endBake(version: string): Promise<void> {
  await scene.shop.patch({ rollout: { bakeSeconds: 0 } });
  await scene.shop.settles(version, 'AsExpected', PATIENCE_MS);
  await scene.shop.reaches('Released', PATIENCE_MS);
  await scene.quiet();
}

test(
  'without a Prometheus it is NotScraped, and stays so until the next bake, whoever comes and whoever leads',
  async () => {
    const { shop } = scene;
    await shop.create('1', {
      replicas: 1,
      monitoring: { interval: '1s' },
      probes: { liveness: { path: '/live' }, readiness: { path: '/live' } },
      rollout: {
        ...{ minReadySeconds: 0, bakeSeconds: 0, rehearsal: { replay: 'Disabled' } },
        analysis: { minimumSeconds: 0, minimumRequests: 0 },
      },
    });
    await shop.settles('1', 'AsExpected', PATIENCE_MS);
    await scene.quiet();
    await shop.patch(baking);
    await shop.release('2');
    await shop.reaches('Baking', PATIENCE_MS);
    await says(UNREAD);
    expect((await shop.app())?.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Ready', status: 'True' }),
    );
    await endBake('2');
    await prometheusComes();
    await scene.restart();
    await scene.quiet();
    expect(await monitored()).toContain(UNREAD);
    expect(await scene.writesIfNudged()).toEqual([]);
  },
  TEST_MS,
);

test(
  'beside a real one the pods of the next release are read, and it is kept with the release',
  async () => {
    const { shop } = scene;
    await shop.patch(baking);
    await shop.release('3');
    await says(READ);
    await endBake('3');
    await scene.restart();
    await scene.quiet();
    expect(await monitored()).toContain(READ);
    expect(await scene.writesIfNudged()).toEqual([]);
  },
  TEST_MS,
);
