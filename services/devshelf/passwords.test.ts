import { expect, test } from '@jest/globals';
import { hashPassword, nobodysHash, verifyPassword } from './passwords.ts';

test('a password fits its own hash only, and two hashes of one password differ', async () => {
  const hash = await hashPassword('contraseña');
  expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  expect(await verifyPassword('contraseña', hash)).toBe(true);
  expect(await verifyPassword('contrasena', hash)).toBe(false);
  expect(await hashPassword('contraseña')).not.toBe(hash);
});

test("nobody's hash fits no password, and an unknown kind of hash none either", async () => {
  expect(await verifyPassword('', nobodysHash)).toBe(false);
  expect(await verifyPassword('x', '$2b$12$abcdefghijklmnopqrstuv')).toBe(false);
});

test('more at once than there are turns all get theirs', async () => {
  const hashes = await Promise.all(Array.from({ length: 6 }, () => hashPassword('x')));
  expect(new Set(hashes).size).toBe(6);
});

// Argon2 reference implementation: argon2 somesalt -id -t 2 -k 65536 -p 1 -l 32 <<< password
test('a hash made elsewhere is understood', async () => {
  const elsewhere = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
  expect(await verifyPassword('password', elsewhere)).toBe(true);
});
