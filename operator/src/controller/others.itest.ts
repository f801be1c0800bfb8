// What somebody else does to the objects of a release in the middle of it. Real API server, real Deployment controller.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { AppKind } from '../api/resource.ts';
import type { RolloutRecord } from '../api/rollout.ts';
import * as kinds from '../kube/resource.ts';
import type { Transport } from '../kube/transport.ts';
import { ANNOTATIONS, LABELS } from '../objects/names.ts';
import { Controller } from './controller.ts';
import { createMetrics } from './metrics.ts';
import { type LittleCluster, startLittleCluster } from './testing/little-cluster.ts';
import { Scene } from './testing/scene.ts';
import { type Script, ScriptedEvidence } from './testing/scripted-evidence.ts';
import { image, type LiveApp, pause, type Shop, until, WITH_QUEUE } from './testing/shop.ts';
import { Somebody } from './testing/somebody.ts';
import { APP_RESOURCES } from './world.ts';

const MINUTE = 60_000;
const HELD = { minReadySeconds: 0, bakeSeconds: 0, analysis: { minimumSeconds: 0, minimumRequests: 0 } };

let cluster: LittleCluster;
let scenes: Scene[] = [];
let count = 0;

beforeAll(async () => {
  cluster = await startLittleCluster();
}, 15 * MINUTE);
afterEach(async () => {
  await Promise.all(scenes.map(scene => scene.stop()));
  scenes = [];
});
afterAll(async () => {
  await cluster?.stop();
});

async function open(setting: Parameters<Scene['start']>[1] = {}): Promise<Scene> {
  const scene = await opened();
  await scene.start(undefined, setting);
  return scene;
}

/** Nobody looks after it yet. */
async function opened(kind?: AppKind): Promise<Scene> {
  count += 1;
  const scene = new Scene(cluster, `others-${count}`, kind);
  scenes.push(scene);
  await scene.shop.open();
  if (kind === 'DevShelfDeployment') await scene.shop.addQueue();
  return scene;
}

type Pod = kinds.KubeObject & { spec?: { containers?: { image?: string; env?: { name: string }[] }[] } };

/** Pods of a version that users reach, or are about to. */
const serving = async (shop: Shop, version: string): Promise<Pod[]> =>
  ((await shop.list('pods')) as Pod[]).filter(
    ({ metadata, spec }) =>
      spec?.containers?.[0]?.image === image(version) &&
      metadata.labels?.[LABELS.role] === 'serving' &&
      metadata.deletionTimestamp === undefined,
  );
const namesOf = (pods: readonly Pod[]): string[] => pods.map(({ metadata }) => metadata.name).sort();

const recordOf = async (shop: Shop): Promise<RolloutRecord> =>
  JSON.parse((await shop.deployment())?.metadata.annotations?.[ANNOTATIONS.rollout] ?? '{}') as RolloutRecord;

const said = async (shop: Shop): Promise<string> =>
  JSON.stringify((await shop.app())?.status?.conditions?.map(({ type, reason, message }) => [type, reason, message]));

const reaches = (shop: Shop, ...phases: string[]) =>
  until(
    async () => phases.includes((await recordOf(shop)).phase),
    async () => `${phases} not reached: ${JSON.stringify(await recordOf(shop))} ${await said(shop)}`,
    40_000,
  );
const comesTo = (shop: Shop, version: string, pods: number) =>
  until(
    async () => (await serving(shop, version)).length === pods,
    async () => `not ${pods} pods of ${version}: ${namesOf(await serving(shop, version))} ${await said(shop)}`,
    40_000,
  );

const at = ({ namespace }: Shop, name = 'shop') => kinds.pathOf(kinds.deployments, { namespace, name });
const patch = (path: string, body: object, contentType = 'application/merge-patch+json', manager = 'kubectl') =>
  cluster.transport.request<kinds.KubeObject>({
    method: 'PATCH',
    path,
    contentType: contentType as never,
    query: { fieldManager: manager },
    body,
  });

async function undo(shop: Shop, release: string): Promise<void> {
  const isFound = await new Somebody(shop).undoes(({ metadata }) => metadata.labels?.[LABELS.release] === release);
  if (!isFound) throw new Error(`no ReplicaSet of ${release}`);
}

/** v1 serves with two pods, v2 has one on trial. */
async function onTrial(scene: Scene, spec: Record<string, unknown> = {}): Promise<RolloutRecord> {
  const { shop } = scene;
  scene.find('2', { canary: 'Pending' });
  await scene.settled('1', { rollout: HELD, ...spec });
  await shop.release('2');
  await reaches(shop, 'Candidate');
  await comesTo(shop, '2', 1);
  return recordOf(shop);
}

