// Runbook, "Rotación de API Keys": afterwards the old key is 401, the new one 200, and requests are still counted. The
// script of old cut every client off between the two. Here: expand, switch, contract, and every pod is asked before the
// next step.
//
//   Idle        due: by the clock or because a person asked; one write puts key N+1 beside key N
//   Accepting   every pod that may get a request accepts N and N+1, and refuses a bogus key and no key
//   Switching   clients are given N+1, and told until when N lives
//   Draining    until then both are accepted (immediate: no longer than this takes)
//   Revoking    N left the keyring with one write; every pod refuses it and accepts N+1
//
// What cannot be proven is waited for, and after a while said to people (RotationHeld): it never breaks a client, both
// keys are accepted meanwhile. One rotation at a time per resource.
import type { Condition } from '../api/conditions.ts';
import type { AppResource } from '../api/resource.ts';
import type { KeyName, Rotation, RotationRecord, RotationState } from '../api/rotation.ts';
import { ANNOTATIONS } from '../objects/names.ts';
import { about, type Decision, type Interrupt } from './decision.ts';
import { dueAt } from './schedule.ts';
import {
  hasNewRelease,
  inFlight,
  inPhase,
  iso,
  type KeyProof,
  type KeyringContent,
  type KeyView,
  type PodView,
  type Snapshot,
} from './snapshot.ts';

const { act, wait } = about('KeysCurrent');

/** A kubelet that does not look at the annotation brings a changed Secret within two minutes. */
const HOLD_AFTER_MS = 150_000;
const HELD_RECHECK_MS = 15_000;
const SOON_MS = 500;
const MAX_RECHECK_MS = 3_600_000;
const DEFAULT_OVERLAP_SECONDS = 86_400;

type Active = RotationRecord & { readonly from: string; readonly to: string };

/** Beside the stages, and after them: undefined when no key has anything to wait for. */
export const rotation: Interrupt = seen => {
  const active = seen.keys.find(isRotating);
  if (active) return step(seen, active, active.record);
  let next: Decision | undefined;
  for (const key of seen.keys) {
    const decision = atRest(seen, key);
    if (decision && decision.kind !== 'wait') return decision;
    next = sooner(next, decision);
  }
  return next;
};

/** A key leaked: nothing is waited for but that there is a key to replace. */
export function isEmergency({ app, keys }: Snapshot): boolean {
  if (app.metadata.deletionTimestamp !== undefined) return false;
  if (keys.some(({ keyringPresent, clientPresent, foreign }) => !keyringPresent || !clientPresent || foreign))
    return false;
  return keys.some(key =>
    isRotating(key) ? isHurried(app, key, key.record) : isImmediate(app) && isRequested(app, key),
  );
}

const isRotating = (key: KeyView): key is KeyView & { record: Active } =>
  key.record !== undefined && key.record.state !== 'Idle';

/** What is wrong has the word before what is merely due later. */
function sooner(a: Decision | undefined, b: Decision | undefined): Decision | undefined {
  if (a?.kind !== 'wait' || b?.kind !== 'wait') return a ?? b;
  const word = a.condition.status === 'True' ? b : a;
  return { ...word, recheckMs: Math.min(a.recheckMs, b.recheckMs) };
}

// ---- what is wanted

export const rotationOf = (app: AppResource, name: KeyName): Rotation | undefined => {
  if (name === 'scrape') return app.spec.scrapeToken?.rotation;
  return app.kind === 'DashboardDeployment' ? app.spec.apiKey?.rotation : app.spec.signingKey?.rotation;
};

/** The annotation by which a person asks for another key: whatever its value is, another value asks again. */
export const requestOf = ({ metadata }: AppResource, name: KeyName): string | undefined =>
  metadata.annotations[name === 'scrape' ? ANNOTATIONS.rotateScrapeToken : ANNOTATIONS.rotate] || undefined;

const isImmediate = ({ metadata }: AppResource): boolean =>
  metadata.annotations[ANNOTATIONS.rotateMode] === 'immediate';

const isRequested = (app: AppResource, { name, record }: KeyView): boolean => {
  const request = requestOf(app, name);
  return request !== undefined && request !== record?.request;
};

/** When the clock asks for the next key of this kind. */
export const clockOf = (app: AppResource, { name, record, createdAt }: KeyView, now: number) =>
  dueAt(
    rotationOf(app, name),
    record?.lastRotationTime === undefined ? (createdAt ?? now) : Date.parse(record.lastRotationTime),
    `${app.metadata.uid}/${name}`,
    now,
  );

