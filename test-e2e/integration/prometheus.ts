// Debian's Prometheus and promtool, with files of the test's own.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePort, stopProcess, temporaryFolder, until } from '../../services/common/testing/processes.ts';
import { run } from '../cluster/run.ts';

const MISSING = 'Prometheus is not here: apt-get install prometheus';

/** @throws Error with promtool's words where a file is refused, or a test of rules fails */
export async function promtool(files: Readonly<Record<string, unknown>>, ...args: readonly string[]): Promise<string> {
  const folder = temporaryFolder('devshelf-promtool-');
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder.path, name), toYaml(content));
    return await run(['promtool', ...args], { cwd: folder.path });
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
  remove(): Promise<void>;
}

export async function startPrometheus(config: object, rules: object): Promise<TestPrometheus> {
  const folder = temporaryFolder('devshelf-prometheus-');
  const port = await freePort();
  writeFileSync(join(folder.path, 'prometheus.yml'), toYaml(config));
  writeFileSync(join(folder.path, 'rules.yml'), toYaml(rules));
  const flags = [
    '--config.file=prometheus.yml',
    '--storage.tsdb.path=data',
    `--web.listen-address=127.0.0.1:${port}`,
    '--log.level=error',
  ];
  const child = spawn('prometheus', flags, { cwd: folder.path, stdio: 'ignore' });
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
    remove: async () => {
      await stopProcess(child, 'SIGKILL');
      folder.remove();
    },
  };
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

const toYaml = (value: unknown): string => stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
