import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { migrateCli } from '../common/migrate/cli.ts';
import { askDocumented } from '../common/testing/documented.ts';
import { query, startPostgres, type TestPostgres } from '../common/testing/postgres.ts';
import { SEARCH_CAP } from './resource-queries.ts';
import { SEARCHED } from './search.ts';
import { testApp } from './testing.ts';

const MIGRATIONS_DIR = new URL('prisma/migrations', import.meta.url).pathname;
const LIST = '/api/v1/resources/';
const NOBODY = '00000000-0000-4000-8000-000000000000';

let postgres: TestPostgres;
let databaseUrl: string;
let app: FastifyInstance;
let ana: Record<string, string>;
let bea: Record<string, string>;

beforeAll(async () => {
  postgres = await startPostgres();
  databaseUrl = await postgres.createDatabase('devshelf');
  expect(await migrateCli({ args: ['up'], environment: { DATABASE_URL: databaseUrl, MIGRATIONS_DIR } })).toBe(0);
  app = testApp({ environment: { DATABASE_URL: databaseUrl } }).app;
  [ana, bea] = await Promise.all([bearerOf('ana'), bearerOf('bea')]);
}, 60_000);
afterAll(async () => {
  await app?.close();
  await postgres?.remove();
});

async function bearerOf(username: string) {
  const account = { username, email: `${username}@example.org`, password: 'secretsecret' };
  await app.inject({ method: 'POST', url: '/api/v1/auth/register', payload: account });
  const token = await app.inject({ method: 'POST', url: '/api/v1/auth/token', payload: account });
  return { authorization: `Bearer ${token.json().access_token}` };
}

/** Every answer here is held to the OpenAPI document as well. */
const ask = (method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, more: InjectOptions = {}) =>
  askDocumented(app, { method, url, ...more });

const guide = { title: 'Guía', url: 'https://example.org', type: 'doc' };
const create = (change: object = {}, headers = ana) => ask('POST', LIST, { payload: { ...guide, ...change }, headers });
const created = async (change: object = {}) => (await create(change)).json();
const sql = (text: string) => query(databaseUrl, text);

test('the life of a resource, with and without trailing slash', async () => {
  for (const slash of ['', '/']) {
    const made = await ask('POST', `/api/v1/resources${slash}`, { payload: guide, headers: ana });
    expect(made.statusCode).toBe(201);
    const whole = {
      title: 'Guía',
      description: null,
      url: 'https://example.org/',
      type: 'doc',
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
    };
    expect(made.json()).toEqual(whole);
    expect(Object.keys(made.json())).toEqual(Object.keys(whole)); // in the order of before
    const one = `/api/v1/resources/${made.json().id}${slash}`;
    expect((await ask('GET', one)).json()).toEqual(made.json());
    expect((await ask('GET', `/api/v1/resources${slash}`)).json()).toContainEqual(made.json());
    const changed = await ask('PUT', one, { payload: { title: 'Otra' }, headers: ana });
    expect([changed.statusCode, changed.json()]).toEqual([200, { ...made.json(), title: 'Otra' }]);
    const gone = await ask('DELETE', one, { headers: ana });
    expect([gone.statusCode, gone.body]).toEqual([204, '']);
    const missing = await ask('GET', one);
    expect([missing.statusCode, missing.json()]).toEqual([404, { detail: 'Resource not found' }]);
  }
});

test('the time of creation is the stored one, in UTC, to the microsecond', async () => {
  const { id } = await created();
  await sql(`UPDATE resources SET created_at = '2026-01-31 12:00:00.123456+02' WHERE id = '${id}'`);
  expect((await ask('GET', LIST + id)).json().created_at).toBe('2026-01-31T10:00:00.123456Z');
});

test.each([
  ['url', { url: 'HTTP://Example.org/a b'.replace(' ', '%20') }, { url: 'http://example.org/a%20b' }],
  ['type', { type: 'video' }, { type: 'video' }],
  ['description', { description: 'x' }, { description: 'x' }],
  ['no description', { description: null }, { description: null }],
  ['nothing', {}, {}],
  ['an unknown field', { owner_id: NOBODY, id: NOBODY }, {}],
])('a change of %s changes that only', async (_case, payload, expected) => {
  const before = await created({ description: 'before' });
  const response = await ask('PUT', LIST + before.id, { payload, headers: ana });
  expect([response.statusCode, response.json()]).toEqual([200, { ...before, ...expected }]);
});

const TOO_LONG = 'x'.repeat(1_025);

