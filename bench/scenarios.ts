import type { Outcome, Scenario } from './simulation.ts';

/**
 * What the analysis promises, as releases to try it on. Unless a row says otherwise: 20 requests/s, arriving at random,
 * each to a random one of 3 stable pods and 1 candidate pod, stable ones failing 0.1 %, a scrape every 250 ms.
 */
export type Row = Scenario & {
  readonly group: Group;
  /** Seconds at which the fault begins; times are counted from here. */
  readonly faultAt?: number;
  readonly target?: Target;
  /** For rows that take long: fewer releases than of the others. The name says so. */
  readonly atMostRuns?: number;
};

export type Group =
  | 'Bad releases are found'
  | 'Releases just above their limit'
  | 'Good releases pass'
  | 'A release at or above its limit does not pass'
  | 'A release at or below its limit is not rolled back'
  | 'A release that turns bad later is found'
  | 'A shared outage is not blamed on the release'
  | 'In and after an outage the trial goes on'
  | 'Known limits'
  | 'Overload that is the release’s fault is found'
  | 'Overload that is nobody’s fault is not blamed';

export type Target = {
  readonly medianRequests?: number;
  readonly p95Requests?: number;
  readonly medianSeconds?: number;
  readonly medianHarmed?: number;
  readonly p95Harmed?: number;
  /** Shares of the runs, 0 to 1. */
  readonly bad?: { readonly atMost?: number; readonly atLeast?: number };
  readonly good?: { readonly atMost?: number; readonly atLeast?: number };
};

const found = (medianRequests: number, p95Requests: number): Target => ({
  medianRequests: 1.2 * medianRequests,
  p95Requests: 1.2 * p95Requests,
  bad: { atLeast: 1 },
});
const NEVER: Target = { bad: { atMost: 0.001 } };
const SELDOM: Target = { bad: { atMost: 0.01 } };
const NOT_BLAMED: Target = { bad: { atMost: 0.002 } };
const ALL_GOOD: Target = { good: { atLeast: 0.998 }, bad: { atMost: 0.002 } };

const inTurn = { traffic: 'round robin' } as const;

