import { expect, test } from '@jest/globals';
import { type Answer, type Ask, rehearse } from './smoke.ts';

const METRICS = '# TYPE http_requests_total counter\n';
const answers = (special: Record<string, Answer | Error> = {}): { ask: Ask; asked: string[] } => {
  const asked: string[] = [];
  const ask: Ask = async ({ path }) => {
    asked.push(path);
    const answer = special[path] ?? { status: 200, text: path === '/metrics' ? METRICS : 'ok' };
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { ask, asked };
};
const SMOKE = [
  { path: '/', expectedStatus: 302, timeoutSeconds: 1, headers: { host: 'a.example' }, authenticate: 'None' as const },
];

test('probes first, then the spec’s tests, then whether the answers could be counted', async () => {
  const { ask, asked } = answers({ '/': { status: 302, text: '' } });
  expect(await rehearse(['/health', '/ready'], SMOKE, ask)).toEqual({
    passed: true,
    message: '/health, /ready, / and /metrics answered as expected',
  });
  expect(asked).toEqual(['/health', '/ready', '/', '/metrics']);
});

test.each([
  ['a probe fails', { '/ready': { status: 503, text: '' } }, 'GET /ready answered 503, expected 200', 2],
  ['a smoke test gets another status', { '/': { status: 200, text: '' } }, 'GET / answered 200, expected 302', 3],
  ['no answer comes', { '/': new Error('no answer within 1000 ms') }, 'GET /: no answer within 1000 ms', 3],
  [
    'the scrape token is refused',
    { '/': { status: 302, text: '' }, '/metrics': { status: 401, text: '' } },
    'scrape token',
    4,
  ],
  [
    'nothing can be counted',
    { '/': { status: 302, text: '' }, '/metrics': { status: 200, text: 'up 1\n' } },
    'neither',
    4,
  ],
])('fails when %s, says which, and asks no further', async (_case, special, message, count) => {
  const { ask, asked } = answers(special as Record<string, Answer | Error>);
  expect(await rehearse(['/health', '/ready'], SMOKE, ask)).toEqual({
    passed: false,
    message: expect.stringContaining(message),
  });
  expect(asked).toHaveLength(count);
});

test.each([
  ['Content-Length', '/', false],
  ['TRANSFER-ENCODING', '/', false],
  ['host', '/', false],
  ['Impersonate-Group', '/', false],
  ['x-remote-user', '/', false],
  ['Authorization', '/', true],
  ['Authorization', '/metrics', false],
  ['X-Scrape-Token', '/metrics?a=1', false],
  ['accept', '/metrics', true],
])('a stored smoke test that names the header %s for %s: sent is %s', async (header, path, isSent) => {
  const sent: string[] = [];
  const test = {
    path,
    expectedStatus: 200,
    timeoutSeconds: 5,
    headers: { [header]: 'x' },
    authenticate: 'None',
  } as const;
  await rehearse([], [test], async request => {
    if (request.timeoutMs === 5_000 && request.headers) sent.push(...Object.keys(request.headers));
    return { status: 200, text: '' };
  });
  expect(sent).toEqual(isSent ? [header] : []);
});

const KEYED = { path: '/api/summary', expectedStatus: 200, timeoutSeconds: 1, authenticate: 'ApiKey' } as const;

test('a test that authenticates shows the key, the others do not', async () => {
  const shown: unknown[] = [];
  const ask: Ask = async ({ path, headers }) => {
    shown.push([path, headers?.['x-api-key']]);
    return { status: 200, text: path === '/metrics' ? METRICS : '' };
  };
  await rehearse(['/ready'], [KEYED, { ...KEYED, path: '/', authenticate: 'None' }], ask, { apiKey: 'k' });
  expect(shown).toEqual([
    ['/ready', undefined],
    ['/api/summary', 'k'],
    ['/', undefined],
    ['/metrics', undefined],
  ]);
});

test.each<[string, number, number | Error, boolean, string]>([
  ['both fail: it is nobody’s fault', 500, 503, true, 'answered 500, expected 200, and so does a stable pod'],
  ['neither answers', 500, new Error('refused'), true, 'and so does a stable pod'],
  ['the stable pod passes', 500, 200, false, 'a stable pod answered as expected'],
  ['both say something else: the test is wrong', 404, 404, false, 'look at the test itself'],
  ['a new route that fails', 500, 404, false, 'look at the test itself'],
])('a fault is compared with a stable pod: %s', async (_case, ours, theirs, isShared, words) => {
  const { ask } = answers({ '/api/summary': { status: ours, text: '' } });
  const { ask: stable } = answers({
    '/api/summary': theirs instanceof Error ? theirs : { status: theirs, text: '' },
  });
  const found = await rehearse(['/ready'], [KEYED], ask, { stable });
  expect(found).toMatchObject({ passed: false, message: expect.stringContaining(words) });
  expect(found.isShared ?? false).toBe(isShared);
});
