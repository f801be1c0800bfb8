// Beside the stages: a rotation that is held for longer than a minute is written down, once, whatever it is held by in turn.
// It is told first (status, event), and the status says since when: an operator that comes after knows that, too.
import { rotationId } from '../../api/incident.ts';
import { about, type Decision } from '../decision.ts';
import { heldRotation } from '../release/incident.ts';
import { iso, type Snapshot } from '../snapshot.ts';
import { WORDS } from './key-proof.ts';
import { isRotating } from './key-requests.ts';
import { heldKey, isHeld } from './rotation.ts';

const { act } = about('KeysCurrent');

/** What does not end within it is no hiccup. */
const LASTS_MS = 60_000;
/** Held since a time that is further ahead than this: a clock was wrong, and how long it lasts is not known. */
const CLOCK_SKEW_MS = 300_000;

/** `answer`: what the pass says of the keys. */
export function heldRecord(seen: Snapshot, answer: Decision | undefined): Decision | undefined {
  if (!answer || !isHeld(answer) || !seen.deployment) return undefined;
  const since = toldSince(seen);
  const held = heldKey(seen);
  if (since === undefined || !held) return undefined;
  const lasts = seen.now - since;
  if (lasts <= LASTS_MS && lasts >= -CLOCK_SKEW_MS) return undefined;
  const { key, to } = held;
  const from = isRotating(key) ? key.record.from : (key.record?.current ?? currentOf(key));
  const state = key.record?.state ?? 'Idle';
  const rotation = { key: key.name, state, from, ...(to !== undefined && { to }), since: iso(since) };
  const id = rotationId(rotation);
  if ((seen.standing ?? []).some(known => known.kind === 'keys' && known.rotation === id)) return undefined;
  if (wouldLeave(seen)) return undefined;
  const { reason, message } = answer.condition;
  const action = heldRotation(seen, rotation, reason, message);
  return act(reason, `it is written down that the rotation of the ${WORDS[key.name]} is held`, action);
}

/** All that is kept was written by a clock that was ahead: this one would be the oldest, taken away and written again. */
function wouldLeave({ incidents = [], standing = [], app, now }: Snapshot): boolean {
  const known = [...incidents, ...standing];
  return known.length >= app.spec.rollout.incidents.limit && known.every(({ at }) => Date.parse(at) > now);
}

/** The status says so already: whoever is told of it by an event was told. */
function toldSince({ app }: Snapshot): number | undefined {
  const told = (app.status?.conditions ?? []).find(({ type }) => type === 'KeysCurrent');
  const since = told?.reason === 'RotationHeld' ? Date.parse(told.lastTransitionTime) : Number.NaN;
  return Number.isNaN(since) ? undefined : since;
}

const currentOf = ({ content }: Snapshot['keys'][number]): string =>
  (content?.known ? content.value?.current : undefined) ?? '0';
