import { expect, test } from '@jest/globals';
import { addPair, conclude, inTurn, parseRecent, replay, startReplay, verdictOf } from './replay.ts';
import type { Ask } from './smoke.ts';

const LIMIT = 0.05;
const SETTINGS = { maxRequests: 120, maxSeconds: 10, limit: LIMIT };
const CANARY = 'canary-4711';
const never = new AbortController().signal;

const recent = ['summary', 'providers', 'trends'].map(name => ({
  route: `/api/${name}`,
  url: `/api/${name}?secret=${CANARY}`,
}));

/** A pod whose status is chosen by path and by how often it was asked. */
function podOf(status: (path: string, count: number) => number | 'nothing') {
  const asked: string[] = [];
  let [now, most] = [0, 0];
  const ask: Ask = async ({ path }) => {
    asked.push(path);
    now += 1;
    most = Math.max(most, now);
    await new Promise(resolve => setTimeout(resolve, 5));
    now -= 1;
    const answer = status(path.split('?')[0] ?? '', asked.length);
    if (answer === 'nothing') throw new Error(`connect ECONNREFUSED ${CANARY}`);
    return { status: answer, text: '' };
  };
  return { ask, asked, most: () => most };
}
const good = () => podOf(() => 200);

test('each route has its turn, and each of its addresses', () => {
  const urls = [
    { route: '/a', url: '/a?1' },
    { route: '/a', url: '/a?2' },
    { route: '/a', url: '/a?1' },
    { route: '/b', url: '/b' },
  ];
  expect(inTurn(urls, 5).map(({ url }) => url)).toEqual(['/a?1', '/b', '/a?2', '/b', '/a?1']);
  expect(inTurn([], 5)).toEqual([]);
});

test.each([
  ['no JSON', 'oops', undefined],
  ['no list', '{"route":"/a"}', undefined],
  ['no address', '[{"route":"/a"},7,null]', []],
  ['another host', '[{"route":"/a","url":"//evil/a"},{"route":"/a","url":"http://evil/a"}]', []],
  ['what a proxy reads otherwise', '[{"route":"/a","url":"/a/..%2f..%2fsecrets"},{"route":"/a","url":"/../a"}]', []],
  ['more than an address', '[{"route":"/a","url":"/a HTTP/1.1\\r\\nHost: evil"}]', []],
  ['what probes and scrapes ask', '[{"route":"/metrics","url":"/metrics"},{"route":"/a","url":"/ready"}]', []],
  [
    'a route that is none',
    `[{"route":"the password is ${CANARY}","url":"/a"}]`,
    [{ route: '(another route)', url: '/a' }],
  ],
  ['a route', '[{"route":"/a/:id","url":"/a/7?b=1","status":200}]', [{ route: '/a/:id', url: '/a/7?b=1' }]],
])('what a pod says was asked of it: %s', (_case, text, read) => {
  expect(parseRecent(text)).toEqual(read);
});

test('half of the answers fail: found by 40 requests, with figures, routes and no address', async () => {
  const [candidate, stable] = [podOf((_path, count) => (count % 2 ? 500 : 200)), good()];
  const found = await replay(recent, { candidate: candidate.ask, stable: stable.ask }, SETTINGS, never);
  expect(found.verdict).toBe('Bad');
  const { requests, errors } = found.evidence.candidate;
  expect(requests).toBeLessThanOrEqual(40);
  // every request that was made is in the figures: a half is told as a half, but for the four that were under way
  expect(Math.abs(requests / 2 - errors)).toBeLessThanOrEqual(4);
  expect(found.message).toMatch(
    /^\d+ of \d+ replayed requests answered 5xx, the stable pod 0 of \d+: GET \/api\/\w+ \d+ of \d+/,
  );
  expect(found.evidence.absolute).toBeGreaterThanOrEqual(1_000);
  expect(found.evidence.relative).toBeGreaterThanOrEqual(500);
  expect(JSON.stringify(found)).not.toMatch(/secret|canary|\?/);
  expect(JSON.stringify(found).length).toBeLessThan(2_048);
});

