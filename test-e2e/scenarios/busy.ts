// A machine that has far too much to do: processes of our own that only compute, at everybody's priority.
import { type ChildProcess, spawn } from 'node:child_process';
import { loadavg } from 'node:os';

/** They end by themselves, whatever becomes of us. */
const LONGEST_MS = 60_000;
const COMPUTE = `const end = Date.now() + ${LONGEST_MS}; while (Date.now() < end);`;

/** As many as are missing from this load. Returns what ends them; after a minute they have ended anyway. */
export function makeBusy(load: number): () => void {
  const missing = Math.max(0, Math.round(load - (loadavg()[0] ?? 0)));
  const busy: ChildProcess[] = Array.from({ length: missing }, () =>
    spawn(process.execPath, ['--eval', COMPUTE], { stdio: 'ignore' }),
  );
  return () => {
    for (const child of busy) child.kill('SIGKILL');
  };
}
