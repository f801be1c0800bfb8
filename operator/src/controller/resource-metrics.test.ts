import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, test } from '@jest/globals';
import { decide } from '../lifecycle/plan.ts';
import type { Snapshot } from '../lifecycle/snapshot.ts';
import { statusOf } from '../lifecycle/status.ts';
import { app, at, carrying, held, revision, T0 } from '../lifecycle/testing.ts';
import { OPERATOR_RECORDINGS } from '../objects/operator-alerts.ts';
import { createMetrics } from './metrics.ts';
import { COMMON_LABELS, RESOURCE_SERIES, ResourceMetrics } from './resource-metrics.ts';
import { keyOfApp } from './world.ts';

const KEY = keyOfApp(app());
const DECISIONS = 'devshelf_operator_decision_timestamp_seconds';

const textOf = (metrics: ResourceMetrics): string => [...metrics.pieces()].join('');

const linesOf = (seen: Snapshot, metrics = new ResourceMetrics()): string[] => {
  metrics.set(KEY, seen, statusOf(seen, decide(seen)));
  return textOf(metrics)
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'));
};

const settled = () => carrying({ phase: 'Settled', release: 'v2', stable: 'v2' });

test('a settled resource', () => {
  const lines = linesOf(settled());
  const common = `kind="${app().kind}",resource_namespace="${app().metadata.namespace}",resource="${app().metadata.name}"`;
  expect(lines.every(line => line.includes(`{${common},`))).toBe(true);
  expect(lines.filter(line => line.startsWith('devshelf_resource_info'))).toHaveLength(1);
  const told = lines.filter(line => line.startsWith('devshelf_resource_condition')).join('\n');
  expect(told).toContain('type="Ready"');
  expect(told).toContain('type="Available"');
  expect(told).not.toContain('type="Migrated"');
  expect(lines.filter(line => line.startsWith('devshelf_resource_replicas'))).toHaveLength(3);
});

test('the age of a condition is the one in the status', () => {
  const since = '2026-03-01T10:00:00.000Z';
  const conditions = [{ type: 'Ready', status: 'True', reason: 'x', message: '', lastTransitionTime: since }] as const;
  const known = { ...app(), status: { ...app().status, conditions: [...conditions] } };
  const ready = linesOf({ ...settled(), app: known }).find(line => line.includes('type="Ready",status="True"'));
  expect(ready).toMatch(new RegExp(` ${Date.parse(since) / 1000}$`));
});

test('the last of each decision, with its release and its reason', () => {
  const candidate = { release: 'v2', reason: 'CandidateStarting', at: at(-60) };
  const seen = held({ revisions: [revision('v2', 'pending')] }, { decisions: { candidate } });
  const lines = linesOf(seen).filter(line => line.includes('decision="'));
  const labels = 'decision="candidate",version="2",release="v2",reason="CandidateStarting"';
  expect(lines).toEqual([expect.stringMatching(`^${DECISIONS}{.*${labels}} ${(T0 - 60_000) / 1000}$`)]);
});

test('a pass replaces what the one before said, and a resource that is gone is not told of', () => {
  const metrics = new ResourceMetrics();
  const first = linesOf(settled(), metrics);
  expect(linesOf(settled(), metrics)).toEqual(first);
  metrics.forget(KEY);
  expect(
    textOf(metrics)
      .split('\n')
      .filter(line => line !== '' && !line.startsWith('#')),
  ).toEqual([]);
});

test('nothing is told of resources that another process has looked after since', () => {
  const metrics = new ResourceMetrics();
  expect(linesOf(settled(), metrics)).not.toEqual([]);
  metrics.forgetAll();
  expect(textOf(metrics)).not.toContain('{');
});

test('only the process that leads tells of resources, its queue and the keys that it holds', async () => {
  let isLeader = true;
  const metrics = createMetrics({ version: '1', watchAges: () => new Map(), isLeader: () => isLeader });
  const seen = settled();
  metrics.resources.set(KEY, seen, statusOf(seen, decide(seen)));
  metrics.queueDepth.set(3);
  metrics.rotationsHeld.set(2);
  const told = async () =>
    (await text(Readable.from(metrics.pieces())))
      .split('\n')
      .filter(line => /^devshelf_(resource_info|operator_queue_depth|operator_key_rotations_held)/.test(line))
      .map(line => line.replace(/\{.*\}/, ''));
  expect(await told()).toEqual([
    'devshelf_operator_queue_depth 3',
    'devshelf_operator_key_rotations_held 2',
    'devshelf_resource_info 1',
  ]);
  isLeader = false;
  expect(await told()).toEqual(['devshelf_operator_queue_depth 0', 'devshelf_operator_key_rotations_held 0']);
});

test.each(OPERATOR_RECORDINGS.map(({ record, expr }) => [record, expr] as const))(
  '%s keeps the labels that the operator writes, and no others',
  (record, expr) => {
    const name = record.replace(/^devshelf:(.*):told$/, 'devshelf_$1');
    const series = RESOURCE_SERIES.find(each => each.name === name);
    expect(expr).toMatch(`max by (${[...COMMON_LABELS, ...(series?.labels ?? ['?'])].join(', ')}) (${name}`);
  },
);

test('what others wrote into a label breaks no line', () => {
  const strange = { ...app(), status: { ...app().status } };
  const metrics = new ResourceMetrics();
  const seen = { ...settled(), app: strange };
  metrics.set(KEY, seen, { ...statusOf(seen, decide(seen)), currentImage: 'a"b\\c\nd' });
  expect(textOf(metrics)).toContain('image="a\\"b\\\\c\\nd"');
});

test('whoever reads of ten thousand resources, however quickly, lets everybody else have a turn after each piece', async () => {
  const metrics = createMetrics({ version: '1', watchAges: () => new Map(), isLeader: () => true });
  const seen = settled();
  const status = statusOf(seen, decide(seen));
  for (let count = 0; count < 10_000; count += 1)
    metrics.resources.set(`DashboardDeployment/shop/${count}`, seen, status);
  let turns = 0;
  let next: NodeJS.Immediate | undefined;
  const others = (): void => {
    turns += 1;
    next = setImmediate(others);
  };
  others();
  const pieces: { text: string; turns: number }[] = [];
  for await (const text of Readable.from(metrics.pieces())) pieces.push({ text: String(text), turns });
  clearImmediate(next);
  const ofResources = pieces.filter(({ text }) => text.includes('devshelf_resource_'));
  expect(new Set(ofResources.map(piece => piece.turns)).size).toBe(ofResources.length);
  expect(ofResources.length).toBeGreaterThan(100);
  // those of the last resource, and a head, more than there are to be
  for (const { text } of ofResources) expect(text.split('\n').length).toBeLessThan(520);
});

test('each series says which labels it has', () => {
  const lines = linesOf(held());
  for (const { name, labels } of RESOURCE_SERIES) {
    for (const line of lines.filter(known => known.startsWith(`${name}{`))) {
      const found = [...line.matchAll(/(\w+)="/g)].map(([, label]) => label).slice(3);
      expect(found.toSorted()).toEqual([...labels].toSorted());
    }
  }
});
