// KEDA with its API server of metrics beside the operator: what a real Prometheus knows of requests, and of jobs that wait,
// comes by the aggregated API to Kubernetes' controller of HorizontalPodAutoscalers, and that scales. Pods are played, and
// what Prometheus reads of them.
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { AppKind } from '../../operator/src/api/resource.ts';
import type { LittleCluster } from '../../operator/src/controller/testing/little-cluster.ts';
import { startScaledCluster } from '../../operator/src/controller/testing/played-use.ts';
import { Scene } from '../../operator/src/controller/testing/scene.ts';
import { QUICK, type Shop, until } from '../../operator/src/controller/testing/shop.ts';
import type { KubeObject } from '../../operator/src/kube/resource.ts';
import { names } from '../../operator/src/objects/names.ts';
import { temporaryFolder } from '../../services/common/testing/processes.ts';
import { ensureBinaries } from '../cluster/binaries.ts';
import { startPrometheus, type TestPrometheus } from '../integration/prometheus.ts';
import {
  installDefinitions,
  type KedaOperator,
  makeCertificates,
  metricOf,
  prepareOperator,
  startMetrics,
} from './keda.ts';
import { PlayedFigures } from './played-figures.ts';
import type { Program } from './program.ts';

const MINUTE = 60_000;
const TEST_MS = 8 * MINUTE;
const HPAS = 'autoscaling/v2/horizontalpodautoscalers';
const SCALED = 'keda.sh/v1alpha1/scaledobjects';
const DEPLOYMENTS = 'apps/v1/deployments';
const PER_REPLICA = 20;
const BY_REQUESTS = {
  provider: 'KEDA',
  minReplicas: 2,
  maxReplicas: 9,
  requestsPerSecondPerReplica: PER_REPLICA,
  /** Short, and longer than the second between two windows of `PlayedFigures`. */
  scaleDownStabilizationSeconds: 15,
};
const BY_JOBS = { autoscaling: { minReplicas: 1, maxReplicas: 8, waitingJobsPerReplica: 50 } };
/** Paced, so that what happens meanwhile can be seen. */
const PACED = { ...QUICK, minReadySeconds: 2 };

const ends: (() => unknown)[] = [];
let cluster: LittleCluster;
let prometheus: TestPrometheus;
let figures: PlayedFigures;
let keda: KedaOperator;
let metrics: Program;
let opened: Story[] = [];
let count = 0;

beforeAll(
  async () => {
    await ensureBinaries('keda-operator', 'keda-metrics-apiserver');
    const own = temporaryFolder('devshelf-keda-');
    const scaled = await startScaledCluster();
    ends.push(own.remove, scaled.stop);
    ({ cluster } = scaled);
    figures = new PlayedFigures();
    const targets = [await figures.listen()];
    ends.push(() => figures.end());
    prometheus = await startPrometheus(
      {
        global: { scrape_interval: '1s' },
        scrape_configs: [{ job_name: 'pods', honor_labels: true, static_configs: [{ targets }] }],
      },
      {},
    );
    ends.push(() => prometheus.remove());
    await installDefinitions(cluster.api);
    const certificates = await makeCertificates(own.path);
    keda = await prepareOperator(cluster.api, certificates);
    ends.push(() => keda.stop());
    await keda.start();
    metrics = await startMetrics(cluster.api, certificates, keda);
    ends.push(() => metrics.stop());
  },
  90 * MINUTE, // the first time they are built
);

afterEach(async () => {
  prometheus.thaw();
  await Promise.all(opened.map(story => story.end()));
  opened = [];
});

afterAll(async () => {
  for (const end of ends.reverse()) await end();
}, MINUTE);

/** So many requests a second that this number of pods is needed, and neither one more nor one less. */
const enoughFor = (pods: number): number => (pods - 0.4) * PER_REPLICA;

type Live = KubeObject & {
  readonly spec: { readonly replicas?: number };
  readonly status?: { readonly readyReplicas?: number };
};

class Story {
  readonly scene: Scene;
  /** That requests went to at any time. */
  fewestPods = Number.POSITIVE_INFINITY;
  readonly #watch: NodeJS.Timeout;

  /** Installed, and scaled by KEDA; nobody asks for anything yet. */
  static async open(kind: AppKind, spec: Record<string, unknown> = {}): Promise<Story> {
    count += 1;
    const story = new Story(`requests-${count}`, kind);
    opened.push(story);
    await story.shop.open();
    await story.shop.addSecret('queue', { REDIS_URL: 'redis://redis.example:6379' });
    await story.scene.start(undefined, { prometheusUrl: prometheus.url });
    story.asks(0);
    story.waits(0);
    const resources = { requests: { cpu: '100m', memory: '64Mi' } };
    await story.shop.create('1', { resources, autoscaling: BY_REQUESTS, ...spec });
    await story.shop.settles('1', 'AsExpected', MINUTE);
    await story.says('AutoscalerActive');
    await story.has(2);
    story.fewestPods = Number.POSITIVE_INFINITY;
    return story;
  }

