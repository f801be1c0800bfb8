// Real counters, read from real pods' /metrics over HTTP, decide: the whole way from a user's 5xx to the rollback.
// What users ask and what pods answer is played; the statistics, the operator and the controllers are not.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { IncidentRecord } from '../api/incident.ts';
import type { KubeObject } from '../kube/resource.ts';
import { createEvidence } from './judging.ts';
import { type LittleCluster, startLittleCluster } from './testing/little-cluster.ts';
import { LittlePods } from './testing/little-pods.ts';
import { Scene } from './testing/scene.ts';
import { image, pause, until } from './testing/shop.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built
const TEST_MS = 120_000;
const lines: string[] = [];
const log = pino({ level: 'debug', base: null }, { write: line => lines.push(line) });

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
  pods.metricsDelayMs = 0;
  pods.metricsPadding = 0;
  pods.recent = undefined;
  pods.rehearsed.length = 0;
  pods.missing.clear();
  pods.sheds.clear();
  pods.names.clear();
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

const CANARY = 'canary-4711';
const RECENT = ['summary', 'providers'].map(name => ({
  route: `/api/${name}`,
  url: `/api/${name}?customer=${CANARY}`,
}));

/** Everything about the resource that somebody may read who may not read Secrets, and the operator's log. */
async function everythingTold(): Promise<string> {
  const { shop } = scene;
  const kinds = ['events', 'apps/v1/controllerrevisions', 'apps/v1/deployments', 'pods'];
  const listed = await Promise.all(kinds.map(kind => shop.list(kind)));
  return [JSON.stringify([await shop.app(), ...listed]), ...lines].join('\n');
}

test(
  'what users asked of late is asked of a bad release first: rejected, and no user met it',
  async () => {
    const { shop } = scene;
    pods.recent = RECENT;
    await scene.settled('1', judged());
    users.come(20);
    pods.fails(image('2'), 0.5);
    await shop.release('2');
    const app = await shop.settles('1', 'ReleaseRejected', 60_000);
    expect(users.failures).toEqual([]);
    expect(app.status?.rollout?.rejected).toMatchObject({ reason: 'RehearsalFailed' });
    expect(app.status?.rollout?.rejected?.evidence).toMatch(
      /\d+ of \d+ replayed requests answered 5xx, the stable pod 0 of \d+: GET \/api\/\w+ \d+ of \d+/,
    );
    const told = await everythingTold();
    expect(told).toContain('/api/summary');
    expect(told).not.toContain(CANARY);
    // both pods were asked the same, as users ask, with the key that callers hold
    const [first] = pods.rehearsed;
    expect(new Set(pods.rehearsed.map(one => one.image))).toEqual(new Set([image('1'), image('2')]));
    expect(first?.headers['x-api-key']).toMatch(/^dsk_/);
    expect(first?.headers['x-scrape-token']).toMatch(/^dsk_/);
    expect(told).not.toContain(first?.headers['x-api-key']);
    const [rejected] = (await shop.list('apps/v1/controllerrevisions')).flatMap(({ metadata }) => {
      const verdict = metadata.annotations?.['devshelf.dev/verdict'] ?? '';
      return verdict.includes('"rejected"') ? [verdict] : [];
    });
    expect(JSON.parse(rejected ?? '{}').evidence).toMatchObject({
      baseline: { errors: 0 },
      routes: expect.arrayContaining([expect.objectContaining({ route: '/api/summary' })]),
    });
    expect(Buffer.byteLength(rejected ?? '')).toBeLessThan(2_048);
  },
  TEST_MS,
);

test(
  'an answer of another kind is told, and rejects where that is asked for; both failing waits',
  async () => {
    const { shop } = scene;
    pods.recent = RECENT;
    await scene.settled('1', judged());
    users.come(40);
    pods.missing.set(image('2'), '/api/providers');
    await shop.release('2');
    await shop.settles('2', 'AsExpected', 60_000);
    expect(await everythingTold()).toContain('answers differ: GET /api/providers 200 → 404');

    pods.missing.clear();
    pods.missing.set(image('3'), '/api/providers');
    await shop.patch({ image: image('3'), rollout: { rehearsal: { onDifference: 'Reject' } } });
    const app = await shop.settles('2', 'ReleaseRejected', 60_000);
    expect(app.status?.rollout?.rejected).toMatchObject({
      reason: 'RehearsalFailed',
      evidence: expect.stringContaining('answers differ: GET /api/providers 200 → 404'),
    });

    pods.databaseIsUp = false;
    await shop.patch({ image: image('4'), rollout: { rehearsal: { onDifference: 'Report' } } });
    await shop.says('DependencyDegraded', 'AnalysisPassed', 60_000);
    pods.databaseIsUp = true;
    await shop.settles('4', 'AsExpected', 60_000);
    expect(await everythingTold()).not.toContain(CANARY);
  },
  TEST_MS,
);

