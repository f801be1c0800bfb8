// One operator follows another: what it has been told meanwhile may be old, and nobody noticed.
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { type FaultProxy, isWatch, startFaultProxy } from '../../../test-e2e/integration/faults.ts';
import type { AppKind } from '../api/resource.ts';
import { ENDLESS_TERM, type Term } from '../kube/lease.ts';
import { controllerRevisions, deployments, type KubeObject, pathOf, secrets, services } from '../kube/resource.ts';
import { createTransport, type Request, type Transport } from '../kube/transport.ts';
import { ANNOTATIONS, FIELD_MANAGER } from '../objects/names.ts';
import { type LittleCluster, startLittleCluster } from './testing/little-cluster.ts';
import { type LittleOperator, prepareOperator, startOperator } from './testing/little-operator.ts';
import { mortal } from './testing/mortal-transport.ts';
import { Scene } from './testing/scene.ts';
import { image, pause, QUICK, type Shop, until } from './testing/shop.ts';
import { asVersion1Left, WRITTEN_AT } from './testing/version-1.ts';
import { APP_RESOURCES } from './world.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built
const TEST_MS = 90_000;

let cluster: LittleCluster;
let proxy: FaultProxy;
let scene: Scene;
let standby: LittleOperator | undefined;
let count = 0;
/** Added to the standby's clock. */
let standbyAheadMs = 0;

beforeAll(async () => {
  cluster = await startLittleCluster();
}, BUILD_MS);

afterEach(async () => {
  proxy?.clear();
  await standby?.stop();
  standby = undefined;
  standbyAheadMs = 0;
  await scene?.stop();
  await proxy?.stop();
});

afterAll(async () => {
  await cluster?.stop();
});

/** A leader, and beside it one that watches through a network that can fail. */
async function both(): Promise<Shop> {
  count += 1;
  scene = new Scene(cluster, `succession-${count}`);
  await scene.shop.open();
  await scene.start();
  proxy = await startFaultProxy(cluster.api);
  standby = prepareOperator({
    transport: createTransport({
      server: proxy.url,
      namespace: scene.shop.namespace,
      credentials: async () => ({ headers: { authorization: `Bearer ${cluster.api.adminToken}` }, tls: {} }),
    }),
    namespaces: [scene.shop.namespace],
    script: scene.script,
    now: () => Date.now() + standbyAheadMs,
  });
  await until(async () => standby?.controller.world.hasSynced, 'its stores are not filled');
  return scene.shop;
}

type Watched = Parameters<FaultProxy['inject']>[0];

/** From now on the standby's watches say nothing, and stay open; those of `plural` alone, if it is named. */
async function deafen(plural?: string): Promise<void> {
  const stalled: Watched = request => isWatch(request) && (!plural || request.path.endsWith(`/${plural}`));
  const count = proxy.inject(stalled, { fault: 'stall', afterBytes: 0 }, { times: Number.POSITIVE_INFINITY });
  proxy.resetAll();
  const open = plural ? 1 : (standby?.controller.world.watchAges().size ?? 0);
  await until(
    async () => count() >= open,
    () => Promise.resolve(`${count()} of ${open} watches were opened again`),
  );
}

const phase = async (shop: Shop): Promise<string | undefined> => {
  const text = (await shop.deployment())?.metadata.annotations?.['devshelf.dev/rollout'];
  return text === undefined ? undefined : (JSON.parse(text) as { phase: string }).phase;
};

const podsOf = async (shop: Shop, version: string): Promise<KubeObject[]> =>
  (await shop.list('pods')).filter(pod => {
    const { containers } = (pod as unknown as { spec: { containers: { image: string }[] } }).spec;
    const role = pod.metadata.labels?.['devshelf.dev/role'];
    return (
      containers[0]?.image === image(version) && role === 'serving' && pod.metadata.deletionTimestamp === undefined
    );
  });
const reaches = (shop: Shop, wanted: string): Promise<unknown> =>
  until(
    async () => (await phase(shop)) === wanted,
    async () => `${wanted} was not reached: ${JSON.stringify((await shop.app())?.status, null, 1)}`,
    60_000,
  );

const serving = async (shop: Shop, version: string): Promise<number> => (await podsOf(shop, version)).length;

interface Change {
  /** What the successor sees last. */
  readonly phase: string;
  readonly comes: (shop: Shop) => Promise<unknown>;
  /** What the leader does after that, until it ends. */
  readonly goesOn: (shop: Shop) => Promise<unknown>;
  /** What serves then, and why nothing else does. */
  readonly serves: string;
  readonly reason?: string;
}

