import { createHash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type Applied,
  appliedBy,
  differs,
  foreignFields,
  hashOf,
  lastWrite,
  sharedItems,
  statusShare,
} from './apply.ts';
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

test('of a status only what this writer applied, and nobody changed since, is its share', () => {
  const item = (...names: string[]) => Object.fromEntries(['.', 'f:type', ...names].map(name => [name, {}]));
  const share = (manager: string, operation: string, status: object) => ({
    ...{ manager, operation, apiVersion: 'v1', subresource: 'status' },
    fieldsV1: { 'f:status': status },
  });
  const managedFields = [
    { manager: 'writer', operation: 'Apply', apiVersion: 'v1', fieldsV1: { 'f:spec': {} } },
    share('writer', 'Apply', {
      'f:phase': {},
      'f:incidents': {},
      'f:rollout': { 'f:stable': {} },
      'f:conditions': { 'k:{"type":"Ready"}': item('f:status') },
    }),
    share('writer', 'Update', { 'f:conditions': { 'k:{"type":"Old"}': item('f:status') } }),
    share('tool', 'Update', {
      'f:image': {},
      'f:conditions': { 'k:{"type":"Ready"}': { 'f:reason': {} }, 'k:{"type":"Audited"}': item('f:status') },
    }),
  ];
  const status = {
    ...{ phase: 'Released', incidents: [{ at: 'noon' }], image: 'by/hand', rollout: { stable: 'a', candidate: 'b' } },
    conditions: [
      { type: 'Audited', status: 'True' },
      { type: 'Ready', status: 'True', reason: 'Theirs' },
    ],
  };
  const object = { apiVersion: 'v1', kind: 'Thing', metadata: { name: 'a', managedFields }, status };
  expect(statusShare(object, writer)).toEqual({
    ...{ phase: 'Released', incidents: [{ at: 'noon' }], rollout: { stable: 'a' } },
    conditions: [{ type: 'Ready', status: 'True' }],
  });
  expect(sharedItems(object, 'conditions', writer)).toEqual([{ type: 'Old' }, { type: 'Ready' }, { type: 'Audited' }]);
  expect(statusShare({ ...object, metadata: { name: 'a' } }, writer)).toBeUndefined();
});

const PATH = ['f:spec', 'f:template'];
const share = (manager: string, template: object, operation = 'Update') => ({
  manager,
  operation,
  fieldsV1: { 'f:spec': { 'f:template': template } },
});
const env = (name: string) => ({
  'f:spec': {
    'f:containers': {
      'k:{"name":"app"}': { 'f:env': { [`k:{"name":"${name}"}`]: { '.': {}, 'f:name': {}, 'f:value': {} } } },
    },
  },
});

test.each<[string, ReturnType<typeof share>[], string[]]>([
  ['nobody else was there', [share('writer', env('A'), 'Apply')], []],
  ['what both set alike is ours', [share('writer', env('A'), 'Apply'), share('kubectl-edit', env('A'))], []],
  ['what a webhook of our own request set is ours', [share('writer', env('B'))], []],
  [
    'what another one added is not',
    [share('writer', env('A'), 'Apply'), share('kubectl-set', env('B'))],
    ['kubectl-set spec.containers[app].env[B].name', 'kubectl-set spec.containers[app].env[B].value'],
  ],
  [
    'an annotation has its whole name',
    [share('kubectl-rollout', { 'f:metadata': { 'f:annotations': { '.': {}, 'f:a.b/restartedAt': {} } } })],
    ['kubectl-rollout metadata.annotations.a.b/restartedAt'],
  ],
])('in the template: %s', (_case, managedFields, expected) => {
  const found = foreignFields({ managedFields } as never, writer, PATH);
  expect(found.map(({ manager, field }) => `${manager} ${field}`)).toEqual(expected);
});

test('who wrote beside the template has written nothing in it', () => {
  const managedFields = [{ manager: 'autoscaler', operation: 'Update', fieldsV1: { 'f:spec': { 'f:replicas': {} } } }];
  expect(foreignFields({ managedFields } as never, writer, PATH)).toEqual([]);
});

const entry = (manager: string, second: number, fieldsV1: object, subresource?: string) => ({
  ...{ manager, fieldsV1, time: `2026-11-29T10:00:0${second}Z` },
  ...(subresource && { subresource }),
});
const SPEC = { 'f:spec': { 'f:image': {} } };
test.each([
  ['nobody', [], undefined],
  ['the one', [entry('helm', 1, SPEC)], 'helm'],
  ['the later one, whichever stands first', [entry('kubectl-edit', 3, SPEC), entry('helm', 1, SPEC)], 'kubectl-edit'],
  ['not who wrote a label since', [entry('helm', 1, SPEC), entry('kubectl-label', 3, { 'f:metadata': {} })], 'helm'],
  ['not an autoscaler', [entry('helm', 1, SPEC), entry('hpa', 3, { 'f:spec': { 'f:replicas': {} } }, 'scale')], 'helm'],
  ['not one of whom no time is known', [{ manager: 'old', fieldsV1: SPEC }, entry('helm', 1, SPEC)], 'helm'],
])('who wrote the spec last: %s', (_who, managedFields, by) => {
  expect(lastWrite({ managedFields }, ['f:spec'])?.by).toBe(by);
});

test('a hash is of the JSON of a copy with its keys in order: those that objects carry stay true', () => {
  const sorted = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(sorted);
    if (typeof value !== 'object' || value === null) return value;
    const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(fields.map(([key, child]) => [key, sorted(child)]));
  };
  const leaf = fc.oneof(fc.string(), fc.double(), fc.boolean(), fc.constantFrom(null, undefined));
  const key = fc.oneof(fc.string(), fc.nat(2 ** 33).map(String), fc.constantFrom('-1', '01', '__proto__', 'é', '😀'));
  const { value } = fc.letrec(tie => ({
    value: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie('value')), fc.dictionary(key, tie('value'))),
  }));
  fc.assert(
    fc.property(value, found => {
      const text = JSON.stringify(sorted(found)) ?? '';
      expect(hashOf(found)).toBe(createHash('sha256').update(text).digest('hex').slice(0, 16));
    }),
    { numRuns: 2_000 },
  );
});

test('owners are told apart by their uid', () => {
  const owner = (uid: string) => ({ apiVersion: 'v1', kind: 'Owner', name: 'o', uid, controller: true });
  const owned = (uid: string) => ({
    ...desired,
    metadata: { ...desired.metadata, ownerReferences: [owner(uid)] },
  });
  const live = (uid: string): Applied | undefined => {
    const references = {
      [`k:{"uid":"${uid}"}`]: {
        '.': {},
        'f:uid': {},
        'f:apiVersion': {},
        'f:kind': {},
        'f:name': {},
        'f:controller': {},
      },
    };
    const metadata = { ...fields['f:metadata'], 'f:ownerReferences': references };
    return appliedBy(
      {
        annotations: { applied: hashOf(owned(uid)) },
        managedFields: [
          { manager: 'writer', operation: 'Apply', apiVersion: 'v1', fieldsV1: { ...fields, 'f:metadata': metadata } },
        ],
      },
      writer,
    );
  };
  const one = live('6f6f-1');
  expect(differs(owned('6f6f-1'), one, writer)).toBe(false);
  expect(differs(owned('6f6f-2'), { ...one, hash: hashOf(owned('6f6f-2')) } as Applied, writer)).toBe(true);
});
