// `make test`: every test there is, in three phases, each through jest; ends with `N passed, N failed, N skipped`.
//   node test-e2e/test.ts [unit] [integration] [e2e]      all three without arguments
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { down, status } from './cluster/cluster.ts';
import { CHECKOUT } from './cluster/paths.ts';
import { run, succeeds } from './cluster/run.ts';
import { elapsed, say, step } from './cluster/say.ts';
import { startJest } from './jest/start.ts';

const PHASES = ['unit', 'integration', 'e2e'] as const;
type Phase = (typeof PHASES)[number];

type Counts = { readonly passed: number; readonly failed: number; readonly skipped: number };
type Outcome = Counts & { /** What failed, and how: ready to be printed. */ readonly faults: readonly string[] };

/** What jest writes with --json; `numFailedTestSuites` counts files that could not even be read, too. */
type Results = {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly numRuntimeErrorTestSuites: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
};

const FAULT_LINES = 40;
const FAULT_COLUMNS = 400;

// the files of integration have servers of their own, and wait for them more than they compute; those of e2e share a cluster
// what they start is waited for, not timed: a busy machine is no fault of theirs;
// a test that failed half way leaves its own open, which must not keep the rest from running
const OPTIONS: Record<Phase, readonly string[]> = {
  unit: ['--maxWorkers=50%'],
  integration: ['--maxWorkers=2', '--testTimeout=60000', '--forceExit'],
  e2e: ['--runInBand', '--testTimeout=60000', '--forceExit'],
};

/** Runs one phase to its end. A phase that jest could not finish counts as one failure. */
async function runPhase(phase: Phase): Promise<Outcome> {
  const since = performance.now();
  const results = join(CHECKOUT, 'build', 'test', `${phase}.json`);
  mkdirSync(join(results, '..'), { recursive: true });
  rmSync(results, { force: true });
  say(`${phase} tests`);
  const json = ['--json', '--outputFile', results];
  // the results as JSON would go to the standard output besides
  const jest = startJest(phase, [...json, ...OPTIONS[phase]], ['ignore', 'ignore', 'inherit']);
  await once(jest, 'close');
  const outcome = outcomeOf(phase, results);
  say(`${phase}: ${summary(outcome)}, ${elapsed(since)}`);
  return outcome;
}

function outcomeOf(phase: Phase, file: string): Outcome {
  if (!existsSync(file)) return { passed: 0, failed: 1, skipped: 0, faults: [`${phase}: jest did not end`] };
  const results = JSON.parse(readFileSync(file, 'utf8')) as Results;
  return {
    passed: results.numPassedTests,
    failed: results.numFailedTests + results.numRuntimeErrorTestSuites,
    skipped: results.numPendingTests + results.numTodoTests,
    faults: faultsOf(results),
  };
}

/** Each test that failed, and each file that could not be read, with how it was said, shortened. */
const faultsOf = ({ testResults }: Results): string[] =>
  testResults.flatMap(({ name, message, assertionResults }) => {
    const failed = assertionResults.filter(({ status }) => status === 'failed');
    const said = failed.map(({ fullName, failureMessages }) => [fullName, ...failureMessages].join('\n'));
    const unread = assertionResults.length === 0 && message !== '' ? [message] : [];
    return [...said, ...unread].map(text => `FAILED ${relative(CHECKOUT, name)}\n${shortened(text)}`);
  });

/** Without colours; what a test was told is in its first lines. */
const shortened = (text: string): string =>
  stripVTControlCharacters(text)
    .split('\n')
    .slice(0, FAULT_LINES)
    .map(line => `  ${line.slice(0, FAULT_COLUMNS)}`)
    .join('\n');

const summary = ({ passed, failed, skipped }: Counts): string =>
  `${passed} passed, ${failed} failed, ${skipped} skipped`;

const add = (a: Outcome, b: Outcome): Outcome => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
  faults: [...a.faults, ...b.faults],
});

const isInstalled = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some(folder => existsSync(join(folder, program)));

/** Real servers that the integration tests start for themselves. */
async function ensureServers(): Promise<void> {
  const missing = [
    ...(existsSync('/usr/lib/postgresql') ? [] : ['postgresql']),
    ...(isInstalled('redis-server') ? [] : ['redis-server']),
    ...(isInstalled('pgbouncer') || existsSync('/usr/sbin/pgbouncer') ? [] : ['pgbouncer']),
    ...(isInstalled('prometheus') && isInstalled('promtool') ? [] : ['prometheus']),
    ...(isInstalled('openssl') ? [] : ['openssl']),
    ...(isInstalled('chromium') ? [] : ['chromium']),
    ...(isInstalled('shellcheck') ? [] : ['shellcheck']),
    // Debian's Python cannot make an environment without it
    ...((await succeeds(['python3', '-c', 'import ensurepip, venv'])) ? [] : ['python3-venv']),
  ];
  if (missing.length === 0) return;
  const list = missing.join(' ');
  if (process.getuid?.() !== 0 || !isInstalled('apt-get')) {
    throw new Error(`The integration tests need what Debian calls: ${list}. Install it and run make test again.`);
  }
  await step(`installing ${list}`, async () => {
    // in this run level nothing that is installed starts a server of its own
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
    await run(['apt-get', 'update'], { env });
    await run(['apt-get', 'install', '--yes', '--no-install-recommends', ...missing], { env });
  });
}

/** Runs `work` and leaves the cluster as it was before: up, or not there. */
async function leavingTheCluster(work: () => Promise<Outcome>): Promise<Outcome> {
  const wasUp = (await status()).up;
  try {
    return await work();
  } finally {
    if (!wasUp && !process.env['KEEP_CLUSTER']) await down();
  }
}

const isPhase = (word: string): word is Phase => PHASES.some(phase => phase === word);

async function main(words: readonly string[]): Promise<Outcome> {
  const unknown = words.filter(word => !isPhase(word));
  if (unknown.length > 0) throw new Error(`${unknown.join(' ')}: the phases are ${PHASES.join(', ')}`);
  const wanted = PHASES.filter(phase => words.length === 0 || words.includes(phase));
  if (wanted.includes('integration')) await ensureServers();
  let total: Outcome = { passed: 0, failed: 0, skipped: 0, faults: [] };
  for (const phase of wanted) {
    const outcome = phase === 'e2e' ? await leavingTheCluster(() => runPhase(phase)) : await runPhase(phase);
    total = add(total, outcome);
  }
  return total;
}

try {
  const since = performance.now();
  const total = await main(process.argv.slice(2));
  say(`all phases: ${elapsed(since)}`);
  // once more at the end: what was printed on the way is thousands of lines above
  for (const fault of total.faults) process.stderr.write(`${fault}\n`);
  process.stdout.write(`${summary(total)}\n`);
  process.exitCode = total.failed > 0 ? 1 : 0;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.stdout.write('0 passed, 1 failed, 0 skipped\n');
  process.exitCode = 1;
}
