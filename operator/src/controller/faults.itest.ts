// The same operator behind a network and an API server that fail: every fault passes, and the release gets there.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import {
  type FaultProxy,
  isWatch,
  isWrite,
  type Matches,
  type Seen,
  startFaultProxy,
} from '../../../test-e2e/integration/faults.ts';
import type { RolloutRecord } from '../api/rollout.ts';
import { jobs } from '../kube/resource.ts';
import { createTransport } from '../kube/transport.ts';
import { ANNOTATIONS } from '../objects/names.ts';
import { Ledger } from './testing/ledger.ts';
import { type LittleCluster, startLittleCluster } from './testing/little-cluster.ts';
import { Scene } from './testing/scene.ts';
import { image, pause, QUICK, type Shop, until } from './testing/shop.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built
const TEST_MS = 90_000;
const ARRIVE_MS = 60_000;

let cluster: LittleCluster;
let jobLedger: Ledger;
let proxy: FaultProxy;
let scene: Scene;
let count = 0;

beforeAll(async () => {
  cluster = await startLittleCluster();
  jobLedger = new Ledger(cluster.transport, jobs);
  await jobLedger.synced;
}, BUILD_MS);

beforeEach(async () => {
  count += 1;
  scene = new Scene(cluster, `faulty-${count}`);
  proxy = await startFaultProxy(cluster.api);
  await scene.shop.open();
  scene.find('3', { canary: 'Bad' });
  await scene.start(
    createTransport({
      server: proxy.url,
      namespace: scene.shop.namespace,
      credentials: async () => ({ headers: { authorization: `Bearer ${cluster.api.adminToken}` }, tls: {} }),
    }),
  );
});

afterEach(async () => {
  await scene?.stop();
  await proxy?.stop();
});

afterAll(async () => {
  await jobLedger?.stop();
  await cluster?.stop();
});

/** Install, a good release, a bad one: two Deployments' worth of everything that the operator writes. */
async function story(between: () => Promise<void> | void = () => {}): Promise<void> {
  const { shop } = scene;
  await shop.create('1');
  await shop.settles('1', 'AsExpected', ARRIVE_MS);
  await shop.release('2');
  await between();
  await shop.settles('2', 'AsExpected', ARRIVE_MS);
  await shop.release('3');
  await between();
  await shop.settles('2', 'ReleaseRejected', ARRIVE_MS);
  expect(jobLedger.of(shop.namespace)).toHaveLength(3);
}

const recordOf = async (shop: Shop): Promise<RolloutRecord> =>
  JSON.parse((await shop.deployment())?.metadata.annotations?.[ANNOTATIONS.rollout] ?? '{}') as RolloutRecord;

const isStatusWrite: Matches = ({ method, path }) => method === 'PATCH' && path.endsWith('/shop/status');
const isDeploymentWrite: Matches = ({ method, path }) => method === 'PATCH' && path.endsWith('/deployments/shop');
const isJobCreation: Matches = ({ method, path }) => method === 'POST' && path.endsWith('/jobs');
const every = (nth: number, matches: Matches): Matches => {
  let seen = 0;
  return request => matches(request) && ++seen % nth === 0;
};

test.each<[string, Matches, Parameters<FaultProxy['inject']>[1]]>([
  ['409 on every other status', every(2, isStatusWrite), { fault: 'status', status: 409, reason: 'Conflict' }],
  ['429 with Retry-After on every sixth write', every(6, isWrite), { fault: 'status', status: 429, retryAfter: '1' }],
  ['503 on every other write of the Deployment', every(2, isDeploymentWrite), { fault: 'status', status: 503 }],
  [
    '500 on every fourth request of any kind',
    every(4, ({ query }) => query.get('watch') !== 'true'),
    { fault: 'status', status: 500 },
  ],
  ['the answer to every fifth write is lost', every(5, isWrite), { fault: 'loseAnswer' }],
  ['the answer to every creation of a Job is lost, once each', every(2, isJobCreation), { fault: 'loseAnswer' }],
  ['the connection breaks at every sixth request', every(6, () => true), { fault: 'reset' }],
  ['every answer comes late', isWrite, { fault: 'delay', ms: 80 }],
])(
  '%s',
  async (_what, matches, fault) => {
    const struck = proxy.inject(matches, fault, { times: Number.POSITIVE_INFINITY });
    await story();
    expect(struck()).toBeGreaterThan(0);
  },
  TEST_MS,
);

test(
  'every connection breaks while a rollout is under way, again and again',
  async () => {
    await story(async () => {
      for (let again = 0; again < 4; again += 1) {
        proxy.resetAll();
        await pause(250);
      }
    });
  },
  TEST_MS,
);

