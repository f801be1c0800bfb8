// A machine that has far too much to do: processes of our own that only compute, at everybody's priority.
import { spawn } from 'node:child_process';
import { loadavg } from 'node:os';

/** They end by themselves, whatever becomes of us. */
const LONGEST_MS = 60_000;
const COMPUTE = `const end = Date.now() + ${LONGEST_MS}; while (Date.now() < end);`;

/**
 * As many as are missing from this load. Returns what ends them; after a minute they have ended anyway. They are one
 * session, so that the kernel shares the machine between them, the node's programs and its pods, as it does on a node
 * where they are a service. (Processes without a session of their own would each count as much as all pods together.)
 */
export function makeBusy(load: number): () => void {
  const missing = Math.max(0, Math.round(load - (loadavg()[0] ?? 0)));
  const all = `for _ in $(seq ${missing}); do "$0" --eval "$1" & done; wait`;
  const session = spawn('sh', ['-c', all, process.execPath, COMPUTE], { stdio: 'ignore', detached: true });
  return () => {
    if (session.pid !== undefined && session.exitCode === null) process.kill(-session.pid, 'SIGKILL');
  };
}
