import { expect, test } from '@jest/globals';
import { passwordFault } from './password-rules.ts';

const context = { username: 'Sofía Paz', email: 'sofia.paz@shopping.example.org', minLength: 8 };
const COMMON = 'is one of the passwords that are tried first: choose another one';
const KNOWN = 'is little more than your name, your address or the name of this service: choose another one';

test.each([
  ['password123', COMMON],
  ['PassWord123', COMMON],
  ['qwertyuiop', COMMON],
  ['contrasena', COMMON],
  ['zzzzzzzzzzzzzzzz', COMMON],
  ['sofía paz', KNOWN],
  ['SOFÍA PAZ 2026', KNOWN],
  ['sofia.paz@shopping.example.org', KNOWN],
  ['shopping!9', KNOWN],
  ['devshelf2026', KNOWN],
  ['ＤｅｖＳｈｅｌｆ!', KNOWN],
  ['correct horse battery', undefined],
  ['devshelf has a correct horse', undefined],
  ['7Jq!x-41', undefined],
])('%j: %s', async (password, fault) => {
  expect(await passwordFault(password, context)).toBe(fault);
});

test('a short name does not stand in the way', async () => {
  expect(await passwordFault('ana-y-beto', { username: 'ana', email: 'ana@x.org', minLength: 8 })).toBeUndefined();
});
