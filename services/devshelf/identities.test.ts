import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { normalEmail, usernameKey } from './identities.ts';

test.each([
  ['ana', 'ANA'],
  ['ana', 'ａｎａ'],
  ['ana', 'a\u200bn\u2060a'],
  ['josé', 'JOSE\u0301'],
  ['strasse', 'Straße'],
  ['strasse', 'STRAẞE'],
  ['fi', 'ﬁ'],
  ['ana', ' ana '],
])('%j and %j are one name', (one, other) => {
  expect(usernameKey(other)).toBe(usernameKey(one));
});

test.each([
  ['jose', 'josé'],
  ['ana', 'ana1'],
  ['ana b', 'anab'],
])('%j and %j are two', (one, other) => {
  expect(usernameKey(other)).not.toBe(usernameKey(one));
});

test('the key of a key is itself, of every character', () => {
  const isOther = (character: string) => usernameKey(usernameKey(character)) !== usernameKey(character);
  const all = Array.from({ length: 0x11_0000 }, (_none, code) => String.fromCodePoint(code));
  expect(all.filter(isOther)).toEqual([]);
});

test('the key of a key is itself', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), name => {
      expect(usernameKey(usernameKey(name))).toBe(usernameKey(name));
    }),
  );
});

test.each([
  ['ana@example.org', 'ana@example.org'],
  ['Ana@EXAMPLE.Org', 'Ana@example.org'],
  ['ñandú@example.org', 'ñandú@example.org'],
  ['n\u0303andu@example.org', 'ñandu@example.org'],
  ['ana@MÜNCHEN.de', 'ana@münchen.de'],
  ['ana@xn--mnchen-3ya.de', 'ana@münchen.de'],
  ['user@例え.jp', 'user@例え.jp'],
  ["o'hara+news!#$%&*/=?^_`{|}~-@mail.example.org", "o'hara+news!#$%&*/=?^_`{|}~-@mail.example.org"],
])('%s is stored as %s', (given, stored) => {
  expect(normalEmail(given)).toBe(stored);
});

test.each([
  '',
  'ana',
  '@example.org',
  'ana@',
  'ana@localhost',
  'ana@example.x',
  'ana@192.0.2.1',
  'ana@[192.0.2.1]',
  'ana@example..org',
  'ana@-example.org',
  'ana@example.org.',
  'ana@example.org/x',
  'ana@exa mple.org',
  'ana@exa%6Dple.org',
  'a b@example.org',
  '.ana@example.org',
  'ana.@example.org',
  'a..b@example.org',
  'a@b@example.org',
  '"ana"@example.org',
  'ana\0@example.org',
  `${'a'.repeat(65)}@example.org`,
  `${'ñ'.repeat(33)}@example.org`,
  `ana@${'a'.repeat(64)}.org`,
])('%j is no address', text => {
  expect(normalEmail(text)).toBeUndefined();
});

test('what is stored is an address that stays as it is', () => {
  fc.assert(
    fc.property(fc.emailAddress(), address => {
      const stored = normalEmail(address);
      if (stored !== undefined) expect(normalEmail(stored)).toBe(stored);
    }),
  );
});
