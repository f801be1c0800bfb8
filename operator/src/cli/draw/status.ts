// PURE: (model, terminal) -> lines, none wider than the terminal.
import type { Stage, State, StatusModel } from '../views/status.ts';
import { cut, share, span, type Terminal, wrap } from './lines.ts';

const SIGNS: Readonly<Record<State, readonly [unicode: string, ascii: string, colour: number]>> = {
  stalled: ['✖', 'x', 31],
  'not ready': ['✖', 'x', 31],
  'under way': ['▶', '>', 36],
  ready: ['✔', '+', 32],
  unknown: ['?', '?', 33],
};

/** `now`: epoch milliseconds. */
export function drawStatus(model: StatusModel, terminal: Terminal, now: number): string[] {
  const { pods, stage, tries } = model;
  const head = `${model.kind}/${model.name}  ${model.namespace}  ${model.phase ?? '?'} (${model.state})`;
  const trial = tries ? `   tries ${tries.image}${tries.hash === undefined ? '' : ` (${tries.hash})`}` : '';
  const plain = [
    ...wrap(`serves ${model.serves ?? '?'}${trial}`, terminal),
    `pods   ${pods ? `${pods.ready} of ${pods.all} ready` : '?'}`,
    ...(stage ? wrap(told(stage, now), terminal) : []),
    ...model.figures.map(
      ({ who, requests, errors, shed }) =>
        `${who.padEnd(10)} ${requests} requests, ${errors} 5xx, ${share(requests, errors)}${overload(shed)}`,
    ),
    ...wrap(model.why ?? '', terminal),
  ];
  return [signed(model.state, head, terminal), ...plain.map(line => cut(line, terminal))];
}

const overload = (shed: number | undefined): string => (shed === undefined ? '' : ` (${shed} for overload)`);

/** One line each, for a list of many. */
export function drawLine(model: StatusModel, terminal: Terminal): string {
  const pods = model.pods ? `${model.pods.ready}/${model.pods.all}` : '?';
  return signed(
    model.state,
    `${model.namespace}/${model.name}  ${model.state}  ${pods}  ${model.serves ?? '?'}`,
    terminal,
  );
}

export function signed(state: State, text: string, terminal: Terminal): string {
  const [unicode, ascii, colour] = SIGNS[state];
  const sign = terminal.unicode ? unicode : ascii;
  const line = cut(`${sign} ${text}`, terminal);
  // states are never told by colour alone
  return terminal.colour ? `\u001b[${colour}m${sign}\u001b[0m${line.slice(sign.length)}` : line;
}

export const told = ({ name, waitsFor, until }: Stage, now: number): string =>
  `stage ${name}${waitsFor === undefined ? '' : `, waits for ${waitsFor}`}${until === undefined ? '' : `, ${left(until, now)}`}`;

/** How long still; by its own clock, where it is over. */
function left(until: string, now: number): string {
  const ms = Date.parse(until) - now;
  if (Number.isNaN(ms)) return `until ${until}`;
  return ms > 0 ? `at most ${span(ms)} more` : `was to end ${span(-ms)} ago`;
}
