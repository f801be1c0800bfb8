// Runbook, "Checklist de producción": Secrets are provisioned from outside and named by the spec.
//   a. every Secret and ConfigMap named in the spec is there, with the key that is asked for
//   b. their content could be read (its hash is part of the release)
// A rollout that has begun goes on without them: its pods run already.
import { about, type Stage } from './decision.ts';
import { inFlight } from './snapshot.ts';

const { concede, proceed, wait } = about('DependenciesReady');

export const dependencies: Stage = seen => {
  const [first] = seen.missing;
  const stop = inFlight(seen) ? concede : wait;
  if (first) return stop(first.reason, allOf(seen.missing.map(({ message }) => message)), 60_000);
  if (!seen.wanted.known) return stop('DependencyUnreadable', seen.wanted.why, 5_000);
  return proceed('DependenciesPresent', 'every Secret and ConfigMap that the spec names is there');
};

const allOf = (messages: readonly string[]) => `${messages.join('; ')}; mend it and the release goes on by itself`;