  private constructor(namespace: string, kind: AppKind) {
    this.scene = new Scene(cluster, namespace, kind);
    this.#watch = setInterval(() => {
      this.fewestPods = Math.min(this.fewestPods, cluster.kubelet.endpoints(namespace).length);
    }, 20);
  }

  get shop(): Shop {
    return this.scene.shop;
  }

  asks(perSecond: number): void {
    figures.asks(this.shop.namespace, 'shop', perSecond);
  }

  /** Undefined: no worker tells. */
  waits(jobs: number | undefined): void {
    figures.waits(this.shop.namespace, 'shop-worker', jobs);
  }

  says(reason: string) {
    return this.shop.says(reason, 'AutoscalingActive', 3 * MINUTE);
  }

  async find(name: string): Promise<Live | undefined> {
    return (await this.shop.list(DEPLOYMENTS)).find(({ metadata }) => metadata.name === name) as Live | undefined;
  }

  async replicas(name = 'shop'): Promise<number | undefined> {
    return (await this.find(name))?.spec.replicas;
  }

  /** Wanted, and there. */
  async has(pods: number, name = 'shop'): Promise<void> {
    await until(
      async () => {
        const found = await this.find(name);
        return found?.spec.replicas === pods && found.status?.readyReplicas === pods;
      },
      async () => `${name} has ${await this.replicas(name)} pods and not ${pods}: ${await this.#words()}`,
      4 * MINUTE,
    );
  }

  async end(): Promise<void> {
    clearInterval(this.#watch);
    figures.forget(this.shop.namespace);
    await this.scene.stop();
  }

  /** What the autoscalers say, and KEDA. */
  async #words(): Promise<string> {
    const found = (await Promise.all([HPAS, SCALED].map(of => this.shop.list(of)))).flat();
    return [JSON.stringify(found, null, 1), ...[keda, metrics].map(program => program.log().slice(-2_000))].join('\n');
  }
}

test(
  'more requests during a trial: what serves grows, the candidate stays as it is, and no pod goes when it is promoted',
  async () => {
    const story = await Story.open('DashboardDeployment', { rollout: PACED });
    story.scene.find('2', { canary: 'Pending' });
    await story.shop.release('2');
    await story.shop.reaches('Candidate', MINUTE);
    const candidate = names.candidate('shop');
    await story.has(1, candidate);
    story.asks(enoughFor(4));
    await story.has(4);
    expect(await story.replicas(candidate)).toBe(1);
    story.fewestPods = Number.POSITIVE_INFINITY;
    await story.scene.finds('2', { canary: 'Good' });
    await story.shop.settles('2', 'AsExpected', MINUTE);
    await story.has(4);
    expect(story.fewestPods).toBeGreaterThanOrEqual(4);
  },
  TEST_MS,
);

test(
  'Prometheus stands still: it is said and no pod goes; when it answers again, more requests are more pods again',
  async () => {
    const story = await Story.open('DashboardDeployment');
    story.asks(enoughFor(4));
    await story.has(4);
    story.fewestPods = Number.POSITIVE_INFINITY;
    prometheus.freeze();
    await story.says('AutoscalerFallback');
    expect(await story.replicas()).toBe(4);
    prometheus.thaw();
    await story.says('AutoscalerActive');
    expect(await story.replicas()).toBe(4);
    story.asks(enoughFor(6));
    await story.has(6);
    expect(story.fewestPods).toBeGreaterThanOrEqual(4);
  },
  TEST_MS,
);

test(
  'requests are pods and jobs that wait are workers; a queue that nobody tells of is no empty one; without requests pods go',
  async () => {
    const redis = { urlSecretRef: { name: 'queue', key: 'REDIS_URL' } };
    const story = await Story.open('DevShelfDeployment', { redis, worker: BY_JOBS });
    story.asks(enoughFor(4));
    story.waits(170);
    await story.has(4);
    await story.has(4, 'shop-worker');
    expect(await metricOf(cluster.api, story.shop.namespace, 'shop-worker')).toEqual(['170']);
    story.asks(0);
    story.waits(undefined);
    await story.says('AutoscalerFallback');
    expect(await story.replicas('shop-worker')).toBe(4);
    story.waits(170);
    await story.says('AutoscalerActive');
    expect(await story.replicas('shop-worker')).toBe(4);
    await story.has(2);
    expect(story.fewestPods).toBeGreaterThanOrEqual(2);
  },
  TEST_MS,
);

test(
  'nobody answers the API server of metrics: it is said, no pod goes, and with KEDA’s operator all is as before',
  async () => {
    const story = await Story.open('DashboardDeployment');
    story.asks(enoughFor(4));
    await story.has(4);
    story.fewestPods = Number.POSITIVE_INFINITY;
    await keda.stop();
    try {
      await story.says('AutoscalerNotReady');
      expect(await story.replicas()).toBe(4);
    } finally {
      await keda.start();
    }
    await story.says('AutoscalerActive');
    expect(await story.replicas()).toBe(4);
    expect(story.fewestPods).toBeGreaterThanOrEqual(4);
  },
  TEST_MS,
);
