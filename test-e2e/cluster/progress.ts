// How far a long build is, and what is left of it.
import { say } from './say.ts';

const CELLS = 24;
const REDRAW_MS = 500;
/** Where nobody sees a line drawn over: in a log, one line each so often. */
const LINE_MS = 15_000;
/** Below this share the speed of what was done says little about what is left. */
const TELLING = 0.05;

export interface Progress {
  readonly done: number;
  readonly total: number;
  readonly elapsedMs: number;
}

/** `######------------------  25 %, about 6 min left`; what is left is reckoned from the speed so far. */
export function progressBar({ done, total, elapsedMs }: Progress): string {
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const full = Math.floor(share * CELLS);
  const bar = `${'#'.repeat(full)}${'-'.repeat(CELLS - full)} ${String(Math.floor(share * 100)).padStart(3)} %`;
  return share < TELLING ? bar : `${bar}, ${left((elapsedMs * (1 - share)) / share)}`;
}

function left(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 1) return 'done';
  return seconds < 90 ? `about ${seconds} s left` : `about ${Math.round(seconds / 60)} min left`;
}

/** Shows progress on a terminal as one line that is drawn over, elsewhere as a line every quarter of a minute. */
export class ProgressDisplay {
  readonly #since = performance.now();
  readonly #total: number;
  readonly #terminal = process.stderr.isTTY === true;
  #drawnAt = this.#since;

  constructor(total: number) {
    this.#total = total;
  }

  /** `done` of the total so far, while `what` is under way. */
  show(what: string, done: number): void {
    const now = performance.now();
    if (now - this.#drawnAt < (this.#terminal ? REDRAW_MS : LINE_MS)) return;
    this.#drawnAt = now;
    const line = `${progressBar({ done, total: this.#total, elapsedMs: now - this.#since })}  ${what}`;
    if (this.#terminal) process.stderr.write(`\r\x1b[2K${line.slice(0, (process.stderr.columns ?? 80) - 1)}`);
    else say(line);
  }

  /** Takes the line away, so that others can be written. */
  clear(): void {
    if (this.#terminal) process.stderr.write('\r\x1b[2K');
  }
}