/** Whether the pods must be asked for this pass. */
export const needsProofs = (app: AppResource, key: KeyView, now: number): boolean => {
  if (!isRotating(key)) return false;
  switch (key.record.state) {
    case 'Idle':
      return false;
    case 'Draining':
      return isDrained(app, key, key.record, now);
    case 'Switching':
      return key.name === 'signing';
    case 'Accepting':
    case 'Revoking':
      return true;
  }
};

// ---- Idle

/**
 * The record of a keyring that is made. Whoever asks for another key together with the first one has it; a keyring that
 * comes back remembers from the status what was asked and done before.
 */
export function firstRecord(
  { app, now }: Snapshot,
  name: KeyName,
  current: string,
  comesBack: boolean,
): RotationRecord {
  const before = comesBack ? app.status.keys?.find(key => key.name === name) : undefined;
  const done = before?.state === 'Idle' ? before.request : undefined;
  const request = comesBack ? done : requestOf(app, name);
  return {
    state: 'Idle',
    current,
    since: iso(now),
    ...(request !== undefined && { request }),
    ...(before?.lastRotationTime !== undefined && { lastRotationTime: before.lastRotationTime }),
  };
}

function atRest(seen: Snapshot, key: KeyView): Decision | undefined {
  const { app, now } = seen;
  const lost = lostAtRest(seen, key);
  if (lost) return lost;
  if (isRequested(app, key)) return mayBegin(seen, isImmediate(app)) ? begin(seen, key) : asked(key);
  const clock = clockOf(app, key, now);
  if (clock.kind === 'never' || rotationOf(app, key.name)?.suspend) return undefined;
  if (clock.kind === 'invalid')
    return heldNow(`the schedule of the ${WORDS[key.name]} is of no use: ${clock.why}; mend it in the spec`);
  if (clock.opensAt > now) return rest(clock.opensAt - now);
  return mayBegin(seen, false) ? begin(seen, key) : rest(60_000);
}

/** Somebody took out of the keyring what clients hold. */
function lostAtRest({ now }: Snapshot, key: KeyView): Decision | undefined {
  const { keyring, content, record } = key;
  if (!content?.known || key.client === undefined) return undefined;
  if (!content.value) return unreadable(keyring);
  const { ids, clientId } = content.value;
  if (clientId === undefined || ids.includes(clientId)) return undefined;
  return act(
    'KeysRotating',
    `${WORDS[key.name]}: somebody took key ${clientId} out of Secret ${keyring}; it is put back`,
    {
      do: 'rotateKey',
      keyring,
      change: 'restore',
      record: { state: 'Idle', since: iso(now), ...record, current: clientId },
    },
    'Warning',
  );
}

const asked = ({ name }: KeyView): Decision =>
  wait(
    'KeysRotating',
    `${WORDS[name]}: another one was asked for; it begins when no release is on its way and nothing is paused`,
    30_000,
  );

const rest = (ms: number): Decision => ({
  kind: 'wait',
  recheckMs: Math.min(Math.max(ms, SOON_MS), MAX_RECHECK_MS),
  condition: { type: 'KeysCurrent', status: 'True', reason: 'KeysMinted', message: 'every key is there' },
});

/** Not during a rollout: two things that change at once are two suspects. A leaked key does not wait for that. */
function mayBegin(seen: Snapshot, immediate: boolean): boolean {
  if (!seen.deployment) return false;
  return immediate || (inPhase(seen, 'Settled') && !hasNewRelease(seen) && !seen.app.spec.paused);
}

function begin(seen: Snapshot, key: KeyView): Decision {
  const content = contentOf(key);
  if ('kind' in content) return content;
  const { app, now } = seen;
  const from = content.current;
  const to = nextId(content.ids);
  const request = isRequested(app, key) ? requestOf(app, key.name) : key.record?.request;
  const mode = isRequested(app, key) && isImmediate(app) ? 'immediate' : 'graceful';
  const { lastRotationTime } = key.record ?? {};
  return act(
    'KeysRotating',
    `${WORDS[key.name]}: key ${to} is to replace key ${from} (${mode})`,
    {
      do: 'rotateKey',
      keyring: key.keyring,
      change: 'add',
      record: {
        state: 'Accepting',
        current: from,
        from,
        to,
        mode,
        since: iso(now),
        ...(request !== undefined && { request }),
        ...(lastRotationTime !== undefined && { lastRotationTime }),
      },
    },
    'Normal',
  );
}

/** Ids count up; one that a person chose otherwise is left alone. */
const nextId = (ids: readonly string[]): string =>
  String(1 + Math.max(0, ...ids.filter(id => /^\d{1,9}$/.test(id)).map(Number)));

