import type { Filters, ProviderFigures, TopProduct, Trends } from '../figures.ts';
import { addDays } from '../periods.ts';
import { type Chart, chartCard, sum, totals } from './chart.ts';
import { count, day, type Label, monthLabel, monthsUpTo, number, UNFINISHED_NOTE, unfinished } from './format.ts';
import { type Html, html } from './html.ts';
import { address, downloads, type Parameters } from './links.ts';
import { movementsChart } from './movements.ts';

export const PATH = '/analytics';
/** products of the chart, and rows of one page of the table */
export const TOP_PRODUCTS = 10;
export const PAGE_ROWS = 20;
export const TREND_MONTHS = 6;
/** columns of a chart */
const MAX_TREND_MONTHS = 24;

/** Pages are counted from 1; there is always one. */
export type TablePage = { readonly current: number; readonly last: number; readonly rows: number };

/** A page beyond the last one is the last one. */
export function tablePage(asked: number, rows: number): TablePage {
  const last = Math.max(1, Math.ceil(rows / PAGE_ROWS));
  return { current: Math.min(asked, last), last, rows };
}

export type AnalyticsFigures = {
  /** the market's day, "YYYY-MM-DD" */
  readonly today: string;
  readonly filters: Filters;
  /** what was asked for and could not be understood, in the visitor's words */
  readonly ignored: readonly string[];
  readonly top: readonly TopProduct[];
  /** of the table's page */
  readonly products: readonly TopProduct[];
  readonly page: TablePage;
  readonly trends: Trends;
  readonly providers: readonly ProviderFigures[];
};

export function analyticsBody(figures: AnalyticsFigures): Html {
  const parameters = parametersOf(figures.filters);
  return html`
      ${filterCard(figures)}
      <div class="cards">${[
        chartCard(productsChart(figures), 'wide'),
        html`<div class="narrow stack">${[ordersChart(figures), monthlyMovements(figures)].map(chart => chartCard(chart))}</div>`,
      ]}${productsCard(figures, parameters)}
      </div>`;
}

const parametersOf = ({ startDate, endDate, proveedor }: Filters): Parameters => ({
  start_date: startDate,
  end_date: endDate,
  proveedor,
});

function filterCard({ filters, ignored, providers, today }: AnalyticsFigures): Html {
  const { startDate = '', endDate = '', proveedor = '' } = filters;
  const isBackwards = startDate !== '' && endDate !== '' && startDate > endDate;
  const notices = [
    ...ignored,
    ...(isBackwards ? ['La fecha «desde» es posterior a la fecha «hasta»: no hay nada entre ellas.'] : []),
  ];
  return html`<section class="card" aria-label="Filtros">
        <form class="filters" action="${PATH}" method="get">
          <label>Desde <input type="date" name="start_date" value="${startDate}"></label>
          <label>Hasta <input type="date" name="end_date" value="${endDate}"></label>
          <label class="whole">Proveedor <select name="proveedor"><option value="">Todos</option>${providerOptions(providers, proveedor)}</select></label>
          <button class="button main" type="submit">Aplicar</button>
          <a class="button" href="${PATH}">Limpiar</a>
        </form>
        <p class="row periods">Ver:${[7, 30, 90].map(
          days =>
            html` <a href="${address(PATH, { start_date: addDays(today, 1 - days), end_date: today, proveedor })}">últimos ${days} días</a>`,
        )} <a href="${address(PATH, { proveedor })}">todo</a></p>${notices.map(
          notice => html`<p class="notice" role="status">${notice}</p>`,
        )}
      </section>`;
}

/** A filter that names no known provider stays visible: it is why there is nothing to see. */
function providerOptions(providers: readonly ProviderFigures[], chosen: string): Html {
  const isChosen = ({ codigo, nombre }: ProviderFigures) => codigo === chosen || nombre === chosen;
  const option = (value: string, name: string, selected: boolean) =>
    html`<option value="${value}"${selected && html` selected`}>${name}</option>`;
  const isUnknown = chosen !== '' && !providers.some(isChosen);
  return html`${isUnknown && option(chosen, chosen, true)}${providers.map(provider =>
    option(provider.codigo, provider.nombre, isChosen(provider)),
  )}`;
}

/** "del 01/10/2026 al 22/11/2026", "desde el …", "hasta el …" or "de todo el período" */
function periodOf({ startDate, endDate }: Filters): string {
  if (startDate && endDate) return `del ${day(startDate)} al ${day(endDate)}`;
  if (startDate) return `desde el ${day(startDate)}`;
  if (endDate) return `hasta el ${day(endDate)}`;
  return 'de todo el período';
}

const NOTHING_FOUND = 'Ningún pedido coincide con los filtros.';
const NOTHING_YET = 'Todavía no hay pedidos.';

const isFiltered = (filters: Filters): boolean => Object.values(filters).some(value => value !== undefined);

const emptyTable = (filters: Filters): Html =>
  isFiltered(filters)
    ? html`<p class="empty">${NOTHING_FOUND} <a href="${PATH}">Quitar los filtros</a></p>`
    : html`<p class="empty">${NOTHING_YET}</p>`;

