import { afterAll, expect, test } from '@jest/globals';
import { askDocumented } from '../common/testing/documented.ts';
import { pageLinks } from './resources.ts';
import { testApp } from './testing.ts';

const { app } = testApp();
afterAll(() => app.close());

const ID = '00000000-0000-4000-8000-000000000000';
const LIST = '/api/v1/resources';

test.each([
  ['POST', LIST],
  ['PUT', `${LIST}/${ID}`],
  ['DELETE', `${LIST}/${ID}`],
] as const)(
  '%s %s wants a token, with and without trailing slash, before it looks at the body',
  async (method, path) => {
    for (const url of [path, `${path}/`]) {
      const response = await askDocumented(app, { method, url, payload: { title: null } });
      expect([response.statusCode, response.json()]).toEqual([401, { detail: 'Not authenticated' }]);
      expect(response.headers['www-authenticate']).toBe('Bearer');
    }
  },
);

test.each(['skip=abc', 'skip=', 'skip=-1', 'skip=1.5', 'skip=1e3', `skip=${'9'.repeat(40)}`, 'skip=1&skip=2'])(
  'no place to begin: %s',
  async query => {
    const response = await askDocumented(app, { method: 'GET', url: `${LIST}/?${query}` });
    expect([response.statusCode, response.json().detail[0].loc]).toEqual([422, ['query', 'skip']]);
  },
);

test.each(['limit=0', 'limit=101', 'limit=x', 'type=%00', 'q=a%00b', `q=${'x'.repeat(101)}`, 'type=a&type=b'])(
  'no list: %s',
  async query => {
    const response = await askDocumented(app, { method: 'GET', url: `${LIST}?${query}` });
    expect([response.statusCode, response.json().detail[0].loc]).toEqual([422, ['query', query.split('=')[0]]]);
  },
);

test('skip=abc is answered in the words of before', async () => {
  expect((await app.inject(`${LIST}/?skip=abc`)).json().detail[0]).toEqual({
    loc: ['query', 'skip'],
    msg: 'Input should be a valid integer, unable to parse string as an integer',
    type: 'int_parsing',
  });
});

test.each(['1', 'abc', '%00', "'", `${ID}0`, 'x'.repeat(500), '%zz', '%ff', '%c3%28', '..%2f'])(
  'what is no id names no resource: %s',
  async id => {
    for (const url of [`${LIST}/${id}`, `${LIST}/${id}/`]) {
      const response = await askDocumented(app, { method: 'GET', url });
      expect([response.statusCode, response.json().detail]).toEqual([404, expect.stringMatching(/not found/i)]);
      expect(response.headers['x-request-id']).toBeDefined();
    }
  },
);

const json = { 'content-type': 'application/json' };

test.each([
  ['no JSON', '{"title', json, 422, 'json_invalid'],
  ['a type not served', '<a/>', { 'content-type': 'application/xml' }, 415, undefined],
  ['text', 'x', { 'content-type': 'text/plain' }, 415, undefined],
  ['no type at all', 'x', {}, 415, undefined],
  ['a type that is nonsense', 'x', { 'content-type': '\t' }, 415, undefined],
  ['too large', `{"title":"${'x'.repeat(1_100_000)}"}`, json, 413, undefined],
])('a body that is not understood: %s', async (_case, payload, headers: Record<string, string>, status, type) => {
  const response = await askDocumented(app, { method: 'POST', url: LIST, payload, headers });
  expect([response.statusCode, response.json().detail[0].type]).toEqual([status, type]);
});

test.each(['skip=1&skip=2', 'limit=1&limit=1', 'q=a&q=b', 'type=a&type=b'])(
  'a parameter that is given twice is refused, not chosen from: %s',
  async query => expect((await askDocumented(app, { method: 'GET', url: `${LIST}/?${query}` })).statusCode).toBe(422),
);

