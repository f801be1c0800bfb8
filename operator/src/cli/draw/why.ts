// PURE: (model, terminal, now) -> sentences and figures for the person on call.
import type { Entry } from '../views/history.ts';
import type { WhyModel } from '../views/why.ts';
import { cut, share, span, type Terminal, versionOf, wrap } from './lines.ts';
import { signed, told } from './status.ts';

const BAR = 30;

export function drawWhy(model: WhyModel, terminal: Terminal, now: number): string[] {
  const { kind, name, namespace, state, now: said, stage, serves, incident, unread, ways } = model;
  const head = signed(state, `${kind}/${name}  ${namespace}  ${said?.reason ?? '?'}`, terminal);
  const lines = [
    ...(said ? wrap(said.message, terminal) : ['nothing is said of it yet']),
    ...(said?.means === undefined ? [] : wrap(`(${said.reason}: ${said.means})`, terminal)),
    ...(stage && state === 'under way' ? wrap(told(stage, now), terminal) : []),
    `serves ${serves ?? '?'}`,
    ...(incident ? ['', ...incidentLines(incident, terminal, now)] : []),
    ...(unread === undefined ? [] : ['', ...wrap(`incidents: ${unread}`, terminal)]),
    ...(ways.length > 0 ? ['', 'ways forward:', ...ways.flatMap(way => wrap(`- ${way}`, terminal, '  '))] : []),
  ];
  return [head, ...lines.map(line => cut(line, terminal))];
}

function incidentLines(incident: NonNullable<WhyModel['incident']>, terminal: Terminal, now: number): string[] {
  const { at, what, image, attempt = 1, phase, message, figures, routes, restored } = incident;
  const { askedBy, byHand, means, runbookURL } = incident;
  const time = Date.parse(at);
  const when = Number.isNaN(time) ? at : `${span(now - time)} ago (${at})`;
  const again = attempt > 1 ? `, try ${attempt}` : '';
  return [
    ...wrap(`last incident: ${versionOf(image)}${again}, ${what}${phase ? ` in ${phase}` : ''}, ${when}`, terminal),
    ...(message === undefined ? [] : indented(message, terminal)),
    ...(means === undefined ? [] : indented(`(${what}: ${means})`, terminal)),
    ...(figures ? bars(figures, terminal) : []),
    ...(routes ?? []).map(({ route, requests, errors }) => `  ${route}: ${errors} of ${requests}`),
    ...(askedBy === undefined ? [] : [`  asked for by: ${askedBy}`]),
    ...(byHand ? indented(`decided by ${byHand.by ?? 'a person'}: ${byHand.text ?? ''}`, terminal) : []),
    `  served on: ${restored === undefined ? 'nothing served' : restored}`,
    ...(runbookURL === undefined ? [] : [`  what to do: ${runbookURL}`]),
  ];
}

const indented = (text: string, terminal: Terminal): string[] =>
  wrap(text, terminal, '  ').map((line, i) => (i === 0 ? `  ${line}` : line));

type Figures = NonNullable<Entry['figures']>;

/** Of the 5xx, what the pods themselves called overload. */
function overload({ shed }: Figures['candidate'], { shed: beside }: Figures['baseline']): string[] {
  if (shed === undefined && beside === undefined) return [];
  return [`  of these for overload: ${shed ?? 0}, beside it ${beside ?? 0}`];
}

/** A share beside its limit, which stands in the middle: a bar past half is above it. */
function bars({ limit, candidate, baseline }: Figures, terminal: Terminal): string[] {
  const row = (who: string, { requests, errors }: { requests: number; errors: number }) => {
    const part = requests === 0 || limit <= 0 ? 0 : Math.min(1, errors / requests / (2 * limit));
    const full = Math.round(part * BAR);
    const [on, off] = terminal.unicode ? ['█', '░'] : ['#', '.'];
    const bar = terminal.width >= 60 ? `  ${on.repeat(full)}${off.repeat(BAR - full)}` : '';
    return `  ${who.padEnd(10)} ${`${errors} of ${requests}`.padStart(12)} ${share(requests, errors).padStart(8)}${bar}`;
  };
  return [
    `  ${' '.repeat(10)} ${'5xx'.padStart(12)} ${'share'.padStart(8)}  limit ${Number((limit * 100).toPrecision(6))} %`,
    row('candidate', candidate),
    row('beside it', baseline),
    ...overload(candidate, baseline),
  ];
}