const BAKES = { ...QUICK, bakeSeconds: 600 };
const rejected = async (shop: Shop): Promise<unknown> => {
  scene.find('2', { canary: 'Bad', bake: 'Bad' });
  await scene.nudge();
  return shop.settles('1', 'ReleaseRejected', 60_000);
};
const bakes = async (shop: Shop): Promise<void> => {
  await scene.settled('1');
  await shop.patch({ image: image('2'), rollout: BAKES });
  await reaches(shop, 'Baking');
  await shop.controllersRest();
};

const changes: readonly Change[] = [
  {
    phase: 'the install',
    comes: async shop => {
      cluster.kubelet.behave(shop.namespace, image('1'), { serving: 'neverReady' });
      await shop.create('1');
      await reaches(shop, 'Installing');
    },
    goesOn: async shop => {
      cluster.kubelet.behave(shop.namespace, image('1'), {});
      await shop.settles('1');
      await shop.release('2');
      await shop.settles('2');
    },
    serves: '2',
  },
  {
    phase: 'the migration',
    comes: async shop => {
      await scene.settled('1');
      cluster.kubelet.behave(shop.namespace, image('2'), { migration: 'hangs' });
      await shop.release('2');
      await shop.says('Running', 'Migrated');
    },
    goesOn: async shop => {
      cluster.kubelet.behave(shop.namespace, image('2'), {});
      await shop.settles('2');
    },
    serves: '2',
  },
  {
    phase: 'the trial',
    comes: async shop => {
      scene.find('2', { canary: 'Pending' });
      await scene.settled('1');
      await shop.release('2');
      await until(async () => (await serving(shop, '2')) === 1, 'no candidate comes');
    },
    goesOn: rejected,
    serves: '1',
    reason: 'ReleaseRejected',
  },
  {
    phase: 'the promotion',
    comes: async shop => {
      await scene.settled('1');
      cluster.kubelet.behave(shop.namespace, image('2'), {});
      await shop.patch({ image: image('2'), rollout: { ...BAKES, minReadySeconds: 5 } });
      await reaches(shop, 'Promoting');
    },
    goesOn: rejected,
    serves: '1',
    reason: 'ReleaseRejected',
  },
  { phase: 'the bake', comes: bakes, goesOn: rejected, serves: '1', reason: 'ReleaseRejected' },
  {
    phase: 'the rollback',
    comes: async shop => {
      await bakes(shop);
      cluster.kubelet.behave(shop.namespace, image('1'), { serving: 'neverReady' });
      scene.find('2', { bake: 'Bad' });
      await scene.nudge();
      await reaches(shop, 'RollingBackAll');
    },
    goesOn: async shop => {
      cluster.kubelet.behave(shop.namespace, image('1'), {});
      await shop.settles('1', 'ReleaseRejected');
      await shop.patch({ image: image('3'), rollout: QUICK });
      await shop.settles('3');
    },
    serves: '3',
  },
];

/** Nobody led meanwhile, it believes: it has no reason to list anything anew. */
const UNAWARE: Term = { ...ENDLESS_TERM, succeeds: false };

/** What a release consists of in the cluster; its status is not in it, that is derived. */
async function facts(shop: Shop): Promise<object> {
  const [revisions, jobs] = [await shop.revisions(), await shop.list('batch/v1/jobs')];
  return {
    ...(await remains(shop)),
    record: (await shop.deployment())?.metadata.annotations?.['devshelf.dev/rollout'],
    verdicts: revisions.map(({ metadata }) => [metadata.uid, metadata.annotations?.['devshelf.dev/verdict']]),
    jobs: jobs.map(({ metadata }) => metadata.uid),
  };
}

/** The leader is at rest, and ends; the standby takes over with what it has heard, and nothing changes by that. */
async function takesOverUnaware(shop: Shop, prepare = (): void => {}): Promise<object> {
  await shop.controllersRest();
  await scene.quiet();
  await scene.stop();
  const before = await facts(shop);
  prepare();
  await standby?.controller.start(UNAWARE);
  await pause(3_000);
  expect(await facts(shop)).toEqual(before);
  return before;
}

const hearsAgain = (): void => {
  proxy.clear();
  proxy.resetAll();
};

