import { writeSync } from 'node:fs';
import type { DestinationStream } from 'pino';

/** How long a line may wait for others to leave together. */
const FLUSH_MS = 50;
const FLUSH_BYTES = 32_768;
/** How soon a reader that was too slow is tried again. */
const RETRY_MS = 5;
/** Beyond this the process waits for its reader: lines are late rather than lost, and memory is bounded. */
const WAITING_MAX_BYTES = 1_024 * 1_024;
/** How long a process that ends waits for a reader that does not read. */
const END_MS = 2_000;
/** pino's number for `warn` */
const WARN = 40;
/** Asks pino to set `lastLevel` before each line. */
const TELL_LEVEL = { [Symbol.for('pino.metadata')]: true, lastLevel: 0 };
const STANDARD_OUTPUT = 1;

/**
 * Lines for standard output. One write for each of them is a quarter of what a quick answer costs, so they leave
 * together, a moment later; from `warn` on at once, and whatever is left when the process ends. A reader that is slow
 * holds up no request: node makes pipes non-blocking, and pino's own stream would stand still for 100 ms at a time.
 */
export function standardOutput(): DestinationStream {
  let lines: string[] = [];
  let bytes = 0;
  let timer: NodeJS.Timeout | undefined;
  let unsent: Buffer = Buffer.alloc(0);
  let used = false;

  const later = (milliseconds: number) => {
    timer ??= setTimeout(flush, milliseconds).unref();
  };
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    unsent = send(Buffer.concat([unsent, Buffer.from(lines.join(''))]));
    lines = [];
    bytes = unsent.length;
    if (bytes > 0) later(RETRY_MS);
  };
  const flushWithin = (milliseconds: number) => {
    const deadline = performance.now() + milliseconds;
    flush();
    while (unsent.length > 0 && performance.now() < deadline) {
      Atomics.wait(NOBODY, 0, 0, RETRY_MS);
      flush();
    }
  };
  return {
    ...TELL_LEVEL,
    write(this: { lastLevel: number }, line: string) {
      if (!used) process.once('exit', () => flushWithin(END_MS));
      used = true;
      lines.push(line);
      bytes += line.length;
      if (bytes > WAITING_MAX_BYTES) flushWithin(Number.POSITIVE_INFINITY);
      else if (this.lastLevel >= WARN || (bytes > FLUSH_BYTES && unsent.length === 0)) flush();
      else later(FLUSH_MS);
    },
  } as DestinationStream;
}

/** Nobody ever wakes who waits here. */
const NOBODY = new Int32Array(new SharedArrayBuffer(4));

/** What could not be sent yet. When there is no reader any more, what was meant for it is nobody's. */
function send(buffer: Buffer): Buffer {
  let rest = buffer;
  try {
    while (rest.length > 0) rest = rest.subarray(writeSync(STANDARD_OUTPUT, rest));
    return rest;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EAGAIN' ? rest : Buffer.alloc(0);
  }
}
