import type { DayMovements, ProviderFigures, ProviderStock, StockAlert, Summary, WeekSales } from '../figures.ts';
import { type Chart, chartCard, sum, totals } from './chart.ts';
import {
  count,
  dayLabel,
  daysUpTo,
  number,
  UNFINISHED_NOTE,
  unfinished,
  weekLabel,
  weekOf,
  weeksUpTo,
} from './format.ts';
import { type Html, html } from './html.ts';
import { movementsChart } from './movements.ts';

export const ACTIVITY_DAYS = 7;
export const SALES_WEEKS = 8;
const TOP_PROVIDERS = 5;
export const STOCK_PROVIDERS = 8;
/** as many as one looks through; the worst of them are seen at once */
export const ALERTS = 100;
const ALERTS_IN_SIGHT = 6;

export type HomeFigures = {
  /** the market's day, "YYYY-MM-DD" */
  readonly today: string;
  readonly summary: Summary;
  readonly providers: readonly ProviderFigures[];
  readonly alerts: readonly StockAlert[];
  readonly activity: readonly DayMovements[];
  readonly stock: readonly ProviderStock[];
  readonly sales: readonly WeekSales[];
};

/** What the market's owner wants to know in the morning: how much, is anything missing, what moved. */
export function homeBody(figures: HomeFigures): Html {
  return html`
      ${isEmpty(figures.summary) && beginning}${tiles(figures.summary)}
      <div class="cards">${chartCard(activityChart(figures), 'wide')}${alertsCard(figures.alerts)}${[
        salesChart(figures),
        topProvidersChart(figures.providers),
        stockChart(figures.stock),
      ].map(chart => chartCard(chart, 'third'))}
      </div>`;
}

const isEmpty = ({ total_proveedores, total_pedidos, total_movimientos }: Summary): boolean =>
  total_proveedores + total_pedidos + total_movimientos === 0;

const beginning = html`<section class="card" aria-labelledby="comienzo">
        <header><h2 id="comienzo">Todavía no hay nada cargado</h2></header>
        <p>Este tablero muestra lo que se carga en el sistema del mercado. Primero van los proveedores, después sus productos, y con el primer pedido o movimiento de stock aparecen acá los números, en menos de un minuto.</p>
      </section>`;

function tiles(summary: Summary): Html {
  const tile = (label: string, value: number) => html`
        <div><dt>${label}</dt><dd>${number(value)}</dd></div>`;
  const { nombre, pedidos } = summary.proveedor_top;
  return html`<dl class="tiles">${[
    tile('Pedidos, 30 días', summary.pedidos_mes),
    tile('Movimientos, 7 días', summary.movimientos_semana),
    tile('Proveedores activos', summary.total_proveedores),
  ]}
        <div><dt>Proveedor principal</dt><dd class="name" title="${nombre}">${pedidos === 0 ? 'Ninguno' : nombre}</dd><dd class="note">${count(pedidos, 'pedido', 'pedidos')} en 30 días</dd></div>${[
          tile('Pedidos en total', summary.total_pedidos),
          tile('Unidades pedidas', summary.total_productos_pedidos),
          tile('Movimientos de stock', summary.total_movimientos),
          tile('Facturas procesadas', summary.facturas_procesadas),
        ]}
      </dl>`;
}

function activityChart({ activity, today }: HomeFigures): Chart {
  const days = daysUpTo(today, ACTIVITY_DAYS);
  return movementsChart({
    id: 'actividad',
    title: 'Actividad, 7 días',
    category: 'Día',
    periods: days.map(day => ({ label: dayLabel(day), rows: activity.filter(({ fecha }) => fecha === day) })),
    empty: 'No hubo movimientos de stock en los últimos 7 días.',
  });
}

