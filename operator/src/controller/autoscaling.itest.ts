// Kubernetes' own controller of HorizontalPodAutoscalers beside the operator, while releases come and go. A real API server
// with real controllers; pods and what they use are played.
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { type Phase, parseRecord } from '../api/rollout.ts';
import { get } from '../kube/apply.ts';
import { deployments, horizontalPodAutoscalers } from '../kube/resource.ts';
import { ANNOTATIONS, COMPONENTS, LABELS, names } from '../objects/names.ts';
import { Departure } from './testing/departure.ts';
import type { LittleCluster } from './testing/little-cluster.ts';
import { type PlayedUse, startScaledCluster, useFor } from './testing/played-use.ts';
import { Scene } from './testing/scene.ts';
import { image, until } from './testing/shop.ts';

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

  /** All that were wanted while the record of the same Deployment says so: the status tells it later. */
  async replicasWhile(phase: Phase): Promise<readonly (number | undefined)[]> {
    const seen = new Set<number | undefined>();
    for (;;) {
      const live = await this.shop.deployment();
      const record = parseRecord(live?.metadata.annotations?.[ANNOTATIONS.rollout]);
      if (!record || record === 'later' || record.phase !== phase) return [...seen];
      seen.add(live?.spec?.replicas ?? undefined);
    }
  }

  async autoscaler() {
    return get(cluster.transport, horizontalPodAutoscalers, { namespace: this.shop.namespace, name: 'shop' });
  }

  /** Names of the pods that are on trial. */
  async onTrial(): Promise<readonly string[]> {
    const pods = await this.shop.list('pods');
    return pods
      .filter(({ metadata: { labels } }) => labels?.[LABELS.component] === COMPONENTS.candidate)
      .map(({ metadata }) => metadata.name);
  }

  /**
   * Whether the autoscaler has counted that many pods and wants no other number. Before that it may have seen a new pod as
   * one that is not ready yet, and take it away again.
   */
  async isContent(pods: number): Promise<boolean> {
    const found = await this.autoscaler();
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

const isServed = async ({ shop: { namespace } }: Story, pods: number): Promise<boolean> =>
  cluster.kubelet.endpoints(namespace).length === pods;

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
    expect(await story.replicasWhile('Promoting')).toEqual([4]);
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
  'scaled in during a trial: pods that serve go, and the one on trial is the same as before',
  async () => {
    const story = await Story.open('by-use-in', 4);
    story.scene.find('2', { canary: 'Pending' });
    await story.shop.release('2');
    await story.shop.reaches('Candidate', MINUTE);
    await until(() => isServed(story, 5), 'the candidate does not serve', MINUTE);
    const before = await story.onTrial();
    story.needs(2);
    await story.shop.has(2, MINUTE);
    await until(() => story.isContent(2), 'the autoscaler is not content', MINUTE);
    expect(before).toHaveLength(1);
    expect(await story.onTrial()).toEqual(before);
    await story.scene.finds('2', { canary: 'Good' });
    await story.shop.settles('2', 'AsExpected', MINUTE);
  },
  TEST_MS,
);

test(
  'an earlier release comes back: the autoscaler is told to take no pod away until it serves',
  async () => {
    const story = await Story.open('by-use-back', 4);
    const { namespace } = story.shop;
    await story.shop.patch({ rollout: { bakeSeconds: 3_600 } });
    await story.shop.release('2');
    await story.shop.reaches('Baking', MINUTE);
    await until(() => story.isContent(4), 'the autoscaler is not content', MINUTE);
    cluster.kubelet.behave(namespace, image('1'), { serving: 'neverReady' });
    await story.scene.finds('2', { bake: 'Bad' });
    const policy = async () => (await story.autoscaler())?.spec?.behavior?.scaleDown?.selectPolicy;
    await until(async () => (await policy()) === 'Disabled', 'it may take pods away', MINUTE);
    story.needs(2);
    expect(await story.replicas()).toBe(4);
    cluster.kubelet.behave(namespace, image('1'), { serving: 'ready' });
    await story.shop.settles('1', 'ReleaseRejected', MINUTE);
    await until(async () => (await policy()) === 'Max', 'it may take no pod away any more', MINUTE);
    await story.shop.has(2, MINUTE);
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
