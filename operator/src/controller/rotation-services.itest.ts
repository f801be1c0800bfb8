// The two services as they are, rotated by the operator as it is: what one says, the other understands.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { AppKind } from '../api/resource.ts';
import { get } from '../kube/apply.ts';
import { secrets } from '../kube/resource.ts';
import { parseKeyring } from '../objects/keyring.ts';
import { createEvidence } from './judging.ts';
import { type LittleCluster, startLittleCluster } from './testing/little-cluster.ts';
import { Scene } from './testing/scene.ts';
import { ServicePods } from './testing/service-pods.ts';
import { pause, until } from './testing/shop.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built
const TEST_MS = 180_000;
const log = pino({ level: process.env['LOG'] ?? 'silent', base: null });
/** No database is there, so nothing says that it is ready. */
const PROBES = { probes: { readiness: { path: '/live' }, liveness: { path: '/live' }, startup: { path: '/live' } } };

const CASES = [
  { service: 'dashboard', kind: 'DashboardDeployment', network: 79, name: 'api', field: 'apiKey', overlap: 60 },
  { service: 'devshelf', kind: 'DevShelfDeployment', network: 80, name: 'signing', field: 'signingKey', overlap: 900 },
] as const;

describe.each(CASES)('$service', ({ service, kind, network, name, field, overlap }) => {
  const pods = new ServicePods(service, network);
  let cluster: LittleCluster;
  let scene: Scene;

  beforeAll(async () => {
    cluster = await startLittleCluster({}, pods);
    pods.connect(cluster.transport);
  }, BUILD_MS);

  afterEach(() => scene?.stop());

  afterAll(async () => {
    await cluster?.stop();
    await pods.stopAll();
  });

  const read = async (secret: string) =>
    (await get(cluster.transport, secrets, { namespace: scene.shop.namespace, name: secret }))?.data ?? {};
  const textOf = async (secret: string, key: string) =>
    Buffer.from((await read(secret))[key] ?? '', 'base64').toString();
  const keyring = async (which: string) => parseKeyring(await read(`shop-${which}-keyring`));

  const reaches = (which: string, state: string, request: string) =>
    until(
      async () => {
        const key = (await scene.shop.app())?.status?.keys?.find(known => known.name === which);
        return key?.state === state && key.request === request;
      },
      async () => `${which}: not ${state}: ${JSON.stringify((await scene.shop.app())?.status, null, 1)}`,
      60_000,
    );

  const open = async (appKind: AppKind): Promise<void> => {
    scene = new Scene(cluster, `real-${service}`, appKind);
    await scene.shop.open();
    const transport = await cluster.connect();
    scene.evidence = (world, wake) => createEvidence({ world, wake, transport, access: 'direct', log });
    await scene.start();
    const rotation = { overlapSeconds: overlap };
    await scene.shop.create('1', {
      ...PROBES,
      [field]: { rotation },
      scrapeToken: { rotation: { overlapSeconds: 60 } },
    });
    await scene.shop.settles('1', 'AsExpected', 90_000);
  };

  test(
    `its ${name} key and its scrape token are replaced`,
    async () => {
      await open(kind);
      await scene.shop.annotate({ 'devshelf.dev/rotate': 'a' });
      await reaches(name, 'Draining', 'a');
      // the pods count uses of the old key: nobody has any when half of the overlap has passed once more
      const read = async () => {
        const key = (await scene.shop.app())?.status?.keys?.find(known => known.name === name);
        return key?.previousUses === 0 || key?.state !== 'Draining';
      };
      await until(read, 'the uses of the old key are not counted', 30_000);
      for (const part of [1, 0.5]) {
        scene.aheadMs += part * overlap * 1000 + 1_000;
        await scene.nudge();
        await pause(1_000);
      }
      await reaches(name, 'Idle', 'a');
      expect(Object.keys((await keyring(name))?.keys ?? {})).toEqual(['2']);

      const before = await textOf('shop-scrape-token', 'token');
      await scene.shop.annotate({ 'devshelf.dev/rotate-scrape-token': 'b', 'devshelf.dev/rotate-mode': 'immediate' });
      await reaches('scrape', 'Idle', 'b');
      const token = await textOf('shop-scrape-token', 'token');
      for (const uid of cluster.kubelet.endpoints(scene.shop.namespace)) {
        expect((await pods.ask(uid, '/metrics', { authorization: `Bearer ${before}` })).status).toBe(401);
        const { status, text } = await pods.ask(uid, '/metrics', { authorization: `Bearer ${token}` });
        expect(status).toBe(200);
        expect(text).toContain(`devshelf_keyring_key_info{keyring="${name}",kid="2",current="true"} 1`);
        expect(text).not.toContain('dsk_');
      }
    },
    TEST_MS,
  );
});
