import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { hashPassword, inTurns, isOutdated, nobodysHash, PasswordsBusyError, verifyPassword } from './passwords.ts';

test('a password fits its own hash only, and two hashes of one password differ', async () => {
  const hash = await hashPassword('contraseña');
  expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  expect(await verifyPassword('contraseña', hash)).toBe(true);
  expect(await verifyPassword('contrasena', hash)).toBe(false);
  expect(await hashPassword('contraseña')).not.toBe(hash);
});

test.each([
  ["nobody's hash fits no password", nobodysHash],
  ['an unknown kind of hash', '$2b$12$abcdefghijklmnopqrstuv'],
  ['half a hash', '$pbkdf2-sha256$29000$N2YMIWQsBWBMae09x1jrPQ'],
])('fits nothing: %s', async (_case, hash) => {
  expect(await verifyPassword('x', hash)).toBe(false);
  expect(await verifyPassword('', hash)).toBe(false);
});

test('more at once than there are turns all get theirs', async () => {
  const hashes = await Promise.all(Array.from({ length: 6 }, () => hashPassword('x')));
  expect(new Set(hashes).size).toBe(6);
});

// Argon2 reference implementation: argon2 somesalt -id -t 2 -k 65536 -p 1 -l 32 <<< password
test('a hash made elsewhere is understood', async () => {
  const elsewhere = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
  expect(await verifyPassword('password', elsewhere)).toBe(true);
  expect(isOutdated(elsewhere)).toBe(false);
});

// Python: hashlib.pbkdf2_hmac('sha256', b'secret', salt, 29000), written as passlib writes it
test("the Python service's hashes are understood, and asked to be replaced", async () => {
  const theirs = '$pbkdf2-sha256$29000$N2YIIWQkBWxMae09x1jrPQ$gK3J7DDhwQfEhyFieELtZ.B9ThNYZ9H9SRSsduhDc0U';
  expect(await verifyPassword('secret', theirs)).toBe(true);
  expect(await verifyPassword('Secret', theirs)).toBe(false);
  expect(isOutdated(theirs)).toBe(true);
});

test('so many run, so many wait, in the order in which they came; one more is sent away at once', async () => {
  const turns = inTurns(2, 3);
  const ended: number[] = [];
  let most = 0;
  const work = (id: number) =>
    turns.take(async () => {
      most = Math.max(most, turns.running);
      await sleep(1);
      ended.push(id);
    });
  const taken = [0, 1, 2, 3, 4].map(work);
  expect([turns.running, turns.waiting]).toEqual([2, 3]);
  await expect(work(5)).rejects.toThrow(PasswordsBusyError);
  await Promise.all(taken);
  expect([ended, most]).toEqual([[0, 1, 2, 3, 4], 2]);
  expect([turns.running, turns.waiting]).toEqual([0, 0]);
});

test('a work that fails gives its turn back', async () => {
  const turns = inTurns(1, 1);
  await expect(turns.take(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await turns.take(async () => 'done')).toBe('done');
});
