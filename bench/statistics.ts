/**
 * Tries the analysis on simulated releases and writes what came out: build/statistics.json, and the table in
 * docs/statistics.md. Ends with 1 if a target was missed. `--quick` tries fewer, `--only` those whose name contains the
 * words; both write nothing. It takes hours of one core: each row is kept in build/statistics-rows.ndjson as soon as it
 * is done, and `--resume` takes those of the same seed and runs from there.
 *
 *   bin/node bench/statistics.ts [--runs 10000] [--seed 20260101] [--resume] [--workers 2] [--quick] [--only words]
 */
import { once } from 'node:events';
import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { QUICK, type Quantiles, ROWS, type Row, type Summary, summarize } from './scenarios.ts';
import { type Outcome, simulate } from './simulation.ts';

const root = new URL('..', import.meta.url);
const KEPT = new URL('build/statistics-rows.ndjson', root);
const PART = 100;

type Experiment = { readonly row: Row; readonly runs: number };
/** Rows hold functions, which cannot be sent to a worker: their index can. */
type Task = { readonly index: number; readonly seed: number; readonly from: number; readonly to: number };
type Result = { readonly task: Task; readonly outcomes: Outcome[] };

const experimentsOf = (quick: boolean, runs: number): readonly Experiment[] =>
  quick ? QUICK : ROWS.map(row => ({ row, runs: Math.min(runs, row.atMostRuns ?? runs) }));

function runPart(row: Row, { index, seed, from, to }: Task): Outcome[] {
  return Array.from({ length: to - from }, (_, i) => simulate(row, seed + index, from + i));
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '10000' },
      seed: { type: 'string', default: '20260101' },
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      resume: { type: 'boolean', default: false },
      workers: { type: 'string', default: String(availableParallelism()) },
    },
  });
  const { quick, only, resume } = values;
  const [runs, seed, workers] = [Number(values.runs), Number(values.seed), Number(values.workers)];
  const isWhole = !quick && only === '';
  await mkdir(new URL('build/', root), { recursive: true });
  if (isWhole && !resume) await rm(KEPT, { force: true });
  const kept = resume ? await keptRows(runs, seed) : [];
  const keep = async (summary: Summary) => {
    if (isWhole) await appendFile(KEPT, `${JSON.stringify({ runs, seed, summary })}\n`);
  };
  const began = performance.now();
  const summaries = await simulateAll(experimentsOf(quick, runs), { seed, quick, only, workers, kept, keep });
  const seconds = Math.round((performance.now() - began) / 1000);
  if (isWhole) await writeReport(summaries, { seed, runs, seconds });
  const missed = summaries.filter(summary => summary.missed.length > 0);
  for (const { group, name, missed: what } of missed) console.error(`MISSED  ${group}: ${name}: ${what.join('; ')}`);
  console.log(`${summaries.length} scenarios, seed ${seed}, ${seconds} s, ${missed.length} missed`);
  process.exitCode = missed.length > 0 ? 1 : 0;
}

type KeptRow = { readonly runs: number; readonly seed: number; readonly summary: Summary };

async function keptRows(runs: number, seed: number): Promise<Summary[]> {
  const text = await readFile(KEPT, 'utf8').catch(() => '');
  const rows = text
    .split('\n')
    .filter(row => row.endsWith('}'))
    .map(row => JSON.parse(row) as KeptRow);
  return rows.filter(row => row.runs === runs && row.seed === seed).map(({ summary }) => summary);
}

type Options = {
  readonly seed: number;
  readonly quick: boolean;
  readonly only: string;
  readonly workers: number;
  readonly kept: readonly Summary[];
  readonly keep: (summary: Summary) => Promise<void>;
};

/** The parts of all rows go round the workers; a row is reported when its last part is in. */
async function simulateAll(experiments: readonly Experiment[], options: Options): Promise<Summary[]> {
  const { seed, quick, only, workers, kept, keep } = options;
  const outcomes: Outcome[][] = experiments.map(() => []);
  const summaries = experiments.map(({ row }) =>
    kept.find(({ group, name }) => group === row.group && name === row.name),
  );
  const tasks = experiments.flatMap(({ row, runs }, index) =>
    row.name.includes(only) && !summaries[index] ? partsOf(index, runs, seed) : [],
  );
  const done = async ({ task: { index }, outcomes: part }: Result) => {
    const all = outcomes[index];
    const experiment = experiments[index];
    if (!all || !experiment) throw new Error(`no experiment ${index}`);
    all.push(...part);
    if (all.length < experiment.runs) return;
    const summary = summarize(experiment.row, all);
    summaries[index] = summary;
    outcomes[index] = [];
    console.log(line(summary));
    await keep(summary);
  };
  await Promise.all(Array.from({ length: workers }, () => work(tasks, quick, done)));
  return summaries.filter(summary => summary !== undefined);
}

function partsOf(index: number, runs: number, seed: number): Task[] {
  return Array.from({ length: Math.ceil(runs / PART) }, (_, i) => ({
    index,
    seed,
    from: i * PART,
    to: Math.min(runs, (i + 1) * PART),
  }));
}

async function work(tasks: Task[], quick: boolean, onResult: (result: Result) => Promise<void>): Promise<void> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { quick } });
  try {
    for (let task = tasks.shift(); task; task = tasks.shift()) await onResult(await ask(worker, task));
  } finally {
    await worker.terminate();
  }
}

async function ask(worker: Worker, task: Task): Promise<Result> {
  worker.postMessage(task);
  const [result] = await once(worker, 'message'); // rejects when the worker fails
  return result;
}

function serve(): void {
  const experiments = experimentsOf(workerData.quick, 0);
  parentPort?.on('message', (task: Task) => {
    const experiment = experiments[task.index];
    if (!experiment) throw new Error(`no experiment ${task.index}`);
    parentPort?.postMessage({ task, outcomes: runPart(experiment.row, task) });
  });
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

type Run = { readonly seed: number; readonly runs: number; readonly seconds: number };

async function writeReport(summaries: readonly Summary[], run: Run): Promise<void> {
  const report = JSON.stringify({ ...run, summaries }, null, 2);
  await writeFile(new URL('build/statistics.json', root), `${report}\n`);
  const page = new URL('docs/statistics.md', root);
  const text = await readFile(page, 'utf8');
  const [before, rest = ''] = text.split(BEGIN);
  const after = rest.split(END)[1] ?? '';
  await writeFile(page, `${before}${BEGIN}\n\n${tableOf(summaries, run)}\n\n${END}${after}`);
}

function tableOf(summaries: readonly Summary[], { runs, seed }: Run): string {
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
else serve();
