import { expect, test } from '@jest/globals';
import { API_VERSION } from './group.ts';
import { KINDS } from './kinds.ts';
import { parseResource } from './resource.ts';

const metadata = { name: 'shop', namespace: 'default', uid: 'u-1' };

test.each(KINDS)('the smallest $kind is read with its defaults', ({ kind, smallestSpec }) => {
  const parsed = parseResource({ apiVersion: API_VERSION, kind, metadata, spec: smallestSpec });
  expect(parsed).toMatchObject({
    ok: true,
    resource: {
      kind,
      metadata: { ...metadata, labels: {}, annotations: {} },
      spec: { ...smallestSpec, replicas: 2, rollout: { canaryReplicas: 1, analysis: { maxServerErrorRatio: '0.05' } } },
      status: { observedGeneration: -1 },
    },
  });
});

test('a resource that does not fit says which field', () => {
  const parsed = parseResource({ apiVersion: API_VERSION, kind: 'DashboardDeployment', metadata, spec: { image: 7 } });
  expect(parsed).toEqual({ ok: false, why: expect.stringContaining('spec.image') });
});

test('a resource of another kind does not fit', () => {
  expect(parseResource({ apiVersion: API_VERSION, kind: 'Pod', metadata, spec: {} })).toMatchObject({ ok: false });
});

test.each<[string, unknown, object]>([
  [
    'a key of a newer version',
    {
      phase: 'Released',
      keys: [
        { name: 'webhook', secret: 's', state: 'Idle' },
        { name: 'api', secret: 'k', state: 'Idle' },
      ],
    },
    { phase: 'Released', keys: [{ name: 'api', secret: 'k', state: 'Idle' }] },
  ],
  [
    'a condition with a status of its own',
    { observedGeneration: 3, conditions: [{ type: 'Ready', status: 'Perhaps' }] },
    { observedGeneration: 3, conditions: [] },
  ],
  ['a field of another type', { replicas: 'two', readyReplicas: 1 }, { observedGeneration: -1, readyReplicas: 1 }],
  ['no object', 'gone', { observedGeneration: -1 }],
  ['null', null, { observedGeneration: -1 }],
])('a status that this version cannot read stops nothing, the rest of it is read: %s', (_case, status, expected) => {
  const spec = { image: 'a:1', database: { urlSecretRef: { name: 'db' } } };
  const parsed = parseResource({ apiVersion: API_VERSION, kind: 'DashboardDeployment', metadata, spec, status });
  if (!parsed.ok) throw new Error(parsed.why);
  expect(parsed.resource.status).toMatchObject(expected);
  expect(parsed.resource.status.replicas).toBeUndefined();
});
