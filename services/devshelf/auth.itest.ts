import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { FastifyInstance } from 'fastify';
import type { Redis } from 'ioredis';
import { decodeJwt } from 'jose';
import type { Keyring } from '../common/keyring.ts';
import { createLogger } from '../common/logging.ts';
import { migrateCli } from '../common/migrate/cli.ts';
import { query, startPostgres, type TestPostgres } from '../common/testing/postgres.ts';
import { until } from '../common/testing/processes.ts';
import { startRedis, type TestRedis } from '../common/testing/redis.ts';
import { nobodysHash, passwordTurns } from './passwords.ts';
import { connectRedis } from './redis.ts';
import { SCRAPE_TOKEN, testApp } from './testing.ts';

const MIGRATIONS_DIR = new URL('prisma/migrations', import.meta.url).pathname;
const AUTH = '/api/v1/auth';
const RESOURCES = '/api/v1/resources';
const PASSWORD = 'secretsecret';

let postgres: TestPostgres;
let redisServer: TestRedis;
let redis: Redis;
let databaseUrl: string;
/** two pods of one deployment */
let app: FastifyInstance;
let other: FastifyInstance;

beforeAll(async () => {
  [postgres, redisServer] = await Promise.all([startPostgres(), startRedis()]);
  databaseUrl = await postgres.createDatabase('devshelf');
  expect(await migrateCli({ args: ['up'], environment: { DATABASE_URL: databaseUrl, MIGRATIONS_DIR } })).toBe(0);
  redis = connectRedis(redisServer.url, createLogger('test', 'silent'));
  app = pod();
  other = pod();
  await until('Redis answers', redisAnswers);
}, 60_000);
afterAll(async () => {
  await Promise.all([app?.close(), other?.close()]);
  redis?.disconnect();
  await Promise.all([postgres?.remove(), redisServer?.remove()]);
});

const more: FastifyInstance[] = [];
afterEach(async () => {
  await Promise.all(more.splice(0).map(one => one.close()));
});

type Change = Parameters<typeof testApp>[0];

function pod({ environment, ...change }: Change = {}): FastifyInstance {
  return testApp({ redis, ...change, environment: { DATABASE_URL: databaseUrl, DB_POOL_MAX: '10', ...environment } })
    .app;
}

function anotherPod(change: Change): FastifyInstance {
  const one = pod(change);
  more.push(one);
  return one;
}

const redisAnswers = () =>
  redis.ping().then(
    () => true,
    () => false,
  );

type Options = { readonly headers?: Record<string, string>; readonly at?: FastifyInstance; readonly from?: string };

const post = (url: string, payload: object | undefined, { headers = {}, at = app, from = '127.0.0.1' }: Options = {}) =>
  at.inject({ method: 'POST', url, headers, remoteAddress: from, ...(payload && { payload }) });

const form = (url: string, payload: string) =>
  app.inject({ method: 'POST', url, payload, headers: { 'content-type': 'application/x-www-form-urlencoded' } });

const register = (username: string, email = `${username}@example.org`) =>
  post(`${AUTH}/register`, { username, email, password: PASSWORD });

type Tokens = { readonly access_token: string; readonly refresh_token: string };

async function logIn(username: string): Promise<Tokens> {
  await register(username);
  const response = await post(`${AUTH}/token`, { username, password: PASSWORD });
  expect(response.statusCode).toBe(200);
  return response.json();
}

const refresh = (refresh_token: string, at = app) => post(`${AUTH}/refresh`, { refresh_token }, { at });
const bearer = ({ access_token }: Tokens) => ({ authorization: `Bearer ${access_token}` });
const logOut = (tokens: Tokens, at = app) => post(`${AUTH}/logout`, undefined, { headers: bearer(tokens), at });

/** Whether somebody is let in with the access token: 201 or 401. */
async function write(tokens: Tokens, at = app): Promise<number> {
  const resource = { title: 'x', url: 'https://example.org', type: 'doc' };
  return (await post(RESOURCES, resource, { headers: bearer(tokens), at })).statusCode;
}

async function metric(series: string, at = app): Promise<number> {
  const scrape = { authorization: `Bearer ${SCRAPE_TOKEN}` };
  const { body } = await at.inject({ url: '/metrics', headers: scrape });
  const line = body.split('\n').find(text => text.startsWith(`${series} `));
  return line === undefined ? 0 : Number(line.slice(series.length + 1));
}

