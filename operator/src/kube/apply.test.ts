import { expect, test } from '@jest/globals';
import { type Applied, differs, hashOf } from './apply.ts';
import type { KubeObject } from './resource.ts';

const writer = { fieldManager: 'writer', hashAnnotation: 'applied' };
const desired: KubeObject & { spec: object } = {
  apiVersion: 'v1',
  kind: 'Thing',
  metadata: { name: 'a', namespace: 'n', labels: { app: 'shop' } },
  spec: { size: 1, tags: ['x', 'y'], ports: [{ port: 80 }], keys: ['k'] },
};
// as the API server writes it (a node that loses its last child goes with it): tags are one value, ports a list with keys (one of them filled in), keys a set
const fields = {
  'f:metadata': { 'f:labels': { 'f:app': {} }, 'f:annotations': { 'f:applied': {} } },
  'f:spec': {
    'f:size': {},
    'f:tags': {},
    'f:ports': { 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:port': {} } },
    'f:keys': { 'v:"k"': {} },
  },
};
const applied: Applied = { hash: hashOf(desired), apiVersion: 'v1', fields };

const without = (path: string[]): object => {
  const copy = structuredClone(fields) as Record<string, unknown>;
  const last = path.pop() ?? '';
  const parent = path.reduce((node, key) => node[key] as Record<string, unknown>, copy);
  delete parent[last];
  return copy;
};

test.each([
  ['nothing happened', applied, false],
  ['it was never applied', undefined, true],
  ['something else was applied', { ...applied, hash: 'other' }, true],
  ['it was applied through another version of the API', { ...applied, apiVersion: 'v1beta1' }, true],
  ['a scalar was taken', { ...applied, fields: without(['f:spec', 'f:size']) }, true],
  ['a list that is one value was taken', { ...applied, fields: without(['f:spec', 'f:tags']) }, true],
  ['the last item was taken', { ...applied, fields: without(['f:spec', 'f:ports']) }, true],
  [
    'a field of an item was taken',
    { ...applied, fields: without(['f:spec', 'f:ports', 'k:{"port":80,"protocol":"TCP"}', 'f:port']) },
    true,
  ],
  ['the last item of a set was taken', { ...applied, fields: without(['f:spec', 'f:keys']) }, true],
  ['the last label was taken', { ...applied, fields: without(['f:metadata', 'f:labels']) }, true],
  [
    'there is another item instead',
    { ...applied, fields: { ...fields, 'f:spec': { ...fields['f:spec'], 'f:ports': { 'k:{"port":81}': {} } } } },
    true,
  ],
  [
    'a set has another item instead',
    { ...applied, fields: { ...fields, 'f:spec': { ...fields['f:spec'], 'f:keys': { 'v:"other"': {} } } } },
    true,
  ],
])('a write is needed: %s', (_case, live, expected) => {
  expect(differs(desired, live, writer)).toBe(expected);
});

test('the order of keys and fields that are undefined make no difference', () => {
  expect(hashOf({ a: 1, b: { c: [1, { e: 1, d: undefined }] } })).toBe(hashOf({ b: { c: [1, { e: 1 }] }, a: 1 }));
  expect(hashOf({ a: [1, 2] })).not.toBe(hashOf({ a: [2, 1] }));
});

test('a field that is undefined is not desired', () => {
  const spec = { ...desired.spec, absent: undefined };
  expect(differs({ ...desired, spec } as KubeObject, applied, writer)).toBe(false);
});
