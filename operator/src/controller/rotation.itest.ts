// A key is replaced on a real API server, with pods that really refuse a wrong one: callers who read their Secret again
// are never refused, whoever is killed and whoever meddles.
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { binaryPath } from '../../../test-e2e/cluster/binaries.ts';
import type { AppKind } from '../api/resource.ts';
import { get } from '../kube/apply.ts';
import { type KubeObject, pathOf, secrets } from '../kube/resource.ts';
import { parseKeyring } from '../objects/keyring.ts';
import { createEvidence } from './judging.ts';
import { clientKey, KeyCallers } from './testing/key-callers.ts';
import { KeyedPods } from './testing/keyed-pods.ts';
import { type LittleCluster, startLittleCluster } from './testing/little-cluster.ts';
import { Scene } from './testing/scene.ts';
import { pause, until } from './testing/shop.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built
const TEST_MS = 90_000;
const log = pino({ level: process.env['LOG'] ?? 'silent', base: null });

const pods = new KeyedPods();
let cluster: LittleCluster;
let scene: Scene;
let callers: KeyCallers;
let count = 0;

beforeAll(async () => {
  cluster = await startLittleCluster({}, pods);
  pods.connect(cluster.transport);
}, BUILD_MS);

beforeEach(() => openScene());

async function openScene(kind?: AppKind): Promise<void> {
  await scene?.stop();
  count += 1;
  scene = new Scene(cluster, `keys-${count}`, kind);
  await scene.shop.open();
  const transport = await cluster.connect();
  scene.evidence = (world, wake) => createEvidence({ world, wake, transport, access: 'direct', log });
  await scene.start();
  callers = new KeyCallers(cluster, pods, scene.shop.namespace);
}

afterEach(async () => {
  await callers?.leave();
  await scene?.stop();
});

afterAll(async () => {
  await cluster?.stop();
  await pods.stopAll();
});

const keyring = async (name = 'shop-api-keyring') =>
  parseKeyring((await get(cluster.transport, secrets, { namespace: scene.shop.namespace, name }))?.data);

const patchSecret = (name: string, stringData: object) =>
  cluster.transport.request({
    method: 'PATCH',
    path: pathOf(secrets, { namespace: scene.shop.namespace, name }),
    contentType: 'application/merge-patch+json',
    body: { stringData },
  });

const ask = (request: string, mode = 'graceful') =>
  scene.shop.annotate({ 'devshelf.dev/rotate': request, 'devshelf.dev/rotate-mode': mode });

const keyStatus = async (name = 'api') => (await scene.shop.app())?.status?.keys?.find(key => key.name === name);

const reaches = (state: string, request: string, name = 'api', timeoutMs = 30_000) =>
  until(
    async () => {
      const key = await keyStatus(name);
      return key?.state === state && key.request === request ? key : undefined;
    },
    async () => `${state} was not reached: ${JSON.stringify((await scene.shop.app())?.status, null, 1)}`,
    timeoutMs,
  );

const OVERLAP = { apiKey: { rotation: { overlapSeconds: 60 } } };

test(
  'asked for: callers that read their Secret are never refused, and afterwards only the new key is accepted',
  async () => {
    await scene.settled('1', OVERLAP);
    const first = (await clientKey(cluster, scene.shop.namespace)) ?? '';
    callers.come();
    await ask('a');
    const drains = await reaches('Draining', 'a');
    expect(drains).toMatchObject({ currentKeyId: '2', mode: 'graceful' });
    expect(Object.keys((await keyring())?.keys ?? {})).toEqual(['1', '2']);
    const [uid = ''] = cluster.kubelet.endpoints(scene.shop.namespace);
    expect(await pods.call(uid, first)).toBe(200);

    scene.aheadMs = 61_000;
    await scene.nudge();
    const done = await reaches('Idle', 'a');
    await scene.quiet();
    await callers.leave();
    const second = (await clientKey(cluster, scene.shop.namespace)) ?? '';
    expect(callers.refused).toEqual([]);
    expect(callers.used).toEqual(new Set([first, second]));
    expect(callers.calls).toBeGreaterThan(20);
    for (const endpoint of cluster.kubelet.endpoints(scene.shop.namespace)) {
      expect([await pods.call(endpoint, first), await pods.call(endpoint, second)]).toEqual([401, 200]);
    }
    expect((await keyring())?.keys).toEqual({ '2': second });
    expect(done).toMatchObject({ currentKeyId: '2', lastRotationTime: expect.any(String) });
    expect(scene.operator.said.map(({ reason }) => reason)).toContain('KeyRotated');
    const secret = await get(cluster.transport, secrets, {
      namespace: scene.shop.namespace,
      name: 'shop-api-keyring',
    });
    expect(Object.keys(secret?.data ?? {})).toEqual(['keyring.json']);

    const before = scene.writes.length;
    await scene.nudge();
    await pause(1_500);
    expect(scene.writes.slice(before)).toEqual([]);
    await noKeyIsSaid([first, second]);
  },
  TEST_MS,
);

