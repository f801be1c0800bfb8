import { expect, test } from '@jest/globals';
import { contentKey, referencesOf } from './references.ts';
import { dashboard, devshelf } from './testing.ts';

test('every object once, with all that is taken from it', () => {
  const app = devshelf({
    extraEnv: [
      { name: 'PLAIN', value: 'x' },
      { name: 'A', valueFrom: { secretKeyRef: { name: 'more', key: 'A' } } },
      { name: 'B', valueFrom: { secretKeyRef: { name: 'more', key: 'B' } } },
      { name: 'C', valueFrom: { configMapKeyRef: { name: 'settings', key: 'C' } } },
      { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
    ],
    envFrom: [{ secretRef: { name: 'more' } }, { configMapRef: { name: 'flags' } }],
    imagePullSecrets: [{ name: 'registry' }],
  });
  expect(referencesOf(app)).toStrictEqual([
    { kind: 'Secret', name: 'devshelf-db', keys: ['DATABASE_URL'] },
    { kind: 'Secret', name: 'devshelf-redis', keys: ['REDIS_URL'] },
    { kind: 'Secret', name: 'more', keys: ['A', 'B'] },
    { kind: 'ConfigMap', name: 'settings', keys: ['C'] },
    { kind: 'ConfigMap', name: 'flags', keys: [] },
  ]);
});

test('the smallest resource refers to its database only', () => {
  expect(referencesOf(dashboard()).map(contentKey)).toEqual(['Secret/dashboard-db']);
});
