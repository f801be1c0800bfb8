import { expect, test } from '@jest/globals';
import { createMetrics } from './metrics.ts';

/** What Prometheus Operator says of where a Prometheus reads; a series' own label of such a name is renamed. */
const OF_TARGETS = ['namespace', 'service', 'pod', 'job', 'endpoint', 'container', 'instance'];

test('no series has a label that the one who reads it has already', () => {
  const metrics = createMetrics({ watchAges: () => new Map(), isLeader: () => true, version: '1' });
  const labelled = Object.entries(metrics).flatMap(([name, metric]) =>
    ((metric as { labelNames?: readonly string[] }).labelNames ?? []).map(label => ({ name, label })),
  );
  expect(labelled.length).toBeGreaterThan(10);
  expect(labelled.filter(({ label }) => OF_TARGETS.includes(label))).toEqual([]);
});
