import { expect, test } from '@jest/globals';
import { type CallingPod, callersOf } from './key-callers.ts';

const SINCE = Date.parse('2026-03-01T12:00:00Z');
const pod = (name: string, spec: CallingPod['spec'], change: object = {}): CallingPod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, creationTimestamp: '2026-03-01T11:00:00Z' as never },
  ...(spec && { spec }),
  status: { phase: 'Running' },
  ...change,
});
const environment = { containers: [{ env: [{ valueFrom: { secretKeyRef: { name: 'shop-api-key' } } }] }] };
const mount = (volumeMount: object, source: object) => ({
  containers: [{ volumeMounts: [{ name: 'key', ...volumeMount }] }],
  volumes: [{ name: 'key', ...source }],
});
const secret = { secret: { secretName: 'shop-api-key' } };

test.each<[string, CallingPod, readonly string[]]>([
  ['a key in the environment', pod('a', environment), ['pod a (has it in its environment: restart it)']],
  [
    'all keys in the environment',
    pod('a', { containers: [{ envFrom: [{ secretRef: { name: 'shop-api-key' } }] }] }),
    ['pod a (has it in its environment: restart it)'],
  ],
  [
    'a mount by subPath',
    pod('a', mount({ subPath: 'key' }, secret)),
    ['pod a (mounts it by subPath, which is never updated: restart it)'],
  ],
  [
    'a projected volume by subPath',
    pod('a', mount({ subPath: 'key' }, { projected: { sources: [{ secret: { name: 'shop-api-key' } }] } })),
    ['pod a (mounts it by subPath, which is never updated: restart it)'],
  ],
  ['a directory, which follows', pod('a', mount({}, secret)), []],
  ['another Secret', pod('a', mount({ subPath: 'key' }, { secret: { secretName: 'other' } })), []],
  [
    'one that started afterwards',
    pod('a', environment, { metadata: { name: 'a', creationTimestamp: '2026-03-01T12:00:01Z' } }),
    [],
  ],
  ['one that has ended', pod('a', environment, { status: { phase: 'Succeeded' } }), []],
])('%s', (_case, one, expected) => {
  expect(callersOf([one], 'shop-api-key', SINCE)).toEqual(expected);
});
