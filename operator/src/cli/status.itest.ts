// The program as it is given to people, one file, against a real API server.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { type ApiServer, startApiServer } from '../../../test-e2e/cluster/apiserver.ts';
import { bundleCli } from '../../../test-e2e/cluster/build.ts';
import { API_VERSION } from '../api/group.ts';
import { KINDS } from '../api/kinds.ts';
import { loadCluster } from '../kube/config.ts';
import { createTransport } from '../kube/transport.ts';
import { COMMAND_NAMES, COMMANDS } from './args.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built

let api: ApiServer;
const folder = mkdtempSync(join(tmpdir(), 'devshelf-cli-'));
const program = join(folder, 'kubectl-devshelf');
const cache = join(folder, 'cache');

beforeAll(async () => {
  await bundleCli(program);
  api = await startApiServer();
  await api.installCrds(join(import.meta.dirname, '../../../crds'));
  const transport = createTransport(await loadCluster({ kubeconfig: api.adminKubeconfigPath }));
  for (const { kind, plural, smallestSpec } of KINDS) {
    for (const name of [plural, 'both']) {
      const body = { apiVersion: API_VERSION, kind, metadata: { name }, spec: smallestSpec };
      await transport.request({ method: 'POST', path: `/apis/${API_VERSION}/namespaces/default/${plural}`, body });
    }
  }
  await transport.close();
}, BUILD_MS);
afterAll(async () => {
  await api?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const devshelf = (...args: string[]) => devshelf.with({}, ...args);

/** What people's own Node may lack (20 is the oldest): nothing of the program may need it. */
const AS_NODE_20 =
  '--import=data:text/javascript,delete%20URL.parse;delete%20Promise.withResolvers;delete%20Promise.try;delete%20Array.fromAsync';

type Given = { readonly input?: string; readonly kubeconfig?: string };

devshelf.with = ({ input, kubeconfig = api.adminKubeconfigPath }: Given, ...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    encoding: 'utf8',
    env: {
      PATH: process.env['PATH'],
      KUBECONFIG: kubeconfig,
      LANG: 'C',
      NODE_OPTIONS: AS_NODE_20,
      XDG_CACHE_HOME: cache,
    },
    ...(input !== undefined && { input }),
  });
  return { code: status, stdout, stderr };
};

test('without a kubeconfig it says so, and what to do', () => {
  const { status, stderr } = spawnSync(process.execPath, [program, 'status'], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: folder, NODE_OPTIONS: AS_NODE_20 },
  });
  expect(stderr).toMatch(/^there is no kubeconfig: KUBECONFIG is not set.* say --kubeconfig FILE, or set KUBECONFIG/);
  expect(status).toBe(1);
  expect(devshelf('status', '--kubeconfig', '/none').stderr).toBe(
    'there is no kubeconfig "/none": --kubeconfig or KUBECONFIG names it\n',
  );
});

test('what was compiled is kept for the next time; where it cannot be, or is of no use, the answer is the same', () => {
  const code = join(cache, 'kubectl-devshelf', 'code');
  rmSync(cache, { recursive: true, force: true });
  const asked = (env: NodeJS.ProcessEnv = {}) =>
    spawnSync(process.execPath, [program, 'status', 'both'], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], KUBECONFIG: api.adminKubeconfigPath, XDG_CACHE_HOME: cache, ...env },
    });
  const { stdout, stderr } = asked({ XDG_CACHE_HOME: '/proc' });
  expect(stderr).toContain('"both" is the name of two kinds');
  const same = { stdout, stderr, status: 1 };
  expect(asked()).toMatchObject(same);
  const first = readFileSync(code);
  expect(asked()).toMatchObject(same);
  expect(readFileSync(code)).toEqual(first);
  // each byte after the index is another one
  writeFileSync(
    code,
    first.map((byte, at) => (at < 100_000 ? byte : ~byte)),
  );
  expect(asked()).toMatchObject(same);
  // V8 refuses what it made with other flags
  expect(asked({ NODE_OPTIONS: '--disallow-code-generation-from-strings' })).toMatchObject(same);
  expect(asked({ NODE_DISABLE_COMPILE_CACHE: '1' })).toMatchObject(same);
});

