// What a Prometheus has read of the pods' own counters, for where the operator cannot read them itself.
//
// Every sample has the time at which its pod was read, and pods are read one after the other, seconds apart. So nothing
// is known of a moment: a window is compared with what of the stable pods was surely within it (their successes) and
// with all that may have been within it (their errors). Whatever happened between two samples, a release never looks
// worse by it than it was; it takes longer to find a bad one.
import { type RequestCounts, userRequests } from './metrics.ts';
import type { Group, PodReading, Scrape } from './trial.ts';

/** One reading of one pod. `at`: epoch milliseconds, by Prometheus' clock. */
export interface Sample {
  readonly at: number;
  readonly requests: number;
  readonly errors: number;
  readonly shed?: number;
  readonly inFlight?: number;
}

/** By pods' names; of a pod that is not in either nothing is known to it. */
export interface Told {
  readonly samples: ReadonlyMap<string, readonly Sample[]>;
  readonly whys: ReadonlyMap<string, string>;
}
export type Answered = ({ readonly known: true } & Told) | { readonly known: false; readonly why: string };

const SERIES = [
  'http_requests_total',
  'dashboard_requests_total',
  'dashboard_errors_total',
  'http_requests_in_flight',
  'http_requests_shed_total',
] as const;

/** Names of pods and namespaces hold nothing else than letters, digits, `-` and `.`. */
const quoted = (name: string): string => name.replace(/[^a-z0-9-]/g, char => (char === '.' ? '\\\\.' : ''));

/** A range of raw samples: rates and sums of Prometheus' own would lose whose they are, and when they were read. */
export const queryOf = (namespace: string, pods: readonly string[], seconds: number): string =>
  `{__name__=~"${SERIES.join('|')}",namespace="${quoted(namespace)}",pod=~"${pods.map(quoted).join('|')}"}[${seconds}s]`;

type Labels = Readonly<Record<string, string>>;
interface Series {
  readonly labels: Labels;
  readonly values: readonly (readonly [number, string])[];
}

/** Never throws, and passes on no word of the answer. */
export function parseAnswer(text: string): Answered {
  const series = seriesOf(text);
  if (typeof series === 'string') return { known: false, why: series };
  const byPod = Map.groupBy(series, ({ labels }) => labels['pod'] ?? '');
  const samples = new Map<string, readonly Sample[]>();
  const whys = new Map<string, string>();
  for (const [pod, ofPod] of byPod) {
    const found = samplesOf(ofPod);
    if (typeof found === 'string') whys.set(pod, found);
    else samples.set(pod, found);
  }
  return { known: true, samples, whys };
}

const NO_ANSWER = 'its answer is none of a Prometheus';

function seriesOf(text: string): readonly Series[] | string {
  try {
    const { status, warnings, data } = JSON.parse(text) as {
      status?: unknown;
      warnings?: unknown;
      data?: { resultType?: unknown; result?: unknown };
    };
    if (status !== 'success' || data?.resultType !== 'matrix' || !Array.isArray(data.result)) return NO_ANSWER;
    // Thanos and Mimir say so where a store did not answer
    if (Array.isArray(warnings) && warnings.length > 0) return 'it could answer only in part';
    return (data.result as { metric: Labels; values: [number, string][] }[]).map(({ metric, values }) => {
      const isRead = values.every(([at, value]) => Number.isFinite(at) && typeof value === 'string');
      if (!isRead || Object.values(metric).some(label => typeof label !== 'string')) throw new Error(NO_ANSWER);
      return { labels: metric, values };
    });
  } catch {
    return NO_ANSWER;
  }
}

/** What one scrape has read has one time. So series that share one are of the same scraper, whatever its labels are. */
function samplesOf(series: readonly Series[]): readonly Sample[] | string {
  let scrapers: { times: Set<number>; series: Series[] }[] = [];
  for (const one of series) {
    const isSame = ({ times }: { times: Set<number> }) => one.values.some(([at]) => times.has(at));
    const same = scrapers.filter(isSame);
    const times = new Set([...same.flatMap(scraper => [...scraper.times]), ...one.values.map(([at]) => at)]);
    const merged = { times, series: [...same.flatMap(scraper => scraper.series), one] };
    scrapers = [...scrapers.filter(scraper => !same.includes(scraper)), merged];
  }
  // one of them: another one's clock may differ, and counters would seem to go back
  const [most] = scrapers.toSorted((a, b) => b.times.size - a.times.size || newest(b.times) - newest(a.times));
  if (!most) return 'it has no sample of it';
  const read = [...most.times].toSorted((a, b) => a - b).map(at => sampleAt(most.series, at));
  const good = read.filter(sample => typeof sample !== 'string');
  return good.length > 0 ? good : (read.findLast(sample => typeof sample === 'string') ?? NO_ANSWER);
}

const newest = (times: ReadonlySet<number>): number => Math.max(...times);

