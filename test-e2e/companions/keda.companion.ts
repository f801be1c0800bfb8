// KEDA's operator and its webhook beside ours: ScaledObjects of both kinds of resource are let in and worked on, releases
// come and go under KEDA's HorizontalPodAutoscalers, and the change from one autoscaler to the other keeps the number of
// pods. A real API server with real controllers, that of HorizontalPodAutoscalers among them; pods and what they use are
// played. KEDA's API server of metrics does not run: what Prometheus knows comes to no HorizontalPodAutoscaler.
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { AppKind } from '../../operator/src/api/resource.ts';
import { Departure } from '../../operator/src/controller/testing/departure.ts';
import type { LittleCluster } from '../../operator/src/controller/testing/little-cluster.ts';
import { type PlayedUse, startScaledCluster, useFor } from '../../operator/src/controller/testing/played-use.ts';
import { Scene } from '../../operator/src/controller/testing/scene.ts';
import { until } from '../../operator/src/controller/testing/shop.ts';
import type { KubeObject } from '../../operator/src/kube/resource.ts';
import { names } from '../../operator/src/objects/names.ts';
import { temporaryFolder } from '../../services/common/testing/processes.ts';
import { ensureBinaries } from '../cluster/binaries.ts';
import { installDefinitions, type KedaOperator, makeCertificates, prepareOperator, startWebhooks } from './keda.ts';

const MINUTE = 60_000;
const TEST_MS = 5 * MINUTE;
const HPAS = 'autoscaling/v2/horizontalpodautoscalers';
const SCALED = 'keda.sh/v1alpha1/scaledobjects';
/** Where nobody listens. */
const PROMETHEUS = 'http://127.0.0.1:9';
const BY_USE = {
  provider: 'HPA',
  minReplicas: 2,
  maxReplicas: 9,
  scaleDownStabilizationSeconds: 0,
  requestsPerSecondPerReplica: null,
};
const BY_USE_OF_KEDA = { ...BY_USE, provider: 'KEDA' };
const BY_REQUESTS = { ...BY_USE, provider: 'KEDA', requestsPerSecondPerReplica: 20 };
/** Paced, so that what happens meanwhile can be seen. */
const PACED = { minReadySeconds: 2, bakeSeconds: 0, analysis: { minimumSeconds: 0, minimumRequests: 0 } };
const BY_JOBS = { autoscaling: { minReplicas: 1, maxReplicas: 8, waitingJobsPerReplica: 50 } };

const ends: (() => unknown)[] = [];
let cluster: LittleCluster;
let use: PlayedUse;
let keda: KedaOperator;
let opened: Story[] = [];
let count = 0;

beforeAll(
  async () => {
    await ensureBinaries('keda-operator', 'keda-admission-webhooks');
    const own = temporaryFolder('devshelf-keda-');
    const scaled = await startScaledCluster();
    ends.push(own.remove, scaled.stop);
    ({ cluster, use } = scaled);
    await installDefinitions(cluster.api);
    const certificates = await makeCertificates(own.path);
    keda = await prepareOperator(cluster.api, certificates);
    ends.push(() => keda.stop());
    await keda.start();
    const webhooks = await startWebhooks(cluster.api, certificates);
    ends.push(() => webhooks.stop());
  },
  90 * MINUTE, // the first time they are built
);

afterEach(async () => {
  await Promise.all(opened.map(story => story.end()));
  opened = [];
});

afterAll(async () => {
  for (const end of ends.reverse()) await end();
}, MINUTE);

interface Condition {
  readonly type: string;
  readonly status: string;
}

type Live = KubeObject & {
  readonly spec: { readonly replicas?: number; readonly behavior?: { scaleDown?: { selectPolicy?: string } } };
  readonly status?: { readonly conditions?: readonly Condition[] };
};

class Story {
  readonly scene: Scene;
  readonly kind: AppKind;
  /** What kept a child from being made, at any time. */
  readonly refusals = new Set<string>();
  /** HorizontalPodAutoscalers, at any time. */
  most = 0;
  fewestPods = Number.POSITIVE_INFINITY;
  #watch: NodeJS.Timeout | undefined;

  static async open(kind: AppKind = 'DashboardDeployment', prometheusUrl = PROMETHEUS): Promise<Story> {
    count += 1;
    const story = new Story(`keda-${count}`, kind);
    opened.push(story);
    await story.scene.shop.open();
    await story.scene.shop.addSecret('queue', { REDIS_URL: 'redis://redis.example:6379' });
    await story.scene.start(undefined, prometheusUrl === '' ? {} : { prometheusUrl });
    story.#watch = setInterval(() => void story.#look().catch(() => undefined), 50);
    return story;
  }

