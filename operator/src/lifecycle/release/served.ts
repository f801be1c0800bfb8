// Beside the stages: from when until when a release served everybody. Its end is the beginning of the next one, and known when that is stable; one
// that is gone back to serves anew.
import { ANNOTATIONS } from '../../objects/names.ts';
import { about, type Decision, type Interrupt } from '../decision.ts';
import { inPhase, type Revision, revisionOf } from '../snapshot.ts';

const { act } = about('Ready');

export const served: Interrupt = seen => {
  const record = seen.deployment?.record;
  if (!record || !inPhase(seen, 'Settled')) return undefined;
  const serving = revisionOf(seen, record.release);
  if (serving?.served?.to !== undefined)
    return written(serving, { from: record.since }, `serves since ${record.since}`);
  const past = seen.revisions.find(one => one !== serving && one.served && one.served.to === undefined);
  if (!past?.served) return undefined;
  const { from } = past.served;
  const later = seen.revisions
    .flatMap(one => one.served?.from ?? [])
    .filter(other => Date.parse(other) > Date.parse(from));
  const to = later.sort()[0] ?? record.since;
  return written(past, { from, to }, `served until ${to}`);
};

const written = ({ name }: Revision, when: NonNullable<Revision['served']>, words: string): Decision =>
  act('AsExpected', `${name} ${words}`, {
    do: 'annotateRevision',
    revision: name,
    set: { [ANNOTATIONS.served]: JSON.stringify(when) },
  });
