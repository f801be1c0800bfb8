import { spawn } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { FastifyInstance } from 'fastify';
import type { Redis } from 'ioredis';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { createLogger } from '../common/logging.ts';
import { createRegistry } from '../common/metrics.ts';
import { migrateCli } from '../common/migrate/cli.ts';
import { query, startPostgres, type TestPostgres } from '../common/testing/postgres.ts';
import { until } from '../common/testing/processes.ts';
import { startRedis, type TestRedis } from '../common/testing/redis.ts';
import { countAuth } from './auth-metrics.ts';
import { openMailer } from './mail.ts';
import { connectRedis } from './redis.ts';
import { SCRAPE_TOKEN, testApp } from './testing.ts';

const MIGRATIONS_DIR = new URL('prisma/migrations', import.meta.url).pathname;
const AUTH = '/api/v1/auth';
const PASSWORD = 'correct horse battery';

let postgres: TestPostgres;
let redisServer: TestRedis;
let redis: Redis;
let databaseUrl: string;
let app: FastifyInstance;

beforeAll(async () => {
  [postgres, redisServer] = await Promise.all([startPostgres(), startRedis()]);
  databaseUrl = await postgres.createDatabase('devshelf');
  expect(await migrateCli({ args: ['up'], environment: { DATABASE_URL: databaseUrl, MIGRATIONS_DIR } })).toBe(0);
  redis = connectRedis(redisServer.url, createLogger('test', 'silent'));
  app = pod();
  await until('Redis answers', () => redis.status === 'ready');
}, 60_000);
afterAll(async () => {
  await app?.close();
  redis?.disconnect();
  await Promise.all([postgres?.remove(), redisServer?.remove()]);
});

const more: FastifyInstance[] = [];
afterEach(async () => {
  await Promise.all(more.splice(0).map(one => one.close()));
});

const pod = (environment: Record<string, string> = {}, change: object = {}): FastifyInstance =>
  testApp({ redis, ...change, environment: { DATABASE_URL: databaseUrl, ...environment } }).app;

function anotherPod(...args: Parameters<typeof pod>): FastifyInstance {
  const one = pod(...args);
  more.push(one);
  return one;
}

type Method = 'GET' | 'POST' | 'DELETE';
type Tokens = { readonly access_token: string; readonly refresh_token: string };
type Options = {
  readonly tokens?: Tokens;
  readonly payload?: object;
  readonly at?: FastifyInstance;
  readonly from?: string;
};

const ask = (method: Method, path: string, { tokens, payload, at = app, from = '127.0.0.1' }: Options = {}) =>
  at.inject({
    method,
    url: AUTH + path,
    remoteAddress: from,
    ...(tokens && { headers: { authorization: `Bearer ${tokens.access_token}` } }),
    ...(payload && { payload }),
  });

const register = (username: string, password = PASSWORD) =>
  ask('POST', '/register', { payload: { username, email: `${username}@example.org`, password } });
const token = (username: string, password = PASSWORD, options: Options = {}) =>
  ask('POST', '/token', { ...options, payload: { username, password } });

async function logIn(username: string): Promise<Tokens> {
  const response = await token(username);
  expect(response.statusCode).toBe(200);
  return response.json();
}

const isIn = async (tokens: Tokens) => (await ask('GET', '/sessions', { tokens })).statusCode === 200;

// the password

test('a new password is good at once, the old one and every other session are not', async () => {
  await register('ana');
  const [here, elsewhere] = [await logIn('ana'), await logIn('ana')];
  const payload = { current_password: PASSWORD, new_password: 'another horse battery' };
  const changed = await ask('POST', '/password', { tokens: here, payload });
  expect([changed.statusCode, changed.body]).toEqual([204, '']);
  expect([await isIn(here), await isIn(elsewhere)]).toEqual([true, false]);
  const refreshed = await ask('POST', '/refresh', { payload: { refresh_token: elsewhere.refresh_token } });
  expect(refreshed.statusCode).toBe(401);
  expect((await token('ana')).statusCode).toBe(401);
  expect((await token('ana', 'another horse battery')).statusCode).toBe(200);
});

test('who does not know the current password changes nothing', async () => {
  await register('bea');
  const [tokens, other] = [await logIn('bea'), await logIn('bea')];
  const payload = { current_password: 'wrong', new_password: 'another horse battery' };
  const refused = await ask('POST', '/password', { tokens, payload });
  expect([refused.statusCode, refused.json()]).toEqual([403, { detail: 'Incorrect password' }]);
  expect(await isIn(other)).toBe(true);
  expect((await token('bea')).statusCode).toBe(200);
  expect((await ask('POST', '/password', { payload })).statusCode).toBe(401);
});