  private constructor(namespace: string, kind: AppKind) {
    this.scene = new Scene(cluster, namespace, kind);
    this.kind = kind;
  }

  async #look(): Promise<void> {
    const words = await this.refused();
    if (words !== '') this.refusals.add(words);
    this.most = Math.max(this.most, (await this.namesOf(HPAS)).length);
    this.fewestPods = Math.min(this.fewestPods, cluster.kubelet.endpoints(this.shop.namespace).length);
  }

  get shop() {
    return this.scene.shop;
  }

  async install(spec: Record<string, unknown>): Promise<void> {
    const queue = { redis: { urlSecretRef: { name: 'queue', key: 'REDIS_URL' } } };
    const resources = { requests: { cpu: '100m', memory: '64Mi' } };
    await this.shop.create('1', { resources, ...(this.kind === 'DevShelfDeployment' && queue), ...spec });
    await this.shop.settles('1', 'AsExpected', MINUTE);
  }

  async refused(): Promise<string> {
    const { conditions = [] } = (await this.shop.app())?.status ?? {};
    return conditions.find(({ type }) => type === 'ChildrenApplied')?.message ?? '';
  }

  async namesOf(of: string): Promise<string[]> {
    return (await this.shop.list(of)).map(({ metadata }) => metadata.name).toSorted();
  }

  async scales(hpas: readonly string[], scaled: readonly string[]): Promise<void> {
    const found = async () => [(await this.namesOf(HPAS)).join(), (await this.namesOf(SCALED)).join()].join(';');
    await until(
      async () => (await found()) === `${hpas.join()};${scaled.join()}`,
      async () => `${await found()}: ${[...this.refusals].join('\n')}\n${keda.log().slice(-2_000)}`,
      MINUTE,
    );
  }

  async find(of: string, name: string): Promise<Live | undefined> {
    return (await this.shop.list(of)).find(({ metadata }) => metadata.name === name) as Live | undefined;
  }

  needs(pods: number): void {
    use.total(this.shop.namespace, useFor(pods));
  }

  says(reason: string, type = 'AutoscalingActive') {
    return this.shop.says(reason, type, 2 * MINUTE);
  }

  async end(): Promise<void> {
    clearInterval(this.#watch);
    await this.scene.stop();
  }
}

const isReady = (object: Live | undefined): boolean =>
  object?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;

test.each<[AppKind, Record<string, unknown>, string[]]>([
  ['DashboardDeployment', {}, ['shop']],
  ['DevShelfDeployment', { worker: BY_JOBS }, ['shop', 'shop-worker']],
])(
  '%s: what is asked for at once with the Deployment that it scales is let in and Ready, and nobody writes twice',
  async (kind, spec, scaled) => {
    const story = await Story.open(kind);
    await story.install({ autoscaling: BY_REQUESTS, ...spec });
    await story.scales(
      scaled.map(name => `${name}-keda`),
      scaled,
    );
    for (const name of scaled) {
      await until(async () => isReady(await story.find(SCALED, name)), `${name} is not Ready`, MINUTE);
      expect((await story.find(HPAS, `${name}-keda`))?.metadata.ownerReferences?.[0]).toMatchObject({
        kind: 'ScaledObject',
        name,
      });
    }
    expect([...story.refusals]).toEqual([]);
    await story.says('AutoscalerFallback');
    await story.scene.quiet();
    const { length } = story.scene.writes;
    const generation = async () => (await story.find(SCALED, 'shop'))?.metadata.generation;
    const before = await generation();
    await story.scene.nudge();
    await story.scene.quiet();
    expect(story.scene.writes.slice(length)).toEqual([]);
    expect(await generation()).toBe(before);
    await story.shop.has(2, MINUTE);
  },
  TEST_MS,
);

test(
  'load during a trial: KEDA’s scales what serves, the candidate stays as it is, and a promotion takes no pod away',
  async () => {
    const story = await Story.open();
    story.needs(2);
    await story.install({ autoscaling: BY_USE_OF_KEDA, rollout: PACED });
    await story.says('AutoscalerActive');
    story.scene.find('2', { canary: 'Pending' });
    await story.shop.release('2');
    await story.shop.reaches('Candidate', MINUTE);
    story.fewestPods = Number.POSITIVE_INFINITY;
    story.needs(4);
    await story.shop.has(4, MINUTE);
    expect((await story.find('apps/v1/deployments', names.candidate('shop')))?.spec.replicas).toBe(1);
    await story.scene.finds('2', { canary: 'Good' });
    const policy = async () => (await story.find(HPAS, 'shop-keda'))?.spec.behavior?.scaleDown?.selectPolicy;
    await until(async () => (await policy()) === 'Disabled', 'KEDA’s may take pods away', MINUTE);
    await story.shop.settles('2', 'AsExpected', MINUTE);
    await until(async () => (await policy()) === 'Max', 'KEDA’s may take no pod away any more', MINUTE);
    await story.shop.has(4, MINUTE);
    story.fewestPods = Number.POSITIVE_INFINITY;
    story.scene.find('3', { canary: 'Pending' });
    await story.shop.release('3');
    await story.shop.reaches('Candidate', MINUTE);
    story.needs(6);
    await story.scene.finds('3', { canary: 'Bad' });
    await story.shop.settles('2', 'ReleaseRejected', MINUTE);
    await story.shop.has(6, MINUTE);
    expect(story.fewestPods).toBeGreaterThanOrEqual(4);
  },
  TEST_MS,
);

