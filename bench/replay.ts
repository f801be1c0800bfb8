/**
 * Tries the replay of a rehearsal on simulated releases and prints what came out. Ends with 1 if a good release was
 * refused more often than once in a thousand, or a bad one passed so. Minutes of one core.
 *
 *   bin/node bench/replay.ts [--runs 10000] [--seed 20260101]
 */
import { parseArgs } from 'node:util';
import { addPair, conclude, startReplay, verdictOf } from '../operator/src/evidence/replay.ts';

const LIMIT = 0.05;
const PAIRS = 120;
const EVERY_MS = 25;
/** Two requests that are sent together are answered within so long of each other. */
const APART_MS = 20;

type Release = {
  readonly name: string;
  readonly candidate: number;
  readonly stable: number;
  /** Milliseconds after the start at which the database fails everybody for two seconds. */
  readonly hiccupAt?: number;
  readonly isBad?: true;
};

const RELEASES: readonly Release[] = [
  { name: 'good, 1 % noise on both', candidate: 0.01, stable: 0.01 },
  { name: 'good, 1 % noise on both, a database that hiccups for 2 s', candidate: 0.01, stable: 0.01, hiccupAt: 500 },
  { name: 'at the limit, 5 % fail', candidate: 0.05, stable: 0.01 },
  { name: 'bad, 50 % fail', candidate: 0.5, stable: 0.01, isBad: true },
  { name: 'bad, 100 % fail', candidate: 1, stable: 0.01, isBad: true },
];

/** mulberry32 */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function run({ candidate, stable, hiccupAt = Number.POSITIVE_INFINITY }: Release, random: () => number) {
  const status = (sentAt: number, ratio: number) => {
    const at = sentAt + APART_MS * random();
    return (at >= hiccupAt && at < hiccupAt + 2_000) || random() < ratio ? 500 : 200;
  };
  let seen = startReplay(LIMIT, 0);
  for (let i = 0; i < PAIRS && !['Bad', 'Good'].includes(verdictOf(seen)); i += 1) {
    const at = i * EVERY_MS;
    seen = addPair(seen, { route: '/a', candidate: status(at, candidate), stable: status(at, stable) }, at);
  }
  const { verdict, evidence } = conclude(seen, []);
  return { verdict, requests: evidence.candidate.requests };
}

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '10000' }, seed: { type: 'string', default: '20260101' } },
});
const runs = Number(values.runs);
let missed = 0;
console.log(`${runs} releases each, seed ${values.seed}: refused, held until both answer, requests (median)`);
for (const [index, release] of RELEASES.entries()) {
  const random = randomFrom(Number(values.seed) + index);
  const found = Array.from({ length: runs }, () => run(release, random));
  const count = (verdict: string) => found.filter(one => one.verdict === verdict).length;
  const requests = found.map(one => one.requests).sort((a, b) => a - b);
  console.log(`${release.name}: ${count('Bad')}, ${count('DependencyDegraded')}, ${requests[Math.floor(runs / 2)]}`);
  if (release.isBad ? count('Bad') < 0.999 * runs : count('Bad') > runs / 1_000) missed += 1;
}
process.exitCode = missed > 0 ? 1 : 0;