const FOUND: readonly Omit<Row, 'group'>[] = [
  { name: 'limit 5 %, 100 % fail, requests in turn', limit: 0.05, candidate: 1, ...inTurn, target: found(6, 6) },
  {
    name: 'limit 5 %, 50 % fail, requests in turn',
    limit: 0.05,
    candidate: 0.5,
    ...inTurn,
    target: found(12, 22),
  },
  {
    name: 'limit 5 %, 20 % fail, requests in turn',
    limit: 0.05,
    candidate: 0.2,
    ...inTurn,
    target: found(56, 136),
  },
  {
    name: 'limit 5 %, 10 % fail, requests in turn',
    limit: 0.05,
    candidate: 0.1,
    ...inTurn,
    target: found(379, 881),
  },
  { name: 'limit 1 %, 50 % fail, requests in turn', limit: 0.01, candidate: 0.5, ...inTurn, target: found(12, 19) },
  { name: 'limit 1 %, 10 % fail, requests in turn', limit: 0.01, candidate: 0.1, ...inTurn, target: found(60, 137) },
  {
    name: 'limit 5 %, 100 % fail',
    limit: 0.05,
    candidate: 1,
    target: { bad: { atLeast: 1 }, medianSeconds: 2 },
  },
  {
    name: 'limit 5 %, 50 % fail',
    limit: 0.05,
    candidate: 0.5,
    target: { ...found(12, 22), medianSeconds: 3, medianHarmed: 10, p95Harmed: 20 },
  },
  { name: 'limit 5 %, 20 % fail', limit: 0.05, candidate: 0.2, target: { bad: { atLeast: 1 } } },
  {
    name: 'limit 1 %, 50 % fail',
    limit: 0.01,
    candidate: 0.5,
    target: { ...found(12, 19), medianSeconds: 3 },
  },
  { name: 'limit 5 %, 50 % fail, failures in bursts', limit: 0.05, candidate: 0.5, traffic: 'bursty' },
  { name: 'limit 5 %, 50 % fail, 4 requests/s', limit: 0.05, candidate: 0.5, requestsPerSecond: 4 },
  { name: 'limit 5 %, 50 % fail, 100 requests/s', limit: 0.05, candidate: 0.5, requestsPerSecond: 100 },
  { name: 'limit 5 %, 50 % fail, a scrape every 500 ms', limit: 0.05, candidate: 0.5, intervalMs: 500 },
  { name: 'limit 5 %, 50 % fail, a scrape every 1 s', limit: 0.05, candidate: 0.5, intervalMs: 1000 },
  { name: 'limit 5 %, 50 % fail, 1 stable pod', limit: 0.05, candidate: 0.5, baselinePods: 1 },
  { name: 'limit 5 %, 50 % fail, stable pods 5 %', limit: 0.05, candidate: 0.5, baseline: 0.05 },
  { name: 'limit 5 %, 50 % fail, 1 reading in 5 lost', limit: 0.05, candidate: 0.5, readingsLost: 0.2 },
  { name: 'limit 5 %, 50 % fail, a counter resets every 5 s', limit: 0.05, candidate: 0.5, countersResetEvery: 5 },
  { name: 'limit 5 %, 50 % fail, operator away from 1 s to 4 s', limit: 0.05, candidate: 0.5, operatorRestartsAt: 1 },
  {
    name: 'limit 5 %, 50 % fail, no requests to the stable pods',
    limit: 0.05,
    candidate: 0.5,
    baselinePods: 0,
    requestsPerSecond: 5,
    target: { bad: { atLeast: 1 } },
  },
  {
    name: 'limit 5 %, 50 % fail, the stable pods’ metrics take 0.9 s',
    limit: 0.05,
    candidate: 0.5,
    baselineMetricsSeconds: 0.9,
    target: { bad: { atLeast: 1 } },
  },
  {
    name: 'limit 5 %, 100 % fail, the stable pods’ metrics cannot be read',
    limit: 0.05,
    candidate: 1,
    baselineMetricsSeconds: Number.POSITIVE_INFINITY,
    target: { bad: { atLeast: 1 }, medianSeconds: 12 },
  },
  {
    name: 'limit 5 %, 50 % fail, where stable pods fail alone for 1 s every 30 s',
    limit: 0.05,
    candidate: 0.5,
    momentEvery: 30,
    before: 0.034,
    target: { bad: { atLeast: 1 } },
  },
  {
    name: 'limit 5 %, 50 % fail, and 1 of 25 clients always fails and keeps its connection to the candidate',
    limit: 0.05,
    candidate: 0.5,
    baseline: 0,
    clients: 25,
    before: 0.04,
    target: { bad: { atLeast: 0.99 } },
  },
];

const hour = { untilRequests: 1e9, pastGood: true, atMostRuns: 2_000 } as const;
const NEAR: readonly Omit<Row, 'group'>[] = [
  {
    name: 'canary of 10 min, limit 5 %, 7 % fail (2,000 releases)',
    limit: 0.05,
    candidate: 0.07,
    ...hour,
    untilSeconds: 600,
    target: { bad: { atLeast: 0.5 } },
  },
  {
    name: 'canary of 30 min, limit 5 %, 7 % fail (2,000 releases)',
    limit: 0.05,
    candidate: 0.07,
    ...hour,
    untilSeconds: 1800,
    target: { bad: { atLeast: 0.95 } },
  },
  {
    name: 'bake of 30 min, limit 5 %, 7 % fail (1,000 releases)',
    mode: 'bake',
    candidatePods: 3,
    limit: 0.05,
    candidate: 0.07,
    ...hour,
    untilSeconds: 1800,
    atMostRuns: 1_000,
    target: { bad: { atLeast: 0.99 } },
  },
  {
    name: 'bake of 30 min, limit 5 %, 6.5 % fail, 100 requests/s (200 releases)',
    mode: 'bake',
    candidatePods: 3,
    limit: 0.05,
    candidate: 0.065,
    requestsPerSecond: 100,
    ...hour,
    untilSeconds: 1800,
    atMostRuns: 200,
    target: { bad: { atLeast: 0.95 } },
  },
  {
    name: 'bake of 30 min, limit 5 %, 6 % fail, 100 requests/s (200 releases)',
    mode: 'bake',
    candidatePods: 3,
    limit: 0.05,
    candidate: 0.06,
    requestsPerSecond: 100,
    ...hour,
    untilSeconds: 1800,
    atMostRuns: 200,
  },
];

