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

/** Waits; rejects with the signal's reason when it is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const finish = () => {
      signal?.removeEventListener('abort', abort);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', abort, { once: true });
  });
}
