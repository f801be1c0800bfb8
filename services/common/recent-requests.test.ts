import { expect, test } from '@jest/globals';
import { recentRequests } from './recent-requests.ts';

test('three addresses of a route, those that came last first; one that is asked again is told once', () => {
  const recent = recentRequests();
  for (const page of [1, 2, 3]) recent.add('GET', '/list', `/list?page=${page}`, 200);
  recent.add('HEAD', '/one/:id', '/one/7', 404);
  expect(recent.list()).toEqual([
    { route: '/one/:id', url: '/one/7', status: 404 },
    { route: '/list', url: '/list?page=3', status: 200 },
    { route: '/list', url: '/list?page=2', status: 200 },
    { route: '/list', url: '/list?page=1', status: 200 },
  ]);
  recent.add('HEAD', '/one/:id', '/one/7', 200);
  expect(recent.list()[0]).toEqual({ route: '/one/:id', url: '/one/7', status: 200 });
  expect(recent.list()).toHaveLength(4);
});

test('newer ones take the place of the oldest, however many there are; one of seven is looked at', () => {
  const recent = recentRequests();
  for (let page = 1; page <= 1_000; page += 1) recent.add('GET', '/list', `/list?page=${page}`, 200);
  const pages = recent.list().map(({ url }) => Number(url.split('=')[1]));
  expect(pages).toHaveLength(3);
  for (const page of pages) expect(page).toBeGreaterThan(1_000 - 4 * 7);
});

test('two addresses that take turns are both known', () => {
  const recent = recentRequests();
  for (let i = 0; i < 100; i += 1) recent.add('GET', '/list', `/list?page=${i % 2}`, 200);
  expect(
    recent
      .list()
      .map(({ url }) => url)
      .sort(),
  ).toEqual(['/list?page=0', '/list?page=1']);
});

test.each([
  ['what writes', 'POST', '/list', '/list', 201],
  ['what deletes', 'DELETE', '/one/:id', '/one/7', 204],
  ['what failed', 'GET', '/list', '/list', 500],
  ['what no route serves', 'GET', 'unmatched', '/.env', 404],
  ['what is longer than it may be', 'GET', '/list', `/list?${'x'.repeat(507)}`, 200],
])('%s is not remembered', (_case, method, route, url, status) => {
  const recent = recentRequests();
  recent.add(method, route, url, status);
  expect(recent.list()).toEqual([]);
});

test('an address of 512 characters is remembered whole', () => {
  const recent = recentRequests();
  const url = `/list?${'x'.repeat(506)}`;
  recent.add('GET', '/list', url, 200);
  expect(recent.list()).toEqual([{ route: '/list', url, status: 200 }]);
});

test('of many routes sixty are remembered, those that came last', () => {
  const recent = recentRequests();
  for (let route = 0; route < 100; route += 1) recent.add('GET', `/${route}`, `/${route}`, 200);
  expect(recent.list().map(({ route }) => route)).toEqual(Array.from({ length: 60 }, (_, i) => `/${99 - i}`));
});
