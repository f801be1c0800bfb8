import { StringDecoder } from 'node:string_decoder';
import { OPERATOR_VERSION } from '../version.ts';
import { type Latency, MOST_EDGES } from './latency.ts';
import type { Slowness } from './slowness.ts';

/**
 * The two numbers wanted from a pod's `/metrics`: users' requests, and how many of them were answered 5xx.
 * Reads the Prometheus text format line by line and keeps nothing else. Never throws: what cannot be read says why.
 */

export type RequestCounts = {
  readonly known: true;
  readonly requests: number;
  readonly errors: number;
  /** Of the errors, those that the pod counts as shed for overload; absent where it does not say. */
  readonly shed?: number;
  /** Begun and not answered; absent where the service does not say. */
  readonly inFlight?: number;
};
/** By route. */
export type RouteCounts = ReadonlyMap<string, { readonly requests: number; readonly errors: number }>;
export type Unread = { readonly known: false; readonly why: string };

/** Pods count who reads them by it (`scrapes_total`): our readings are told from a Prometheus'. */
export const USER_AGENT = `devshelf-operator/${OPERATOR_VERSION}`;
/** Larger answers are not metrics of a web service (ours are 10 to 90 KiB). Bytes. */
export const MAX_METRICS_BYTES = 256 * 1024;
/** Why such an answer is unread. */
export const TOO_LARGE = `MetricsTooLarge: the metrics are longer than ${MAX_METRICS_BYTES / 1024} KiB`;
/** The same patience before and during a trial: what passes the rehearsal is readable later, too. */
export const METRICS_TIMEOUT_MS = 5_000;

/** Kubelet's probes and our own scrapes are not users. */
const NOT_USERS: ReadonlySet<string> = new Set(['/health', '/live', '/ready', '/metrics', '/recent-requests']);

export const isUsersRoute = (route: string): boolean => !NOT_USERS.has(route);

const BY_ROUTE = 'http_requests_total';
const REQUESTS = 'dashboard_requests_total';
const ERRORS = 'dashboard_errors_total';
const IN_FLIGHT = 'http_requests_in_flight';
const SHED = 'http_requests_shed_total';
const DURATIONS = 'http_request_duration_seconds';
const OWN_P95 = 'dashboard_request_duration_ms_p95';
const SCRAPES = 'scrapes_total';
const NAMES = [BY_ROUTE, REQUESTS, ERRORS, IN_FLIGHT, SHED] as const;
type Name = (typeof NAMES)[number];

/** A sample of ours takes 100 to 200 characters. */
const LONGEST_LINE = 4_096;

/**
 * Prefers `http_requests_total{route,status}`, without the routes of probes. Falls back to the label-free
 * `dashboard_requests_total` and `dashboard_errors_total` of the Python originals: those count the kubelet's probes and
 * our scrapes as requests too, which makes a release look better than it is by their share of the traffic.
 */
export function userRequests(text: string): RequestCounts | Unread {
  const counter = new RequestCounter();
  counter.add(Buffer.from(text));
  return counter.counts();
}

/**
 * The same of an answer that arrives in pieces: each is read as it comes, and let go. Nobody waits longer than one piece
 * takes (64 KiB: a millisecond for most, some if all of it is samples), whatever the pod sends.
 */
export class RequestCounter {
  readonly #decoder = new StringDecoder('utf8');
  /** Of each metric the sum of its samples; of `http_requests_total` without the probes. */
  readonly #sums = new Map<Name, number>();
  /** Why the first sample that cannot be read cannot. */
  readonly #faults = new Map<Name, string>();
  readonly #routes = new Map<string, { requests: number; errors: number }>();
  /** Seconds; without it durations are not looked at. */
  readonly #slowAfter: number | undefined;
  readonly #edges = new Set<number>();
  readonly #wantsLatency: boolean;
  /** Undefined once one of them could not be read. */
  #buckets: Map<number, number> | undefined = new Map();
  #ownP95Ms: number | undefined;
  #durations = { isThere: false, within: 0, all: 0 };
  #prometheus: number | undefined;
  #errors = 0;
  /** Of these, what may have been shed: 503, or 5xx where only the class is told. */
  #unavailable = 0;
  #bytes = 0;
  /** `dashboard_requests_total`, by its TYPE line. */
  #isDeclared = false;
  /** The beginning of a line whose end has not come yet; not more of it than is needed to know that it is too long. */
  #begun = '';

  /** @param wantsLatency how long answers took is read too: 4 ms instead of 0.5 for 100 routes and statuses (120 KiB) */
  constructor(slowAfter?: number, wantsLatency = false) {
    this.#slowAfter = slowAfter;
    this.#wantsLatency = wantsLatency;
  }

