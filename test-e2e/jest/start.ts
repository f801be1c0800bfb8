import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { CHECKOUT } from '../cluster/paths.ts';

const BIN = join(CHECKOUT, 'node_modules', '.bin');

/** Starts the project's jest with the packaged Node, in one phase; `env` comes besides this process's own. */
export function startJest(
  phase: string,
  args: readonly string[],
  stdio: StdioOptions,
  env: Readonly<Record<string, string>> = {},
): ChildProcess {
  return spawn(join(BIN, 'jest'), ['--config', 'test-e2e/jest/config.mjs', '--selectProjects', phase, ...args], {
    cwd: CHECKOUT,
    env: {
      ...process.env,
      ...env,
      PATH: `${BIN}${delimiter}${process.env['PATH'] ?? ''}`,
      NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning',
    },
    stdio,
  });
}
