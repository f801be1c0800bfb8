import { afterEach, expect, test } from '@jest/globals';
import type { FastifyInstance } from 'fastify';
import { testApp } from './testing.ts';

let app: FastifyInstance | undefined;

function build(...args: Parameters<typeof testApp>) {
  const built = testApp(...args);
  app = built.app;
  return built.app;
}
afterEach(async () => app?.close());

const AUTH = '/api/v1/auth';
const user = { username: 'ana', email: 'ana@example.org', password: 'secretsecret' };

test.each([
  ['no e-mail address', 'register', { ...user, email: 'ana' }, 'email'],
  [
    'more before the @ than any mail server takes',
    'register',
    { ...user, email: `${'a'.repeat(65)}@example.org` },
    'email',
  ],
  ['no name', 'register', { ...user, username: '' }, 'username'],
  ['a name of 51 characters', 'register', { ...user, username: 'ñ'.repeat(51) }, 'username'],
  ['a NUL in the name', 'register', { ...user, username: 'a\0' }, 'username'],
  ['a short password', 'register', { ...user, password: 'short' }, 'password'],
  ['a password without end', 'register', { ...user, password: 'x'.repeat(1_025) }, 'password'],
  ['no password', 'token', { username: 'ana' }, 'password'],
  ['a password without end', 'token', { username: 'ana', password: 'x'.repeat(1_025) }, 'password'],
  ['another grant', 'token', { ...user, grant_type: 'client_credentials' }, 'grant_type'],
  ['no refresh token', 'refresh', {}, 'refresh_token'],
  ['nothing to revoke', 'revoke', {}, 'token'],
  ['all, but not', 'revoke', { all: false }, 'all'],
])('422 says where: %s (%s)', async (_case, route, payload, field) => {
  const response = await build().inject({ method: 'POST', url: `${AUTH}/${route}`, payload });
  expect(response.statusCode).toBe(422);
  const where = expect.objectContaining({ loc: ['body', field], msg: expect.any(String) });
  expect(response.json().detail).toContainEqual(where);
});

test('the minimum length of a password is configuration', async () => {
  const payload = { ...user, password: 'secret' };
  const at = build({ environment: { PASSWORD_MIN_LENGTH: '6', PASSWORD_REFUSE_COMMON: 'false' } });
  // past the check, and then there is no database
  expect((await at.inject({ method: 'POST', url: `${AUTH}/register`, payload })).statusCode).toBe(500);
});

test.each([['register'], ['token'], ['refresh'], ['logout'], ['revoke']])('%s with and without slash', async route => {
  const at = build();
  const [without, withSlash] = await Promise.all(
    [`${AUTH}/${route}`, `${AUTH}/${route}/`].map(url => at.inject({ method: 'POST', url, payload: {} })),
  );
  expect([401, 422]).toContain(without?.statusCode);
  expect([withSlash?.statusCode, withSlash?.body]).toEqual([without?.statusCode, without?.body]);
});

test('forms are for tokens; an account comes as JSON', async () => {
  const at = build();
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const statusOf = async (route: string) =>
    (await at.inject({ method: 'POST', url: `${AUTH}/${route}`, payload: 'a=b', headers: form })).statusCode;
  expect(await statusOf('token')).toBe(422);
  expect(await statusOf('refresh')).toBe(422);
  expect(await statusOf('register')).toBe(415);
});

test('without Redis each process counts for itself', async () => {
  const at = build({ environment: { RATELIMIT_ENABLED: 'true', RATELIMIT_TOKEN_MAX: '1' } });
  const ask = async () => (await at.inject({ method: 'POST', url: `${AUTH}/token`, payload: {} })).statusCode;
  expect([await ask(), await ask()]).toEqual([422, 429]);
});

test('the document says who may ask, what is answered and what may be refused', async () => {
  const { paths, components } = (await build().inject('/openapi.json')).json();
  const answers = (route: string) => Object.keys(paths[`${AUTH}/${route}`].post.responses);
  expect(answers('register')).toEqual(expect.arrayContaining(['201', '400', '422', '429']));
  expect(answers('token')).toEqual(expect.arrayContaining(['200', '401', '422', '429']));
  expect(answers('refresh')).toEqual(expect.arrayContaining(['200', '401', '422', '429']));
  expect(answers('logout')).toEqual(expect.arrayContaining(['204', '401']));
  expect(answers('revoke')).toEqual(expect.arrayContaining(['200', '401', '422']));
  expect(paths[`${AUTH}/logout`].post.security).toBeDefined();
  const forms = Object.keys(paths[`${AUTH}/token`].post.requestBody.content);
  expect(forms.sort()).toEqual(['application/json', 'application/x-www-form-urlencoded']);
  expect(components.schemas.Revocation).toMatchObject({ anyOf: [{ required: ['token'] }, { required: ['all'] }] });
  expect(components.schemas.Token.required.sort()).toEqual([
    'access_token',
    'expires_in',
    'refresh_token',
    'token_type',
  ]);
});