test.each([
  ['short', 'must have at least 8 characters'],
  ['password123', 'is one of the passwords that are tried first: choose another one'],
  ['carla2026', 'is little more than your name, your address or the name of this service: choose another one'],
])('the password %s is refused, to register and to change', async (password, msg) => {
  await register('carla');
  const tokens = await logIn('carla');
  const payload = { current_password: PASSWORD, new_password: password };
  const [registered, changed] = [
    await ask('POST', '/register', { payload: { username: 'carla', email: 'carla2@example.org', password } }),
    await ask('POST', '/password', { tokens, payload }),
  ];
  for (const [answer, field] of [
    [registered, 'password'],
    [changed, 'new_password'],
  ] as const) {
    expect(answer.statusCode).toBe(422);
    expect(answer.json().detail).toEqual([expect.objectContaining({ loc: ['body', field], msg })]);
  }
});

test('an operator may let common passwords in', async () => {
  const at = anotherPod({ PASSWORD_MIN_LENGTH: '6', PASSWORD_REFUSE_COMMON: 'false' });
  const payload = { username: 'dora', email: 'dora@example.org', password: 'secret' };
  expect((await ask('POST', '/register', { payload, at })).statusCode).toBe(201);
});

async function reset(...args: readonly string[]) {
  const program = new URL('reset-password.ts', import.meta.url).pathname;
  const env = { DATABASE_URL: databaseUrl };
  const child = spawn(process.execPath, [program, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, said] = await Promise.all([text(child.stdout), text(child.stderr)]);
  await until('it ends', () => child.exitCode !== null);
  return { code: child.exitCode, out, said };
}

test('who runs the service gives a user a new password; every session of that user ends', async () => {
  await Promise.all([register('mara'), register('nora')]);
  const [mara, nora] = [await logIn('mara'), await logIn('nora')];
  const { code, out } = await reset('Mara');
  expect([code, out]).toEqual([0, expect.stringMatching(/^[\w-]{20}\n$/)]);
  expect([await isIn(mara), await isIn(nora)]).toEqual([false, true]);
  expect((await token('mara')).statusCode).toBe(401);
  expect((await token('mara', out.trim())).statusCode).toBe(200);
});

test.each([
  [['nobody-at-all'], 1, 'nobody is called "nobody-at-all"\n'],
  [[], 2, ''],
])('nothing is reset: %j', async (args, code, said) => {
  expect(await reset(...args)).toMatchObject({ code, said });
});

// sessions

test('a user sees where it is logged in, and ends one of them', async () => {
  await register('eva');
  const [first, second] = [await logIn('eva'), await logIn('eva')];
  const seen = (await ask('GET', '/sessions', { tokens: second })).json();
  expect(seen.map(({ current }: { current: boolean }) => current)).toEqual([true, false]);
  expect(seen[1]).toEqual({
    id: expect.any(String),
    created_at: expect.any(String),
    expires_at: expect.any(String),
    current: false,
  });
  const end = (tokens: Tokens, id: string) => ask('DELETE', `/sessions/${id}`, { tokens });
  expect((await end(second, seen[1].id)).statusCode).toBe(204);
  expect([await isIn(first), await isIn(second)]).toEqual([false, true]);
  for (const id of [seen[1].id, 'nonsense', '00000000-0000-4000-8000-000000000000'])
    expect((await end(second, id)).statusCode).toBe(404);
});

test('nobody ends or sees a session of somebody else', async () => {
  await Promise.all([register('fay'), register('gil')]);
  const [fay, gil] = [await logIn('fay'), await logIn('gil')];
  const [own] = (await ask('GET', '/sessions', { tokens: gil })).json();
  expect((await ask('DELETE', `/sessions/${own.id}`, { tokens: fay })).statusCode).toBe(404);
  expect(await isIn(gil)).toBe(true);
  expect((await ask('GET', '/sessions')).statusCode).toBe(401);
});

test('a session ends in the end, however often it is refreshed', async () => {
  const at = anotherPod({ SESSION_MAX_DAYS: '30' });
  await register('hugo');
  const { refresh_token } = await logIn('hugo');
  const age = (days: number) =>
    query(
      databaseUrl,
      `UPDATE sessions SET created_at = now() - interval '${days} days'
      WHERE user_id = (SELECT id FROM users WHERE username = 'hugo')`,
    );
  await age(29);
  const refreshed = await ask('POST', '/refresh', { payload: { refresh_token }, at });
  expect(refreshed.statusCode).toBe(200);
  const [row] = await query(
    databaseUrl,
    `SELECT expires_at <= created_at + interval '30 days' AS bounded FROM sessions
    WHERE user_id = (SELECT id FROM users WHERE username = 'hugo')`,
  );
  expect(row).toEqual({ bounded: true });
  await age(31);
  const late = await ask('POST', '/refresh', { payload: { refresh_token: refreshed.json().refresh_token }, at });
  expect(late.statusCode).toBe(401);
});

// who guesses

const LIMITED = { RATELIMIT_ENABLED: 'true', RATELIMIT_TOKEN_MAX: '1000', RATELIMIT_ACCOUNT_MAX: '3' };

test.each([
  ['with Redis, at all pods together', true],
  ['without Redis, at each', false],
])('one who guesses from many addresses is stopped, and the owner is not: %s', async (_case, shared) => {
  const name = shared ? 'inés' : 'juan';
  await register(name);
  const pods = [anotherPod(LIMITED, shared ? {} : { redis: undefined })];
  if (shared) pods.push(anotherPod(LIMITED));
  const [first, last] = [pods[0], pods.at(-1)] as [FastifyInstance, FastifyInstance];
  const HOME = '198.51.100.7';
  expect((await token(name, PASSWORD, { at: first, from: HOME })).statusCode).toBe(200);
  for (let turn = 1; turn <= 3; turn += 1)
    expect((await token(name, 'guess', { at: first, from: `192.0.2.${turn}` })).statusCode).toBe(401);
  const stopped = await token(name.toUpperCase(), PASSWORD, { at: last, from: '192.0.2.4' });
  expect([stopped.statusCode, stopped.json()]).toEqual([429, { detail: 'Too many requests' }]);
  expect(Number(stopped.headers['retry-after'])).toBeGreaterThan(800);
  expect((await token(name, PASSWORD, { at: last, from: HOME })).statusCode).toBe(200);
});

test('an account that does not exist is guarded alike', async () => {
  const at = anotherPod(LIMITED);
  const statuses = [];
  for (let turn = 1; turn <= 4; turn += 1)
    statuses.push((await token('nobody', 'guess', { at, from: `192.0.2.${turn}` })).statusCode);
  expect(statuses).toEqual([401, 401, 401, 429]);
});

test('many good logins are no failure', async () => {
  const at = anotherPod(LIMITED);
  await register('kim');
  for (let turn = 1; turn <= 5; turn += 1)
    expect((await token('kim', PASSWORD, { at, from: `192.0.2.${turn}` })).statusCode).toBe(200);
});

test('the log says by id who asked, and never by name', async () => {
  const lines: string[] = [];
  const at = anotherPod({}, { log: (line: string) => lines.push(line) });
  const { id } = (await register('lina')).json();
  const tokens = (await token('lina', PASSWORD, { at })).json();
  await ask('GET', '/sessions', { tokens, at });
  await ask('GET', '/sessions', { at });
  await until('all are logged', () => lines.length === 3);
  expect(lines.map(line => JSON.parse(line).user_id)).toEqual([id, id, undefined]);
  expect(lines.join('')).not.toContain('lina');
});

// by mail

type Letter = { readonly to: string; readonly text: string };

/** A mail server of the test's own. */
async function startMail(options: SMTPServerOptions = {}) {
  const letters: Letter[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    logger: false,
    onData: (stream, session, done) => {
      void text(stream).then(raw => {
        const body = raw
          .slice(raw.indexOf('\r\n\r\n'))
          .replace(/=\r\n/g, '')
          .replace(/=([0-9A-F]{2})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 16)));
        letters.push({ to: session.envelope.rcptTo.map(({ address }) => address).join(), text: body });
        done();
      });
    },
    ...options,
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.server.address() as AddressInfo;
  return {
    letters,
    environment: { SMTP_URL: `smtp://127.0.0.1:${port}`, MAIL_FROM: 'DevShelf <devshelf@example.org>' },
    close: () => new Promise<void>(resolve => server.close(() => resolve())),
  };
}

