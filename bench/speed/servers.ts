import { spawn } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { accepts, freePort, stopProcess } from '../../services/common/testing/processes.ts';
import { type Bundled, bundleImage } from '../../test-e2e/cluster/build.ts';
import { CHECKOUT } from '../../test-e2e/cluster/paths.ts';

export type Program = {
  readonly command: readonly string[];
  readonly cwd?: string;
  readonly environment: Readonly<Record<string, string>>;
};

export type Running = {
  readonly url: string;
  readonly pid: number;
  /** from the process' start until it listened */
  readonly startMs: number;
  /** what that took of a processor, milliseconds: the same on a busy machine */
  readonly startCpuMs: number;
  /** resident memory, MiB */
  rssMib(): number;
  /** user and system, seconds since it started */
  cpuSeconds(): number;
  /** has it ended by itself? */
  readonly ended: boolean;
  stop(): Promise<void>;
};

const START_TIMEOUT_MS = 20_000;

/**
 * Starts a program that listens on `PORT`. As in a container its output goes into a pipe that somebody else reads.
 * @throws Error when it does not listen in time
 */
export async function start({ command, cwd = CHECKOUT, environment }: Program): Promise<Running> {
  const port = await freePort();
  const begun = performance.now();
  // exec: the process' id is the program's
  const script = `exec "$@" > >(exec cat > /dev/null)`;
  const child = spawn('bash', ['-c', script, 'bash', ...command], {
    cwd,
    env: { PATH: process.env['PATH'], HOST: '127.0.0.1', PORT: String(port), ...environment },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command.join(' ')} cannot be started`);
  const url = `http://127.0.0.1:${port}`;
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`${command.at(-1)} ended with ${child.exitCode}`);
    if (performance.now() - begun > START_TIMEOUT_MS) throw new Error(`${command.at(-1)} does not listen`);
    await sleep(POLL_MS);
  }
  return {
    url,
    pid,
    startMs: performance.now() - begun,
    startCpuMs: cpuSeconds(pid) * 1_000,
    rssMib: () => rssMib(pid),
    cpuSeconds: () => cpuSeconds(pid),
    get ended() {
      return child.exitCode !== null || child.signalCode !== null;
    },
    stop: () => stopProcess(child, 'SIGTERM'),
  };
}

const POLL_MS = 4;

function rssMib(pid: number): number {
  const [, kib] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1_024;
}

const TICKS_PER_SECOND = 100;

function cpuSeconds(pid: number): number {
  // the second field is the program's name in parentheses, which may hold anything
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export type Image = { readonly folder: string; program(name: string, environment: Record<string, string>): Program };

/** The image's content, built anew and copied to a place where nobody else builds. */
export async function imageOf(service: Exclude<Bundled, 'operator'>, folder: string): Promise<Image> {
  const target = join(folder, service);
  cpSync(await bundleImage(service), target, { recursive: true });
  const variables = imageEnvironment();
  return {
    folder: target,
    program: (name, environment) => ({
      command: [process.execPath, join(target, 'usr/local/bin', name)],
      cwd: join(target, 'app'),
      environment: { ...variables, ...environment },
    }),
  };
}

/** What the image sets: the measured processes shall run as the image's do. */
export function imageEnvironment(dockerfile = 'Dockerfile.service'): Record<string, string> {
  const lines = readFileSync(join(CHECKOUT, dockerfile), 'utf8').replaceAll('\\\n', ' ').split('\n');
  const pairs = lines.flatMap(line =>
    line.startsWith('ENV ') ? (line.slice(4).match(/\w+=("[^"]*"|\S+)/g) ?? []) : [],
  );
  return Object.fromEntries(
    pairs.map(pair => [pair.split('=', 1)[0], pair.slice(pair.indexOf('=') + 1).replaceAll('"', '')]),
  );
}
