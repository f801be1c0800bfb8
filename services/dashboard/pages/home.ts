import type { ProviderFigures, StockAlert, Summary } from '../figures.ts';
import { type Html, html } from './html.ts';

export type HomeFigures = {
  readonly summary: Summary;
  readonly providers: readonly ProviderFigures[];
  readonly alerts: readonly StockAlert[];
};

const number = new Intl.NumberFormat('es-AR');

const tile = (label: string, value: number): Html => html`
      <li><span>${label}</span><strong>${number.format(value)}</strong></li>`;

const alertRow = ({ codigo, nombre, stock, minimo }: StockAlert): Html => html`
          <tr><td>${codigo}</td><td>${nombre}</td><td>${number.format(stock)}</td><td>${number.format(minimo)}</td></tr>`;

const providerRow = ({ codigo, nombre, total_pedidos, total_productos, pedidos_mes }: ProviderFigures): Html => html`
          <tr><td>${codigo}</td><td>${nombre}</td><td>${number.format(total_pedidos)}</td><td>${number.format(total_productos)}</td><td>${number.format(pedidos_mes)}</td></tr>`;

/** The start page, in Spanish like its users. Only figures of the database, no script. */
export function homePage({ summary, providers, alerts }: HomeFigures): string {
  return html`<!doctype html>
<html lang="es">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Dashboard Mini Market</title>
    <link rel="stylesheet" href="/static/dashboard.css">
  </head>
  <body>
    <header><h1>Dashboard Mini Market</h1></header>
    <main>
    <ul class="tiles">${[
      tile('Proveedores activos', summary.total_proveedores),
      tile('Pedidos', summary.total_pedidos),
      tile('Pedidos, últimos 30 días', summary.pedidos_mes),
      tile('Productos pedidos', summary.total_productos_pedidos),
      tile('Movimientos de stock', summary.total_movimientos),
      tile('Movimientos, últimos 7 días', summary.movimientos_semana),
      tile('Facturas procesadas', summary.facturas_procesadas),
    ]}
    </ul>
    <p class="top">Proveedor con más pedidos: <strong>${summary.proveedor_top.nombre}</strong> (${number.format(summary.proveedor_top.pedidos)})</p>
    <section>
      <h2>Alertas de stock</h2>
      ${
        alerts.length === 0
          ? html`<p>Ningún producto está por debajo de su mínimo.</p>`
          : html`<table>
        <thead><tr><th>Código</th><th>Producto</th><th>Stock</th><th>Mínimo</th></tr></thead>
        <tbody>${alerts.map(alertRow)}
        </tbody>
      </table>`
      }
    </section>
    <section>
      <h2>Proveedores</h2>
      <table>
        <thead><tr><th>Código</th><th>Nombre</th><th>Pedidos</th><th>Productos</th><th>Últimos 30 días</th></tr></thead>
        <tbody>${providers.map(providerRow)}
        </tbody>
      </table>
    </section>
    </main>
  </body>
</html>
`.text;
}
