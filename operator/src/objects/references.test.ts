import { expect, test } from '@jest/globals';
import { contentHash, contentKey, referencesOf } from './references.ts';
import { dashboard, devshelf } from './testing.ts';

const secret = { kind: 'Secret', name: 'more', keys: ['A'], whole: false } as const;

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
    { kind: 'Secret', name: 'devshelf-db', keys: ['DATABASE_URL'], whole: false },
    { kind: 'Secret', name: 'devshelf-redis', keys: ['REDIS_URL'], whole: false },
    { kind: 'Secret', name: 'more', keys: ['A', 'B'], whole: true },
    { kind: 'ConfigMap', name: 'settings', keys: ['C'], whole: false },
    { kind: 'ConfigMap', name: 'flags', keys: [], whole: true },
  ]);
});

test('the smallest resource refers to its database only', () => {
  expect(referencesOf(dashboard()).map(contentKey)).toEqual(['Secret/dashboard-db']);
});

test('a key that nobody takes may change', () => {
  expect(contentHash(secret, { A: '1', B: '2' })).toBe(contentHash(secret, { A: '1', B: '3' }));
});

test('a key that is taken may not', () => {
  expect(contentHash(secret, { A: '1' })).not.toBe(contentHash(secret, { A: '2' }));
});

test('where all is taken every key counts', () => {
  const whole = { ...secret, whole: true };
  expect(contentHash(whole, { A: '1', B: '2' })).not.toBe(contentHash(whole, { A: '1', B: '3' }));
});