test('all of a namespace, one line each', () => {
  const { code, stdout } = devshelf('status');
  expect(stdout.trim().split('\n')).toHaveLength(4);
  expect(stdout).toContain('? default/dashboarddeployments  unknown  ?  ?');
  expect(code).toBe(0);
});

test('one by its name, by kind and name where both kinds have one', () => {
  expect(devshelf('status', 'dashboarddeployments').stdout).toMatch(
    /^\? DashboardDeployment\/dashboarddeployments {2}default/,
  );
  expect(devshelf('status', 'both')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('say dsd/both or dbd/both'),
  });
  expect(devshelf('status', 'dsd/both').stdout).toMatch(/^\? DevShelfDeployment\/both/);
});

test('what is not there, and what is no command', () => {
  expect(devshelf('status', 'nothing')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('"nothing" in namespace default'),
  });
  expect(devshelf('statsu').code).toBe(2);
  expect(devshelf('status', '--nonsense').code).toBe(2);
  expect(devshelf('--help').code).toBe(0);
});

test('why and history, of what was written down', async () => {
  const transport = createTransport(await loadCluster({ kubeconfig: api.adminKubeconfigPath }));
  const labels = {
    'app.kubernetes.io/instance': 'dashboarddeployments',
    'app.kubernetes.io/name': 'dashboard',
    'devshelf.dev/record': 'incident',
  };
  const incident = {
    ...{ schema: 1, reason: 'Regression', at: '2026-11-29T07:56:00Z', phase: 'Candidate', actions: [] },
    decidedBy: { who: 'operator' },
    failed: { hash: 'c0', image: 'registry.example/dashboard:1.3.1', attempt: 1 },
    cause: { message: '6 of 12 requests answered 5xx; postgresql://u:canary-4711@db/x \u001b[31m' },
  };
  await transport.request({
    method: 'POST',
    path: '/apis/apps/v1/namespaces/default/controllerrevisions',
    body: {
      ...{ apiVersion: 'apps/v1', kind: 'ControllerRevision', revision: 3 },
      metadata: { name: 'dashboard-incident-c0-1', labels },
      data: { incident },
    },
  });
  await transport.close();
  for (const args of [['why'], ['history'], ['why', '-o', 'json'], ['history', '-o', 'json']]) {
    const [command = '', ...flags] = args;
    const { code, stdout, stderr } = devshelf(command, 'dashboarddeployments', ...flags);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('1.3.1');
    expect(stdout).toContain('Regression');
    for (const unsafe of ['canary-4711', '\u001b', '\\u001b']) expect(stdout).not.toContain(unsafe);
  }
});

test('hands: one patch each, refused with 3 where there is nothing to do; a watch that ends by its time', async () => {
  const transport = createTransport(await loadCluster({ kubeconfig: api.adminKubeconfigPath }));
  const path = `/apis/${API_VERSION}/namespaces/default/dashboarddeployments/dashboarddeployments`;
  const seen = () =>
    transport.request<{ spec: { paused?: boolean }; metadata: { annotations?: Record<string, string> } }>({
      method: 'GET',
      path,
    });
  expect(devshelf('pause', 'dashboarddeployments', '--dry-run').stdout).toContain(
    'would be written: spec.paused: true',
  );
  expect((await seen()).spec.paused).toBe(false);
  expect(devshelf('pause', 'dashboarddeployments')).toMatchObject({ code: 0, stderr: '' });
  expect((await seen()).spec.paused).toBe(true);
  expect(devshelf('pause', 'dashboarddeployments')).toMatchObject({ code: 3, stdout: '' });
  expect(devshelf('rotate-key', 'dashboarddeployments')).toMatchObject({ code: 0 });
  expect((await seen()).metadata.annotations?.['devshelf.dev/rotate']).toMatch(/^20/);
  expect(devshelf('retry', 'dashboarddeployments')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('no release is rejected'),
  });
  for (const gate of ['promote', 'hold', 'reject', 'rollback'])
    expect(devshelf(gate, 'dashboarddeployments')).toMatchObject({ code: 3, stdout: '' });
  const watched = devshelf('status', 'dashboarddeployments', '-w', '--timeout', '1');
  expect(watched).toMatchObject({ code: 4, stdout: expect.stringMatching(/^20\S+Z \? default\/dashboarddeployments/) });
  await transport.close();
});

