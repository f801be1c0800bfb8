import uPlot from 'uplot';
import { hint } from './hint.ts';
import type { Drawing } from './table.ts';

const number = new Intl.NumberFormat('es-AR', { useGrouping: 'always' });

/** Steps of the value axis, 1, 2, 5, 10 … 500 million: there is no half order. */
const WHOLE_STEPS = Array.from({ length: 27 }, (_, index) => ([1, 2, 5][index % 3] ?? 1) * 10 ** Math.floor(index / 3));

const FONT = '12px system-ui, sans-serif';
const LINE = 18;
const LABEL_GAP = 8;
/** about the width of the axis of values */
const VALUE_AXIS = 44;
/** part of a chart's width that the names of a ranking may take */
const NAMES_SHARE = 0.42;

type Shape = { readonly scales: uPlot.Scales; readonly axes: uPlot.Axis[]; readonly hooks: uPlot.Hooks.Arrays };

/** The picture of a table, as wide as its plot; it follows the width and the colours of the page. */
export function drawChart(plot: HTMLElement, drawing: Drawing): uPlot {
  const { labels, names, values, drawn, kind } = drawing;
  const shape = kind === 'ranking' ? ranking(plot, drawing) : columns(plot, drawing);
  const series = names.slice(0, drawn).map(
    (label, index): uPlot.Series => ({
      label,
      fill: () => color(plot, `--s${index + 1}`),
      width: 0,
      points: { show: false },
      paths: bars(kind, index, drawn),
    }),
  );
  const data = [labels.map((_, index) => index), ...values.slice(0, drawn)] as unknown as uPlot.AlignedData;
  const options: uPlot.Options = {
    ...sizeOf(plot),
    ...shape,
    series: [{}, ...series],
    legend: { show: false },
    cursor: {
      x: false,
      y: false,
      points: { show: false },
      drag: { x: false, y: false },
      move: (_, left, top) => [left, top],
    },
    padding: kind === 'ranking' ? [0, 0, 0, 0] : [8, 4, 0, 0],
    plugins: [hint(drawing)],
  };
  const chart = new uPlot(options, data, plot);
  new ResizeObserver(() => chart.setSize(sizeOf(plot))).observe(plot);
  return chart;
}

/** The height is the style sheet's, so that nothing moves when the picture comes. */
const sizeOf = (plot: HTMLElement) => ({ width: plot.clientWidth, height: plot.clientHeight });

const color = (element: HTMLElement, name: string): string => getComputedStyle(element).getPropertyValue(name).trim();

/** Two series share a place: one ends where the other begins. */
function bars(kind: Drawing['kind'], index: number, drawn: number): uPlot.Series.PathBuilder {
  if (uPlot.paths.bars === undefined) throw new Error('uPlot has no bars');
  if (drawn === 1) return uPlot.paths.bars({ size: [0.62, kind === 'ranking' ? 28 : 44], radius: [0.12, 0] });
  return uPlot.paths.bars({ size: [0.34, 22], align: index === 0 ? -1 : 1, gap: 2, radius: [0.2, 0] });
}

const places = (drawing: Drawing): [number, number] => [-0.5, drawing.labels.length - 0.5];
/** what went missing from the books is below nothing */
const smallest = ({ values, drawn }: Drawing): number => Math.min(0, ...values.slice(0, drawn).flat());
const largest = ({ values, drawn }: Drawing): number => Math.max(1, ...values.slice(0, drawn).flat());

function columns(plot: HTMLElement, drawing: Drawing): Shape {
  const muted = () => color(plot, '--muted');
  const line = () => color(plot, '--line');
  return {
    scales: { x: { time: false, range: places(drawing) }, y: { range: [smallest(drawing), largest(drawing) * 1.05] } },
    axes: [
      {
        stroke: muted,
        font: FONT,
        size: chart => (isTight(chart, drawing) ? 2 : 1) * LINE + LABEL_GAP,
        gap: LABEL_GAP,
        grid: { show: false },
        ticks: { show: false },
        border: { show: true, stroke: line, width: 1 },
        splits: chart => everyNth(drawing.labels.length, roomFor(chart, drawing, true)),
        values: (chart, splits) => splits.map(index => shortLabel(drawing, index, isTight(chart, drawing))),
      },
      {
        stroke: muted,
        font: FONT,
        size: (chart, texts) => widest(chart, texts ?? []) + LABEL_GAP + 2,
        gap: LABEL_GAP,
        grid: { stroke: line, width: 1 },
        ticks: { show: false },
        incrs: WHOLE_STEPS,
        space: 48,
        values: (_, splits) => splits.map(value => number.format(value)),
      },
    ],
    hooks: {},
  };
}

