// PURE: (checks, terminal) -> one line or more for each, what to do below it.
import type { Check } from '../views/doctor.ts';
import { cut, hang, type Terminal } from './lines.ts';

const SIGNS: Readonly<Record<Check['is'], readonly [unicode: string, ascii: string, colour: number]>> = {
  ok: ['✔', '+', 32],
  bad: ['✖', 'x', 31],
  unknown: ['?', '?', 33],
  advice: ['·', '-', 36],
};

export function drawDoctor(checks: readonly Check[], terminal: Terminal): string[] {
  const width = Math.max(0, ...checks.map(({ what }) => what.length));
  return checks.flatMap(({ is, what, message, remedy }) => {
    const [unicode, ascii, colour] = SIGNS[is];
    const sign = terminal.unicode ? unicode : ascii;
    const arrow = terminal.unicode ? '→ ' : '-> ';
    const [first = '', ...rest] = [
      ...hang(`${sign} ${what.padEnd(width)}  `, message, terminal),
      ...(remedy === undefined ? [] : hang(`${' '.repeat(width + 4)}${arrow}`, remedy, terminal)),
    ].map(line => cut(line, terminal));
    const head = terminal.colour ? `\u001b[${colour}m${sign}\u001b[0m${first.slice(sign.length)}` : first;
    return [head, ...rest];
  });
}