const GOOD: readonly Omit<Row, 'group'>[] = [
  {
    name: 'limit 5 %, 0.1 % fail',
    limit: 0.05,
    candidate: 0.001,
    target: { medianRequests: 1.2 * 112, p95Requests: 1.2 * 152, good: { atLeast: 0.999 } },
  },
  {
    name: 'limit 5 %, 0.1 % fail, at least 30 s and 50 requests',
    limit: 0.05,
    candidate: 0.001,
    policy: { minimumSeconds: 30, minimumRequests: 50, timeoutSeconds: 600 },
    target: { good: { atLeast: 0.999 } },
  },
  {
    name: 'limit 5 %, 1 % fail',
    limit: 0.05,
    candidate: 0.01,
    target: { good: { atLeast: 0.999 } },
  },
  {
    name: 'limit 5 %, 2 % fail',
    limit: 0.05,
    candidate: 0.02,
    target: { good: { atLeast: 0.998 } },
  },
  {
    name: 'limit 5 %, 3 % fail',
    limit: 0.05,
    candidate: 0.03,
    target: { good: { atLeast: 0.95 } },
  },
];

/** One in a hundred, and what chance adds to so many runs. */
const NOT_PASSED: Target = { good: { atMost: 0.0125 } };
const TOO_BAD: readonly Omit<Row, 'group'>[] = [
  { name: 'limit 5 %, 10 % fail: never Good', limit: 0.05, candidate: 0.1, target: NOT_PASSED },
  {
    name: 'limit 5 %, 5 % fail, 3,000 requests',
    limit: 0.05,
    candidate: 0.05,
    untilRequests: 3000,
    target: NOT_PASSED,
  },
  {
    name: 'limit 5 %, 5 % fail, held for 24 h, 86,000 requests (50 releases)',
    limit: 0.05,
    candidate: 0.05,
    requestsPerSecond: 4,
    intervalMs: 2000,
    untilRequests: 1e9,
    untilSeconds: 86_400,
    atMostRuns: 50,
    target: { good: { atMost: 0.02 } },
  },
  {
    name: 'limit 5 %, 5 % hang 10 s, then fail, 3,000 requests',
    limit: 0.05,
    candidate: 0.05,
    failureSeconds: 10,
    untilRequests: 3000,
    target: { good: { atMost: 0.02 } },
  },
];

const atLimit = { limit: 0.05, candidate: 0.05, pastGood: true, untilRequests: 1000, target: NEVER } as const;
const INNOCENT: readonly Omit<Row, 'group'>[] = [
  { name: 'limit 5 %, 5 % fail, requests in turn, 1,000 requests', ...atLimit, ...inTurn },
  { name: 'limit 5 %, 5 % fail, 1,000 requests', ...atLimit },
  { name: 'limit 5 %, 4 % fail, 1,000 requests', ...atLimit, candidate: 0.04 },
  { name: 'limit 1 %, 1 % fail, 1,000 requests', ...atLimit, limit: 0.01, candidate: 0.01 },
  { name: 'limit 5 %, 5 % fail in bursts, 1,000 requests', ...atLimit, traffic: 'bursty' },
  { name: 'limit 5 %, 3 % fail in bursts, 1,000 requests', ...atLimit, candidate: 0.03, traffic: 'bursty' },
  {
    name: 'limit 5 %, slow start: traffic grows for 15 s, 5 % fail for 10 s, then 0.5 %',
    ...atLimit,
    traffic: 'slow start',
    candidate: s => (s < 10 ? 0.05 : 0.005),
  },
  { name: 'limit 5 %, 5 % fail, counters reset', ...atLimit, countersResetEvery: 5 },
  { name: 'limit 5 %, 5 % fail, 1 reading in 5 lost', ...atLimit, readingsLost: 0.2 },
  { name: 'limit 5 %, 5 % fail, operator away from 20 s to 23 s', ...atLimit, operatorRestartsAt: 20 },
  {
    name: 'limit 5 %, 5 % fail at once, what succeeds takes 10 s, 1,000 requests',
    ...atLimit,
    successSeconds: 10,
    baseline: 0.05,
    target: SELDOM,
  },
  {
    name: '1 of 25 clients always fails and keeps its connection to the candidate, 1,000 requests',
    ...atLimit,
    candidate: 0,
    baseline: 0,
    clients: 25,
    before: 0.04,
    target: SELDOM,
  },
  {
    name: 'each pod fails alone for 1 s every 30 s, 1,000 requests',
    ...atLimit,
    candidate: 0.001,
    momentEvery: 30,
    before: 0.034,
    target: SELDOM,
  },
  {
    name: 'bake of 30 min, each pod fails alone for 1 s every 30 s, 36,000 requests (1,000 releases)',
    mode: 'bake',
    candidatePods: 3,
    limit: 0.05,
    candidate: 0.001,
    momentEvery: 30,
    stableErrorRatio: 0.034,
    pastGood: true,
    untilRequests: 1e9,
    untilSeconds: 1800,
    atMostRuns: 1_000,
    target: SELDOM,
  },
  {
    name: 'bake of 30 min, limit 5 %, 0.1 % fail, 36,000 requests',
    mode: 'bake',
    candidatePods: 3,
    limit: 0.05,
    candidate: 0.001,
    pastGood: true,
    untilRequests: 1e9,
    untilSeconds: 1800,
    intervalMs: 500,
    target: NEVER,
  },
  {
    name: 'bake of 30 min, limit 5 %, 5 % fail, 36,000 requests',
    mode: 'bake',
    candidatePods: 3,
    limit: 0.05,
    candidate: 0.05,
    pastGood: true,
    untilRequests: 1e9,
    untilSeconds: 1800,
    intervalMs: 500,
    target: NEVER,
  },
];

