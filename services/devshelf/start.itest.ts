import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { decodeProtectedHeader } from 'jose';
import { KEYRING_FILE, type Keyring } from '../common/keyring.ts';
import { migrateCli } from '../common/migrate/cli.ts';
import { startPostgres, type TestPostgres } from '../common/testing/postgres.ts';
import { freePort, stopProcess, type TemporaryFolder, temporaryFolder, until } from '../common/testing/processes.ts';

const SERVER = new URL('server.ts', import.meta.url).pathname;
const MIGRATIONS_DIR = new URL('prisma/migrations', import.meta.url).pathname;

let postgres: TestPostgres;
let databaseUrl: string;
let keyrings: TemporaryFolder;

beforeAll(async () => {
  keyrings = temporaryFolder('devshelf-keyring-');
  postgres = await startPostgres();
  databaseUrl = await postgres.createDatabase('devshelf');
  expect(await migrateCli({ args: ['up'], environment: { DATABASE_URL: databaseUrl, MIGRATIONS_DIR } })).toBe(0);
}, 60_000);
afterAll(async () => {
  keyrings?.remove();
  await postgres?.remove();
});

let server: ChildProcess | undefined;
afterEach(async () => {
  if (server) await stopProcess(server, 'SIGKILL');
});

function start(env: Record<string, string>): ChildProcess {
  server = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', SERVER], {
    env: { HOST: '127.0.0.1', LOG_LEVEL: 'silent', RATELIMIT_ENABLED: 'false', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return server;
}

test('production does not start without a database and a key of its own, and says everything at once', async () => {
  const child = start({ NODE_ENV: 'production', SECRET_KEY: 'change-me-to-a-secure-random-value', ALGORITHM: 'none' });
  if (child.stderr === null) throw new Error('stderr is not piped');
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  expect(code).toBe(2);
  expect(said).toMatch(/- DATABASE_URL: is required/);
  expect(said).toMatch(/- SECRET_KEY: is the published example/);
  expect(said).toMatch(/- ALGORITHM: must be HS256/);
  expect(said).not.toMatch(/ at /); // no stack trace
}, 30_000);

test('production does not sign with a keyring of weak keys either, and does not show them', async () => {
  mount({ current: 'k1', keys: { k1: 'weak' } });
  const child = start({ NODE_ENV: 'production', DATABASE_URL: databaseUrl, SIGNING_KEYRING_DIR: keyrings.path });
  if (child.stderr === null) throw new Error('stderr is not piped');
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  expect([code, said]).toEqual([2, 'signing keys: k1 must have at least 32 bytes\n']);
}, 30_000);

const first = { k1: 'first-signing-key-of-32-bytes-and-more' };
const both = { ...first, k2: 'second-signing-key-of-32-bytes-and-more' };

/** As the kubelet does it: what is mounted changes at once. */
function mount(keyring: Keyring): void {
  const file = join(keyrings.path, KEYRING_FILE);
  writeFileSync(`${file}.new`, JSON.stringify(keyring));
  renameSync(`${file}.new`, file);
}

test('production signs with the mounted keyring, and follows it without a restart', async () => {
  mount({ current: 'k1', keys: first });
  const port = await freePort();
  start({ NODE_ENV: 'production', DATABASE_URL: databaseUrl, SIGNING_KEYRING_DIR: keyrings.path, PORT: String(port) });
  const base = `http://127.0.0.1:${port}/api/v1`;
  const post = (path: string, body: object, token = '') =>
    fetch(base + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
    });
  const account = { username: 'ana', email: 'ana@example.org', password: 'secretsecret' };
  await until('it answers', () =>
    fetch(`${base}/resources`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  await post('/auth/register', account);
  const logIn = async (): Promise<Record<'access_token' | 'refresh_token', string>> =>
    (await (await post('/auth/token', account)).json()) as Record<'access_token' | 'refresh_token', string>;
  const write = async (token: string) =>
    (await post('/resources', { title: 'x', url: 'https://example.org', type: 'doc' }, token)).status;

  const old = await logIn();
  expect(decodeProtectedHeader(old.access_token).kid).toBe('k1');

  mount({ current: 'k2', keys: both });
  let current = old;
  await until('the new key signs', async () => {
    const response = await post('/auth/refresh', { refresh_token: current.refresh_token });
    current = (await response.json()) as typeof old;
    return decodeProtectedHeader(current.access_token).kid === 'k2';
  });
  expect([await write(old.access_token), await write(current.access_token)]).toEqual([201, 201]);

  mount({ current: 'k2', keys: { k2: both.k2 } });
  await until('the old key is forgotten', async () => (await write(old.access_token)) === 401);
  expect(await write(current.access_token)).toBe(201);
}, 60_000);