/** An admission policy of somebody else, for Deployments that change and pods that are made. */
async function refuse(shop: Shop, allowed: string, message: string): Promise<Somebody> {
  const somebody = new Somebody(shop);
  const changed = { apiGroups: ['apps'], operations: ['UPDATE'], resources: ['deployments'] };
  const made = { apiGroups: [''], operations: ['CREATE'], resources: ['pods'] };
  await somebody.forbids([changed, made], message, allowed);
  return somebody;
}

async function isBad(scene: Scene): Promise<void> {
  scene.find('2', { canary: 'Bad', bake: 'Bad' });
  await scene.nudge();
}

test(
  'the candidate has a Deployment of its own: the one that serves is untouched by its coming and going',
  async () => {
    const scene = await open();
    const { shop } = scene;
    scene.find('2', { canary: 'Pending' });
    await scene.settled('1', { rollout: HELD });
    const before = await shop.deployment();
    const pods = namesOf(await serving(shop, '1'));
    await shop.release('2');
    await comesTo(shop, '2', 1);
    await isBad(scene);
    await shop.says('ReleaseRejected');
    await until(
      async () => (await shop.list('apps/v1/deployments')).length === 1,
      'the candidate’s Deployment is still there',
    );
    const after = await shop.deployment();
    expect(after?.spec).toEqual(before?.spec);
    expect(namesOf(await serving(shop, '1'))).toEqual(pods);
  },
  MINUTE,
);

test(
  'scaled up in the middle of a trial: the candidate stays one pod, and leaves at once',
  async () => {
    const scene = await open();
    const { shop } = scene;
    await onTrial(scene, { rollout: { ...HELD, minReadySeconds: 10 } });
    await shop.patch({ replicas: 6 });
    await comesTo(shop, '1', 6);
    expect(await serving(shop, '2')).toHaveLength(1);
    const before = await shop.deployment();
    await isBad(scene);
    await comesTo(shop, '2', 0);
    expect(await serving(shop, '1')).toHaveLength(6);
    await reaches(shop, 'Settled');
    expect((await shop.deployment())?.spec).toEqual(before?.spec);
  },
  2 * MINUTE,
);

test(
  'scaled to zero in the middle of a trial: nothing is proven by nothing, and it goes on in the morning',
  async () => {
    const scene = await open();
    const { shop } = scene;
    await onTrial(scene);
    await shop.patch({ replicas: 0 });
    await shop.says('ScaledToZero');
    await comesTo(shop, '2', 0);
    scene.find('2', { canary: 'Good' });
    await scene.nudge();
    await scene.quiet();
    expect(await recordOf(shop)).toMatchObject({ phase: 'Candidate' });
    scene.find('2', { canary: 'Pending' });
    await shop.patch({ replicas: 2 });
    await comesTo(shop, '2', 1);
  },
  MINUTE,
);

test(
  'kubectl rollout undo after a rollback: the rejected release stays out, and nothing of it is left in the template',
  async () => {
    const scene = await open();
    const { shop } = scene;
    scene.find('2', { canary: 'Good', bake: 'Pending' });
    await scene.settled('1', { rollout: HELD });
    await shop.patch({
      image: image('2'),
      extraEnv: [{ name: 'FAIL', value: '2' }],
      rollout: { ...HELD, bakeSeconds: 600 },
    });
    await reaches(shop, 'Baking');
    const { release } = await recordOf(shop);
    await comesTo(shop, '1', 0);
    await isBad(scene);
    await shop.says('ReleaseRejected');
    await comesTo(shop, '2', 0);
    await shop.controllersRest();
    await scene.quiet();
    const pods = namesOf(await serving(shop, '1'));
    await undo(shop, release);
    await until(async () => {
      const template = JSON.stringify((await shop.deployment())?.spec?.template);
      return template.includes(image('1')) && !template.includes('FAIL');
    }, 'the template is not put right');
    await shop.controllersRest();
    await scene.quiet();
    expect(namesOf(await serving(shop, '1'))).toEqual(pods);
    expect(await serving(shop, '2')).toEqual([]);
    expect(await recordOf(shop)).toMatchObject({ phase: 'Settled', stable: (await recordOf(shop)).release });
    await shop.says('ReleaseRejected');
  },
  2 * MINUTE,
);