/** Nothing but Secrets holds a key. */
async function noKeyIsSaid(keys: readonly string[]): Promise<void> {
  const kinds = ['pods', 'services', 'apps/v1/deployments', 'apps/v1/controllerrevisions', 'batch/v1/jobs'];
  const all = [...kinds, 'apps.devshelf.dev/v1alpha1/dashboarddeployments'];
  const objects: KubeObject[] = (await Promise.all(all.map(kind => scene.shop.list(kind)))).flat();
  const metadata = (await scene.shop.list('secrets')).map(secret => secret.metadata);
  const texts = [objects, metadata, scene.operator.said, await scene.operator.metrics()].map(part =>
    JSON.stringify(part),
  );
  for (const key of keys) {
    const body = key.split('_').slice(2).join('_');
    expect(texts.filter(text => text.includes(body.slice(0, 16)))).toEqual([]);
  }
}

test(
  'immediate: the old key is refused as soon as every pod accepts the new one',
  async () => {
    await scene.settled('1');
    callers.come();
    const askedAt = performance.now();
    await ask('leak', 'immediate');
    await reaches('Idle', 'leak');
    console.log(`immediate rotation: ${Math.round(performance.now() - askedAt)} ms`);
    expect(Object.keys((await keyring())?.keys ?? {})).toEqual(['2']);
    await ask('leak again', 'immediate');
    await reaches('Idle', 'leak again');
    expect(Object.keys((await keyring())?.keys ?? {})).toEqual(['3']);
  },
  TEST_MS,
);