const answered = ({ statusCode, body }: { statusCode: number; body: string }) => [
  statusCode,
  JSON.parse(body || 'null'),
];

// accounts

test('a user registers once: the name and the address are both taken then', async () => {
  const first = await register('ana');
  expect(answered(first)).toEqual([
    201,
    { id: expect.stringMatching(/^[0-9a-f-]{36}$/), username: 'ana', email: 'ana@example.org', is_active: true },
  ]);
  const sameName = await register('ana', 'other@example.org');
  expect(answered(sameName)).toEqual([400, { detail: 'Username already registered' }]);
  const sameAddress = await register('other', 'ana@example.org');
  expect(answered(sameAddress)).toEqual([400, { detail: 'Email already registered' }]);
});

test('names that look alike are one, to register and to log in', async () => {
  await register('Sofía');
  for (const twin of ['sofía', 'SOFI\u0301A', 'Ｓｏｆíａ', 'Sof\u200bía']) {
    const answer = await register(twin, `${encodeURIComponent(twin)}@example.org`.replaceAll('%', '_'));
    expect(answered(answer)).toEqual([400, { detail: 'Username already registered' }]);
    expect((await post(`${AUTH}/token`, { username: twin, password: PASSWORD })).statusCode).toBe(200);
  }
});

test('a mailbox registers once, however its domain is spelled', async () => {
  expect((await register('tina', 'tina@Example.ORG')).json()).toMatchObject({ email: 'tina@example.org' });
  expect(answered(await register('tina2', 'tina@EXAMPLE.org'))).toEqual([400, { detail: 'Email already registered' }]);
  expect((await register('uwe', 'ünal@MÜNCHEN.example')).json()).toMatchObject({ email: 'ünal@münchen.example' });
  expect((await register('uwe2', 'ünal@xn--mnchen-3ya.example')).statusCode).toBe(400);
});

test('two who looked alike before go on by their exact names', async () => {
  await register('Vera');
  await query(
    databaseUrl,
    `INSERT INTO users (username, email, hashed_password)
    SELECT 'vera', 'old@example.org', hashed_password FROM users WHERE username = 'Vera'`,
  );
  for (const username of ['Vera', 'vera', 'VERA'])
    expect((await post(`${AUTH}/token`, { username, password: PASSWORD })).statusCode).toBe(200);
});

test('two who register the same name at once: one wins', async () => {
  const codes = (await Promise.all([register('twin'), register('twin')])).map(({ statusCode }) => statusCode);
  expect(codes.sort()).toEqual([201, 400]);
});

test('a token is had with JSON, an e-mail address in it or not, and with a form', async () => {
  await register('bea');
  const given = { username: 'bea', password: PASSWORD };
  const pair = {
    access_token: expect.any(String),
    token_type: 'bearer',
    expires_in: 900,
    refresh_token: expect.stringMatching(/^dsr_[\w-]{43}$/),
  };
  for (const payload of [given, { ...given, email: 'bea@example.org' }]) {
    const response = await post(`${AUTH}/token`, payload);
    expect(answered(response)).toEqual([200, pair]);
    expect(response.headers['cache-control']).toBe('no-store');
  }
  for (const grant of ['grant_type=password&', 'grant_type=&scope=&client_id=&', '']) {
    const response = await form(`${AUTH}/token`, `${grant}username=bea&password=${PASSWORD}`);
    expect(answered(response)).toEqual([200, pair]);
  }
  const otherGrant = await form(`${AUTH}/token`, `grant_type=implicit&username=bea&password=${PASSWORD}`);
  expect(otherGrant.statusCode).toBe(422);
});

test('a wrong password, an unknown user and one who is switched off look alike', async () => {
  await register('berta');
  await register('off');
  await query(databaseUrl, "UPDATE users SET is_active = false WHERE username = 'off'");
  for (const [username, password] of [
    ['berta', 'wrong'],
    ['nobody', 'wrong'],
    ['off', PASSWORD],
  ]) {
    const response = await post(`${AUTH}/token`, { username, password });
    expect(answered(response)).toEqual([401, { detail: 'Incorrect credentials' }]);
    expect(response.headers['www-authenticate']).toBe('Bearer');
  }
});

