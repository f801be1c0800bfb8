import { expect, test } from '@jest/globals';
import { type Digest, digestOf, sourcesOf, type Version, wantedAgain, wantedOf } from './contents.ts';
import { contentKey } from './references.ts';
import { dashboard } from './testing.ts';

const SPEC = { envFrom: [{ configMapRef: { name: 'flags' } }] };
const PASSWORD = 'hunter2';
const SEED = { known: true, value: 'a random' } as const;

const found: ReadonlyMap<string, Digest> = new Map([
  [
    contentKey({ kind: 'Secret', name: 'dashboard-db' }),
    digestOf({ DATABASE_URL: `postgresql://shop:${PASSWORD}@db:5432/shop` }, false),
  ],
  [contentKey({ kind: 'ConfigMap', name: 'flags' }), digestOf({ COLOUR: 'blue' }, false)],
]);
const secret: Version = { kind: 'Secret', name: 'dashboard-db', uid: 'u1', resourceVersion: '7' };
const flags: Version = { kind: 'ConfigMap', name: 'flags', uid: 'u2', resourceVersion: '8' };
const versions = [secret, flags];

function read(spec: object = {}) {
  const { wanted } = wantedOf(dashboard({ ...SPEC, ...spec }), found, SEED, []);
  if (!wanted.known) throw new Error(wanted.why);
  return wanted.value;
}

const SOURCES = sourcesOf(dashboard(SPEC), versions);
const before = { sources: SOURCES, release: read().release.hash, database: read().databaseIdentity };
const again = (spec: object = {}, sources = SOURCES) =>
  wantedAgain(dashboard({ ...SPEC, ...spec }), sources, before, [read().release]);

test.each<[string, object, readonly Version[]]>([
  ['another version of an object', {}, [secret, { ...flags, resourceVersion: '9' }]],
  ['another object of that name', {}, [{ ...secret, uid: 'u3' }, flags]],
  ['one object more', {}, [...versions, { ...flags, name: 'more' }]],
  ['a ConfigMap instead of a Secret', {}, [{ ...secret, kind: 'ConfigMap' }, flags]],
  ['a field that changes pods', { image: 'example/dashboard:1.0.1' }, versions],
  ['another key of the same Secret', { database: { urlSecretRef: { name: 'dashboard-db', key: 'URL' } } }, versions],
])('it is made of something else: %s', (_case, spec, of) => {
  expect(sourcesOf(dashboard({ ...SPEC, ...spec }), of)).not.toBe(SOURCES);
});

test('what changes no pod is not what it is made of', () => {
  expect(sourcesOf(dashboard({ ...SPEC, replicas: 7 }), versions)).toBe(SOURCES);
});

test.each([
  ['as it was', {}],
  ['with another migration, which is no part of the hash', { migrations: { command: ['migrate', 'up', '--all'] } }],
])('what is known without reading is what reading gives: %s', (_case, spec) => {
  const { release, databaseIdentity } = read(spec);
  expect(release.configMaps).toHaveLength(1);
  expect(again(spec)).toEqual({ release, databaseIdentity, sources: SOURCES });
});

test('nothing is known of other sources, of a record that says nothing, or of a release that is forgotten', () => {
  expect(again({}, sourcesOf(dashboard(SPEC), [secret]))).toBeUndefined();
  expect(wantedAgain(dashboard(SPEC), SOURCES, undefined, [read().release])).toBeUndefined();
  expect(wantedAgain(dashboard(SPEC), SOURCES, before, [])).toBeUndefined();
});