test('a body changes no prototype, and what it says of one is no field', async () => {
  for (const name of ['__proto__', 'constructor']) {
    const payload = `{"${name}":{"prototype":{"username":"a"},"username":"a"},"password":"b"}`;
    const response = await app.inject({ method: 'POST', url: '/api/v1/auth/token', payload, headers: json });
    expect([response.statusCode, response.json().detail[0].loc]).toEqual([422, ['body', 'username']]);
    expect(({} as { username?: string }).username).toBeUndefined();
  }
});

test('a JSON type without a body is no fault: clients send it with DELETE', async () => {
  const response = await app.inject({ method: 'DELETE', url: `${LIST}/${ID}`, headers: json });
  expect(response.statusCode).toBe(401);
});

test.each([
  ['PATCH', LIST, 'GET, HEAD, POST'],
  ['DELETE', `${LIST}/`, 'GET, HEAD, POST'],
  ['POST', `${LIST}/${ID}`, 'DELETE, GET, HEAD, PUT'],
  ['OPTIONS', `${LIST}/${ID}/`, 'DELETE, GET, HEAD, PUT'],
  ['POST', '/', 'GET, HEAD'],
  ['GET', '/api/v1/auth/token', 'POST'],
  ['POST', '/metrics', 'GET, HEAD'],
  ['POST', '/docs', 'GET, HEAD'],
] as const)('%s %s is not served there: 405', async (method, url, allow) => {
  const response = await app.inject({ method, url, payload: 'x', headers: { 'content-type': 'text/odd' } });
  expect([response.statusCode, response.json(), response.headers.allow]).toEqual([
    405,
    { detail: 'Method Not Allowed' },
    allow,
  ]);
});

test('what no route serves is not found, whatever the method', async () => {
  for (const method of ['GET', 'POST', 'DELETE'] as const) {
    const response = await app.inject({ method, url: '/api/v1/nothing', payload: {} });
    expect([response.statusCode, response.json()]).toEqual([404, { detail: 'Not Found' }]);
  }
});

test('HEAD is GET without the body', async () => {
  for (const url of ['/', '/health', '/openapi.json', '/docs']) {
    const [head, get] = await Promise.all([app.inject({ method: 'HEAD', url }), app.inject(url)]);
    expect([head.statusCode, head.body]).toEqual([200, '']);
    expect(head.headers['content-type']).toBe(get.headers['content-type']);
  }
});

const links = (header: string) =>
  Object.fromEntries(
    header.split(', ').map(link => {
      const [, url, rel] = /^<([^>]+)>; rel="(\w+)"$/.exec(link) ?? [];
      return [rel, url];
    }),
  );

const at = (skip: number, more = '') => `/api/v1/resources/?skip=${skip}&limit=10${more}`;

test.each([
  ['nothing', 0, 0, { first: at(0), last: at(0) }],
  ['one page', 0, 10, { first: at(0), last: at(0) }],
  ['the first of three', 0, 25, { first: at(0), next: at(10), last: at(20) }],
  ['between pages', 5, 25, { first: at(0), prev: at(0), next: at(15), last: at(20) }],
  ['the last', 20, 25, { first: at(0), prev: at(10), last: at(20) }],
  ['past the end', 50, 25, { first: at(0), prev: at(40), last: at(20) }],
])('links from %s', (_case, skip, total, expected) => {
  expect(links(pageLinks({ skip, limit: 10 }, total))).toEqual(expected);
});

test('the next page begins at a place, not at a number, where it is known', () => {
  const next = { micros: 1_769_860_800_123_456, id: '0d5c0000-0000-4000-8000-000000000000' };
  const { next: link, last } = links(pageLinks({ skip: 0, limit: 10 }, 25, next));
  expect(link).toBe(at(10, '&cursor=1769860800123456.0d5c0000-0000-4000-8000-000000000000'));
  expect(last).toBe(at(20));
});

test('links keep the filters, in a form that no header breaks at', () => {
  expect(links(pageLinks({ skip: 0, limit: 10, type: 'a>b,"', q: 'ñ\r\n' }, 0))['first']).toBe(
    at(0, '&type=a%3Eb%2C%22&q=%C3%B1%0D%0A'),
  );
});