test.each([
  ['a NUL in the name', { username: 'a\0b', password: PASSWORD }],
  ['a password without end', { username: 'ana', password: 'x'.repeat(1_025) }],
  ['no password', { username: 'ana' }],
])('422 instead of a fault of ours: %s', async (_case, payload) => {
  expect((await post(`${AUTH}/token`, payload)).statusCode).toBe(422);
  const email = 'new@example.org';
  expect((await post(`${AUTH}/register`, { email, ...payload })).statusCode).toBe(422);
});

test('a user of the Python service logs in with the hash that it left, which is ours afterwards', async () => {
  await register('dora');
  const theirs = '$pbkdf2-sha256$29000$N2YIIWQkBWxMae09x1jrPQ$gK3J7DDhwQfEhyFieELtZ.B9ThNYZ9H9SRSsduhDc0U';
  await query(databaseUrl, `UPDATE users SET hashed_password = '${theirs}' WHERE username = 'dora'`);
  expect((await post(`${AUTH}/token`, { username: 'dora', password: 'wrong' })).statusCode).toBe(401);
  expect((await post(`${AUTH}/token`, { username: 'dora', password: 'secret' })).statusCode).toBe(200);
  const [row] = await query(databaseUrl, "SELECT hashed_password FROM users WHERE username = 'dora'");
  expect(row?.['hashed_password']).toMatch(/^\$argon2id\$/);
  expect((await post(`${AUTH}/token`, { username: 'dora', password: 'secret' })).statusCode).toBe(200);
});

test('who is switched off is out at once: access token, refresh token, password', async () => {
  const tokens = await logIn('cora');
  await query(databaseUrl, "UPDATE users SET is_active = false WHERE username = 'cora'");
  expect(await write(tokens)).toBe(401);
  expect((await refresh(tokens.refresh_token)).statusCode).toBe(401);
  expect((await post(`${AUTH}/token`, { username: 'cora', password: PASSWORD })).statusCode).toBe(401);
});

test('logins are counted', async () => {
  await register('elsa');
  const granted = await metric('devshelf_logins_total{outcome="granted"}');
  const refused = await metric('devshelf_logins_total{outcome="refused"}');
  await post(`${AUTH}/token`, { username: 'elsa', password: PASSWORD });
  await post(`${AUTH}/token`, { username: 'elsa', password: 'wrong' });
  expect(await metric('devshelf_logins_total{outcome="granted"}')).toBe(granted + 1);
  expect(await metric('devshelf_logins_total{outcome="refused"}')).toBe(refused + 1);
});

// refresh

test('a refresh token buys one new pair, and the access token of before lives on until its end', async () => {
  const first = await logIn('fara');
  const response = await refresh(first.refresh_token);
  expect(answered(response)).toEqual([
    200,
    { access_token: expect.any(String), token_type: 'bearer', expires_in: 900, refresh_token: expect.any(String) },
  ]);
  expect(response.headers['cache-control']).toBe('no-store');
  const second: Tokens = response.json();
  expect(second.refresh_token).not.toBe(first.refresh_token);
  expect(decodeJwt(second.access_token)['sid']).toBe(decodeJwt(first.access_token)['sid']);
  expect([await write(first), await write(second)]).toEqual([201, 201]);
  const byForm = await form(`${AUTH}/refresh`, `grant_type=refresh_token&refresh_token=${second.refresh_token}`);
  expect(byForm.statusCode).toBe(200);
});

test('the database holds no refresh token, only what it hashes to', async () => {
  const { refresh_token } = await logIn('gala');
  const rows = await query(
    databaseUrl,
    "SELECT encode(hash, 'escape') || encode(hash, 'hex') AS hash FROM refresh_tokens",
  );
  expect(rows.length).toBeGreaterThan(0);
  expect(JSON.stringify(rows)).not.toContain(refresh_token.slice(4, 20));
});

test('a spent refresh token that comes back ends its session, and no other one', async () => {
  const first = await logIn('hana');
  const elsewhere: Tokens = (await post(`${AUTH}/token`, { username: 'hana', password: PASSWORD })).json();
  const second: Tokens = (await refresh(first.refresh_token)).json();
  const reused = await metric('devshelf_refreshes_total{outcome="reused"}');

  expect(answered(await refresh(first.refresh_token))).toEqual([401, { detail: 'Invalid refresh token' }]);

  expect(await metric('devshelf_refreshes_total{outcome="reused"}')).toBe(reused + 1);
  expect((await refresh(second.refresh_token)).statusCode).toBe(401);
  expect([await write(first), await write(second)]).toEqual([401, 401]);
  expect([await write(elsewhere), (await refresh(elsewhere.refresh_token)).statusCode]).toEqual([201, 200]);
});

