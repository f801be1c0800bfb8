import { expect, test } from '@jest/globals';
import { decodeProtectedHeader, SignJWT, UnsecuredJWT } from 'jose';
import type { Keyring } from '../common/keyring.ts';
import { accessTokens } from './tokens.ts';

const OLD = 'old-key-of-at-least-thirty-two-bytes';
const NEW = 'new-key-of-at-least-thirty-two-bytes';

function tokensWith(keyring: Keyring, lifetimeSeconds = 60) {
  return accessTokens({ value: keyring, close: () => undefined }, lifetimeSeconds);
}

const before = tokensWith({ current: 'k1', keys: { k1: OLD } });
const during = tokensWith({ current: 'k2', keys: { k1: OLD, k2: NEW } });
const after = tokensWith({ current: 'k2', keys: { k2: NEW } });

test('a token of the old key lives as long as the ring holds its key', async () => {
  const token = await before.issue('ana');
  expect(decodeProtectedHeader(token)).toMatchObject({ alg: 'HS256', kid: 'k1' });
  expect(await during.verify(token)).toBe('ana');
  expect(await after.verify(token)).toBeUndefined();
});

test('the current key signs', async () => {
  expect(decodeProtectedHeader(await during.issue('ana'))).toMatchObject({ kid: 'k2' });
});

const forged = (claims: Record<string, unknown>, { kid = 'k1', key = OLD, alg = 'HS256' } = {}) =>
  new SignJWT({ iss: 'devshelf', aud: 'devshelf-api', sub: 'ana', typ: 'access', ...claims })
    .setProtectedHeader({ alg, kid })
    .setExpirationTime('60 s')
    .sign(new TextEncoder().encode(key));

test.each([
  ['one that has ended', tokensWith({ current: 'k1', keys: { k1: OLD } }, -1).issue('ana')],
  ['no token', Promise.resolve('nonsense')],
  ['another key under a known id', forged({}, { key: NEW })],
  ['an unknown key id', forged({}, { kid: 'k9' })],
  ['a key id that is a property of every object', forged({}, { kid: 'constructor' })],
  ['another algorithm', forged({}, { alg: 'HS512' })],
  ['another issuer', forged({ iss: 'elsewhere' })],
  ['another audience', forged({ aud: 'elsewhere' })],
  ['not an access token', forged({ typ: 'refresh' })],
  ['no signature', Promise.resolve(new UnsecuredJWT({ iss: 'devshelf', sub: 'ana', typ: 'access' }).encode())],
])('refused: %s', async (_case, token) => {
  expect(await before.verify(await token)).toBeUndefined();
});

test('the forger of the rows above differs from us in the one changed thing only', async () => {
  expect(await before.verify(await forged({}))).toBe('ana');
});