test('a good release passes, and is asked 4 at once and 40 a second at most', async () => {
  const [candidate, stable] = [good(), good()];
  const began = performance.now();
  const found = await replay(recent, { candidate: candidate.ask, stable: stable.ask }, SETTINGS, never);
  const seconds = (performance.now() - began) / 1_000;
  expect(found).toMatchObject({ verdict: 'Passed', differences: [] });
  expect(candidate.asked).toEqual(stable.asked);
  expect(candidate.most()).toBeLessThanOrEqual(4);
  expect(candidate.asked.length / seconds).toBeLessThanOrEqual(45);
});

test('where both fail nobody is blamed', async () => {
  const found = await replay(
    recent,
    { candidate: podOf(() => 500).ask, stable: podOf(() => 503).ask },
    { ...SETTINGS, maxRequests: 60 },
    never,
  );
  expect(found).toMatchObject({ verdict: 'DependencyDegraded', differences: [] });
});

test('a fault is not passed over because the stable pod fails for another reason meanwhile', () => {
  let seen = startReplay(LIMIT, 0);
  for (let i = 0; i < 20; i += 1)
    seen = addPair(seen, { route: '/a', candidate: i % 3 ? 200 : 500, stable: i % 3 === 1 ? 500 : 200 }, 25 * i);
  expect(verdictOf(seen)).not.toBe('Bad');
  expect(conclude(seen, []).verdict).toBe('DependencyDegraded');
});

test('a pod that does not answer fails, and whatever its error says is not repeated', async () => {
  const found = await replay(recent, { candidate: podOf(() => 'nothing').ask, stable: good().ask }, SETTINGS, never);
  expect(found.verdict).toBe('Bad');
  expect(found.message).toContain('answered 5xx or not at all');
  expect(JSON.stringify(found)).not.toContain(CANARY);
});

test('an answer of another kind is listed by its route when it comes again', async () => {
  const candidate = podOf((path, count) => (path === '/api/trends' ? 404 : count === 7 ? 401 : 200));
  const stable = good();
  const settings = { ...SETTINGS, maxRequests: 30 };
  const found = await replay(recent, { candidate: candidate.ask, stable: stable.ask }, settings, never);
  expect(found).toMatchObject({ verdict: 'Passed', differences: ['GET /api/trends 200 → 404'] });
  expect(found.message).toContain('answers differ: GET /api/trends 200 → 404');
});

test('it ends with its time, and counts no answer that did not come by then', async () => {
  const hangs: Ask = ({ signal }) =>
    new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('over'))));
  const settings = { ...SETTINGS, maxSeconds: 1 };
  const found = await replay(recent, { candidate: hangs, stable: hangs }, settings, never);
  expect(found).toMatchObject({ verdict: 'Passed', evidence: { candidate: { requests: 0, errors: 0 } } });
});

test('no good release is refused in 100, with 1 % noise on both sides and a database that hiccups for 2 s', () => {
  let state = 7;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const verdicts = Array.from({ length: 100 }, (_, run) => {
    let seen = startReplay(LIMIT, 0);
    const hiccup = run % 2 === 0 ? 1_000 : Number.POSITIVE_INFINITY;
    const status = (at: number) => {
      const moment = at + 20 * random();
      return (moment >= hiccup && moment < hiccup + 2_000) || random() < 0.01 ? 500 : 200;
    };
    for (let i = 0; i < 120 && verdictOf(seen) !== 'Bad'; i += 1) {
      const pair = { route: '/a', candidate: status(25 * i), stable: status(25 * i) };
      seen = addPair(seen, pair, 25 * i);
    }
    return conclude(seen, []).verdict;
  });
  expect(verdicts.filter(verdict => verdict === 'Bad')).toEqual([]);
});
