import { setTimeout as sleep } from 'node:timers/promises';

const LIMIT_MS = 600_000;
const LOOK_MS = 1_000;
/** Looks between two words about it. */
const TOLD = 10;

/**
 * @param not what is said when it does not come true
 * @throws Error after ten minutes
 */
export async function until(holds: () => Promise<boolean>, not: string, tell: () => void = () => {}): Promise<void> {
  const begunMs = performance.now();
  for (let count = 1; !(await holds()); count++) {
    if (performance.now() - begunMs > LIMIT_MS) throw new Error(`${not} within ${LIMIT_MS / 1_000} s`);
    if (count % TOLD === 0) tell();
    await sleep(LOOK_MS);
  }
}