const WORDS: Readonly<Record<KeyName, string>> = { api: 'API key', signing: 'signing key', scrape: 'scrape token' };

// ---- under way

function step(seen: Snapshot, key: KeyView, record: Active): Decision {
  const content = contentOf(key);
  if ('kind' in content) return content;
  // the keys of a release on trial stay as they are; an emergency goes on
  if (inFlight(seen) && !isHurried(seen.app, key, record))
    return wait('KeysRotating', `${told(key, record)}: it goes on when the rollout has ended`, 5_000);
  return repair(seen, key, record, content) ?? STEPS[record.state](seen, key, record, content);
}

type Step = (seen: Snapshot, key: KeyView, record: Active, content: KeyringContent) => Decision;

const STEPS: Readonly<Record<RotationState, Step>> = {
  Idle: () => rest(MAX_RECHECK_MS),

  Accepting: (seen, key, record, content) =>
    sync(seen, key, content) ??
    proof(seen, key, record, acceptsBoth) ??
    act('KeysRotating', `${told(key, record)}: every pod accepts both`, {
      do: 'rotateKey',
      keyring: key.keyring,
      change: 'switch',
      record: { ...record, state: 'Switching', current: record.to, since: iso(seen.now) },
    }),

  Switching: (seen, key, record, content) => {
    const signs =
      key.name === 'signing' ? (sync(seen, key, content) ?? proof(seen, key, record, signsWithNew)) : undefined;
    return signs ?? handOver(seen, key, record, content) ?? drain(seen, key, record);
  },

  Draining: (seen, key, record, content) => {
    const again = handOver(seen, key, record, content);
    if (again) return again;
    if (!isDrained(seen.app, key, record, seen.now)) return drains(seen, key, record);
    return proof(seen, key, record, acceptsNew) ?? revoke(seen, key, record);
  },

  Revoking: (seen, key, record, content) => {
    if (content.ids.length > 1) return revoke(seen, key, record); // somebody put one back
    return sync(seen, key, content) ?? proof(seen, key, record, refusesOld) ?? finish(seen, key, record);
  },
};

/** Somebody else's edit: what clients may hold is put back, and the proof begins anew. */
function repair(seen: Snapshot, key: KeyView, record: Active, { ids, clientId }: KeyringContent): Decision | undefined {
  const lacksNew = !ids.includes(record.to);
  const lacksHeld = record.state !== 'Revoking' && !ids.includes(record.from) && clientId === record.from;
  if (!lacksNew && !lacksHeld) return undefined;
  const lost = [lacksNew ? record.to : [], lacksHeld ? record.from : []].flat().join(' and ');
  return act(
    'KeysRotating',
    `${WORDS[key.name]}: somebody took key ${lost} out of Secret ${key.keyring}; it is put back`,
    {
      do: 'rotateKey',
      keyring: key.keyring,
      change: 'restore',
      record: { ...record, state: 'Accepting', since: iso(seen.now) },
    },
    'Warning',
  );
}

function handOver(seen: Snapshot, key: KeyView, record: Active, { clientId }: KeyringContent): Decision | undefined {
  if (key.client === undefined || clientId === record.to) return undefined;
  const previousUntil = record.previousUntil ?? endOfOverlap(seen, key, record);
  return act(
    'KeysRotating',
    `${WORDS[key.name]}: Secret ${key.client} holds key ${record.to} now; key ${record.from} is accepted until ${previousUntil}`,
    { do: 'handOverKey', keyring: key.keyring, client: key.client, keyId: record.to, previousUntil },
    'Normal',
  );
}

const drain = (seen: Snapshot, key: KeyView, record: Active): Decision =>
  act('KeysRotating', `${told(key, record)}: it was given out`, {
    do: 'rotateKey',
    keyring: key.keyring,
    record: {
      ...record,
      state: 'Draining',
      since: iso(seen.now),
      previousUntil: record.previousUntil ?? endOfOverlap(seen, key, record),
    },
  });

function endOfOverlap({ app, now }: Snapshot, key: KeyView, record: Active): string {
  if (isHurried(app, key, record)) return iso(now);
  return iso(now + 1000 * (rotationOf(app, key.name)?.overlapSeconds ?? DEFAULT_OVERLAP_SECONDS));
}

/** A request for an immediate rotation hurries the one that is under way, too; its own comes after it. */
const isHurried = (app: AppResource, key: KeyView, record: Active): boolean =>
  record.mode === 'immediate' || (isImmediate(app) && isRequested(app, key));