test(
  'pods that never see the new key hold it, and nobody is cut off; when they do it goes on',
  async () => {
    await scene.settled('1', OVERLAP);
    pods.stuck.add(scene.shop.namespace);
    callers.come();
    await ask('a');
    await reaches('Accepting', 'a');
    scene.aheadMs = 200_000;
    await scene.nudge();
    const held = await scene.shop.says('RotationHeld', 'KeysCurrent');
    const { status, message } = held.status?.conditions?.find(({ type }) => type === 'KeysCurrent') ?? {};
    expect(status).toBe('False');
    expect(message).toMatch(/pod shop-\S+ does not accept the new key; .*no caller is cut off/);
    expect(held.status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
    await until(
      async () => scene.operator.said.some(({ reason }) => reason === 'RotationHeld'),
      'it was not announced',
    );

    pods.stuck.delete(scene.shop.namespace);
    const gone = (await scene.shop.list('pods')).map(({ metadata }) => metadata.name);
    for (const name of gone) {
      await cluster.api.request('DELETE', `/api/v1/namespaces/${scene.shop.namespace}/pods/${name}`);
    }
    await reaches('Draining', 'a', 'api', 40_000);
    await callers.leave();
    expect(callers.refused).toEqual([]);
  },
  TEST_MS,
);

test(
  'a pod that lets everybody in stops it before anything is revoked',
  async () => {
    await scene.settled('1', OVERLAP);
    pods.open.add(scene.shop.namespace);
    await ask('a', 'immediate');
    const held = await scene.shop.says('RotationHeld', 'KeysCurrent');
    expect(held.status?.conditions?.find(({ type }) => type === 'KeysCurrent')?.message).toContain(
      'authentication is off',
    );
    expect(Object.keys((await keyring())?.keys ?? {})).toEqual(['1', '2']);
  },
  TEST_MS,
);

test(
  'somebody takes both keys out of the keyring: what callers hold is back at once',
  async () => {
    await scene.settled('1', OVERLAP);
    await ask('a');
    await reaches('Draining', 'a');
    const second = await clientKey(cluster, scene.shop.namespace);
    await patchSecret('shop-api-keyring', { 'keyring.json': '{"current":"9","keys":{"9":"intruder"}}' });
    await until(async () => (await keyring())?.keys['2'] === second, 'key 2 did not come back');
    await reaches('Draining', 'a');
    scene.aheadMs = 200_000;
    await scene.nudge();
    await reaches('Idle', 'a');
    expect((await keyring())?.keys).toEqual({ '2': second });
  },
  TEST_MS,
);

test(
  'at rest somebody overwrites the keyring: what callers hold is back, and the pods accept it at once',
  async () => {
    await scene.settled('1', OVERLAP);
    const first = (await clientKey(cluster, scene.shop.namespace)) ?? '';
    await patchSecret('shop-api-keyring', { 'keyring.json': '{"current":"9","keys":{"9":"intruder"}}' });
    await until(async () => (await keyring())?.keys['1'] === first, 'the key did not come back');
    for (const uid of cluster.kubelet.endpoints(scene.shop.namespace)) {
      await until(async () => (await pods.call(uid, first)) === 200, 'a pod does not accept it');
    }
    expect((await keyring())?.current).toBe('1');
  },
  TEST_MS,
);

test(
  'the scrape token, by the clock',
  async () => {
    await scene.settled('1', { scrapeToken: { rotation: { intervalSeconds: 3_600, overlapSeconds: 60 } } });
    const first = (await keyring('shop-scrape-keyring'))?.keys;
    scene.aheadMs = 3_600_000 + 360_000;
    await scene.nudge();
    await until(
      async () => (await keyStatus('scrape'))?.state === 'Draining',
      async () => `the scrape token does not drain: ${JSON.stringify((await scene.shop.app())?.status, null, 1)}`,
    );
    scene.aheadMs += 61_000;
    await scene.nudge();
    await until(
      async () => (await keyStatus('scrape'))?.lastRotationTime,
      async () => `it did not end: ${JSON.stringify((await scene.shop.app())?.status, null, 1)}`,
      30_000,
    );
    const second = (await keyring('shop-scrape-keyring'))?.keys;
    expect(Object.keys(second ?? {})).toEqual(['2']);
    expect(second).not.toEqual(first);
    expect((await keyStatus('api'))?.lastRotationTime).toBeUndefined();
  },
  TEST_MS,
);

test(
  'DevShelf’s signing key: nothing is signed with it before every pod verifies it',
  async () => {
    await openScene('DevShelfDeployment');
    await scene.settled('1', { signingKey: { rotation: { overlapSeconds: 900 } } });
    pods.stuck.add(scene.shop.namespace);
    await ask('a');
    await reaches('Accepting', 'a', 'signing');
    await pause(1_500);
    expect(await keyring('shop-signing-keyring')).toMatchObject({ current: '1' });
    pods.stuck.delete(scene.shop.namespace);
    await pods.syncAll(scene.shop.namespace);
    await reaches('Draining', 'a', 'signing');
    const drains = await keyring('shop-signing-keyring');
    expect([drains?.current, Object.keys(drains?.keys ?? {})]).toEqual(['2', ['1', '2']]);
    scene.aheadMs = 901_000;
    await scene.nudge();
    await reaches('Idle', 'a', 'signing');
    expect(Object.keys((await keyring('shop-signing-keyring'))?.keys ?? {})).toEqual(['2']);
  },
  TEST_MS,
);

test(
  'the script of the runbook',
  async () => {
    await scene.settled('1', OVERLAP);
    callers.come();
    const script = join(import.meta.dirname, '../../../scripts/rotate_dashboard_api_key.sh');
    const { stdout } = await promisify(execFile)('bash', [script, '-r', `${scene.shop.namespace}/shop`], {
      env: {
        ...process.env,
        KUBECONFIG: cluster.api.adminKubeconfigPath,
        PATH: `${dirname(binaryPath('kubectl'))}:${process.env['PATH']}`,
      },
    });
    const key = (await clientKey(cluster, scene.shop.namespace)) ?? '';
    expect(key).toMatch(/^dsk_2_/);
    expect(stdout).not.toContain(key.slice(6, 20));
    expect(await keyStatus()).toMatchObject({ state: 'Draining', currentKeyId: '2' });
    await callers.leave();
    expect(callers.refused).toEqual([]);
  },
  TEST_MS,
);
