// Every query of every panel, and of every variable and mark, asked of a Prometheus that reads the real things: what
// is in error fails, and what is empty. The same for the rules, and what they alert about.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { DASHBOARDS } from '../../charts/dashboards/generate.ts';
import { built } from '../../charts/dashboards/panels.ts';
import { filledIn, panelsOf } from '../../charts/dashboards/queries.ts';
import { scaledObject, workerScaledObject } from '../../operator/src/objects/scaled-object.ts';
import { dashboard, devshelf } from '../../operator/src/objects/testing.ts';
import { until } from '../../services/common/testing/processes.ts';
import { type MonitoredStory, startMonitoredStory } from './monitored-story.ts';
import { testAlerts } from './story-alerts.ts';

let story: MonitoredStory;
let startedAt: number;
const over = new AbortController();
let driven: Promise<void> | undefined;

beforeAll(async () => {
  story = await startMonitoredStory();
  startedAt = Date.now();
  driven = story.traffic(over.signal);
  await story.releases();
}, 15 * 60_000);
afterAll(async () => {
  over.abort();
  try {
    await driven;
  } finally {
    await story?.remove();
  }
}, 60_000);

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}
interface Line {
  readonly values: readonly (readonly [number, string])[];
}

const ask = async (query: string): Promise<readonly Sample[]> =>
  (await story.prometheus.ask<{ result: Sample[] }>('query', { query })).result;
/** As a panel draws it, since the story began: a quantile has none while nothing happens. */
async function isDrawn(query: string): Promise<boolean> {
  const span = { start: String(startedAt / 1000), end: String(Date.now() / 1000), step: '2' };
  const { result } = await story.prometheus.ask<{ result: Line[] }>('query_range', { query, ...span });
  return result.some(({ values }) => values.some(([, value]) => Number.isFinite(Number(value))));
}

const valuesFor = (name: string): Record<string, string> => ({
  __rate_interval: '15s',
  __range: '5m',
  objective: '0.995',
  namespace: story.namespace,
  name: story.names[name as keyof MonitoredStory['names']] ?? '',
});

describe.each(Object.keys(DASHBOARDS))('%s', name => {
  const spec = DASHBOARDS[name];
  if (!spec) throw new Error(name);
  const dashboard = built(spec);
  const panels = panelsOf(dashboard).filter(({ type }) => type !== 'row');
  const queries = panels.flatMap(({ title, queries: own }) =>
    own.map(({ expr, legend }) => [own.length > 1 ? `${title} (${legend})` : title, expr] as const),
  );

  test.each(queries)(
    '%s',
    async (_title, expr) => {
      const asked = filledIn(expr, valuesFor(name));
      await until(`${asked} has a number`, () => isDrawn(asked), 40_000);
    },
    60_000,
  );

  test.each(spec.marks.map(mark => [mark.name, mark.expr] as const))('mark: %s', async (mark, expr) => {
    const found = await ask(filledIn(expr, valuesFor(name)));
    // only the dashboard's release turned bad
    const isThere = name !== 'devshelf-api' || mark !== 'Taken back';
    expect(found.length > 0).toBe(isThere);
    for (const { value } of found) expect(Math.abs(Date.now() - Number(value[1]))).toBeLessThan(15 * 60_000);
  });

  test('variables have their values', async () => {
    for (const { query } of spec.variables) {
      const [, selector, label = ''] = /^label_values\((.+), *(\w+)\)$/.exec(query ?? '') ?? [];
      if (selector === undefined) continue;
      const found = await ask(filledIn(selector, valuesFor(name)));
      const wanted = label === 'resource' ? valuesFor(name)['name'] : story.namespace;
      expect(found.map(({ metric }) => metric[label])).toContain(wanted);
    }
  });
});

interface Trigger {
  readonly metadata: { readonly query?: string };
}

/** What KEDA is told to ask about the resources of the story. */
function askedByKeda(): readonly string[] {
  const named = (name: string) => ({ metadata: { ...dashboard().metadata, namespace: story.namespace, name } });
  const autoscaling = { provider: 'KEDA', maxReplicas: 9, requestsPerSecondPerReplica: 20 };
  const worker = { autoscaling: { maxReplicas: 8, waitingJobsPerReplica: 50 } };
  const of = { ...devshelf({ autoscaling, worker }), ...named(story.names['devshelf-api']) };
  const market = { ...dashboard({ autoscaling }), ...named(story.names['devshelf-dashboard']) };
  const address = 'http://prometheus';
  const objects = [scaledObject(market, 'Settled', address), scaledObject(of, 'Settled', address)];
  return [...objects, workerScaledObject(of, address)].flatMap(object => {
    const { triggers } = (object?.['spec'] ?? { triggers: [] }) as { triggers: Trigger[] };
    return triggers.flatMap(({ metadata }) => metadata.query ?? []);
  });
}

test('what KEDA asks about both services and the worker has one answer each', async () => {
  const queries = askedByKeda();
  expect(queries).toHaveLength(3);
  for (const query of queries) {
    await until(`${query} has a number`, async () => (await ask(query)).length === 1, 40_000);
    const [only] = await ask(query);
    expect(Number(only?.value[1])).toBeGreaterThanOrEqual(0);
  }
  const requests = await ask(queries[0] ?? '');
  expect(Number(requests[0]?.value[1])).toBeGreaterThan(0);
}, 150_000);

test('both releases are told apart, and the one that is bad is', async () => {
  await sleep(1_000);
  const query = filledIn(
    'sum by (devshelf_dev_release) (increase(http_responses_total{namespace="$namespace",service="$name",class="5xx"}[1m]))',
    valuesFor('devshelf-dashboard'),
  );
  const found = new Map(
    (await ask(query)).map(({ metric, value }) => [metric['devshelf_dev_release'], Number(value[1])]),
  );
  expect(found.get('9fd27')).toBeGreaterThan(0);
  expect(found.get('5b0e1')).toBe(0);
}, 60_000);

test.each([
  ['tokens are refreshed', 'increase(devshelf_refreshes_total{outcome="rotated"}[1m]) > 0'],
  ['a key was replaced', 'increase(devshelf_operator_key_rotations_total[5m]) > 0'],
  ['the bad release was found by its answers', 'increase(devshelf_operator_rollback_detection_seconds_count[5m]) > 0'],
])(
  'what is drawn is not flat: %s',
  async (_sentence, query) => {
    await until(`${query} is so`, async () => (await ask(query)).length > 0, 40_000);
  },
  60_000,
);

test('the resources are monitored, and say so: nothing about it is not as it should be', async () => {
  expect(await ask('devshelf_resource_condition_timestamp_seconds{type="Ready"}')).not.toEqual([]);
  expect(await ask('devshelf_resource_condition_timestamp_seconds{type="Monitored"}')).toEqual([]);
}, 60_000);

describe('rules', () => testAlerts(() => story));
