// The copies of ConfigMaps that releases refer to (objects/configuration.ts): there as long as a release needs them.
import { releaseInForce, releaseOnTrial } from '../../api/rollout.ts';
import { about, type Interrupt } from '../decision.ts';
import { inPhase, isReleaseComing, revisionOf, type Snapshot } from '../snapshot.ts';

const { act } = about('Ready');

/** Somebody deleted one: it is made again before a pod needs it. */
export const configuration: Interrupt = seen => {
  const record = seen.deployment?.record;
  const needed = record ? [releaseInForce(record), releaseOnTrial(record), record.stable] : [];
  const present = new Set(seen.configMaps);
  for (const hash of needed) {
    const release = revisionOf(seen, hash)?.release;
    const lost = release?.configMaps?.find(({ name }) => !present.has(name));
    if (!release || !lost || (isReleaseComing(seen) && !isStillHeld(seen, lost.name))) continue;
    return act(
      'ConfigurationRestored',
      `ConfigMap ${lost.name} of a release that is in use was deleted; it is made again from ${lost.source}`,
      { do: 'copyConfigMaps', release },
      'Warning',
    );
  }
  return undefined;
};

/** Its name is made of its content: the source holds it as long as the spec would make a copy of that name. */
const isStillHeld = ({ wanted }: Snapshot, copy: string): boolean =>
  wanted.known && (wanted.value.release.configMaps ?? []).some(({ name }) => name === copy);

/** Beside the stages: a copy goes with the last release that refers to it. */
export const configurationTidying: Interrupt = seen => {
  if (!inPhase(seen, 'Settled')) return undefined;
  // what a template names is in use, whatever else is known of its release
  const inUse = JSON.stringify(seen.revisions.map(({ release }) => release));
  const unused = seen.configMaps.find(name => !inUse.includes(`"${name}"`));
  if (unused === undefined || isBeingWrittenDown(seen)) return undefined;
  return act('AsExpected', `no release refers to ConfigMap ${unused} any more`, {
    do: 'deleteConfigMap',
    name: unused,
  });
};

/** The copies are made before the release that refers to them. */
const isBeingWrittenDown = (seen: Snapshot): boolean =>
  !seen.wanted.known || revisionOf(seen, seen.wanted.value.release.hash) === undefined;
