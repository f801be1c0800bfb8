import { expect, test } from '@jest/globals';
import { KEY_NAMES } from '../api/rotation.ts';
import { drawKeys } from './draw/keys.ts';
import { keysView, type SeenKey } from './views/keys.ts';
import type { SeenResource } from './views/status.ts';

const NOW = Date.parse('2026-11-29T08:00:00Z');
const terminal = { width: 100, colour: false, unicode: true };
const held = {
  ...{ type: 'KeysCurrent', status: 'False', reason: 'RotationHeld' },
  message:
    'the old api key (1) was used 120 times, last at 07:59:48; held by CronJob shop/report, which reads it at its start',
};
const draining: SeenKey & { readonly currentKeyDigest: string } = {
  ...{ name: 'api', secret: 'dashboard-api-keyring', state: 'Draining', currentKeyId: '2', mode: 'graceful' },
  ...{ previousUntil: '2026-11-29T07:00:00Z', lastRotationTime: '2026-08-01T08:00:00Z' },
  ...{ previousUses: 120, previousUsePerMinute: 4, previousUsedAt: '2026-11-29T07:59:48Z' },
  currentKeyDigest: 'digest-of-canary-4711',
};
const idle: SeenKey = {
  ...{ name: 'scrape', secret: 'dashboard-scrape-keyring', state: 'Idle', currentKeyId: '3' },
  ...{ nextRotationTime: '2027-01-01T08:00:00Z', revoked: [{ id: '1' }, { id: '2' }] },
};
const seen = (keys: readonly SeenKey[], conditions = [held]): SeenResource => ({
  kind: 'DashboardDeployment',
  metadata: { name: 'dashboard', namespace: 'shop' },
  status: { keys, conditions },
});

test('who still uses the old key, and what is done', () => {
  expect(drawKeys(keysView(seen([draining, idle])), terminal, NOW)).toEqual([
    '✖ DashboardDeployment/dashboard  shop  RotationHeld',
    'the old api key (1) was used 120 times, last at 07:59:48; held by CronJob shop/report, which reads',
    'it at its start',
    'api     Draining: callers have the new key; both are accepted until nobody uses the old one',
    '        key 2, since 120 d 0 h ago',
    '        the old key is accepted, although its time was over 1 h 0 min ago',
    '        old key: 120 requests since, 4 in the last minute, the last 12 s ago',
    '        pods accept what is in Secret dashboard-api-keyring',
    'scrape  Idle: nothing is under way',
    '        key 3, the next one in 33 d 0 h',
    '        revoked: 1, 2',
    '        pods accept what is in Secret dashboard-scrape-keyring',
  ]);
});

test.each([
  ['nobody uses it', { ...draining, previousUses: 0 }, 'nobody has used the old key since'],
  [
    'it is not counted',
    { name: 'api', secret: 's', state: 'Draining' },
    'who still uses it is not known: not counted yet',
  ],
  [
    'it is immediate',
    { ...draining, mode: 'immediate' },
    'immediate: the old one goes as soon as every pod has the new one',
  ],
  [
    'its time is not over',
    { ...draining, previousUntil: '2026-11-29T09:00:00Z' },
    'the old key is accepted, 1 h 0 min more at least',
  ],
  ['a state of a later version', { ...idle, state: 'Dancing' }, 'scrape  Dancing'],
])('%s', (_case, key, line) => {
  expect(drawKeys(keysView(seen([key])), terminal, NOW).join('\n')).toContain(line);
});

test.each([
  ['True', 'current'],
  ['False', 'held'],
  ['Unknown', 'under way'],
])('KeysCurrent is %s', (status, state) => {
  expect(keysView(seen([idle], [{ ...held, status }])).state).toBe(state);
});

test('nothing is known yet', () => {
  const { status: _none, ...rest } = seen([]);
  expect(drawKeys(keysView(rest), terminal, NOW)).toEqual([
    '? DashboardDeployment/dashboard  shop  ?',
    'no keys are known yet',
  ]);
});

test('ids only: neither a key nor a digest of one', () => {
  expect(JSON.stringify(keysView(seen([draining, idle])))).not.toMatch(/digest|canary/i);
});

test.each([60, 80, 120])('at %i columns no line is wider', width => {
  const all = KEY_NAMES.map(name => ({ ...draining, name, secret: 'x'.repeat(80) }));
  const lines = drawKeys(keysView(seen(all)), { width, colour: false, unicode: width !== 80 }, NOW);
  expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(width);
});
