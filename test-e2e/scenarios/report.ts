// What the demo measured, against what it promises.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { kubectl } from '../cluster/cluster.ts';
import { CHECKOUT } from '../cluster/paths.ts';
import type { Away } from './operator.ts';

export type Report = {
  /** Found by its rehearsal. */
  readonly rehearsed: { readonly harmed: number; readonly readyToVerdictSeconds: number };
  /** Its fault shows only with what users send in a header. */
  readonly badRelease: {
    readonly firstToLastErrorMs: readonly number[];
    readonly harmed: readonly number[];
    readonly patchToEndpointsMs: readonly number[];
  };
  /** `byIt`: what the bad release itself answered; the others failed on stable pods. `alone`: with no release on its way. */
  readonly badWhileScaledOut: { readonly harmed: number; readonly byIt: number; readonly alone: number };
  readonly badWhileRefused: { readonly harmed: number };
  /** Half of its answers take a second longer, and are right. */
  readonly slow: { readonly slowed: number; readonly failed: number };
  readonly undone: { readonly harmed: number };
  readonly lateBad: { readonly decisionToOutMs: number; readonly harmed: number };
  readonly brokenStart: { readonly harmed: number };
  readonly goodRelease: { readonly requests: number; readonly failed: number };
  readonly outage: { readonly rollbacks: number };
  readonly overload: { readonly rollbacks: number; readonly away: Away };
  readonly settled: { readonly writesPerMinute: number; readonly writesPerMinuteAfterRestart: number };
  readonly operator: { readonly startMs: number; readonly rssMiB: number };
  readonly environment: Readonly<Record<string, unknown>>;
  readonly details: Readonly<Record<string, unknown>>;
};

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = Number.NaN, high = Number.NaN] = [sorted[(sorted.length - 1) >> 1], sorted[middle]];
  return (low + high) / 2;
};

/** One promise: what was measured, its unit, and the most that it may be. */
type Line = { readonly what: string; readonly measured: number; readonly unit: string; readonly limit: number };

function lines(report: Report): readonly Line[] {
  const { badRelease, lateBad, brokenStart, goodRelease, outage, overload, settled, operator } = report;
  const { firstToLastErrorMs: span, harmed, patchToEndpointsMs: patch } = badRelease;
  const line = (what: string, measured: number, limit: number, unit = ''): Line => ({ what, measured, unit, limit });
  return [
    line('bad release: users’ requests harmed', report.rehearsed.harmed, 0),
    line('bad release: its pod ready to the verdict', report.rehearsed.readyToVerdictSeconds, 5, 's'),
    line('bad with a header only: first to last 5xx, median', median(span), 2_500, 'ms'),
    line('bad with a header only: first to last 5xx, worst', Math.max(...span), 5_000, 'ms'),
    line('bad with a header only: users’ requests harmed, median', median(harmed), 7),
    line('bad with a header only: users’ requests harmed, worst', Math.max(...harmed), 12),
    line('bad with a header only: patch to candidate out of the endpoints, worst', Math.max(...patch), 250, 'ms'),
    line('the same, scaled out in its trial: harmed', report.badWhileScaledOut.harmed, 12),
    line('the same, scaled out in its trial: of these by the bad release', report.badWhileScaledOut.byIt, 12),
    line('the same, its Service refused by a quota: harmed', report.badWhileRefused.harmed, 12),
    line('slow, every second answer by 1 s: users who waited', report.slow.slowed, 40),
    line('bad after promotion: decision to last pod out', lateBad.decisionToOutMs, 5_000, 'ms'),
    line('kubectl rollout undo after that: harmed', report.undone.harmed, 0),
    line('cannot start: users’ requests harmed', brokenStart.harmed, 0),
    line(`good release: failed of ${goodRelease.requests} requests`, goodRelease.failed, 0),
    line('shared outage: rollbacks', outage.rollbacks, 0),
    line('good release at load 20: rollbacks', overload.rollbacks, 0),
    line(
      'good release at load 20: operator away, longest',
      overload.away.operatorMs,
      5_000 + overload.away.clientMs,
      'ms',
    ),
    line('settled: writes per minute', settled.writesPerMinute, 0),
    line('settled, operator restarted: writes per minute', settled.writesPerMinuteAfterRestart, 0),
    line('operator: start to first reconcile', operator.startMs, 1_000, 'ms'),
    line('operator: memory with both resources', operator.rssMiB, 100, 'MiB'),
  ];
}

const isKept = ({ measured, limit }: Line): boolean => measured <= limit; // not for NaN

const cell = ({ unit }: Line, value: number): string => `${value.toLocaleString('en')} ${unit}`.trim();

/** The table for people. */
export function tableOf(report: Report): string {
  const rows = lines(report).map(line => [
    line.what,
    cell(line, line.measured),
    line.limit === 0 ? '0' : `≤ ${cell(line, line.limit)}`,
    isKept(line) ? 'ok' : 'MISSED',
  ]);
  const table = [['', 'measured', 'target', ''], ...rows];
  const widths = [0, 1, 2, 3].map(column => Math.max(...table.map(row => (row[column] ?? '').length)));
  const text = (row: readonly string[]) =>
    row.map((value, i) => (i === 0 ? value.padEnd(widths[i] ?? 0) : value.padStart(widths[i] ?? 0))).join('   ');
  return table.map(row => text(row).trimEnd()).join('\n');
}

/** What was promised and not kept. */
export const missed = (report: Report): readonly string[] =>
  lines(report)
    .filter(line => !isKept(line))
    .map(({ what }) => what);

export function writeReport(report: Report): string {
  const file = join('build', 'demo-report.json');
  mkdirSync(join(CHECKOUT, 'build'), { recursive: true });
  writeFileSync(join(CHECKOUT, file), `${JSON.stringify(report, null, 2)}\n`);
  return file;
}

/** The machine and the cluster that the figures are of. */
export async function environment(loadAtStart: number): Promise<Readonly<Record<string, unknown>>> {
  const version = JSON.parse(await kubectl(['version', '--output=json'])) as { serverVersion: { gitVersion: string } };
  const project = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')) as { version: string };
  return {
    date: new Date().toISOString(),
    project: project.version,
    kubernetes: version.serverVersion.gitVersion,
    cluster: process.env['CLUSTER'] || 'native',
    node: process.version,
    kernel: release(),
    cpus: cpus().length,
    cpu: cpus()[0]?.model,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    loadAverageAtStart: loadAtStart,
    loadAverageAtEnd: loadavg()[0],
  };
}