const turnsBad = (seconds: number, ratio: number) => (s: number) => (s < seconds ? 0.001 : ratio);
const LATE: readonly Omit<Row, 'group'>[] = [
  {
    name: 'canary, 50 % fail after 20 s',
    limit: 0.05,
    candidate: turnsBad(20, 0.5),
    faultAt: 20,
    pastGood: true,
    target: { bad: { atLeast: 1 }, medianSeconds: 5 },
  },
  {
    name: 'bake, 50 % fail after 2 min',
    mode: 'bake',
    candidatePods: 3,
    limit: 0.05,
    candidate: turnsBad(120, 0.5),
    faultAt: 120,
    pastGood: true,
    target: { bad: { atLeast: 1 }, medianSeconds: 3 },
  },
  {
    name: 'bake, 50 % fail after 25 min (30,000 good requests)',
    mode: 'bake',
    candidatePods: 3,
    limit: 0.05,
    candidate: turnsBad(1500, 0.5),
    faultAt: 1500,
    pastGood: true,
    untilRequests: 1e9,
    intervalMs: 500,
    target: { bad: { atLeast: 0.999 }, medianSeconds: 3 },
  },
  {
    name: 'bake, 50 % fail after 2 min, a scrape every 500 ms',
    mode: 'bake',
    candidatePods: 3,
    limit: 0.05,
    candidate: turnsBad(120, 0.5),
    faultAt: 120,
    pastGood: true,
    intervalMs: 500,
    target: { bad: { atLeast: 1 }, medianSeconds: 3 },
  },
  {
    name: 'bake, 20 % fail after 2 min',
    mode: 'bake',
    candidatePods: 3,
    limit: 0.05,
    candidate: turnsBad(120, 0.2),
    faultAt: 120,
    pastGood: true,
    target: { bad: { atLeast: 1 } },
  },
];

const outage = (name: string, details: object, rest: Partial<Scenario> = {}): Omit<Row, 'group'> => ({
  name,
  limit: 0.05,
  candidate: 0.001,
  pastGood: true,
  untilSeconds: 55,
  outage: { from: 10, to: 40, ...details },
  target: NOT_BLAMED,
  ...rest,
});
const bakeOutage = (name: string, details: object): Omit<Row, 'group'> =>
  outage(
    name,
    { from: 20, to: 50, readyNoticesAfter: 2, ...details },
    { mode: 'bake', candidatePods: 3, untilSeconds: 100 },
  );

