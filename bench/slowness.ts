/**
 * Tries the judgement of slow answers on simulated releases and prints a table of what came out. Ends with 1 if a target
 * was missed. Minutes of one core.
 *
 *   bin/node bench/slowness.ts [--runs 10000] [--seed 20260101]
 */
import { parseArgs } from 'node:util';
import { type Row, summarize } from './scenarios.ts';
import { simulate } from './simulation.ts';

/** What is slow takes a second, and is seen when it is over. */
const SLOW = { limit: 0.05, failureSeconds: 1, beside: 'slowness', group: 'Bad releases are found' } as const;
const NOT_BLAMED = { bad: { atMost: 0.001 } };
const FOUND = { bad: { atLeast: 0.999 } };

const ROWS: readonly Row[] = [
  { ...SLOW, name: 'every answer takes 1 s', candidate: 1, target: FOUND },
  { ...SLOW, name: 'every second answer takes 1 s', candidate: 0.5, target: FOUND },
  { ...SLOW, name: '20 % of the answers take 1 s', candidate: 0.2, target: FOUND },
  {
    ...SLOW,
    name: '5 % are slow, the limit, 1,000 requests',
    candidate: 0.05,
    pastGood: true,
    untilRequests: 1_000,
    target: NOT_BLAMED,
  },
  {
    ...SLOW,
    name: 'half of all are slow, on the stable pods, too',
    candidate: 0.5,
    baseline: 0.5,
    untilRequests: 1_000,
    target: NOT_BLAMED,
  },
  {
    ...SLOW,
    name: 'a database that stands still for 10 s, 1,000 requests',
    candidate: 0.001,
    untilRequests: 1_000,
    pastGood: true,
    outage: { from: 10, to: 20, hangSeconds: 2 },
    target: NOT_BLAMED,
  },
  {
    ...SLOW,
    name: 'errors, judged beside slowness: every second answer is a 500',
    candidate: 0.5,
    failureSeconds: 0.02,
    beside: 'errors',
    target: FOUND,
  },
  {
    group: 'Bad releases are found',
    name: 'errors alone (Observe): every second answer is a 500',
    limit: 0.05,
    candidate: 0.5,
    target: FOUND,
  },
];

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '10000' }, seed: { type: 'string', default: '20260101' } },
});
const runs = Number(values.runs);
const percent = (share: number): string => `${Number((share * 100).toFixed(2))} %`;
let missed = 0;
console.log(`${runs} releases each, seed ${values.seed}`);
console.log(
  '| Release | taken back | requests until then, median / p95 | seconds, median / p95 |\n|---|---:|---:|---:|',
);
for (const [index, row] of ROWS.entries()) {
  const outcomes = Array.from({ length: runs }, (_, run) => simulate(row, Number(values.seed) + index, run));
  const { bad, requests, seconds, missed: what } = summarize(row, outcomes);
  const both = (figures: typeof requests) => (figures && bad > 0.5 ? `${figures.median} / ${figures.p95}` : '');
  console.log(`| ${row.name} | ${percent(bad)} | ${both(requests)} | ${both(seconds)} |`);
  for (const one of what) console.error(`MISSED ${row.name}: ${one}`);
  missed += what.length;
}
process.exitCode = missed > 0 ? 1 : 0;
