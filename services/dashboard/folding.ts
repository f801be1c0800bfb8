import type { Logger } from '../common/logging.ts';

const EVERY_MS = 60_000;

/**
 * Folds the changes into the summary tables, now and every minute. The figures do not depend on it, only how long they
 * take to read; so a failure is a warning, once until it works again. With several replicas the database lets one of
 * them work at a time.
 */
export function foldRegularly(fold: () => Promise<void>, logger: Logger, everyMs = EVERY_MS): { stop(): void } {
  let failing = false;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  const turn = async () => {
    try {
      await fold();
      failing = false;
    } catch (error) {
      if (!failing && !stopped) logger.warn({ err: error }, 'the summary tables could not be folded');
      failing = true;
    }
    if (!stopped) timer = setTimeout(turn, everyMs).unref();
  };
  void turn();
  return {
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
