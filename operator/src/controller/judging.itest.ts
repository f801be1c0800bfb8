// Real counters, read from real pods' /metrics over HTTP, decide: the whole way from a user's 5xx to the rollback.
// What users ask and what pods answer is played; the statistics, the operator and the controllers are not.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { createEvidence } from './judging.ts';
import { type LittleCluster, startLittleCluster } from './testing/little-cluster.ts';
import { LittlePods } from './testing/little-pods.ts';
import { Scene } from './testing/scene.ts';
import { image, pause, until } from './testing/shop.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built
const TEST_MS = 120_000;
const log = pino({ level: process.env['LOG'] ?? 'silent', base: null });

const pods = new LittlePods();
let cluster: LittleCluster;
let scene: Scene;
let users: Users;
let count = 0;

beforeAll(async () => {
  cluster = await startLittleCluster({}, pods);
}, BUILD_MS);

beforeEach(async () => {
  count += 1;
  pods.databaseIsUp = true;
  pods.metricsAnswer = true;
  pods.fails(image('2'), 0);
  scene = new Scene(cluster, `judged-${count}`);
  await scene.shop.open();
  const transport = await cluster.connect();
  scene.evidence = (world, wake) => createEvidence({ world, wake, transport, access: 'direct', log });
  await scene.start();
  users = new Users(scene.shop.namespace);
});

afterEach(async () => {
  users?.leave();
  await scene?.stop();
});

afterAll(async () => {
  await cluster?.stop();
  await pods.stopAll();
});

/** So many requests a second, spread over the pods as a Service spreads them. */
class Users {
  readonly #namespace: string;
  readonly failures: { at: number; image: string }[] = [];
  requests = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  come(perSecond: number): void {
    this.leave();
    this.#timer = setInterval(() => this.#ask(), 1000 / perSecond);
  }

  leave(): void {
    clearInterval(this.#timer);
  }

  #ask(): void {
    const endpoints = cluster.kubelet.endpoints(this.#namespace);
    const answer = pods.serve(endpoints[Math.floor(Math.random() * endpoints.length)] ?? '');
    if (!answer) return;
    this.requests += 1;
    if (answer.failed) this.failures.push({ at: performance.now(), image: answer.image });
  }
}

const judged = (analysis: Record<string, unknown> = {}, rollout: Record<string, unknown> = {}) => ({
  replicas: 3,
  rollout: {
    minReadySeconds: 0,
    bakeSeconds: 0,
    analysis: { minimumSeconds: 1, minimumRequests: 20, ...analysis },
    ...rollout,
  },
});

test(
  'half of the candidate’s answers are 5xx: taken back within seconds, with a few users harmed',
  async () => {
    const { shop } = scene;
    await scene.settled('1', judged());
    users.come(20);
    pods.fails(image('2'), 0.5);
    await shop.release('2');
    const rejected = await shop.settles('1', 'ReleaseRejected', 60_000);
    const [first, last] = [users.failures[0]?.at ?? 0, users.failures.at(-1)?.at ?? 0];
    console.log(
      `50 % 5xx at 20 requests/s: first to last ${Math.round(last - first)} ms, harmed ${users.failures.length}`,
    );
    expect(rejected.status?.rollout?.rejected).toMatchObject({ reason: 'Regression' });
    expect(rejected.status?.rollout?.rejected?.evidence).toMatch(/\d+ of \d+ requests answered 5xx \(limit 5 %\)/);
    expect(last - first).toBeLessThan(8_000);
    expect(users.failures.length).toBeLessThan(40);
    await pause(1_000);
    expect(users.failures.at(-1)?.at).toBe(last);
  },
  TEST_MS,
);

test(
  'a good release is promoted on what its pods counted, and no request fails',
  async () => {
    const { shop } = scene;
    await scene.settled('1', judged());
    users.come(100);
    await shop.release('2');
    const released = await shop.settles('2', 'AsExpected', 60_000);
    expect(users.failures).toEqual([]);
    expect(released.status?.rollout?.stable?.image).toBe(image('2'));
  },
  TEST_MS,
);

test(
  'one that turns bad while it bakes is taken back; one whose database fails is not',
  async () => {
    const { shop } = scene;
    await scene.settled('1', judged());
    users.come(60);
    await shop.patch({ rollout: { bakeSeconds: 600 } });
    await shop.release('2');
    await until(async () => (await shop.app())?.status?.phase === 'Baking', 'it was not promoted', 60_000);
    pods.databaseIsUp = false;
    await pause(5_000);
    expect((await shop.app())?.status?.phase).toBe('Baking');
    pods.databaseIsUp = true;
    await pause(1_000);
    pods.fails(image('2'), 0.5);
    const back = await shop.settles('1', 'ReleaseRejected', 60_000);
    expect(back.status?.incidents).toMatchObject([{ failedImage: image('2'), restoredImage: image('1') }]);
  },
  TEST_MS,
);

test(
  'an outage that stable and candidate share is nobody’s fault, and nothing is written about it again and again',
  async () => {
    const { shop } = scene;
    await scene.settled('1', judged({ minimumSeconds: 20 }));
    users.come(40);
    await shop.release('2');
    await shop.says('Analysing', 'AnalysisPassed', 60_000);
    pods.databaseIsUp = false;
    await shop.says('DependencyDegraded', 'AnalysisPassed', 60_000);
    await scene.quiet();
    const before = scene.writes.length;
    await pause(4_000);
    expect(scene.writes.slice(before)).toEqual([]);
    pods.databaseIsUp = true;
    await shop.settles('2', 'AsExpected', 90_000);
    expect((await shop.app())?.status?.incidents).toEqual([]);
  },
  TEST_MS,
);

test(
  'nobody comes, then nothing can be read: held, said once, nothing written meanwhile',
  async () => {
    const { shop } = scene;
    await scene.settled('1', judged({ timeoutSeconds: 10, blindAfterSeconds: 3 }));
    users.come(2);
    await shop.release('2');
    await shop.says('InsufficientTraffic', 'AnalysisPassed', 60_000);
    await scene.quiet();
    const before = scene.writes.length;
    await pause(4_000);
    expect(scene.writes.slice(before)).toEqual([]);
    pods.metricsAnswer = false;
    await shop.says('Blind', 'AnalysisPassed', 60_000);
    await scene.quiet();
    const blind = scene.writes.length;
    await pause(4_000);
    expect(scene.writes.slice(blind)).toEqual([]);
  },
  TEST_MS,
);
