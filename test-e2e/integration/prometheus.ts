// Debian's Prometheus and promtool, with files of the test's own.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePort, stopProcess, temporaryFolder, until } from '../../services/common/testing/processes.ts';
import { run } from '../cluster/run.ts';

type Files = Readonly<Record<string, unknown>>;

const MISSING = 'Prometheus is not here: apt-get install prometheus';

/** @throws Error with promtool's words where a file is refused, or a test of rules fails */
export const promtool = (files: Files, ...args: readonly string[]): Promise<string> =>
  checkedBy('promtool', files, ...args);

/** By a promtool of the caller's choice. */
export async function checkedBy(program: string, files: Files, ...args: readonly string[]): Promise<string> {
  const folder = temporaryFolder('devshelf-promtool-');
  try {
    writeFiles(folder.path, files);
    return await run([program, ...args], { cwd: folder.path });
  } catch (error) {
    throw isMissing(error) ? new Error(MISSING) : error;
  } finally {
    folder.remove();
  }
}

export interface TestPrometheus {
  readonly url: string;
  /** The value of `data` that its API answers. @throws Error with its words */
  ask<T>(path: string, query?: Readonly<Record<string, string>>): Promise<T>;
  /** It stands still: connections stay, and nothing is answered. */
  freeze(): void;
  thaw(): void;
  remove(): Promise<void>;
}

export function startPrometheus(config: object, rules: object): Promise<TestPrometheus> {
  return runPrometheus({ 'prometheus.yml': config, 'rules.yml': rules });
}

/** With files of its folder; `prometheus.yml` is its configuration. Debian's, or another one. */
export async function runPrometheus(files: Files, program = 'prometheus'): Promise<TestPrometheus> {
  const folder = temporaryFolder('devshelf-prometheus-');
  const port = await freePort();
  writeFiles(folder.path, files);
  const flags = [
    '--config.file=prometheus.yml',
    '--storage.tsdb.path=data',
    `--web.listen-address=127.0.0.1:${port}`,
    '--log.level=error',
  ];
  const child = spawn(program, flags, { cwd: folder.path, stdio: 'ignore' });
  let fault: Error | undefined;
  child.once('error', error => {
    fault = isMissing(error) ? new Error(MISSING) : error;
  });
  child.once('exit', code => {
    fault ??= new Error(`Prometheus ended with ${code}`);
  });
  const ask = async <T>(path: string, query: Readonly<Record<string, string>> = {}): Promise<T> => {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/${path}?${new URLSearchParams(query)}`);
    const { status, data, error } = (await answer.json()) as { status: string; data: T; error?: string };
    if (status !== 'success') throw new Error(`${JSON.stringify(query)}: ${error}`);
    return data;
  };
  await until(
    'Prometheus answers',
    async () => {
      if (fault) throw fault;
      return ask('status/buildinfo').then(
        () => true,
        () => false,
      );
    },
    60_000,
  );
  return {
    url: `http://127.0.0.1:${port}`,
    ask,
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    remove: async () => {
      await stopProcess(child, 'SIGKILL');
      folder.remove();
    },
  };
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** A text as it is, anything else as YAML. */
function writeFiles(folder: string, files: Files): void {
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(folder, name), typeof content === 'string' ? content : toYaml(content));
}

const toYaml = (value: unknown): string => stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
