// A key is replaced on a real API server, with pods that really refuse a wrong one: callers who read their Secret again
// are never refused, whoever is killed and whoever meddles.
import { execFile } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { binaryPath } from '../../../test-e2e/cluster/binaries.ts';
import { isWatch, startFaultProxy } from '../../../test-e2e/integration/faults.ts';
import { type Get, secretsIn, toldSecrets } from '../../../test-e2e/integration/told-secrets.ts';
import type { IncidentRecord } from '../api/incident.ts';
import type { AppKind } from '../api/resource.ts';
import { get } from '../kube/apply.ts';
import { ENDLESS_TERM } from '../kube/lease.ts';
import { pathOf, secrets } from '../kube/resource.ts';
import { createTransport } from '../kube/transport.ts';
import { digestOfKey, newKey, parseKeyring } from '../objects/keyring.ts';
import { ANNOTATIONS } from '../objects/names.ts';
import { createEvidence } from './judging.ts';
import { clientKey, KeyCallers } from './testing/key-callers.ts';
import { KeyedPods } from './testing/keyed-pods.ts';
import { type LittleCluster, startLittleCluster } from './testing/little-cluster.ts';
import { verdict } from './testing/little-kubelet.ts';
import { prepareOperator } from './testing/little-operator.ts';
import { mortal } from './testing/mortal-transport.ts';
import { Scene } from './testing/scene.ts';
import { image, pause, until } from './testing/shop.ts';
import { Somebody } from './testing/somebody.ts';

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

