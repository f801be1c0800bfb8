// PURE: (model, terminal) -> one line for each that was written, whole: what is cut out of a log is what was looked for.
import type { LogLine, LogsModel } from '../views/logs.ts';
import type { Terminal } from './lines.ts';

const COLOURS: Readonly<Record<string, number>> = { warn: 33, warning: 33, error: 31, critical: 31, fatal: 31 };

/** @param least columns of the names; where more lines follow, those of before */
export function drawLogs({ items, notes }: LogsModel, terminal: Terminal, least = 0): string[] {
  const width = Math.max(least, ...items.map(one => whose(one).length));
  return [
    ...items.map(one => {
      const level = one.level === undefined ? '' : `${one.level} `;
      const colour = one.level === undefined ? undefined : COLOURS[one.level];
      const shown = terminal.colour && colour !== undefined ? `\u001b[${colour}m${level}\u001b[0m` : level;
      return `${one.at.slice(11, 23)} ${whose(one).padEnd(width)} ${shown}${one.text}`;
    }),
    ...notes.map(note => `note: ${note}`),
  ];
}

export const widthOf = (items: readonly LogLine[]): number => Math.max(0, ...items.map(one => whose(one).length));

/** `candidate/cr67v`: the end of a pod's name tells it from the others. */
const whose = ({ component, pod }: LogLine): string => `${component}/${pod.slice(pod.lastIndexOf('-') + 1)}`;