test('a plan: checked by the API server, nothing is written, nothing of a Secret is said', async () => {
  const transport = createTransport(await loadCluster({ kubeconfig: api.adminKubeconfigPath }));
  const path = `/apis/${API_VERSION}/namespaces/default/dashboarddeployments`;
  const all = async () =>
    (await transport.request<{ items: { metadata: object }[] }>({ method: 'GET', path })).items.map(
      ({ metadata }) => metadata,
    );
  const planned = (spec: object, name: string, ...flags: string[]) => {
    const body = { apiVersion: API_VERSION, kind: 'DashboardDeployment', metadata: { name }, spec };
    return devshelf.with({ input: JSON.stringify(body) }, 'plan', '-f', '-', ...flags);
  };
  const spec = {
    image: 'registry.example/dashboard:2',
    database: { urlSecretRef: { name: 'planned-db', key: 'url' } },
  };
  const before = await all();
  const absent = planned(spec, 'planned');
  expect(absent).toMatchObject({ code: 0, stderr: '' });
  expect(absent.stdout).toContain('would be created');
  expect(absent.stdout).toMatch(/Secret\s+planned-db\s+does\s+not\s+exist/);
  await transport.request({
    ...{ method: 'POST', path: '/api/v1/namespaces/default/secrets' },
    body: { metadata: { name: 'planned-db' }, stringData: { url: 'postgresql://u:canary-4711@db/x' } },
  });
  const there = planned(spec, 'planned', '--exit-code');
  expect(there).toMatchObject({ code: 5, stderr: '' });
  expect(there.stdout).toMatch(/keys .*migration .*install .*bake .*release/s);
  expect(`${there.stdout}${planned(spec, 'planned', '-o', 'json').stdout}`).not.toContain('canary-4711');
  expect(await all()).toEqual(before);
  expect(planned({ ...spec, replicas: -1 }, 'planned')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('spec.replicas'),
  });
  expect(devshelf.with({ input: 'a: [' }, 'plan', '-f', '-')).toMatchObject({ code: 1, stdout: '' });
  expect(devshelf.with({ input: 'kind: Pod' }, 'plan', '-f', '-').stderr).toContain('no DevShelfDeployment or');
  await transport.close();
});

/** A person with one of the built-in roles. The controller that adds rules up is not here, so the parts are bound. */
async function as(role: 'view' | 'edit'): Promise<string> {
  const parts = role === 'view' ? ['view'] : ['view', 'edit'];
  await api.kubectl('create', 'serviceaccount', role);
  for (const part of parts) {
    for (const name of [`system:aggregate-to-${part}`, `devshelf-operator-${part}`]) {
      const bound = `${role}-${name.replace(':', '-')}`;
      await api.kubectl('create', 'rolebinding', bound, `--clusterrole=${name}`, `--serviceaccount=default:${role}`);
    }
  }
  return loggingIn(role, {
    token: await api.serviceAccountToken({ namespace: 'default', name: role, seconds: 3_600 }),
  });
}