test.each([
  ['title', null],
  ['title', ''],
  ['title', 'x'.repeat(256)],
  ['title', 'a\0'],
  ['title', '\ud800'],
  ['title', 1],
  ['url', null],
  ['url', 'javascript:alert(1)'],
  ['url', 'https:example.org'],
  ['url', 'https://'],
  ['url', 'https://example.org/\0'],
  ['url', `https://example.org/${TOO_LONG}`],
  ['url', `https://example.org/${'ñ'.repeat(500)}`],
  ['type', null],
  ['type', 'x'.repeat(51)],
  ['description', 'x'.repeat(10_001)],
  ['description', 'a\0'],
])('neither a new nor an old resource takes %s = %.20j', async (field, value) => {
  const { id } = await created();
  const answers = await Promise.all([
    create({ [field]: value }),
    ask('PUT', LIST + id, { payload: { [field]: value }, headers: ana }),
  ]);
  for (const answer of answers) {
    expect([answer.statusCode, answer.json().detail[0].loc]).toEqual([422, ['body', field]]);
  }
});

test.each([
  ['in characters', '😀'],
  ['in one word, which no index takes', 'x'],
  ['in many words', 'ab '],
])('as long as the columns allow: %s', async (_case, unit) => {
  const long = (length: number) => [...unit.repeat(length)].slice(0, length).join('');
  const given = {
    title: long(255),
    type: long(50),
    description: long(10_000),
    url: `https://example.org/${'x'.repeat(1_004)}`,
  };
  const response = await create(given);
  expect(response.statusCode).toBe(201);
  expect((await ask('GET', LIST + response.json().id)).json()).toMatchObject(given);
});

test('only its owner changes or deletes a resource; one of nobody is changed by nobody', async () => {
  const { id } = await created();
  const refused = { detail: 'Only its owner may change a resource' };
  for (const headers of [bea, ana]) {
    const answers = [
      await ask('PUT', LIST + id, { payload: { title: 'x' }, headers }),
      await ask('DELETE', LIST + id, { headers }),
    ];
    expect(answers.map(answer => [answer.statusCode, answer.json()])).toEqual([
      [403, refused],
      [403, refused],
    ]);
    await sql(`UPDATE resources SET owner_id = NULL WHERE id = '${id}'`);
  }
  expect((await ask('GET', LIST + id)).json().title).toBe('Guía');
});

test.each([NOBODY, '1', 'x'.repeat(300)])('what is not there is neither changed nor deleted: %.40s', async id => {
  const answers = [
    await ask('PUT', LIST + id, { payload: { title: 'x' }, headers: ana }),
    await ask('DELETE', LIST + id, { headers: ana }),
  ];
  for (const answer of answers)
    expect([answer.statusCode, answer.json()]).toEqual([404, { detail: 'Resource not found' }]);
});

test('the filter by type is exact', async () => {
  const mine = [await created({ type: 'rare' }), await created({ type: 'rare' })];
  await created({ type: 'rarer' });
  const response = await ask('GET', `${LIST}?type=rare`);
  expect([response.json(), response.headers['x-total-count']]).toEqual([mine, '2']);
  expect((await ask('GET', `${LIST}?type=none`)).json()).toEqual([]);
  expect((await ask('GET', `${LIST}?type=&limit=1`)).json()).toHaveLength(1);
});

test.each([
  ['a word of the title', 'zorro'],
  ['its beginning', 'zor'],
  ['without its accent', 'rapido'],
  ['with an accent it does not have', 'zórro'],
  ['in capitals', 'ZORRO'],
  ['a word of the description', 'bosque'],
  ['one of each', 'bosque zorro'],
  ['behind a dot', 'js'],
  ['with punctuation', '"zorro", (node.js)!'],
  ['another script', 'Привет'],
])('a search finds %s', async (_case, q) => {
  const title = `El zorro rápido ${_case} node.js`;
  const { id } = await created({ title, description: 'vive en el bosque Привет' });
  const found = (await ask('GET', `${LIST}?${new URLSearchParams({ q })}`)).json();
  expect(found.map((resource: { id: string }) => resource.id)).toContain(id);
});

test('a search wants all words, keeps the order of the list and takes the other filters', async () => {
  const type = 'searched';
  const all = [];
  for (const n of [1, 2, 3]) all.push(await created({ type, title: `lobo ${n}` }));
  await created({ type: 'other', title: 'lobo 4' });
  const search = async (more: string) => {
    const response = await ask('GET', `${LIST}?q=lobo${more}`);
    return [response.json(), response.headers['x-total-count'], response.headers['x-total-count-relation']];
  };
  expect(await search('&type=searched')).toEqual([all, '3', undefined]);
  expect(await search('&type=searched&skip=1&limit=1')).toEqual([[all[1]], '3', undefined]);
  expect(await search('&type=searched&skip=9')).toEqual([[], '3', undefined]);
  expect(await search('+gato')).toEqual([[], '0', undefined]);
  expect(await search('+2')).toEqual([[all[1]], '1', undefined]);
});

