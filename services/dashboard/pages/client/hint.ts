import type uPlot from 'uplot';
import type { Drawing } from './table.ts';

const number = new Intl.NumberFormat('es-AR', { useGrouping: 'always' });
const DISTANCE = 12;

/** The figures of the point under the pointer. Who uses no pointer opens the table. */
export function hint({ labels, names, values }: Drawing): uPlot.Plugin {
  const box = document.createElement('div');
  box.className = 'hint';
  box.hidden = true;

  const fill = (index: number) => {
    const title = document.createElement('strong');
    title.textContent = labels[index]?.long ?? '';
    const lines = names.map((name, series) => {
      const line = document.createElement('span');
      line.textContent = `${name}: ${number.format(values[series]?.[index] ?? 0)}`;
      return line;
    });
    box.replaceChildren(title, ...lines);
  };

  const place = ({ over, cursor }: uPlot) => {
    const { left = 0, top = 0 } = cursor;
    const limit = over.clientWidth - box.offsetWidth;
    const beside = left + DISTANCE > limit ? left - DISTANCE - box.offsetWidth : left + DISTANCE;
    box.style.transform = `translate(${Math.max(-over.offsetLeft, Math.min(beside, limit))}px, ${Math.max(0, top - box.offsetHeight - DISTANCE)}px)`;
  };

  return {
    hooks: {
      ready: chart => {
        chart.over.append(box);
        chart.over.addEventListener('pointerleave', () => {
          box.hidden = true;
        });
      },
      setCursor: chart => {
        const { idx, left = -1 } = chart.cursor;
        box.hidden = idx === null || idx === undefined || left < 0;
        if (box.hidden || idx === null || idx === undefined) return;
        fill(idx);
        place(chart);
      },
    },
  };
}
