import { type Machine, machineLine, median, type Table, tableOf } from '../speed/report.ts';
import type { Churn, Memory } from './churn.ts';
import type { Releases } from './releases.ts';
import { IDLE_S, RELEASES, type Small } from './small.ts';

export type ConvergeResult = {
  readonly machine: Machine;
  /** Processes that wanted a processor, the average of the last minute: above the cores, times say little. */
  readonly load: number;
  readonly resources: number;
  readonly operatorPerSecond: number;
  readonly barePerSecond: number;
  readonly requests: number;
  readonly writes: number;
  readonly bareWrites: number;
  readonly passes: number;
  readonly cpuSeconds: number;
  readonly peakRssMib: number;
  readonly byRequest: Readonly<Record<string, number>>;
};

export type SettledResult = {
  readonly machine: Machine;
  readonly load: number;
  readonly restSeconds: number;
  readonly sizes: readonly {
    readonly resources: number;
    readonly readyMs: number;
    readonly takeoverMs: number;
    readonly secretReads: number;
    readonly restartWrites: number;
    readonly requestsAMinute: number;
    readonly restWrites: number;
    readonly rssMib: number;
    readonly peakRssMib: number;
    readonly heapUsedMib: number;
  }[];
};

export type StoresResult = {
  readonly machine: Machine;
  readonly load: number;
  readonly resources: number;
  readonly plainBytes: number;
  readonly packedBytes: number;
};

export type ChurnResult = { readonly machine: Machine; readonly load: number } & Churn;

export type SmallResult = { readonly machine: Machine; readonly load: number } & Small;

export type ReleasesResult = { readonly machine: Machine; readonly load: number } & Releases;

const BARE_SHARE = 0.9;
const FOUND_MS = 8_000;
const LOOP_P99_MS = 50;
/** Processor of a pass over a resource that rests. */
const PASS_MS = 0.6;
const STORES_KIB = 12;
const RSS_MIB = 256;
const SMALL_RSS_MIB = 70;
const SMALL_READY_MS = 400;
const REQUESTS_A_MINUTE = 30;

/** What is promised of the number of resources that was measured; for two, of a small installation. */
const rssLimit = (resources: number): number => (resources <= 2 ? SMALL_RSS_MIB : RSS_MIB);
/** Undefined: of so many nothing is promised. */
const readyLimitMs = (resources: number): number | undefined =>
  resources <= 2 ? SMALL_READY_MS : resources <= 1_000 ? 2_000 : undefined;
const isLate = ({ resources, readyMs }: Pick<SettledResult['sizes'][number], 'resources' | 'readyMs'>): boolean =>
  readyMs > (readyLimitMs(resources) ?? Number.POSITIVE_INFINITY);

const share = (part: number, whole: number): string => `${Math.round((100 * part) / whole)} %`;
const each = (count: number, resources: number): string => (count / resources).toFixed(1);

const placeLine = ({ machine, load }: { machine: Machine; load: number }): string =>
  `${machineLine(machine)} Load average: ${load.toFixed(1)}.`;

export function convergeTables(result: ConvergeResult): readonly Table[] {
  const { resources, operatorPerSecond, barePerSecond, requests, writes, bareWrites, passes } = result;
  const wanted = each(bareWrites, resources);
  const rows = [
    ['resources a second, of the bare writer’s', `≥ ${share(BARE_SHARE, 1)}`, share(operatorPerSecond, barePerSecond)],
    ['requests a resource', wanted, each(requests, resources)],
    ['writes a resource', wanted, each(writes, resources)],
    ['passes a resource', '', each(passes, resources)],
    ['processor of the operator a resource, ms', '', each(1_000 * result.cpuSeconds, resources)],
    ['highest RSS, MiB', '', String(Math.round(result.peakRssMib))],
  ];
  const most = Object.entries(result.byRequest)
    .toSorted(([, a], [, b]) => b - a)
    .filter(([, count]) => count >= resources / 2)
    .map(([name, count]) => `${name} ${each(count, resources)}`);
  const how = `${placeLine(result)} ${resources} new resources, then the bare writer on as many others.`;
  const table = tableOf(['New resources', 'goal', 'measured'], rows);
  return [{ name: 'scale-converge', table: `${how}\n\n${table}\n\nRequests a resource: ${most.join(', ')}.` }];
}

