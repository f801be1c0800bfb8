import type { Filters } from '../figures.ts';
import { analyticsQuery } from '../parameters.ts';

export type AnalyticsQuery = {
  readonly filters: Filters;
  /** what was asked for and could not be understood, in the visitor's words */
  readonly ignored: readonly string[];
  /** page of the table, from 1 */
  readonly asked: number;
};

const textOf = (value: unknown): string => (typeof value === 'string' ? value.trim() : '');

/** What /analytics is asked with. As in the API a date that is none is ignored, but here the visitor is told. */
export function readAnalyticsQuery(query: Readonly<Record<string, unknown>>): AnalyticsQuery {
  const { startDate, endDate, proveedor } = analyticsQuery.parse(query);
  const dates = { start_date: startDate, end_date: endDate };
  const ignored = Object.entries(dates).filter(([name, day]) => day === undefined && textOf(query[name]) !== '');
  const page = Number(textOf(query['pagina']));
  return {
    filters: {
      ...(startDate !== undefined && { startDate }),
      ...(endDate !== undefined && { endDate }),
      ...(proveedor !== undefined && { proveedor }),
    },
    ignored: ignored.map(([name]) => `«${textOf(query[name]).slice(0, 40)}» no es una fecha: no se tuvo en cuenta.`),
    asked: Number.isSafeInteger(page) && page >= 1 ? page : 1,
  };
}