test('of many who use one refresh token at once, at two pods, one wins, and then the session is over', async () => {
  for (let round = 0; round < 5; round += 1) {
    const { refresh_token } = await logIn(`iris${round}`);
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => refresh(refresh_token, index % 2 === 0 ? app : other)),
    );
    const won = answers.filter(({ statusCode }) => statusCode === 200);
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([200, ...Array(7).fill(401)]);
    const winner = won[0]?.json() as Tokens;
    expect([await write(winner), (await refresh(winner.refresh_token)).statusCode]).toEqual([401, 401]);
  }
}, 30_000);

test.each([
  ['an unknown one', `dsr_${'x'.repeat(43)}`],
  ['nonsense', 'nonsense'],
  ['a NUL', 'dsr_\0'],
  ['a thing too long', 'x'.repeat(5_000)],
])('no refresh with %s', async (_case, token) => {
  const { statusCode } = await refresh(token);
  expect([401, 422]).toContain(statusCode);
});

test('an access token is no refresh token, and a refresh token no access token', async () => {
  const tokens = await logIn('jana');
  expect((await refresh(tokens.access_token)).statusCode).toBe(401);
  expect(await write({ ...tokens, access_token: tokens.refresh_token })).toBe(401);
});

test('a session that nobody refreshed in time is over, and deleted in the end', async () => {
  const tokens = await logIn('kira');
  const sid = decodeJwt(tokens.access_token)['sid'];
  await query(databaseUrl, `UPDATE sessions SET expires_at = now() - interval '2 days' WHERE id = '${sid}'`);
  expect((await refresh(tokens.refresh_token)).statusCode).toBe(401);
  const others = `INSERT INTO sessions (user_id, expires_at) SELECT user_id, expires_at FROM sessions, generate_series(1, 1200) WHERE id = '${sid}'`;
  await query(databaseUrl, others);
  const { database, app: third } = testApp({ environment: { DATABASE_URL: databaseUrl } });
  more.push(third);
  const { openSessions } = await import('./sessions.ts');
  expect(await openSessions(database.prisma, { idleDays: 14, maxDays: 90 }).prune()).toBe(1_201);
  const rows = await query(databaseUrl, `SELECT 1 FROM refresh_tokens WHERE session_id = '${sid}'`);
  expect(rows).toEqual([]);
});

test('each refresh lengthens the session, and forgets tokens that were spent long ago', async () => {
  const tokens = await logIn('lea');
  const sid = decodeJwt(tokens.access_token)['sid'];
  const next: Tokens = (await refresh(tokens.refresh_token)).json();
  await query(
    databaseUrl,
    `UPDATE refresh_tokens SET used_at = now() - interval '15 days' WHERE used_at IS NOT NULL AND session_id = '${sid}'`,
  );
  await query(databaseUrl, `UPDATE sessions SET expires_at = now() + interval '1 minute' WHERE id = '${sid}'`);
  expect((await refresh(next.refresh_token)).statusCode).toBe(200);
  const [row] = await query(
    databaseUrl,
    `SELECT expires_at > now() + interval '13 days' AS longer,
            (SELECT count(*)::int FROM refresh_tokens WHERE session_id = '${sid}') AS tokens
     FROM sessions WHERE id = '${sid}'`,
  );
  expect(row).toEqual({ longer: true, tokens: 2 });
});

// logout and revocation

test('a logout ends this session at every pod at once, and no other session', async () => {
  const tokens = await logIn('mara');
  const elsewhere: Tokens = (await post(`${AUTH}/token`, { username: 'mara', password: PASSWORD })).json();
  const response = await logOut(tokens);
  expect([response.statusCode, response.body]).toEqual([204, '']);
  expect([await write(tokens), await write(tokens, other)]).toEqual([401, 401]);
  expect((await refresh(tokens.refresh_token)).statusCode).toBe(401);
  expect((await logOut(tokens)).statusCode).toBe(401);
  expect(await write(elsewhere, other)).toBe(201);
});

test('a logout needs a token', async () => {
  const response = await post(`${AUTH}/logout`, undefined);
  expect(answered(response)).toEqual([401, { detail: 'Not authenticated' }]);
  expect(response.headers['www-authenticate']).toBe('Bearer');
});