test.each(changes)(
  'an operator that hears nothing since $phase, does not know of the other, and is an hour ahead, undoes nothing',
  async ({ comes, goesOn, serves, reason }) => {
    const shop = await both();
    await comes(shop);
    await deafen();
    await goesOn(shop);
    const before = await takesOverUnaware(shop, () => {
      // whatever it believes in is good, and over
      scene.find('2', { canary: 'Good', bake: 'Good' });
      standbyAheadMs = 3_600_000;
    });
    standbyAheadMs = 0;
    hearsAgain();
    await shop.settles(serves, reason);
    expect(await facts(shop)).toEqual(before);
  },
  TEST_MS,
);

test(
  'an operator that knows the Deployment, and not yet the spec that it came of, releases nothing',
  async () => {
    const shop = await both();
    await scene.settled('1');
    await deafen('dashboarddeployments');
    await shop.release('2');
    await shop.settles('2');
    await takesOverUnaware(shop);
    hearsAgain();
    await shop.release('3');
    await shop.settles('3');
  },
  TEST_MS,
);

test(
  'an operator that knows the Deployment, and not yet that a release was refused, begins it for nobody',
  async () => {
    const shop = await both();
    await bakes(shop);
    await deafen('controllerrevisions');
    await rejected(shop);
    const before = await takesOverUnaware(shop);
    hearsAgain();
    await shop.settles('1', 'ReleaseRejected');
    expect(await facts(shop)).toEqual(before);
  },
  TEST_MS,
);

test(
  'after its term an operator writes nothing, keeps what it knows, and goes on with it in the next',
  async () => {
    const shop = await both();
    await scene.stop();
    const term = () => {
      const controller = new AbortController();
      const { signal } = controller;
      return {
        end: () => controller.abort(),
        value: { signal, isOver: () => signal.aborted, succeeds: false } as Term,
      };
    };
    const first = term();
    await standby?.controller.start(first.value);
    await shop.create('1');
    await shop.settles('1');
    first.end();
    await standby?.controller.idle;
    const writes = () => proxy.seen.filter(({ method }) => method !== 'GET').length;
    const before = writes();
    await shop.release('2');
    await pause(2_000);
    expect(writes()).toBe(before);
    const lists = () => proxy.seen.filter(({ path, query }) => path.endsWith('/pods') && query.has('limit')).length;
    const listed = lists();
    const second = term();
    await standby?.controller.start(second.value);
    await shop.settles('2');
    expect(lists()).toBe(listed);

    second.end();
    await standby?.controller.idle;
    const told = async () => (await standby?.metrics())?.includes('devshelf_resource_info{') === true;
    expect(await told()).toBe(true);
    // another one led in between: what this one knew may be untrue
    const third = standby?.controller.start({ ...term().value, succeeds: true });
    expect(await told()).toBe(false);
    await third;
    await until(told, 'nothing is told of the resource');
  },
  TEST_MS,
);

type Live = KubeObject & { spec: Record<string, unknown> };

/** Uids of the pods that serve, and what each Deployment makes them of. */
async function remains(shop: Shop): Promise<object> {
  const pods = (await shop.list('pods')).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const deployments = (await shop.list('apps/v1/deployments')) as Live[];
  return {
    pods: pods
      .filter(({ metadata }) => metadata.labels?.['devshelf.dev/role'] !== undefined)
      .map(({ metadata }) => metadata.uid)
      .sort(),
    deployments: deployments.map(({ metadata, spec }) => [metadata.name, spec]),
  };
}

/** As the version before left it; then this one. Its clock goes on where the other's stood. */
async function upgraded(last: Parameters<typeof asVersion1Left>[1], kind?: AppKind): Promise<object> {
  count += 1;
  scene = new Scene(cluster, `succession-${count}`, kind);
  await scene.shop.open();
  if (kind === 'DevShelfDeployment') await scene.shop.addSecret('cache', { REDIS_URL: 'redis://redis.example:6379' });
  await asVersion1Left(scene.shop, last);
  const before = await remains(scene.shop);
  scene.aheadMs = WRITTEN_AT + 1_000 - Date.now();
  return before;
}

async function looksTwice(): Promise<void> {
  await scene.start();
  await scene.quiet();
  await scene.nudge();
  await scene.quiet();
}

