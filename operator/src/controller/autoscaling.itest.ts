// Kubernetes' own controller of HorizontalPodAutoscalers beside the operator, while releases come and go. A real API server
// with real controllers; pods and what they use are played.
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { get } from '../kube/apply.ts';
import { deployments, horizontalPodAutoscalers } from '../kube/resource.ts';
import { names } from '../objects/names.ts';
import { Departure } from './testing/departure.ts';
import type { LittleCluster } from './testing/little-cluster.ts';
import { type PlayedUse, startScaledCluster, useFor } from './testing/played-use.ts';
import { Scene } from './testing/scene.ts';
import { until } from './testing/shop.ts';

const MINUTE = 60_000;
const TEST_MS = 3 * MINUTE;
const BY_USE = { minReplicas: 2, maxReplicas: 9, scaleDownStabilizationSeconds: 0 };
/** Paced, so that what happens meanwhile can be seen. */
const PACED = { minReadySeconds: 2, bakeSeconds: 0, analysis: { minimumSeconds: 0, minimumRequests: 0 } };

const ends: (() => unknown)[] = [];
let cluster: LittleCluster;
let use: PlayedUse;
let opened: Story[] = [];

beforeAll(async () => {
  const scaled = await startScaledCluster();
  ({ cluster, use } = scaled);
  ends.push(scaled.stop);
}, 5 * MINUTE);

afterEach(async () => {
  use.isSilent = false;
  await Promise.all(opened.map(story => story.end()));
  opened = [];
});

afterAll(async () => {
  for (const end of ends.reverse()) await end();
}, MINUTE);

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
    await story.shop.has(pods, MINUTE);
    await story.scene.shop.says('AutoscalerActive', 'AutoscalingActive', MINUTE);
    await until(() => story.isContent(pods), `the autoscaler is not content with ${pods} pods`, MINUTE);
    return story;
  }

  private constructor(namespace: string) {
    this.scene = new Scene(cluster, namespace);
  }

  get shop() {
    return this.scene.shop;
  }

  needs(pods: number): void {
    use.total(this.shop.namespace, useFor(pods));
  }

  async replicas(name = 'shop'): Promise<number | undefined> {
    const found = await get(cluster.transport, deployments, { namespace: this.shop.namespace, name });
    return found?.spec?.replicas ?? undefined;
  }

  /**
   * Whether the autoscaler has counted that many pods and wants no other number. Before that it may have seen a new pod as
   * one that is not ready yet, and take it away again.
   */
  async isContent(pods: number): Promise<boolean> {
    const where = { namespace: this.shop.namespace, name: 'shop' };
    const found = await get(cluster.transport, horizontalPodAutoscalers, where);
    return found?.status?.currentReplicas === pods && found.status.desiredReplicas === pods;
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
    await story.shop.reaches('Candidate', MINUTE);
    story.watch();
    story.needs(4);
    await story.shop.has(4, MINUTE);
    const candidate = names.candidate('shop');
    expect(await story.replicas(candidate)).toBe(1);
    await story.scene.finds('2', { canary: 'Good' });
    await story.shop.reaches('Promoting', MINUTE);
    // nobody comes any more: pods may go when it is over, and not before
    story.needs(2);
    const isPromoting = async () => (await story.shop.app())?.status?.phase === 'Promoting';
    const seen = new Set<number | undefined>();
    for (let found = await story.replicas(); await isPromoting(); found = await story.replicas()) seen.add(found);
    expect([...seen]).toEqual([4]);
    await story.shop.settles('2', 'AsExpected', MINUTE);
    expect(story.fewest).toBeGreaterThanOrEqual(2);
    await story.shop.has(2, MINUTE);
  },
  TEST_MS,
);

test(
  'a bad candidate goes while the load grows: what serves grows, and is never less than before',
  async () => {
    const story = await Story.open('by-use-bad', 3);
    story.scene.find('2', { canary: 'Pending' });
    await story.shop.release('2');
    await story.shop.reaches('Candidate', MINUTE);
    story.watch();
    story.needs(6);
    await story.scene.finds('2', { canary: 'Bad' });
    await story.shop.settles('1', 'ReleaseRejected', MINUTE);
    await story.shop.has(6, MINUTE);
    expect(story.fewest).toBeGreaterThanOrEqual(3);
  },
  TEST_MS,
);

test(
  'scaled out during a trial that turns out bad: only the candidate goes, while nothing is scaled in',
  async () => {
    const story = await Story.open('by-use-out', 2);
    const departure = new Departure(cluster.transport, story.shop.namespace);
    ends.push(() => departure.stop());
    story.scene.find('2', { canary: 'Pending' });
    await story.shop.release('2');
    await story.shop.reaches('Candidate', MINUTE);
    story.needs(5);
    await story.shop.has(5, MINUTE);
    await until(() => story.isContent(5), 'the autoscaler is not content', MINUTE);
    await departure.begin(6);
    await story.scene.finds('2', { canary: 'Bad' });
    const ms = await departure.outAfterMs();
    console.log(`scaled out, then bad: out of the EndpointSlices ${Math.round(ms)} ms after the decision`);
    await story.shop.settles('1', 'ReleaseRejected', MINUTE);
    expect(ms).toBeGreaterThan(0);
    expect(departure.mostCandidates).toBe(1);
    expect(departure.fewest).toBe(5);
    expect(await story.replicas()).toBe(5);
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
