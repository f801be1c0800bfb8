// The page that is photographed: Grafana's grid of 24 columns, below 768 pixels one panel below the other.
import type { Drawn, DrawnDashboard, Series } from './data.ts';

interface Assets {
  readonly uplot: string;
  readonly uplotStyle: string;
  readonly style: string;
  readonly draw: string;
}

const escaped = (text: string | number): string =>
  String(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

export function pageOf(dashboard: DrawnDashboard, { uplot, uplotStyle, style, draw }: Assets): string {
  const chips = Object.entries(dashboard.variables).map(
    ([name, value]) => `<i>${escaped(name)}</i><b>${escaped(value)}</b>`,
  );
  const data = JSON.stringify(dashboard).replaceAll('<', '\\u003c');
  return `<!doctype html><meta charset="utf-8"><style>${uplotStyle}${style}</style>
<header><h1>${escaped(dashboard.title)}</h1>${chips.join('')}<small>a preview, not Grafana</small></header>
<main>${dashboard.panels.map(panel).join('')}</main>
<script>${uplot}</script><script>const DASHBOARD = ${data};</script><script>${draw}</script>`;
}

function panel(drawn: Drawn, index: number): string {
  const { x, y, w, h } = drawn.place;
  const place = `grid-area: ${y + 1} / ${x + 1} / span ${h} / span ${w}`;
  if (drawn.type === 'row') return `<h2 style="${place}">${escaped(drawn.title)}</h2>`;
  return `<section class="${drawn.type}" style="${place}"><h3>${escaped(drawn.title)}</h3>${content(drawn, index)}</section>`;
}

function content(drawn: Drawn, index: number): string {
  if (drawn.empty) return `<p class="none">${escaped(drawn.noValue)}</p>`;
  switch (drawn.type) {
    case 'stat':
      return stat(drawn, index);
    case 'table':
      return table(drawn);
    default:
      return `<div class="plot" data-panel="${index}"></div>${drawn.type === 'heatmap' ? '' : legend(drawn)}`;
  }
}

const last = ({ values }: Series): number | null => values.findLast(value => value !== null) ?? null;

function stat({ series, showsName, plain, color, unit, decimals }: Drawn, index: number): string {
  const names = series.map(one => (showsName ? one.name : formatted(last(one), unit, decimals)));
  const background = plain ? '' : `<div class="spark" data-panel="${index}"></div>`;
  return `${background}<p class="value" style="color:${color}">${names.map(escaped).join(' ')}</p>`;
}

const table = ({ head, rows, unit }: Drawn): string =>
  `<div class="scroll"><table><tr>${head.map(name => `<th>${escaped(name)}</th>`).join('')}</tr>${rows
    .map(
      row =>
        `<tr>${row.map(cell => `<td>${escaped(typeof cell === 'number' ? formatted(cell, unit) : cell)}</td>`).join('')}</tr>`,
    )
    .join('')}</table></div>`;

const legend = ({ series, unit }: Drawn): string =>
  `<ul>${series.map(one => `<li><i style="background:${one.color}"></i>${escaped(one.name)} <b>${formatted(last(one), unit)}</b></li>`).join('')}</ul>`;

const DURATIONS = [
  [86_400, 'days'],
  [3_600, 'hours'],
  [60, 'min'],
  [1, 's'],
  [0.001, 'ms'],
  [0.000001, 'µs'],
] as const;

/** As Grafana writes it, about. */
export function formatted(value: number | null, unit: string, decimals?: number): string {
  if (value === null) return '-';
  switch (unit) {
    case 's':
    case 'dtdurations':
      return duration(value, decimals);
    case 'percentunit':
      return `${number(value * 100, decimals)} %`;
    case 'bytes':
      return value >= 2 ** 30 ? `${number(value / 2 ** 30)} GiB` : `${number(value / 2 ** 20)} MiB`;
    case 'reqps':
      return `${number(value, decimals)} req/s`;
    case 'ops':
      return `${number(value, decimals)} ops/s`;
    default:
      return value >= 10_000 ? `${number(value / 1000, decimals)} K` : number(value, decimals);
  }
}

function duration(value: number, decimals?: number): string {
  const [size, name] = DURATIONS.find(([size]) => Math.abs(value) >= size) ?? [1, 's'];
  return `${number(value / size, decimals)} ${name}`;
}

const number = (value: number, decimals?: number): string =>
  decimals === undefined ? String(Number(value.toPrecision(3))) : value.toFixed(decimals);
