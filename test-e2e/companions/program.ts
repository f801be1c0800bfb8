// A program of others as a process on loopback: started, waited for, ended with its folder.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stopProcess, temporaryFolder, until } from '../../services/common/testing/processes.ts';
import { type Binary, binaryPath, ensureBinaries } from '../cluster/binaries.ts';

const START_MS = 60_000;

export interface Setting {
  /** Given a folder of its own, which goes with it. */
  readonly flags: (folder: string) => readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Whether it answers; until then it has not started. */
  readonly answers: () => Promise<unknown>;
}

export interface Program {
  /** What it printed. */
  log(): string;
  stop(): Promise<void>;
}

/** @throws Error with the end of its log when it does not start */
export async function startProgram(name: Binary, { flags, env, answers }: Setting): Promise<Program> {
  await ensureBinaries(name);
  const folder = temporaryFolder(`devshelf-${name}-`);
  const file = join(folder.path, 'log');
  const output = openSync(file, 'a');
  // the kernel ends it when we are killed ourselves, in whatever way
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', binaryPath(name), ...flags(folder.path)], {
    cwd: folder.path,
    env: { ...process.env, ...env },
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  const log = (): string => readFileSync(file, 'utf8');
  const stop = async (): Promise<void> => {
    await stopProcess(child, 'SIGKILL');
    folder.remove();
  };
  const hasStarted = async (): Promise<boolean> => {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`);
    return answers().then(
      () => true,
      () => false,
    );
  };
  try {
    await until(`${name} answers`, hasStarted, START_MS);
  } catch (error) {
    const words = log().slice(-2_000);
    await stop();
    throw new Error(`${name} did not start\n${words}`, { cause: error });
  }
  return { log, stop };
}
