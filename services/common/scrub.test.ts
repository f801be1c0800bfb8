import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { scrub } from './scrub.ts';

test.each([
  ['a bearer', 'sent Authorization: Bearer abc.def-123', 'abc.def-123'],
  ['a web token', 'jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln expired', 'eyJzdWIiOiIxIn0'],
  ['a key of ours', 'wrong dsk_k1_0123456789abcdef', '0123456789abcdef'],
  ['a connection string', 'connect postgresql://user:hunter2@db:5432/x failed', 'hunter2'],
  ['a field of JSON', '{"password":"hunter2","a":1}', 'hunter2'],
  ['a parameter', 'GET /x?api_key=hunter2&a=1', 'hunter2'],
  ['a cookie', 'cookie: hunter2', 'hunter2'],
  ['a hash', '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA', 'aGFzaA'],
  ['an address', 'duplicate key (email)=(ana.b@example.org)', 'ana.b@example.org'],
])('%s does not stay in a text', (_case, text, secret) => {
  expect(scrub({ message: text }).message).not.toContain(secret);
});

test('what is no secret stays', () => {
  const event = { message: 'relation "resources" does not exist', tags: { route: '/api/v1/auth/:id' }, n: 1, no: null };
  expect(scrub(event)).toEqual(event);
});

const names = [
  'authorization',
  'X-API-Key',
  'x_api_key',
  'Cookie',
  'password',
  'hashed_password',
  'refresh_token',
  'SECRET_KEY',
];

test('a field with a name like these is emptied, however deep it lies', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...names),
      fc.uuid(),
      fc.array(fc.constantFrom('a', 'b', 'extra')),
      (name, secret, path) => {
        const event = path.reduce<unknown>((inner, step) => ({ [step]: [inner] }), { [name]: secret });
        expect(JSON.stringify(scrub(event))).not.toContain(secret);
      },
    ),
  );
});

test('a circle is no trap', () => {
  const circle: Record<string, unknown> = { a: 1 };
  circle['self'] = circle;
  expect(scrub(circle)).toEqual({ a: 1, self: undefined });
});
