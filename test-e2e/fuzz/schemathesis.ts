// Schemathesis: makes requests from an OpenAPI document, good and bad ones, and holds each answer to the document.
// It lies in a Python environment of its own in the cache; requirements.txt pins it with all that it needs.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { withLock } from '../cluster/lock.ts';
import { CACHE, contentHash, folder } from '../cluster/paths.ts';
import { run } from '../cluster/run.ts';
import { say, step } from '../cluster/say.ts';

const CONFIG = join(import.meta.dirname, 'schemathesis.toml');
const REQUIREMENTS = join(import.meta.dirname, 'requirements.txt');

/** Where the program is; installs it the first time. @throws CommandFailed */
export async function ensureSchemathesis(): Promise<string> {
  // an environment belongs to the Python that made it
  const python = await run(['python3', '-c', 'import sys; print(sys.executable, sys.version)']);
  const home = join(CACHE, `schemathesis-${contentHash(readFileSync(REQUIREMENTS), python)}`);
  const program = join(home, 'bin', 'schemathesis');
  const complete = join(home, 'complete');
  if (existsSync(complete)) return program;
  await withLock(join(folder(CACHE), 'schemathesis.lock'), 'it is installing Schemathesis', async () => {
    if (existsSync(complete)) return;
    rmSync(home, { recursive: true, force: true });
    await step('installing Schemathesis (once)', async () => {
      await run(['python3', '-m', 'venv', home]);
      await run([join(home, 'bin', 'pip'), 'install', '--quiet', '--no-deps', '--requirement', REQUIREMENTS]);
    });
    writeFileSync(complete, '');
  });
  return program;
}

export type Fuzzing = {
  /** base of the service; the document is read from its /openapi.json */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** requests made for each operation in each mode, at most */
  readonly examples: number;
  readonly seconds: number;
  /** further options: filters, checks that do not fit */
  readonly options?: readonly string[];
};

/** The same requests every time, so that a test run says something of the change; FUZZ_SEED=$RANDOM asks others. */
const seed = Number(process.env['FUZZ_SEED'] ?? 1);

/** Runs every check that was not excluded. @throws Error with Schemathesis' own report when one of them fails */
export async function fuzz({ url, headers, examples, seconds, options = [] }: Fuzzing): Promise<void> {
  const program = await ensureSchemathesis();
  say(`fuzzing ${url}/openapi.json with FUZZ_SEED=${seed}`);
  const args = [
    ...[
      '--config-file',
      CONFIG,
      'run',
      `${url}/openapi.json`,
      '--url',
      url,
      '--checks',
      'all',
      '--seed',
      String(seed),
      '--no-color',
    ],
    ...['--max-examples', String(examples), '--request-timeout', '10', '--workers', '2', '--warnings', 'off'],
    ...['--generation-database', 'none', '--max-failures', '10'],
    ...Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}:${value}`]),
    ...options,
  ];
  // it writes a folder of its own into the current one
  const child = spawn(program, args, { cwd: tmpdir(), stdio: ['ignore', 'pipe', 'pipe'] });
  const alarm = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  clearTimeout(alarm);
  if (code !== 0) throw new Error(`FUZZ_SEED=${seed}: ${code ?? `not within ${seconds} s`}\n${out}${err}`);
}
