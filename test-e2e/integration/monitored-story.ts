// Everything that the dashboards draw, as it is: both services in processes of their own over a real PostgreSQL and
// Redis, one pod of each with a release whose database is away, the worker, the operator on a real API server through
// two releases and the rotation of a key, and Debian's Prometheus that reads them all every second. The operator judges
// what it reads of little servers, which stand for the pods of its own resources.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { operatorGroups } from '../../charts/operator-rules.ts';
import { Controller } from '../../operator/src/controller/controller.ts';
import { createEvidence } from '../../operator/src/controller/judging.ts';
import { createMetrics } from '../../operator/src/controller/metrics.ts';
import { serveHealth } from '../../operator/src/controller/server.ts';
import { KeyedPods } from '../../operator/src/controller/testing/keyed-pods.ts';
import { type LittleCluster, startLittleCluster } from '../../operator/src/controller/testing/little-cluster.ts';
import type { PodHost } from '../../operator/src/controller/testing/little-kubelet.ts';
import { LittlePods } from '../../operator/src/controller/testing/little-pods.ts';
import { image, Shop } from '../../operator/src/controller/testing/shop.ts';
import { loadCluster } from '../../operator/src/kube/config.ts';
import { createTransport } from '../../operator/src/kube/transport.ts';
import type { KubeObject } from '../../operator/src/objects/app.ts';
import { prometheusRule } from '../../operator/src/objects/prometheus-rule.ts';
import { dashboard, devshelf } from '../../operator/src/objects/testing.ts';
import { migrateCli } from '../../services/common/migrate/cli.ts';
import { startPostgres } from '../../services/common/testing/postgres.ts';
import { freePort, stopProcess, until } from '../../services/common/testing/processes.ts';
import { startRedis } from '../../services/common/testing/redis.ts';
import { seed as seedMarket } from '../../services/dashboard/seed.ts';
import { makeTrouble } from './monitored-troubles.ts';
import { startPrometheus, type TestPrometheus } from './prometheus.ts';

const NAMESPACE = 'shop';
/** A resource whose pods want keys, and nothing but its key is replaced. */
const KEYED_NAMESPACE = 'keys';
const MONITORING = join(import.meta.dirname, '../crds/prometheus-operator');
/** Of the dashboard and of DevShelf. */
const PORTS = [8080, 8000];
const USERS_A_SECOND = 25;
const TOKEN = 'dsk_s1_scrape';
const API_KEY = 'dsk_a1_api';
const SERVICES = join(import.meta.dirname, '../../services');
const NOWHERE = 'postgresql://nobody@127.0.0.1:1/none';
const START_MS = 60_000;
/** As users are: a few requests at once, and then none for a moment. */
const PAUSE_MS = 150;

interface Target {
  readonly service: string;
  readonly pod: string;
  readonly port: number;
  readonly release?: string;
}

export interface MonitoredStory {
  readonly prometheus: TestPrometheus;
  /** What the dashboards' variables are for it. */
  readonly namespace: string;
  readonly names: Readonly<Record<'devshelf-api' | 'devshelf-dashboard', string>>;
  /** Users' requests, good and bad, until the signal. */
  traffic(signal: AbortSignal): Promise<void>;
  /** A release that is taken back, and one that stays. */
  releases(): Promise<void>;
  /** What people are called for, besides. */
  trouble(): Promise<void>;
  remove(): Promise<void>;
}

export async function startMonitoredStory(): Promise<MonitoredStory> {
  const ends: (() => unknown)[] = [];
  const remove = async () => {
    for (const end of ends.reverse()) await end();
  };
  try {
    return await tell(ends, remove);
  } catch (error) {
    await remove();
    throw error;
  }
}

