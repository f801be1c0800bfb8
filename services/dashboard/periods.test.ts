import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { addDays, addMonths, type Day, firstOfMonth, marketDay, monday, spansOf } from './periods.ts';

test('the market’s day ends at midnight in Buenos Aires, three hours after UTC’s', () => {
  expect(marketDay(new Date('2026-11-22T02:59:59Z'))).toBe('2026-11-21');
  expect(marketDay(new Date('2026-11-22T03:00:00Z'))).toBe('2026-11-22');
});

test('the calendar', () => {
  expect(addDays('2026-02-28', 1)).toBe('2026-03-01');
  expect(addDays('2026-01-01', -1)).toBe('2025-12-31');
  expect(addMonths('2026-11-22', -11)).toBe('2025-12-01');
  expect(addMonths('2026-11-22', 2)).toBe('2027-01-01');
  expect(monday('2026-11-22')).toBe('2026-11-16'); // a Sunday
  expect(monday('2026-11-16')).toBe('2026-11-16');
});

test.each([
  [{}, { daysFrom: '-infinity', monthsFrom: '-infinity', monthsUntil: 'infinity', daysTo: 'infinity' }],
  [
    { from: '2026-01-15' },
    { daysFrom: '2026-01-15', monthsFrom: '2026-02-01', monthsUntil: 'infinity', daysTo: 'infinity' },
  ],
  [
    { from: '2026-01-01', to: '2026-03-31' },
    { daysFrom: '2026-01-01', monthsFrom: '2026-01-01', monthsUntil: '2026-04-01', daysTo: '2026-03-31' },
  ],
  [
    { from: '2026-01-15', to: '2026-02-15' },
    { daysFrom: '2026-01-15', monthsFrom: '2026-01-15', monthsUntil: '2026-01-15', daysTo: '2026-02-15' },
  ],
  [
    { from: '0001-01-01', to: '9999-12-31' },
    { daysFrom: '1000-01-01', monthsFrom: '1000-01-01', monthsUntil: '9001-01-01', daysTo: '9000-12-31' },
  ],
])('%j in months and days', (period, spans) => {
  expect(spansOf(period)).toEqual(spans);
});

const day = fc.integer({ min: 0, max: 800 }).map(days => addDays('2025-01-01', days));

const isIn = ({ daysFrom, monthsFrom, monthsUntil, daysTo }: ReturnType<typeof spansOf>, one: Day) => {
  const month = firstOfMonth(one);
  const byMonth = month >= monthsFrom && month < monthsUntil;
  const byDay = (one >= daysFrom && one < monthsFrom) || (one >= monthsUntil && one <= daysTo);
  return Number(byMonth) + Number(byDay);
};

test('each day of a period is in its spans exactly once, and no other day is', () => {
  fc.assert(
    fc.property(day, day, day, (from, to, one) => {
      expect(isIn(spansOf({ from, to }), one)).toBe(one >= from && one <= to ? 1 : 0);
    }),
    { numRuns: 2_000 },
  );
});
