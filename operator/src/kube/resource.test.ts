import { expect, test } from '@jest/globals';
import { deployments, events, namespaces, pathOf, pods } from './resource.ts';
import { resourceOf, retryDelayMs } from './transport.ts';

test.each([
  ['all namespaces', pathOf(pods), '/api/v1/pods'],
  ['a namespace', pathOf(deployments, { namespace: 'a' }), '/apis/apps/v1/namespaces/a/deployments'],
  ['an object', pathOf(pods, { namespace: 'a', name: 'p' }), '/api/v1/namespaces/a/pods/p'],
  [
    'a subresource',
    pathOf(deployments, { namespace: 'a', name: 'd', subresource: 'status' }),
    '/apis/apps/v1/namespaces/a/deployments/d/status',
  ],
  ['a cluster-scoped object', pathOf(namespaces, { name: 'a' }), '/api/v1/namespaces/a'],
  [
    'a name from outside cannot leave its place',
    pathOf(pods, { namespace: '..', name: 'a/b' }),
    '/api/v1/namespaces/../pods/a%2Fb',
  ],
])('the path of %s', (_case, path, expected) => {
  expect(path).toBe(expected);
});

test('an object of a namespaced kind has no path without its namespace', () => {
  expect(() => pathOf(pods, { name: 'p' })).toThrow('a namespace is needed');
});

test.each([
  ['/api/v1/pods', 'pods'],
  ['/api/v1/namespaces/a', 'namespaces'],
  ['/api/v1/namespaces/a/pods/p', 'pods'],
  ['/api/v1/namespaces/a/pods/p:9090/proxy/metrics', 'pods/proxy'],
  [pathOf(events, { namespace: 'a' }), 'events'],
  ['/apis/apps/v1/namespaces/a/deployments/d/scale', 'deployments/scale'],
  ['/version', 'other'],
])('metrics know %s as %s', (path, resource) => {
  expect(resourceOf(path)).toBe(resource);
});

const noSpread = () => 0;
const answer = (status: number, retryAfterMs?: number, reason = '') => ({ status, reason, retryAfterMs });

test.each([
  ['a read that got no answer', 'GET', 1, answer(0), 100],
  ['a read, for the third time', 'GET', 3, answer(503), 400],
  ['a read that was told how long to wait', 'GET', 1, answer(429, 1_000), 1_000],
  ['a read, often enough', 'GET', 4, answer(503), undefined],
  ['a read that was given up', 'GET', 1, answer(0, undefined, 'Aborted'), undefined],
  ['a read of what is not there', 'GET', 1, answer(404), undefined],
  ['a read that is asked to wait too long', 'GET', 1, answer(429, 60_000), undefined],
  ['a write the server did not do', 'PATCH', 1, answer(429, 1_000), 1_100],
  ['a write refused without a time', 'PATCH', 1, answer(429), undefined],
  ['a write that got no answer', 'POST', 1, answer(0), undefined],
  ['a write the server may have done', 'DELETE', 1, answer(500, 1_000), undefined],
] as const)('%s', (_case, method, attempt, error, expected) => {
  expect(retryDelayMs(method, attempt, error, noSpread)).toBe(expected);
});