async function tell(ends: (() => unknown)[], remove: () => Promise<void>): Promise<MonitoredStory> {
  const pods = new StoryPods();
  const [postgres, redis, cluster] = await Promise.all([
    startPostgres(),
    startRedis(),
    startLittleCluster({}, pods.host),
  ]);
  ends.push(
    () => postgres.remove(),
    () => redis.remove(),
    () => pods.stop(),
    () => cluster.stop(),
  );
  pods.keyed.connect(cluster.transport);
  await cluster.api.installCrds(MONITORING);
  const market = await prepared(await postgres.createDatabase('market'), 'dashboard', 500);
  const shelf = await prepared(await postgres.createDatabase('shelf'), 'devshelf');
  const site = createServer((_request, response) => response.end('<title>a page</title>')).listen(0, '127.0.0.1');
  ends.push(() => site.close());

  const run = async (
    service: string,
    pod: string,
    program: string,
    environment: Record<string, string>,
    release?: string,
  ) => {
    const port = await freePort();
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(SERVICES, program)], {
      env: { HOST: '127.0.0.1', PORT: String(port), LOG_LEVEL: 'silent', SCRAPE_TOKEN: TOKEN, ...environment },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    ends.push(() => stopProcess(child, 'SIGKILL'));
    await isLive(child, port);
    return { service, pod, port, ...(release !== undefined && { release }) };
  };
  const market1 = { DATABASE_URL: market, DASHBOARD_API_KEY: API_KEY, DASHBOARD_RATELIMIT_ENABLED: 'false' };
  const shelf1 = {
    ...{ DATABASE_URL: shelf, REDIS_URL: redis.url, SECRET_KEY: 'a-signing-key-of-at-least-32-bytes' },
    ...{ RATELIMIT_SEARCH_MAX: '20' },
  };
  const targets: Target[] = await Promise.all([
    run('dashboard', 'dashboard-1', 'dashboard/server.ts', market1, '5b0e1'),
    run('dashboard', 'dashboard-candidate', 'dashboard/server.ts', { ...market1, DATABASE_URL: NOWHERE }, '9fd27'),
    run('api', 'api-1', 'devshelf/server.ts', shelf1, '31c8a'),
    run('api', 'api-candidate', 'devshelf/server.ts', { ...shelf1, DATABASE_URL: NOWHERE }, 'c77d0'),
    run('api-worker', 'api-worker-1', 'devshelf/testing-worker.ts', { DATABASE_URL: shelf, REDIS_URL: redis.url }),
  ]);

  const operator = await startOperator(cluster, pods, ends);
  const prometheus = await startPrometheus(
    {
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: ['rules.yml'],
      scrape_configs: [...targets, { service: 'devshelf-operator', pod: 'operator', port: operator.port }].map(scrape),
    },
    rules(),
  );
  ends.push(() => prometheus.remove());
  // what happens before the first scrape is in no rate
  await until(
    'Prometheus reads all of them',
    async () => {
      const { result } = await prometheus.ask<{ result: unknown[] }>('query', { query: 'up == 1' });
      return result.length === targets.length + 1;
    },
    START_MS,
  );
  return {
    prometheus,
    namespace: NAMESPACE,
    names: { 'devshelf-api': 'api', 'devshelf-dashboard': 'dashboard' },
    traffic: signal => drive(targets, `http://127.0.0.1:${(site.address() as AddressInfo).port}/`, signal),
    releases: operator.releases,
    trouble: operator.trouble,
    remove,
  };
}

async function prepared(databaseUrl: string, service: string, movements = 0): Promise<string> {
  const environment = { DATABASE_URL: databaseUrl, MIGRATIONS_DIR: join(SERVICES, service, 'prisma/migrations') };
  const runs = [['up'], ...(movements > 0 ? [['seed', '--movements', String(movements)]] : [])];
  for (const args of runs) {
    const code = await migrateCli({ args, environment, ...(movements > 0 && { seed: seedMarket }) });
    if (code !== 0) throw new Error(`migrate ${args.join(' ')} ended with ${code}`);
  }
  return databaseUrl;
}

const isLive = (child: ChildProcess, port: number): Promise<void> =>
  until(
    `${child.spawnargs.at(-1)} is live`,
    async () => {
      if (child.exitCode !== null) throw new Error(`${child.spawnargs.at(-1)} ended with ${child.exitCode}`);
      return fetch(`http://127.0.0.1:${port}/live`).then(
        ({ ok }) => ok,
        () => false,
      );
    },
    START_MS,
  );

/** As the monitors have it: namespace, service and pod from the target, the release from the pod's label. */
const scrape = ({ service, pod, port, release }: Target) => ({
  job_name: pod,
  authorization: { credentials: TOKEN },
  static_configs: [
    {
      targets: [`127.0.0.1:${port}`],
      labels: { namespace: NAMESPACE, service, pod, ...(release !== undefined && { devshelf_dev_release: release }) },
    },
  ],
});

