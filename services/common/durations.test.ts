import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Histogram, Registry } from 'prom-client';
import { type Durations, histogramOf, newDurations, observe } from './durations.ts';

const EDGES = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const NAME = 'http_request_duration_seconds';
const HELP = 'Time from the request line to the end of the response';
const SERIES = [
  { method: 'GET', route: '/"quoted"\\n', status: '200' },
  { method: 'POST', route: '/items/:id', status: '503' },
];

test('a scrape reads what prom-client would have counted, to the letter', async () => {
  const seconds = fc.oneof(fc.constantFrom(0, ...EDGES), fc.double({ min: 0, max: 20, noNaN: true }));
  const observations = fc.array(fc.tuple(fc.constantFrom(...SERIES), seconds), { maxLength: 50 });
  await fc.assert(
    fc.asyncProperty(observations, async observed => {
      const [ours, theirs] = [new Registry(), new Registry()];
      const all: Durations[] = [];
      ours.registerMetric(histogramOf(NAME, HELP, all));
      const labelNames = ['method', 'route', 'status'];
      const histogram = new Histogram({ name: NAME, help: HELP, labelNames, buckets: EDGES, registers: [theirs] });
      for (const [labels, duration] of observed) {
        if (!all.some(series => series.labels === labels)) all.push(newDurations(labels));
        for (const series of all) if (series.labels === labels) observe(series, duration);
        histogram.observe(labels, duration);
      }
      expect(await ours.metrics()).toBe(await theirs.metrics());
    }),
  );
});
