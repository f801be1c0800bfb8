import { crc32 as zlibCrc32 } from 'node:zlib';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { RotationRecord } from '../api/rotation.ts';
import {
  changedKeyring,
  clientSecret,
  crc32,
  digestOfKey,
  type KeyringFiles,
  keyIdOf,
  keyringData,
  keyringSecret,
  keyringsOf,
  newKey,
  parseKeyring,
  parseRevoked,
} from './keyring.ts';
import { dashboard, dashboardMeta, devshelf } from './testing.ts';

const key = newKey('1', new Uint8Array(32).fill(7));
const keyring = { current: '1', keys: { '1': key } };
const record: RotationRecord = { state: 'Idle', current: '1', since: '2026-03-01T12:00:00.000Z' };

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
  const secret = keyringSecret(dashboard(), 'dashboard-api-keyring', keyring, record);
  expect(secret).toStrictEqual({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      ...dashboardMeta('dashboard-api-keyring'),
      annotations: {
        'devshelf.dev/rotation':
          '{"state":"Idle","current":"1","since":"2026-03-01T12:00:00.000Z","digests":{"1":"Z3Hq-XFt5ge1V_6qo3R4mY0Ivkv8pMXpbSP09PLyYtU"}}',
      },
    },
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
  const secret = clientSecret(dashboard(), 'dashboard-api-key', { key });
  expect(secret['data']).toEqual({ key: btoa(key) });
  expect(secret.metadata.annotations).toEqual({ 'devshelf.dev/digests': JSON.stringify({ key: digestOfKey(key) }) });
});

test.each([
  ['dashboard', dashboard(), ['dashboard-api-keyring', 'dashboard-scrape-keyring']],
  ['devshelf', devshelf(), ['devshelf-signing-keyring', 'devshelf-scrape-keyring']],
])('keyrings of a %s', (_kind, app, secrets) => {
  expect(keyringsOf(app).map(({ secret }) => secret)).toEqual(secrets);
});

const second = newKey('2', new Uint8Array(32).fill(8));
const third = newKey('2', new Uint8Array(32).fill(9));
const ids = { from: '1', to: '2', current: '1' };
const before: KeyringFiles = { keyring, revoked: {} };
const beside: KeyringFiles = { keyring: { current: '1', keys: { '1': key, '2': second } }, revoked: {} };
const after: KeyringFiles = { keyring: { current: '2', keys: { '2': second } }, revoked: { '1': key } };
const mint = () => second;
const mustNot = (): string => {
  throw new Error('a second key');
};

test.each<[string, KeyringFiles, KeyringFiles]>([
  ['a key is added beside the old one', changedKeyring('add', before, ids, key, mint), beside],
  ['adding it twice mints one', changedKeyring('add', beside, ids, key, mustNot), beside],
  [
    'it becomes the current one',
    changedKeyring('switch', beside, ids, key, mustNot),
    { keyring: { ...beside.keyring, current: '2' }, revoked: {} },
  ],
  ['the old one leaves', changedKeyring('revoke', beside, ids, second, mustNot), after],
  ['revoking twice forgets nothing', changedKeyring('revoke', after, ids, second, mustNot), after],
  [
    'in the end nothing is left of it',
    changedKeyring('finish', after, ids, second, mustNot),
    { ...after, revoked: {} },
  ],
  [
    'a new key that somebody removed before clients had it is made anew',
    changedKeyring('restore', before, ids, key, () => third),
    { keyring: { current: '1', keys: { '1': key, '2': third } }, revoked: {} },
  ],
  [
    'a new key that somebody removed comes back from the clients',
    changedKeyring('restore', before, ids, second, mustNot),
    beside,
  ],
  [
    'an old key that somebody removed comes back from the clients',
    changedKeyring('restore', { keyring: after.keyring, revoked: {} }, ids, key, mustNot),
    { keyring: { current: '1', keys: beside.keyring.keys }, revoked: {} },
  ],
  [
    'somebody’s own key is not given out',
    changedKeyring(
      'restore',
      { keyring: { current: '9', keys: { '9': 'intruder' } }, revoked: {} },
      { from: '1', to: '1', current: '1' },
      key,
      mustNot,
    ),
    { keyring: { current: '1', keys: { '1': key, '9': 'intruder' } }, revoked: {} },
  ],
])('%s', (_sentence, files, expected) => {
  expect(files).toEqual(expected);
});

test('the files of a rotation, and back', () => {
  const data = keyringData(after) as Record<string, string>;
  expect(parseKeyring(data)).toEqual(after.keyring);
  expect(parseRevoked(data)).toEqual(after.revoked);
  expect(keyringData(beside)['revoked.json']).toBeNull();
});
