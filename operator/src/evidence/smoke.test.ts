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
const SMOKE = [{ path: '/', expectedStatus: 302, timeoutSeconds: 1, headers: { host: 'a.example' } }];

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