test(
  'kubectl rollout undo in the bake: the release that the spec asks for is put back',
  async () => {
    const scene = await open();
    const { shop } = scene;
    scene.find('2', { canary: 'Good', bake: 'Pending' });
    await scene.settled('1', { rollout: HELD });
    const { release: first } = await recordOf(shop);
    await shop.patch({ image: image('2'), rollout: { ...HELD, bakeSeconds: 600 } });
    await reaches(shop, 'Baking');
    await shop.says('Baking');
    const { release, write = 0 } = await recordOf(shop);
    await undo(shop, first);
    await until(async () => {
      const record = await recordOf(shop);
      return record.release === release && (record.write ?? 0) > write;
    }, 'the record is not put right');
    expect(await recordOf(shop)).toMatchObject({ phase: 'Baking' });
    await comesTo(shop, '2', 2);
    await comesTo(shop, '1', 0);
  },
  2 * MINUTE,
);

test(
  'kubectl rollout restart in the middle of a trial: pods of the stable release are replaced once, and not again by the rollback',
  async () => {
    const scene = await open();
    const { shop } = scene;
    await onTrial(scene);
    const before = namesOf(await serving(shop, '1'));
    const annotations = { 'kubectl.kubernetes.io/restartedAt': '2026-03-01T12:00:00Z' };
    await patch(
      at(shop),
      { spec: { template: { metadata: { annotations } } } },
      'application/strategic-merge-patch+json',
      'kubectl-rollout',
    );
    await until(async () => {
      const now = namesOf(await serving(shop, '1'));
      return now.length === 2 && now.every(name => !before.includes(name));
    }, 'the restart is not let be');
    await shop.controllersRest();
    const restarted = namesOf(await serving(shop, '1'));
    await isBad(scene);
    await shop.says('ReleaseRejected');
    await scene.quiet();
    expect(namesOf(await serving(shop, '1'))).toEqual(restarted);
    scene.find('3', { canary: 'Good' });
    await shop.release('3');
    await shop.settles('3');
    expect(JSON.stringify((await shop.deployment())?.spec?.template)).not.toContain('restartedAt');
  },
  2 * MINUTE,
);

test(
  'kubectl set env on the Deployment: taken out again, and said with the name of who did it',
  async () => {
    const scene = await open();
    const { shop } = scene;
    await scene.settled('1', { rollout: HELD });
    const before = await serving(shop, '1');
    const env = [{ name: 'DEBUG', value: '1' }];
    await patch(
      at(shop),
      { spec: { template: { spec: { containers: [{ name: 'app', env }] } } } },
      'application/strategic-merge-patch+json',
      'kubectl-set',
    );
    await until(
      async () => !JSON.stringify((await shop.deployment())?.spec?.template).includes('DEBUG'),
      'it is not taken out',
    );
    await shop.controllersRest();
    expect((await serving(shop, '1')).map(pod => pod.spec?.containers?.[0]?.env?.length)).toEqual(
      before.map(pod => pod.spec?.containers?.[0]?.env?.length),
    );
    expect(JSON.stringify(scene.operator.said)).toContain('kubectl-set wrote spec.containers[app].env[DEBUG]');
    await scene.quiet();
    expect(await scene.writesIfNudged()).toEqual([]);
  },
  MINUTE,
);

test(
  'a Service that keeps each user on one pod keeps them no longer, whatever was set beside it',
  async () => {
    const scene = await open();
    const { shop } = scene;
    await scene.settled('1', { rollout: HELD });
    const path = kinds.pathOf(kinds.services, { namespace: shop.namespace, name: 'shop' });
    const affinity = { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 7_200 } } };
    await patch(path, { spec: affinity }, undefined, 'kubectl-edit');
    const live = async () => {
      const { spec } = (await cluster.transport.request({ method: 'GET', path })) as { spec: object };
      return spec;
    };
    await until(async () => JSON.stringify(await live()).includes('"sessionAffinity":"None"'), 'users stay on one pod');
    expect(await live()).not.toHaveProperty('sessionAffinityConfig');
    await shop.says('AsExpected', 'Ready');
    await scene.quiet();
    expect(await scene.writesIfNudged()).toEqual([]);
  },
  MINUTE,
);

test(
  'a foreign child is in the way: a bad candidate is taken back all the same, and the child is named',
  async () => {
    const scene = await open();
    const { shop } = scene;
    scene.find('2', { canary: 'Pending' });
    await scene.settled('1', { rollout: HELD, disruption: { policy: 'Disabled' } });
    await cluster.api.request('POST', `/apis/policy/v1/namespaces/${shop.namespace}/poddisruptionbudgets`, {
      metadata: { name: 'shop' },
      spec: { minAvailable: 1, selector: { matchLabels: { mine: 'x' } } },
    });
    await shop.release('2');
    await comesTo(shop, '2', 1);
    await shop.patch({ disruption: { policy: 'Managed' } });
    await shop.says('NotOwned', 'ChildrenApplied');
    await isBad(scene);
    await comesTo(shop, '2', 0);
    await reaches(shop, 'Settled');
    expect(await said(shop)).toContain('PodDisruptionBudget shop exists and belongs to nobody');
  },
  MINUTE,
);