async function openScene(kind?: AppKind, access: 'direct' | 'proxy' = 'direct'): Promise<void> {
  await scene?.stop();
  count += 1;
  scene = new Scene(cluster, `keys-${count}`, kind);
  await scene.shop.open();
  const transport = await cluster.connect();
  scene.evidence = (world, wake) => createEvidence({ world, wake, transport, access, log });
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

async function heldRecords(): Promise<IncidentRecord[]> {
  const objects = (await scene.shop.incidents()) as unknown as { data: { incident: IncidentRecord } }[];
  return objects.map(({ data }) => data.incident).filter(({ kind }) => kind === 'keys');
}

const patchSecret = (name: string, stringData: object, fieldManager = 'somebody') =>
  cluster.transport.request({
    method: 'PATCH',
    query: { fieldManager },
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

/** The overlap of a minute ends, and half a minute more in which nobody uses the old key. */
async function outlives(name = 'api'): Promise<void> {
  for (const aheadMs of [3_000, 61_000, 31_000, 31_000]) {
    scene.aheadMs += aheadMs;
    const readAt = Date.now() + scene.aheadMs;
    await scene.nudge();
    await until(
      async () => {
        const key = await keyStatus(name);
        return key?.state !== 'Draining' || Date.parse(key.previousUsedAt ?? '') <= readAt;
      },
      async () => `its uses are not counted: ${JSON.stringify(await keyStatus(name))}`,
    );
    await pause(400);
  }
}

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

    await outlives();
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
  },
  TEST_MS,
);

test(
  'a leaked key leaves although a pod crashes: it serves nobody, and is not waited for',
  async () => {
    const { shop } = scene;
    await scene.settled('1');
    const leaked = (await clientKey(cluster, shop.namespace)) ?? '';
    const [uid = '', other = ''] = cluster.kubelet.endpoints(shop.namespace);
    const { metadata } = (await shop.list('pods')).find(pod => pod.metadata.uid === uid) ?? { metadata: { name: '' } };
    const waiting = { reason: 'CrashLoopBackOff', message: 'back-off 5m0s restarting failed container' };
    await cluster.transport.request({
      method: 'PATCH',
      path: `/api/v1/namespaces/${shop.namespace}/pods/${metadata.name}/status`,
      contentType: 'application/strategic-merge-patch+json',
      body: {
        status: {
          conditions: ['Ready', 'ContainersReady'].map(type => ({ type, status: 'False' })),
          containerStatuses: [{ name: 'app', ready: false, started: false, state: { running: null, waiting } }],
        },
      },
    });
    await pods.stop(uid);
    await until(async () => !cluster.kubelet.endpoints(shop.namespace).includes(uid), 'it is still in the endpoints');
    await ask('leak', 'immediate');
    await reaches('Idle', 'leak');
    expect(await pods.call(other, leaked)).toBe(401);
    expect(Object.keys((await keyring())?.keys ?? {})).toEqual(['2']);
  },
  TEST_MS,
);

test(
  'asked for while a release is rejected, and under way while the operator is one of before and this one again: it ends',
  async () => {
    const { shop } = scene;
    await scene.settled('1', OVERLAP);
    cluster.kubelet.behave(shop.namespace, image('2'), { migration: verdict('failed') });
    await shop.release('2');
    await shop.settles('1', 'ReleaseRejected');
    const first = (await clientKey(cluster, shop.namespace)) ?? '';
    await ask('a');
    await reaches('Draining', 'a');
    await scene.stop();
    // as an operator before this one writes it: what it does not know is gone
    const target = { namespace: shop.namespace, name: 'shop-api-keyring' };
    const { metadata } = (await get(cluster.transport, secrets, target)) ?? {};
    const { begunAt, digests, revoked, ...known } = JSON.parse(metadata?.annotations?.[ANNOTATIONS.rotation] ?? '{}');
    expect([begunAt, digests]).toEqual([expect.any(String), expect.any(Object)]);
    await cluster.transport.request({
      method: 'PATCH',
      path: pathOf(secrets, target),
      contentType: 'application/merge-patch+json',
      body: { metadata: { annotations: { [ANNOTATIONS.rotation]: JSON.stringify(known) } } },
    });
    await scene.start();
    await outlives();
    await reaches('Idle', 'a');
    const second = (await clientKey(cluster, shop.namespace)) ?? '';
    for (const endpoint of cluster.kubelet.endpoints(shop.namespace))
      expect([await pods.call(endpoint, first), await pods.call(endpoint, second)]).toEqual([401, 200]);
    expect((await keyring())?.keys).toEqual({ '2': second });
    await shop.says('ReleaseRejected');
    expect((await keyStatus())?.revoked).toMatchObject([{ id: '1' }]);
  },
  TEST_MS,
);

const asAdministrator: Get = path => cluster.transport.request({ method: 'GET', path });

test(
  'nothing that a Secret holds is told: in no object, no event, no metric and no line of the log, whatever containers say',
  async () => {
    const { shop } = scene;
    const lines: string[] = [];
    const everything = pino({ level: 'trace', base: null }, { write: (line: string) => void lines.push(line) });
    await scene.stop();
    const transport = await cluster.connect();
    scene.evidence = (world, wake) => createEvidence({ world, wake, transport, access: 'direct', log: everything });
    await scene.start(undefined, { log: everything });
    await patchSecret('db', { DATABASE_URL: 'postgresql://shop:pass%2Fword-of-nobody-else@db.example:5432/shop' });
    await shop.addSecret('other', { token: 'a-token-of-another-team-0123456789' });
    await scene.settled('1', OVERLAP);
    const said: string[] = [];
    const notes = () => {
      said.push(JSON.stringify(scene.operator.said));
      return secretsIn(asAdministrator, shop.namespace);
    };
    const before = await notes();
    expect([...before.keys()].sort()).toEqual(
      [
        ...['db/DATABASE_URL password', 'other/token', 'shop-api-key/key', 'shop-api-keyring/keyring.json key 1'],
        ...['shop-release-seed-copy/seed', 'shop-release-seed/seed'],
        ...['shop-scrape-keyring/keyring.json key 1', 'shop-scrape-token/token'],
      ].sort(),
    );
    // an image has seen them all, and says so when it ends
    const words = [...before.values()].join(' ');
    const full = (await keyring())?.keys['1'] ?? '';
    const ends = [verdict('failed', [full, words.slice(0, 60)], words), { exitCode: 137, message: `${full} ${words}` }];
    for (const [index, migration] of ends.entries()) {
      const version = String(index + 2);
      cluster.kubelet.behave(shop.namespace, image(version), { migration });
      await shop.release(version);
      await shop.settles('1', 'ReleaseRejected');
    }
    await shop.release('1');
    await shop.settles('1');
    await ask('a');
    await reaches('Draining', 'a');
    await ask('b', 'immediate');
    await reaches('Idle', 'b');
    const secrets = new Map([...before, ...[...(await notes())].map(([at, value]) => [`${at} later`, value] as const)]);
    const texts = async () => ({ log: lines.join(''), events: said.join(''), metrics: await scene.operator.metrics() });
    expect(lines.length).toBeGreaterThan(10);
    expect(await toldSecrets(asAdministrator, shop.namespace, secrets, await texts())).toEqual([]);
    // what finds nothing must be able to find something
    const maps = `/api/v1/namespaces/${shop.namespace}/configmaps`;
    const data = { url: encodeURIComponent('pass/word-of-nobody-else') };
    await cluster.api.request('POST', maps, { metadata: { name: 'told' }, data });
    expect(await toldSecrets(asAdministrator, shop.namespace, before, { log: full })).toEqual([
      'db/DATABASE_URL password, in configmaps/told',
      'shop-api-key/key, in log',
      'shop-api-keyring/keyring.json key 1, in log',
    ]);
  },
  TEST_MS,
);

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

/** Another address of this machine than loopback. */
const outside = Object.values(networkInterfaces())
  .flat()
  .find(address => address && !address.internal && address.family === 'IPv4')?.address;

(outside === undefined ? test.skip : test)(
  'through the API server’s proxy the pods are asked the same',
  async () => {
    pods.outside = outside;
    try {
      await openScene('DashboardDeployment', 'proxy');
      await scene.settled('1', { ...OVERLAP, replicas: 1 });
      const first = (await clientKey(cluster, scene.shop.namespace)) ?? '';
      await ask('a');
      await reaches('Draining', 'a');
      const [uid = ''] = cluster.kubelet.endpoints(scene.shop.namespace);
      expect(await pods.call(uid, first)).toBe(200);
      await outlives();
      await reaches('Idle', 'a');
      expect(await pods.call(uid, first)).toBe(401);
      expect(await pods.call(uid, (await clientKey(cluster, scene.shop.namespace)) ?? '')).toBe(200);
    } finally {
      pods.outside = undefined;
    }
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
    // the minute passes, and whoever comes after knows since when
    expect(await heldRecords()).toEqual([]);
    scene.aheadMs += 61_000;
    // killed before it is written, and after
    for (const when of ['before', 'after'] as const) {
      await scene.stop();
      const dying = mortal(await cluster.connect(), { atWrite: 1, when });
      await scene.start(dying);
      expect(await dying.died).toMatch(/^POST .*controllerrevisions$/);
    }
    await scene.restart();
    await until(async () => (await heldRecords()).length > 0, 'no record of the rotation that is held');
    const [record] = await heldRecords();
    expect(record).toMatchObject({
      ...{ reason: 'RotationHeld', phase: 'Settled', decidedBy: { who: 'operator' } },
      rotation: { key: 'api', state: 'Accepting', from: '1', to: '2' },
      cause: { message: expect.stringMatching(/pod shop-\S+ does not accept the new key/) },
    });
    const { keys = {} } = (await keyring()) ?? {};
    const secret = [...Object.values(keys), ...Object.values(keys).map(digestOfKey)];
    expect(secret.filter(text => JSON.stringify(record).includes(text))).toEqual([]);
    scene.aheadMs += 600_000;
    await scene.restart();
    await scene.shop.says('RotationHeld', 'KeysCurrent');
    await scene.quiet();
    expect(await heldRecords()).toEqual([record]);

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

/** A policy that lets nobody update this Secret; resolves when it is in force. */
async function refuseUpdates(secret: string, message: string): Promise<Somebody> {
  const { namespace } = scene.shop;
  const somebody = new Somebody(scene.shop);
  const updates = { apiGroups: [''], operations: ['UPDATE'], resources: ['secrets'] };
  await somebody.forbids([updates], message, `object.metadata.name != '${secret}'`);
  const path = pathOf(secrets, { namespace, name: secret });
  const body = { metadata: { labels: { probe: '1' } } };
  await somebody.isRefused({ method: 'PATCH', path, contentType: 'application/merge-patch+json', body });
  return somebody;
}

test.each([
  ['the keyring, before anything has begun', 'shop-api-keyring', ['1'], 'Idle'],
  ['the Secret of the callers, when they are to have the new key', 'shop-api-key', ['1', '2'], 'Switching'],
])(
  'a policy refuses %s: the rotation is held, a release is not, and it goes on when that is allowed',
  async (_what, secret, ids, state) => {
    await scene.settled('1', OVERLAP);
    callers.come();
    const somebody = await refuseUpdates(secret, 'keys are frozen until Monday');
    await ask('a');
    const held = await scene.shop.says('RotationHeld', 'KeysCurrent');
    const conditionOf = (app: typeof held, wanted: string) =>
      app.status?.conditions?.find(({ type }) => type === wanted);
    expect(conditionOf(held, 'KeysCurrent')).toMatchObject({
      status: 'False',
      message: expect.stringMatching(`"${secret}".*ValidatingAdmissionPolicy.*keys are frozen until Monday`),
    });
    expect(conditionOf(held, 'Ready')).toMatchObject({ status: 'True' });
    expect(conditionOf(held, 'Stalled')).toBeUndefined();
    expect(Object.keys((await keyring())?.keys ?? {})).toEqual(ids);

    scene.aheadMs += 61_000;
    await scene.nudge();
    const record = await until(async () => (await heldRecords())[0], 'no record of the rotation that is held');
    expect(record).toMatchObject({
      ...{ reason: 'RotationHeld', rotation: { key: 'api', state, from: '1', to: '2' } },
      cause: { message: expect.stringContaining('keys are frozen until Monday') },
    });
    // whoever comes after is refused, too, and says no other thing
    await scene.restart();
    await scene.nudge();
    await scene.quiet();
    expect(await heldRecords()).toEqual([record]);
    const later = await scene.shop.app();
    expect(later && conditionOf(later, 'KeysCurrent')).toEqual(conditionOf(held, 'KeysCurrent'));
    expect(later && conditionOf(later, 'Ready')).toMatchObject({ status: 'True' });
    expect(await scene.operator.metrics()).toContain('devshelf_operator_key_rotations_held 1');
    await scene.shop.release('2');
    await scene.shop.reaches('Candidate', 40_000);
    await scene.shop.release('1');
    await scene.shop.settles('1');
    await scene.shop.says('RotationHeld', 'KeysCurrent');
    expect(await heldRecords()).toEqual([record]);

    await somebody.leaves();
    await reaches('Draining', 'a', 'api', 60_000);
    await outlives();
    await reaches('Idle', 'a');
    expect(Object.keys((await keyring())?.keys ?? {})).toEqual(['2']);
    await callers.leave();
    expect(callers.refused).toEqual([]);
  },
  2 * TEST_MS,
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
    await outlives();
    await reaches('Idle', 'a');
    expect((await keyring())?.keys).toEqual({ '2': second });
  },
  TEST_MS,
);

/** Callers of the old kind: `seconds` of the operator's clock between two requests of each. */
async function callersWithOldKey(first: string, times: number, seconds: number): Promise<void> {
  for (let turn = 0; turn < times; turn += 1) {
    for (const uid of cluster.kubelet.endpoints(scene.shop.namespace)) expect(await pods.call(uid, first)).toBe(200);
    scene.aheadMs += seconds * 1000;
    await scene.nudge();
    await pause(500);
  }
}

const CALLERS: Readonly<Record<string, { pod?: object; seconds: number; overlapSeconds: number; named?: RegExp }>> = {
  'takes the key from its environment': {
    pod: { containers: [{ name: 'c', image: 'i', env: [{ name: 'KEY', valueFrom: secretKey() }] }] },
    ...{ seconds: 20, overlapSeconds: 60, named: /pod caller \(has it in its environment: restart it\)/ },
  },
  'mounts it by subPath': {
    pod: {
      containers: [{ name: 'c', image: 'i', volumeMounts: [{ name: 'k', mountPath: '/key', subPath: 'key' }] }],
      volumes: [{ name: 'k', secret: { secretName: 'shop-api-key' } }],
    },
    ...{ seconds: 20, overlapSeconds: 60, named: /pod caller \(mounts it by subPath/ },
  },
  'comes once an hour, with a key of its own': { seconds: 3_600, overlapSeconds: 14_400 },
};

function secretKey(): object {
  return { secretKeyRef: { name: 'shop-api-key', key: 'key' } };
}

test.each(Object.entries(CALLERS))(
  'a caller that %s: the old key is held, the caller named; a person may force it',
  async (_how, { pod, seconds, overlapSeconds, named = /still used/ }) => {
    await scene.settled('1', { apiKey: { rotation: { overlapSeconds } } });
    const { namespace } = scene.shop;
    const first = (await clientKey(cluster, namespace)) ?? '';
    if (pod) {
      const body = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'caller', namespace }, spec: pod };
      await cluster.api.request('POST', `/api/v1/namespaces/${namespace}/pods`, body);
      await pause(1_000); // its age is known in whole seconds
    }
    await ask('a');
    await reaches('Draining', 'a');
    await callersWithOldKey(first, overlapSeconds / seconds + 4, seconds);
    const said = async () => (await scene.shop.app())?.status?.conditions?.find(({ type }) => type === 'KeysCurrent');
    await until(
      async () => named.test((await said())?.message ?? ''),
      async () => `not named: ${JSON.stringify(await said())}`,
    );
    expect(await said()).toMatchObject({ status: 'False', reason: 'RotationHeld' });
    expect((await said())?.message).toMatch(/key 1 is still used, by at least \d+ requests since /);
    expect(await keyStatus()).toMatchObject({ state: 'Draining', previousUses: expect.any(Number) });
    for (const uid of cluster.kubelet.endpoints(namespace)) expect(await pods.call(uid, first)).toBe(200);

    await scene.shop.annotate({ 'devshelf.dev/rotate-force': 'api/1' });
    await reaches('Idle', 'a');
    for (const uid of cluster.kubelet.endpoints(namespace)) expect(await pods.call(uid, first)).toBe(401);
  },
  TEST_MS,
);

test(
  'another operator goes on with what was counted',
  async () => {
    await scene.settled('1', OVERLAP);
    const first = (await clientKey(cluster, scene.shop.namespace)) ?? '';
    await ask('a');
    await reaches('Draining', 'a');
    await callersWithOldKey(first, 2, 5);
    const before = await until(async () => ((await keyStatus())?.previousUses ? keyStatus() : undefined), 'no uses');
    await scene.restart();
    await callersWithOldKey(first, 1, 5);
    await until(
      async () => ((await keyStatus())?.previousUses ?? 0) > (before?.previousUses ?? 0),
      async () => `not counted on: ${JSON.stringify([before, await keyStatus()])}`,
    );
  },
  TEST_MS,
);

test(
  'a key that was revoked stays so, whoever writes it into the callers’ Secret; two writers are held, by name',
  async () => {
    await scene.settled('1');
    const { namespace } = scene.shop;
    const first = (await clientKey(cluster, namespace)) ?? '';
    await ask('leak', 'immediate');
    await reaches('Idle', 'leak');
    const second = await clientKey(cluster, namespace);
    for (let turn = 0; turn < 3; turn += 1) {
      await patchSecret('shop-api-key', { key: first }, 'a-gitops-tool');
      await until(async () => (await clientKey(cluster, namespace)) === second, 'the current key did not come back');
    }
    const held = await scene.shop.says('RotationHeld', 'KeysCurrent');
    expect(held.status?.conditions?.find(({ type }) => type === 'KeysCurrent')?.message).toContain('"a-gitops-tool"');
    expect(scene.operator.said.map(({ note }) => note).join()).toContain('wrote key 1, which was revoked, into Secret');

    // the keyring is lost while the old one stands there
    await patchSecret('shop-api-key', { key: first }, 'a-gitops-tool');
    await cluster.api.request('DELETE', `/api/v1/namespaces/${namespace}/secrets/shop-api-keyring`);
    await until(async () => (await keyring())?.current, 'no keyring');
    const keys = Object.values((await keyring())?.keys ?? {});
    expect(keys).not.toContain(first);
    await until(async () => keys.includes((await clientKey(cluster, namespace)) ?? ''), 'callers hold another one');
    for (const uid of cluster.kubelet.endpoints(namespace)) {
      await pods.syncAll(namespace);
      expect(await pods.call(uid, first)).toBe(401);
    }
  },
  TEST_MS,
);

test(
  'a keyring that is lost comes back with the key that callers were given; with a made-up one it is made anew',
  async () => {
    await scene.settled('1');
    const { namespace } = scene.shop;
    const first = (await clientKey(cluster, namespace)) ?? '';
    const lose = () => cluster.api.request('DELETE', `/api/v1/namespaces/${namespace}/secrets/shop-api-keyring`);
    await lose();
    await until(async () => Object.values((await keyring())?.keys ?? {}).includes(first), 'it did not come back');
    await scene.quiet();
    const madeUp = newKey('1', new Uint8Array(32).fill(7));
    await scene.stop();
    await patchSecret('shop-api-key', { key: madeUp });
    await lose();
    await scene.start();
    const made = await until(async () => (await keyring())?.current, 'no keyring');
    expect(made).toBe('2');
    const keys = Object.values((await keyring())?.keys ?? {});
    expect(keys).not.toContain(madeUp);
    await until(async () => keys.includes((await clientKey(cluster, namespace)) ?? ''), 'callers hold another one');
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
    await outlives('scrape');
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
    await pause(1_000);
    scene.aheadMs += 451_000;
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

test(
  'an operator that hears nothing since a rotation, does not know of the other, and is an hour ahead, touches no key',
  async () => {
    const { namespace } = scene.shop;
    await scene.settled('1', OVERLAP);
    const proxy = await startFaultProxy(cluster.api);
    const transport = createTransport({
      server: proxy.url,
      namespace,
      credentials: async () => ({ headers: { authorization: `Bearer ${cluster.api.adminToken}` }, tls: {} }),
    });
    const standby = prepareOperator({
      transport,
      namespaces: [namespace],
      script: new Map(),
      now: () => Date.now() + 3_600_000,
      evidence: (world, wake) => createEvidence({ world, wake, transport, access: 'direct', log }),
    });
    try {
      await until(async () => standby.controller.world.hasSynced, 'its stores are not filled');
      await ask('a');
      await reaches('Draining', 'a');
      await scene.quiet();
      const silent = proxy.inject(isWatch, { fault: 'stall', afterBytes: 0 }, { times: Number.POSITIVE_INFINITY });
      proxy.resetAll();
      const watches = standby.controller.world.watchAges().size;
      await until(async () => silent() >= watches, 'its watches were not opened again');
      scene.aheadMs = 61_000;
      await scene.nudge();
      await reaches('Idle', 'a');
      await ask('b');
      await reaches('Draining', 'b');
      await scene.quiet();
      await scene.stop();
      const kept = async () =>
        (await scene.shop.list('secrets')).map(({ metadata }) => [metadata.name, metadata.resourceVersion]);
      const before = await kept();
      await standby.controller.start({ ...ENDLESS_TERM, succeeds: false });
      // it asks the pods about what it believes in before it writes
      await pause(4_000);
      expect(await kept()).toEqual(before);
      expect(Object.keys((await keyring())?.keys ?? {})).toEqual(['2', '3']);
    } finally {
      await standby.stop();
      await proxy.stop();
    }
  },
  TEST_MS,
);
