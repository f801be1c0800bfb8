// By which public names users are let in, and which of them the pods know.
import type { AppResource } from './resource.ts';
import { type Release, type RolloutRecord, servingReleases } from './rollout.ts';

/** Public names that pods of this spec know. */
export const knownHosts = ({ spec: { exposure } }: AppResource): readonly string[] =>
  exposure.type === 'None' ? [] : exposure.hosts;

/**
 * Hosts of the spec that every release that serves now knows: others would be answered 400, or shown what is not
 * theirs. One that is added waits for its release, one that is removed is dropped at once. A spec that would leave none
 * of the names by which users come is refused (`HostsDisjoint`), so they keep them.
 */
export function routedHosts(
  app: AppResource,
  record: RolloutRecord | undefined,
  releases: (hash: string) => Release | undefined,
): readonly string[] {
  const named = knownHosts(app);
  if (!record || named.length === 0) return [];
  const [first = [], ...others] = servingReleases(record).map(hash => releases(hash)?.hosts ?? []);
  const known = first.filter(host => others.every(hosts => hosts.includes(host)));
  const routed = named.filter(host => known.includes(host));
  return routed.length > 0 ? routed : known;
}
