/**
 * The two numbers wanted from a pod's `/metrics`: users' requests, and how many of them were answered 5xx.
 * Reads the Prometheus text format line by line and keeps nothing else. Never throws: what cannot be read says why.
 */

export type RequestCounts = { readonly known: true; readonly requests: number; readonly errors: number };
export type Unread = { readonly known: false; readonly why: string };

/** Larger answers are not metrics of a web service (ours are 10 to 40 KiB). */
export const MAX_METRICS_BYTES = 4 * 1024 * 1024;

/** Kubelet's probes and our own scrapes are not users. */
const NOT_USERS: ReadonlySet<string> = new Set(['/health', '/live', '/ready', '/metrics']);

const BY_ROUTE = 'http_requests_total';
const REQUESTS = 'dashboard_requests_total';
const ERRORS = 'dashboard_errors_total';

/**
 * Prefers `http_requests_total{route,status}`, without the routes of probes. Falls back to the label-free
 * `dashboard_requests_total` and `dashboard_errors_total` of the Python originals: those count the kubelet's probes and
 * our scrapes as requests too, which makes a release look better than it is by their share of the traffic.
 */
export function userRequests(text: string): RequestCounts | Unread {
  if (text.length > MAX_METRICS_BYTES) return unread(`the metrics are larger than ${MAX_METRICS_BYTES} characters`);
  if (declares(text, BY_ROUTE)) return byRoute(text);
  if (declares(text, REQUESTS)) return unlabelled(text);
  return unread(`neither ${BY_ROUTE} nor ${REQUESTS} is among the metrics`);
}

/** A labelled counter nobody has used yet has a TYPE line and no sample: zero requests, not an unknown number. */
function declares(text: string, name: string): boolean {
  return text.startsWith(name) || text.includes(`\n${name}`) || text.includes(`# TYPE ${name} `);
}

function byRoute(text: string): RequestCounts | Unread {
  let requests = 0;
  let errors = 0;
  for (const sample of samples(text, BY_ROUTE)) {
    const labels = parseLabels(sample.labels);
    const count = parseCount(sample.value);
    const status = labels?.get('status');
    if (count === undefined || !status) return unread(`cannot read "${clip(sample.line)}"`);
    if (NOT_USERS.has(labels?.get('route') ?? '')) continue;
    requests += count;
    if (/^5\d\d$/.test(status)) errors += count;
  }
  return counted(requests, errors);
}

function unlabelled(text: string): RequestCounts | Unread {
  const requests = total(text, REQUESTS);
  const errors = total(text, ERRORS);
  if (requests === undefined) return unread(`${REQUESTS} has no readable value`);
  if (errors === undefined) return unread(`${ERRORS} has no readable value`);
  return counted(requests, errors);
}

function counted(requests: number, errors: number): RequestCounts | Unread {
  if (!Number.isSafeInteger(requests)) return unread('the request counter is too large');
  if (errors > requests) return unread(`more errors (${errors}) than requests (${requests})`);
  return { known: true, requests, errors };
}

/** The sum of all samples of a counter; undefined without any, or when one cannot be read. */
function total(text: string, name: string): number | undefined {
  let sum: number | undefined;
  for (const sample of samples(text, name)) {
    const count = parseCount(sample.value);
    if (count === undefined) return undefined;
    sum = (sum ?? 0) + count;
  }
  return sum;
}

type Sample = { line: string; labels: string; value: string };

/** The samples of exactly this metric: `name value` or `name{labels} value`, a timestamp or exemplar left aside. */
function* samples(text: string, name: string): Generator<Sample> {
  for (let start = lineOf(text, name, 0); start !== undefined; start = lineOf(text, name, start + 1)) {
    const newline = text.indexOf('\n', start);
    const line = text.slice(start, newline < 0 ? text.length : newline).trimEnd();
    const next = line.charAt(name.length);
    if (next === '{') yield labelled(line, name.length);
    if (next === ' ' || next === '\t') yield { line, labels: '', value: firstWord(line.slice(name.length)) };
  }
}

/** Where the first line at or after `from` that begins with this name starts. */
function lineOf(text: string, name: string, from: number): number | undefined {
  if (from === 0 && text.startsWith(name)) return 0;
  const before = text.indexOf(`\n${name}`, Math.max(0, from - 1));
  return before < 0 ? undefined : before + 1;
}

function labelled(line: string, open: number): Sample {
  const close = closingBrace(line, open);
  return { line, labels: line.slice(open + 1, close), value: firstWord(line.slice(close + 1)) };
}

/** A brace inside a quoted label value does not close the labels. */
function closingBrace(line: string, open: number): number {
  let quoted = false;
  for (let i = open + 1; i < line.length; i++) {
    const char = line.charAt(i);
    if (char === '\\' && quoted) i++;
    else if (char === '"') quoted = !quoted;
    else if (char === '}' && !quoted) return i;
  }
  return line.length;
}

const LABEL = /\s*([A-Za-z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)/y;

function parseLabels(text: string): ReadonlyMap<string, string> | undefined {
  const labels = new Map<string, string>();
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.trimEnd().length) {
    const match = LABEL.exec(text);
    if (!match?.[1]) return undefined;
    labels.set(match[1], unescaped(match[2] ?? ''));
  }
  return labels;
}

const unescaped = (value: string): string =>
  value.includes('\\') ? value.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char)) : value;

/** Counters are whole and not negative; some clients write `12.0` or `1e+06`. */
function parseCount(text: string): number | undefined {
  const value = text === '' ? Number.NaN : Number(text);
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

const firstWord = (text: string): string => text.trimStart().split(/\s/, 1)[0] ?? '';
const clip = (line: string): string => (line.length > 80 ? `${line.slice(0, 80)}…` : line);
const unread = (why: string): Unread => ({ known: false, why });