async function withMail(
  work: (mail: Awaited<ReturnType<typeof startMail>>) => Promise<void>,
  options?: SMTPServerOptions,
) {
  const mail = await startMail(options);
  try {
    await work(mail);
  } finally {
    await Promise.all(more.splice(0).map(one => one.close()));
    await mail.close();
  }
}

const forgotten = (email: string, at: FastifyInstance) =>
  ask('POST', '/password/forgotten', { payload: { email }, at });
const choose = (secret: string, new_password: string, at: FastifyInstance) =>
  ask('POST', '/password/reset', { payload: { token: secret, new_password }, at });
const NEW = 'another horse battery';

test('a forgotten password is chosen anew with a token that comes by mail, once; every session ends', async () => {
  await withMail(async ({ letters, environment }) => {
    const at = anotherPod({ ...environment, PASSWORD_RESET_URL: 'https://shelf.example/new' });
    await register('rosa');
    const before = await logIn('rosa');
    const asked = await forgotten('rosa@EXAMPLE.org', at);
    expect([asked.statusCode, asked.json()]).toEqual([202, {}]);
    await until('the mail is there', () => letters.length === 1);
    expect(letters[0]).toMatchObject({ to: 'rosa@example.org', text: expect.stringContaining('Hola rosa:') });
    const [, secret = ''] = /https:\/\/shelf\.example\/new#token=([\w.-]+)/.exec(letters[0]?.text ?? '') ?? [];
    // it opens nothing else
    expect(await isIn({ access_token: secret, refresh_token: '' })).toBe(false);
    expect((await choose(before.access_token, NEW, at)).statusCode).toBe(403);
    expect((await choose(secret, 'short', at)).statusCode).toBe(422);
    expect((await choose(secret, 'password123', at)).statusCode).toBe(422);
    const answers = await Promise.all([choose(secret, NEW, at), choose(secret, NEW, at)]);
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([204, 403]);
    const again = await choose(secret, 'yet another battery', at);
    expect([again.statusCode, again.json()]).toEqual([403, { detail: 'Invalid or expired token' }]);
    expect(await isIn(before)).toBe(false);
    expect((await token('rosa')).statusCode).toBe(401);
    expect((await token('rosa', NEW)).statusCode).toBe(200);
  });
});

