import { expect, test } from '@jest/globals';
import type { KubeObject } from '../kube/resource.ts';
import { keepApp, Stores } from './world.ts';

const shopIn = (namespace: string, metadata: object = {}) =>
  keepApp({
    apiVersion: 'apps.devshelf.dev/v1alpha1',
    kind: 'DashboardDeployment',
    metadata: { namespace, name: 'shop', uid: namespace, resourceVersion: '1', ...metadata },
    spec: {
      image: 'a:1',
      database: { urlSecretRef: { name: 'db' } },
      envFrom: [{ configMapRef: { name: 'settings' } }],
    },
  } as KubeObject);

test('a Secret concerns the resources of its own namespace, however many others name theirs alike', () => {
  const apps = new Stores().apps.DashboardDeployment;
  for (let index = 0; index < 500; index += 1) apps.upsert(shopIn(`n${index}`));
  for (const name of ['Secret/db', 'Secret/shop-api-keyring', 'Secret/shop-api-key', 'ConfigMap/settings']) {
    expect(apps.byIndex('references', `n7/${name}`).map(({ metadata }) => metadata.namespace)).toEqual(['n7']);
  }
  expect(apps.byIndex('references', 'n7/Secret/other')).toEqual([]);
});

test('of managedFields only the names of those who wrote the spec, and a request, are kept', () => {
  const time = '2026-11-29T10:00:00Z';
  const spec = { 'f:spec': { 'f:image': {} } };
  const request = { 'f:metadata': { 'f:annotations': { 'f:devshelf.dev/rotate': {}, 'f:other': {} } } };
  const managedFields = [
    { manager: 'helm', time, fieldsV1: spec },
    { manager: 'kubectl-annotate', time, fieldsV1: request },
  ];
  const kept = shopIn('n', { managedFields, annotations: { 'devshelf.dev/rotate': '1', other: '2' } });
  expect(kept.writers).toEqual({
    spec: { by: 'helm', at: time },
    requests: { 'devshelf.dev/rotate': 'kubectl-annotate' },
  });
  expect(kept.read).not.toHaveProperty('metadata.managedFields');
  expect(
    shopIn('n', { managedFields: [{ ...managedFields[0], manager: 'm'.repeat(128) }] }).writers.spec?.by,
  ).toHaveLength(64);
  expect(shopIn('n').writers).toEqual({});
});
