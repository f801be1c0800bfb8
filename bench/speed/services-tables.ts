import type { Sizes } from './data.ts';
import { type Latency, UNCACHED } from './latency.ts';
import type { Remembering } from './recent-requests.ts';
import { type Machine, machineLine, type Table, tableOf } from './report.ts';
import type { Throughput, Tokens, Turns } from './throughput.ts';

export type ServicesResult = {
  readonly machine: Machine;
  readonly sizes: Sizes;
  readonly turns: Turns;
  readonly seconds: number;
  readonly throughput: readonly Throughput[];
  readonly tokens: Tokens;
  readonly latencies: readonly Latency[];
  readonly remembering: Remembering;
};

export const TARGETS = {
  ratio: 0.6,
  tracedRatio: 0.4,
  timesOriginal: 5,
  p99Ms: 50,
  perSecond: 1_000,
  tokenRatio: 0.8,
  rememberingNs: 300,
} as const;

/** A login is argon2id, which is slow on purpose: eight clients on few cores wait for each other. */
const HASHES = 'POST /api/v1/auth/token';
/** Asked for by Prometheus, a few times a minute. */
const SCRAPED = 'GET /metrics';
const isSlowOnPurpose = ({ service, name }: Latency): boolean =>
  name === HASHES || name === SCRAPED || service === UNCACHED;

export function missesOf({ throughput, tokens, latencies, remembering }: ServicesResult): readonly string[] {
  const rows = throughput.flatMap(({ name, ratio, tracedRatio, ours, original }) => [
    ...(ratio < TARGETS.ratio
      ? [`${name}: ${percent(ratio)} of the bare route, ${percent(TARGETS.ratio)} wanted`]
      : []),
    ...(tracedRatio < TARGETS.tracedRatio
      ? [`${name}, traced: ${percent(tracedRatio)} of the bare route, ${percent(TARGETS.tracedRatio)} wanted`]
      : []),
    ...(original !== undefined && ours < TARGETS.timesOriginal * original
      ? [`${name}: ${whole(ours)} requests/s, ${TARGETS.timesOriginal * original} wanted`]
      : []),
  ]);
  const token = tokens.ratio < TARGETS.tokenRatio ? [`/token: ${percent(tokens.ratio)} of argon2id alone`] : [];
  const slow = latencies
    .filter(route => route.perSecond < TARGETS.perSecond && !isSlowOnPurpose(route))
    .map(({ service, name, perSecond }) => `${service}, ${name}: ${whole(perSecond)} requests/s`);
  const routes = latencies.flatMap(({ service, name, p99Ms, failed }) => [
    ...(p99Ms > TARGETS.p99Ms && name !== HASHES ? [`${service}, ${name}: p99 ${p99Ms} ms`] : []),
    ...(failed > 0 ? [`${service}, ${name}: ${failed} requests failed`] : []),
  ]);
  const slowest = Math.max(remembering.knownNs, remembering.newNs);
  const memory = slowest > TARGETS.rememberingNs ? [`recent requests: ${slowest} ns each`] : [];
  return [...rows, ...token, ...slow, ...routes, ...memory];
}

const whole = (value: number) => Math.round(value).toLocaleString('en');
const percent = (share: number) => `${Math.round(share * 100)} %`;

export function servicesTables(result: ServicesResult): readonly Table[] {
  return [
    { name: 'throughput', table: throughputTable(result) },
    { name: 'latency', table: latencyTable(result) },
  ];
}

function throughputTable({ machine, sizes, turns, throughput, tokens }: ServicesResult): string {
  const rows = throughput.map(row => [
    row.name,
    whole(row.bare),
    whole(row.ours),
    percent(row.ratio),
    percent(row.tracedRatio),
    `${whole(row.cpuUs.bare)} / ${whole(row.cpuUs.ours)} / ${whole(row.cpuUs.traced)}`,
    row.original === undefined ? '' : `${whole(row.original)} (× ${(row.ours / row.original).toFixed(1)})`,
  ]);
  const token = [
    '`/token`',
    whole(tokens.bare),
    whole(tokens.ours),
    percent(tokens.ratio),
    '',
    '',
    `${tokens.original} (× ${(tokens.ours / tokens.original).toFixed(1)})`,
  ];
  const head = [
    'Requests a second',
    'bare',
    'ours',
    'ours / bare',
    'with OpenTelemetry / bare',
    'CPU µs: bare / ours / traced',
    'original',
  ];
  return `${machineLine(machine)} ${whole(sizes.resources)} resources, ${whole(sizes.movements)} movements; ${turns.rounds} turns of ${turns.seconds} s each, medians. For \`/token\` “bare” is argon2id alone.\n\n${tableOf(head, [...rows, token])}`;
}

function latencyTable({ latencies }: ServicesResult): string {
  const rows = latencies.map(({ service, name, perSecond, p50Ms, p99Ms, maxMs }) => [
    `${service}: \`${name}\``,
    whole(perSecond),
    String(p50Ms),
    String(p99Ms),
    whole(maxMs),
  ]);
  return tableOf(['Eight clients', 'requests/s', 'p50 ms', 'p99 ms', 'slowest ms'], rows);
}