test('what is revoked stands in the denylist until the token would have ended', async () => {
  const tokens = await logIn('nora');
  const { jti } = decodeJwt(tokens.access_token);
  await logOut(tokens);
  const ttl = await redis.pttl(`devshelf:denied:${jti}`);
  expect(ttl).toBeGreaterThan(800_000);
  expect(ttl).toBeLessThanOrEqual(905_000);
});

test('the denylist refuses a token even where the database does not know yet that its session is over', async () => {
  const tokens = await logIn('nuria');
  await logOut(tokens);
  // as after a failover to a copy that is some seconds old
  await query(
    databaseUrl,
    `UPDATE sessions SET revoked_at = NULL WHERE id = '${decodeJwt(tokens.access_token)['sid']}'`,
  );
  expect(await write(tokens, other)).toBe(401);
});

test.each([
  ['its refresh token', (tokens: Tokens) => ({ token: tokens.refresh_token, token_type_hint: 'refresh_token' })],
  ['its access token', (tokens: Tokens) => ({ token: tokens.access_token })],
])('a session is revoked by %s, without authorization; and once more, with the same answer', async (name, body) => {
  const tokens = await logIn(`olga.${name.replaceAll(' ', '.')}`);
  for (let times = 0; times < 2; times += 1) {
    expect(answered(await post(`${AUTH}/revoke`, body(tokens)))).toEqual([200, {}]);
    expect([await write(tokens), (await refresh(tokens.refresh_token)).statusCode]).toEqual([401, 401]);
  }
});

test('a spent refresh token still names the session that it began', async () => {
  const tokens = await logIn('pia');
  const next: Tokens = (await refresh(tokens.refresh_token)).json();
  expect((await form(`${AUTH}/revoke`, `token=${tokens.refresh_token}`)).statusCode).toBe(200);
  expect(await write(next)).toBe(401);
});

test('whether a token was known is not told', async () => {
  for (const token of ['nonsense', `dsr_${'y'.repeat(43)}`, 'a.b.c']) {
    expect(answered(await post(`${AUTH}/revoke`, { token }))).toEqual([200, {}]);
  }
  expect((await post(`${AUTH}/revoke`, {})).statusCode).toBe(422);
});

test('a user ends all sessions at once, his own only', async () => {
  const mine = await logIn('rosa');
  const alsoMine: Tokens = (await post(`${AUTH}/token`, { username: 'rosa', password: PASSWORD })).json();
  const notMine = await logIn('sara');
  expect((await post(`${AUTH}/revoke`, { all: true })).statusCode).toBe(401);
  expect(answered(await post(`${AUTH}/revoke`, { all: true }, { headers: bearer(mine) }))).toEqual([200, {}]);
  expect([await write(mine), await write(alsoMine, other), await write(notMine)]).toEqual([401, 401, 201]);
  expect((await refresh(alsoMine.refresh_token)).statusCode).toBe(401);
});

// keys

test('the signing key rotates under a running pod: the old token lives until its key is gone', async () => {
  const signingKeys = {
    value: { current: 'k1', keys: { k1: 'first-signing-key-of-32-bytes-and-more' } } as Keyring,
    close: () => undefined,
  };
  const at = anotherPod({ signingKeys });
  await register('tara');
  const credentials = { username: 'tara', password: PASSWORD };
  const old: Tokens = (await post(`${AUTH}/token`, credentials, { at })).json();
  const second = 'second-signing-key-of-32-bytes-and-more';
  signingKeys.value = { current: 'k2', keys: { ...signingKeys.value.keys, k2: second } };
  const recent: Tokens = (await refresh(old.refresh_token, at)).json();
  expect([await write(old, at), await write(recent, at)]).toEqual([201, 201]);
  signingKeys.value = { current: 'k2', keys: { k2: second } };
  expect([await write(old, at), await write(recent, at)]).toEqual([401, 201]);
});

// limits

const LIMITS = {
  RATELIMIT_ENABLED: 'true',
  RATELIMIT_TOKEN_MAX: '3',
  RATELIMIT_REGISTER_MAX: '2',
  RATELIMIT_REFRESH_MAX: '2',
};

const attempt = (at: FastifyInstance, from: string, headers = {}) =>
  post(`${AUTH}/token`, { username: 'nobody' }, { at, from, headers });

