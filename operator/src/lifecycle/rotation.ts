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
import type { RotationState } from '../api/rotation.ts';
import { about, type Decision, type Interrupt } from './decision.ts';
import { acceptsBoth, acceptsNew, heldNow, proof, refusesOld, signsWithNew, sync, told, WORDS } from './key-proof.ts';
import {
  type Active,
  clockOf,
  isDrained,
  isHurried,
  isImmediate,
  isRequested,
  isRotating,
  requestOf,
  rotationOf,
} from './key-requests.ts';
import { hasNewRelease, inFlight, inPhase, iso, type KeyringContent, type KeyView, type Snapshot } from './snapshot.ts';

const { act, wait } = about('KeysCurrent');

const SOON_MS = 500;
const MAX_RECHECK_MS = 3_600_000;
const DEFAULT_OVERLAP_SECONDS = 86_400;

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

/** What is wrong has the word before what is merely due later. */
function sooner(a: Decision | undefined, b: Decision | undefined): Decision | undefined {
  if (a?.kind !== 'wait' || b?.kind !== 'wait') return a ?? b;
  const word = a.condition.status === 'True' ? b : a;
  return { ...word, recheckMs: Math.min(a.recheckMs, b.recheckMs) };
}

// ---- Idle

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

// ---- under way

function step(seen: Snapshot, key: KeyView, record: Active): Decision {
  const content = contentOf(key);
  if ('kind' in content) return content;
  // the keys of a release on trial stay as they are; an emergency goes on
  if (inFlight(seen) && !isHurried(seen.app, key, record))
    return wait('KeysRotating', `${told(key, record)}: it goes on when the rollout has ended`, 30_000);
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

function contentOf({ keyring, content }: KeyView): KeyringContent | Decision {
  if (!content) return wait('KeysRotating', `Secret ${keyring} is being read`, SOON_MS);
  if (!content.known) return wait('KeysRotating', `Secret ${keyring} could not be read: ${content.why}`, 2_000);
  return content.value ?? unreadable(keyring);
}

const unreadable = (keyring: string): Decision =>
  heldNow(
    `Secret ${keyring} holds no keyring that can be read; delete it and it comes back with the key that callers hold`,
  );
