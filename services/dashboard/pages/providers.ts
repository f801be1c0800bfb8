import type { ProviderFigures } from '../figures.ts';
import { sum } from './chart.ts';
import { count, number, share } from './format.ts';
import { type Html, html } from './html.ts';
import { address, downloads } from './links.ts';

/** Columns by which the table can be ordered; `orden` in the page's address. */
const COLUMNS = [
  { key: 'nombre', title: 'Proveedor' },
  { key: 'total_pedidos', title: 'Pedidos' },
  { key: 'pedidos_mes', title: '30 días' },
  { key: 'pedidos_semana', title: '7 días' },
  { key: 'total_productos', title: 'Unidades' },
] as const;

export type ProviderOrder = (typeof COLUMNS)[number]['key'];

const collator = new Intl.Collator('es-AR', { numeric: true, sensitivity: 'base' });

/** Names from A to Z, figures from the largest down: what people look for. */
const COMPARE: Readonly<Record<ProviderOrder, (left: ProviderFigures, right: ProviderFigures) => number>> = {
  nombre: (left, right) => collator.compare(left.nombre, right.nombre),
  total_pedidos: (left, right) => right.total_pedidos - left.total_pedidos,
  pedidos_mes: (left, right) => right.pedidos_mes - left.pedidos_mes,
  pedidos_semana: (left, right) => right.pedidos_semana - left.pedidos_semana,
  total_productos: (left, right) => right.total_productos - left.total_productos,
};

const DEFAULT_ORDER: ProviderOrder = 'total_pedidos';

/** The order that an address asks for; one that we do not know is the usual one. */
export const providerOrder = (asked: unknown): ProviderOrder =>
  COLUMNS.find(({ key }) => key === asked)?.key ?? DEFAULT_ORDER;

/** `ordersOfAll` counts those of providers that are not active any more as well, as the summary does. */
export function providersBody(providers: readonly ProviderFigures[], order: ProviderOrder, ordersOfAll: number): Html {
  const others = ordersOfAll - sum(providers.map(({ total_pedidos }) => total_pedidos));
  return html`
      <section class="card" aria-label="Proveedores activos">${
        providers.length === 0
          ? html`<p class="empty">Todavía no hay proveedores activos.</p>`
          : html`
        <header class="row between">
          <p>${count(providers.length, 'proveedor activo', 'proveedores activos')}. El título de una columna ordena por ella.</p>
          ${downloads([{ file: 'providers.csv', name: 'Descargar CSV' }])}
        </header>${table(providers.toSorted(COMPARE[order]), order)}`
      }${
        others > 0 &&
        html`
        <p class="note">${count(others, 'pedido más es', 'pedidos más son')} de proveedores que ya no están activos.</p>`
      }
      </section>`;
}

const FIGURES = COLUMNS.slice(1).map(({ key }) => key as Exclude<ProviderOrder, 'nombre'>);

function table(providers: readonly ProviderFigures[], order: ProviderOrder): Html {
  const totals = FIGURES.map(key => sum(providers.map(provider => provider[key])));
  const orders = sum(providers.map(({ total_pedidos }) => total_pedidos));
  return html`
        <div class="scroll" tabindex="0" role="region" aria-label="Tabla de proveedores"><table>
          <thead><tr>${COLUMNS.map(column => heading(column, order))}<th scope="col" class="n roomy">Parte de los pedidos</th></tr></thead>
          <tbody>${providers.map(provider => row(provider, orders))}
          </tbody>
          <tfoot><tr><th scope="row">Total</th>${totals.map(figure)}<td class="roomy"></td></tr></tfoot>
        </table></div>`;
}

const figure = (value: number): Html => html`<td class="n">${number(value)}</td>`;

function heading({ key, title }: (typeof COLUMNS)[number], order: ProviderOrder): Html {
  const isName = key === 'nombre';
  const sorted = key === order;
  const sort = sorted && html` aria-sort="${isName ? 'ascending' : 'descending'}"`;
  const href = address('/providers', { orden: key === DEFAULT_ORDER ? undefined : key });
  const arrow = sorted && html` <span aria-hidden="true">${isName ? '↑' : '↓'}</span>`;
  return html`<th scope="col"${!isName && html` class="n"`}${sort}><a href="${href}">${title}${arrow}</a></th>`;
}

const row = (provider: ProviderFigures, orders: number): Html => html`
            <tr><th scope="row"><a href="${address('/analytics', { proveedor: provider.codigo })}">${provider.nombre}</a> <span class="code">${provider.codigo}</span></th>${FIGURES.map(
              key => figure(provider[key]),
            )}<td class="n roomy">${share(provider.total_pedidos, orders)}</td></tr>`;