const isDrained = (app: AppResource, key: KeyView, record: Active, now: number): boolean =>
  isHurried(app, key, record) || now >= Date.parse(record.previousUntil ?? record.since);

function drains({ now }: Snapshot, key: KeyView, record: Active): Decision {
  const until = record.previousUntil ?? record.since;
  const ms = Math.max(SOON_MS, Math.min(Date.parse(until) - now, MAX_RECHECK_MS));
  return wait(
    'KeysRotating',
    `${told(key, record)}: callers were given it; the old key is accepted until ${until}`,
    ms,
  );
}

const revoke = (seen: Snapshot, key: KeyView, record: Active): Decision =>
  act('KeysRotating', `${told(key, record)}: the old key leaves`, {
    do: 'rotateKey',
    keyring: key.keyring,
    change: 'revoke',
    record: { ...record, state: 'Revoking', since: iso(seen.now) },
  });

const finish = (seen: Snapshot, { name, keyring }: KeyView, { to, from, request, previousUntil }: Active): Decision =>
  act(
    'KeyRotated',
    `${WORDS[name]}: key ${to} replaced key ${from}; every pod accepts it and refuses the old one`,
    {
      do: 'rotateKey',
      keyring,
      change: 'finish',
      record: {
        state: 'Idle',
        current: to,
        since: iso(seen.now),
        lastRotationTime: iso(seen.now),
        ...(request !== undefined && { request }),
        ...(previousUntil !== undefined && { previousUntil }),
      },
    },
    'Normal',
  );

// ---- facts, and what is said while they are not there

const told = ({ name }: KeyView, { from, to }: Active): string => `${WORDS[name]}: key ${to} is to replace key ${from}`;

function contentOf({ keyring, content }: KeyView): KeyringContent | Decision {
  if (!content) return wait('KeysRotating', `Secret ${keyring} is being read`, SOON_MS);
  if (!content.known) return wait('KeysRotating', `Secret ${keyring} could not be read: ${content.why}`, 2_000);
  return content.value ?? unreadable(keyring);
}

const unreadable = (keyring: string): Decision =>
  heldNow(
    `Secret ${keyring} holds no keyring that can be read; delete it and it comes back with the key that callers hold`,
  );

/**
 * Pods that may get a request: ready ones, also on their way out, and those that may become ready. One that no node has
 * taken yet will mount what is in the Secret then.
 */
const concerned = ({ pods }: Snapshot): readonly PodView[] =>
  pods.filter(({ ready, deleting, unschedulable }) => ready || (!deleting && unschedulable === undefined));

function sync(seen: Snapshot, { keyring }: KeyView, { ids, current }: KeyringContent): Decision | undefined {
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

const acceptsNew: Demand = ({ fresh }) => (fresh === 'accepted' ? undefined : 'does not accept the new key');
const acceptsBoth: Demand = (answers, record) =>
  answers.old === 'refused' ? 'does not accept the old key' : acceptsNew(answers, record);
const signsWithNew: Demand = (answers, record) =>
  acceptsNew(answers, record) ?? (answers.current === record.to ? undefined : 'does not sign with the new key');
const refusesOld: Demand = (answers, record) =>
  acceptsNew(answers, record) ?? (answers.old === 'accepted' ? 'still accepts the old key' : undefined);

function proof(seen: Snapshot, key: KeyView, record: Active, demand: Demand): Decision | undefined {
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
  const waited = seen.now - Date.parse(record.since);
  if (waited < HOLD_AFTER_MS && waited >= 0)
    return wait('KeysRotating', `${told(key, record)}: ${fault}`, waited < 10_000 ? SOON_MS : 2_000);
  return heldNow(
    `${told(key, record)}: ${fault}; ${SAFE[record.state === 'Revoking' ? 'Revoking' : 'before']} Mend or delete that pod and the rotation goes on by itself`,
  );
}

const SAFE = {
  before: 'both keys stay valid, no caller is cut off.',
  Revoking: 'callers hold the new key, and every pod accepted it before the old one left.',
} as const;

const openTo = (key: KeyView, record: Active, pod: string): string =>
  `${told(key, record)}: pod ${pod} lets everybody in, with a made-up key or none: authentication is off there. Nothing was revoked; mend the image or its configuration and the rotation goes on by itself`;

function heldNow(message: string): Decision {
  const condition: Condition = { type: 'KeysCurrent', status: 'False', reason: 'RotationHeld', message };
  return { kind: 'wait', recheckMs: HELD_RECHECK_MS, condition };
}
