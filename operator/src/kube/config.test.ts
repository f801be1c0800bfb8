import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { loadCluster, rereading } from './config.ts';
import { plainKubeconfig } from './plain-kubeconfig.ts';
import type { Credentials } from './transport.ts';

function source() {
  let nowMs = 0;
  const state = { reads: 0, token: 'first', ca: 'ca', broken: false };
  const read = async (): Promise<Credentials> => {
    state.reads++;
    if (state.broken) throw new Error('no file');
    return { headers: { authorization: state.token }, tls: { ca: state.ca } };
  };
  const credentials = rereading(read, () => nowMs);
  return { state, credentials, pass: (ms: number) => (nowMs += ms) };
}

test('credentials are read again after a minute, and shared by those who ask at once', async () => {
  const { state, credentials, pass } = source();
  await Promise.all([credentials(false), credentials(false)]);
  pass(59_999);
  await credentials(false);
  expect(state.reads).toBe(1);
  state.token = 'second';
  pass(1);
  expect((await credentials(false)).headers).toEqual({ authorization: 'second' });
});

test('credentials that were refused are read again at once', async () => {
  const { state, credentials } = source();
  await credentials(false);
  state.token = 'second';
  expect((await credentials(true)).headers).toEqual({ authorization: 'second' });
});

test('certificates that did not change stay the same object, so connections are kept', async () => {
  const { state, credentials } = source();
  const { tls } = await credentials(false);
  expect((await credentials(true)).tls).toBe(tls);
  state.ca = 'another';
  expect((await credentials(true)).tls).toEqual({ ca: 'another' });
});

test('a file that is just being replaced does not stop anything; one that was never there does', async () => {
  const { state, credentials } = source();
  state.broken = true;
  await expect(credentials(false)).rejects.toThrow('no file');
  state.broken = false;
  await credentials(false);
  state.broken = true;
  expect((await credentials(true)).headers).toEqual({ authorization: 'first' });
});

// a large library, which a busy machine needs seconds to read
beforeAll(async () => void (await import('@kubernetes/client-node')), 60_000);

const folder = mkdtempSync(join(tmpdir(), 'kubeconfig-'));
afterAll(() => rmSync(folder, { recursive: true }));