test(
  'the watch of pods says nothing any more: what the Deployment and the Job say does not suffice, a new watch does',
  async () => {
    const isPodWatch: Matches = request => isWatch(request) && request.path.endsWith('/pods');
    const { shop } = scene;
    await shop.create('1');
    await shop.settles('1', 'AsExpected', ARRIVE_MS);
    // the next watch of pods is silent, and it is the one they have now
    proxy.inject(isPodWatch, { fault: 'stall', afterBytes: 0 }, { times: 1 });
    proxy.resetAll();
    await shop.release('2');
    await pause(3_000);
    expect((await shop.app())?.status?.currentImage).toBe(image('1'));
    proxy.resetAll();
    await shop.settles('2', 'AsExpected', ARRIVE_MS);
    expect(jobLedger.of(shop.namespace)).toHaveLength(2);
  },
  TEST_MS,
);

test(
  'the watch of Deployments says nothing any more: what crashes is taken back all the same, and stays out',
  async () => {
    const { shop } = scene;
    await scene.settled('1');
    const isDeploymentWatch: Matches = request => isWatch(request) && request.path.endsWith('/deployments');
    await shop.patch({ image: image('2'), rollout: { ...QUICK, bakeSeconds: 600 } });
    await until(async () => (await recordOf(shop)).phase === 'Baking', 'it does not bake');
    await shop.controllersRest();
    await scene.quiet();
    proxy.inject(isDeploymentWatch, { fault: 'stall', afterBytes: 0 }, { times: Number.POSITIVE_INFINITY });
    proxy.resetAll();
    cluster.kubelet.behave(shop.namespace, image('2'), { serving: 'crashes' });
    await until(
      async () => (await recordOf(shop)).phase === 'RollingBackAll',
      async () => `not taken back: ${JSON.stringify(await recordOf(shop))}`,
    );
    const back = await recordOf(shop);
    await pause(11_000); // by then what it wrote is no longer waited for, and it believes in the bake again
    await scene.nudge();
    await pause(1_500);
    expect(await recordOf(shop)).toEqual(back);
    proxy.clear();
    proxy.resetAll();
    await shop.settles('1', 'ReleaseRejected', ARRIVE_MS);
  },
  TEST_MS,
);

test(
  'history that is gone: every kind is listed anew and nothing is done twice',
  async () => {
    await story(() => {
      proxy.inject(isWatch, { fault: 'status', status: 410, reason: 'Expired' }, { times: 10 });
      proxy.resetAll();
    });
  },
  TEST_MS,
);

test(
  'a write that the API server forbids is said, and once it is allowed the release goes on',
  async () => {
    const { shop } = scene;
    const isService: Matches = ({ method, path }) => method === 'PATCH' && path.endsWith('/services/shop');
    proxy.inject(
      isService,
      { fault: 'status', status: 403, reason: 'Forbidden', message: 'exceeded quota: services' },
      { times: Number.POSITIVE_INFINITY },
    );
    await shop.create('1');
    const said = await shop.says('ApiError');
    expect(said.status?.conditions?.find(({ type }) => type === 'Stalled')?.message).toContain('exceeded quota');
    proxy.clear();
    await scene.nudge();
    await shop.settles('1', 'AsExpected', ARRIVE_MS);
  },
  TEST_MS,
);

test(
  'a rollback that somebody forbids is tried every two seconds: once it is allowed, users wait no longer',
  async () => {
    const { shop } = scene;
    await shop.create('1');
    await shop.settles('1', 'AsExpected', ARRIVE_MS);
    const isRollback: Matches = request => isDeploymentWrite(request) && request.body.includes('RollingBack');
    const refused = proxy.inject(
      isRollback,
      { fault: 'status', status: 403, reason: 'Forbidden', message: 'change freeze' },
      { times: Number.POSITIVE_INFINITY },
    );
    await shop.release('3');
    await shop.says('ApiError', 'Ready', ARRIVE_MS);
    const before = refused();
    await until(async () => refused() >= before + 2, 'it is not tried again', 6_000);
    proxy.clear();
    await shop.settles('1', 'ReleaseRejected', 6_000);
  },
  TEST_MS,
);

test(
  'a Secret that cannot be read is waited for, and named',
  async () => {
    const { shop } = scene;
    const isSecretRead: Matches = ({ method, path }: Seen) => method === 'GET' && path.endsWith('/secrets/db');
    proxy.inject(
      isSecretRead,
      { fault: 'status', status: 403, reason: 'Forbidden', message: 'secrets "db" is forbidden' },
      { times: Number.POSITIVE_INFINITY },
    );
    await shop.create('1');
    await shop.says('DependencyUnreadable', 'DependenciesReady');
    proxy.clear();
    await shop.settles('1', 'AsExpected', ARRIVE_MS);
  },
  TEST_MS,
);

test(
  'the API server is killed and started again while a candidate is held',
  async () => {
    const { shop } = scene;
    await shop.create('1');
    await shop.settles('1', 'AsExpected', ARRIVE_MS);
    scene.find('2', { canary: 'Pending' });
    await shop.release('2');
    await shop.says('Analysing', 'AnalysisPassed');
    await cluster.api.restart();
    await until(async () => (await shop.app().catch(() => undefined)) !== undefined, 'the API server does not answer');
    scene.find('2', {});
    await scene.nudge();
    await shop.settles('2', 'AsExpected', ARRIVE_MS);
    expect(jobLedger.of(shop.namespace)).toHaveLength(2);
  },
  TEST_MS,
);