function salesChart({ sales, today }: HomeFigures): Chart {
  const points = weeksUpTo(today, SALES_WEEKS).map(week => {
    const { pedidos = 0, productos = 0 } = sales.find(({ semana }) => semana === week) ?? {};
    const label = week === weekOf(today) ? unfinished(weekLabel(week)) : weekLabel(week);
    return { label, values: [pedidos, productos] };
  });
  const total = (index: number) => sum(points.map(({ values }) => values[index] ?? 0));
  return {
    id: 'semanas',
    title: 'Pedidos por semana',
    summary: `${totals([total(0), 'pedido', 'pedidos'], [total(1), 'unidad', 'unidades'])} en 8 semanas; ${UNFINISHED_NOTE}`,
    kind: 'columns',
    category: 'Semana',
    series: ['Pedidos', 'Unidades'],
    drawn: 1,
    points,
    empty: 'No hubo pedidos en las últimas 8 semanas.',
  };
}

function topProvidersChart(providers: readonly ProviderFigures[]): Chart {
  const top = providers.toSorted((left, right) => right.total_pedidos - left.total_pedidos).slice(0, TOP_PROVIDERS);
  const [first] = top;
  return {
    id: 'proveedores',
    title: 'Los 5 proveedores con más pedidos',
    summary: first ? `${first.nombre} va primero con ${count(first.total_pedidos, 'pedido', 'pedidos')}` : '',
    kind: 'ranking',
    category: 'Proveedor',
    series: ['Pedidos', 'Unidades'],
    drawn: 1,
    points: top.map(({ nombre, total_pedidos, total_productos }) => ({
      label: { short: nombre, long: nombre },
      values: [total_pedidos, total_productos],
    })),
    empty: 'Todavía no hay pedidos.',
  };
}

function stockChart(stock: readonly ProviderStock[]): Chart {
  const total = sum(stock.map(({ stock_total }) => stock_total));
  return {
    id: 'stock',
    title: 'Stock por proveedor',
    summary: `${count(total, 'unidad', 'unidades')} de ${count(stock.length, 'proveedor', 'proveedores')}`,
    kind: 'ranking',
    category: 'Proveedor',
    series: ['Unidades en stock'],
    drawn: 1,
    points: stock.map(({ nombre, stock_total }) => ({ label: { short: nombre, long: nombre }, values: [stock_total] })),
    empty: 'Ningún proveedor tiene stock.',
  };
}

function alertsCard(alerts: readonly StockAlert[]): Html {
  const [seen, rest] = [alerts.slice(0, ALERTS_IN_SIGHT), alerts.slice(ALERTS_IN_SIGHT)];
  const counted = `${alerts.length >= ALERTS ? 'Al menos ' : ''}${count(alerts.length, 'producto', 'productos')}`;
  return html`
      <section class="card narrow" aria-labelledby="alertas">
        <header><h2 id="alertas">Alertas de stock</h2>${
          alerts.length > 0 && html`<p>${counted} por debajo de su mínimo</p>`
        }</header>${
          alerts.length === 0
            ? html`<p class="empty">Todo en orden: ningún producto está por debajo de su mínimo.</p>`
            : html`${alertsTable(seen)}${
                rest.length > 0 &&
                html`<details><summary>Ver ${rest.length === 1 ? 'uno más' : `${number(rest.length)} más`}</summary>${alertsTable(rest)}</details>`
              }`
        }
      </section>`;
}

const alertsTable = (alerts: readonly StockAlert[]): Html => html`
        <div class="scroll" tabindex="0" role="region" aria-label="Alertas de stock"><table class="alerts">
          <thead><tr><th scope="col">Producto</th><th scope="col" class="n">Stock</th><th scope="col" class="n">Mínimo</th><th scope="col" class="n">Faltan</th></tr></thead>
          <tbody>${alerts.map(alertRow)}
          </tbody>
        </table></div>`;

const alertRow = ({ codigo, nombre, stock, minimo }: StockAlert): Html => html`
            <tr><th scope="row">${nombre} <span class="code">${codigo}</span></th><td class="n">${
              stock > 0 ? number(stock) : html`<span class="badge">Sin stock</span>`
            }</td><td class="n">${number(minimo)}</td><td class="n">${number(minimo - stock)}</td></tr>`;
