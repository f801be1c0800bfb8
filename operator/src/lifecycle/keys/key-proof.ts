// What pods say to the keys, and what is said to people while they do not say what they must.
import type { Condition } from '../../api/conditions.ts';
import type { KeyName } from '../../api/rotation.ts';
import { about, type Decision } from '../decision.ts';
import type { KeyProof, KeyringContent, KeyView, PodView, Snapshot } from '../snapshot.ts';
import { type Active, isHurried } from './key-requests.ts';

const { act, wait } = about('KeysCurrent');

/** A kubelet that does not look at the annotation brings a changed Secret within two minutes. */
const HOLD_AFTER_MS = 150_000;
const HELD_RECHECK_MS = 15_000;
const SOON_MS = 500;

export const WORDS: Readonly<Record<KeyName, string>> = {
  api: 'API key',
  signing: 'signing key',
  scrape: 'scrape token',
};

export const told = ({ name }: KeyView, { from, to }: Active): string =>
  `${WORDS[name]}: key ${to} is to replace key ${from}`;

/**
 * Pods that may get a request: ready ones, also on their way out, and those that may become ready. One that no node has
 * taken yet will mount what is in the Secret then. A leaked key waits only for those that can answer: one that crashes or
 * is out of the endpoints serves nobody, and finds the changed Secret when it comes back. One on its way out may still
 * hold connections, until it should be gone.
 */
export const concerned = ({ pods, now }: Snapshot, hurried: boolean): readonly PodView[] =>
  pods.filter(({ ready, deleting, goneBy = 0, ended, unschedulable }) => {
    if (hurried) return ready && (!deleting || now < goneBy);
    return ready || (!deleting && !ended && unschedulable === undefined);
  });

export function sync(seen: Snapshot, { keyring }: KeyView, { ids, current }: KeyringContent): Decision | undefined {
  const keys = `${keyring} ${[...ids].sort().join('+')} current ${current}`;
  const behind = seen.pods.filter(pod => !pod.deleting && pod.keys !== keys).map(({ name }) => name);
  if (behind.length === 0) return undefined;
  return act('KeysRotating', `${behind.length} pods are told of the changed keys`, {
    do: 'syncPods',
    pods: behind,
    keys,
  });
}

/** While the pods are asked once more, what was found before stands: its age is what people are alarmed by. */
function stillSaid({ app }: Snapshot, key: KeyView, record: Active): Decision | undefined {
  const { reason, message = '' } = app.status.conditions?.find(({ type }) => type === 'KeysCurrent') ?? {};
  if (reason === 'RotationHeld') return heldNow(message, SOON_MS);
  const isOfPod = reason === 'KeysRotating' && message.startsWith(`${told(key, record)}: pod `);
  return isOfPod ? wait('KeysRotating', message, SOON_MS) : undefined;
}

/** What is not as it must be with the answers of one pod; undefined when all is well. */
type Demand = (answers: KeyProof, record: Active) => string | undefined;

export const acceptsNew: Demand = ({ fresh }) => (fresh === 'accepted' ? undefined : 'does not accept the new key');
export const acceptsBoth: Demand = (answers, record) =>
  answers.old === 'refused' ? 'does not accept the old key' : acceptsNew(answers, record);
export const signsWithNew: Demand = (answers, record) =>
  acceptsNew(answers, record) ?? (answers.current === record.to ? undefined : 'does not sign with the new key');
export const refusesOld: Demand = (answers, record) =>
  acceptsNew(answers, record) ?? (answers.old === 'accepted' ? 'still accepts the old key' : undefined);

export function proof(seen: Snapshot, key: KeyView, record: Active, demand: Demand): Decision | undefined {
  const { proofs } = key;
  if (!proofs)
    return (
      stillSaid(seen, key, record) ?? wait('KeysRotating', `${told(key, record)}: the pods are being asked`, SOON_MS)
    );
  const answers = new Map(proofs.map(answer => [answer.uid, answer]));
  const hurried = isHurried(seen.app, key, record);
  const pods = [...concerned(seen, hurried)].sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const pod of pods) {
    if (isOpen(answers.get(pod.uid))) return heldNow(openTo(key, record, pod.name));
  }
  for (const pod of pods) {
    const given = answers.get(pod.uid);
    if (hurried && pod.deleting && !isClear(given)) continue; // nor does it answer callers
    const fault = faultOf(given, record, demand);
    if (fault !== undefined) return unproven(seen, key, record, `pod ${pod.name} ${fault}`);
  }
  return undefined;
}

const isOpen = (answers: KeyProof | undefined): boolean =>
  answers?.bogus === 'accepted' || answers?.none === 'accepted';

const isClear = (given: KeyProof | undefined): boolean =>
  given !== undefined && ![given.fresh, given.old, given.bogus, given.none].includes('unclear');

function faultOf(answers: KeyProof | undefined, record: Active, demand: Demand): string | undefined {
  if (!answers) return 'could not be asked yet';
  if (!isClear(answers)) return `gives no clear answer: ${answers.why ?? 'unknown'}`;
  return demand(answers, record);
}

export function unproven(seen: Snapshot, key: KeyView, record: Active, fault: string): Decision {
  const waited = seen.now - askedSince(record, seen.now);
  if (waited < HOLD_AFTER_MS && waited >= 0)
    return wait('KeysRotating', `${told(key, record)}: ${fault}`, waited < 10_000 ? SOON_MS : 2_000);
  return heldNow(
    `${told(key, record)}: ${fault}; ${SAFE[record.state === 'Revoking' ? 'Revoking' : 'before']} Mend or delete that pod and the rotation goes on by itself`,
  );
}

/** While both are accepted nobody asks: the wait for a proof begins when that is over. */
function askedSince({ state, since, previousUntil = since }: Active, now: number): number {
  const over = Date.parse(previousUntil);
  return state === 'Draining' && over <= now ? Math.max(Date.parse(since), over) : Date.parse(since);
}

const SAFE = {
  before: 'both keys stay valid, no caller is cut off.',
  Revoking: 'callers hold the new key, and every pod accepted it before the old one left.',
} as const;

const openTo = (key: KeyView, record: Active, pod: string): string =>
  `${told(key, record)}: pod ${pod} lets everybody in, with a made-up key or none: authentication is off there. Nothing further is revoked; mend the image or its configuration and the rotation goes on by itself`;

export function heldNow(message: string, recheckMs = HELD_RECHECK_MS): Decision {
  const condition: Condition = { type: 'KeysCurrent', status: 'False', reason: 'RotationHeld', message };
  return { kind: 'wait', recheckMs, condition };
}