function productsChart({ top, filters }: AnalyticsFigures): Chart {
  const [first] = top;
  return {
    id: 'productos',
    title: 'Productos más pedidos',
    summary: first ? `${first.producto} va primero con ${count(first.cantidad_total, 'unidad', 'unidades')}` : '',
    kind: 'ranking',
    category: 'Producto',
    series: ['Unidades', 'Pedidos'],
    drawn: 1,
    points: top.map(({ producto, cantidad_total, pedidos }) => ({
      label: { short: producto, long: producto },
      values: [cantidad_total, pedidos],
    })),
    empty: isFiltered(filters) ? NOTHING_FOUND : NOTHING_YET,
  };
}

/** The months between the filter's dates, as many as a chart has room for; the last half year without dates. */
function monthsOf({ filters, today }: AnalyticsFigures): string[] {
  const { startDate, endDate = today } = filters;
  const last = endDate < today ? endDate : today;
  if (startDate === undefined) return monthsUpTo(last, TREND_MONTHS);
  return monthsUpTo(last, MAX_TREND_MONTHS).filter(month => month >= startDate.slice(0, 7));
}

/** The month of today is not over. */
const isCurrent = (month: string, today: string): boolean => month === today.slice(0, 7);

const labelOf = (month: string, today: string): Label =>
  isCurrent(month, today) ? unfinished(monthLabel(month)) : monthLabel(month);

const noteOf = (figures: AnalyticsFigures): string =>
  monthsOf(figures).some(month => isCurrent(month, figures.today)) ? `; ${UNFINISHED_NOTE}` : '';

function ordersChart(figures: AnalyticsFigures): Chart {
  const points = monthsOf(figures).map(month => {
    const { pedidos = 0, proveedores_activos = 0 } =
      figures.trends.pedidos_mensuales.find(({ mes }) => mes === month) ?? {};
    return { label: labelOf(month, figures.today), values: [pedidos, proveedores_activos] };
  });
  return {
    id: 'pedidos-mensuales',
    title: 'Pedidos por mes',
    summary: `${totals([sum(points.map(({ values }) => values[0] ?? 0)), 'pedido', 'pedidos'])} en ${monthsCounted(points)}${noteOf(figures)}`,
    kind: 'columns',
    category: 'Mes',
    series: ['Pedidos', 'Proveedores con pedidos'],
    drawn: 1,
    points,
    empty: 'No hubo pedidos en estos meses.',
  };
}

function monthlyMovements(figures: AnalyticsFigures): Chart {
  const chart = movementsChart({
    id: 'movimientos-mensuales',
    title: 'Movimientos por mes',
    category: 'Mes',
    periods: monthsOf(figures).map(month => ({
      label: labelOf(month, figures.today),
      rows: figures.trends.movimientos_mensuales.filter(({ mes }) => mes === month),
    })),
    empty: 'No hubo movimientos en estos meses.',
  });
  return { ...chart, summary: `${chart.summary} en ${monthsCounted(chart.points)}${noteOf(figures)}` };
}

/** Fewer than the filters allow where a chart has no room for more. */
const monthsCounted = ({ length }: Chart['points']): string => count(length, 'mes', 'meses');

function productsCard({ filters, products, page }: AnalyticsFigures, parameters: Parameters): Html {
  const from = (page.current - 1) * PAGE_ROWS;
  return html`
        <section class="card" aria-labelledby="detalle">
          <header class="row between">
            <div><h2 id="detalle">Todos los productos</h2><p>${count(page.rows, 'producto pedido', 'productos pedidos')} ${periodOf(filters)}</p></div>
            ${downloads(
              [
                { file: 'top-products.csv', name: 'CSV de productos' },
                { file: 'providers.csv', name: 'CSV de proveedores' },
                { file: 'summary.csv', name: 'CSV de resumen' },
              ],
              parameters,
            )}
          </header>${
            products.length === 0
              ? emptyTable(filters)
              : html`
          <div class="scroll" tabindex="0" role="region" aria-labelledby="detalle"><table class="products">
            <thead><tr><th scope="col" class="n">N.º</th><th scope="col">Producto</th><th scope="col" class="roomy">Proveedor</th><th scope="col" class="n">Unidades</th><th scope="col" class="n">Pedidos</th></tr></thead>
            <tbody>${products.map((product, index) => productRow(product, from + index + 1))}
            </tbody>
          </table></div>${page.last > 1 && pager(page, parameters)}`
          }
        </section>`;
}

const productRow = ({ producto, proveedor, cantidad_total, pedidos }: TopProduct, rank: number) => html`
              <tr><td class="n rank">${rank}</td><th scope="row">${producto} <span class="code tight">${proveedor}</span></th><td class="roomy">${proveedor}</td><td class="n">${number(cantidad_total)}</td><td class="n">${number(pedidos)}</td></tr>`;

function pager({ current, last }: TablePage, parameters: Parameters): Html {
  const link = (to: number, name: string, rel: 'prev' | 'next') =>
    to < 1 || to > last
      ? html`<span class="button off" aria-hidden="true">${name}</span>`
      : html`<a class="button" rel="${rel}" href="${address(PATH, { ...parameters, pagina: to === 1 ? undefined : to })}#detalle">${name}</a>`;
  return html`
          <nav class="row between actions" aria-label="Páginas de la tabla">${link(current - 1, 'Anterior', 'prev')}<span>Página ${number(current)} de ${number(last)}</span>${link(current + 1, 'Siguiente', 'next')}</nav>`;
}