const statusesOf = async (times: number, ask: () => Promise<{ statusCode: number }>) => {
  const statuses: number[] = [];
  for (let time = 0; time < times; time += 1) statuses.push((await ask()).statusCode);
  return statuses;
};

test('a client may try so often, at all pods together; the next one is not concerned', async () => {
  const [one, two] = [anotherPod({ environment: LIMITS }), anotherPod({ environment: LIMITS })];
  const first = await attempt(one, '192.0.2.1');
  expect(first.headers).toMatchObject({ 'ratelimit-policy': '"default";q=3;w=60', ratelimit: '"default";r=2;t=60' });
  expect(await statusesOf(1, () => attempt(two, '192.0.2.1'))).toEqual([422]);
  expect(await statusesOf(2, () => attempt(one, '192.0.2.1'))).toEqual([422, 429]);
  const refused = await attempt(two, '192.0.2.1');
  expect(answered(refused)).toEqual([429, { detail: 'Too many requests' }]);
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(60);
  expect((await attempt(two, '192.0.2.2')).statusCode).toBe(422);
  expect(await metric('devshelf_rate_limited_total{route="token",reason="client"}', one)).toBe(1);
});

test('registering and refreshing have limits of their own; reading and logging out have none', async () => {
  const at = anotherPod({ environment: LIMITS });
  const from = '192.0.2.3';
  expect(await statusesOf(3, () => post(`${AUTH}/register`, {}, { at, from }))).toEqual([422, 422, 429]);
  expect(await statusesOf(3, () => post(`${AUTH}/refresh`, {}, { at, from }))).toEqual([422, 422, 429]);
  expect(await statusesOf(5, () => at.inject({ url: RESOURCES, remoteAddress: from }))).toEqual(Array(5).fill(200));
  expect(await statusesOf(5, () => post(`${AUTH}/logout`, undefined, { at, from }))).toEqual(Array(5).fill(401));
});

test('the window ends', async () => {
  const at = anotherPod({ environment: { ...LIMITS, RATELIMIT_TOKEN_MAX: '1', RATELIMIT_WINDOW: '1' } });
  expect(await statusesOf(2, () => attempt(at, '192.0.2.4'))).toEqual([422, 429]);
  await sleep(1_100);
  expect((await attempt(at, '192.0.2.4')).statusCode).toBe(422);
});

test('a client does not become another one by saying so, unless a trusted proxy says it', async () => {
  const direct = anotherPod({ environment: LIMITS });
  let number = 0;
  const pretend = () => attempt(direct, '192.0.2.5', { 'x-forwarded-for': `198.51.100.${++number}` });
  expect(await statusesOf(4, pretend)).toEqual([422, 422, 422, 429]);

  const behind = anotherPod({ environment: { ...LIMITS, TRUST_PROXY: '10.0.0.0/8' } });
  const proxied = (client: string) => attempt(behind, '10.1.2.3', { 'x-forwarded-for': client });
  expect(await statusesOf(4, () => proxied('198.51.100.77'))).toEqual([422, 422, 422, 429]);
  expect((await proxied('198.51.100.78')).statusCode).toBe(422);
  // what the client itself writes stands to the left of what the proxy adds
  expect((await proxied('198.51.100.79, 198.51.100.77')).statusCode).toBe(429);
});

/** As when many log in at once: every turn is taken, every place in the queue too, until `meanwhile` is over. */
async function whileHashing(meanwhile: () => Promise<void>): Promise<void> {
  let release: () => void = () => undefined;
  const released = new Promise<void>(resolve => {
    release = resolve;
  });
  const turns: Promise<unknown>[] = [];
  for (let full = false; !full; ) {
    const turn = passwordTurns
      .take(() => released)
      .then(
        () => false,
        () => true,
      );
    turns.push(turn);
    full = await Promise.race([turn, sleep(1, false)]); // a refusal comes at once
  }
  try {
    await meanwhile();
  } finally {
    release();
    await Promise.all(turns);
  }
}

