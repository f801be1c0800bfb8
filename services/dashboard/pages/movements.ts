import { isIncoming } from '../figures.ts';
import { type Chart, sum, totals } from './chart.ts';
import type { Label } from './format.ts';

type Movements = { readonly tipo: string; readonly movimientos: number };

type MovementsOptions = Pick<Chart, 'id' | 'title' | 'category' | 'empty'> & {
  readonly periods: readonly { readonly label: Label; readonly rows: readonly Movements[] }[];
};

/** What came in beside what went out; both vocabularies of the market's history are one. */
export function movementsChart({ periods, ...chart }: MovementsOptions): Chart {
  const points = periods.map(({ label, rows }) => ({
    label,
    values: [true, false].map(incoming =>
      sum(rows.filter(({ tipo }) => isIncoming(tipo) === incoming).map(({ movimientos }) => movimientos)),
    ),
  }));
  const total = (index: number) => sum(points.map(({ values }) => values[index] ?? 0));
  return {
    ...chart,
    summary: totals([total(0), 'entrada', 'entradas'], [total(1), 'salida', 'salidas']),
    kind: 'columns',
    series: ['Entradas', 'Salidas'],
    drawn: 2,
    points,
  };
}