test(
  'scaled out by KEDA’s during a trial that turns out bad: only the candidate goes, while nothing is scaled in',
  async () => {
    const story = await Story.open();
    story.needs(2);
    await story.install({ autoscaling: BY_USE_OF_KEDA, rollout: PACED });
    await story.says('AutoscalerActive');
    const departure = new Departure(cluster.transport, story.shop.namespace);
    ends.push(() => departure.stop());
    story.scene.find('2', { canary: 'Pending' });
    await story.shop.release('2');
    await story.shop.reaches('Candidate', MINUTE);
    story.needs(5);
    await story.shop.has(5, MINUTE);
    await departure.begin(6);
    await story.scene.finds('2', { canary: 'Bad' });
    const ms = await departure.outAfterMs();
    console.log(`scaled out by KEDA’s, then bad: out of the EndpointSlices ${Math.round(ms)} ms after the decision`);
    await story.shop.settles('1', 'ReleaseRejected', MINUTE);
    expect(ms).toBeGreaterThan(0);
    expect(departure.mostCandidates).toBe(1);
    expect(departure.fewest).toBe(5);
  },
  TEST_MS,
);

test(
  'from the one autoscaler to the other and back: never refused, and the number of pods stays',
  async () => {
    const story = await Story.open();
    story.needs(5);
    await story.install({ autoscaling: BY_USE });
    await story.shop.has(5, MINUTE);
    story.fewestPods = Number.POSITIVE_INFINITY;
    await story.shop.patch({ autoscaling: BY_USE_OF_KEDA });
    await story.scales(['shop-keda'], ['shop']);
    await story.says('AutoscalerActive');
    await story.shop.patch({ autoscaling: BY_USE });
    await story.scales(['shop'], []);
    await story.says('AutoscalerActive');
    await story.shop.has(5, MINUTE);
    expect([...story.refusals]).toEqual([]);
    expect(story.most).toBe(1);
    expect(story.fewestPods).toBeGreaterThanOrEqual(5);
  },
  TEST_MS,
);

test(
  'KEDA’s operator is gone: the other autoscaler comes when KEDA has let go, and the pods stay meanwhile',
  async () => {
    const story = await Story.open();
    story.needs(4);
    await story.install({ autoscaling: BY_USE_OF_KEDA });
    await story.shop.has(4, MINUTE);
    await story.says('AutoscalerActive');
    story.fewestPods = Number.POSITIVE_INFINITY;
    await keda.stop();
    try {
      await story.shop.patch({ autoscaling: BY_USE });
      await story.says('AutoscalerChanging');
      await story.scene.quiet();
      await story.scales(['shop-keda'], ['shop']);
    } finally {
      await keda.start();
    }
    await story.scales(['shop'], []);
    await story.says('AutoscalerActive');
    await story.shop.has(4, MINUTE);
    expect(story.fewestPods).toBeGreaterThanOrEqual(4);
  },
  TEST_MS,
);

test(
  'somebody else’s is in the way: KEDA’s words are said, the pods stay, and when it is gone nobody has to ask again',
  async () => {
    const story = await Story.open();
    story.needs(3);
    await story.install({ replicas: 3 });
    const path = `/apis/autoscaling/v2/namespaces/${story.shop.namespace}/horizontalpodautoscalers`;
    const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'shop' };
    const spec = { scaleTargetRef, minReplicas: 3, maxReplicas: 3 };
    await cluster.api.request('POST', path, { metadata: { name: 'mine' }, spec });
    await story.shop.patch({ autoscaling: BY_USE_OF_KEDA });
    await until(async () => (await story.refused()) !== '', 'it is not refused', MINUTE);
    expect(await story.refused()).toContain("is already managed by the hpa 'mine'");
    expect(await story.namesOf(SCALED)).toEqual([]);
    await story.shop.has(3, MINUTE);
    await cluster.api.request('DELETE', `${path}/mine`);
    await story.scales(['shop-keda'], ['shop']);
    await until(async () => (await story.refused()) === '', 'it is still said', MINUTE);
    await story.says('AutoscalerActive');
  },
  TEST_MS,
);