function sampleAt(series: readonly Series[], at: number): Sample | string {
  const seen = new Set<string>();
  const lines: string[] = [];
  for (const { labels, values } of series) {
    const value = values.find(([time]) => time === at)?.[1];
    if (value === undefined) continue;
    const own = ['__name__', 'route', 'status', 'method', 'reason'].map(name => labels[name] ?? '').join('\n');
    const isNothing = Number(value) === 0;
    if (seen.has(`${own}\n${value}`) && !isNothing) return 'it has the same counter twice at the same moment';
    seen.add(`${own}\n${value}`);
    if (labels['__name__'] === 'http_requests_total' && labels['route'] === undefined)
      return 'its http_requests_total has no label route: it was taken away on the way';
    lines.push(lineOf(labels, value));
  }
  const counts: RequestCounts | { known: false; why: string } = userRequests(`${lines.join('\n')}\n`);
  if (!counts.known) return counts.why;
  const { known: _, ...figures } = counts;
  return { at: Math.round(at * 1000), ...figures };
}

function lineOf({ __name__: name = '', ...labels }: Labels, value: string): string {
  if (name.startsWith('dashboard_')) return `${name} ${value}`;
  const kept = ['route', 'status'].flatMap(label => {
    const text = labels[label];
    return text === undefined ? [] : [`${label}="${text.replace(/["\\\n]/g, '_')}"`];
  });
  return `${name}{${kept.join(',')}} ${value}`;
}

// --- from samples to what can be compared ---

export interface Watched {
  readonly name: string;
  readonly uid: string;
  readonly group: Group;
  readonly restarts: number;
  readonly readySince?: number | false;
}

interface Known {
  readonly samples: readonly Sample[];
  readonly firstRestarts: number;
  /** How often its counters began anew. */
  readonly resets: number;
  /** Why its newest sample is not believed. */
  readonly why?: string;
}

/** What was gathered until now. `until`: the end of the last window. */
export interface Gathered {
  readonly pods: ReadonlyMap<string, Known>;
  readonly until?: number;
}

export const NOTHING_GATHERED: Gathered = { pods: new Map() };

/** Adds an answer. */
export function gather({ pods, ...rest }: Gathered, told: Told, targets: readonly Watched[]): Gathered {
  const all = targets.map(target => {
    const known = pods.get(target.uid) ?? { samples: [], firstRestarts: target.restarts, resets: 0 };
    return [target.uid, (told.samples.get(target.name) ?? []).reduce((seen, one) => further(seen, one, target), known)];
  });
  return { ...rest, pods: new Map(all as [string, Known][]) };
}

/** Counters go back only with a container that began anew; else another one answered, or a clock is wrong. */
function further(known: Known, sample: Sample, { restarts }: Watched): Known {
  const last = known.samples.at(-1);
  if (last && sample.at <= last.at) return known;
  const { why: _, ...rest } = known;
  if (!last || !wentBack(last, sample)) return { ...rest, samples: [...known.samples, sample] };
  if (known.resets >= restarts - known.firstRestarts)
    return { ...known, why: 'its counters went back, and no container of the pod began anew' };
  return { ...rest, samples: [...known.samples, sample], resets: known.resets + 1 };
}

const wentBack = (before: Sample, now: Sample): boolean => now.requests < before.requests || now.errors < before.errors;

/** Milliseconds between two samples of a pod, of the pod that is read most seldom; undefined before it is known. */
export function spacingOf({ pods }: Gathered): number | undefined {
  const gaps = [...pods.values()].flatMap(({ samples }) => {
    const between = samples.slice(1).map(({ at }, index) => at - (samples[index]?.at ?? at));
    return between.toSorted((a, b) => a - b)[Math.floor(between.length / 2)] ?? [];
  });
  return gaps.length === 0 ? undefined : Math.max(...gaps);
}

/** When a candidate pod was read last. */
export const candidateReadAt = ({ pods }: Gathered, targets: readonly Watched[]): number | undefined =>
  targets
    .filter(({ group }) => group === 'candidate')
    .map(({ uid }) => pods.get(uid)?.samples.at(-1)?.at)
    .reduce<number | undefined>((last, at) => (at === undefined ? last : Math.max(last ?? 0, at)), undefined);

export const whyNot = ({ pods }: Gathered, { samples, whys }: Told, targets: readonly Watched[]): string => {
  const [first] = targets.filter(({ group }) => group === 'candidate');
  if (!first) return 'there is no pod';
  const why = whys.get(first.name) ?? pods.get(first.uid)?.why;
  if (why !== undefined) return `${first.name}: ${why}`;
  const isKnown = samples.has(first.name);
  return `${first.name}: it has ${isKnown ? 'nothing new' : 'no http_requests_total'} of it, by its labels namespace and pod`;
};

/** A window holds two whole intervals of each pod: so one is surely inside, wherever they begin. */
const INTERVALS = 2;
/** A pod of which nothing came for so many is waited for no longer. */
const LOST = 3;

