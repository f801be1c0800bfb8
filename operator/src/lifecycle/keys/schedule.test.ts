import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { T0 } from '../testing.ts';
import { type Due, dueAt } from './schedule.ts';

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
  // the night in which 02:30 does not exist: the moment in which clocks go from 2 to 3
  [
    'a schedule in the missing hour',
    { schedule: '30 2 29 3 *', timeZone: 'Europe/Madrid' },
    Date.parse('2026-03-29T01:00:00Z'),
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

/** Walks through the time, and rotates whenever the door is open. */
function walk(wanted: ReturnType<typeof rotation>, from: string, to: string): string[] {
  let last = Date.parse(from);
  const times: string[] = [];
  for (let now = last; ; ) {
    const due = dueAt(wanted, last, 'uid-1/api', now);
    if (due.kind !== 'at') return [due.kind];
    if (due.opensAt >= Date.parse(to)) return times;
    now = Math.max(now, due.opensAt);
    times.push(new Date(now).toISOString().slice(5, 10));
    last = now;
    now += 60_000;
  }
}

test.each<[string, string, string, string, string, string[]]>([
  [
    'an hour that comes twice, daily',
    ...(['30 1 * * *', 'America/New_York', '2026-10-30T12:00:00Z', '2026-11-03T12:00:00Z'] as const),
    ['10-31', '11-01', '11-02', '11-03'],
  ],
  [
    'an hour that comes twice, elsewhere',
    ...(['30 2 * * *', 'Europe/Rome', '2026-10-23T12:00:00Z', '2026-10-27T12:00:00Z'] as const),
    ['10-24', '10-25', '10-26', '10-27'],
  ],
  [
    'an hour that does not exist',
    ...(['30 2 * * *', 'America/New_York', '2026-03-06T12:00:00Z', '2026-03-10T12:00:00Z'] as const),
    ['03-07', '03-08', '03-09', '03-10'],
  ],
  [
    'a midnight that does not exist, daily',
    ...(['0 0 * * *', 'Africa/Cairo', '2026-04-22T12:00:00Z', '2026-04-25T12:00:00Z'] as const),
    ['04-22', '04-23', '04-24'],
  ],
  [
    'a midnight that does not exist, on Fridays',
    ...(['0 0 * * 5', 'Africa/Cairo', '2026-04-18T12:00:00Z', '2026-05-03T12:00:00Z'] as const),
    ['04-23', '04-30'],
  ],
  [
    'a shift by half an hour',
    ...(['15 2 * * *', 'Australia/Lord_Howe', '2026-10-01T18:00:00Z', '2026-10-05T18:00:00Z'] as const),
    ['10-02', '10-03', '10-04', '10-05'],
  ],
])('%s: once each time, and none is left out', (_case, schedule, timeZone, from, to, days) => {
  expect(walk(rotation({ schedule, timeZone }), from, to)).toEqual(days);
});