test.each<AppKind>(['DashboardDeployment', 'DevShelfDeployment'])(
  'a settled %s of the version before: nothing of it is written but the status, whose database it has, and that its Service keeps no user',
  async kind => {
    const before = await upgraded('settled', kind);
    await looksTwice();
    expect(await remains(scene.shop)).toEqual(before);
    const { namespace } = scene.shop;
    const service = `PATCH /api/v1/namespaces/${namespace}/services/shop`;
    const label = `PATCH /apis/apps/v1/namespaces/${namespace}/deployments/shop`;
    expect(scene.writes.filter(write => !write.endsWith('/status'))).toEqual([service, label]);
    await scene.shop.settles('1');
  },
  TEST_MS,
);

test(
  'a trial of the version before is taken back and begun again; no stable pod is touched by that',
  async () => {
    await upgraded('trial');
    const { shop } = scene;
    const stable = await podsOf(shop, '1');
    expect([stable.length, (await podsOf(shop, '2')).length]).toEqual([2, 1]);
    scene.find('2', { canary: 'Pending' });
    await scene.start();
    const candidates = async () =>
      (await podsOf(shop, '2')).map(({ metadata }) => metadata.labels?.['app.kubernetes.io/component']);
    await until(
      async () => (await candidates()).join() === 'candidate',
      async () => `it is not on trial again: ${await candidates()} ${JSON.stringify((await shop.app())?.status)}`,
    );
    expect((await podsOf(shop, '1')).map(({ metadata }) => metadata.uid)).toEqual(
      stable.map(({ metadata }) => metadata.uid),
    );
    scene.find('2', { canary: 'Good' });
    await scene.nudge();
    await reaches(shop, 'Baking');
  },
  TEST_MS,
);

test(
  'a bake of the version before goes on, and what turns bad in it goes back to the template of its time',
  async () => {
    const before = await upgraded('bake');
    const { shop } = scene;
    await looksTwice();
    expect(await remains(shop)).toEqual(before);
    expect(await phase(shop)).toBe('Baking');
    scene.find('2', { bake: 'Bad' });
    await scene.nudge();
    await shop.settles('1', 'ReleaseRejected');
    expect([(await podsOf(shop, '1')).length, (await podsOf(shop, '2')).length]).toEqual([2, 0]);
  },
  TEST_MS,
);

// ---- a decision of another that is heard of while one's own is being made

/** A connection on which one request can be kept back. */
async function keepingBack(matches: (request: Request) => boolean) {
  const inner = await cluster.connect();
  const came = Promise.withResolvers<void>();
  const goes = Promise.withResolvers<void>();
  let isArmed = false;
  const transport: Transport = {
    ...{ text: inner.text.bind(inner), watch: inner.watch.bind(inner), close: () => inner.close() },
    async request<T>(request: Request) {
      if (isArmed && matches(request)) {
        isArmed = false;
        came.resolve();
        await goes.promise;
      }
      return inner.request<T>(request);
    },
  };
  return {
    transport,
    came: came.promise,
    goes: goes.resolve,
    arm: () => {
      isArmed = true;
    },
  };
}

const isOf = (plural: string) => (request: Request) => request.path.includes(`/${plural}/`);
const database = (shop: Shop) => pathOf(secrets, { namespace: shop.namespace, name: 'db' });

async function isHeardOf(store: 'deployments' | 'revisions', { metadata }: KubeObject): Promise<void> {
  const stores = scene.operator.controller.world.of(scene.shop.namespace);
  await until(async () => stores[store].hasSeen(metadata.resourceVersion ?? ''), 'the store does not hear of it');
}

/** Another version of the same words is read once more. */
const touched = (shop: Shop) =>
  cluster.transport.request({
    method: 'PATCH',
    path: database(shop),
    contentType: 'application/merge-patch+json',
    body: { metadata: { annotations: { 'example.com/touched': 'yes' } } },
  });
const isReadingSecret = (request: Request) => request.method === 'GET' && isOf('secrets')(request);