/** A kubeconfig. */
function loggingIn(name: string, user: object): string {
  const config = parse(readFileSync(api.adminKubeconfigPath, 'utf8')) as { users: { name: string }[] };
  const file = join(folder, `${name}.kubeconfig`);
  writeFileSync(file, stringify({ ...config, users: config.users.map(({ name: of }) => ({ name: of, user })) }));
  return file;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const execCredential = () =>
  JSON.stringify({
    ...{ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential' },
    status: { token: api.adminToken },
  });

test.each([
  ['a token', () => ({ token: api.adminToken })],
  ['a file with a token', () => ({ tokenFile: written('token-of-a-file', `${api.adminToken}\n`) })],
  [
    'a certificate',
    () => ({
      'client-certificate-data': base64(api.clientCertPem),
      'client-key-data': base64(api.clientKeyPem),
    }),
  ],
  [
    'a program that logs in',
    () => ({
      exec: {
        ...{ apiVersion: 'client.authentication.k8s.io/v1', interactiveMode: 'Never' },
        ...{ command: 'cat', args: [written('credential', execCredential())] },
      },
    }),
  ],
])('logs in by %s', (name, user) => {
  const kubeconfig = loggingIn(name.replaceAll(' ', '-'), user());
  expect(devshelf.with({ kubeconfig }, 'status')).toMatchObject({ code: 0, stderr: '' });
});

function written(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

test('the table of roles is true, and what reads is of use to who may only view', async () => {
  await api.kubectl(
    'apply',
    '--server-side',
    '-f',
    join(import.meta.dirname, '../../../charts/install/base/user-roles.yaml'),
  );
  const [view, edit] = [await as('view'), await as('edit')];
  const wholeFor = (kubeconfig: string): string[] => {
    const { stdout } = devshelf.with({ kubeconfig }, 'doctor', '-o', 'json');
    const { checks } = JSON.parse(stdout) as { checks: { what: string; message: string }[] };
    const { message = '' } =
      checks.find(({ what, message: said }) => what === 'your rights' && said.startsWith('whole')) ?? {};
    return message.replace('whole: ', '').split(', ').sort();
  };
  const having = (...roles: string[]) => COMMAND_NAMES.filter(name => roles.includes(COMMANDS[name].role)).sort();
  expect(wholeFor(view)).toEqual(having('none', 'view'));
  expect(wholeFor(edit)).toEqual(having('none', 'view', 'edit'));

  const file = JSON.stringify({
    ...{ apiVersion: API_VERSION, kind: 'DashboardDeployment', metadata: { name: 'viewed' } },
    spec: { image: 'registry.example/dashboard:2', database: { urlSecretRef: { name: 'planned-db' } } },
  });
  const of = (...args: string[]) => devshelf.with({ kubeconfig: view, input: file }, ...args);
  for (const command of ['why', 'history', 'keys', 'logs'])
    expect(of(command, 'dashboarddeployments')).toMatchObject({ code: 0, stderr: '' });
  expect(of('status')).toMatchObject({ code: 0, stderr: '' });
  // what is lacking is told, and the rest is there
  expect(of('plan', '-f', '-')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/migration.*not\s+checked\s+by\s+the\s+API\s+server/s),
  });
  const misfit = file.replace('"registry.example/dashboard:2"', '7');
  expect(devshelf.with({ kubeconfig: view, input: misfit }, 'plan', '-f', '-')).toMatchObject({
    code: 1,
    stderr: 'spec.image: Invalid input: expected string, received number\n',
  });
  expect(of('report', 'dashboarddeployments', '-O', '-')).toMatchObject({
    ...{ code: 0, stderr: '' },
    stdout: expect.stringMatching(/Missing:\n {2}secrets, names only: [^\n]*forbidden[^\n]*\n\n.*1\.3\.1/s),
  });
  expect(of('doctor').stdout).toContain('secrets');
  expect(of('resume', 'dashboarddeployments')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('cannot patch'),
  });
});

test('a report holds nothing of a Secret, and is not written over another one', () => {
  const file = join(folder, 'report.txt');
  expect(devshelf('report', 'dashboarddeployments', '-O', file)).toMatchObject({ code: 0, stderr: '' });
  const text = readFileSync(file, 'utf8');
  for (const part of ['Regression', 'kind: DashboardDeployment', '===== doctor =====']) expect(text).toContain(part);
  expect(text).not.toContain('canary-4711');
  expect(statSync(file).mode & 0o077).toBe(0);
  expect(devshelf('report', 'dashboarddeployments', '-O', file)).toMatchObject({ code: 1, stdout: '' });
});
