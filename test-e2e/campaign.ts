// `make campaign`: what `make test` tries a slice of, for as long as it is given: schedules of the pure models by the
// hundred thousand, each with a seed of its own, and each write of every story killed before and after it on the real
// API server. What failed is kept with its log and the command that repeats it.
//   node test-e2e/campaign.ts [--minutes 60] [--schedules 200] [--seed N] [--only words]
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CHECKOUT } from './cluster/paths.ts';
import { elapsed, say } from './cluster/say.ts';
import { startJest } from './jest/start.ts';

const USAGE = `usage: node test-e2e/campaign.ts [--minutes 60] [--schedules 200] [--seed N] [--only words]

  --minutes    how long the models are tried, 1 to 1440; the sweeps and the release come first and take about two hours more
  --schedules  how many are tried on the API server, 1 to 100000: some 24 a minute on two cores
  --seed       of the first round; the next ones count on from it. Absent: the time of day
  --only       the parts whose names contain these words`;

const FOLDER = join(CHECKOUT, 'build', 'campaign');
/** Schedules of a round: enough that starting jest costs little, few enough that a round ends within minutes. */
const RUNS = 5_000;
/** One core each. */
const AT_ONCE = 2;

type Part = {
  readonly name: string;
  readonly phase: 'unit' | 'integration' | 'campaign';
  readonly file: string;
  readonly env: Readonly<Record<string, string>>;
  /** Schedules that one round tries; absent: it is tried once, whole. */
  readonly schedules?: number;
};

const sweepsWith = (schedules: number): readonly Part[] => [
  {
    name: 'each write of a release’s story, killed before and after it',
    phase: 'integration',
    file: 'operator/src/controller/crash-sweep.itest.ts',
    env: { SWEEP: '1000' },
  },
  {
    name: 'each write of a rotation, killed before and after it',
    phase: 'integration',
    file: 'operator/src/controller/rotation-crash-sweep.itest.ts',
    env: {},
  },
  {
    name: 'another operator, stale stores, in every phase',
    phase: 'integration',
    file: 'operator/src/controller/succession.itest.ts',
    env: {},
  },
  {
    name: 'an API server that fails in every way',
    phase: 'integration',
    file: 'operator/src/controller/faults.itest.ts',
    env: {},
  },
  {
    name: 'anything in any order, on the API server',
    phase: 'campaign',
    file: 'operator/src/controller/schedules.campaign.ts',
    env: { SCHEDULES: String(schedules) },
  },
  {
    name: 'each field of both definitions, set and put back',
    phase: 'campaign',
    file: 'operator/src/controller/fields.campaign.ts',
    env: {},
  },
  {
    name: 'half an hour of everything, on the cluster under load',
    phase: 'campaign',
    file: 'test-e2e/scenarios/soak.campaign.ts',
    env: { SOAK_MINUTES: '30' },
  },
  {
    name: 'the release, in a cluster without a network',
    phase: 'campaign',
    file: 'test-e2e/scenarios/release.campaign.ts',
    env: {},
  },
];

const MODELS: readonly Part[] = [
  {
    name: 'schedules of a release',
    phase: 'unit',
    file: 'operator/src/lifecycle/model.test.ts',
    env: { RUNS: String(RUNS) },
    schedules: RUNS,
  },
  {
    name: 'schedules of a rotation',
    phase: 'unit',
    file: 'operator/src/lifecycle/keys/rotation.model.test.ts',
    env: { RUNS: String(RUNS) },
    schedules: RUNS,
  },
];

type Round = { readonly part: Part; readonly seed: number; readonly failed: boolean; readonly seconds: number };

const commandOf = ({ part, seed }: Pick<Round, 'part' | 'seed'>): string =>
  [
    ...Object.entries({ ...part.env, SEED: String(seed) }).map(([name, value]) => `${name}=${value}`),
    `NODE_OPTIONS=--experimental-vm-modules node_modules/.bin/jest --config test-e2e/jest/config.mjs`,
    `--selectProjects ${part.phase} --runInBand --testTimeout=3600000 -- ${part.file}`,
  ].join(' ');

const logOf = ({ part, seed }: Pick<Round, 'part' | 'seed'>): string =>
  join(FOLDER, `${part.file.split('/').at(-1)}-${seed}.log`);