test(
  'the label of the stable ControllerRevision is gone: a bad candidate is taken back all the same',
  async () => {
    const scene = await open();
    const { shop } = scene;
    await onTrial(scene);
    const revisions = await shop.revisions();
    const stable = revisions.find(revision => JSON.stringify(revision).includes(image('1')));
    const name = stable?.metadata.name ?? '';
    const path = kinds.pathOf(kinds.controllerRevisions, { namespace: shop.namespace, name });
    await patch(path, { metadata: { labels: { [LABELS.managedBy]: null } } });
    await isBad(scene);
    await comesTo(shop, '2', 0);
    await shop.says('ReleaseRejected');
    await until(async () => {
      const [live] = (await shop.revisions()).filter(({ metadata }) => metadata.name === name);
      return live?.metadata.labels?.[LABELS.managedBy] === 'devshelf-operator';
    }, 'the label is not put back');
  },
  MINUTE,
);

test(
  'an admission policy refuses the record of the rollback: the candidate is taken out all the same, and who refuses is said',
  async () => {
    const scene = await open();
    const { shop } = scene;
    await onTrial(scene);
    const somebody = await refuse(shop, "object.metadata.name != 'shop'", 'change freeze until Monday');
    const body = { metadata: { annotations: { probe: '1' } } };
    await somebody.isRefused({ method: 'PATCH', path: at(shop), contentType: 'application/merge-patch+json', body });
    await isBad(scene);
    await comesTo(shop, '2', 0);
    await until(async () => (await said(shop)).includes('change freeze until Monday'), 'the policy is not named');
    expect(await said(shop)).not.toContain('serves again');
    expect(await serving(shop, '2')).toEqual([]);
    await somebody.leaves();
    await reaches(shop, 'Settled');
  },
  2 * MINUTE,
);

test(
  'what is allowed again after a moment is not waited for half a minute',
  async () => {
    const scene = await open();
    const { shop } = scene;
    await scene.settled('1', { rollout: HELD });
    const somebody = new Somebody(shop);
    const made = { apiGroups: [''], operations: ['CREATE'], resources: ['services'] };
    await somebody.forbids([made], 'no new Services on Mondays');
    const path = kinds.pathOf(kinds.services, { namespace: shop.namespace, name: 'shop' });
    const isThere = () =>
      cluster.transport.request({ method: 'GET', path }).then(
        () => true,
        () => false,
      );
    const body = { metadata: { name: 'probe' }, spec: { ports: [{ port: 80 }] } };
    await somebody.isRefused({ method: 'POST', path: shop.placeOf('services'), body });
    await cluster.transport.request({ method: 'DELETE', path });
    await until(async () => (await said(shop)).includes('no new Services on Mondays'), 'it is not said');
    await somebody.leaves();
    await until(isThere, 'it is waited for', 20_000);
    await shop.says('AsExpected', 'Ready');
  },
  MINUTE,
);

test(
  'kubectl rollout pause does not keep a bad release in service after its promotion',
  async () => {
    const scene = await open();
    const { shop } = scene;
    scene.find('2', { canary: 'Good', bake: 'Pending' });
    await scene.settled('1', { rollout: HELD });
    await shop.patch({ image: image('2'), rollout: { ...HELD, bakeSeconds: 600 } });
    await reaches(shop, 'Baking');
    await comesTo(shop, '1', 0);
    await patch(at(shop), { spec: { paused: true } });
    await isBad(scene);
    await comesTo(shop, '2', 0);
    await comesTo(shop, '1', 2);
  },
  MINUTE,
);

test(
  'replicas 0, then autoscaling: the autoscaler is given its minimum',
  async () => {
    const scene = await open();
    const { shop } = scene;
    await scene.settled('1', { rollout: HELD });
    await shop.patch({ replicas: 0 });
    await comesTo(shop, '1', 0);
    await scene.quiet();
    await shop.patch({ autoscaling: { minReplicas: 2, maxReplicas: 4 } });
    await comesTo(shop, '1', 2);
    // and a zero that a person chose under an autoscaler is theirs
    await scene.quiet();
    await patch(at(shop), { spec: { replicas: 0 } });
    await scene.nudge();
    await scene.quiet();
    expect((await shop.deployment())?.spec?.replicas).toBe(0);
  },
  MINUTE,
);

