// PURE: (model, terminal, now) -> one block for each key, and who still uses the old one.
import type { KeyModel, KeysModel } from '../views/keys.ts';
import type { State } from '../views/status.ts';
import { cut, hang, span, type Terminal } from './lines.ts';
import { signed } from './status.ts';

const STATES: Readonly<Record<KeysModel['state'], State>> = {
  current: 'ready',
  held: 'stalled',
  'under way': 'under way',
  unknown: 'unknown',
};

/** `now`: epoch milliseconds. */
export function drawKeys(model: KeysModel, terminal: Terminal, now: number): string[] {
  const { kind, name, namespace, state, reason, message, keys } = model;
  const head = signed(STATES[state], `${kind}/${name}  ${namespace}  ${reason ?? '?'}`, terminal);
  const width = Math.max(0, ...keys.map(key => key.name.length));
  const lines = [
    ...(message === undefined || message === '' ? [] : hang('', message, terminal)),
    ...(keys.length === 0 ? ['no keys are known yet'] : keys.flatMap(key => keyLines(key, { width, terminal, now }))),
  ];
  return [head, ...lines.map(line => cut(line, terminal))];
}

type How = { readonly width: number; readonly terminal: Terminal; readonly now: number };

function keyLines(key: KeyModel, { width, terminal, now }: How): string[] {
  const { name, state, means, currentKeyId, nextKeyId, mode, since, next, revoked, secret } = key;
  const under = ' '.repeat(width + 2);
  const facts = [
    `key ${currentKeyId ?? '?'}`,
    ...(nextKeyId === undefined ? [] : [`then ${nextKeyId}`]),
    ...(since === undefined ? [] : [`since ${ago(since, now)}`]),
    ...(next === undefined ? [] : [`the next one ${ahead(next, now)}`]),
    ...(mode === 'immediate' && state !== 'Idle'
      ? ['immediate: the old one goes as soon as every pod has the new one']
      : []),
  ];
  return [
    ...hang(`${name.padEnd(width)}  `, `${state}${means === undefined ? '' : `: ${means}`}`, terminal),
    ...hang(under, facts.join(', '), terminal),
    ...oldLines(key, now).flatMap(line => hang(under, line, terminal)),
    ...(revoked.length > 0 ? hang(under, `revoked: ${revoked.join(', ')}`, terminal) : []),
    ...hang(under, `pods accept what is in Secret ${secret}`, terminal),
  ];
}

function oldLines({ oldKey, previousUntil, state }: KeyModel, now: number): string[] {
  const until = previousUntil === undefined || state === 'Idle' ? [] : [overlap(previousUntil, now)];
  if (!oldKey) return state === 'Draining' ? [...until, 'who still uses it is not known: not counted yet'] : until;
  const { requests, perMinute, lastAt } = oldKey;
  if (requests === 0) return [...until, 'nobody has used the old key since'];
  const rate = perMinute === undefined ? '' : `, ${perMinute} in the last minute`;
  return [
    ...until,
    `old key: ${requests} requests since${rate}${lastAt === undefined ? '' : `, the last ${ago(lastAt, now)}`}`,
  ];
}

function ago(time: string, now: number): string {
  const ms = now - Date.parse(time);
  return Number.isNaN(ms) ? time : `${span(ms)} ago`;
}

function ahead(time: string, now: number): string {
  const ms = Date.parse(time) - now;
  if (Number.isNaN(ms)) return `at ${time}`;
  return ms > 0 ? `in ${span(ms)}` : `is due since ${span(-ms)}`;
}

function overlap(until: string, now: number): string {
  const ms = Date.parse(until) - now;
  if (Number.isNaN(ms)) return `the old key is accepted until ${until} at least`;
  const left = ms > 0 ? `${span(ms)} more at least` : `although its time was over ${span(-ms)} ago`;
  return `the old key is accepted, ${left}`;
}
