import { expect, test } from '@jest/globals';
import { decodeJwt, decodeProtectedHeader, SignJWT, UnsecuredJWT } from 'jose';
import { type Keyring, usesOf } from '../common/keyring.ts';
import { accessTokens } from './tokens.ts';

const OLD = 'old-key-of-at-least-thirty-two-bytes';
const NEW = 'new-key-of-at-least-thirty-two-bytes';
const USER = '6f1c1b9e-0f0a-4a6e-9c39-3c3a5c1d2e01';
const SESSION = '6f1c1b9e-0f0a-4a6e-9c39-3c3a5c1d2e02';

function tokensWith(keyring: Keyring, lifetimeSeconds = 60) {
  return accessTokens({ value: keyring, close: () => undefined }, lifetimeSeconds);
}

const before = tokensWith({ current: 'k1', keys: { k1: OLD } });
const during = tokensWith({ current: 'k2', keys: { k1: OLD, k2: NEW } });
const after = tokensWith({ current: 'k2', keys: { k2: NEW } });

test('a token of the old key lives as long as the ring holds its key', async () => {
  const token = await before.issue(USER, SESSION);
  expect(decodeProtectedHeader(token)).toEqual({ alg: 'HS256', kid: 'k1', typ: 'JWT' });
  expect(await during.verify(token)).toMatchObject({ userId: USER, sessionId: SESSION });
  expect(await after.verify(token)).toBeUndefined();
});

test('the current key signs', async () => {
  expect(decodeProtectedHeader(await during.issue(USER, SESSION))).toMatchObject({ kid: 'k2' });
});

test('a ring that changes under way changes who is let in', async () => {
  const source = { value: { current: 'k1', keys: { k1: OLD } } as Keyring, close: () => undefined };
  const tokens = accessTokens(source, 60);
  const old = await tokens.issue(USER, SESSION);
  source.value = { current: 'k2', keys: { k1: OLD, k2: NEW } };
  expect(await tokens.verify(old)).toBeDefined();
  const recent = await tokens.issue(USER, SESSION);
  source.value = { current: 'k2', keys: { k2: NEW } };
  expect([await tokens.verify(old), await tokens.verify(recent)]).toEqual([undefined, expect.anything()]);
  // what was refused is no use of the key that it names
  expect(['k1', 'k2'].map(kid => usesOf(source, kid))).toEqual([1, 1]);
});

test('a token says who, from whom, for whom, in which session, from when to when; each has an id of its own', async () => {
  const token = await before.issue(USER, SESSION);
  const claims = decodeJwt(token);
  expect(claims).toEqual({
    iss: 'devshelf',
    aud: 'devshelf-api',
    sub: USER,
    sid: SESSION,
    jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
    typ: 'access',
    iat: expect.any(Number),
    exp: (claims.iat ?? 0) + 60,
  });
  expect(await before.verify(token)).toEqual({
    userId: USER,
    sessionId: SESSION,
    jti: claims.jti,
    expiresAt: new Date(((claims.exp ?? 0) + 5) * 1_000),
  });
  expect(decodeJwt(await before.issue(USER, SESSION)).jti).not.toBe(claims.jti);
});

type Forgery = { readonly kid?: string | undefined; readonly key?: string; readonly alg?: string };
const now = () => Math.floor(Date.now() / 1_000);

function forged(claims: Record<string, unknown>, { key = OLD, alg = 'HS256', ...header }: Forgery = {}) {
  const kid = 'kid' in header ? header.kid : 'k1';
  const all = {
    iss: 'devshelf',
    aud: 'devshelf-api',
    sub: USER,
    sid: SESSION,
    jti: 'one',
    typ: 'access',
    iat: now(),
    exp: now() + 60,
    ...claims,
  };
  return new SignJWT(JSON.parse(JSON.stringify(all)))
    .setProtectedHeader({ alg, ...(kid !== undefined && { kid }) })
    .sign(new TextEncoder().encode(key));
}

const encoded = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');

test.each([
  ['one that has ended', tokensWith({ current: 'k1', keys: { k1: OLD } }, -10).issue(USER, SESSION)],
  ['no token', Promise.resolve('nonsense')],
  ['an opaque refresh token', Promise.resolve(`dsr_${'x'.repeat(43)}`)],
  ['another key under a known id', forged({}, { key: NEW })],
  ['an unknown key id', forged({}, { kid: 'k9' })],
  ['no key id', forged({}, { kid: undefined })],
  ['a key id that is a property of every object', forged({}, { kid: 'constructor' })],
  ['another algorithm', forged({}, { alg: 'HS512' })],
  ['another issuer', forged({ iss: 'elsewhere' })],
  ['another audience', forged({ aud: 'elsewhere' })],
  ['not an access token', forged({ typ: 'refresh' })],
  ['no user', forged({ sub: undefined })],
  ['a user that is no id', forged({ sub: 'ana' })],
  ['no session', forged({ sid: undefined })],
  ['no id of its own', forged({ jti: undefined })],
  ['no end', forged({ exp: undefined })],
  ['no beginning', forged({ iat: undefined })],
  ['from a future that no clock explains', forged({ iat: now() + 60, exp: now() + 120 })],
  ['older than any may be, though its end is far', forged({ iat: now() - 910, exp: now() + 3_600 })],
  ['no signature', Promise.resolve(new UnsecuredJWT({ iss: 'devshelf', sub: USER, typ: 'access' }).encode())],
  [
    'alg none under a known key id',
    forged({}).then(token => `${encoded({ alg: 'none', kid: 'k1' })}.${token.split('.')[1]}.`),
  ],
  ['another payload under a good signature', forged({}).then(token => token.replace(/\.[^.]+\./, `.${encoded({})}.`))],
])('refused: %s', async (_case, token) => {
  expect(await before.verify(await token)).toBeUndefined();
});

test('the forger of the rows above differs from us in the one changed thing only', async () => {
  expect(await before.verify(await forged({}))).toMatchObject({ userId: USER });
});

test('a pod whose clock is some seconds behind accepts what another one just issued', async () => {
  expect(await before.verify(await forged({ iat: now() + 3 }))).toBeDefined();
});