const OUTAGES: readonly Omit<Row, 'group'>[] = [
  outage('every request fails at once', {}),
  outage('half of the requests fail at once', { share: 0.5 }),
  outage('a fifth of the requests fails at once', { share: 0.2 }),
  outage('requests hang 2 s, then fail', { hangSeconds: 2 }),
  outage('half of the requests hang 2 s, then fail', { hangSeconds: 2, share: 0.5 }),
  outage('hang 2 s on stable pods, 1 s on the candidate', { hangSeconds: 2, candidateHangSeconds: 1 }),
  outage('hang, each pod fails in bursts every 2 s, up to 1 s apart', { hangSeconds: 2, burstSpreadSeconds: 1 }),
  outage('half hang, each pod fails in bursts every 2 s, up to 0.5 s apart', {
    hangSeconds: 2,
    burstSpreadSeconds: 0.5,
    share: 0.5,
  }),
  outage('half hang, each pod fails in bursts every 2 s, up to 2 s apart', {
    hangSeconds: 2,
    burstSpreadSeconds: 2,
    share: 0.5,
  }),
  outage('bursty traffic, every request fails', {}, { traffic: 'bursty' }),
  outage('bursty traffic, requests hang 2 s', { hangSeconds: 2 }, { traffic: 'bursty' }),
  outage('from the first request on', { from: 0 }),
  outage('half fail, operator away from 20 s to 23 s', { share: 0.5 }, { operatorRestartsAt: 20 }),
  outage('requests hang 2 s, operator away from 20 s to 23 s', { hangSeconds: 2 }, { operatorRestartsAt: 20 }),
  outage('half fail, 1 reading in 5 lost', { share: 0.5 }, { readingsLost: 0.2 }),
  outage('half fail, counters reset', { share: 0.5 }, { countersResetEvery: 5 }),
  outage('half fail, a stable pod vanishes at 15 s', { share: 0.5 }, { baselinePodVanishesAt: 15 }),
  outage('half fail, HPA adds a pod of each at 15 s', { share: 0.5 }, { podsAddedAt: 15 }),
  outage('half fail, 1 stable pod', { share: 0.5 }, { baselinePods: 1 }),
  outage('every request fails for 1 s', { to: 11 }),
  outage('requests hang 2 s, for 3 s', { hangSeconds: 2, to: 13 }),
  outage('every request fails at once, stable pods’ metrics take 0.9 s', {}, { baselineMetricsSeconds: 0.9 }),
  outage('half fail, stable pods’ metrics take 0.9 s', { share: 0.5 }, { baselineMetricsSeconds: 0.9 }),
  outage('half fail for 5 min', { share: 0.5, to: 310 }, { untilSeconds: 320 }),
  bakeOutage('bake, every request fails at once, /ready tells after 2 s', {}),
  bakeOutage('bake, requests hang 2 s, /ready tells after 2 s', { hangSeconds: 2 }),
  bakeOutage('bake, half fail, /ready tells after 2 s', { share: 0.5 }),
];

const afterOutage = {
  limit: 0.05,
  untilSeconds: 600,
  outage: { from: 10, to: 40, hangSeconds: 2 },
  faultAt: 42,
} as const;
/** A bad release, and everybody in trouble as it joins. */
const badAndTroubled = (
  trouble: string,
  outage: { readonly to: number; readonly share: number },
  medianSeconds: number,
): Omit<Row, 'group'> => ({
  name: `50 % fail, and ${trouble} (40 requests/s)`,
  limit: 0.05,
  candidate: 0.5,
  requestsPerSecond: 40,
  outage: { from: 0, ...outage },
  pastGood: true,
  untilSeconds: 120,
  target: { bad: { atLeast: 1 }, medianSeconds },
});
const AFTER: readonly Omit<Row, 'group'>[] = [
  { name: 'the release is good', ...afterOutage, candidate: 0.001, target: ALL_GOOD },
  {
    name: 'the release is good, operator away from 20 s to 23 s',
    ...afterOutage,
    candidate: 0.001,
    operatorRestartsAt: 20,
    target: ALL_GOOD,
  },
  {
    name: 'the release is good, operator away from 45 s to 48 s',
    ...afterOutage,
    candidate: 0.001,
    operatorRestartsAt: 45,
    target: ALL_GOOD,
  },
  {
    name: '50 % fail on the candidate in an outage of 20 % that does not end',
    limit: 0.05,
    candidate: 0.5,
    outage: { from: -1, to: 1e9, share: 0.2 },
    pastGood: true,
    untilSeconds: 600,
    target: { bad: { atLeast: 0.99 } },
  },
  badAndTroubled('half of all requests in its first second', { to: 1, share: 0.5 }, 6.5),
  badAndTroubled('a fifth of all requests in its first 3 s', { to: 3, share: 0.2 }, 8),
  {
    name: '50 % fail from 60 s on',
    ...afterOutage,
    candidate: turnsBad(60, 0.5),
    faultAt: 60,
    pastGood: true,
    target: { bad: { atLeast: 1 } },
  },
];

