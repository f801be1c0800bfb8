// Runbook, "Checklist de producción": Secrets are provisioned from outside and named by the spec.
//   a. every Secret and ConfigMap named in the spec is there, with the key that is asked for
//   b. the seed with which their content goes into the release's hash is there
//   c. their content could be read (its hash is part of the release)
// A rollout that has begun goes on without them: its pods run already. Who applies everything at once makes them within
// moments; what is still missing after two minutes waits for a person.
import { about, type Decision, type Stage } from '../decision.ts';
import { inFlight, type Snapshot } from '../snapshot.ts';

const { act, concede, fail, proceed, wait } = about('DependenciesReady');

export const dependencies: Stage = seen => {
  const [first] = seen.missing;
  const stop = inFlight(seen) ? concede : wait;
  if (first) {
    const message = allOf(seen.missing.map(one => one.message));
    const leftMs = graceLeftMs(seen);
    if (leftMs <= 0 && !inFlight(seen)) return fail(first.reason, message);
    return stop(first.reason, message, Math.min(60_000, Math.max(1_000, leftMs)));
  }
  if (seen.lacksSeed !== undefined && !inFlight(seen)) return minting();
  if (!seen.wanted.known) return stop('DependencyUnreadable', seen.wanted.why, 5_000);
  return proceed('DependenciesPresent', 'every Secret and ConfigMap that the spec names is there');
};

const minting = (): Decision => act('Minting', 'the seed of its releases’ hashes is being made', { do: 'mintSeed' });

/**
 * Beside a rollout that has begun, or what holds it: without it no newer spec is known that could replace a bad release.
 * What is left of it comes back as it was. Where nothing is left another one is made, with which every release has another
 * hash: only where nothing would happen any more.
 */
export function seedAgain({ lacksSeed, app }: Snapshot, answer: Decision | undefined): Decision | undefined {
  if (lacksSeed === undefined || app.metadata.deletionTimestamp !== undefined) return undefined;
  return lacksSeed === 'copy' || answer?.kind === 'fail' ? minting() : undefined;
}

const GRACE_MS = 120_000;

/** By the status, which says since when they are not there. A person who was called is not called off by a restart. */
function graceLeftMs({ app, now }: Snapshot): number {
  const said = app.status.conditions?.find(({ type }) => type === 'DependenciesReady');
  if (!said || said.status === 'True') return GRACE_MS;
  return said.status === 'False' ? 0 : GRACE_MS - (now - (Date.parse(said.lastTransitionTime) || now));
}

const allOf = (messages: readonly string[]) => `${messages.join('; ')}; mend it and the release goes on by itself`;
