// One at a time across processes. The kernel holds the lock for a child whose input we keep open:
// whatever kills us closes that input, so no stale lock can stay behind.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { folder } from './paths.ts';
import { say } from './say.ts';

/** Runs `work` while holding an exclusive lock on `file`; says so when it has to wait for another holder. */
export const withLock = async <T>(file: string, waitingFor: string, work: () => Promise<T>): Promise<T> => {
  folder(dirname(file));
  const holder = spawn('flock', [file, 'sh', '-c', 'echo held; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const notice = setTimeout(() => say(`waiting for another process: ${waitingFor}`), 500);
  const held = await Promise.race([
    once(holder.stdout, 'data').then(() => true),
    once(holder, 'close').then(() => false),
  ]).finally(() => clearTimeout(notice));
  if (!held) throw new Error(`could not lock ${file}: is "flock" (util-linux) installed?`);
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await once(holder, 'close');
  }
};
