// What scenarios take for granted: pods run, Services resolve, Jobs report, figures arrive, two clusters live together.
import { execFile } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { forwardToLoopback, insideNode, kubectl, loadImages, pausePod, resumePod, up } from './cluster.ts';
import { baseImage, buildOverlay, type Image, storeImage } from './images.ts';
import { clusterNamed } from './names.ts';
import { runningPid, strayPids } from './processes.ts';
import { sleep } from './run.ts';
import { leftovers } from './teardown.ts';

const MINUTE = 60_000;
const BUILD_MS = 20 * MINUTE; // the first time everything is built
const namespace = `cluster-${Date.now().toString(36)}`;
const apply = (...items: object[]): Promise<string> =>
  kubectl(['apply', '-n', namespace, '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
const ours = (...args: string[]): Promise<string> => kubectl(['-n', namespace, ...args]);

const SERVER = `#!/usr/local/bin/node
require('node:http').createServer((request, response) => {
  if (request.url === '/work') for (const end = Date.now() + 100; Date.now() < end; );
  response.end(process.env.HOSTNAME);
}).listen(8000);
`;

const RESTRICTED = {
  readOnlyRootFilesystem: true,
  allowPrivilegeEscalation: false,
  runAsNonRoot: true,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};

type Container = Record<string, unknown> & { image: string };

const pod = (container: Container, spec: object = {}) => ({
  terminationGracePeriodSeconds: 0,
  containers: [{ name: 'main', imagePullPolicy: 'Never', securityContext: RESTRICTED, ...container }],
  ...spec,
});

const answersHttp = { httpGet: { path: '/', port: 8000 }, periodSeconds: 1 };

const deployment = (name: string, replicas: number, container: Container, spec: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: pod(container, spec) },
  },
});

const service = (name: string, port: number, targetPort: number) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: { app: name }, ports: [{ port, targetPort }] },
});

/** Runs a program in a pod to its end and returns its termination message. */
const answerOf = async (name: string, container: Container): Promise<string> => {
  const spec = { backoffLimit: 0, template: { spec: pod(container, { restartPolicy: 'Never' }) } };
  await apply({ apiVersion: 'batch/v1', kind: 'Job', metadata: { name }, spec });
  await ours('wait', '--for=condition=Complete', '--timeout=60s', `job/${name}`);
  const message = 'jsonpath={.items[0].status.containerStatuses[0].state.terminated.message}';
  return ours('get', 'pods', '-l', `job-name=${name}`, '-o', message);
};

const script = (code: string): string[] => [
  'node',
  '-e',
  `const say = text => require('fs').writeFileSync('/dev/termination-log', text); ${code}`,
];

const eventually = async <T>(withinMs: number, read: () => Promise<T>, wanted: (value: T) => boolean): Promise<T> => {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const value = await read().catch(error => error as T);
    if (wanted(value) || Date.now() > deadline) return value;
    await sleep(500);
  }
};

// kube-proxy collects changes for a second, so a Service may refuse connections although its pods are Ready
const PROGRAMMED_MS = 15_000;
const answersWith = async (url: string): Promise<string> => (await fetch(url)).text();

let image: Image;

beforeAll(async () => {
  await up();
  const base = await baseImage();
  if (base === undefined) throw new Error('this test was written for the native cluster');
  const source = join(mkdtempSync(join(tmpdir(), 'devshelf-proof-')), 'server');
  writeFileSync(source, SERVER);
  image = await buildOverlay({ from: base, name: 'proof', tag: '1', files: { '/usr/local/bin/server': source } });
  await loadImages([image]);
  await kubectl(['create', 'namespace', namespace]);
  const resources = { requests: { cpu: '20m', memory: '32Mi' } };
  const container = { image: image.reference, command: ['server'], readinessProbe: answersHttp, resources };
  await apply(deployment('proof', 3, container), service('proof', 80, 8000));
  await ours('rollout', 'status', 'deployment/proof', '--timeout=60s');
}, BUILD_MS);

afterAll(() => kubectl(['delete', 'namespace', namespace, '--wait=false']), MINUTE);

test(
  'a pod reaches all three pods behind a Service by its name, and a Job reports what it found',
  async () => {
    const code = `(async () => {
    const names = new Set();
    const ask = async () => (await fetch('http://proof/', { headers: { connection: 'close' } })).text();
    const deadline = Date.now() + ${PROGRAMMED_MS};
    while (names.size < 3 && Date.now() < deadline) {
      await ask().then(name => names.add(name), () => undefined);
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    say([...names].sort().join(' '));
  })()`;
    const found = await answerOf('resolve', { image: image.reference, command: script(code) });
    const pods = await ours('get', 'pods', '-l', 'app=proof', '-o', 'jsonpath={.items[*].metadata.name}');
    expect(found.split(' ')).toEqual(pods.split(' ').sort());
  },
  MINUTE,
);

test(
  'a name that is nowhere does not exist, rather than failing to be looked up',
  async () => {
    const code = `require('dns').lookup('nowhere.example', error => say(error.code))`;
    expect(await answerOf('nowhere', { image: image.reference, command: script(code) })).toBe('ENOTFOUND');
  },
  MINUTE,
);

