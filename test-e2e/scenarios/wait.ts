import { sleep } from '../cluster/run.ts';

/**
 * Asks until there is an answer other than undefined and false. Throws after `seconds`, with what was waited for and
 * what `state` says was there instead.
 */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  { seconds = 60, everyMs = 250, state = () => '' }: { seconds?: number; everyMs?: number; state?: () => string } = {},
): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadline) throw new Error(`waited ${seconds} s for ${what}. ${state()}`.trim());
    await sleep(everyMs);
  }
}
