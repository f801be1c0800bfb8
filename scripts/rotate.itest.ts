// Rotation against a real API server and a real dashboard. The operator's part is played here, step by step as the
// operator takes them: what it writes into the status, the Secret and the pods' keyring.
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { until } from '../services/common/testing/processes.ts';
import { type ApiServer, startApiServer } from '../test-e2e/cluster/apiserver.ts';
import { binaryPath } from '../test-e2e/cluster/binaries.ts';
import { type Outcome, runScript, startDashboard, type Variables } from './testing.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built
const TEST_MS = 120_000;
const PATIENCE_MS = 60_000; // for a busy machine
const ROTATE = 'rotate_dashboard_api_key.sh';
const NAMESPACE = 'market';
const RESOURCES = `/apis/apps.devshelf.dev/v1alpha1/namespaces/${NAMESPACE}/dashboarddeployments`;
const REPOSITORY = 'example-d/mini_market';

const key = (generation: number) => `dsk_${generation}_key-number-${generation}`;

let api: ApiServer;
let dashboard: Awaited<ReturnType<typeof startDashboard>>;
let folder: string;
let keyring: string;
let variables: Variables;
let generation = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'devshelf-rotate-'));
  keyring = join(folder, 'keyring');
  mkdirSync(keyring);
  accept(generation);
  api = await startApiServer();
  await api.installCrds('crds');
  await api.request('POST', '/api/v1/namespaces', { metadata: { name: NAMESPACE } });
  await secret('POST', '', 'market-api-key', { key: key(generation) });
  dashboard = await startDashboard({ API_KEYRING_DIR: keyring, DASHBOARD_RATELIMIT_ENABLED: 'false' });
  const programs = dirname(binaryPath('kubectl'));
  variables = { PATH: [programs, process.env['PATH']].join(delimiter), KUBECONFIG: api.adminKubeconfigPath };
}, BUILD_MS);
afterAll(async () => {
  await dashboard?.remove();
  await api?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The pods' keyring: exactly the keys of these generations. */
function accept(...generations: readonly number[]): void {
  const keys = Object.fromEntries(generations.map(each => [String(each), key(each)]));
  writeFileSync(join(keyring, '.next'), JSON.stringify({ current: String(generations[0]), keys }));
  renameSync(join(keyring, '.next'), join(keyring, 'keyring.json'));
}

const secret = (method: string, name: string, given: string, stringData: Record<string, string>) =>
  api.request(method, `/api/v1/namespaces/${NAMESPACE}/secrets${name}`, { metadata: { name: given }, stringData });

const handOut = (each: number) => secret('PUT', '/market-api-key', 'market-api-key', { key: key(each) });

async function create(name: string, annotations: Record<string, string> = {}, spec: object = {}): Promise<void> {
  await api.request('POST', RESOURCES, {
    apiVersion: 'apps.devshelf.dev/v1alpha1',
    kind: 'DashboardDeployment',
    metadata: { name, annotations },
    spec: { image: 'example/dashboard:1', database: { urlSecretRef: { name: 'db' } }, ...spec },
  });
}

type Live = { metadata: { annotations?: Record<string, string> } };
const annotationsOf = async (name: string) =>
  ((await api.request('GET', `${RESOURCES}/${name}`)) as Live).metadata.annotations ?? {};

async function say(state: string, more: object = {}, held?: string): Promise<void> {
  const request = (await annotationsOf('market'))['devshelf.dev/rotate'];
  const condition = {
    type: 'KeysCurrent',
    status: held === undefined ? 'True' : 'False',
    reason: held === undefined ? 'KeysCurrent' : 'RotationHeld',
    message: held ?? 'every key is current',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  };
  const status = {
    keys: [{ name: 'api', secret: 'market-api-keyring', request, state, ...more }],
    conditions: [condition],
  };
  const patch = ['patch', 'dashboarddeployment', 'market', '-n', NAMESPACE, '--subresource=status', '--type=merge'];
  await api.kubectl(...patch, '-p', JSON.stringify({ status }));
}

/** Runs the script while `operator` does its part, once it was asked. */
async function rotate(args: readonly string[], operator: () => Promise<void>, more: Variables = {}): Promise<Outcome> {
  const before = (await annotationsOf('market'))['devshelf.dev/rotate'];
  const running = runScript(ROTATE, args, { ...variables, ...more });
  await until('it asks', async () => (await annotationsOf('market'))['devshelf.dev/rotate'] !== before, PATIENCE_MS);
  await operator();
  return running;
}

const statusWith = async (each: number) =>
  (await fetch(`${dashboard.base}/api/summary`, { headers: { 'x-api-key': key(each) } })).status;

const dashboardKnows = (each: number, status: number) =>
  until(`key ${each} gives ${status}`, async () => (await statusWith(each)) === status, PATIENCE_MS);

/** Accepting, Switching: what every rotation begins with. */
async function begin(): Promise<number> {
  const old = generation;
  generation += 1;
  await say('Accepting');
  accept(generation, old);
  await dashboardKnows(generation, 200);
  await say('Switching');
  await handOut(generation);
  return old;
}

async function finishAtOnce(): Promise<void> {
  const old = await begin();
  accept(generation);
  await dashboardKnows(old, 401);
  await say('Idle', { currentKeyId: String(generation) });
}

const target = ['-r', `${NAMESPACE}/market`];
const quick = [...target, '--timeout', '5'];

describe('a dashboard named by its repository', () => {
  beforeAll(() => create('market', { 'devshelf.dev/repository': REPOSITORY }));

  test(
    '0: graceful: callers have the new key, the old one is still good; no key is shown',
    async () => {
      const { code, out, err } = await rotate(['-r', REPOSITORY, '-u', dashboard.base], async () => {
        await begin();
        await say('Draining', { currentKeyId: String(generation), previousUntil: '2026-01-02T00:00:00Z' });
      });
      expect([code, err]).toEqual([0, '']);
      expect(out).toContain(`Target: STAGING ${NAMESPACE}/market`);
      expect(out).toContain('Draining');
      expect(out).toContain('La clave anterior vale hasta 2026-01-02T00:00:00Z');
      expect(out).toContain('[OK] /api/summary 200 con la clave nueva');
      expect(out).not.toContain('key-number');
      expect((await annotationsOf('market'))['devshelf.dev/rotate-mode']).toBe('graceful');
    },
    TEST_MS,
  );

  test(
    '0: immediate: it waits until the old key is refused, and sees that for itself',
    async () => {
      const { code, out } = await rotate([...target, '-u', dashboard.base, '--immediate'], finishAtOnce);
      expect(code).toBe(0);
      expect(out).toContain('[OK] /api/summary 401 con la clave anterior');
      expect((await annotationsOf('market'))['devshelf.dev/rotate-mode']).toBe('immediate');
    },
    TEST_MS,
  );

  test(
    '0: without a URL no Secret is read',
    async () => {
      const account = { namespace: NAMESPACE, name: 'annotator' };
      await api.request('POST', `/api/v1/namespaces/${NAMESPACE}/serviceaccounts`, {
        metadata: { name: account.name },
      });
      const may = ['create', 'role', 'annotator', '-n', NAMESPACE, '--verb=get,patch'];
      await api.kubectl(...may, '--resource=dashboarddeployments.apps.devshelf.dev');
      const bind = ['create', 'rolebinding', 'annotator', '-n', NAMESPACE, '--role=annotator'];
      await api.kubectl(...bind, `--serviceaccount=${NAMESPACE}:annotator`);
      const token = await api.serviceAccountToken({ ...account, seconds: 600 });
      const KUBECONFIG = join(folder, 'annotator.kubeconfig');
      const certificate = join(folder, 'ca.pem');
      writeFileSync(certificate, api.caPem);
      const config = {
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [{ name: 'it', cluster: { server: api.url, 'certificate-authority': certificate } }],
        users: [{ name: 'it', user: { token } }],
        contexts: [{ name: 'it', context: { cluster: 'it', user: 'it' } }],
      };
      writeFileSync(KUBECONFIG, JSON.stringify(config));
      const { code, err } = await rotate([...target, '--context', 'it'], finishAtOnce, { KUBECONFIG });
      expect([code, err]).toEqual([0, '']);
    },
    TEST_MS,
  );

  test(
    '5: the operator says Idle, but the old key is still accepted',
    async () => {
      const { code, err } = await rotate([...target, '-u', dashboard.base], async () => {
        await begin();
        await say('Idle');
      });
      expect([code, err]).toEqual([
        5,
        expect.stringContaining('/api/summary con la clave anterior: 200 (esperado 401)'),
      ]);
    },
    TEST_MS,
  );

  test(
    '3: no operator',
    async () => {
      const { code, err } = await rotate(quick, async () => undefined);
      expect([code, err]).toEqual([3, expect.stringContaining('El operador no empezó en 5 s')]);
    },
    TEST_MS,
  );

  test(
    '4: it is held, and says why',
    async () => {
      const { code, out, err } = await rotate(quick, () =>
        say('Accepting', {}, 'pod market-x does not accept the new key'),
      );
      expect(code).toBe(4);
      expect(out).toContain('Accepting, detenida: pod market-x does not accept the new key');
      expect(err).toContain('no terminó en 5 s');
    },
    TEST_MS,
  );

  test(
    '4: immediate is not done while the old key is being revoked',
    async () => {
      const { code } = await rotate([...quick, '--immediate'], () => say('Revoking'));
      expect(code).toBe(4);
    },
    TEST_MS,
  );

  test(
    'no key is among the arguments of a program that the script starts',
    async () => {
      const spies = mkdtempSync(join(folder, 'spies-'));
      const calls = join(spies, 'calls');
      for (const [program, path] of [
        ['kubectl', binaryPath('kubectl')],
        ['curl', '/usr/bin/curl'],
      ] as const) {
        const text = `#!/bin/sh\necho "$@" >> '${calls}'\nexec ${path} "$@"\n`;
        writeFileSync(join(spies, program), text, { mode: 0o755 });
      }
      const PATH = [spies, variables['PATH']].join(delimiter);
      expect((await rotate([...target, '-u', dashboard.base], finishAtOnce, { PATH })).code).toBe(0);
      const said = readFileSync(calls, 'utf8');
      expect(said).toContain('/api/summary');
      expect(said).toContain('annotate dashboarddeployment market');
      expect(said).not.toContain('key-number');
    },
    TEST_MS,
  );
});

describe('which resource', () => {
  const find = (...args: string[]) => runScript(ROTATE, [...args, '--timeout', '1'], variables);

  beforeAll(async () => {
    await create('live', { 'devshelf.dev/repository': 'example/live', 'devshelf.dev/environment': 'production' });
    await create('trial', { 'devshelf.dev/repository': 'example/live', 'devshelf.dev/environment': 'staging' });
    await create('one', { 'devshelf.dev/repository': 'example/two' });
    await create('two', { 'devshelf.dev/repository': 'example/two' });
  });

  test(
    'the environment tells two resources of a repository apart',
    async () => {
      expect((await find('-r', 'example/live')).out).toContain(`Target: STAGING ${NAMESPACE}/trial`);
      expect((await find('-r', 'example/live', '--prod')).out).toContain(`Target: PROD ${NAMESPACE}/live`);
    },
    TEST_MS,
  );

  test('2: production without --prod, staging with it, two that fit, none; nothing is annotated', async () => {
    const production = await find('-r', `${NAMESPACE}/live`);
    expect([production.code, production.err]).toEqual([2, expect.stringContaining('añada --prod')]);
    const staging = await find('-r', `${NAMESPACE}/trial`, '--prod');
    expect([staging.code, staging.err]).toEqual([2, expect.stringContaining('quite --prod')]);
    const both = await find('-r', 'example/two');
    expect([both.code, both.err]).toEqual([2, expect.stringContaining(`${NAMESPACE}/one ${NAMESPACE}/two`)]);
    const none = await find('-r', 'example/nothing');
    expect([none.code, none.err]).toEqual([2, expect.stringContaining('devshelf.dev/repository=example/nothing')]);
    for (const name of ['one', 'two']) expect(await annotationsOf(name)).not.toHaveProperty(['devshelf.dev/rotate']);
  });

  test('2: nobody answers at the API server', async () => {
    const KUBECONFIG = join(folder, 'nowhere.kubeconfig');
    const text = readFileSync(api.adminKubeconfigPath, 'utf8').replaceAll(api.url, 'https://127.0.0.1:1');
    writeFileSync(KUBECONFIG, text);
    const { code, err } = await runScript(ROTATE, target, { ...variables, KUBECONFIG });
    expect([code, err]).toEqual([2, expect.stringContaining('kubectl get falló')]);
  });

  test('1: no -r, a key that a person brings, no kubectl', async () => {
    expect((await find()).err).toContain('Falta -r');
    const brought = await find(...target, '-k', 'mine');
    expect([brought.code, brought.err]).toEqual([1, expect.stringContaining('la clave la hace el operador')]);
    expect((await find(...target, '--len', '15')).code).toBe(1);
    const { code, err } = await runScript(ROTATE, target, { PATH: withoutKubectl() });
    expect([code, err]).toEqual([1, expect.stringContaining('No se encuentra kubectl')]);
  });
});

/** A folder with the few programs that the script needs in any case. */
function withoutKubectl(): string {
  const bin = mkdtempSync(join(folder, 'bin-'));
  for (const program of ['bash', 'awk', 'basename', 'cat', 'cut', 'dirname', 'head', 'od', 'rm', 'sed', 'tr']) {
    symlinkSync(join('/usr/bin', program), join(bin, program));
  }
  return bin;
}

describe('--print-only', () => {
  const print = (...args: string[]) =>
    runScript(ROTATE, ['-r', REPOSITORY, '--print-only', ...args], { PATH: withoutKubectl() });

  test('a new key each time, of the length that was asked for; no kubectl is needed', async () => {
    const texts = await Promise.all([print(), print(), print('--prod', '--len', '17', '--hex'), print('--len', '512')]);
    expect(texts.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    const [one, two, hex, long] = texts.map(({ out }) => out);
    expect(one).toMatch(/^\[INFO\] Target: STAGING\nNueva DASHBOARD_API_KEY \(base64,48\): [A-Za-z0-9]{48}\n/);
    expect(one).not.toBe(two);
    expect(hex).toMatch(/^\[INFO\] Target: PROD\nNueva DASHBOARD_API_KEY \(hex,17\): [0-9a-f]{17}\n/);
    expect(long).toMatch(/: [A-Za-z0-9]{512}\n/);
  });

  test('keys that are given are shown as they are', async () => {
    const { out } = await print('-k', 'clave-fija', '-u', 'clave-ui');
    expect(out).toContain(': clave-fija\nNueva DASHBOARD_UI_API_KEY: clave-ui\n');
  });
});

describe('the key of the pages', () => {
  beforeEach(async () => {
    await api.kubectl('delete', 'dashboarddeployment', 'market', '-n', NAMESPACE, '--ignore-not-found');
  });

  test(
    '0: it is written into the Secret that the spec names, and shown nowhere',
    async () => {
      await secret('POST', '', 'pages', { ui: 'old', other: 'kept' });
      const valueFrom = { secretKeyRef: { name: 'pages', key: 'ui' } };
      await create('market', {}, { extraEnv: [{ name: 'DASHBOARD_UI_API_KEY', valueFrom }] });
      const { code, out, err } = await rotate([...target, '-u', 'clave "ui" ñ'], finishAtOnce);
      expect([code, err]).toEqual([0, '']);
      expect(out).not.toContain('clave "ui"');
      const { data } = (await api.request('GET', `/api/v1/namespaces/${NAMESPACE}/secrets/pages`)) as {
        data: Record<string, string>;
      };
      const texts = Object.entries(data).map(([name, value]) => [name, Buffer.from(value, 'base64').toString()]);
      expect(Object.fromEntries(texts)).toEqual({ ui: 'clave "ui" ñ', other: 'kept' });
    },
    TEST_MS,
  );

  test(
    '2: the spec names no Secret for it',
    async () => {
      await create('market');
      const { code, err } = await rotate([...target, '-u', 'clave-ui'], finishAtOnce);
      expect([code, err]).toEqual([2, expect.stringContaining('spec.extraEnv')]);
    },
    TEST_MS,
  );
});
