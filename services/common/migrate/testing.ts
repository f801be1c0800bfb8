import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../testing/processes.ts';
import { migrateCli } from './cli.ts';
import type { Verdict } from './verdict.ts';

/** Runs the command in this process; the verdict is read where the operator reads it. */
export async function runMigrate(args: readonly string[], environment: Record<string, string>): Promise<Verdict> {
  const folder = temporaryFolder('devshelf-verdict-');
  const TERMINATION_LOG = join(folder.path, 'termination-log');
  writeFileSync(TERMINATION_LOG, '');
  try {
    await migrateCli({ args, environment: { ...environment, TERMINATION_LOG } });
    return JSON.parse(readFileSync(TERMINATION_LOG, 'utf8')) as Verdict;
  } finally {
    folder.remove();
  }
}
