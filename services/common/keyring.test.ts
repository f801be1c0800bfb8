import { expect, test } from '@jest/globals';
import { findKeyId, KeyringError, parseKeyring, sameSecret } from './keyring.ts';

const keyring = parseKeyring('{"current":"k2","keys":{"k1":"dsk_k1_old","k2":"dsk_k2_new"}}');

test.each([
  ['the current key', 'dsk_k2_new', 'k2'],
  ['the one before, as long as it is in the ring', 'dsk_k1_old', 'k1'],
  ['a wrong key', 'dsk_k2_neW', undefined],
  ['a part of a key', 'dsk_k2_', undefined],
  ['nothing', '', undefined],
])('%s', (_case, presented, id) => {
  expect(findKeyId(keyring, presented)).toBe(id);
});

test.each([
  ['not JSON', 'dsk_k1_secret'],
  ['no keys', '{"current":"k1","keys":{}}'],
  ['a current key that is not there', '{"current":"k3","keys":{"k1":"dsk_k1_secret"}}'],
  ['an empty key', '{"current":"k1","keys":{"k1":"","k2":"dsk_k1_secret"}}'],
])('refused without quoting a key: %s', (_case, text) => {
  expect(() => parseKeyring(text)).toThrow(KeyringError);
  expect(() => parseKeyring(text)).not.toThrow('secret');
});

test('secrets of different lengths compare without an error', () => {
  expect(sameSecret('a', 'abc')).toBe(false);
  expect(sameSecret('abc', 'abc')).toBe(true);
});
