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
  const waiting = waitingBytes();
  let timer: NodeJS.Timeout | undefined;
  let late = false;
  let used = false;

  const later = (milliseconds: number) => {
    timer ??= setTimeout(flush, milliseconds).unref();
  };
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    late = waiting.leave(send(waiting.bytes())) > 0;
    if (late) later(RETRY_MS);
  };
  const flushWithin = (milliseconds: number) => {
    const deadline = performance.now() + milliseconds;
    flush();
    while (late && performance.now() < deadline) {
      Atomics.wait(NOBODY, 0, 0, RETRY_MS);
      flush();
    }
  };
  return {
    ...TELL_LEVEL,
    write(this: { lastLevel: number }, line: string) {
      if (!used) process.once('exit', () => flushWithin(END_MS));
      used = true;
      const bytes = waiting.add(line);
      if (bytes > WAITING_MAX_BYTES) flushWithin(Number.POSITIVE_INFINITY);
      else if (this.lastLevel >= WARN || (bytes > FLUSH_BYTES && !late)) flush();
      else later(FLUSH_MS);
    },
  } as DestinationStream;
}

/** Nobody ever wakes who waits here. */
const NOBODY = new Int32Array(new SharedArrayBuffer(4));

/** What UTF-8 makes of one unit of a string at most. */
const BYTES_PER_UNIT = 3;

/** Lines as bytes at once: strings that wait would be copied by each garbage collection until they leave. */
function waitingBytes() {
  let buffer = Buffer.allocUnsafeSlow(2 * FLUSH_BYTES);
  let length = 0;
  const resize = (size: number) => {
    const other = Buffer.allocUnsafeSlow(size);
    buffer.copy(other, 0, 0, length);
    buffer = other;
  };
  return {
    bytes: () => buffer.subarray(0, length),
    /** How many bytes wait now. */
    add: (text: string): number => {
      const needed = length + BYTES_PER_UNIT * text.length;
      if (needed > buffer.length) resize(2 * needed);
      length += buffer.write(text, length);
      return length;
    },
    /** The first `count` bytes have left. How many wait still. */
    leave: (count: number): number => {
      buffer.copyWithin(0, count, length);
      length -= count;
      if (length <= FLUSH_BYTES && buffer.length > 2 * FLUSH_BYTES) resize(2 * FLUSH_BYTES);
      return length;
    },
  };
}

/** How many bytes went. When there is no reader any more, what was meant for it is nobody's. */
function send(bytes: Buffer): number {
  let sent = 0;
  try {
    while (sent < bytes.length) sent += writeSync(STANDARD_OUTPUT, bytes, sent);
    return sent;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EAGAIN' ? sent : bytes.length;
  }
}