test(
  'KEDA is asked for where it is not: a resource that is made so gets its fewest pods and workers, and no more',
  async () => {
    const scene = await opened('DevShelfDeployment');
    const { shop } = scene;
    await scene.start();
    await scene.settled('1', {
      ...WITH_QUEUE,
      autoscaling: { provider: 'KEDA', minReplicas: 3, maxReplicas: 5 },
      worker: { autoscaling: { minReplicas: 2, maxReplicas: 4, waitingJobsPerReplica: 10 } },
    });
    const replicas = async (name: string) => {
      const { spec } = (await cluster.transport.request({ method: 'GET', path: at(shop, name) })) as {
        spec: { replicas: number };
      };
      return spec.replicas;
    };
    await until(async () => (await replicas('shop')) === 3, 'too few pods');
    await until(async () => (await replicas('shop-worker')) === 2, 'too few workers');
    // who wants more of them, or none, may
    await patch(at(shop), { spec: { replicas: 4 } });
    await patch(at(shop, 'shop-worker'), { spec: { replicas: 0 } });
    await scene.quiet();
    expect([await replicas('shop'), await replicas('shop-worker')]).toEqual([4, 0]);
    await patch(at(shop), { spec: { replicas: 1 } });
    await until(async () => (await replicas('shop')) === 3, 'fewer than its fewest');
    await scene.quiet();
  },
  MINUTE,
);

test(
  'the cluster refuses the candidate’s pod: its words are said, the release is not rejected, and it goes on when it may',
  async () => {
    const scene = await open();
    const { shop } = scene;
    await onTrial(scene);
    const somebody = await refuse(shop, "object.kind != 'Pod'", 'no room in this namespace');
    const pods = `/api/v1/namespaces/${shop.namespace}/pods`;
    const body = { metadata: { name: 'probe' }, spec: { containers: [{ name: 'a', image: 'a' }] } };
    await somebody.isRefused({ method: 'POST', path: pods, body }, 'no room');
    const [candidate] = await serving(shop, '2');
    await cluster.api.request('DELETE', `${pods}/${candidate?.metadata.name}`);
    scene.aheadMs = 2 * MINUTE;
    await until(
      async () => {
        await scene.nudge();
        return (await said(shop)).includes('PodCannotStart');
      },
      async () => `not said: ${await said(shop)}`,
    );
    expect(await said(shop)).toContain('no room in this namespace');
    expect(await recordOf(shop)).toMatchObject({ phase: 'Candidate' });
    await somebody.leaves();
    await comesTo(shop, '2', 1);
  },
  2 * MINUTE,
);

test(
  'a leader whose watch of Deployments hangs undoes no rollback',
  async () => {
    const scene = await open();
    const { shop } = scene;
    scene.find('2', { canary: 'Good', bake: 'Pending' });
    await scene.settled('1', { rollout: HELD });
    let isFrozen = false;
    const ice = Promise.withResolvers<void>();
    const inner = await cluster.connect();
    const transport: Transport = {
      request: request => inner.request(request),
      text: request => inner.text(request),
      close: () => inner.close(),
      async *watch(path, query, signal, options) {
        for await (const event of inner.watch(path, query, signal, options)) {
          if (isFrozen && path.endsWith('/deployments')) {
            await ice.promise;
            return;
          }
          yield event as never;
        }
      },
    };
    const script: Script = new Map();
    const standby = new Controller({
      transport,
      namespaces: [shop.namespace],
      workers: 4,
      evidence: (world, wake) => new ScriptedEvidence(script, world, wake),
      recorder: { record: () => {} },
      metrics: createMetrics({ watchAges: () => new Map(), isLeader: () => true, version: '0.0.0' }),
      log: pino({ level: 'silent' }),
      now: Date.now,
      randomBytes,
    });
    await shop.patch({ image: image('2'), rollout: { ...HELD, bakeSeconds: 6 } });
    await reaches(shop, 'Baking');
    const kept = () => standby.world.of(shop.namespace).deployments.get(shop.namespace, 'shop')?.record;
    await until(async () => {
      const record = kept();
      return record !== 'later' && record?.phase === 'Baking';
    }, 'the standby does not see the bake');
    isFrozen = true;
    await isBad(scene);
    await reaches(shop, 'Settled');
    await comesTo(shop, '1', 2);
    await comesTo(shop, '2', 0);
    await scene.stop();
    await pause(6_000); // the bake that the standby believes in is over
    await standby.start();
    await pause(4_000);
    expect(await serving(shop, '2')).toEqual([]);
    expect(await recordOf(shop)).toMatchObject({ phase: 'Settled' });
    const verdicts = (await shop.revisions()).map(({ metadata }) => metadata.annotations?.[ANNOTATIONS.verdict] ?? '');
    expect(verdicts.some(text => text.includes('"rejected"'))).toBe(true);
    ice.resolve();
    await standby.stop();
    await transport.close();
  },
  2 * MINUTE,
);

