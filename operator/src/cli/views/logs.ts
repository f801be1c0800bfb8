// PURE: pods and what they wrote -> lines by time, each with whose it is. A line of JSON is made readable.
import { jsonOf } from '../../api/json.ts';
import { COMPONENTS } from '../../objects/names.ts';

export type LogSource = {
  readonly pod: string;
  readonly container: string;
  readonly image: string;
  readonly component: string;
  /** Hash. */
  readonly release: string;
  /** RFC 3339, of the pod. */
  readonly createdAt: string;
  /** Before it was started again. */
  readonly isPrevious: boolean;
};

export type LogsFacts = {
  /** As the API server gives them with `timestamps`. */
  readonly logs: readonly { readonly source: LogSource; readonly lines: readonly string[]; readonly unread?: string }[];
  readonly unread?: string;
};

export type LogLine = {
  /** RFC 3339, by the node's clock. */
  readonly at: string;
  readonly pod: string;
  readonly component: string;
  readonly release: string;
  readonly level?: string;
  readonly text: string;
};
export type LogsModel = {
  readonly items: readonly LogLine[];
  /** What could not be read, or has nothing. */
  readonly notes: readonly string[];
};

/** What is on its way to users, and so what a person looks for first. */
const ON_TRIAL: readonly string[] = [
  COMPONENTS.candidate,
  COMPONENTS.migration,
  COMPONENTS.rehearsal,
  COMPONENTS.backup,
];

/** Of a release that is tried: its candidate, Jobs and rehearsal, the newest of each; where there is none, what serves. */
export function sourcesOf(all: readonly LogSource[], isAll: boolean): readonly LogSource[] {
  if (isAll) return all;
  const tried = all.filter(({ component }) => ON_TRIAL.includes(component));
  const newest = new Map<string, string>();
  for (const { component, release, createdAt } of tried.toSorted((a, b) => (a.createdAt < b.createdAt ? -1 : 1)))
    if (createdAt !== '') newest.set(component, release);
  const found = tried.filter(({ component, release }) => newest.get(component) === release);
  return found.length > 0 ? found : all;
}

export function logsView({ logs, unread }: LogsFacts): LogsModel {
  const items = logs.flatMap(({ source, lines }) => lines.map(line => lineOf(source, line)));
  const told = logs.flatMap(({ source, lines, unread: why }) =>
    why === undefined
      ? lines.length === 0
        ? [`${source.pod} (${source.container}): nothing`]
        : []
      : [`${source.pod} (${source.container}): ${why}`],
  );
  const none = logs.length === 0 && unread === undefined ? ['no pod has run yet, or all are gone with their logs'] : [];
  return {
    items: items.toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0)),
    notes: [...(unread === undefined ? [] : [unread]), ...none, ...told],
  };
}

function lineOf({ pod, component, release, isPrevious }: LogSource, line: string): LogLine {
  const end = line.indexOf(' ');
  const [at, rest] = end > 0 ? [line.slice(0, end), line.slice(end + 1)] : [line, ''];
  const before = isPrevious ? '(before its restart) ' : '';
  const { level, text } = readable(rest);
  return { at, pod, component, release, ...(level !== undefined && { level }), text: `${before}${text}` };
}

/** What goes on is read again and again: what was shown before, by whose line it is. */
export type Shown = ReadonlyMap<string, ReadonlySet<string>>;

const sourceKey = ({ pod, container }: LogSource): string => `${pod}/${container}`;

/**
 * Pure: what an answer has that the one before it had not. Answers overlap in time, and each line has the nanosecond of
 * its writing, so one that is the same is the same line.
 */
export function newsIn(facts: LogsFacts, before: Shown): { readonly facts: LogsFacts; readonly shown: Shown } {
  const shown = new Map<string, Set<string>>();
  for (const { source, lines } of facts.logs) {
    const key = sourceKey(source);
    shown.set(key, new Set([...(shown.get(key) ?? []), ...lines]));
  }
  const logs = facts.logs.map(log => ({
    ...log,
    lines: log.lines.filter(line => !before.get(sourceKey(log.source))?.has(line)),
  }));
  // one that could not be read this time is not new the next time
  for (const { source, unread } of facts.logs)
    if (unread !== undefined) shown.set(sourceKey(source), new Set(before.get(sourceKey(source)) ?? []));
  return { facts: { ...facts, logs }, shown };
}

/** An event of the operator, as a line among those of pods. */
export type SeenEvent = {
  readonly type?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly count?: number;
  readonly lastTimestamp?: string | null;
  readonly eventTime?: string | null;
};

export const decisionLine = ({ type, reason, message, count = 1, lastTimestamp, eventTime }: SeenEvent): LogLine => ({
  // a repetition has the second only
  at: (count > 1 ? lastTimestamp : eventTime) ?? lastTimestamp ?? '',
  ...{ pod: 'event', component: 'operator', release: '', level: type === 'Warning' ? 'warn' : 'info' },
  text: [reason, message].filter(Boolean).join(': '),
});

const LEVELS: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};
/** In the line already, or the same in all of them. */
const KNOWN: readonly string[] = [
  'level',
  'severity',
  'time',
  'timestamp',
  'ts',
  'pid',
  'hostname',
  'name',
  'msg',
  'message',
  'v',
];

/** pino, and what is like it; anything else stays as it is. */
export function readable(text: string): { level?: string; text: string } {
  const entry = objectIn(text);
  const message = entry?.['msg'] ?? entry?.['message'];
  if (!entry || typeof message !== 'string') return { text };
  const level = entry['level'] ?? entry['severity'];
  const rest = Object.entries(entry)
    .filter(([name]) => !KNOWN.includes(name))
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const word = typeof level === 'number' ? (LEVELS[level] ?? String(level)) : level;
  return { text: [message, ...rest].join(' '), ...(typeof word === 'string' && { level: word.toLowerCase() }) };
}

const objectIn = (text: string): Readonly<Record<string, unknown>> | undefined =>
  text.startsWith('{') ? (jsonOf(text) as Record<string, unknown> | undefined) : undefined;