const LIMITS: readonly Omit<Row, 'group'>[] = [
  {
    ...outage('half hang, 2 s on stable pods, only 1 s on the candidate', {
      hangSeconds: 2,
      candidateHangSeconds: 1,
      share: 0.5,
    }),
    target: {},
  },
  {
    ...bakeOutage('bake, an outage of 1.5 s that /ready never names', {
      hangSeconds: 2,
      to: 21.5,
      readyNoticesAfter: 9,
    }),
    target: {},
  },
  {
    name: 'warm-up: 15 % fail for 3 s, then 0.5 % (limit 5 %)',
    limit: 0.05,
    candidate: s => (s < 3 ? 0.15 : 0.005),
    pastGood: true,
    untilRequests: 1000,
  },
];

const rowsOf = (group: Group, rows: readonly Omit<Row, 'group'>[]): Row[] => rows.map(row => ({ ...row, group }));

/** Each pod can do five times of what it is asked; a candidate may be slower. */
const able = { perSecond: 25, queueSeconds: 0.9 } as const;
const slowerBy = (times: number) => ({ baseline: able, candidate: { ...able, perSecond: able.perSecond / times } });
const burstsOf = (capacity: typeof able) => ({ ...capacity, inBursts: true });
const inBursts = { baseline: burstsOf(able), candidate: burstsOf(able) };
const evenly = { baseline: able, candidate: able };
const few = { limit: 0.05, candidate: 0.001, atMostRuns: 500 } as const;
const rush = { from: 10, to: 70, times: 8 } as const;
const THERE: Target = { bad: { atLeast: 1 } };

const SHEDDING: readonly Omit<Row, 'group'>[] = [
  { ...few, name: 'all of its requests are shed', candidate: 1, candidateCallsShed: 1, target: THERE },
  { ...few, name: 'half of its requests are shed', candidate: 0.5, candidateCallsShed: 1, target: THERE },
  { ...few, name: 'a fifth of its requests is shed', candidate: 0.2, candidateCallsShed: 1, target: THERE },
  { ...few, name: 'half fail, a third of these shed', candidate: 0.5, candidateCallsShed: 0.33, target: THERE },
  { ...few, name: 'half fail with 503, nothing called overload', candidate: 0.5, target: THERE },
  { ...few, name: 'ten times slower', capacity: slowerBy(10), target: THERE },
  {
    ...few,
    name: 'half fail while all pods are overloaded',
    candidate: at => (at < 10 ? 0.001 : 0.5),
    capacity: evenly,
    rush: { ...rush, to: 600 },
    faultAt: 10,
    untilRequests: 1e9,
    untilSeconds: 600,
    target: THERE,
  },
  {
    ...few,
    name: 'ten times slower while all pods are overloaded',
    capacity: slowerBy(10),
    rush: { ...rush, from: 0, to: 600 },
    untilSeconds: 600,
    untilRequests: 1e9,
    target: THERE,
  },
  {
    ...few,
    name: 'bake, all is shed after 2 min',
    mode: 'bake',
    candidatePods: 3,
    candidate: at => (at < 120 ? 0.001 : 1),
    candidateCallsShed: 1,
    faultAt: 120,
    pastGood: true,
    untilRequests: 1e9,
    target: THERE,
  },
  {
    ...few,
    name: 'bake, half is shed from the first request on',
    mode: 'bake',
    candidatePods: 3,
    candidate: 0.5,
    candidateCallsShed: 1,
    borne: { all: 19, perPod: 4.5 },
    target: THERE,
  },
];