test.each([['token'], ['register']])(
  'too many at once are refused as too many, not as a fault of ours: %s',
  async route => {
    const series = `devshelf_rate_limited_total{route="${route}",reason="capacity"}`;
    const account = { username: `zoe.${route}`, email: `zoe.${route}@example.org`, password: PASSWORD };
    await whileHashing(async () => {
      const before = await metric(series);
      const response = await post(`${AUTH}/${route}`, account);
      expect(answered(response)).toEqual([429, { detail: 'Too many requests' }]);
      expect(response.headers['retry-after']).toBe('2');
      expect(await metric(series)).toBe(before + 1);
      expect(await metric('devshelf_password_hashes{state="waiting"}')).toBe(passwordTurns.waiting);
    });
    expect((await post(`${AUTH}/register`, account)).statusCode).toBe(201);
  },
);

test('who is logged in does not notice that many log in', async () => {
  const tokens = await logIn('yara');
  await whileHashing(async () => {
    expect([await write(tokens), (await refresh(tokens.refresh_token)).statusCode]).toEqual([201, 200]);
  });
});

test('an unknown user takes as long as a wrong password: both wait for a turn, to hash at the same cost', async () => {
  await register('carla');
  await whileHashing(async () => {
    for (const username of ['carla', 'nobody']) {
      expect((await post(`${AUTH}/token`, { username, password: 'wrong' })).statusCode).toBe(429);
    }
  });
  const [row] = await query(databaseUrl, "SELECT hashed_password FROM users WHERE username = 'carla'");
  const costOf = (hash: unknown) => String(hash).split('$', 4).join('$');
  expect(costOf(nobodysHash)).toBe(costOf(row?.['hashed_password']));
  expect(nobodysHash.length).toBe(String(row?.['hashed_password']).length);
});

// without Redis, and with Redis back

test('without Redis: a logout still counts, everywhere and at once; nobody else is kept out; limits hold', async () => {
  const [leaving, staying] = [await logIn('uma'), await logIn('vera')];
  const revokedBefore = await logIn('wanda');
  await logOut(revokedBefore);
  const limited = anotherPod({ environment: LIMITS });
  await redisServer.stop();
  await until('Redis is gone', async () => !(await redisAnswers()));

  expect(await write(revokedBefore)).toBe(401);
  expect([await write(leaving), await write(staying)]).toEqual([201, 201]);
  expect((await logOut(leaving)).statusCode).toBe(204);
  expect([await write(leaving), await write(leaving, other), await write(staying, other)]).toEqual([401, 401, 201]);
  expect((await refresh(leaving.refresh_token)).statusCode).toBe(401);
  expect((await app.inject(RESOURCES)).statusCode).toBe(200);
  const again: Tokens = (await post(`${AUTH}/token`, { username: 'uma', password: PASSWORD })).json();
  expect(await write(again)).toBe(201);
  expect(await statusesOf(4, () => attempt(limited, '192.0.2.9'))).toEqual([422, 422, 422, 429]);

  // it comes back with nothing in it
  await redisServer.start();
  await until('Redis answers', redisAnswers);
  expect([await write(leaving), await write(revokedBefore), await write(staying)]).toEqual([401, 401, 201]);
  const { jti } = decodeJwt(staying.access_token);
  await sleep(1_100); // what failed is left alone for a second
  expect((await logOut(staying)).statusCode).toBe(204);
  expect(await redis.exists(`devshelf:denied:${jti}`)).toBe(1);
}, 60_000);

test('Redis that stands still keeps nobody waiting for long, and lets nobody in', async () => {
  const [gone, staying] = [await logIn('paula'), await logIn('petra')];
  await logOut(gone);
  const limited = anotherPod({ environment: LIMITS });
  redisServer.pause();
  try {
    const begun = performance.now();
    expect([await write(gone), await write(staying)]).toEqual([401, 201]);
    expect(await statusesOf(4, () => attempt(limited, '192.0.2.10'))).toEqual([422, 422, 422, 429]);
    expect((await logOut(staying)).statusCode).toBe(204);
    expect(await write(staying)).toBe(401);
    // nine requests, of which only the first to notice waits for a timeout
    expect(performance.now() - begun).toBeLessThan(10_000);
  } finally {
    redisServer.resume();
  }
  await until('Redis answers', redisAnswers);
}, 30_000);

test('while the database is away nobody is told that he is logged out', async () => {
  const tokens = await logIn('xenia');
  await postgres.stop();
  expect((await logOut(tokens)).statusCode).toBe(500);
  await postgres.start();
  await until('the database answers', async () => (await app.inject(RESOURCES)).statusCode === 200);
  expect((await logOut(tokens)).statusCode).toBe(204);
  expect(await write(tokens)).toBe(401);
}, 30_000);
