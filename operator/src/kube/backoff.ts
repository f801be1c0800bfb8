/** How waits grow from one failure to the next. */
export type Backoff = { baseMs: number; maxMs: number };

/** Doubles with every failure: 0 after none, `baseMs` after the first, never above `maxMs`. */
export function delayMs({ baseMs, maxMs }: Backoff, failures: number): number {
  if (failures <= 0) return 0;
  return Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 30));
}

/** Spreads a delay over 100 % to 150 % of itself: never sooner than asked, and not all clients at the same instant. */
export function jittered(ms: number, random: () => number = Math.random): number {
  return Math.round(ms * (1 + random() / 2));
}

/** What a timer can hold, almost 25 days: given more, it fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** A time for a timer that may come from outside: one that is too long fires too early, and never at once. */
export function timerMs(ms: number): number {
  return Math.min(ms, MAX_TIMER_MS);
}

/** Waits; rejects with the signal's reason when it is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const finish = () => {
      signal?.removeEventListener('abort', abort);
      resolve();
    };
    const timer = setTimeout(finish, timerMs(ms));
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', abort, { once: true });
  });
}