const busy = {
  ...few,
  untilSeconds: 90,
  untilRequests: 1e9,
  pastGood: true,
  faultAt: 10,
  rush,
  target: NOT_BLAMED,
} as const;
const busyBake = { ...busy, mode: 'bake', candidatePods: 3 } as const;
const BUSY: readonly Omit<Row, 'group'>[] = [
  { ...busy, name: 'eight times the requests for a minute', capacity: evenly },
  { ...busy, name: 'eight times the requests for a minute, shed in bursts', capacity: inBursts },
  { ...busy, name: 'thirty times the requests for a minute', rush: { ...rush, times: 30 }, capacity: evenly },
  { ...busy, name: 'from the first request on', rush: { ...rush, from: 0 }, capacity: evenly },
  { ...busy, name: 'from the first request on, shed in bursts', rush: { ...rush, from: 0 }, capacity: inBursts },
  { ...busy, name: 'a candidate on a slower node, three quarters as able', capacity: slowerBy(4 / 3) },
  {
    ...busy,
    name: 'a candidate that gets eight times the requests of a stable pod',
    candidateWeight: 8,
    capacity: evenly,
  },
  { ...busy, name: 'no stable pod beside it', baselinePods: 0, capacity: evenly },
  { ...busy, name: 'the stable pods’ metrics cannot be read', baselineMetricsSeconds: Infinity, capacity: evenly },
  { ...busy, name: 'operator away from 20 s to 23 s', operatorRestartsAt: 20, capacity: evenly },
  { ...busyBake, name: 'bake, eight times the requests for a minute', capacity: evenly },
  { ...busyBake, name: 'bake, eight times the requests for a minute, shed in bursts', capacity: inBursts },
  {
    ...busyBake,
    name: 'bake, eight times the requests, operator away from 20 s to 23 s',
    operatorRestartsAt: 20,
    borne: { all: 19, perPod: 4.5 },
    capacity: evenly,
  },
  { ...busyBake, name: 'bake, overloaded from the first request on', rush: { ...rush, from: 0 }, capacity: inBursts },
];

export const ROWS: readonly Row[] = [
  ...rowsOf('Bad releases are found', FOUND),
  ...rowsOf('Releases just above their limit', NEAR),
  ...rowsOf('Good releases pass', GOOD),
  ...rowsOf('A release at or above its limit does not pass', TOO_BAD),
  ...rowsOf('A release at or below its limit is not rolled back', INNOCENT),
  ...rowsOf('A release that turns bad later is found', LATE),
  ...rowsOf('A shared outage is not blamed on the release', OUTAGES),
  ...rowsOf('In and after an outage the trial goes on', AFTER),
  ...rowsOf('Known limits', LIMITS),
  ...rowsOf('Overload that is the release’s fault is found', SHEDDING),
  ...rowsOf('Overload that is nobody’s fault is not blamed', BUSY),
];

/** The quick version that the tests run: fewer releases where a row takes long, the same targets. */
const QUICK_ROWS: readonly [name: string, runs: number, change?: Partial<Row>][] = [
  ['limit 5 %, 50 % fail, requests in turn', 10_000],
  ['limit 5 %, 20 % fail, requests in turn', 10_000],
  ['limit 5 %, 50 % fail', 10_000],
  ['limit 1 %, 50 % fail', 10_000],
  ['limit 5 %, 0.1 % fail', 10_000],
  ['limit 5 %, 5 % fail, 1,000 requests', 10_000, { untilRequests: 100 }],
  ['limit 5 %, 5 % fail in bursts, 1,000 requests', 10_000, { untilRequests: 100 }],
  ['canary, 50 % fail after 20 s', 2_000],
  ['bake, 50 % fail after 2 min', 1_000],
  ['half of the requests fail at once', 4_000, { untilSeconds: 25 }],
  ['requests hang 2 s, then fail', 4_000, { untilSeconds: 25 }],
  ['requests hang 2 s, operator away from 20 s to 23 s', 4_000, { untilSeconds: 30 }],
  ['bake, requests hang 2 s, /ready tells after 2 s', 1_000],
  ['the release is good', 500],
  ['limit 5 %, 2 % fail', 1_000],
  ['limit 5 %, 5 % fail, 3,000 requests', 1_000, { untilRequests: 1_000 }],
  ['limit 5 %, 5 % fail at once, what succeeds takes 10 s, 1,000 requests', 1_000, { untilRequests: 300 }],
  ['1 of 25 clients always fails and keeps its connection to the candidate, 1,000 requests', 500],
  ['each pod fails alone for 1 s every 30 s, 1,000 requests', 500],
  ['limit 5 %, 100 % fail, the stable pods’ metrics cannot be read', 500],
  ['all of its requests are shed', 300],
  ['half fail, a third of these shed', 300],
  ['bake, all is shed after 2 min', 50],
  ['eight times the requests for a minute, shed in bursts', 200, { untilSeconds: 40 }],
  ['bake, eight times the requests for a minute, shed in bursts', 200, { untilSeconds: 40 }],
];