function kubeconfig(name: string, user: object, cluster: object = {}): string {
  const path = join(folder, name);
  const config = {
    clusters: [{ name: 'c', cluster: { server: 'https://api.example', ...cluster } }],
    users: [
      { name: 'other', user: { tokenFile: 'none' } },
      { name: 'u', user },
    ],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

test('a tokenFile beside the kubeconfig is read, again when it was renewed, and wins over a token', async () => {
  writeFileSync(join(folder, 'token'), 'first\n');
  const { credentials } = await loadCluster({ kubeconfig: kubeconfig('a', { tokenFile: 'token', token: 'old' }) });
  expect((await credentials(false)).headers).toEqual({ authorization: 'Bearer first' });
  writeFileSync(join(folder, 'token'), 'second\n');
  expect((await credentials(true)).headers).toEqual({ authorization: 'Bearer second' });
});

test('a tokenFile that is not there is an error, and nobody asks without it', async () => {
  const { credentials } = await loadCluster({ kubeconfig: kubeconfig('b', { tokenFile: 'gone' }) });
  await expect(credentials(false)).rejects.toThrow(/ENOENT.*gone/);
});

test('a token alone is sent as ever', async () => {
  const { credentials } = await loadCluster({ kubeconfig: kubeconfig('c', { token: 'plain' }) });
  expect((await credentials(false)).headers).toEqual({ authorization: 'Bearer plain' });
});

test('a kubeconfig that is not there is said by its name', async () => {
  const missing = join(folder, 'missing');
  await expect(loadCluster({ kubeconfig: missing })).rejects.toThrow(`there is no kubeconfig "${missing}"`);
});

test('a proxy: the cluster’s own, else the environment’s; of another kind it is refused in words', async () => {
  const proxyOf = async (name: string, cluster: object, env: Record<string, string>) =>
    (await loadCluster({ kubeconfig: kubeconfig(name, {}, cluster), env })).proxyEnv;
  const url = 'http://proxy.example:3128';
  const env = { https_proxy: 'http://other.example', NO_PROXY: 'localhost' };
  expect(await proxyOf('d', { 'proxy-url': url }, env)).toEqual({ HTTPS_PROXY: url, HTTP_PROXY: url });
  expect(await proxyOf('e', {}, env)).toEqual({ HTTPS_PROXY: 'http://other.example', NO_PROXY: 'localhost' });
  expect(await proxyOf('f', {}, { NO_PROXY: '*' })).toBeUndefined();
  await expect(proxyOf('g', { 'proxy-url': 'socks5://proxy.example' }, {})).rejects.toThrow(
    'cluster c: proxy-url "socks5://proxy.example" must begin with http:// or https://',
  );
});

test('what most kubeconfigs say is read as client-node reads it', async () => {
  writeFileSync(join(folder, 'ca.crt'), 'ca in a file');
  const data = (text: string) => Buffer.from(text).toString('base64');
  const cases: readonly [object, object][] = [
    [{ token: 't' }, {}],
    [{}, { 'certificate-authority': 'ca.crt', server: 'https://api.example/path/' }],
    [
      { 'client-certificate-data': data('cert'), 'client-key-data': data('key') },
      {
        'certificate-authority-data': data('ca'),
        'tls-server-name': 'other',
        extensions: [{ name: 'x', extension: {} }],
      },
    ],
    [{ token: 't' }, { 'insecure-skip-tls-verify': true }],
  ];
  // a field that is nowhere else: client-node reads it
  const seen = async (name: string, user: object, cluster: object) => {
    const file = kubeconfig(name, user, cluster);
    const { server, namespace, credentials } = await loadCluster({ kubeconfig: file });
    return {
      isPlain: (await plainKubeconfig(file, undefined)) !== undefined,
      server,
      namespace,
      ...(await credentials(false)),
    };
  };
  for (const [user, cluster] of cases) {
    const [ours, theirs] = [
      await seen('h', user, cluster),
      await seen('i', user, { ...cluster, 'disable-compression': true }),
    ];
    expect([ours.isPlain, theirs.isPlain]).toEqual([true, false]);
    expect({ ...ours, isPlain: false }).toEqual(theirs);
  }
});

test.each([
  ['a program', { exec: { apiVersion: 'v1', command: 'login' } }, {}],
  ['a password', { username: 'me', password: 'p' }, {}],
  ['whom to be', { token: 't', as: 'other' }, {}],
  ['an old plugin', { 'auth-provider': { name: 'oidc' } }, {}],
  [
    'a file and what is in it',
    { token: 't' },
    { 'certificate-authority': 'ca.crt', 'certificate-authority-data': 'Y2E=' },
  ],
  ['an empty token', { token: '' }, {}],
  ['no TLS', { token: 't' }, { server: 'http://api.example' }],
])('%s is for client-node', async (_what, user, cluster) => {
  expect(await plainKubeconfig(kubeconfig('j', user, cluster), undefined)).toBeUndefined();
});

test('a context that is not there, and what is no kubeconfig, are for client-node’s words', async () => {
  const file = kubeconfig('k', { token: 't' });
  expect(await plainKubeconfig(file, 'x')).toBeDefined();
  expect(await plainKubeconfig(file, 'another')).toBeUndefined();
  for (const text of ['', '[]', '{', 'a: [', 'users: 7\n', 'users:\n- name: u\n']) {
    writeFileSync(join(folder, 'l'), text);
    expect(await plainKubeconfig(join(folder, 'l'), undefined)).toBeUndefined();
  }
});

test('a kubeconfig that is written anew with a program to log in by is client-node’s from then on', async () => {
  const file = kubeconfig('m', { token: 'first' });
  const { credentials } = await loadCluster({ kubeconfig: file });
  expect((await credentials(false)).headers).toEqual({ authorization: 'Bearer first' });
  kubeconfig('m', { token: 'second', as: 'other' });
  expect((await credentials(true)).headers).toEqual({ authorization: 'Bearer second', 'impersonate-user': 'other' });
});