/** As they are, but for how long an alert waits before it fires. */
function rules(): { groups: object[] } {
  const metadata = (name: string) => ({ metadata: { ...dashboard().metadata, namespace: NAMESPACE, name } });
  type Groups = readonly { readonly rules: readonly object[] }[];
  const groupsOf = (rule: KubeObject | undefined) => (rule?.['spec'] as { groups: Groups } | undefined)?.groups ?? [];
  const monitoring = { objective: { latencySeconds: '0.5' } };
  const resources = [
    prometheusRule({ ...dashboard({ monitoring }), ...metadata('dashboard') }),
    prometheusRule({ ...devshelf({ monitoring }), ...metadata('api') }),
  ];
  const soon = (rule: object) => ('for' in rule ? { ...rule, for: '2s' } : rule);
  const groups: Groups = [...resources.flatMap(groupsOf), ...operatorGroups().groups];
  return { groups: groups.map(group => ({ ...group, interval: '1s', rules: group.rules.map(soon) })) };
}

/** Those of the keyed namespace want a key; users ask the others all the time. */
class StoryPods {
  readonly little = new LittlePods(PORTS);
  readonly keyed = new KeyedPods();
  readonly host: PodHost;
  #users: NodeJS.Timeout | undefined;

  constructor() {
    const { little, keyed } = this;
    this.host = {
      start: pod => (pod.namespace === KEYED_NAMESPACE ? keyed : little).start(pod),
      sync: (uid, keys) => keyed.sync(uid, keys),
      stop: async uid => {
        await little.stop(uid);
        await keyed.stop(uid);
      },
    };
  }

  usersCome({ kubelet }: LittleCluster): void {
    this.#users = setInterval(() => {
      const serving = kubelet.endpoints(NAMESPACE);
      this.little.serve(serving[Math.floor(Math.random() * serving.length)] ?? '');
    }, 1_000 / USERS_A_SECOND);
  }

  async stop(): Promise<void> {
    clearInterval(this.#users);
    await this.little.stopAll();
    await this.keyed.stopAll();
  }
}

/** The operator in this process, over a real API server. */
async function startOperator(cluster: LittleCluster, pods: StoryPods, ends: (() => unknown)[]) {
  pods.little.fails(image('2'), 0.5);
  let controller: Controller | undefined;
  const metrics = createMetrics({
    watchAges: () => controller?.world.watchAges() ?? new Map(),
    isLeader: () => true,
    version: '0.2.0',
  });
  const transport = createTransport(await loadCluster({ kubeconfig: cluster.api.adminKubeconfigPath }), {
    onCall: ({ verb, resource, status, ms }) => {
      metrics.apiCalls.inc({ verb, resource, status: String(status) });
      metrics.apiSeconds.observe({ verb }, ms / 1000);
    },
  });
  const log = pino({ level: process.env['LOG'] ?? 'silent', base: null });
  controller = new Controller({
    transport,
    namespaces: [NAMESPACE, KEYED_NAMESPACE],
    workers: 4,
    evidence: (world, wake) => createEvidence({ world, wake, transport, access: 'direct', log, metrics }),
    recorder: { record: () => undefined },
    metrics,
    log,
    now: Date.now,
    randomBytes,
  });
  const shops = [
    new Shop(cluster, NAMESPACE, 'dashboard', 'DashboardDeployment'),
    new Shop(cluster, NAMESPACE, 'api', 'DevShelfDeployment'),
    new Shop(cluster, KEYED_NAMESPACE),
  ] as const;
  await shops[0].open();
  await shops[2].open();
  await shops[0].addDatabase('redis://cache:6379', 'cache');
  await controller.start();
  ends.push(async () => {
    await controller?.stop();
    await transport.close();
  });
  const rollout = { minReadySeconds: 0, bakeSeconds: 1, analysis: { minimumSeconds: 2, minimumRequests: 20 } };
  await shops[0].create('1', { rollout });
  await shops[1].create('1', { rollout, redis: { urlSecretRef: { name: 'cache', key: 'DATABASE_URL' } } });
  await shops[2].create('1');
  pods.usersCome(cluster);
  await Promise.all(shops.map(shop => shop.settles('1', 'AsExpected', START_MS)));
  const server = await serveHealth(0, { metrics: metrics.pieces, dead: () => undefined, unready: () => undefined });
  ends.push(() => server.close());
  return {
    port: (server.address() as AddressInfo).port,
    releases: async () => {
      const [market, shelf, keyed] = shops;
      await keyed.annotate({ 'devshelf.dev/rotate': 'story', 'devshelf.dev/rotate-mode': 'immediate' });
      await market.release('2');
      await market.says('ReleaseRejected', 'Ready', START_MS);
      await shelf.release('3');
      await shelf.settles('3', 'AsExpected', START_MS);
      await until('the key is replaced', () => isReplaced(keyed), START_MS);
    },
    trouble: () => makeTrouble(cluster, metrics, ends),
  };
}

