import { count, type Label, number } from './format.ts';
import { type Html, html } from './html.ts';

export type ChartPoint = { readonly label: Label; readonly values: readonly number[] };

/**
 * `columns`: points side by side, as in time. `ranking`: one bar below the other, longest names first readable.
 * Only the first `drawn` series are in the picture, the others just in the table and in the hint over a point.
 */
export type Chart = {
  readonly id: string;
  readonly title: string;
  /** the picture in one sentence: shown under the title and read aloud instead of the picture */
  readonly summary: string;
  readonly kind: 'columns' | 'ranking';
  /** heading of the table's first column */
  readonly category: string;
  readonly series: readonly string[];
  readonly drawn: number;
  readonly points: readonly ChartPoint[];
  /** said where there is nothing to draw */
  readonly empty: string;
};

/**
 * A card with a picture and the same figures as a table. The script draws the picture from the table, so the two
 * cannot differ; without a script the table stays.
 */
export function chartCard(chart: Chart, size = ''): Html {
  const { id, title, summary, points } = chart;
  const isEmpty = points.every(({ values }) => values.every(value => value === 0));
  return html`
      <section class="card ${size}" aria-labelledby="${id}">
        <header><h2 id="${id}">${title}</h2>${!isEmpty && html`<p>${summary}</p>`}</header>${
          isEmpty ? html`<p class="empty">${chart.empty}</p>` : figure(chart)
        }
      </section>`;
}

function figure({ id, title, summary, kind, series, drawn, category, points }: Chart): Html {
  const legend = series.slice(0, drawn).map((name, index) => html`<li class="s${index + 1}">${name}</li>`);
  return html`
        <figure class="chart ${kind}" data-kind="${kind}" data-drawn="${drawn}">${
          drawn > 1 && html`<ul class="legend" aria-hidden="true">${legend}</ul>`
        }<div class="plot n${points.length}" role="img" aria-label="${title}. ${summary}."></div>
          <details><summary>Ver los datos <span class="hidden">de ${title}</span></summary>
            <div class="scroll" tabindex="0" role="region" aria-labelledby="${id}"><table>
              <thead><tr><th scope="col">${category}</th>${series.map(name => html`<th scope="col" class="n">${name}</th>`)}</tr></thead>
              <tbody>${points.map(row)}</tbody>
            </table></div>
          </details>
        </figure>`;
}

const row = ({ label, values }: ChartPoint): Html => html`
                <tr><th scope="row" data-short="${label.short}">${label.long}</th>${values.map(
                  value => html`<td class="n"><data value="${value}">${number(value)}</data></td>`,
                )}</tr>`;

/** "12 ingresos y 3 egresos" */
export const totals = (...parts: readonly (readonly [value: number, one: string, many: string])[]): string =>
  parts.map(part => count(...part)).join(' y ');

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
