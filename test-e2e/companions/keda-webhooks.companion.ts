// KEDA's webhook before the ScaledObjects as the operator makes them: those of both kinds of resource are let in, and the
// change from one autoscaler to the other keeps the number of pods. A real API server with real controllers, that of
// HorizontalPodAutoscalers among them; pods and what they use are played.
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { AppKind } from '../../operator/src/api/resource.ts';
import { type LittleCluster, startLittleCluster } from '../../operator/src/controller/testing/little-cluster.ts';
import { type PlayedUse, startPlayedUse } from '../../operator/src/controller/testing/played-use.ts';
import { Scene } from '../../operator/src/controller/testing/scene.ts';
import { until } from '../../operator/src/controller/testing/shop.ts';
import { temporaryFolder } from '../../services/common/testing/processes.ts';
import { aggregationFlags } from '../cluster/aggregation.ts';
import { ensureBinaries } from '../cluster/binaries.ts';
import { installDefinitions, makeCertificates, startWebhooks } from './keda.ts';

const MINUTE = 60_000;
const TEST_MS = 5 * MINUTE;
const HPAS = 'autoscaling/v2/horizontalpodautoscalers';
const SCALED = 'keda.sh/v1alpha1/scaledobjects';
const PROMETHEUS = 'http://prometheus.monitoring:9090';
const BY_USE = {
  provider: 'HPA',
  minReplicas: 2,
  maxReplicas: 9,
  scaleDownStabilizationSeconds: 0,
  requestsPerSecondPerReplica: null,
};
const BY_REQUESTS = { ...BY_USE, provider: 'KEDA', requestsPerSecondPerReplica: 20 };
const BY_JOBS = { autoscaling: { minReplicas: 1, maxReplicas: 8, waitingJobsPerReplica: 50 } };

const ends: (() => unknown)[] = [];
let cluster: LittleCluster;
let use: PlayedUse;
let webhooks: { log(): string };
let opened: Story[] = [];
let count = 0;

beforeAll(
  async () => {
    await ensureBinaries('keda-admission-webhooks');
    const [own, front] = [temporaryFolder('devshelf-keda-'), temporaryFolder('devshelf-front-proxy-')];
    ends.push(own.remove, front.remove);
    cluster = await startLittleCluster({}, undefined, ['horizontal-pod-autoscaler-controller'], {
      apiServer: await aggregationFlags(front.path),
      controllerManager: [
        '--horizontal-pod-autoscaler-sync-period=1s',
        '--horizontal-pod-autoscaler-cpu-initialization-period=0s',
      ],
    });
    ends.push(() => cluster.stop());
    use = await startPlayedUse(cluster.api, front.path);
    ends.push(() => use.stop());
    await installDefinitions(cluster.api);
    const program = await startWebhooks(cluster.api, await makeCertificates(own.path));
    webhooks = program;
    ends.push(() => program.stop());
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

/** As much as this number of pods is needed for, at 70 of the 100 millicores that each requests. */
const enoughFor = (pods: number): number => (pods - 0.4) * 70;

class Story {
  readonly scene: Scene;
  readonly kind: AppKind;
  /** What kept a child from being made, at any time. */
  readonly refusals = new Set<string>();
  /** Autoscalers of the serving Deployment, at any time. */
  most = 0;
  fewestPods = Number.POSITIVE_INFINITY;
  #watch: NodeJS.Timeout | undefined;

  static async open(kind: AppKind = 'DashboardDeployment'): Promise<Story> {
    count += 1;
    const story = new Story(`keda-webhooks-${count}`, kind);
    opened.push(story);
    await story.scene.shop.open();
    await story.scene.shop.addSecret('queue', { REDIS_URL: 'redis://redis.example:6379' });
    await story.scene.start(undefined, { prometheusUrl: PROMETHEUS });
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
    this.most = Math.max(this.most, (await this.namesOf(HPAS)).length + (await this.namesOf(SCALED)).length);
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
      async () => `${await found()}: ${[...this.refusals].join('\n')}\n${webhooks.log().slice(-1_000)}`,
      MINUTE,
    );
  }

  async has(pods: number): Promise<void> {
    await until(
      async () => {
        const { spec, status } = (await this.shop.deployment()) ?? {};
        return spec?.replicas === pods && status?.readyReplicas === pods;
      },
      async () => `not ${pods} pods: ${JSON.stringify((await this.shop.list(HPAS))[0], null, 1)}`,
      MINUTE,
    );
  }

  async end(): Promise<void> {
    clearInterval(this.#watch);
    await this.scene.stop();
  }
}

test.each<[AppKind, Record<string, unknown>, string[]]>([
  ['DashboardDeployment', {}, ['shop']],
  ['DevShelfDeployment', { worker: BY_JOBS }, ['shop', 'shop-worker']],
])(
  '%s: what is asked for at once with the Deployment that it scales is let in, and never refused',
  async (kind, spec, scaled) => {
    const story = await Story.open(kind);
    await story.install({ autoscaling: BY_REQUESTS, ...spec });
    await story.scales([], scaled);
    expect([...story.refusals]).toEqual([]);
  },
  TEST_MS,
);

test(
  'from the one autoscaler to the other and back: never refused, never two, and the number of pods stays',
  async () => {
    const story = await Story.open();
    use.total(story.shop.namespace, enoughFor(5));
    await story.install({ autoscaling: BY_USE });
    await story.has(5);
    story.fewestPods = Number.POSITIVE_INFINITY;
    await story.shop.patch({ autoscaling: BY_REQUESTS });
    await story.scales([], ['shop']);
    await story.shop.patch({ autoscaling: BY_USE });
    await story.scales(['shop'], []);
    await story.shop.says('AutoscalerActive', 'AutoscalingActive', MINUTE);
    await story.has(5);
    expect([...story.refusals]).toEqual([]);
    expect(story.most).toBe(1);
    expect(story.fewestPods).toBeGreaterThanOrEqual(5);
  },
  TEST_MS,
);

test(
  'somebody else’s is in the way: KEDA’s words are said, the pods stay, and when it is gone nobody has to ask again',
  async () => {
    const story = await Story.open();
    await story.install({ replicas: 3 });
    const path = `/apis/autoscaling/v2/namespaces/${story.shop.namespace}/horizontalpodautoscalers`;
    const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'shop' };
    const spec = { scaleTargetRef, minReplicas: 3, maxReplicas: 3 };
    await cluster.api.request('POST', path, { metadata: { name: 'mine' }, spec });
    await story.shop.patch({ autoscaling: BY_REQUESTS });
    await until(async () => (await story.refused()) !== '', 'it is not refused', MINUTE);
    expect(await story.refused()).toContain("is already managed by the hpa 'mine'");
    expect(await story.namesOf(SCALED)).toEqual([]);
    await story.has(3);
    await cluster.api.request('DELETE', `${path}/mine`);
    await story.scales([], ['shop']);
    await until(async () => (await story.refused()) === '', 'it is still said', MINUTE);
    await story.shop.says('AsExpected');
  },
  TEST_MS,
);