async function isReplaced(shop: Shop): Promise<boolean> {
  const keys = (await shop.app())?.status?.keys ?? [];
  return keys.some(
    ({ request, state, lastRotationTime }) => request === 'story' && state === 'Idle' && lastRotationTime !== undefined,
  );
}

type Ask = (path: string, init?: RequestInit) => Promise<Response | undefined>;

/** Three of four requests go to the stable pod. */
async function drive(targets: readonly Target[], site: string, signal: AbortSignal): Promise<void> {
  const towards = (service: string): Ask => {
    const pods = targets.filter(target => target.service === service);
    let count = 0;
    return (path, init) => {
      count += 1;
      const pod = pods[count % 4 === 0 ? 1 : 0];
      return fetch(`http://127.0.0.1:${pod?.port}${path}`, { ...init, redirect: 'manual' }).catch(() => undefined);
    };
  };
  const [market, shelf] = [towards('dashboard'), towards('api')];
  const stable = `http://127.0.0.1:${targets.find(({ pod }) => pod === 'api-1')?.port}`;
  let tokens = await registered(stable);
  for (let round = 0; !signal.aborted; round += 1) {
    if (round % 20 === 6) tokens = await refreshed(stable, tokens);
    await Promise.all([askMarket(market, round), askShelf(shelf, round, tokens, site)]);
    await sleep(PAUSE_MS);
  }
}

const MARKET = ['/', '/analytics', '/providers', '/api/summary', '/health', '/no-such-page'];

async function askMarket(ask: Ask, round: number): Promise<void> {
  const asked = MARKET.filter((_path, index) => (round + index) % (index + 1) === 0);
  await Promise.all(asked.map(path => ask(path, { headers: { 'x-api-key': API_KEY } })));
}

const USER = { username: 'somebody', email: 'somebody@example.org', password: 'a-long-enough-pass-phrase' };
const JSON_TYPE = { 'content-type': 'application/json' };
const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' };
const login = (password: string): RequestInit => ({
  method: 'POST',
  headers: FORM_TYPE,
  body: new URLSearchParams({ username: USER.username, password }).toString(),
});

interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
}

async function registered(base: string): Promise<Tokens> {
  const made = await fetch(`${base}/api/v1/auth/register`, {
    method: 'POST',
    headers: JSON_TYPE,
    body: JSON.stringify(USER),
  });
  if (made.status >= 300) throw new Error(`register: ${made.status} ${await made.text()}`);
  const answer = await fetch(`${base}/api/v1/auth/token`, login(USER.password));
  if (!answer.ok) throw new Error(`token: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Tokens;
}

/** A refresh token is good once. */
async function refreshed(base: string, { refresh_token }: Tokens): Promise<Tokens> {
  const body = JSON.stringify({ refresh_token });
  const answer = await fetch(`${base}/api/v1/auth/refresh`, { method: 'POST', headers: JSON_TYPE, body });
  if (!answer.ok) throw new Error(`refresh: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Tokens;
}

async function askShelf(ask: Ask, round: number, { access_token }: Tokens, site: string): Promise<void> {
  const authorized = { ...JSON_TYPE, authorization: `Bearer ${access_token}` };
  await Promise.all([
    ask('/api/v1/resources/'),
    ask('/api/v1/resources/?q=page'),
    ...(round % 3 === 0 ? [ask('/api/v1/auth/sessions', { headers: authorized })] : []),
    ...(round % 5 === 0
      ? [
          ask('/api/v1/resources/', {
            method: 'POST',
            headers: authorized,
            body: JSON.stringify({ title: `page ${round}`, url: `${site}${round}`, type: 'page' }),
          }),
        ]
      : []),
    ...(round % 20 === 1 ? [ask('/api/v1/auth/token', login(USER.password))] : []),
    ...(round % 40 === 2 ? [ask('/api/v1/auth/token', login('not the password'))] : []),
  ]);
}
