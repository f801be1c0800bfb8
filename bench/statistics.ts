/**
 * Tries the analysis on simulated releases and writes what came out: build/statistics.json, and the table in
 * docs/statistics.md. Ends with 1 if a target was missed.
 *
 *   node bench/statistics.ts [--runs 10000] [--seed 20260101] [--only TEXT]
 */
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { type Quantiles, ROWS, type Row, type Summary, summarize } from './scenarios.ts';
import { type Outcome, simulate } from './simulation.ts';

const root = new URL('..', import.meta.url);
const PART = 250;

type Task = { readonly row: number; readonly seed: number; readonly from: number; readonly to: number };
type Result = { readonly task: Task; readonly outcomes: Outcome[] };

function runPart({ row, seed, from, to }: Task): Outcome[] {
  const scenario = ROWS[row];
  if (!scenario) throw new Error(`no row ${row}`);
  return Array.from({ length: to - from }, (_, i) => simulate(scenario, seed + row, from + i));
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '10000' },
      seed: { type: 'string', default: '20260101' },
      only: { type: 'string', default: '' },
    },
  });
  const runs = Number(values.runs);
  const seed = Number(values.seed);
  const began = performance.now();
  const summaries = await simulateAll(runs, seed, values.only);
  const seconds = Math.round((performance.now() - began) / 1000);
  await mkdir(new URL('build/', root), { recursive: true });
  await writeFile(
    new URL('build/statistics.json', root),
    `${JSON.stringify({ seed, runs, seconds, summaries }, null, 2)}\n`,
  );
  if (values.only === '') await writeTable(summaries, runs, seed);
  const missed = summaries.filter(summary => summary.missed.length > 0);
  for (const { group, name, missed: what } of missed) console.error(`MISSED  ${group}: ${name}: ${what.join('; ')}`);
  console.log(`${summaries.length} scenarios of ${runs} releases, seed ${seed}, ${seconds} s, ${missed.length} missed`);
  process.exitCode = missed.length > 0 ? 1 : 0;
}

/** The parts of all rows go round the workers; a row is reported when its last part is in. */
async function simulateAll(runs: number, seed: number, only: string): Promise<Summary[]> {
  const wanted = ROWS.flatMap((row, index) => (`${row.group}: ${row.name}`.includes(only) ? [{ row, index }] : []));
  const tasks = wanted.flatMap(({ index }) => partsOf(index, runs, seed));
  const outcomes = new Map<number, Outcome[][]>();
  const done = (row: Row, { task, outcomes: part }: Result) => {
    const parts = outcomes.get(task.row) ?? [];
    outcomes.set(task.row, [...parts, part]);
    if ((parts.length + 1) * PART >= runs) console.log(line(summarize(row, [...parts, part].flat())));
  };
  await Promise.all(
    Array.from({ length: availableParallelism() }, () => work(tasks, result => done(rowAt(result.task.row), result))),
  );
  return wanted.map(({ row, index }) => summarize(row, (outcomes.get(index) ?? []).flat()));
}

function rowAt(index: number): Row {
  const row = ROWS[index];
  if (!row) throw new Error(`no row ${index}`);
  return row;
}

function partsOf(row: number, runs: number, seed: number): Task[] {
  return Array.from({ length: Math.ceil(runs / PART) }, (_, i) => ({
    row,
    seed,
    from: i * PART,
    to: Math.min(runs, (i + 1) * PART),
  }));
}

async function work(tasks: Task[], onResult: (result: Result) => void): Promise<void> {
  const worker = new Worker(new URL(import.meta.url));
  try {
    for (let task = tasks.shift(); task; task = tasks.shift()) onResult(await ask(worker, task));
  } finally {
    await worker.terminate();
  }
}

async function ask(worker: Worker, task: Task): Promise<Result> {
  worker.postMessage(task);
  const [result] = await once(worker, 'message'); // rejects when the worker fails
  return result;
}

// --- for people ---

const percent = (share: number): string => (share === 0 ? '0' : `${Number((share * 100).toFixed(2))} %`);
const both = (figures: Quantiles | undefined): string => (figures ? `${figures.median} / ${figures.p95}` : '');

function line({ name, bad, good, requests, seconds, missed }: Summary): string {
  const figures = `Bad ${percent(bad)}, Good ${percent(good)}, requests ${both(requests)}, seconds ${both(seconds)}`;
  return `${missed.length > 0 ? 'MISSED' : 'ok    '}  ${name}: ${figures}`;
}

const BEGIN = '<!-- measured: begin -->';
const END = '<!-- measured: end -->';

async function writeTable(summaries: readonly Summary[], runs: number, seed: number): Promise<void> {
  const page = new URL('docs/statistics.md', root);
  const text = await readFile(page, 'utf8');
  const [before, rest = ''] = text.split(BEGIN);
  const after = rest.split(END)[1] ?? '';
  const table = tableOf(summaries, runs, seed);
  await writeFile(page, `${before}${BEGIN}\n\n${table}\n\n${END}${after}`);
}

function tableOf(summaries: readonly Summary[], runs: number, seed: number): string {
  const groups = [...new Set(summaries.map(({ group }) => group))];
  const sections = groups.map(group => {
    const rows = summaries.filter(summary => summary.group === group).map(tableRow);
    return [`#### ${group}`, '', ...HEAD, ...rows].join('\n');
  });
  return [`${runs.toLocaleString('en')} releases per row, seed ${seed}. Median / 95th percentile.`, ...sections].join(
    '\n\n',
  );
}

const HEAD = ['| Release | Bad | Good | Degraded | Requests | Errors | Seconds |', '|---|---|---|---|---|---|---|'];

function tableRow({ name, bad, good, degraded, requests, errors, seconds }: Summary): string {
  const shares = [bad, good, degraded].map(percent);
  return `| ${[name, ...shares, both(requests), both(errors), both(seconds)].join(' | ')} |`;
}

if (isMainThread) await main();
else parentPort?.on('message', (task: Task) => parentPort?.postMessage({ task, outcomes: runPart(task) }));