export function settledTables(result: SettledResult): readonly Table[] {
  const { restSeconds, sizes } = result;
  const rows = sizes.map(size => [
    String(size.resources),
    `${(size.secretReads / size.resources).toFixed(1)} (0)`,
    String(size.restartWrites),
    `${Math.round(size.readyMs)} (${readyLimitMs(size.resources) ?? '–'})`,
    Math.round(size.takeoverMs).toString(),
    `${Math.round(size.requestsAMinute)} (${REQUESTS_A_MINUTE})`,
    String(size.restWrites),
    `${Math.round(size.rssMib)} (${rssLimit(size.resources)})`,
    Math.round(size.peakRssMib).toString(),
    Math.round(size.heapUsedMib).toString(),
  ]);
  const head = [
    'Settled resources; measured (goal)',
    'reads of Secrets a resource, restart',
    'writes, restart',
    'ready after ms',
    'taken over after ms',
    'requests a minute at rest',
    'writes at rest',
    'RSS at rest, MiB',
    'highest RSS',
    'heap used',
  ];
  const how = `${placeLine(result)} Restarted over what had settled, then ${restSeconds} s of rest.`;
  return [{ name: 'scale-settled', table: `${how}\n\n${tableOf(head, rows)}` }];
}

export function smallTables(result: SmallResult): readonly Table[] {
  const how = `${placeLine(result)} Two resources; each figure after ${IDLE_S} s of rest.`;
  const rows = [
    ['ready after ms', `≤ ${SMALL_READY_MS}`, result.readyMs.toFixed(0)],
    ['RSS at rest, MiB', `≤ ${SMALL_RSS_MIB}`, result.restMib.toFixed(1)],
    [`RSS after ${RELEASES} releases of each, MiB`, `≤ ${SMALL_RSS_MIB}`, result.afterMib.toFixed(1)],
    ['highest RSS, MiB', '', result.peakRssMib.toFixed(0)],
  ];
  return [{ name: 'scale-small', table: `${how}\n\n${tableOf(['Two resources', 'goal', 'measured'], rows)}` }];
}

export const smallMisses = ({ readyMs, restMib, afterMib }: SmallResult): readonly string[] => [
  ...(readyMs > SMALL_READY_MS ? [`two: ready after ${readyMs.toFixed(0)} ms, ${SMALL_READY_MS} wanted`] : []),
  ...(restMib > SMALL_RSS_MIB ? [`two at rest: RSS ${restMib.toFixed(1)} MiB, ${SMALL_RSS_MIB} wanted`] : []),
  ...(afterMib > SMALL_RSS_MIB
    ? [`two after ${RELEASES} releases of each: RSS ${afterMib.toFixed(1)} MiB, ${SMALL_RSS_MIB} wanted`]
    : []),
];

const kib = (bytes: number, resources: number): string => (bytes / resources / 1_024).toFixed(1);

export function storesTables(result: StoresResult): readonly Table[] {
  const { resources, plainBytes, packedBytes } = result;
  const how = `${placeLine(result)} Stores of ${resources} settled resources and their children.`;
  const rows = [
    ['heap a resource, KiB, while there is room', '', kib(plainBytes, resources)],
    ['packed, as with many thousands', `≤ ${STORES_KIB}`, kib(packedBytes, resources)],
  ];
  return [{ name: 'scale-stores', table: `${how}\n\n${tableOf(['Stores', 'goal', 'measured'], rows)}` }];
}

export type PassesResult = {
  readonly machine: Machine;
  readonly load: number;
  readonly resources: number;
  /** Of each round. */
  readonly passMs: readonly number[];
};

export function passesTables(result: PassesResult): readonly Table[] {
  const { resources, passMs } = result;
  const how = `${placeLine(result)} ${passMs.length} rounds over ${resources} settled resources.`;
  const [least, most] = [Math.min(...passMs), Math.max(...passMs)];
  const rows = [
    ['processor of a pass, ms', `≤ ${PASS_MS}`, median(passMs).toFixed(2)],
    ['in the quickest round, and in the slowest', '', `${least.toFixed(2)}, ${most.toFixed(2)}`],
  ];
  return [{ name: 'scale-passes', table: `${how}\n\n${tableOf(['Passes at rest', 'goal', 'measured'], rows)}` }];
}

export const passesMisses = ({ passMs }: PassesResult): readonly string[] =>
  median(passMs) > PASS_MS ? [`${median(passMs).toFixed(2)} ms of processor a pass, ${PASS_MS} wanted`] : [];