/** Bars that lie, with their names at the left and their values at their ends: no axis has to be read. */
function ranking(plot: HTMLElement, drawing: Drawing): Shape {
  const text = () => color(plot, '--text');
  const room = (chart: uPlot) => Math.floor(chart.width * NAMES_SHARE);
  return {
    scales: {
      x: { time: false, ori: 1, dir: -1, range: places(drawing) },
      y: { ori: 0, dir: 1, range: chart => rangeWithRoom(chart, drawing) },
    },
    axes: [
      {
        side: 3,
        stroke: text,
        font: FONT,
        gap: LABEL_GAP,
        grid: { show: false },
        ticks: { show: false },
        size: (chart, names) => Math.min(room(chart), widest(chart, names ?? []) + LABEL_GAP + 2),
        splits: () => drawing.labels.map((_, index) => index),
        values: (chart, splits) => namesIn(chart, drawing, room(chart) - LABEL_GAP - 2, splits),
      },
      { show: false, side: 2 },
    ],
    hooks: { draw: [chart => writeValues(chart, drawing, text())] },
  };
}

/** The longest bar leaves room for its value. */
function rangeWithRoom(chart: uPlot, drawing: Drawing): [number, number] {
  const [low, high] = [smallest(drawing), largest(drawing)];
  const value = widest(chart, [number.format(high)]) + LABEL_GAP;
  const bars = Math.max(1, chart.width * (1 - NAMES_SHARE) - value);
  return [low, high + ((high - low) * value) / bars];
}

function writeValues(chart: uPlot, { values }: Drawing, fill: string): void {
  const { ctx } = chart;
  ctx.save();
  ctx.font = FONT.replace('12px', `${12 * uPlot.pxRatio}px`);
  ctx.fillStyle = fill;
  ctx.textAlign = 'left';
  ctx.textBaseline = 'middle';
  for (const [index, value] of (values[0] ?? []).entries()) {
    const end = chart.valToPos(Math.max(0, value), 'y', true) + (LABEL_GAP / 2) * uPlot.pxRatio;
    ctx.fillText(number.format(value), end, chart.valToPos(index, 'x', true));
  }
  ctx.restore();
}

/** "lun 16" takes two lines where one is too wide. */
const shortLabel = ({ labels }: Drawing, index: number, tight: boolean): string =>
  (labels[index]?.short ?? '').replace(' ', tight ? '\n' : ' ');

/** how many places a label covers */
function roomFor(chart: uPlot, drawing: Drawing, tight: boolean): number {
  const lines = drawing.labels.flatMap((_, index) => shortLabel(drawing, index, tight).split('\n'));
  const place = (chart.width - VALUE_AXIS) / Math.max(1, drawing.labels.length);
  return (widest(chart, lines) + LABEL_GAP) / place;
}

const isTight = (chart: uPlot, drawing: Drawing): boolean => roomFor(chart, drawing, false) > 1;

/** Every place gets its label where there is room, else every second, third … one, always the last. */
function everyNth(length: number, places: number): number[] {
  const step = Math.max(1, Math.ceil(places));
  return Array.from({ length }, (_, index) => index).filter(index => (length - 1 - index) % step === 0);
}

/** width of the widest text in CSS pixels */
function widest(chart: uPlot, texts: readonly string[]): number {
  const { ctx } = chart;
  ctx.save();
  ctx.font = FONT;
  const width = Math.max(0, ...texts.map(text => ctx.measureText(text).width));
  ctx.restore();
  return Math.ceil(width);
}

type Fit = (text: string) => boolean;

/** Names as long as there is room; those that would look the same are shortened in their middle. */
function namesIn(chart: uPlot, { labels }: Drawing, room: number, splits: readonly number[]): string[] {
  const names = splits.map(index => labels[index]?.short ?? '');
  const fits: Fit = text => widest(chart, [text]) <= room;
  const short = names.map(name => shortened(name, fits));
  return short.map((name, index) =>
    short.indexOf(name) === short.lastIndexOf(name) ? name : withEnd(names[index] ?? '', fits),
  );
}

function shortened(text: string, fits: Fit): string {
  if (fits(text)) return text;
  let kept = text;
  while (kept.length > 1 && !fits(`${kept}…`)) kept = kept.slice(0, -1);
  return `${kept.trimEnd()}…`;
}

/** The end of a name is what tells it from another with the same beginning. */
function withEnd(text: string, fits: Fit): string {
  if (fits(text)) return text;
  let half = Math.floor(text.length / 2);
  const cut = () => `${text.slice(0, half).trimEnd()}…${text.slice(-half).trimStart()}`;
  while (half > 1 && !fits(cut())) half -= 1;
  return cut();
}
