// A rehearsal with users' own questions: what the stable pods were asked of late is asked of the new release's pod and
// of a stable one, at the same time, before any user meets the release. The statistics of a trial decide. What was asked
// may hold what a person typed: only routes get out of here, never an address.
import { setTimeout as delay } from 'node:timers/promises';
import { jsonOf } from '../api/json.ts';
import type { VerdictEvidence } from '../api/rollout.ts';
import { isUsersRoute } from './metrics.ts';
import type { Answer, Ask } from './smoke.ts';
import type { Counts } from './statistics.ts';
import { judge, observe, type PodReading, type Policy, startTrial, type Trial, type Verdict } from './trial.ts';

export type RecentRequest = { readonly route: string; readonly url: string };

/** Both pods are asked the same; a status of 0 stands for no answer. */
export type Pair = { readonly route: string; readonly candidate: number; readonly stable: number };

export type ReplaySettings = {
  readonly maxRequests: number;
  readonly maxSeconds: number;
  /** `spec.rollout.analysis.maxServerErrorRatio` as a number. */
  readonly limit: number;
};

export type Replayed = {
  readonly verdict: 'Bad' | 'DependencyDegraded' | 'Passed';
  /** For people: figures and routes. */
  readonly message: string;
  readonly evidence: VerdictEvidence;
  /** Answers of another kind, as `GET /api/top-products 200 → 404`. */
  readonly differences: readonly string[];
};

export const RECENT_PATH = '/recent-requests';
/** A pod remembers up to 180; what is beyond is not read. */
const MOST_RECENT = 300;
const LONGEST_URL = 512;
/** At once, of each pod; and how often one begins: 40 a second. */
const LANES = 4;
const EVERY_MS = 25;
const TIMEOUT_MS = 5_000;
/** A difference is one if it comes again as often as this: what changes by chance or between two readings does not. */
const CONFIRMATIONS = 2;
const ROUTES_TOLD = 5;

// --- what is asked ---

/** What a pod says was asked of it; undefined where that is no such list. Never throws. */
export function parseRecent(text: string): readonly RecentRequest[] | undefined {
  const list = jsonOf(text);
  return Array.isArray(list) ? list.slice(0, MOST_RECENT).flatMap(recentOf) : undefined;
}

function recentOf(one: unknown): RecentRequest[] {
  const { route, url } = (typeof one === 'object' && one !== null ? one : {}) as { route?: unknown; url?: unknown };
  if (typeof route !== 'string' || typeof url !== 'string' || !mayAsk(url) || !isUsersRoute(route)) return [];
  return [{ route: routeName(route), url }];
}

/** An address of the pod's own, that means the same to whoever passes it on. */
function mayAsk(url: string): boolean {
  const [path = ''] = url.split('?', 1);
  const isPlain = url.length <= LONGEST_URL && /^\/(?!\/)[!-~]*$/.test(url) && !url.includes('#');
  return isPlain && !/\.\.|%2e|%2f|%5c|\\/i.test(path) && isUsersRoute(path);
}

const ROUTE = /^\/[\w.:*{}/-]{0,79}$/;

/** Whoever chooses the image chooses its routes: what does not look like one is not repeated. */
export const routeName = (route: string): string => (ROUTE.test(route) ? route : '(another route)');

/** So many of them, each route in its turn, and of each route its addresses in turn. */
export function inTurn(recent: readonly RecentRequest[], count: number): readonly RecentRequest[] {
  const byRoute = new Map<string, Map<string, RecentRequest>>();
  for (const one of recent) byRoute.set(one.route, (byRoute.get(one.route) ?? new Map()).set(one.url, one));
  const routes = [...byRoute.values()].map(urls => [...urls.values()]);
  if (routes.length === 0) return [];
  return Array.from({ length: count }, (_, i) => {
    const urls = routes[i % routes.length] ?? [];
    return urls[Math.floor(i / routes.length) % urls.length];
  }).filter(one => one !== undefined);
}

// --- what the answers prove ---

export type Replay = {
  readonly trial: Trial;
  readonly candidate: Counts;
  readonly stable: Counts;
  readonly routes: ReadonlyMap<string, Counts>;
  /** Some were not answered at all. */
  readonly isUnanswered: boolean;
};

const NOTHING: Counts = { requests: 0, errors: 0 };
/** Nothing is waited for: the caller ends it when there is nothing more to ask. */
const POLICY: Policy = {
  minimumSeconds: 0,
  minimumRequests: 0,
  timeoutSeconds: Number.MAX_SAFE_INTEGER,
  blindAfterSeconds: Number.MAX_SAFE_INTEGER,
};

const readingOf = (group: PodReading['group'], counts: Counts): PodReading => ({
  name: group,
  uid: group,
  group,
  restarts: 0,
  reading: { known: true, ...counts },
});

/** `at`: epoch milliseconds. */
export function startReplay(limit: number, at: number): Replay {
  const trial = startTrial({ startedAt: at, maxServerErrorRatio: limit });
  const pods = [readingOf('candidate', NOTHING), readingOf('baseline', NOTHING)];
  return {
    trial: observe(trial, { at, pods }),
    candidate: NOTHING,
    stable: NOTHING,
    routes: new Map(),
    isUnanswered: false,
  };
}

const isError = (status: number): boolean => status === 0 || status >= 500;
const plus = ({ requests, errors }: Counts, status: number): Counts => ({
  requests: requests + 1,
  errors: errors + (isError(status) ? 1 : 0),
});