async function tried(part: Part, seed: number): Promise<Round> {
  const since = performance.now();
  const args = ['--runInBand', '--forceExit', '--testTimeout=3600000', '--', part.file];
  const jest = startJest(part.phase, args, ['ignore', 'pipe', 'pipe'], { ...part.env, SEED: String(seed) });
  const words: Buffer[] = [];
  for (const stream of [jest.stdout, jest.stderr]) stream?.on('data', (piece: Buffer) => words.push(piece));
  const [code] = (await once(jest, 'close')) as [number | null];
  const seconds = Math.round((performance.now() - since) / 1000);
  const round = { part, seed, failed: code !== 0, seconds };
  writeFileSync(logOf(round), Buffer.concat(words));
  if (round.failed) say(`FAILED ${part.name}, seed ${seed}: ${logOf(round)}\n         ${commandOf(round)}`);
  return round;
}

/** What a sweep says of itself: writes, kills, faults. */
const figuresOf = (round: Round): string =>
  [...readFileSync(logOf(round), 'utf8').matchAll(FIGURES)].map(([words]) => words.trim()).join('; ');
const FIGURES = /(?:crash sweep|behind the fence|schedules on the API server|schedules met|fields of a|soak:)[^\n]*/g;

async function sweep(parts: readonly Part[], seed: number): Promise<Round[]> {
  const rounds: Round[] = [];
  for (const part of parts) {
    const round = await tried(part, seed);
    rounds.push(round);
    say(`${part.name}: ${round.failed ? 'FAILED' : 'ok'}, ${round.seconds} s ${figuresOf(round)}`);
  }
  return rounds;
}

/** Round after round, each with the next seed, until the time is over. */
async function roam(parts: readonly Part[], first: number, minutes: number): Promise<Round[]> {
  const [began, rounds]: [number, Round[]] = [performance.now(), []];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() - began < minutes * 60_000) {
      const turn = next;
      next += 1;
      const part = parts[turn % parts.length];
      if (!part) return;
      rounds.push(await tried(part, first + turn));
      const schedules = rounds.reduce((sum, one) => sum + (one.part.schedules ?? 0), 0);
      const failed = rounds.filter(one => one.failed).length;
      say(`${schedules.toLocaleString('en')} schedules in ${elapsed(began)}, ${failed} rounds failed`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return rounds;
}

function parseOptions(): { minutes: number; schedules: number; seed: number; only: string } {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '60' },
      schedules: { type: 'string', default: '200' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      only: { type: 'string', default: '' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    process.exit(0);
  }
  const [minutes, schedules, seed] = [Number(values.minutes), Number(values.schedules), Number(values.seed)];
  if (!(minutes >= 1 && minutes <= 1_440)) throw new Error(`--minutes ${values.minutes}: a number from 1 to 1440`);
  if (!(Number.isSafeInteger(schedules) && schedules >= 1 && schedules <= 100_000))
    throw new Error(`--schedules ${values.schedules}: a whole number from 1 to 100000`);
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error(`--seed ${values.seed}: a whole number, 0 or more`);
  return { minutes, schedules, seed, only: values.only };
}

/** A line of each part, and the failed rounds with what repeats them. */
function report(rounds: readonly Round[]): string {
  const parts = [...new Set(rounds.map(({ part }) => part))];
  const lines = parts.map(part => {
    const own = rounds.filter(one => one.part === part);
    const count = part.schedules === undefined ? own.length : own.length * part.schedules;
    const what = part.schedules === undefined ? 'whole' : 'schedules';
    return `${count.toLocaleString('en').padStart(9)} ${what.padEnd(9)}  ${own.filter(one => one.failed).length} failed  ${part.name}`;
  });
  const failed = rounds.filter(one => one.failed).map(one => `seed ${one.seed}: ${commandOf(one)}`);
  return [...lines, ...failed].join('\n');
}

try {
  const { minutes, schedules, seed, only } = parseOptions();
  mkdirSync(FOLDER, { recursive: true });
  const wanted = (parts: readonly Part[]) => parts.filter(({ name }) => name.includes(only));
  const sweeps = sweepsWith(schedules);
  if (wanted([...sweeps, ...MODELS]).length === 0) throw new Error(`--only ${only}: no part has that in its name`);
  say(`seed ${seed}`);
  const rounds = [...(await sweep(wanted(sweeps), seed)), ...(await roam(wanted(MODELS), seed, minutes))];
  const told = rounds.map(({ part: { name, schedules }, ...round }) => ({ name, schedules, ...round }));
  writeFileSync(join(FOLDER, 'report.json'), `${JSON.stringify({ seed, minutes, rounds: told }, null, 2)}\n`);
  process.stdout.write(`${report(rounds)}\nbuild/campaign/report.json has each round\n`);
  process.exitCode = rounds.some(one => one.failed) ? 1 : 0;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${USAGE}\n`);
  process.exitCode = 2;
}
