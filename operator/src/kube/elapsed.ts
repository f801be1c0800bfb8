/** Milliseconds by a clock that nobody sets. Not by `performance`, which a short command would load for nothing else. */
export function elapsedMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1_000_000;
}
