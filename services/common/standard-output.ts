import { type DestinationStream, pino } from 'pino';

/** How long a line may wait for others to leave together. */
const FLUSH_MS = 50;
const BUFFER_BYTES = 8_192;
/** Asks pino to set `lastLevel` before each line. */
const TELL_LEVEL = { [Symbol.for('pino.metadata')]: true, lastLevel: 0 };
/** pino's number for `warn` */
const WARN = 40;

/**
 * Lines for standard output. One write for each of them is a quarter of what a quick answer costs, so they leave
 * together, a moment later; from `warn` on at once, and whatever is left when the process ends.
 */
export function standardOutput(): DestinationStream {
  const output = pino.destination({ fd: 1, sync: true, minLength: BUFFER_BYTES });
  let timer: NodeJS.Timeout | undefined;
  let listening = false;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    output.flushSync();
  };
  return {
    ...TELL_LEVEL,
    write(this: { lastLevel: number }, line: string) {
      output.write(line);
      if (!listening) process.once('exit', flush);
      listening = true;
      if (this.lastLevel >= WARN) flush();
      else timer ??= setTimeout(flush, FLUSH_MS).unref();
    },
  } as DestinationStream;
}
