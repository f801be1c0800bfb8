import type uPlot from 'uplot';
import { drawChart } from './chart.ts';
import { readDrawing } from './table.ts';

const charts: uPlot[] = [];

for (const figure of document.querySelectorAll<HTMLElement>('figure[data-kind]')) {
  const plot = figure.querySelector<HTMLElement>('.plot');
  if (plot === null) continue;
  charts.push(drawChart(plot, readDrawing(figure)));
  plot.classList.add('drawn');
}

const redraw = () => {
  for (const chart of charts) chart.redraw();
};

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);

// paper is white, whatever the screen is
const onPaper = (printing: boolean) => {
  document.documentElement.classList.toggle('paper', printing);
  redraw();
};
addEventListener('beforeprint', () => onPaper(true));
addEventListener('afterprint', () => onPaper(false));

// a page that takes long says that it is on its way; a page that comes back from the history does not
for (const form of document.forms) form.addEventListener('submit', () => document.body.classList.add('loading'));
addEventListener('pageshow', () => document.body.classList.remove('loading'));
