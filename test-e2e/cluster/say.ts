// Progress goes to the standard error output: the standard output belongs to answers.
const started = performance.now();

/** Seconds since `since` (a `performance.now()` reading), as people read them: `4.7 s`, `3 min 20 s`. */
export const elapsed = (since: number): string => {
  const seconds = (performance.now() - since) / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
};

/** One line of progress, with the time since the program started. */
export const say = (message: string): void => {
  process.stderr.write(`[${elapsed(started).padStart(6)}] ${message}\n`);
};

/** Runs `work`, says when it is done and how long it took, and every 15 s that it still runs. */
export const step = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
  const since = performance.now();
  const reminder = setInterval(() => say(`${what} … ${elapsed(since)}`), 15_000);
  try {
    const result = await work();
    say(`${what}: ${elapsed(since)}`);
    return result;
  } finally {
    clearInterval(reminder);
  }
};