export const storesMisses = ({ resources, packedBytes }: StoresResult): readonly string[] =>
  packedBytes / resources / 1_024 > STORES_KIB
    ? [`${kib(packedBytes, resources)} KiB of heap a resource, ${STORES_KIB} wanted`]
    : [];

export const convergeMisses = (result: ConvergeResult): readonly string[] => {
  const ratio = result.operatorPerSecond / result.barePerSecond;
  return [
    ...(ratio < BARE_SHARE ? [`${share(ratio, 1)} of the bare writer, ${share(BARE_SHARE, 1)} wanted`] : []),
    ...(result.requests > result.bareWrites
      ? [
          `${each(result.requests, result.resources)} requests a resource, ${each(result.bareWrites, result.resources)} wanted`,
        ]
      : []),
  ];
};

export const settledMisses = ({ sizes }: SettledResult): readonly string[] =>
  sizes.flatMap(({ resources, secretReads, readyMs, requestsAMinute, restWrites, restartWrites, rssMib }) =>
    [
      ...(secretReads > 0 ? [`${secretReads} reads of Secrets at the restart, none wanted`] : []),
      ...(isLate({ resources, readyMs })
        ? [`ready after ${Math.round(readyMs)} ms, ${readyLimitMs(resources)} wanted`]
        : []),
      ...(requestsAMinute > REQUESTS_A_MINUTE
        ? [`${Math.round(requestsAMinute)} requests a minute, ${REQUESTS_A_MINUTE} wanted`]
        : []),
      ...(restWrites + restartWrites > 0 ? [`${restWrites + restartWrites} writes, none wanted`] : []),
      ...(rssMib > rssLimit(resources) ? [`RSS ${Math.round(rssMib)} MiB, ${rssLimit(resources)} wanted`] : []),
    ].map(miss => `${resources} settled: ${miss}`),
  );

const seconds = (ms: number): string => (ms / 1_000).toFixed(1);

export function releasesTables(result: ReleasesResult): readonly Table[] {
  const { resources, bad, isFirst, foundMs, sinceRecordMs } = result;
  const first = isFirst ? ' The operator goes first where more than two cores are wanted.' : '';
  const how = `${placeLine(result)} ${resources} releases at once of two pods each, ${bad} of them bad (half of their answers are 5xx), 5 requests a second to each pod.${first}`;
  const rows = [
    ['bad ones found after their pod answers, s', `≤ ${FOUND_MS / 1_000}`, foundMs.map(seconds).join(', ')],
    ['after the record that lets them join, s', '', sinceRecordMs.map(seconds).join(', ')],
    ['good ones taken back', '0', String(result.falseAlarms)],
    ['last candidate joined after s', '', seconds(result.lastJoinedMs)],
    ['all have ended after s', '', seconds(result.endedMs)],
    ['event loop late by, 99th percentile, ms', `≤ ${LOOP_P99_MS}`, result.loopP99Ms.toFixed(0)],
    ['at most, ms', '', result.loopMaxMs.toFixed(0)],
    ['highest RSS, MiB', `≤ ${RSS_MIB}`, result.peakRssMib.toFixed(0)],
    ['processor of the operator a release, ms', '', ((1_000 * result.cpuSeconds) / resources).toFixed(0)],
  ];
  return [{ name: 'scale-releases', table: `${how}\n\n${tableOf(['Releases at once', 'goal', 'measured'], rows)}` }];
}

export const releasesMisses = (result: ReleasesResult): readonly string[] => [
  ...(result.foundMs.length < result.bad ? [`${result.foundMs.length} of ${result.bad} bad ones found`] : []),
  ...result.foundMs
    .filter(ms => ms > FOUND_MS)
    .map(ms => `found ${seconds(ms)} s after it joined, ${FOUND_MS / 1_000} wanted`),
  ...(result.falseAlarms > 0 ? [`${result.falseAlarms} good ones taken back, none wanted`] : []),
  ...(result.loopP99Ms > LOOP_P99_MS
    ? [`event loop ${result.loopP99Ms.toFixed(0)} ms late, ${LOOP_P99_MS} wanted`]
    : []),
  ...(result.peakRssMib > RSS_MIB ? [`RSS ${result.peakRssMib.toFixed(0)} MiB, ${RSS_MIB} wanted`] : []),
];