test(
  'an image that answers to its public names only is asked by one that both releases know',
  async () => {
    const { shop } = scene;
    const exposure = (hosts: readonly string[]) => ({ type: 'Ingress', hosts, ingress: { className: 'nobody' } });
    const known = [['shop.example'], ['new.example', 'shop.example'], ['new.example']] as const;
    for (const [index, hosts] of known.entries()) pods.names.set(image(String(index + 1)), hosts);
    pods.recent = RECENT;
    await scene.settled('1', { ...judged({}, { smokeTests: [{ path: '/' }] }), exposure: exposure(known[0]) });
    users.come(40);
    for (const [version, hosts, asked] of [
      ['2', known[1], 'shop.example'],
      ['3', known[2], 'new.example'],
    ] as const) {
      pods.rehearsed.length = 0;
      await shop.patch({ image: image(version), exposure: exposure(hosts) });
      await shop.settles(version, 'AsExpected', 60_000);
      expect(new Set(pods.rehearsed.map(one => one.image)).size).toBe(2);
      expect(new Set(pods.rehearsed.map(one => one.headers.host))).toEqual(new Set([asked]));
    }
    expect(await everythingTold()).not.toContain('answers differ');
  },
  TEST_MS,
);

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
    const verdicts = (await shop.list('apps/v1/controllerrevisions')).map(
      ({ metadata }) => JSON.parse(metadata.annotations?.['devshelf.dev/verdict'] ?? '{}').evidence,
    );
    const [kept] = verdicts.filter(one => one !== undefined);
    expect(kept.absolute).toBeGreaterThanOrEqual(1_000);
    expect(kept.routes).toEqual([{ route: '/api/summary', ...kept.candidate }]);
    expect(last - first).toBeLessThan(20_000);
    expect(users.failures.length).toBeLessThan(150);
    await pause(1_000);
    expect(users.failures.at(-1)?.at).toBe(last);
  },
  TEST_MS,
);

test(
  'turned away by the candidate alone it is taken back; by all pods nobody is blamed',
  async () => {
    const { shop } = scene;
    await scene.settled('1', judged());
    users.come(40);
    pods.sheds.set(image('2'), 0.8);
    await shop.release('2');
    const rejected = await shop.settles('1', 'ReleaseRejected', 60_000);
    expect(rejected.status?.rollout?.rejected).toMatchObject({
      reason: 'OverloadRegression',
      evidence: expect.stringMatching(
        /of these for overload \d+, of the pods beside it 0; a pod of it served [\d.]+\/s/,
      ),
    });
    expect(rejected.status?.analysis?.candidate?.shed).toBeGreaterThan(0);

    pods.sheds.set(image('1'), 0.5);
    pods.sheds.set(image('3'), 0.5);
    await shop.release('3');
    await shop.says('Overloaded', 'AnalysisPassed', 60_000);
    const held = await shop.app();
    expect(held?.status?.analysis).toMatchObject({ verdict: 'Overloaded', baseline: { shed: expect.any(Number) } });
    expect(held?.status?.incidents).toHaveLength(1);
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
    const notes = async () => {
      const byNumber = ((await shop.revisions()) as (KubeObject & { revision: number })[]).toSorted(
        (a, b) => a.revision - b.revision,
      );
      const [first, second] = byNumber.map(({ metadata: { annotations = {} } }) => annotations);
      const served = JSON.parse(first?.['devshelf.dev/served'] ?? '{}');
      return served.to === undefined ? undefined : { served, second };
    };
    const { served, second } = await until(notes, 'it is not written down until when the first one served');
    expect(JSON.parse(second?.['devshelf.dev/served'] ?? '{}')).toEqual({ from: served.to });
    expect(JSON.parse(second?.['devshelf.dev/trial'] ?? '{}')).toMatchObject({
      ...{ verdict: 'Good', candidate: { errors: 0, pods: 1 }, baseline: { errors: 0, pods: 3 } },
    });
  },
  TEST_MS,
);

