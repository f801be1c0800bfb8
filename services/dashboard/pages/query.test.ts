import { expect, test } from '@jest/globals';
import { readAnalyticsQuery } from './query.ts';

const NOTHING = { filters: {}, ignored: [], asked: 1 };

test.each([
  ['nothing', {}, NOTHING],
  ['empty fields, as a form sends them', { start_date: '', end_date: ' ', proveedor: '' }, NOTHING],
  [
    'dates and a provider',
    { start_date: '2026-01-01', end_date: '2026-02-28', proveedor: ' PR1<> ' },
    { ...NOTHING, filters: { startDate: '2026-01-01', endDate: '2026-02-28', proveedor: 'PR1' } },
  ],
  [
    'a date that the calendar does not have',
    { end_date: '2026-02-30' },
    { ...NOTHING, ignored: ['«2026-02-30» no es una fecha: no se tuvo en cuenta.'] },
  ],
  ['a page', { pagina: '3' }, { ...NOTHING, asked: 3 }],
  ['a page that is none', { pagina: '-1' }, NOTHING],
  ['the same parameter twice', { pagina: ['2', '3'] }, NOTHING],
])('%s', (_case, query, wanted) => {
  expect(readAnalyticsQuery(query)).toEqual(wanted);
});
