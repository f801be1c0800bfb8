import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { addDays } from '../periods.ts';
import {
  count,
  day,
  dayLabel,
  daysUpTo,
  firstDayOfWeek,
  moment,
  monthLabel,
  monthsUpTo,
  number,
  share,
  weekLabel,
  weekOf,
  weeksUpTo,
} from './format.ts';

test('numbers as in Argentina', () => {
  expect([number(1_234), number(1_234_567), share(1, 4), share(1, 0)]).toEqual(['1.234', '1.234.567', '25%', '0%']);
  expect([count(1, 'pedido', 'pedidos'), count(0, 'pedido', 'pedidos')]).toEqual(['1 pedido', '0 pedidos']);
});

test('days, months and weeks have a short and a long name', () => {
  expect(day('2026-01-02')).toBe('02/01/2026');
  expect(dayLabel('2026-11-22')).toEqual({ short: 'dom 22', long: 'domingo 22/11/2026' });
  expect(monthLabel('2026-09')).toEqual({ short: 'sep 26', long: 'septiembre de 2026' });
  expect(weekLabel('2026-46')).toEqual({ short: '16 nov', long: 'semana del 16/11/2026' });
});

test('an instant is told in the market’s time, three hours behind UTC', () => {
  expect(moment(new Date('2026-11-22T02:05:00Z'))).toBe('21/11/2026, 23:05');
});

test('what is listed ends with the day that is given', () => {
  expect(daysUpTo('2026-03-01', 3)).toEqual(['2026-02-27', '2026-02-28', '2026-03-01']);
  expect(monthsUpTo('2026-01-31', 3)).toEqual(['2025-11', '2025-12', '2026-01']);
});

test('a week in which the year begins is two: its last days belong to week 00', () => {
  expect(weeksUpTo('2026-01-05', 4)).toEqual(['2025-51', '2025-52', '2026-00', '2026-01']);
  expect(firstDayOfWeek('2026-00')).toBe('2026-01-01');
});

// strftime's %W from its definition: Mondays of the year so far
test('every day lies in the week that its number says', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 20_000 }), offset => {
      const value = addDays('2000-01-01', offset);
      const year = value.slice(0, 4);
      let mondays = 0;
      for (let each = `${year}-01-01`; each <= value; each = addDays(each, 1)) {
        if (new Date(each).getUTCDay() === 1) mondays += 1;
      }
      expect(weekOf(value)).toBe(`${year}-${String(mondays).padStart(2, '0')}`);
      const first = firstDayOfWeek(weekOf(value));
      expect(first <= value && value < addDays(first, 7)).toBe(true);
    }),
  );
});