test(
  'pods whose metrics take 0.9 s pass the rehearsal, and are judged later, too',
  async () => {
    const { shop } = scene;
    await scene.settled('1', judged());
    users.come(20);
    pods.metricsDelayMs = 900;
    pods.fails(image('2'), 1);
    await shop.release('2');
    const rejected = await shop.settles('1', 'ReleaseRejected', 60_000);
    expect(rejected.status?.rollout?.rejected).toMatchObject({ reason: 'Regression' });
  },
  TEST_MS,
);

test(
  'metrics that are far too long are not read, and the reason is said',
  async () => {
    const { shop } = scene;
    await scene.settled('1', judged({ blindAfterSeconds: 3 }));
    users.come(20);
    await shop.release('2');
    await shop.says('Analysing', 'AnalysisPassed', 60_000);
    pods.metricsPadding = 4 * 1024 * 1024;
    const blind = await shop.says('Blind', 'AnalysisPassed', 60_000);
    expect(JSON.stringify(blind)).toContain('MetricsTooLarge: the metrics are longer than 256 KiB');
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
    const [record] = await incidents();
    // between 25 and 50 ms as all of its answers, of which those before the bake are not counted
    expect(record?.figures?.candidate.p95Ms).toBe(48.75);
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

const incidents = async (): Promise<IncidentRecord[]> => {
  const objects = (await scene.shop.incidents()) as unknown as { data: { incident: IncidentRecord } }[];
  return objects.map(({ data }) => data.incident);
};
const isHeldWritten = async (): Promise<boolean> => (await incidents()).some(({ kind }) => kind === 'held');

test(
  'a person promotes what is held, holds and rejects the next one, and then the one that is long stable',
  async () => {
    const { shop } = scene;
    await scene.settled('1', judged({ timeoutSeconds: 10 }));
    const hashOf = async (place: 'candidate' | 'stable') => (await shop.app())?.status?.rollout?.[place]?.hash ?? '';
    const ask = async (gate: string, hash: string) =>
      shop.annotate({ [`devshelf.dev/${gate}`]: `${hash} now by hand` });
    const answerTo = async (gate: string) => (await shop.app())?.status?.requests?.find(({ name }) => name === gate);

    await shop.release('2');
    await shop.says('InsufficientTraffic', 'Stalled', 60_000);
    await until(isHeldWritten, 'no record of what is held', 20_000);
    await ask('promote', await hashOf('stable'));
    await until(async () => (await answerTo('promote'))?.result === 'Refused', 'no answer', 20_000);
    expect((await shop.app())?.status?.stage?.name).toBe('Analysis');
    const second = await hashOf('candidate');
    await ask('promote', second);
    await shop.settles('2', 'AsExpected', 60_000);
    expect(await answerTo('promote')).toMatchObject({ result: 'Done', request: `${second} now by hand` });

    await shop.release('3');
    await shop.says('Analysing', 'AnalysisPassed', 60_000);
    const third = await hashOf('candidate');
    await ask('hold', third);
    await shop.says('Held', 'Stalled', 60_000);
    await ask('reject', third);
    await shop.settles('2', 'ReleaseRejected', 60_000);
    await ask('reject', second);
    await shop.settles('1', 'ReleaseRejected', 60_000);
    await scene.quiet();
    const byTime = (await incidents()).sort((a, b) => (a.at < b.at ? -1 : 1));
    expect(byTime[0]).toMatchObject({ kind: 'held', reason: 'InsufficientTraffic', failed: { hash: second } });
    expect(byTime.filter(({ kind }) => !kind)).toMatchObject([
      {
        ...{ reason: 'RejectedByHand', phase: 'Candidate', failed: { hash: third }, restored: { hash: second } },
        decidedBy: { who: 'person', by: expect.any(String), text: `${third} now by hand` },
      },
      {
        ...{ reason: 'RejectedByHand', phase: 'Settled', failed: { hash: second }, restored: { image: image('1') } },
        decidedBy: { who: 'person', text: `${second} now by hand` },
      },
    ]);
    // the annotations stay, and do nothing more
    const before = scene.writes.length;
    await pause(2_000);
    expect(scene.writes.slice(before)).toEqual([]);
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
    await until(isHeldWritten, 'no record of what is held', 20_000);
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
