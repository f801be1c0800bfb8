// The program itself against a real API server: what leads it through a slow one, and how it ends.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { type ApiServer, startApiServer } from '../../test-e2e/cluster/apiserver.ts';
import { freePorts } from '../../test-e2e/cluster/ports.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built
/** Longer than the lease can go without being renewed. */
const FROZEN_MS = 12_000;

let api: ApiServer;
const started: Operator[] = [];

beforeAll(async () => {
  api = await startApiServer();
  await api.installCrds(join(import.meta.dirname, '../../crds'));
}, BUILD_MS);
afterEach(async () => {
  api.thaw();
  await Promise.all(started.splice(0).map(operator => operator.kill()));
});
afterAll(async () => {
  await api?.stop();
});

class Operator {
  readonly #child: ChildProcess;
  readonly #port: number;
  said = '';

  constructor(namespace: string, name: string, port: number) {
    this.#port = port;
    const main = join(import.meta.dirname, 'main.ts');
    this.#child = spawn(process.execPath, [main, '--metrics-port', String(port), '--watch-namespaces', namespace], {
      env: {
        ...{ PATH: process.env['PATH'], KUBECONFIG: api.adminKubeconfigPath },
        ...{ POD_NAMESPACE: namespace, POD_NAME: name },
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', text => {
        this.said += text;
      });
    }
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async says(words: string): Promise<void> {
    await until(async () => this.said.includes(words), `"${words}" is not said: ${this.said}`);
  }

  async get(path: string): Promise<string> {
    const answer = await fetch(`http://127.0.0.1:${this.#port}${path}`);
    return `${answer.status} ${await answer.text()}`;
  }

  async leads(): Promise<boolean> {
    return (await this.get('/metrics')).includes('\ndevshelf_operator_leader 1\n');
  }

  /** How it ended after SIGTERM, and how long that took. */
  async end(): Promise<{ code: number; ms: number }> {
    const startedAt = performance.now();
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const [code] = await ended;
    return { code, ms: performance.now() - startedAt };
  }

  async kill(): Promise<void> {
    if (!this.isRunning) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}

async function start(namespace: string, name: string): Promise<Operator> {
  const [port = 0] = await freePorts(1);
  const operator = new Operator(namespace, name, port);
  started.push(operator);
  return operator;
}

async function until(holds: () => Promise<boolean>, what: string, ms = 20_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await holds().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await pause(50);
  }
}

const open = (namespace: string) => api.request('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
const holder = async (namespace: string) => {
  const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/devshelf-operator`;
  return ((await api.request('GET', path)) as { spec: { holderIdentity: string } }).spec.holderIdentity;
};
const order = (namespace: string, name: string) =>
  api.request('POST', `/apis/apps.devshelf.dev/v1alpha1/namespaces/${namespace}/dashboarddeployments`, {
    ...{ apiVersion: 'apps.devshelf.dev/v1alpha1', kind: 'DashboardDeployment', metadata: { name } },
    spec: { image: 'example/dashboard:1', database: { urlSecretRef: { name: 'db' } } },
  });
const isLookedAfter = async (namespace: string, name: string): Promise<boolean> => {
  const path = `/apis/apps.devshelf.dev/v1alpha1/namespaces/${namespace}/dashboarddeployments/${name}`;
  return ((await api.request('GET', path)) as { status?: object }).status !== undefined;
};

test('it says its version when asked, in its first line and in its metrics', async () => {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'));
  const main = join(import.meta.dirname, 'main.ts');
  expect(execFileSync(process.execPath, [main, '--version'], { encoding: 'utf8' })).toContain(`operator ${version},`);
  const [port = 0] = await freePorts(1);
  const operator = new Operator('default', 'one', port);
  started.push(operator);
  await operator.says('reconciling');
  const first = JSON.parse(operator.said.split('\n')[0] ?? '');
  expect(first).toMatchObject({ version, msg: 'devshelf-operator starts' });
  expect(await operator.get('/metrics')).toContain(`devshelf_operator_build_info{version="${version}",`);
});

test('a file of sinks that cannot be used is refused at the start, without an address in the words', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sinks-'));
  const file = join(folder, 'sinks.yaml');
  writeFileSync(file, 'cluster: prod\nsinks: [{name: ops, format: teams, url: "http://hooks.example/T000-canary"}]\n');
  const args = [join(import.meta.dirname, 'main.ts'), '--notify-config', file];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  expect(status).toBe(2);
  expect(stderr).toContain(`NOTIFY_CONFIG="${file}": sinks[0].format="teams": write slack, cloudevents or generic`);
  expect(stderr).not.toContain('canary');
});

test('what cannot be a collector is refused at the start', () => {
  const env = { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: 'otel:4318', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' };
  const { status, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, 'main.ts')], {
    encoding: 'utf8',
    env,
  });
  expect(status).toBe(2);
  expect(stderr).toContain('OTEL_EXPORTER_OTLP_ENDPOINT="otel:4318": write the address of a collector');
  expect(stderr).toContain('OTEL_EXPORTER_OTLP_PROTOCOL="grpc"');
});

test('an API server that stands still for longer than the lease, again and again, ends no process', async () => {
  const namespace = 'slow';
  await open(namespace);
  const operator = await start(namespace, 'operator');
  await operator.says('reconciling');
  for (const round of ['first', 'second', 'third']) {
    api.freeze();
    await pause(FROZEN_MS);
    expect([await operator.get('/healthz'), await operator.get('/readyz')]).toEqual(['200 ok\n', '200 ok\n']);
    expect(await operator.leads()).toBe(false);
    api.thaw();
    await order(namespace, round);
    await until(() => isLookedAfter(namespace, round), `${round} is not looked after: ${operator.said}`);
    await until(() => operator.leads(), `it does not say that it leads: ${operator.said}`);
  }
  expect(operator.isRunning).toBe(true);
  expect(await operator.end()).toMatchObject({ code: 0 });
  expect(await holder(namespace)).toBe('');
}, 120_000);

test('one that waits for the lease ends within seconds, and the leader knows nothing of it', async () => {
  const namespace = 'beside';
  await open(namespace);
  await order(namespace, 'shop');
  const leader = await start(namespace, 'leader');
  await leader.says('reconciling');
  const standby = await start(namespace, 'standby');
  await standby.says('waiting for the lease');
  await until(async () => (await standby.get('/readyz')).startsWith('200'), 'its stores are not filled');
  expect(await standby.leads()).toBe(false);
  const { code, ms } = await standby.end();
  expect(code).toBe(0);
  expect(ms).toBeLessThan(12_000);
  expect(await holder(namespace)).toBe('leader');
  expect(await leader.end()).toMatchObject({ code: 0 });
}, 60_000);