test.each([
  "'",
  '\\',
  "';--",
  ':*',
  '&|!()<->',
  '%',
  '\u200b',
  '¿',
  '*',
  'ª',
  '\ud83d\ude00',
  '-',
  '"a" OR b',
  'a'.repeat(100),
])('a search for %.20j is answered', async q => {
  const response = await ask('GET', `${LIST}?${new URLSearchParams({ q })}`);
  expect(response.statusCode).toBe(200);
});

test('a total follows a write of this process at once', async () => {
  const totalOf = async () => Number((await ask('GET', `${LIST}?limit=1`)).headers['x-total-count']);
  const before = await totalOf();
  const { id } = await created();
  expect(await totalOf()).toBe(before + 1);
  await ask('DELETE', LIST + id, { headers: ana });
  expect(await totalOf()).toBe(before);
});

test('following the links gives every resource once, in one order', async () => {
  await sql(
    `INSERT INTO resources (title, url, type, created_at) SELECT n::text, 'https://example.org/', 'paged', now() - n % 7 * interval '1 min' FROM generate_series(1, 25) n`,
  );
  const all = (await ask('GET', `${LIST}?type=paged`)).json();
  const ordered = await sql("SELECT id FROM resources WHERE type = 'paged' ORDER BY created_at, id");
  expect(all.map(({ id }: { id: string }) => ({ id }))).toEqual(ordered);
  const followed = [];
  let next: string | undefined = `${LIST}?type=paged&limit=7`;
  while (next !== undefined) {
    const response = await ask('GET', next);
    expect(response.headers['x-total-count']).toBe('25');
    followed.push(...response.json());
    next = /<([^>]+)>; rel="next"/.exec(String(response.headers['link']))?.[1];
  }
  expect(followed).toEqual(all);
});

test('far into the list the order is the same', async () => {
  await sql(
    `INSERT INTO resources (title, url, type, created_at) SELECT n::text, 'https://example.org/', 'deep', now() - n % 7 * interval '1 min' FROM generate_series(1, 300) n`,
  );
  const expected = await sql(`SELECT id FROM resources WHERE type = 'deep' ORDER BY created_at, id`);
  const pages = [];
  for (const skip of [0, 100, 200]) pages.push(...(await ask('GET', `${LIST}?type=deep&skip=${skip}`)).json());
  expect(pages.map(({ id }) => ({ id }))).toEqual(expected);
});

test('wherever one looks first, a page is the one of its place', async () => {
  const expected = await sql(`SELECT id FROM resources WHERE type = 'deep' ORDER BY created_at, id`);
  for (const skip of [250, 280, 290, 110, 120, 299, 300, 700, 260]) {
    const page = (await ask('GET', `${LIST}?type=deep&skip=${skip}&limit=7`)).json();
    expect(page.map(({ id }: { id: string }) => ({ id }))).toEqual(expected.slice(skip, skip + 7));
  }
});

test('a list that is walked again and again is surveyed, and every page is the one of its place', async () => {
  await sql(
    `INSERT INTO resources (title, url, type, created_at) SELECT n::text, 'https://example.org/', 'far', now() - n % 7 * interval '1 min' FROM generate_series(1, 5000) n`,
  );
  const expected = await sql(`SELECT id FROM resources WHERE type = 'far' ORDER BY created_at, id`);
  const skips = Array.from({ length: 60 }, (_, n) => (4_900 - ((n * 1_709 * 7) % 4_900) + 4_900) % 4_900);
  const pages = await Promise.all(skips.map(skip => ask('GET', `${LIST}?type=far&skip=${skip}&limit=3`)));
  for (const [n, page] of pages.entries()) {
    const skip = skips[n] ?? 0;
    expect(page.json().map(({ id }: { id: string }) => ({ id }))).toEqual(expected.slice(skip, skip + 3));
  }
});

test('who follows the links misses nothing and reads nothing twice while others write', async () => {
  const body = { type: 'moving' };
  for (let n = 0; n < 6; n++) await created(body);
  const all = (await ask('GET', `${LIST}?type=moving`)).json().map(({ id }: { id: string }) => id);
  const page = await ask('GET', `${LIST}?type=moving&limit=2`);
  const [, next = ''] = /<([^>]+)>; rel="next"/.exec(String(page.headers['link'])) ?? [];
  // the page's own, and the one at which the next begins
  for (const id of all.slice(0, 3)) await ask('DELETE', LIST + id, { headers: ana });
  const following = await ask('GET', next);
  expect(following.json().map(({ id }: { id: string }) => id)).toEqual(all.slice(3, 5));
});