export function addPair(replay: Replay, { route, candidate, stable }: Pair, at: number): Replay {
  const counts = { candidate: plus(replay.candidate, candidate), stable: plus(replay.stable, stable) };
  const pods = [readingOf('candidate', counts.candidate), readingOf('baseline', counts.stable)];
  return {
    ...counts,
    trial: observe(replay.trial, { at, pods }),
    routes: new Map(replay.routes).set(route, plus(replay.routes.get(route) ?? NOTHING, candidate)),
    isUnanswered: replay.isUnanswered || candidate === 0,
  };
}

export const verdictOf = ({ trial }: Replay): Verdict => judge(trial, POLICY, trial.lastAt).verdict;

/** The routes with the largest share of failures first; those that never failed are left out. */
export function worstRoutes(routes: ReadonlyMap<string, Counts>): VerdictEvidence['routes'] {
  return [...routes]
    .filter(([, { errors }]) => errors > 0)
    .map(([route, { requests, errors }]) => ({ route: routeName(route), requests, errors }))
    .sort((a, b) => b.errors / b.requests - a.errors / a.requests || b.errors - a.errors)
    .slice(0, ROUTES_TOLD);
}

const ofRoutes = (routes: VerdictEvidence['routes']): string =>
  routes.map(({ route, requests, errors }) => `GET ${route} ${errors} of ${requests}`).join(', ');

/** While the stable pod fails far above the limit, too, a fault of the release does not show. */
const areBothBad = ({ candidate, stable, trial }: Replay): boolean =>
  [candidate, stable].every(({ requests, errors }) => errors >= 4 && errors > 2 * trial.limit * requests);

/** Ended, with what was found until now. */
export function conclude(replay: Replay, differences: readonly string[]): Replayed {
  const { candidate, stable, trial } = replay;
  const { absolute, relative } = judge(trial, POLICY, trial.lastAt).evidence;
  const routes = worstRoutes(replay.routes);
  const evidence = { absolute, relative, candidate, baseline: stable, routes };
  const how = replay.isUnanswered ? 'answered 5xx or not at all' : 'answered 5xx';
  const counts = `${candidate.errors} of ${candidate.requests} replayed requests ${how}, the stable pod ${stable.errors} of ${stable.requests}`;
  const differ = differences.length === 0 ? '' : `; answers differ: ${differences.join(', ')}`;
  const verdict = verdictOf(replay);
  switch (verdict === 'Pending' && areBothBad(replay) ? 'DependencyDegraded' : verdict) {
    case 'Bad':
      return { verdict: 'Bad', message: `${counts}: ${ofRoutes(routes)}${differ}`, evidence, differences };
    case 'DependencyDegraded': {
      const message = `${counts}: as bad as each other, so the release is not to blame`;
      return { verdict: 'DependencyDegraded', message, evidence, differences };
    }
    default:
      return { verdict: 'Passed', message: `${counts}${differ}`, evidence, differences };
  }
}

// --- asking ---

export type Asked = { readonly candidate: Ask; readonly stable: Ask };

/** Asks until there is a verdict, or no more to ask, or the time is over. Never throws. */
export async function replay(
  recent: readonly RecentRequest[],
  { candidate, stable }: Asked,
  settings: ReplaySettings,
  signal: AbortSignal,
): Promise<Replayed> {
  const over = AbortSignal.any([signal, AbortSignal.timeout(settings.maxSeconds * 1_000)]);
  const waiting = [...inTurn(recent, settings.maxRequests)];
  const differing = new Map<string, string>();
  let seen = startReplay(settings.limit, Date.now());
  let nextAt = performance.now();
  let isDecided = false;

  /** Undefined when the time was over before both had answered. */
  const ask = async ({ route, url }: RecentRequest): Promise<Pair | undefined> => {
    const [ours, theirs] = await Promise.all([candidate, stable].map(one => statusOf(one, url, over)));
    return over.aborted ? undefined : { route, candidate: ours ?? 0, stable: theirs ?? 0 };
  };
  const confirm = async (one: RecentRequest, first: Pair): Promise<void> => {
    differing.set(one.route, '');
    for (let time = 0; time < CONFIRMATIONS; time += 1) {
      const again = await ask(one);
      if (again && kindOf(again) === kindOf(first)) continue;
      differing.delete(one.route);
      return;
    }
    differing.set(one.route, `GET ${one.route} ${first.stable} → ${first.candidate}`);
  };
  const lane = async (): Promise<void> => {
    for (let one = waiting.shift(); one && !isDecided; one = waiting.shift()) {
      const wait = nextAt - performance.now();
      nextAt = Math.max(nextAt, performance.now()) + EVERY_MS;
      if (wait > 0) await delay(wait, undefined, { signal: over }).catch(() => {});
      const pair = over.aborted ? undefined : await ask(one);
      if (!pair) return;
      seen = addPair(seen, pair, Date.now());
      isDecided = ['Bad', 'Good'].includes(verdictOf(seen));
      if (isDifferent(pair) && differing.size < ROUTES_TOLD && !differing.has(pair.route)) await confirm(one, pair);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return conclude(
    seen,
    [...differing.values()].filter(words => words !== ''),
  );
}

const kindOf = ({ candidate, stable }: Pair): string => `${Math.floor(stable / 100)} ${Math.floor(candidate / 100)}`;

/** Both answer, each in another way. What fails on either is counted, and asked no second time: that would be a choice. */
const isDifferent = ({ candidate, stable }: Pair): boolean =>
  ![stable, candidate].some(isError) && Math.floor(stable / 100) !== Math.floor(candidate / 100);

async function statusOf(ask: Ask, url: string, signal: AbortSignal): Promise<Answer['status']> {
  try {
    return (await ask({ path: url, timeoutMs: TIMEOUT_MS, signal, statusOnly: true })).status;
  } catch {
    return 0;
  }
}
