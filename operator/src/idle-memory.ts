// Memory that is given back. V8 collects when its heap grows, and keeps what a busy minute took for as long as nothing
// happens; for a process that mostly waits that is most of the time, and the node's memory is other people's, too.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { cpuShares } from './cpu-share.ts';

const LOOK_MS = 15_000;
/** Of one core: waiting, and renewing a lease. */
const IDLE_SHARE = 0.05;
/** Less garbage is not worth a collection, nor less than this share of what is left after it: the larger, the longer. */
const WORTH_BYTES = 2 * 2 ** 20;
const WORTH_SHARE = 0.2;
/** A collection takes 1 to 3 ms a MiB; of more than this it would hold up whoever begins to wait for the loop. */
const MOST_BYTES = 192 * 2 ** 20;

export interface Look {
  /** CPU seconds per second since the last look. */
  readonly cpuShare: number;
  readonly heapUsed: number;
  /** Right after the last collection of ours. */
  readonly heapAfterLast: number;
}

/** Pure: nothing is going on, there is something to give back, and it is quickly done. */
export const isWorthCollecting = ({ cpuShare, heapUsed, heapAfterLast }: Look): boolean =>
  cpuShare < IDLE_SHARE &&
  heapUsed <= MOST_BYTES &&
  heapUsed - heapAfterLast >= Math.max(WORTH_BYTES, WORTH_SHARE * heapAfterLast);

/** Looks from now on, and keeps no process alive. `onDone` is told the heap before and after, in bytes. */
export function giveBackIdleMemory(onDone: (before: number, after: number) => void): void {
  const collect = exposed();
  let heapAfterLast = 0;
  const shareSince = cpuShares();
  const look = (): void => {
    const cpuShare = shareSince();
    const { heapUsed } = process.memoryUsage();
    if (!isWorthCollecting({ cpuShare, heapUsed, heapAfterLast })) return;
    // what was compiled and is not run any more goes, too, and pages go back to the system
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    heapAfterLast = process.memoryUsage().heapUsed;
    onDone(heapUsed, heapAfterLast);
  };
  setInterval(look, LOOK_MS).unref();
}

/** Node shows it to those who start it with `--expose-gc`; this is the same, later. */
function exposed(): NodeJS.GCFunction {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as NodeJS.GCFunction;
}
