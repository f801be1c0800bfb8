import { expect, test } from '@jest/globals';
import { decide } from '../plan.ts';
import { firstMetrics } from '../release/first-metrics.ts';
import type { Judgement, Revision, Snapshot } from '../snapshot.ts';
import { app, carrying, judgement, revision, T0, wanted } from '../testing.ts';
import { monitored } from './monitored.ts';

/** v2 bakes, and its pods were first read so many seconds ago. */
const baking = (scrapes: number | undefined, seconds: number, change: Partial<Snapshot> = {}): Snapshot => {
  const read: Judgement = {
    ...judgement('Pending'),
    ...(scrapes !== undefined && { scrapes }),
    window: { from: T0 - seconds * 1_000, requests: 40, errors: 0 },
  };
  return carrying({ phase: 'Baking', release: 'v2', stable: 'v1' }, {}, { judgement: read, ...change });
};

/** v2 serves alone since long, and this was written down with it. */
const after = (scraped: Revision['scraped'], change: Partial<Snapshot> = {}): Snapshot =>
  carrying(
    { release: 'v2', stable: 'v2' },
    {},
    { wanted: wanted('v2'), revisions: [revision('v2', 'released', scraped && { scraped })], ...change },
  );

const labelled = { app: app({ monitoring: { labels: { b: '2', a: '1' } } }) };
const slow = { app: app({ monitoring: { interval: '1m30s' } }) };

test.each<[string, Snapshot, string, string]>([
  ['it was read', baking(3, 10), 'Monitored', 'a Prometheus read the pods of 2'],
  ['nobody came for three intervals', baking(0, 90), 'NotScraped', 'no Prometheus read the pods of 2'],
  ['nobody came yet', baking(0, 89), 'Monitored', 'was not seen'],
  ['an image that does not count', baking(undefined, 900), 'Monitored', 'was not seen'],
  ['a longer interval', baking(0, 269, slow), 'Monitored', 'was not seen'],
  ['and three of them', baking(0, 270, slow), 'NotScraped', 'spec.monitoring.labels'],
  ['what was written down: read', after({ seen: true, labels: '' }), 'Monitored', 'read the pods of 2'],
  ['what was written down: not read', after({ seen: false, labels: '' }), 'NotScraped', 'ServiceMonitor shop'],
  ['nothing was written down', after(undefined), 'Monitored', 'was not seen'],
  ['with another label it may be', after({ seen: false, labels: '' }, labelled), 'Monitored', 'was not seen'],
  ['with the same labels it is not', after({ seen: false, labels: 'a=1,b=2' }, labelled), 'NotScraped', 'of 2'],
  [
    'it is not to be read',
    after({ seen: false, labels: '' }, { app: app({ monitoring: { serviceMonitor: 'Disabled' } }) }),
    'Monitored',
    'PrometheusRule: there',
  ],
])('%s', (_sentence, seen, reason, words) => {
  const found = monitored(seen);
  expect(found).toMatchObject({ status: reason === 'Monitored' ? 'True' : 'False', reason });
  expect(found.message).toContain(words);
});

test('it is looked at again when a bake has lasted long enough to say so, and while nobody reads', () => {
  expect(decide(baking(0, 200)).recheckMs).toBeLessThanOrEqual(90_000);
  expect(decide(baking(0, 60)).recheckMs).toBeLessThanOrEqual(30_000);
  expect(decide(baking(0, 60)).conditions.find(({ type }) => type === 'Ready')?.status).toBe('True');
});

test('what was seen is written down with the first figures', () => {
  expect(firstMetrics(baking(5, 1_800), 'Bake')).toMatchObject({ scraped: { seen: true, labels: '' } });
  expect(firstMetrics(baking(0, 1_800, labelled), 'Bake')).toMatchObject({
    scraped: { seen: false, labels: 'a=1,b=2' },
  });
  expect(firstMetrics(baking(0, 20), 'CutShort')).not.toHaveProperty('scraped');
});
