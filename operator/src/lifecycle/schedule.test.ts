import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Due, dueAt } from './schedule.ts';
import { T0 } from './testing.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const rotation = (change: object) => ({ overlapSeconds: 60, suspend: false, ...change });
const planned = (due: Due): number => (due.kind === 'at' ? due.plannedAt : Number.NaN);
const seeds = Array.from({ length: 100 }, (_, number) => `uid-${number}/api`);

test.each([
  ['no rotation', undefined],
  ['only when asked for', rotation({})],
])('%s: never', (_case, wanted) => {
  expect(dueAt(wanted, T0, 'uid', T0)).toEqual({ kind: 'never' });
});

test.each([
  ['an interval', { intervalSeconds: 30 * 86_400 }, T0 + 30 * DAY],
  ['a schedule', { schedule: '0 4 2 * *' }, Date.parse('2026-03-02T04:00:00Z')],
  ['a schedule elsewhere', { schedule: '0 4 2 * *', timeZone: 'Europe/Madrid' }, Date.parse('2026-03-02T03:00:00Z')],
  // the night in which 02:30 does not exist
  [
    'a schedule in the missing hour',
    { schedule: '30 2 29 3 *', timeZone: 'Europe/Madrid' },
    Date.parse('2026-03-29T01:30:00Z'),
  ],
])('%s: within the hour after it', (_case, wanted, at) => {
  const due = planned(dueAt(rotation(wanted), T0, 'uid', T0));
  expect(due).toBeGreaterThanOrEqual(at);
  expect(due).toBeLessThan(at + HOUR);
});

test.each([
  ['an hour that does not exist', { schedule: '0 25 * * *' }],
  ['a time zone that does not exist', { schedule: '0 4 * * *', timeZone: 'Europe/Atlantis' }],
])('%s is said, not thrown', (_case, wanted) => {
  expect(dueAt(rotation(wanted), T0, 'uid', T0)).toMatchObject({ kind: 'invalid' });
});

test('a hundred resources with one schedule do not begin in the same minute', () => {
  const minutes = seeds.map(seed =>
    Math.floor(planned(dueAt(rotation({ schedule: '0 4 2 * *' }), T0, seed, T0)) / 60_000),
  );
  const busiest = Math.max(...minutes.map(minute => minutes.filter(other => other === minute).length));
  expect(busiest).toBeLessThan(10);
});

test('a hundred that all became overdue at once do not either, and each begins within the hour', () => {
  const wanted = rotation({ intervalSeconds: 86_400 });
  const openAt = (now: number) =>
    seeds.filter(seed => {
      const due = dueAt(wanted, T0 - 90 * DAY, seed, now);
      return due.kind === 'at' && due.opensAt <= now;
    });
  const perMinute = Array.from({ length: 60 }, (_, minute) => openAt(T0 + minute * 60_000));
  expect(Math.max(...perMinute.map(({ length }) => length))).toBeLessThan(10);
  expect(new Set(perMinute.flat()).size).toBe(100);
});

test('whatever was missed: planned once, after the last one, and the door opens within the window', () => {
  const cases = fc.record({
    intervalSeconds: fc.integer({ min: 3600, max: 31_536_000 }),
    sinceLast: fc.integer({ min: -400 * DAY, max: 400 * DAY }),
    seed: fc.string(),
  });
  fc.assert(
    fc.property(cases, ({ intervalSeconds, sinceLast, seed }) => {
      const now = T0 + sinceLast;
      const due = dueAt(rotation({ intervalSeconds }), T0, seed, now);
      if (due.kind !== 'at') return false;
      const window = Math.min(HOUR, intervalSeconds * 100);
      const late = due.plannedAt - (T0 + intervalSeconds * 1000);
      return (
        late >= 0 &&
        late < window &&
        due.opensAt >= due.plannedAt &&
        due.opensAt <= Math.max(now, due.plannedAt) + window
      );
    }),
  );
});