export const QUICK: readonly { readonly row: Row; readonly runs: number }[] = QUICK_ROWS.map(([name, runs, change]) => {
  const row = ROWS.find(candidate => candidate.name === name);
  if (!row) throw new Error(`no row "${name}"`);
  return { row: { ...row, ...change }, runs };
});

export type Summary = {
  readonly group: Group;
  readonly name: string;
  readonly runs: number;
  /** Shares of the runs. */
  readonly bad: number;
  readonly good: number;
  readonly degraded: number;
  /** Of the runs that were decided: the candidate's requests and errors read, seconds since the fault, errors by then. */
  readonly requests?: Quantiles;
  readonly errors?: Quantiles;
  readonly seconds?: Quantiles;
  readonly harmed?: Quantiles;
  readonly missed: readonly string[];
};

export type Quantiles = { readonly median: number; readonly p95: number };

export function summarize(row: Row, outcomes: readonly Outcome[]): Summary {
  const share = (count: number) => count / outcomes.length;
  const expected = row.target?.good?.atLeast !== undefined ? 'Good' : 'Bad';
  const decided = outcomes.filter(({ verdict }) => verdict === expected);
  const faultAt = row.faultAt ?? 0;
  const summary = {
    group: row.group,
    name: row.name,
    runs: outcomes.length,
    bad: share(outcomes.filter(({ verdict }) => verdict === 'Bad').length),
    good: share(outcomes.filter(({ verdict }) => verdict === 'Good').length),
    degraded: share(outcomes.filter(({ degraded }) => degraded).length),
    ...(decided.length > outcomes.length / 2 && {
      requests: quantiles(decided.map(({ requests }) => requests)),
      errors: quantiles(decided.map(({ errors }) => errors)),
      seconds: quantiles(decided.map(({ seconds }) => Number((seconds - faultAt).toFixed(2)))),
      harmed: quantiles(decided.map(({ harmed }) => harmed)),
    }),
  };
  return { ...summary, missed: missed(summary, row.target ?? {}) };
}

function quantiles(values: number[]): Quantiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
  return { median: at(0.5), p95: at(0.95) };
}

/** Every target that was not met, as a sentence. */
function missed(seen: Omit<Summary, 'missed'>, target: Target): string[] {
  const most: [string, number | undefined, number | undefined][] = [
    ['Bad', seen.bad, target.bad?.atMost],
    ['Good', seen.good, target.good?.atMost],
    ['median requests', seen.requests?.median ?? Infinity, target.medianRequests],
    ['p95 requests', seen.requests?.p95 ?? Infinity, target.p95Requests],
    ['median seconds', seen.seconds?.median ?? Infinity, target.medianSeconds],
    ['median harmed', seen.harmed?.median ?? Infinity, target.medianHarmed],
    ['p95 harmed', seen.harmed?.p95 ?? Infinity, target.p95Harmed],
  ];
  const least: [string, number, number | undefined][] = [
    ['Bad', seen.bad, target.bad?.atLeast],
    ['Good', seen.good, target.good?.atLeast],
  ];
  return [
    ...most.flatMap(([what, value = 0, limit]) =>
      limit !== undefined && value > limit ? [`${what}: ${value}, at most ${limit}`] : [],
    ),
    ...least.flatMap(([what, value, limit]) =>
      limit !== undefined && value < limit ? [`${what}: ${value}, at least ${limit}`] : [],
    ),
  ];
}