test.each(['', 'x', '1.x', `-1.${NOBODY}`, `1${'0'.repeat(16)}.${NOBODY}`, `1.${NOBODY}&cursor=1.${NOBODY}`])(
  'a cursor that no page gave is refused: %s',
  async cursor => {
    const response = await ask('GET', `${LIST}?cursor=${cursor}`);
    expect([response.statusCode, response.json().detail[0].loc]).toEqual([422, ['query', 'cursor']]);
  },
);

test.each([0, 1, 8_999_999_999_999_999])('any place is one: %d', async micros => {
  const response = await ask('GET', `${LIST}?type=deep&limit=1&cursor=${micros}.${NOBODY}`);
  expect([response.statusCode, response.json().length]).toEqual([200, micros < 2 ? 1 : 0]);
});

test('neither creating nor searching goes on for ever; reading does', async () => {
  const environment = { DATABASE_URL: databaseUrl, RATELIMIT_ENABLED: 'true' };
  const limited = testApp({
    environment: { ...environment, RATELIMIT_CREATE_MAX: '2', RATELIMIT_SEARCH_MAX: '2' },
  }).app;
  const statuses = async (method: 'GET' | 'POST', url: string) => {
    const answers = [];
    for (let time = 0; time < 3; time++) answers.push(await limited.inject({ method, url }));
    return answers.map(({ statusCode, headers }) => [statusCode, 'retry-after' in headers]);
  };
  try {
    expect(await statuses('POST', LIST)).toEqual([
      [401, false],
      [401, false],
      [429, true],
    ]);
    expect(await statuses('GET', `${LIST}?q=a&limit=1`)).toEqual([
      [200, false],
      [200, false],
      [429, true],
    ]);
    for (const url of [LIST, `${LIST}?q=&limit=1`, `${LIST}?type=a`])
      expect(await statuses('GET', url)).toEqual([
        [200, false],
        [200, false],
        [200, false],
      ]);
  } finally {
    await limited.close();
  }
});

test('past the end there is nothing, and still a total', async () => {
  const response = await ask('GET', `${LIST}?type=deep&skip=2147483647`);
  expect([response.json(), response.headers['x-total-count']]).toEqual([[], '300']);
});

test('a search looks at no more than its share, and says so', async () => {
  await sql(
    `INSERT INTO resources (title, url, type) SELECT 'ubicuo', 'https://example.org/', 'many' FROM generate_series(1, ${SEARCH_CAP + 1})`,
  );
  const response = await ask('GET', `${LIST}?q=ubicuo&limit=1`);
  expect(response.headers['x-total-count']).toBe(String(SEARCH_CAP));
  expect(response.headers['x-total-count-relation']).toBe('gte');
});

test('filters and search are read from their indexes', async () => {
  const explain = async (text: string) => {
    const rows = await sql(`EXPLAIN ${text}`);
    return rows.map(row => row['QUERY PLAN']).join('\n');
  };
  await sql('ANALYZE resources');
  expect(await explain(`SELECT id FROM resources WHERE type = 'rare' ORDER BY created_at, id LIMIT 20`)).toContain(
    'resources_type_created_at_id_idx',
  );
  const place = `(timestamptz 'epoch' + 1 * interval '1 microsecond', '${NOBODY}'::uuid)`;
  expect(
    await explain(`SELECT id FROM resources WHERE (created_at, id) >= ${place} ORDER BY created_at, id LIMIT 20`),
  ).toMatch(/resources_created_at_id_idx[\s\S]*Index Cond/);
  expect(await explain(`SELECT id FROM resources WHERE ${SEARCHED} @@ to_tsquery('simple', '''zorro'':*')`)).toContain(
    'resources_search_idx',
  );
});

test('whatever is sent, the answer is documented and no fault of ours', async () => {
  const odd = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('\0', '\ud800', 'https://example.org/', 'http://[::1]:99999/', 'http://a b', ' https://x'),
    fc.jsonValue(),
  );
  const payload = fc.record({ title: odd, url: odd, type: odd, description: odd }, { requiredKeys: [] });
  const { id } = await created();
  await fc.assert(
    fc.asyncProperty(payload, odd, async (body, text) => {
      await ask('POST', LIST, { payload: body, headers: ana });
      await ask('PUT', LIST + id, { payload: body, headers: ana });
      const any = encodeURIComponent(String(text).toWellFormed());
      const answers = [
        await ask('GET', `${LIST}?q=${any}&type=${any}`),
        await ask('GET', `${LIST}?skip=${any}&limit=${any}`),
      ];
      for (const { statusCode } of answers) expect([200, 422]).toContain(statusCode);
    }),
    { numRuns: 100 },
  );
}, 60_000);