test(
  'a refusal that another one writes while what is seen is gathered is heeded: nobody meets that release again',
  async () => {
    count += 1;
    scene = new Scene(cluster, `succession-${count}`);
    const { shop } = scene;
    await shop.open();
    await scene.start();
    await scene.settled('1');
    await scene.takenBack('2');
    await scene.quiet();
    await scene.stop();
    const refused = (await shop.revisions()).find(({ metadata }) =>
      metadata.annotations?.[ANNOTATIONS.verdict]?.includes('"rejected"'),
    );
    const verdict = (text: string | null) =>
      cluster.transport.request<KubeObject>({
        method: 'PATCH',
        path: pathOf(controllerRevisions, { namespace: shop.namespace, name: refused?.metadata.name ?? '' }),
        contentType: 'application/merge-patch+json',
        body: { metadata: { annotations: { [ANNOTATIONS.verdict]: text } } },
      });
    await verdict(null);
    await touched(shop);
    const kept = await keepingBack(isReadingSecret);
    kept.arm();
    await scene.start(kept.transport);
    await kept.came;
    const written = await verdict(refused?.metadata.annotations?.[ANNOTATIONS.verdict] ?? '');
    await isHeardOf('revisions', written);
    kept.goes();
    await scene.nudge();
    await scene.quiet();
    await shop.settles('1', 'ReleaseRejected');
    expect(scene.writes.filter(write => /deployments.shop/.test(write) && !write.endsWith('/status'))).toEqual([]);
  },
  TEST_MS,
);

test.each<[string, (request: Request) => boolean, (shop: Shop) => Promise<unknown>]>([
  ['what is seen is gathered', isReadingSecret, touched],
  [
    'it is carried out',
    request => request.method !== 'GET' && isOf('services')(request),
    shop =>
      cluster.transport.request({
        method: 'DELETE',
        path: pathOf(services, { namespace: shop.namespace, name: 'shop' }),
      }),
  ],
])(
  'a record that another one writes while %s is not written over',
  async (_when, matches, begins) => {
    count += 1;
    scene = new Scene(cluster, `succession-${count}`);
    const { shop } = scene;
    await shop.open();
    const kept = await keepingBack(matches);
    await scene.start(kept.transport);
    await scene.settled('1');
    const path = pathOf(deployments, { namespace: shop.namespace, name: 'shop' });
    const recorded = async () =>
      JSON.parse((await shop.deployment())?.metadata.annotations?.[ANNOTATIONS.rollout] ?? '');
    const theirs = { ...(await recorded()), since: new Date(Date.now() + 1_000).toISOString() };
    kept.arm();
    await begins(shop);
    await kept.came;
    const written = await cluster.transport.request<KubeObject>({
      method: 'PATCH',
      path,
      query: { fieldManager: FIELD_MANAGER },
      contentType: 'application/merge-patch+json',
      body: { metadata: { annotations: { [ANNOTATIONS.rollout]: JSON.stringify(theirs) } } },
    });
    await isHeardOf('deployments', written);
    kept.goes();
    await scene.nudge();
    await scene.quiet();
    expect(await recorded()).toEqual(theirs);
  },
  TEST_MS,
);

// ---- two installations, whose leader elections know nothing of each other

/** Seconds become tenths of them. */
const HASTY = { trustMs: 300, writeMs: 1_500, answerMs: 2_500, askMs: 1_000, saidMs: 3_000 };
const isLease = (write: string): boolean => write.includes('/leases');

async function install(shop: Shop, name: string, through?: FaultProxy) {
  const credentials = async () => ({ headers: { authorization: `Bearer ${cluster.api.adminToken}` }, tls: {} });
  const inner = through
    ? createTransport({ server: through.url, namespace: shop.namespace, credentials })
    : await cluster.connect();
  const transport = mortal(inner);
  const script = new Map();
  const namespaces = [shop.namespace];
  const installation = `${name}/devshelf-operator`;
  const operator = await startOperator({ transport, namespaces, script, installation, chargeTiming: HASTY });
  const standsBack = async () =>
    (await operator.metrics()).includes(`stands_back{resource_namespace="${shop.namespace}"} 1`);
  return {
    operator,
    standsBack: () => until(standsBack, `${name} does not stand back`),
    works: () => until(async () => !(await standsBack()), `${name} still stands back`),
    /** But of the Lease by which they know each other. */
    get writes() {
      return transport.writes.filter(write => !isLease(write));
    },
    get all() {
      return transport.writes;
    },
  };
}

async function openShop(): Promise<Shop> {
  count += 1;
  scene = new Scene(cluster, `succession-${count}`);
  await scene.shop.open();
  return scene.shop;
}

