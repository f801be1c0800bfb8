// In the browser: uPlot for what has a time, a grid of rectangles for heat maps.
const { times, panels, marks } = DASHBOARD;
const GRID = { stroke: '#2c2f36', width: 1 };
const AXIS = { stroke: '#9a9ba5', font: '10px sans-serif', grid: GRID, ticks: GRID };

const short = (value, unit) => {
  if (unit === 'percentunit') return `${Number((value * 100).toPrecision(3))}%`;
  if (unit === 'bytes') return `${Math.round(value / 2 ** 20)} MiB`;
  if (unit !== 's') return String(Number(value.toPrecision(3)));
  if (value === 0) return '0';
  return value < 1 ? `${Number((value * 1000).toPrecision(3))} ms` : `${Number(value.toPrecision(3))} s`;
};

const markLines = {
  hooks: {
    draw: [
      plot => {
        const { ctx, bbox } = plot;
        for (const { at, color } of marks) {
          const x = plot.valToPos(at, 'x', true);
          if (x < bbox.left || x > bbox.left + bbox.width) continue;
          ctx.save();
          ctx.strokeStyle = color;
          ctx.setLineDash([4, 4]);
          ctx.beginPath();
          ctx.moveTo(x, bbox.top);
          ctx.lineTo(x, bbox.top + bbox.height);
          ctx.stroke();
          ctx.fillStyle = color;
          ctx.fillRect(x - 4, bbox.top + bbox.height - 3, 8, 3);
          ctx.restore();
        }
      },
    ],
  },
};

const sums = series => {
  const below = times.map(() => 0);
  return series.map(({ values }) =>
    values.map((value, index) => {
      below[index] += value ?? 0;
      return below[index];
    }),
  );
};

const lines = (place, { series, stacked, unit }) => {
  const columns = stacked ? sums(series) : series.map(({ values }) => values);
  const drawn = series.map(({ color }) => ({
    stroke: color,
    width: 1,
    fill: `${color}${stacked ? '66' : '14'}`,
    points: { show: false },
  }));
  // the highest first, so that those below it are not hidden
  if (stacked) [columns, drawn].forEach(list => list.reverse());
  const highest = Math.max(0, ...columns.flat().filter(value => value !== null));
  new uPlot(
    {
      width: place.clientWidth,
      height: place.clientHeight,
      legend: { show: false },
      cursor: { show: false },
      scales: { y: { range: [0, highest === 0 ? 1 : highest * 1.05] } },
      series: [{}, ...drawn],
      axes: [AXIS, { ...AXIS, size: 58, values: (_plot, ticks) => ticks.map(value => short(value, unit)) }],
      plugins: [markLines],
    },
    [times, ...columns],
    place,
  );
};

const spark = (place, { series, color }) => {
  const axes = [{ show: false }, { show: false }];
  const size = { width: place.clientWidth, height: place.clientHeight, padding: [0, 0, 0, 0] };
  const values = series[0].values;
  const highest = Math.max(...values);
  new uPlot(
    {
      ...size,
      axes,
      legend: { show: false },
      cursor: { show: false },
      scales: { y: { range: [0, highest === 0 ? 1 : highest] } },
      series: [{}, { stroke: color, fill: `${color}33`, width: 1, points: { show: false } }],
    },
    [times, values],
    place,
  );
};

/** Prometheus' buckets hold what is below them, too. */
const heatMap = (place, { series, unit }) => {
  const edgeOf = ({ name }) => (name === '+Inf' ? Number.POSITIVE_INFINITY : Number(name));
  const edges = series.toSorted((a, b) => edgeOf(a) - edgeOf(b));
  const counts = edges.map(({ values }, row) =>
    values.map((value, index) => Math.max(0, (value ?? 0) - (edges[row - 1]?.values[index] ?? 0))),
  );
  const highest = Math.max(...counts.flat());
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [place.clientWidth, place.clientHeight];
  const ctx = canvas.getContext('2d');
  const left = 58;
  const [width, height] = [(canvas.width - left) / times.length, canvas.height / counts.length];
  counts.forEach((row, index) => {
    const top = canvas.height - (index + 1) * height;
    row.forEach((count, column) => {
      if (count === 0) return;
      ctx.fillStyle = `rgba(87, 148, 242, ${0.15 + 0.85 * Math.sqrt(count / highest)})`;
      ctx.fillRect(left + column * width, top, Math.ceil(width), height - 1);
    });
    ctx.fillStyle = '#9a9ba5';
    ctx.font = '9px sans-serif';
    ctx.textAlign = 'right';
    ctx.fillText(edges[index].name === '+Inf' ? '∞' : short(Number(edges[index].name), unit), left - 6, top + height / 2 + 3);
  });
  place.append(canvas);
};

for (const place of document.querySelectorAll('[data-panel]')) {
  const panel = panels[Number(place.dataset.panel)];
  if (place.className === 'spark') spark(place, panel);
  else if (panel.type === 'heatmap') heatMap(place, panel);
  else lines(place, panel);
}
document.body.classList.add('drawn');
