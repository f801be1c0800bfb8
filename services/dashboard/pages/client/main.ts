import type uPlot from 'uplot';
import { drawChart } from './chart.ts';
import { refreshRegularly } from './refresh.ts';
import { readDrawing } from './table.ts';

let charts: uPlot[] = [];

function draw(): void {
  for (const chart of charts) chart.destroy();
  charts = [];
  for (const figure of document.querySelectorAll<HTMLElement>('figure[data-kind]')) {
    const plot = figure.querySelector<HTMLElement>('.plot');
    if (plot === null) continue;
    charts.push(drawChart(plot, readDrawing(figure)));
    plot.classList.add('drawn');
  }
}

draw();
// a page that tells of an error has no figures
if (document.querySelector('.title time') !== null) refreshRegularly(draw);

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

// a page that takes long says that it is on its way, whichever form it came from; one that comes back from the history
// does not
addEventListener('submit', () => document.body.classList.add('loading'), { capture: true });
addEventListener('pageshow', () => document.body.classList.remove('loading'));
