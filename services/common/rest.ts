const REST_MS = 1_000;

/**
 * Asks something that may be down. After a failure it is left alone for a second, and callers get the same failure at
 * once, lest each of them wait for a timeout of his own.
 */
export function restAfterFailure<Args extends readonly unknown[], Result>(
  ask: (...args: Args) => Promise<Result>,
  onFailure: (error: unknown) => void = () => undefined,
  now: () => number = () => performance.now(),
): (...args: Args) => Promise<Result> {
  let last: { readonly error: unknown; readonly until: number } | undefined;
  return async (...args) => {
    if (last !== undefined && now() < last.until) throw last.error;
    try {
      return await ask(...args);
    } catch (error) {
      last = { error, until: now() + REST_MS };
      onFailure(error);
      throw error;
    }
  };
}