const addressOf = (name: string): Promise<string> => ours('get', 'service', name, '-o', 'jsonpath={.spec.clusterIP}');

test(
  'a Service is reached from inside the node, and from this machine through a loopback port',
  async () => {
    const target = `${await addressOf('proof')}:80`;
    const child = insideNode([
      process.execPath,
      '-e',
      `fetch('http://${target}/').then(r => process.exit(r.status - 200))`,
    ]);
    expect(await new Promise(resolve => child.once('close', resolve))).toBe(0);
    const port = await forwardToLoopback(target);
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toMatch(/^proof-/);
    expect(await forwardToLoopback(target)).toBe(port);
  },
  MINUTE,
);

test(
  'a paused pod keeps its connection and answers nothing; resumed, it goes on',
  async () => {
    await apply(
      deployment('frozen', 1, { image: image.reference, command: ['server'], readinessProbe: answersHttp }),
      service('frozen', 80, 8000),
    );
    await ours('rollout', 'status', 'deployment/frozen', '--timeout=60s');
    const name = await ours('get', 'pods', '-l', 'app=frozen', '-o', 'jsonpath={.items[0].metadata.name}');
    const url = `http://127.0.0.1:${await forwardToLoopback(`${await addressOf('frozen')}:80`)}/`;
    expect(
      await eventually(
        PROGRAMMED_MS,
        () => answersWith(url),
        text => text === name,
      ),
    ).toBe(name);
    await pausePod(namespace, name);
    await expect(fetch(url, { signal: AbortSignal.timeout(1_000) })).rejects.toThrow(/timeout/i);
    await resumePod(namespace, name);
    expect(await answersWith(url)).toBe(name);
  },
  MINUTE,
);

test(
  'PostgreSQL and Redis run without root on a read-only root file system',
  async () => {
    await loadImages([await storeImage('postgresql'), await storeImage('redis')]);
    const data = { volumes: [{ name: 'data', emptyDir: {} }] };
    const volumeMounts = [{ name: 'data', mountPath: '/data' }];
    const env = [
      { name: 'POSTGRES_PASSWORD', value: 'secret' },
      { name: 'POSTGRES_DATABASES', value: 'devshelf dashboard' },
    ];
    const ready = (...command: string[]) => ({ exec: { command }, periodSeconds: 1 });
    const postgresql = { image: 'devshelf.local/postgresql:1', env, volumeMounts };
    const redis = { image: 'devshelf.local/redis:1', readinessProbe: ready('redis-cli', 'ping') };
    await apply(
      deployment('postgresql', 1, { ...postgresql, readinessProbe: ready('pg_isready', '-h', '127.0.0.1') }, data),
      deployment('redis', 1, redis),
      service('postgresql', 5432, 5432),
    );
    await ours('rollout', 'status', 'deployment/postgresql', '--timeout=90s');
    await ours('rollout', 'status', 'deployment/redis', '--timeout=90s');
    const url = `postgres://postgres:secret@${await addressOf('postgresql')}/dashboard`;
    const select = ['exec', 'deployment/postgresql', '--', 'psql', url, '-Atc', 'select current_database()'];
    const database = await eventually(
      PROGRAMMED_MS,
      () => ours(...select),
      text => text === 'dashboard\n',
    );
    expect(database).toBe('dashboard\n');
  },
  4 * MINUTE,
);

test(
  'metrics-server measures pods, and the autoscaler sees the figure',
  async () => {
    await ours('autoscale', 'deployment/proof', '--cpu=50%', '--min=3', '--max=5');
    const measured = (): Promise<string> => ours('top', 'pods', '-l', 'app=proof', '--no-headers');
    expect(await eventually(MINUTE, measured, text => /\d+m +\d+Mi/.test(text))).toMatch(/^proof-\S+ +\d+m +\d+Mi/);
    const path = 'jsonpath={.status.currentMetrics[0].resource.current.averageUtilization}';
    const utilization = (): Promise<string> => ours('get', 'hpa', 'proof', '-o', path);
    expect(await eventually(MINUTE, utilization, text => /^\d+$/.test(text))).toMatch(/^\d+$/);
  },
  3 * MINUTE,
);

const other = clusterNamed('e2e-other');
const cli = (...args: string[]) =>
  promisify(execFile)(process.execPath, [join(import.meta.dirname, 'cli.ts'), ...args], {
    env: { ...process.env, DEVSHELF_CLUSTER: other.name },
  });

test(
  'a second cluster lives beside the first; killed anywhere, it starts again, and goes without a trace',
  async () => {
    await cli('up');
    expect((await cli('kubectl', 'get', 'namespaces', '-o', 'name')).stdout).not.toContain(namespace);

    for (const name of ['kubelet', 'containerd', 'api-forward']) process.kill(runningPid(other, name) ?? 0, 'SIGKILL');
    await cli('up');
    expect((await cli('status')).stdout).toContain('e2e-other is up');

    for (const pid of strayPids(other)) process.kill(pid, 'SIGKILL');
    await cli('down');
    expect(leftovers(other)).toEqual([]);
    expect(await ours('get', 'pods', '-l', 'app=proof', '--no-headers')).toMatch(/Running/);
  },
  3 * MINUTE,
);
