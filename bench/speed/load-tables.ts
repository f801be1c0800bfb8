import type { Outcome } from './load.ts';
import { type Machine, machineLine, median, type Table, tableOf } from './report.ts';

export type Step = Outcome & { readonly service: string; readonly rate: number };

export type MemorySample = { readonly name: string; readonly second: number; readonly rssMib: number };

export type LoadResult = {
  readonly machine: Machine;
  readonly minutes: number;
  /** of the time, until the rate stays */
  readonly risingShare: number;
  readonly steps: readonly Step[];
  readonly samples: readonly MemorySample[];
  /** processes that did not live to see the end */
  readonly ended: readonly string[];
};

export type Memory = {
  readonly name: string;
  readonly firstMib: number;
  /** medians of the second and the last third */
  readonly secondThirdMib: number;
  readonly lastThirdMib: number;
  readonly maxMib: number;
  /** of the line through what was read while the rate stayed, MiB a minute */
  readonly slope: number;
  readonly flat: boolean;
};

const FLAT_SLOPE = 0.5;
const FLAT_RATIO = 1.05;

export function memoryOf({ samples, risingShare }: LoadResult): readonly Memory[] {
  const names = [...new Set(samples.map(({ name }) => name))];
  return names.map(name => {
    const own = samples.filter(sample => sample.name === name);
    const length = own.at(-1)?.second ?? 0;
    const between = (from: number, to: number) =>
      own.filter(({ second }) => second >= from * length && second <= to * length);
    const mib = (part: readonly MemorySample[]) => median(part.map(({ rssMib }) => rssMib));
    const secondThirdMib = mib(between(1 / 3, 2 / 3));
    const lastThirdMib = mib(between(2 / 3, 1));
    const slope = slopeOf(between(risingShare, 1));
    return {
      name,
      firstMib: own[0]?.rssMib ?? Number.NaN,
      secondThirdMib,
      lastThirdMib,
      maxMib: Math.max(...own.map(({ rssMib }) => rssMib)),
      slope,
      flat: slope <= FLAT_SLOPE || lastThirdMib <= FLAT_RATIO * secondThirdMib,
    };
  });
}

/** Least squares, MiB a minute. */
function slopeOf(samples: readonly MemorySample[]): number {
  const count = samples.length;
  const meanX = samples.reduce((sum, { second }) => sum + second, 0) / count;
  const meanY = samples.reduce((sum, { rssMib }) => sum + rssMib, 0) / count;
  const covariance = samples.reduce((sum, { second, rssMib }) => sum + (second - meanX) * (rssMib - meanY), 0);
  const variance = samples.reduce((sum, { second }) => sum + (second - meanX) ** 2, 0);
  return (covariance / variance) * 60;
}

export function loadMisses(result: LoadResult): readonly string[] {
  return [
    ...result.ended.map(name => `${name} ended by itself`),
    ...result.steps.flatMap(({ service, rate, serverErrors, broken }) =>
      serverErrors + broken > 0 ? [`${service} at ${rate}/s: ${serverErrors} answers of 5xx, ${broken} broken`] : [],
    ),
    ...memoryOf(result).flatMap(({ name, flat, slope, secondThirdMib, lastThirdMib }) =>
      flat
        ? []
        : [`${name}: from ${mib(secondThirdMib)} to ${mib(lastThirdMib)} MiB, ${slope.toFixed(2)} MiB a minute`],
    ),
  ];
}

const mib = (value: number) => String(Math.round(value));

export function loadTables(result: LoadResult): readonly Table[] {
  const steps = result.steps.map(({ service, rate, requests, p50Ms, p99Ms, maxMs, serverErrors, broken }) => [
    service,
    String(rate),
    requests.toLocaleString('en'),
    String(p50Ms),
    String(p99Ms),
    String(Math.round(maxMs)),
    String(serverErrors + broken),
  ]);
  const memory = memoryOf(result).map(({ name, firstMib, secondThirdMib, lastThirdMib, maxMib, slope, flat }) => [
    name,
    ...[firstMib, secondThirdMib, lastThirdMib, maxMib].map(mib),
    slope.toFixed(2),
    flat ? 'yes' : 'no',
  ]);
  const how = `${machineLine(result.machine)} ${result.minutes} minutes, ${result.steps.length / 2} steps.`;
  return [
    {
      name: 'load',
      table: `${how}\n\n${tableOf(['Service', 'asked/s', 'answered', 'p50 ms', 'p99 ms', 'slowest ms', '5xx or none'], steps)}`,
    },
    {
      name: 'memory',
      table: tableOf(
        ['RSS, MiB', 'at first', 'second third', 'last third', 'highest', 'slope, MiB/min', 'flat'],
        memory,
      ),
    },
  ];
}