/** Beyond what the first round left behind: code that ran for the first time stays. */
const LEFT_MIB = 3;

export function churnTables(result: ChurnResult): readonly Table[] {
  const { resources, empty, full, peakRssMib } = result;
  const how = `${placeLine(result)} ${resources} resources were made and deleted, ${full.length} times; each figure after half a minute of rest. Highest RSS ${peakRssMib.toFixed(0)} MiB.`;
  const row = (when: string, { rssMib, heapUsedMib }: Memory) => [when, rssMib.toFixed(0), heapUsedMib.toFixed(1)];
  const rows = empty.flatMap((memory, round) => {
    const there = full[round];
    return [
      row(round === 0 ? 'before' : `${round}: gone`, memory),
      ...(there ? [row(`${round + 1}: ${resources} there`, there)] : []),
    ];
  });
  return [{ name: 'scale-churn', table: `${how}\n\n${tableOf(['Come and gone', 'RSS, MiB', 'heap, MiB'], rows)}` }];
}

/** The heap: RSS is also what malloc and V8 hold ready. */
export function churnMisses({ empty: [, first, ...later] }: ChurnResult): readonly string[] {
  const last = later.at(-1);
  if (!first || !last || last.heapUsedMib - first.heapUsedMib <= LEFT_MIB) return [];
  return [
    `heap ${first.heapUsedMib.toFixed(1)} MiB after the first round and ${last.heapUsedMib.toFixed(1)} after the last, at most ${LEFT_MIB} more wanted`,
  ];
}

export type ScrapeResult = {
  readonly machine: Machine;
  readonly load: number;
  readonly resources: number;
  readonly scrapes: number;
  /** Of series about resources. */
  readonly lines: number;
  readonly mib: number;
  /** The longest of each scrape. */
  readonly turnsMs: readonly number[];
  /** The processor's share of it, or of another one. */
  readonly turnsCpuMs: readonly number[];
  /** While nobody reads. */
  readonly still: { readonly turnMs: number; readonly turnCpuMs: number };
  readonly cpuMs: number;
  readonly scrapeMs: number;
  /** What is kept for all of them. */
  readonly heapMib: number;
  /** RSS at most while it is read, beyond that before. */
  readonly scrapeRssMib: number;
};

const TURN_MS = 100;
const SCRAPE_MIB = 15;

export function scrapeTables(result: ScrapeResult): readonly Table[] {
  const { turnsMs, turnsCpuMs, still } = result;
  const how = `${placeLine(result)} ${result.resources} resources, ${each(result.lines, result.resources)} lines each, ${result.mib.toFixed(0)} MiB; ${result.scrapes} scrapes.`;
  const most = (values: readonly number[]): string => Math.max(...values).toFixed(1);
  const rows = [
    ['longest turn of the event loop, its processor, ms', `≤ ${TURN_MS}`, most(turnsCpuMs)],
    [
      'the same of half of the scrapes; while nobody reads, ms',
      '',
      `${median(turnsCpuMs).toFixed(1)}; ${still.turnCpuMs.toFixed(1)}`,
    ],
    [
      'longest turn in time; of half of the scrapes; while nobody reads, ms',
      '',
      `${most(turnsMs)}; ${median(turnsMs).toFixed(1)}; ${still.turnMs.toFixed(1)}`,
    ],
    ['processor of a scrape, ms', '', result.cpuMs.toFixed(0)],
    ['from the first byte asked for to the last, ms', '', result.scrapeMs.toFixed(0)],
    ['highest RSS of a scrape, more than before it, MiB', `≤ ${SCRAPE_MIB}`, result.scrapeRssMib.toFixed(1)],
    ['heap for what is told, MiB', '', result.heapMib.toFixed(1)],
  ];
  return [{ name: 'scrape', table: `${how}\n\n${tableOf(['A scrape', 'goal', 'measured'], rows)}` }];
}

export const scrapeMisses = ({ turnsCpuMs, scrapeRssMib }: ScrapeResult): readonly string[] => [
  ...turnsCpuMs.filter(ms => ms > TURN_MS).map(ms => `a turn of ${ms.toFixed(0)} ms in a scrape, ${TURN_MS} wanted`),
  ...(scrapeRssMib > SCRAPE_MIB ? [`${scrapeRssMib.toFixed(1)} MiB for a scrape, ${SCRAPE_MIB} wanted`] : []),
];
