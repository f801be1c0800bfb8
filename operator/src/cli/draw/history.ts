// PURE: (entries, terminal, now) -> a table, the newest first.
import type { Entry } from '../views/history.ts';
import { cut, roomOf, share, span, type Terminal, versionOf } from './lines.ts';

/** Narrower ones get no words behind the figures. */
const WITH_WORDS = 80;

export function drawHistory(entries: readonly Entry[], terminal: Terminal, now: number): string[] {
  if (entries.length === 0) return ['nothing is written down yet'];
  const rows = entries.map(entry => [ago(entry, now), versionOf(entry.image), whatOf(entry), figuresOf(entry)]);
  const table = [['WHEN', 'VERSION', 'WHAT', 'FIGURES'], ...rows];
  const widths = [0, 1, 2].map(column => Math.min(32, Math.max(...table.map(row => (row[column] ?? '').length))));
  return table.map((row, i) => {
    const cells = row.map((cell, column) => {
      const width = widths[column];
      return width === undefined ? cell : cut(cell, { ...terminal, width }).padEnd(width);
    });
    const words = i > 0 && roomOf(terminal) >= WITH_WORDS ? (entries[i - 1]?.message ?? '') : '';
    return cut([...cells, words].join('  ').trimEnd(), terminal);
  });
}

function ago({ at }: Entry, now: number): string {
  const time = Date.parse(at);
  return Number.isNaN(time) ? '?' : `${span(now - time)} ago`;
}

const whatOf = ({ what, attempt = 1, byHand }: Entry): string =>
  [what, ...(attempt > 1 ? [`(try ${attempt})`] : []), ...(byHand ? ['by hand'] : [])].join(' ');

function figuresOf({ figures, firstMetrics }: Entry): string {
  const counts = figures?.candidate ?? firstMetrics;
  if (!counts) return '';
  const p95 = counts.p95Ms === undefined ? '' : `, p95 ${Math.round(counts.p95Ms)} ms`;
  return `${counts.errors} of ${counts.requests} 5xx, ${share(counts.requests, counts.errors)}${p95}`;
}