/**
 * The next scrape that can be made of it, and what is left; undefined while samples are waited for.
 * In it the counters are as they were; `beside` is what may be compared.
 */
export function nextScrape(
  gathered: Gathered,
  targets: readonly Watched[],
): { readonly scrape: Scrape; readonly gathered: Gathered } | undefined {
  const spacing = spacingOf(gathered);
  const read = targets.flatMap(target => {
    const { samples = [] } = gathered.pods.get(target.uid) ?? {};
    return samples.length > 0 ? [{ target, samples }] : [];
  });
  const candidates = read.filter(({ target }) => target.group === 'candidate');
  const { until: from } = gathered;
  const at = spacing && windowEnd(candidates, from, spacing);
  if (spacing === undefined || at === undefined) return undefined;
  const newestOfAll = Math.max(...read.map(({ samples }) => samples.at(-1)?.at ?? 0));
  const others = read.filter(({ target }) => target.group === 'baseline');
  const isWaitedFor = ({ samples }: ReadPod) => !samples.some(one => one.at >= at);
  if (others.some(isWaitedFor) && newestOfAll < at + LOST * spacing) return undefined;
  const spans = candidates.flatMap(pod => spanOf(pod, from ?? at, at));
  const pods = read.flatMap(pod => readingOf(pod, at, spans, isWaitedFor(pod)));
  const oldest = at - 2 * LOST * spacing;
  const left = new Map(
    [...gathered.pods].map(([uid, known]) => [uid, { ...known, samples: since(known.samples, oldest) }]),
  );
  return { scrape: { at, pods }, gathered: { ...gathered, pods: left, until: at } };
}

interface ReadPod {
  readonly target: Watched;
  readonly samples: readonly Sample[];
}

function windowEnd(candidates: readonly ReadPod[], from: number | undefined, spacing: number): number | undefined {
  const times = candidates.flatMap(({ samples }) => samples.map(({ at }) => at)).toSorted((a, b) => a - b);
  if (from === undefined) return times[0];
  // samples of several pods end at different moments: their windows share less
  const intervals = INTERVALS + (candidates.length > 1 ? 1 : 0);
  return times.find(at => at - from >= 0.95 * intervals * spacing);
}

interface Span {
  readonly from: number;
  readonly to: number;
}

/** From when until when a candidate's counters tell of this window: its own last samples before either end. */
function spanOf({ samples }: ReadPod, from: number, at: number): readonly Span[] {
  const before = (time: number) => samples.findLast(sample => sample.at <= time)?.at;
  const [begin, to] = [before(from), before(at)];
  return begin === undefined || to === undefined ? [] : [{ from: begin, to }];
}

function readingOf({ target, samples }: ReadPod, at: number, spans: readonly Span[], isLost: boolean): PodReading[] {
  const last = samples.findLast(sample => sample.at <= at);
  if (!last || isLost) return [];
  const { at: _, ...counts } = last;
  const isBaseline = target.group === 'baseline';
  const beside = isBaseline && { beside: besideOf(samples, spans) };
  const { name, uid, group, restarts, readySince } = target;
  const ready = readySince !== undefined && { readySince };
  return [{ name, uid, group, restarts, ...ready, reading: { known: true, ...counts, ...beside } }];
}

/** Of the stable pod: what surely succeeded while every candidate was counted, and what may have failed while any was. */
export function besideOf(samples: readonly Sample[], spans: readonly Span[]): { requests: number; errors: number } {
  const any = { from: Math.min(...spans.map(({ from }) => from)), to: Math.max(...spans.map(({ to }) => to)) };
  const every = { from: Math.max(...spans.map(({ from }) => from)), to: Math.min(...spans.map(({ to }) => to)) };
  const [first] = samples;
  if (spans.length === 0 || !first || first.at > any.from) return { requests: 0, errors: 0 };
  let [succeeded, failed] = [0, 0];
  for (const [index, now] of samples.entries()) {
    const before = samples[index - 1];
    if (!before) continue;
    const added = wentBack(before, now) ? now : less(now, before);
    if (now.at > any.from && before.at < any.to) failed += Math.max(0, added.errors - (added.shed ?? 0));
    if (before.at >= every.from && now.at <= every.to) succeeded += Math.max(0, added.requests - added.errors);
  }
  return { requests: succeeded + failed, errors: failed };
}

const less = (now: Sample, before: Sample): Sample => ({
  at: now.at,
  requests: now.requests - before.requests,
  errors: now.errors - before.errors,
  shed: Math.max(0, (now.shed ?? 0) - (before.shed ?? 0)),
});

/** What is not older than that, and the one before. */
const since = (samples: readonly Sample[], oldest: number): readonly Sample[] =>
  samples.slice(
    Math.max(
      0,
      samples.findLastIndex(({ at }) => at <= oldest),
    ),
  );