test('who is nobody, or switched off, gets the same answer and no mail; nobody gets more than three an hour', async () => {
  await withMail(async ({ letters, environment }) => {
    const limits = { RATELIMIT_ENABLED: 'true', RATELIMIT_REGISTER_MAX: '100' };
    const at = anotherPod({ ...environment, ...limits });
    const payload = { username: 'sara evil.example', email: 'sara@example.org', password: PASSWORD };
    await ask('POST', '/register', { payload });
    await register('teo');
    await query(databaseUrl, "UPDATE users SET is_active = false WHERE username = 'teo'");
    for (const email of ['nobody@example.org', 'teo@example.org', ...Array(5).fill('sara@example.org')]) {
      const asked = await forgotten(email, at);
      expect([asked.statusCode, asked.json()]).toEqual([202, {}]);
    }
    // closing waits for what is under way
    await Promise.all(more.splice(0).map(one => one.close()));
    expect(letters.map(({ to }) => to)).toEqual(Array(3).fill('sara@example.org'));
    // the name is a stranger's choice, and the address may be, too
    for (const letter of letters) expect(letter.text).not.toContain('evil');
  });
});

test('a mail that the server does not take is counted and logged, without saying whose', async () => {
  const refusing: SMTPServerOptions = {
    onRcptTo: ({ address }, _session, done) => done(new Error(`no such mailbox: ${address}`)),
  };
  await withMail(async ({ environment }) => {
    const lines: string[] = [];
    const at = anotherPod(environment, { log: (line: string) => lines.push(line) });
    await register('uma');
    await forgotten('uma@example.org', at);
    await until('it is logged', () => lines.some(line => line.includes('a mail was not sent')));
    expect(lines.join('')).not.toContain('uma@example.org');
    const metrics = await at.inject({ url: '/metrics', headers: { authorization: `Bearer ${SCRAPE_TOKEN}` } });
    expect(metrics.body).toContain('devshelf_mails_total{outcome="failed"} 1');
  }, refusing);
});

test('production sends nothing in the clear', async () => {
  await withMail(async ({ letters, environment }) => {
    const registry = createRegistry();
    const config = { ...environment, NODE_ENV: 'production' as const };
    const mailer = openMailer({ config, logger: createLogger('test', 'silent'), metrics: countAuth(registry) });
    await mailer?.post({ to: 'vera@example.org', subject: 'x', text: 'x' });
    mailer?.close();
    expect(letters).toEqual([]);
    expect(await registry.metrics()).toContain('devshelf_mails_total{outcome="failed"} 1');
  });
});

test('without a mail server nobody is promised a mail', async () => {
  expect((await forgotten('rosa@example.org', app)).statusCode).toBe(404);
});
