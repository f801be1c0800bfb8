import { crc32 as zlibCrc32 } from 'node:zlib';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { clientSecret, crc32, keyIdOf, keyringSecret, keyringsOf, newKey, parseKeyring } from './keyring.ts';
import { dashboard, dashboardMeta, devshelf } from './testing.ts';

const key = newKey('1', new Uint8Array(32).fill(7));
const keyring = { current: '1', keys: { '1': key } };

test('a key has prefix, id, 256 bits and a checksum', () => {
  expect(key).toBe('dsk_1_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc_703d0f34');
});

test('every key tells its id', () => {
  const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const kid = fc.stringMatching(/^[a-z0-9]{1,16}$/);
  fc.assert(fc.property(kid, bytes, (id, random) => keyIdOf(newKey(id, random)) === id));
});

test.each([
  ['one character mistyped', key.replace('Bwc', 'Bwd')],
  ['another id', key.replace('_1_', '_2_')],
  ['cut off', key.slice(0, -1)],
  ['something else', 'secret'],
])('not a key of ours: %s', (_case, text) => {
  expect(keyIdOf(text)).toBeUndefined();
});

test.each([
  ['too few bytes', '1', 31],
  ['an id with an underscore', 'a_b', 32],
  ['no id', '', 32],
])('refused: %s', (_case, kid, length) => {
  expect(() => newKey(kid, new Uint8Array(length))).toThrow(RangeError);
});

test('the checksum is zlib’s', () => {
  fc.assert(fc.property(fc.uint8Array(), bytes => crc32(bytes) === zlibCrc32(bytes)));
});

test('the whole keyring Secret, and back', () => {
  const secret = keyringSecret(dashboard(), 'dashboard-api-keyring', keyring);
  expect(secret).toStrictEqual({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: dashboardMeta('dashboard-api-keyring'),
    type: 'Opaque',
    data: { 'keyring.json': btoa(`{"current":"1","keys":{"1":"${key}"}}`) },
  });
  expect(parseKeyring(secret['data'] as Record<string, string>)).toEqual(keyring);
});

test.each([
  ['nothing', undefined],
  ['no file', {}],
  ['not JSON', { 'keyring.json': btoa('{') }],
  ['no current key', { 'keyring.json': btoa('{"current":"2","keys":{"1":"a"}}') }],
  ['a key that is no text', { 'keyring.json': btoa('{"current":"1","keys":{"1":1}}') }],
])('not a keyring: %s', (_case, data) => {
  expect(parseKeyring(data)).toBeUndefined();
});

test('clients read one key', () => {
  expect(clientSecret(dashboard(), 'dashboard-api-key', { key })['data']).toEqual({ key: btoa(key) });
});

test.each([
  ['dashboard', dashboard(), ['dashboard-api-keyring', 'dashboard-scrape-keyring']],
  ['devshelf', devshelf(), ['devshelf-signing-keyring', 'devshelf-scrape-keyring']],
])('keyrings of a %s', (_kind, app, secrets) => {
  expect(keyringsOf(app).map(({ secret }) => secret)).toEqual(secrets);
});
