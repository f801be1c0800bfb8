// The promises of docs/statistics.md on simulated releases: fewer of them than `make bench`, the same targets.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';

const SEED = process.env['SEED'] ?? '20260101';
const bench = new URL('../../../bench/statistics.ts', import.meta.url).pathname;

test('bad releases are found, good ones pass, outages are not blamed', async () => {
  // a process of its own: inside jest the same arithmetic takes three times as long
  const run = promisify(execFile)(process.execPath, [bench, '--quick', '--seed', SEED]);
  const { stdout, stderr } = await run.catch((failed: { stdout: string; stderr: string }) => failed);
  console.log(`simulated releases: SEED=${SEED}\n${stdout}`);
  expect(stderr).not.toContain('MISSED');
  expect(stdout).toContain(' 0 missed');
}, 300_000);