  add(piece: Buffer): void {
    this.#bytes += piece.length;
    if (this.#bytes > MAX_METRICS_BYTES) return;
    const text = this.#decoder.write(piece);
    const [first, last] = [text.indexOf('\n'), text.lastIndexOf('\n')];
    if (first >= 0) {
      this.#line(this.#begun + text.slice(0, first));
      this.#begun = '';
      for (const [line] of text.slice(first + 1, last + 1).matchAll(this.#readsDurations ? WITH_DURATIONS : WANTED))
        this.#line(line);
    }
    this.#begin(text.slice(last + 1));
  }

  counts(): RequestCounts | Unread {
    if (this.#bytes > MAX_METRICS_BYTES) return unread(TOO_LARGE);
    this.#line(this.#begun + this.#decoder.end());
    this.#begun = '';
    if (this.#has(BY_ROUTE)) return this.#byRoute();
    if (this.#isDeclared || this.#has(REQUESTS)) return this.#unlabelled();
    return unread(`neither ${BY_ROUTE} nor ${REQUESTS} is among the metrics`);
  }

  /** Users' routes that failed at least once, as the service calls them: to be asked after `counts`. */
  failingRoutes(): RouteCounts {
    return new Map([...this.#routes].filter(([, { errors }]) => errors > 0));
  }

  /** To be asked after `counts`. */
  slowness(): Slowness {
    const { isThere, within, all } = this.#durations;
    const slowAfter = this.#slowAfter ?? Number.NaN;
    if (!isThere) return unread(`${DURATIONS} is not among the metrics`);
    if (all > 0 && !this.#edges.has(slowAfter)) {
      const edges = [...this.#edges].sort((a, b) => a - b).slice(0, 20);
      return unread(`thresholdSeconds ${slowAfter} is no edge of ${DURATIONS}; these are: ${edges.join(', ')}`);
    }
    if (!Number.isSafeInteger(all) || within > all) return unread(`${DURATIONS} cannot be counted`);
    return { known: true, requests: all, slow: all - within };
  }

  /** To be asked after `counts`. */
  latency(): Latency {
    const { size = 0 } = this.#buckets ?? {};
    const buckets = size > 0 && size <= MOST_EDGES ? this.#buckets : undefined;
    return { ...(buckets && { buckets }), ...(this.#ownP95Ms !== undefined && { ownP95Ms: this.#ownP95Ms }) };
  }

  get #readsDurations(): boolean {
    return this.#slowAfter !== undefined || this.#wantsLatency;
  }

  /** How often a Prometheus has read the pod; undefined where it does not say. To be asked after `counts`. */
  prometheusScrapes(): number | undefined {
    return this.#prometheus;
  }

  #scrapes(line: string): void {
    const { labels, value } = sampleOf(line.slice(SCRAPES.length));
    if (parseLabels(labels)?.get('by') === 'prometheus') this.#prometheus = parseCount(value);
  }

  #duration(line: string): void {
    const isBucket = line.startsWith(`${DURATIONS}_bucket{`);
    if (!isBucket && !line.startsWith(`${DURATIONS}_count{`)) return;
    const { labels, value } = sampleOf(line.slice(line.indexOf('{')));
    const read = parseLabels(labels);
    const count = parseCount(value);
    this.#durations.isThere = true;
    if (isBucket && this.#wantsLatency) this.#bucket(read, count);
    if (isBucket) {
      const edge = Number(read?.get('le') === '+Inf' ? Number.NaN : read?.get('le'));
      if (!Number.isNaN(edge)) this.#edges.add(edge);
      if (edge !== this.#slowAfter) return;
    }
    // what cannot be read must not look fast, nor slow
    if (read === undefined || count === undefined) this.#durations.all = Number.NaN;
    else if (isUsersRoute(read.get('route') ?? '') && !read.get('status')?.startsWith('5'))
      this.#durations[isBucket ? 'within' : 'all'] += count;
  }

  #bucket(labels: ReadonlyMap<string, string> | undefined, count: number | undefined): void {
    const le = labels?.get('le');
    const edge = le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le ?? Number.NaN);
    if (count === undefined || Number.isNaN(edge)) this.#buckets = undefined;
    else if (isUsersRoute(labels?.get('route') ?? '')) this.#buckets?.set(edge, (this.#buckets.get(edge) ?? 0) + count);
  }

  #ownP95(line: string): void {
    const value = Number(sampleOf(line.slice(OWN_P95.length).trim()).value || Number.NaN);
    if (value >= 0 && Number.isFinite(value)) this.#ownP95Ms = value;
  }

  #begin(text: string): void {
    if (this.#begun.length <= LONGEST_LINE) this.#begun += text.slice(0, LONGEST_LINE + 1);
  }

  #has(name: Name): boolean {
    return this.#sums.has(name) || this.#faults.has(name);
  }

  #byRoute(): RequestCounts | Unread {
    const fault = this.#faults.get(BY_ROUTE);
    if (fault !== undefined) return unread(fault);
    const counts = counted(this.#sums.get(BY_ROUTE) ?? 0, this.#errors);
    const inFlight = this.#faults.has(IN_FLIGHT) ? undefined : this.#sums.get(IN_FLIGHT);
    if (!counts.known) return counts;
    const shed = this.#shed();
    return { ...counts, ...(inFlight !== undefined && { inFlight }), ...(shed !== undefined && { shed }) };
  }

  /** Never more than was answered so: who calls something overload must have said it to the client, too. */
  #shed(): number | undefined {
    const shed = this.#faults.has(SHED) ? undefined : this.#sums.get(SHED);
    return shed === undefined ? undefined : Math.min(shed, this.#unavailable);
  }

  #unlabelled(): RequestCounts | Unread {
    const unreadable = ([REQUESTS, ERRORS] as const).find(name => this.#faults.has(name) || !this.#sums.has(name));
    if (unreadable !== undefined) return unread(`${unreadable} has no readable value`);
    return counted(this.#sums.get(REQUESTS) ?? 0, this.#sums.get(ERRORS) ?? 0);
  }

  #line(line: string): void {
    if (line.startsWith('#')) this.#declaration(line);
    if (line.startsWith(`${SCRAPES}{`) && line.length <= LONGEST_LINE) this.#scrapes(line);
    if (this.#readsDurations && line.length <= LONGEST_LINE) this.#duration(line);
    if (this.#wantsLatency && line.startsWith(`${OWN_P95} `) && line.length <= LONGEST_LINE) this.#ownP95(line);
    const name = NAMES.find(known => line.startsWith(known));
    const rest = name && line.slice(name.length);
    if (name === undefined || rest === undefined || !/^[ \t{]/.test(rest)) return;
    if (line.length > LONGEST_LINE) this.#fail(name, `a line of ${name} is longer than ${LONGEST_LINE} characters`);
    else this.#sample(name, sampleOf(rest.trim()));
  }

  /**
   * A labelled counter nobody has used yet has a TYPE line and no sample: zero requests, not an unknown number.
   * OpenMetrics declares a counter without its `_total`.
   */
  #declaration(line: string): void {
    const declared = /^# TYPE (\w{1,64}) /.exec(line)?.[1];
    if (declared === BY_ROUTE || `${declared}_total` === BY_ROUTE) this.#count(BY_ROUTE, 0);
    if (declared === DURATIONS) this.#durations.isThere = true;
    // without a sample it is there, and has no value
    if (declared === REQUESTS || `${declared}_total` === REQUESTS) this.#isDeclared = true;
  }

  /** Never says the line itself: whatever the container writes there would be shown to who may read the status. */
  #sample(name: Name, { labels, value }: Sample): void {
    const count = parseCount(value);
    if (count === undefined) this.#fail(name, `a sample of ${name} has no count that can be read`);
    else if (name === BY_ROUTE) this.#ofRoute(labels, count);
    else this.#count(name, count);
  }

  #ofRoute(labels: string, count: number): void {
    const read = parseLabels(labels);
    const status = read?.get('status') ?? '';
    const route = read?.get('route') ?? '';
    const isUser = !NOT_USERS.has(route);
    if (!STATUS.test(status)) this.#fail(BY_ROUTE, `a sample of ${BY_ROUTE} has no status that can be read`);
    this.#count(BY_ROUTE, isUser ? count : 0);
    if (!isUser) return;
    const errors = status.startsWith('5') ? count : 0;
    this.#errors += errors;
    if (MAY_BE_SHED.test(status)) this.#unavailable += count;
    const known = this.#routes.get(route) ?? { requests: 0, errors: 0 };
    this.#routes.set(route, { requests: known.requests + count, errors: known.errors + errors });
  }

  #count(name: Name, count: number): void {
    this.#sums.set(name, (this.#sums.get(name) ?? 0) + count);
  }

  #fail(name: Name, why: string): void {
    if (!this.#faults.has(name)) this.#faults.set(name, why);
  }
}

/** Whole lines, the few that matter: the search for them is the engine's own, and linear. */
const WANTED = /(?<![^\n])(?:# TYPE |http_requests_|dashboard_|scrapes_total\{)[^\n]*/g;

const WITH_DURATIONS =
  /(?<![^\n])(?:# TYPE |http_requests_|dashboard_|scrapes_total\{|http_request_duration_seconds_(?:bucket|count)\{)[^\n]*/g;

const MAY_BE_SHED = /^5(03|xx)$/i;

/** A status code, or only its class. */
const STATUS = /^(\d\d\d|[1-5]xx)$/i;

function counted(requests: number, errors: number): RequestCounts | Unread {
  if (!Number.isSafeInteger(requests)) return unread('the request counter is too large');
  if (errors > requests) return unread(`more errors (${errors}) than requests (${requests})`);
  return { known: true, requests, errors };
}

type Sample = { labels: string; value: string };

/** What follows a metric's name: `value` or `{labels} value`, a timestamp or exemplar left aside. */
function sampleOf(rest: string): Sample {
  if (!rest.startsWith('{')) return { labels: '', value: firstWord(rest) };
  const close = closingBrace(rest, 0);
  return { labels: rest.slice(1, close), value: firstWord(rest.slice(close + 1)) };
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
const unread = (why: string): Unread => ({ known: false, why });
