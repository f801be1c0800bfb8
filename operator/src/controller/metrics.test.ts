import { expect, test } from '@jest/globals';
import { createMetrics } from './metrics.ts';

/** What Prometheus Operator says of where a Prometheus reads; a series' own label of such a name is renamed. */
const OF_TARGETS = ['namespace', 'service', 'pod', 'job', 'endpoint', 'container', 'instance'];

test('no series has a label that the one who reads it has already', () => {
  const metrics = createMetrics({ watchAges: () => new Map(), isLeader: () => true, version: '1' });
  const all = metrics.registry.getMetricsAsArray() as readonly { name: string; labelNames?: readonly string[] }[];
  const own = all.filter(({ name }) => name.startsWith('devshelf_'));
  const labelled = own.flatMap(({ name, labelNames = [] }) => labelNames.map(label => ({ name, label })));
  expect(labelled.length).toBeGreaterThan(10);
  expect(labelled.filter(({ label }) => OF_TARGETS.includes(label))).toEqual([]);
});

test('only who leads stands back: before and after its term it says nothing of it', async () => {
  let isLeader = false;
  const metrics = createMetrics({ watchAges: () => new Map(), isLeader: () => isLeader, version: '1' });
  const told = async () =>
    (await metrics.registry.metrics()).split('\n').filter(line => line.startsWith('devshelf_operator_stands_back{'));
  metrics.standsBack.add('shop');
  expect(await told()).toEqual([]);
  isLeader = true;
  const stands = ['devshelf_operator_stands_back{resource_namespace="shop"} 1'];
  expect(await told()).toEqual(stands);
  isLeader = false;
  expect(await told()).toEqual([]);
  isLeader = true;
  expect(await told()).toEqual(stands);
  metrics.standsBack.delete('shop');
  expect(await told()).toEqual([]);
});