test(
  'two installations watch one namespace: one works and says so, the other writes nothing, until it is alone',
  async () => {
    const shop = await openShop();
    const one = await install(shop, 'one');
    const two = await install(shop, 'two');
    try {
      await shop.create('1');
      await shop.settles('1');
      const [works, waits] = one.writes.length > 0 ? [one, two] : [two, one];
      const waiting = works === one ? 'two' : 'one';
      await waits.standsBack();
      const { status } = await shop.says('OtherOperator', 'SoleOperator');
      expect(status?.conditions?.find(({ type }) => type === 'SoleOperator')).toMatchObject({
        status: 'False',
        message: expect.stringContaining(`${waiting}/devshelf-operator watches namespace ${shop.namespace}, too`),
      });
      expect(status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
      await shop.release('2');
      await shop.settles('2');
      expect(waits.writes).toEqual([]);

      await works.operator.stop();
      await waits.works();
      await shop.release('3');
      await shop.settles('3');
      await until(
        async () => !(await shop.app())?.status?.conditions?.some(({ type }) => type === 'SoleOperator'),
        'the other one is gone, and is still spoken of',
      );
      await pause(500);
      const settled = waits.all.length;
      await shop.annotate({ 'example.com/nudge': 'alone' });
      await pause(HASTY.saidMs);
      expect(waits.all.slice(settled)).toEqual([]);
    } finally {
      await Promise.allSettled([one.operator.stop(), two.operator.stop()]);
    }
  },
  TEST_MS,
);

test(
  'an operator that does not know the Lease is known by the status that it writes; ours does not race with it',
  async () => {
    const shop = await openShop();
    const one = await install(shop, 'one');
    let isThere = true;
    const sole = async () => (await shop.app())?.status?.conditions?.find(({ type }) => type === 'SoleOperator');
    try {
      await shop.create('1');
      await shop.settles('1');
      const { apiVersion = '', kind = '', metadata } = (await shop.app()) as KubeObject;
      const { name, namespace = '' } = metadata;
      const object = { apiVersion, kind, metadata: { name, namespace } };
      const condition = {
        type: 'Ready',
        status: 'True',
        reason: 'Released',
        message: 'as it was',
        observedGeneration: 1,
      };
      const path = pathOf(APP_RESOURCES.DashboardDeployment, { namespace, name, subresource: 'status' });
      // as soon as it sees a status that is not its own it writes its own
      const fights = (async () => {
        while (isThere) {
          const { status } = (await shop.app()) ?? {};
          if (status?.conditions?.some(({ message }) => message !== condition.message))
            await cluster.transport.request({
              method: 'PATCH',
              path,
              query: { fieldManager: FIELD_MANAGER, force: true },
              contentType: 'application/apply-patch+yaml',
              body: {
                ...object,
                status: { conditions: [{ ...condition, lastTransitionTime: new Date().toISOString() }] },
              },
            });
          await pause(20);
        }
      })();
      const before = one.writes.length;
      let said: Awaited<ReturnType<typeof sole>>;
      await until(
        async () => {
          said ??= await sole();
          return said !== undefined;
        },
        'the other one is not noticed',
        30_000,
      );
      expect(said).toMatchObject({
        status: 'False',
        reason: 'OtherOperator',
        message: expect.stringContaining('0.1.0'),
      });
      const noticed = one.writes.length;
      await pause(6_000);
      console.log(`${noticed - before} writes until it was noticed, ${one.writes.length - noticed} in 6 s after it`);
      expect(one.writes.length - noticed).toBeLessThanOrEqual(3);
      isThere = false;
      await fights;
      await until(async () => (await sole()) !== undefined, 'what is said last does not stay', 20_000);
    } finally {
      isThere = false;
      await one.operator.stop();
    }
  },
  TEST_MS,
);

test(
  'whoever works and is cut off from the API server finds the other one at work when it is back, and writes nothing',
  async () => {
    const shop = await openShop();
    proxy = await startFaultProxy(cluster.api);
    const cut = await install(shop, 'cut', proxy);
    await shop.create('1');
    await shop.settles('1');
    const other = await install(shop, 'other');
    try {
      await other.standsBack();
      const isAny = () => true;
      proxy.inject(isAny, { fault: 'stall', afterBytes: 0 }, { times: Number.POSITIVE_INFINITY });
      proxy.resetAll();
      await shop.release('2');
      await other.works();
      await shop.settles('2');
      const before = cut.writes.length;
      proxy.clear();
      proxy.resetAll();
      await cut.standsBack();
      await shop.release('3');
      await shop.settles('3');
      await shop.says('OtherOperator', 'SoleOperator');
      expect(cut.writes.slice(before)).toEqual([]);
    } finally {
      await Promise.allSettled([cut.operator.stop(), other.operator.stop()]);
    }
  },
  TEST_MS,
);
