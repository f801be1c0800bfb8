// Kubernetes' own controller of HorizontalPodAutoscalers beside the operator, while releases come and go. A real API server
// with real controllers; pods and what they use are played.
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { temporaryFolder } from '../../../services/common/testing/processes.ts';
import { aggregationFlags } from '../../../test-e2e/cluster/aggregation.ts';
import { get } from '../kube/apply.ts';
import { deployments } from '../kube/resource.ts';
import { names } from '../objects/names.ts';
import { type LittleCluster, startLittleCluster } from './testing/little-cluster.ts';
import { type PlayedUse, startPlayedUse } from './testing/played-use.ts';
import { Scene } from './testing/scene.ts';
import { until } from './testing/shop.ts';

const MINUTE = 60_000;
const TEST_MS = 3 * MINUTE;
const HPAS = 'autoscaling/v2/horizontalpodautoscalers';
const BY_USE = { minReplicas: 2, maxReplicas: 9, scaleDownStabilizationSeconds: 0 };
/** Paced, so that what happens meanwhile can be seen. */
const PACED = { minReadySeconds: 2, bakeSeconds: 0, analysis: { minimumSeconds: 0, minimumRequests: 0 } };

const ends: (() => unknown)[] = [];
let cluster: LittleCluster;
let use: PlayedUse;
let opened: Story[] = [];

beforeAll(async () => {
  const folder = temporaryFolder('devshelf-front-proxy-');
  ends.push(folder.remove);
  cluster = await startLittleCluster({}, undefined, ['horizontal-pod-autoscaler-controller'], {
    apiServer: await aggregationFlags(folder.path),
    controllerManager: [
      '--horizontal-pod-autoscaler-sync-period=1s',
      '--horizontal-pod-autoscaler-cpu-initialization-period=0s',
    ],
  });
  ends.push(() => cluster.stop());
  use = await startPlayedUse(cluster.api, folder.path);
  ends.push(() => use.stop());
}, 5 * MINUTE);

afterEach(async () => {
  use.isSilent = false;
  await Promise.all(opened.map(story => story.end()));
  opened = [];
});

afterAll(async () => {
  for (const end of ends.reverse()) await end();
}, MINUTE);

/** As much as this number of pods is needed for, at 70 of the 100 millicores that each requests: not more, not less. */
const enoughFor = (pods: number): number => (pods - 0.4) * 70;

class Story {
  readonly scene: Scene;
  #watch: NodeJS.Timeout | undefined;
  #fewest = Number.POSITIVE_INFINITY;

  static async open(namespace: string, pods: number): Promise<Story> {
    const story = new Story(namespace);
    opened.push(story);
    await story.scene.shop.open();
    await story.scene.start();
    story.needs(pods);
    const resources = { requests: { cpu: '100m', memory: '64Mi' } };
    await story.scene.shop.create('1', { autoscaling: BY_USE, rollout: PACED, resources });
    await story.scene.shop.settles('1', 'AsExpected', MINUTE);
    await story.has(pods);
    await story.scene.shop.says('AutoscalerActive', 'AutoscalingActive', MINUTE);
    return story;
  }

  private constructor(namespace: string) {
    this.scene = new Scene(cluster, namespace);
  }

  get shop() {
    return this.scene.shop;
  }

  needs(pods: number): void {
    use.total(this.shop.namespace, enoughFor(pods));
  }

  async replicas(name = 'shop'): Promise<number | undefined> {
    const found = await get(cluster.transport, deployments, { namespace: this.shop.namespace, name });
    return found?.spec?.replicas ?? undefined;
  }

  /** Wanted, and serving. */
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

  async reaches(phase: string): Promise<void> {
    const status = async () => (await this.shop.app())?.status;
    await until(
      async () => (await status())?.phase === phase,
      async () => `not ${phase}: ${JSON.stringify(await status(), null, 1)}`,
      MINUTE,
    );
  }

  /** From now on: the fewest pods that requests went to at any time. */
  watch(): void {
    this.#fewest = Number.POSITIVE_INFINITY;
    this.#watch = setInterval(() => {
      this.#fewest = Math.min(this.#fewest, cluster.kubelet.endpoints(this.shop.namespace).length);
    }, 20);
  }

  get fewest(): number {
    return this.#fewest;
  }

  async finds(version: string, findings: Parameters<Scene['find']>[1]): Promise<void> {
    this.scene.find(version, findings);
    await this.scene.nudge();
  }

  async end(): Promise<void> {
    clearInterval(this.#watch);
    await this.scene.stop();
  }
}

test(
  'load during a trial is met by pods that serve; the candidate stays as it is, and the promotion takes no pod away',
  async () => {
    const story = await Story.open('by-use-good', 2);
    story.scene.find('2', { canary: 'Pending' });
    await story.shop.release('2');
    await story.reaches('Candidate');
    story.watch();
    story.needs(4);
    await story.has(4);
    const candidate = names.candidate('shop');
    expect(await story.replicas(candidate)).toBe(1);
    await story.finds('2', { canary: 'Good' });
    await story.reaches('Promoting');
    // nobody comes any more: pods may go when it is over, and not before
    story.needs(2);
    const isPromoting = async () => (await story.shop.app())?.status?.phase === 'Promoting';
    const seen = new Set<number | undefined>();
    for (let found = await story.replicas(); await isPromoting(); found = await story.replicas()) seen.add(found);
    expect([...seen]).toEqual([4]);
    await story.shop.settles('2', 'AsExpected', MINUTE);
    expect(story.fewest).toBeGreaterThanOrEqual(2);
    await story.has(2);
  },
  TEST_MS,
);

test(
  'a bad candidate goes while the load grows: what serves grows, and is never less than before',
  async () => {
    const story = await Story.open('by-use-bad', 3);
    story.scene.find('2', { canary: 'Pending' });
    await story.shop.release('2');
    await story.reaches('Candidate');
    story.watch();
    story.needs(6);
    await story.finds('2', { canary: 'Bad' });
    await story.shop.settles('1', 'ReleaseRejected', MINUTE);
    await story.has(6);
    expect(story.fewest).toBeGreaterThanOrEqual(3);
  },
  TEST_MS,
);

test(
  'nobody knows what pods use: it is said, and they stay',
  async () => {
    const story = await Story.open('by-use-silent', 4);
    story.watch();
    use.isSilent = true;
    story.needs(2);
    await story.shop.says('AutoscalerNotReady', 'AutoscalingActive', MINUTE);
    expect((await story.shop.app())?.status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
    expect(await story.replicas()).toBe(4);
    story.needs(4);
    use.isSilent = false;
    await story.shop.says('AutoscalerActive', 'AutoscalingActive', MINUTE);
    expect(story.fewest).toBeGreaterThanOrEqual(4);
  },
  TEST_MS,
);
