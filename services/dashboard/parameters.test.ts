import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { analyticsQuery, timelineQuery, topProductsQuery, trendsQuery, weeksQuery } from './parameters.ts';

test.each([
  ['7', 7],
  ['0', 1],
  ['-5', 1],
  ['91', 90],
  ['+3', 3],
  [' 4 ', 4],
  ['99999999999999999999999', 90],
  [undefined, 7],
  [['3', '5'], 5],
])('days=%j counts as %j', (days, expected) => {
  expect(timelineQuery.parse({ days })).toEqual({ days: expected });
});

test.each(['abc', '', '1.5', '1e3', '0x10', 'NaN', '--1', 'null'])('days=%j is refused', days => {
  expect(timelineQuery.safeParse({ days }).success).toBe(false);
});

test('the limits of the others', () => {
  expect(topProductsQuery.parse({}).limit).toBe(10);
  expect(topProductsQuery.parse({ limit: '1000' }).limit).toBe(100);
  expect(trendsQuery.parse({}).months).toBe(6);
  expect(trendsQuery.parse({ months: '25' }).months).toBe(24);
  expect(weeksQuery.parse({}).weeks).toBe(8);
  expect(weeksQuery.parse({ weeks: '53' }).weeks).toBe(52);
});

test.each([
  ['2026-02-28', '2026-02-28'],
  [' 2026-02-28 ', '2026-02-28'],
  ['2026-02-29', undefined],
  ['2028-02-29', '2028-02-29'],
  ['2026-13-01', undefined],
  ['2026-1-1', undefined],
  ['01/02/2026', undefined],
  ["2026-01-01' OR 1=1", undefined],
  ['0000-01-01', undefined],
  ['', undefined],
])('start_date=%j is read as %j', (given, expected) => {
  expect(analyticsQuery.parse({ start_date: given, end_date: given })).toMatchObject({
    startDate: expected,
    endDate: expected,
  });
});

test.each([
  ['  Arcor ', 'Arcor'],
  ['La Serenísima', 'La Serenísima'],
  ["Arcor'; DROP TABLE x;--", 'Arcor DROP TABLE x--'],
  ['a_b-c.d/e', 'a_b-c.d/e'],
  ['100%', '100'],
  ['<script>', 'script'],
  ['a\0b', 'ab'],
  ['%%%', undefined],
  ['   ', undefined],
  ['ñandú'.repeat(20), 'ñandú'.repeat(12)],
  // given twice, the last one counts, as everywhere
  [['Arcor', 'Molinos'], 'Molinos'],
])('proveedor=%j is cleaned to %j', (given, expected) => {
  expect(analyticsQuery.parse({ proveedor: given }).proveedor).toBe(expected);
});

test('whatever is asked, a filter is a day of the calendar and a provider has sixty harmless characters', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (day, proveedor) => {
      const filters = analyticsQuery.parse({ start_date: day, proveedor });
      expect(filters.startDate ?? '2026-01-01').toMatch(/^\d{4}-\d\d-\d\d$/);
      expect(filters.proveedor ?? '').toMatch(/^[\p{L}\p{N}_\s\-./]{0,60}$/u);
    }),
  );
});
