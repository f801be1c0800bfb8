import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Buckets, LatencyWindow, quantile } from './latency.ts';
import { RequestCounter } from './metrics.ts';

const INF = Number.POSITIVE_INFINITY;
const buckets = (counts: Record<string, number>): Buckets =>
  new Map(Object.entries(counts).map(([edge, count]) => [edge === '+Inf' ? INF : Number(edge), count]));

test.each<[string, Record<string, number>, number | undefined]>([
  ['nobody asked', { '0.1': 0, '+Inf': 0 }, undefined],
  ['all in the first bucket: a share of it', { '0.1': 20, '1': 20, '+Inf': 20 }, 0.095],
  ['between two edges', { '0.1': 90, '0.5': 100, '+Inf': 100 }, 0.3],
  ['just at an edge', { '0.1': 95, '0.5': 100, '+Inf': 100 }, 0.1],
  ['an empty bucket between', { '0.1': 10, '0.5': 10, '1': 20, '+Inf': 20 }, 0.95],
  ['beyond the last edge', { '0.1': 1, '5': 2, '+Inf': 100 }, 5],
  ['only the last bucket', { '+Inf': 100 }, undefined],
  ['counts that go down', { '0.1': 9, '0.5': 5, '+Inf': 10 }, undefined],
])('p95 as PromQL says it: %s', (_case, counts, expected) => {
  const found = quantile(0.95, buckets(counts));
  if (expected === undefined) expect(found).toBeUndefined();
  else expect(found).toBeCloseTo(expected, 10);
});

test('it lies in the bucket of the answer that nineteen of twenty do not exceed', () => {
  const EDGES = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 4.9, noNaN: true }), { minLength: 1, maxLength: 300 }), answers => {
      const upTo = (edge: number) => answers.filter(seconds => seconds <= edge).length;
      const found = quantile(0.95, new Map([...EDGES, INF].map(edge => [edge, upTo(edge)]))) ?? Number.NaN;
      const exact = answers.sort((a, b) => a - b)[Math.ceil(0.95 * answers.length) - 1] ?? 0;
      const edge = EDGES.find(one => exact <= one) ?? INF;
      expect(found).toBeLessThanOrEqual(edge);
      expect(found).toBeGreaterThanOrEqual(EDGES[EDGES.indexOf(edge) - 1] ?? 0);
    }),
  );
});

const slow = { buckets: buckets({ '0.1': 0, '1': 1_000, '+Inf': 1_000 }) };
const fast = (count: number) => ({ buckets: buckets({ '0.1': count, '1': 1_000 + count, '+Inf': 1_000 + count }) });

test('what a pod answered before the window does not count; what one that came in it answered does', () => {
  const one = new LatencyWindow().add('a', slow, false);
  expect(one.p95()).toBeUndefined();
  expect(one.add('a', fast(100), false).p95()).toEqual({ ms: 95, source: 'http_request_duration_seconds' });
  expect(new LatencyWindow().add('a', slow, true).p95()?.ms).toBeCloseTo(955, 5);
});

test('of the next window it is what came after the last reading', () => {
  const canary = new LatencyWindow().add('a', slow, true);
  const bake = canary.begun();
  expect(bake.p95()).toBeUndefined();
  expect(bake.add('a', fast(100), false).p95()?.ms).toBe(95);
  expect(canary.p95()?.ms).toBeCloseTo(955, 5);
});

test('a container that began anew counts from zero; a pod that is gone keeps what it counted', () => {
  const seen = new LatencyWindow().add('a', slow, false).add('b', { buckets: buckets({}) }, false);
  const anew = { buckets: buckets({ '0.1': 40, '1': 40, '+Inf': 40 }) };
  const both = seen.add('a', anew, false).add('b', { buckets: buckets({ '0.1': 0, '1': 40, '+Inf': 40 }) }, false);
  expect(both.p95()?.ms).toBe(910);
});

test('pods that count nothing tell their own: the highest', () => {
  const window = new LatencyWindow().add('a', { ownP95Ms: 12.5 }, false).add('b', { ownP95Ms: 80 }, false);
  expect(window.p95()).toEqual({ ms: 80, source: 'dashboard_request_duration_ms_p95' });
  expect(new LatencyWindow().add('a', {}, false).p95()).toBeUndefined();
});

const read = (text: string) => {
  const counter = new RequestCounter(undefined, true);
  counter.add(Buffer.from(text));
  counter.counts();
  return counter.latency();
};
const line = (route: string, status: string, le: string, count: number | string) =>
  `http_request_duration_seconds_bucket{le="${le}",method="GET",route="${route}",status="${status}"} ${count}\n`;

test('of a pod’s metrics: users’ routes together, whatever they answered, and no probes', () => {
  const text = ['/a', '/b', '/ready'].flatMap(route =>
    ['200', '500'].flatMap(status => [line(route, status, '0.5', 3), line(route, status, '+Inf', 4)]),
  );
  expect(read(text.join(''))).toEqual({ buckets: buckets({ '0.5': 12, '+Inf': 16 }) });
});

test('of a service without a histogram its own p95', () => {
  expect(read('# TYPE dashboard_request_duration_ms_p95 gauge\ndashboard_request_duration_ms_p95 12.5\n')).toEqual({
    ownP95Ms: 12.5,
  });
});

test.each([
  ['nothing', ''],
  ['a count that is none', line('/a', '200', '0.5', 'NaN')],
  ['an edge that is none', line('/a', '200', 'soon', 4)],
  ['a p95 that is none', 'dashboard_request_duration_ms_p95 -1\n'],
  ['labels that do not end', 'http_request_duration_seconds_bucket{le="0.5 4\n'],
])('nothing is known by %s', (_case, text) => expect(read(text)).toEqual({}));

test('where it is not asked for, it is not looked at', () => {
  const counter = new RequestCounter();
  counter.add(Buffer.from(line('/a', '200', '0.5', 4)));
  expect(counter.latency()).toEqual({});
});
