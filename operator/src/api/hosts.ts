// By which public names users are let in, and which of them the pods know.
import type { AppResource } from './resource.ts';
import { type Release, type RolloutRecord, releaseInForce, servingReleases } from './rollout.ts';

/** Public names that pods of this spec know. */
export const knownHosts = ({ spec: { exposure } }: AppResource): readonly string[] =>
  exposure.type === 'None' ? [] : exposure.hosts;

/** No host by which users come is among them: such a change is refused, and users keep the names that they know. */
export const isAnotherPlace = (hosts: readonly string[], serving: readonly string[]): boolean =>
  hosts.length > 0 && serving.length > 0 && !hosts.some(host => serving.includes(host));

/**
 * Hosts of the spec that every release that serves now knows: others would be answered 400, or shown what is not
 * theirs. One that is added waits for its release, one that is removed is dropped at once; but not the last one.
 */
export function routedHosts(
  app: AppResource,
  record: RolloutRecord | undefined,
  releases: (hash: string) => Release | undefined,
): readonly string[] {
  if (!record) return [];
  const wanted = knownHosts(app);
  const serving = releases(releaseInForce(record))?.hosts ?? [];
  const known = servingReleases(record).map(hash => releases(hash)?.hosts ?? []);
  return (isAnotherPlace(wanted, serving) ? serving : wanted).filter(host => known.every(of => of.includes(host)));
}
