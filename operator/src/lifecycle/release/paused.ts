// Nothing new begins while spec.paused is true. A regression was looked at before: it is still rolled back.
import { about, type Interrupt } from '../decision.ts';
import { hasNewRelease, inPhase } from '../snapshot.ts';

const { wait } = about('Ready');

export const paused: Interrupt = seen => {
  if (!seen.app.spec.paused) return undefined;
  const settled = inPhase(seen, 'Settled') && !hasNewRelease(seen);
  if (settled) return undefined;
  return wait('Paused', 'spec.paused is true; set it to false to go on', 300_000);
};
