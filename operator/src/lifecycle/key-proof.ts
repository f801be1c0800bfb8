// What pods say to the keys, and what is said to people while they do not say what they must.
import type { Condition } from '../api/conditions.ts';
import type { KeyName } from '../api/rotation.ts';
import { about, type Decision } from './decision.ts';
import type { Active } from './key-requests.ts';
import type { KeyProof, KeyringContent, KeyView, PodView, Snapshot } from './snapshot.ts';

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
 * taken yet will mount what is in the Secret then.
 */
const concerned = ({ pods }: Snapshot): readonly PodView[] =>
  pods.filter(({ ready, deleting, unschedulable }) => ready || (!deleting && unschedulable === undefined));

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
  if (!proofs) return wait('KeysRotating', `${told(key, record)}: the pods are being asked`, SOON_MS);
  const answers = new Map(proofs.map(answer => [answer.uid, answer]));
  const pods = [...concerned(seen)].sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const pod of pods) {
    if (isOpen(answers.get(pod.uid))) return heldNow(openTo(key, record, pod.name));
  }
  for (const pod of pods) {
    const fault = faultOf(answers.get(pod.uid), record, demand);
    if (fault !== undefined) return unproven(seen, key, record, `pod ${pod.name} ${fault}`);
  }
  return undefined;
}

const isOpen = (answers: KeyProof | undefined): boolean =>
  answers?.bogus === 'accepted' || answers?.none === 'accepted';

function faultOf(answers: KeyProof | undefined, record: Active, demand: Demand): string | undefined {
  if (!answers) return 'could not be asked yet';
  const { fresh, old, bogus, none, why } = answers;
  if ([fresh, old, bogus, none].includes('unclear')) return `gives no clear answer: ${why ?? 'unknown'}`;
  return demand(answers, record);
}

function unproven(seen: Snapshot, key: KeyView, record: Active, fault: string): Decision {
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

export function heldNow(message: string): Decision {
  const condition: Condition = { type: 'KeysCurrent', status: 'False', reason: 'RotationHeld', message };
  return { kind: 'wait', recheckMs: HELD_RECHECK_MS, condition };
}
