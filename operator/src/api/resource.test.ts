import { expect, test } from '@jest/globals';
import { API_VERSION } from './common.ts';
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
