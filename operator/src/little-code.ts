// Imported first. V8 makes machine code of what runs often, in three compilers; they, what they make, and the memory that
// they take from malloc a megabyte at a time and leave in pieces, are 15 MiB of an operator of two resources, which is
// well served by the interpreter. One of fifty, or one that works all the time, is not: with a thousand the same work
// takes twice the processor. So none compiles until there is something to compile for. Then what runs often is compiled
// by the first; by the last only what runs a hundred thousand times, in an operator of very many resources. And where the
// work does not end, as in some hundred releases at once, by all three as V8 would have it: that takes some 15 MiB, and
// takes as long to pay, but the event loop is late by half or less. (docs/speed.md)
import { setFlagsFromString } from 'node:v8';
import { cpuShares } from './cpu-share.ts';

const AT_FIRST = [
  ...['--no-sparkplug', '--no-maglev', '--no-opt'],
  // what has not run for some seconds, in two collections, is not kept as bytecode either
  ...['--bytecode-old-time=5', '--bytecode-old-age=2'],
  ...['--invocation-count-for-turbofan=100000', '--invocation-count-for-osr=10000'],
];
const FOR_WORK = ['--sparkplug', '--opt'];
const FOR_MUCH_WORK = ['--maglev', '--invocation-count-for-turbofan=3000', '--invocation-count-for-osr=500'];

/** So many resources of both kinds are something to compile for. */
const MANY_RESOURCES = 50;
const LOOK_MS = 10_000;
/** Of one core. A start takes a tenth of that; so does a release. */
const WORKING_SHARE = 0.2;
/** Of the time: who is given little of the processor is busy with little, and has the more use for it. */
const BUSY_SHARE = 0.5;

for (const flag of AT_FIRST) setFlagsFromString(flag);

/** So many looks in a row it must have worked for the third compiler to pay. */
const LOOKS_OF_WORK = 3;

let compiles = false;

/** From now on; what was compiled stays. */
export function compileWhatRunsOften(): void {
  if (compiles) return;
  compiles = true;
  for (const flag of FOR_WORK) setFlagsFromString(flag);
}

/** From the moment on in which there are many resources; until then they are counted each time. */
export function compileForMany(count: () => number): void {
  if (!compiles && count() >= MANY_RESOURCES) compileWhatRunsOften();
}

/**
 * From the moment on in which there is much work; keeps no process alive.
 * @param hasMemory whether there is memory to be had for what the third compiler makes
 */
export function compileUnderWork(hasMemory: () => boolean, lookMs = LOOK_MS): void {
  const shareSince = cpuShares();
  let loop = performance.eventLoopUtilization();
  let looksOfWork = 0;
  const timer = setInterval(() => {
    const { utilization } = performance.eventLoopUtilization(loop);
    loop = performance.eventLoopUtilization();
    const works = shareSince() >= WORKING_SHARE || utilization >= BUSY_SHARE;
    looksOfWork = works ? looksOfWork + 1 : 0;
    if (works) compileWhatRunsOften();
    if (looksOfWork < LOOKS_OF_WORK || !hasMemory()) return;
    for (const flag of FOR_MUCH_WORK) setFlagsFromString(flag);
    clearInterval(timer);
  }, lookMs);
  timer.unref();
}
