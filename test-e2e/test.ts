// `make test`: every test there is, in three phases, each through jest; ends with `N passed, N failed, N skipped`.
//   node test-e2e/test.ts [unit] [integration] [e2e]      all three without arguments
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { down, status } from './cluster/cluster.ts';
import { CHECKOUT } from './cluster/paths.ts';
import { run, succeeds } from './cluster/run.ts';
import { elapsed, say, step } from './cluster/say.ts';

const PHASES = ['unit', 'integration', 'e2e'] as const;
type Phase = (typeof PHASES)[number];

type Counts = { readonly passed: number; readonly failed: number; readonly skipped: number };

/** What jest writes with --json; `numFailedTestSuites` counts files that could not even be read, too. */
type Results = {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly numRuntimeErrorTestSuites: number;
};

const BIN = join(CHECKOUT, 'node_modules', '.bin');
const environment = {
  ...process.env,
  PATH: `${BIN}${delimiter}${process.env['PATH'] ?? ''}`,
  NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning',
};

// integration and e2e share servers and time limits: one file after the other
// and their servers are waited for, not timed: a busy machine is no fault of theirs
const OPTIONS: Record<Phase, readonly string[]> = {
  unit: ['--maxWorkers=50%'],
  integration: ['--runInBand', '--testTimeout=60000'],
  e2e: ['--runInBand', '--testTimeout=60000'],
};

/** Runs one phase to its end. A phase that jest could not finish counts as one failure. */
async function runPhase(phase: Phase): Promise<Counts> {
  const since = performance.now();
  const results = join(CHECKOUT, 'build', 'test', `${phase}.json`);
  mkdirSync(join(results, '..'), { recursive: true });
  rmSync(results, { force: true });
  const args = ['--config', 'test-e2e/jest/config.mjs', '--selectProjects', phase, '--json', '--outputFile', results];
  say(`${phase} tests`);
  const jest = spawn(join(BIN, 'jest'), [...args, ...OPTIONS[phase]], {
    cwd: CHECKOUT,
    env: environment,
    // the results as JSON would go to the standard output besides
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await once(jest, 'close');
  const counts = countsOf(results);
  say(`${phase}: ${summary(counts)}, ${elapsed(since)}`);
  return counts;
}

function countsOf(file: string): Counts {
  if (!existsSync(file)) return { passed: 0, failed: 1, skipped: 0 };
  const results = JSON.parse(readFileSync(file, 'utf8')) as Results;
  return {
    passed: results.numPassedTests,
    failed: results.numFailedTests + results.numRuntimeErrorTestSuites,
    skipped: results.numPendingTests + results.numTodoTests,
  };
}

const summary = ({ passed, failed, skipped }: Counts): string =>
  `${passed} passed, ${failed} failed, ${skipped} skipped`;

const add = (a: Counts, b: Counts): Counts => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
});

const isInstalled = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some(folder => existsSync(join(folder, program)));

/** Real servers that the integration tests start for themselves. */
async function ensureServers(): Promise<void> {
  const missing = [
    ...(existsSync('/usr/lib/postgresql') ? [] : ['postgresql']),
    ...(isInstalled('redis-server') ? [] : ['redis-server']),
    ...(isInstalled('pgbouncer') || existsSync('/usr/sbin/pgbouncer') ? [] : ['pgbouncer']),
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
async function leavingTheCluster(work: () => Promise<Counts>): Promise<Counts> {
  const wasUp = (await status()).up;
  try {
    return await work();
  } finally {
    if (!wasUp && !process.env['KEEP_CLUSTER']) await down();
  }
}

const isPhase = (word: string): word is Phase => PHASES.some(phase => phase === word);

async function main(words: readonly string[]): Promise<Counts> {
  const unknown = words.filter(word => !isPhase(word));
  if (unknown.length > 0) throw new Error(`${unknown.join(' ')}: the phases are ${PHASES.join(', ')}`);
  const wanted = PHASES.filter(phase => words.length === 0 || words.includes(phase));
  if (wanted.includes('integration')) await ensureServers();
  let total: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const phase of wanted) {
    const counts = phase === 'e2e' ? await leavingTheCluster(() => runPhase(phase)) : await runPhase(phase);
    total = add(total, counts);
  }
  return total;
}

try {
  const since = performance.now();
  const total = await main(process.argv.slice(2));
  say(`all phases: ${elapsed(since)}`);
  process.stdout.write(`${summary(total)}\n`);
  process.exitCode = total.failed > 0 ? 1 : 0;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.stdout.write('0 passed, 1 failed, 0 skipped\n');
  process.exitCode = 1;
}