test(
  'deleted with --cascade=orphan it is gone at once, and a resource of that name takes over what it left, if asked',
  async () => {
    const scene = await open();
    const { shop } = scene;
    await scene.settled('1', { rollout: HELD });
    const pods = namesOf(await serving(shop, '1'));
    const { path } = {
      path: `/apis/apps.devshelf.dev/v1alpha1/namespaces/${shop.namespace}/dashboarddeployments/shop`,
    };
    await cluster.transport.request({
      method: 'DELETE',
      path,
      body: { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Orphan' },
    });
    await until(async () => (await shop.app()) === undefined, 'the deletion does not end');
    await shop.create('1', { rollout: HELD });
    const said = await shop.says('NotOwned');
    expect(JSON.stringify(said.status?.conditions)).toContain('devshelf.dev/adopt=true');
    await shop.annotate({ 'devshelf.dev/adopt': 'true' });
    await shop.settles('1');
    await scene.quiet();
    expect(namesOf(await serving(shop, '1'))).toEqual(pods);
    const { release } = await recordOf(shop);
    scene.find('2', { canary: 'Bad' });
    await shop.release('2');
    await shop.says('ReleaseRejected');
    expect((await recordOf(shop)).release).toBe(release);
    expect(namesOf(await serving(shop, '1'))).toEqual(pods);
  },
  MINUTE,
);

test(
  'a ConfigMap that changes for the worse reaches no pod of the release that was found good without it',
  async () => {
    const scene = await open();
    const { shop } = scene;
    const maps = `/api/v1/namespaces/${shop.namespace}/configmaps`;
    await cluster.api.request('POST', maps, { metadata: { name: 'words' }, data: { FAIL: 'no' } });
    await scene.settled('1', { rollout: HELD, envFrom: [{ configMapRef: { name: 'words' } }] });
    const copyOf = async (): Promise<string> => {
      const template = JSON.stringify((await shop.deployment())?.spec?.template);
      return /shop-config-[0-9a-f]+/.exec(template)?.[0] ?? '';
    };
    const contentOf = async (name: string) =>
      ((await shop.list('configmaps')) as (kinds.KubeObject & { data?: object })[]).find(
        ({ metadata }) => metadata.name === name,
      )?.data;
    const good = await copyOf();
    expect(await contentOf(good)).toEqual({ FAIL: 'no' });
    scene.find('1', { canary: 'Bad' });
    await patch(`${maps}/words`, { data: { FAIL: 'yes' } });
    await shop.says('ReleaseRejected');
    expect([await copyOf(), await contentOf(good)]).toEqual([good, { FAIL: 'no' }]);
    // deleted by hand, with the source as it was again: made again
    await patch(`${maps}/words`, { data: { FAIL: 'no' } });
    await shop.says('AsExpected');
    await cluster.api.request('DELETE', `${maps}/${good}`);
    await until(async () => (await contentOf(good)) !== undefined, 'the copy is not made again');
  },
  MINUTE,
);

const DEPLOYMENTS = { apiGroups: ['apps'], resources: ['deployments'] };

/** Asked about every Deployment of the namespace; nothing is let through without its answer. */
async function putWebhook(namespace: string, url: string, rule: object = DEPLOYMENTS): Promise<() => Promise<void>> {
  const path = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';
  await cluster.api.request('POST', path, {
    metadata: { name: namespace },
    webhooks: [
      {
        ...{ name: 'policy.example.com', clientConfig: { url }, timeoutSeconds: 1, failurePolicy: 'Fail' },
        ...{ sideEffects: 'None', admissionReviewVersions: ['v1'] },
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
        rules: [{ apiVersions: ['v1'], operations: ['*'], ...rule }],
      },
    ],
  });
  return async () => {
    await cluster.api.request('DELETE', `${path}/${namespace}`);
  };
}

test(
  'an admission webhook that is down, or hangs, is said and waited for; nothing begins, and it goes on by itself',
  async () => {
    const scene = await open();
    const { shop } = scene;
    await scene.settled('1');
    const pods = namesOf(await serving(shop, '1'));
    const silent = createServer(socket => socket.on('error', () => {})).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const jobs = async () => (await shop.list('batch/v1/jobs')).length;
    const ran = await jobs();
    try {
      for (const [version, url] of [
        ['2', 'https://127.0.0.1:1/'],
        ['3', `https://127.0.0.1:${port}/`],
      ] as const) {
        const isAsked = await putWebhook(shop.namespace, url);
        // a webhook is asked a moment after it was made
        const asks = () =>
          cluster.api
            .request('PATCH', `/apis/apps/v1/namespaces/${shop.namespace}/deployments/shop?dryRun=All`, {})
            .then(
              () => false,
              () => true,
            );
        await until(asks, 'the webhook is not asked');
        await shop.release(version);
        await shop.says('ApiError');
        expect(await said(shop)).toContain('webhook policy.example.com did not answer');
        expect([namesOf(await serving(shop, '1')), await jobs()]).toEqual([pods, ran]);
        await isAsked();
        if (version === '2') await shop.patch({ image: image('1') });
        await shop.settles(version === '2' ? '1' : '3', 'AsExpected', 30_000);
      }
    } finally {
      silent.close();
    }
  },
  MINUTE,
);

test(
  'a webhook that hangs is waited for once in a pass, however many children it is asked about',
  async () => {
    const scene = await open();
    const { shop } = scene;
    let [asking, atOnce] = [0, 0];
    const silent = createServer(socket => {
      asking += 1;
      atOnce = Math.max(atOnce, asking);
      socket.on('error', () => {});
      socket.on('close', () => {
        asking -= 1;
      });
    }).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const kindsAsked = ['networkpolicies', 'services', 'poddisruptionbudgets', 'serviceaccounts'];
    try {
      const lift = await putWebhook(shop.namespace, `https://127.0.0.1:${port}/`, {
        apiGroups: ['', 'policy', 'networking.k8s.io'],
        resources: kindsAsked,
      });
      const path = `/api/v1/namespaces/${shop.namespace}/serviceaccounts/default?dryRun=All`;
      const asks = () =>
        cluster.api.request('PATCH', path, {}).then(
          () => false,
          () => true,
        );
      await until(asks, 'the webhook is not asked');
      await shop.create('1');
      await until(
        async () => atOnce >= kindsAsked.length - 1,
        () => Promise.resolve(`${atOnce} asked at once`),
        20_000,
      );
      await shop.says('ApiError');
      await lift();
      await shop.settles('1', 'AsExpected', 30_000);
    } finally {
      silent.close();
    }
  },
  MINUTE,
);

test(
  'where fields of somebody else and ours cannot be together, lists are tried as a whole, and nothing is written',
  async () => {
    const inner = await cluster.connect();
    const tried: string[] = [];
    let isTold = true;
    const ports = async () => {
      const path = at(shop, 'shop-worker');
      const live = (await cluster.transport.request({ method: 'GET', path }).catch(() => ({}))) as { spec?: PodPorts };
      return live.spec?.template.spec.containers[0]?.ports.map(({ containerPort }) => containerPort);
    };
    const transport: Transport = {
      ...{ watch: inner.watch.bind(inner), text: inner.text.bind(inner), close: inner.close.bind(inner) },
      request: async request => {
        const isTrial = request.query?.['dryRun'] === 'All' && request.path.endsWith('/shop-worker');
        if (!isTrial) return inner.request(request);
        if (!isTold) {
          // in the moment between what was seen and what is tried somebody gives our port's name to another one
          isTold = true;
          const value = [{ name: 'http', containerPort: 9090, protocol: 'TCP' }];
          const change = [{ op: 'replace', path: '/spec/template/spec/containers/0/ports', value }];
          await patch(at(shop, 'shop-worker'), change, 'application/json-patch+json');
        }
        const kind = request.contentType ?? '';
        try {
          const answer = await inner.request(request);
          tried.push(`${kind} taken, live ${await ports()}`);
          return answer as never;
        } catch (error) {
          tried.push(`${kind} ${(error as { status?: number }).status}`);
          throw error;
        }
      },
    };
    const scene = await opened('DevShelfDeployment');
    const { shop } = scene;
    await scene.start(transport);
    await scene.settled('1', WITH_QUEUE);
    tried.length = 0;
    isTold = false;
    await shop.release('2');
    await shop.settles('2', undefined, 40_000);
    expect(tried.slice(0, 2)).toEqual([
      'application/apply-patch+yaml 422',
      'application/merge-patch+json taken, live 9090',
    ]);
  },
  MINUTE,
);
interface PodPorts {
  readonly template: { readonly spec: { readonly containers: { readonly ports: { containerPort: number }[] }[] } };
}

test(
  'in a namespace that is being removed nothing is begun, and nothing is said of the rest that is left',
  async () => {
    let atTheEnd: number | undefined;
    const ends = (line: string) => {
      if (line.includes('its namespace is being removed')) atTheEnd ??= scene.writes.length;
    };
    const scene = await open({ log: pino({ level: 'info', base: null }, { write: ends }) });
    const { shop } = scene;
    await scene.settled('1');
    await scene.takenBack('2');
    await scene.quiet();
    const path = kinds.pathOf(APP_RESOURCES.DashboardDeployment, { namespace: shop.namespace });
    const resourceVersion = (await shop.app())?.metadata.resourceVersion;
    const events = cluster.transport.watch<LiveApp>(path, { resourceVersion });
    const before = scene.writes.length;
    await cluster.api.request('DELETE', `/api/v1/namespaces/${shop.namespace}`);
    const said = new Set<string>();
    for await (const { type, object } of events) {
      if (type === 'DELETED') break;
      const { phase, conditions } = (object as LiveApp).status ?? {};
      said.add(
        `${phase}${conditions?.some(({ type }) => type === 'ChildrenApplied') ? ', and children are missing' : ''}`,
      );
    }
    await scene.quiet();
    expect([...said]).toEqual(['Failed']);
    // where all went before anything was tried, it was not told so
    expect(scene.writes.slice(atTheEnd ?? before)).toEqual([]);
  },
  2 * MINUTE,
);

/** The record of the rollout is what somebody makes of it. */
const writeRecord = (shop: Shop, record: object): Promise<unknown> =>
  patch(at(shop), { metadata: { annotations: { [ANNOTATIONS.rollout]: JSON.stringify(record) } } });

test(
  'whatever somebody writes into the record of a rollout, the operator goes on, and says what it makes of it',
  async () => {
    const scene = await open();
    const { shop } = scene;
    await scene.settled('1');
    const record = await recordOf(shop);
    const { ownerReferences, labels } = (await shop.deployment())?.metadata ?? {};
    const metadata = { name: 'shop-forged', labels: { ...labels, [LABELS.record]: 'incident' }, ownerReferences };
    const data = { incident: { schema: 1, at: {}, failed: { hash: [], attempt: 'x' }, rotation: { key: {} } } };
    const revisions = `/apis/apps/v1/namespaces/${shop.namespace}/controllerrevisions`;
    await cluster.api.request('POST', revisions, { metadata, revision: 9, data });
    for (const made of [
      { ...record, version: {} },
      { ...record, phase: 'Ascended' },
    ]) {
      await writeRecord(shop, made);
      await shop.says('RecordNotUnderstood');
    }
    await patch(at(shop), { metadata: { annotations: { [ANNOTATIONS.rollout]: null } } });
    await reaches(shop, 'Settled');
    const pods = namesOf(await serving(shop, '1'));
    for (const made of [
      { ...record, wanted: 7 },
      { ...record, since: 'soon' },
      { ...record, asked: { hold: [] } },
    ]) {
      await writeRecord(shop, made);
      await reaches(shop, 'Settled');
      await scene.quiet();
    }
    expect(namesOf(await serving(shop, '1'))).toEqual(pods);
    await shop.release('2');
    await shop.settles('2');
  },
  2 * MINUTE,
);

test(
  'a record of a spec that nobody has written holds up its resource for a minute, and then is put right',
  async () => {
    const scene = await open();
    const { shop } = scene;
    await scene.settled('1');
    const record = await recordOf(shop);
    const decidedOn = { uid: record.decidedOn?.uid ?? '', generation: 1_000 };
    await writeRecord(shop, { ...record, decidedOn });
    await shop.release('2');
    const before = scene.writes.length;
    await scene.nudge();
    await pause(2_000);
    expect(scene.writes.slice(before)).toEqual([]);
    scene.aheadMs += MINUTE;
    await shop.settles('2');
    expect((await recordOf(shop)).decidedOn?.generation).toBeLessThan(1_000);
  },
  2 * MINUTE,
);

test(
  'a record whose labels somebody took off is found again, and not made for ever',
  async () => {
    const scene = await open();
    const { shop } = scene;
    await scene.settled('1');
    const keyring = { namespace: shop.namespace, name: 'shop-api-keyring' };
    const unreadable = { data: { 'keyring.json': Buffer.from('{').toString('base64') } };
    await patch(kinds.pathOf(kinds.secrets, keyring), unreadable);
    await shop.annotate({ [ANNOTATIONS.rotate]: 'now' });
    await shop.says('RotationHeld', 'KeysCurrent');
    const recordOfIt = async () =>
      (await shop.list('apps/v1/controllerrevisions')).find(({ metadata }) => metadata.name.includes('-keys-'));
    scene.aheadMs += 2 * MINUTE;
    await scene.nudge();
    const { metadata } = await until(recordOfIt, 'no record of the rotation that is held');
    const ours = Object.keys(metadata.labels ?? {});
    const path = kinds.pathTo(kinds.controllerRevisions, { metadata });
    await patch(path, { metadata: { labels: Object.fromEntries(ours.map(name => [name, null])) } });
    const again = async () => JSON.stringify((await recordOfIt())?.metadata.labels) === JSON.stringify(metadata.labels);
    await until(again, 'its labels do not come back');
    await scene.quiet();
    expect(await scene.writesIfNudged()).toEqual([]);
  },
  3 * MINUTE,
);
