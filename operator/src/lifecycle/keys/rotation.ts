// Runbook, "Rotación de API Keys": afterwards the old key is 401, the new one 200, and requests are still counted. The
// script of old cut every client off between the two. Here: expand, switch, contract, and every pod is asked before the
// next step.
//
//   Idle        due: by the clock or because a person asked; one write puts key N+1 beside key N
//   Accepting   every pod that may get a request accepts N and N+1, and refuses a bogus key and no key
//   Switching   clients are given N+1, and told until when N lives
//   Draining    until then both are accepted, and until nobody uses N any more (immediate: no longer than this takes)
//   Revoking    N left the keyring with one write; every pod refuses it and accepts N+1
//
// What cannot be proven is waited for, and after a while said to people (RotationHeld): it never breaks a client, both
// keys are accepted meanwhile. One rotation at a time per resource.
import { idAfter, type RotationState } from '../../api/rotation.ts';
import { about, type Decision, type Interrupt } from '../decision.ts';
import { bracketed, wordsForRequest } from '../requested.ts';
import {
  inFlight,
  inPhase,
  iso,
  isReleaseComing,
  type KeyringContent,
  type KeyView,
  type Snapshot,
} from '../snapshot.ts';
import { stillDraining } from './draining.ts';
import { foreignAtRest, isFoughtOver, putBack, unreadable } from './foreign-keys.ts';
import { acceptsBoth, acceptsNew, heldNow, proof, refusesOld, signsWithNew, sync, told, WORDS } from './key-proof.ts';
import {
  type Active,
  clockOf,
  isHurried,
  isImmediate,
  isRequested,
  isRotating,
  lastTurn,
  overlapMs,
  requestAnnotation,
  requestOf,
  rotationOf,
  writtenDigest,
} from './key-requests.ts';

const { act, wait } = about('KeysCurrent');

const SOON_MS = 500;
const MAX_RECHECK_MS = 3_600_000;
/** A clock that is further ahead of ours than this was wrong, or ours is. */
const CLOCK_SKEW_MS = 300_000;
const REVOKED_KEPT = 20;

/**
 * Beside the stages, and after them: undefined when no key has anything to wait for. A write that was refused is not asked
 * for in the very next pass: that one has time for what waits behind the keys.
 */
export const rotation: Interrupt = seen => {
  const next = nextOf(seen);
  return next?.kind === 'act' && seen.refusedRotation !== undefined ? heldNow(seen.refusedRotation) : next;
};

function nextOf(seen: Snapshot): Decision | undefined {
  const active = seen.keys.find(isRotating);
  if (active) return step(seen, active, active.record);
  let next: Decision | undefined;
  for (const key of seen.keys) {
    const decision = atRest(seen, key);
    if (decision && decision.kind !== 'wait') return decision;
    next = sooner(next, decision);
  }
  return next;
}

/**
 * The key that the rotation is about, where it cannot go on or begin, and `to` which one it goes: one that was refused
 * before it has begun is the same when it has.
 */
export function heldKey(seen: Snapshot): { readonly key: KeyView; readonly to?: string } | undefined {
  const active = seen.keys.find(isRotating);
  if (active) return { key: active, to: active.record.to };
  const all = seen.keys.map(key => ({ key, decision: atRest(seen, key) }));
  const refused = seen.refusedRotation === undefined ? undefined : all.find(({ decision }) => decision?.kind === 'act');
  const { key, decision } = refused ?? all.find(one => isHeld(one.decision)) ?? {};
  const to = decision?.kind === 'act' && decision.action.do === 'rotateKey' ? decision.action.record.to : undefined;
  return key && { key, ...(to !== undefined && { to }) };
}

export const isHeld = (decision: Decision | undefined): boolean =>
  decision?.kind === 'wait' && decision.condition.reason === 'RotationHeld';

/** What is wrong has the word before what is merely due later. */
function sooner(a: Decision | undefined, b: Decision | undefined): Decision | undefined {
  if (a?.kind !== 'wait' || b?.kind !== 'wait') return a ?? b;
  const word = a.condition.status === 'True' ? b : a;
  return { ...word, recheckMs: Math.min(a.recheckMs, b.recheckMs) };
}

// ---- Idle

function atRest(seen: Snapshot, key: KeyView): Decision | undefined {
  const { app, now } = seen;
  const foreign = foreignAtRest(seen, key);
  // a leaked key is replaced whoever writes what meanwhile
  if (foreign && (foreign.kind === 'act' || !(isRequested(app, key) && isImmediate(app)))) return foreign;
  const ahead = turnedBack(seen, key);
  if (ahead) return ahead;
  if (isRequested(app, key)) return mayBegin(seen, isImmediate(app)) ? begin(seen, key) : asked(key);
  const clock = clockOf(app, key, now);
  if (clock.kind === 'never' || rotationOf(app, key.name)?.suspend) return undefined;
  if (clock.kind === 'invalid')
    return heldNow(`the schedule of the ${WORDS[key.name]} is of no use: ${clock.why}; mend it in the spec`);
  if (clock.opensAt > now) return rest(clock.opensAt - now);
  return mayBegin(seen, false) ? begin(seen, key) : rest(60_000);
}

/** The last rotation began in the future: a clock was ahead then. Without this nothing would be due until that comes. */
function turnedBack({ app, now }: Snapshot, { name, keyring, record }: KeyView): Decision | undefined {
  const last = lastTurn(record);
  if (!record || last === undefined || last <= now + CLOCK_SKEW_MS) return undefined;
  const { schedule, intervalSeconds } = rotationOf(app, name) ?? {};
  if (schedule === undefined && intervalSeconds === undefined) return undefined;
  return act(
    'KeysRotating',
    `${WORDS[name]}: the last rotation seems to have begun at ${iso(last)}, which is still to come; the clock counts from now`,
    { do: 'rotateKey', keyring, record: { ...record, begunAt: iso(now), lastRotationTime: iso(now) } },
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
  return immediate || (inPhase(seen, 'Settled') && !isReleaseComing(seen) && !seen.app.spec.paused);
}

function begin(seen: Snapshot, key: KeyView): Decision {
  const content = contentOf(key);
  if ('kind' in content) return content;
  const { app, now } = seen;
  const from = content.current;
  const to = idAfter([...content.ids, ...(key.record?.revoked ?? []).map(({ id }) => id)]);
  const request = isRequested(app, key) ? requestOf(app, key.name) : key.record?.request;
  const mode = isRequested(app, key) && isImmediate(app) ? 'immediate' : 'graceful';
  const asked = isRequested(app, key) ? wordsForRequest(seen, requestAnnotation(key.name)) : undefined;
  const { lastRotationTime, revoked } = key.record ?? {};
  return act(
    'KeysRotating',
    `${WORDS[key.name]}: key ${to} is to replace key ${from}${bracketed(mode, asked)}`,
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
        begunAt: iso(now),
        ...(lastRotationTime !== undefined && { lastRotationTime }),
        ...(revoked && { revoked }),
      },
    },
    'Normal',
  );
}

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
    // a leaked key leaves, whoever writes what meanwhile
    const isLeak = isHurried(seen.app, key, record) && isFoughtOver(seen, key) !== undefined;
    if (again && !isLeak) return putBack(seen, key, again);
    const drains = clockRight(seen, key, record) ?? contested(seen, key, record) ?? stillDraining(seen, key, record);
    if (drains) return drains;
    return proof(seen, key, record, acceptsNew) ?? revoke(seen, key, record, content);
  },

  Revoking: (seen, key, record, content) => {
    if (content.ids.length > 1) return revoke(seen, key, record, content); // somebody put one back
    return sync(seen, key, content) ?? proof(seen, key, record, refusesOld) ?? finish(seen, key, record);
  },
};

/** Somebody else's edit: what clients may hold is put back, and the proof begins anew. */
function repair(
  seen: Snapshot,
  key: KeyView,
  record: Active,
  { ids, clientDigest, digests }: KeyringContent,
): Decision | undefined {
  const written = (id: string) => writtenDigest(seen.app, key.name, record, id);
  const isWhole = (id: string) => ids.includes(id) && (written(id) ?? digests[id]) === digests[id];
  const isHeld = (id: string) => clientDigest !== undefined && clientDigest === written(id);
  const lacksNew = !isWhole(record.to);
  const lacksHeld = record.state !== 'Revoking' && !isWhole(record.from) && isHeld(record.from);
  if (!lacksNew && !lacksHeld) return undefined;
  // whoever could not have had the new key, as it is made anew or stood nowhere, has the whole overlap from then on
  const { previousUntil: _over, ...anew } = record;
  const kept = isHeld(record.to) ? record : anew;
  const lost = [lacksNew ? record.to : [], lacksHeld ? record.from : []].flat().join(' and ');
  return act(
    'KeysRotating',
    `${WORDS[key.name]}: somebody took key ${lost} out of Secret ${key.keyring}; it is put back`,
    {
      do: 'rotateKey',
      keyring: key.keyring,
      change: 'restore',
      record: { ...kept, state: 'Accepting', since: iso(seen.now) },
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
  return iso(now + overlapMs(app, key.name));
}

/** Two writers at the callers' Secret: the other one's key is used as long as it stands there. */
function contested(seen: Snapshot, key: KeyView, record: Active): Decision | undefined {
  return isHurried(seen.app, key, record) ? undefined : isFoughtOver(seen, key);
}

/** The clock was ahead when callers were given the new key: from now on, the overlap is as long as the spec says. */
function clockRight(seen: Snapshot, key: KeyView, record: Active): Decision | undefined {
  if (Date.parse(record.since) <= seen.now + CLOCK_SKEW_MS) return undefined;
  const previousUntil = endOfOverlap(seen, key, record);
  return act('KeysRotating', `${told(key, record)}: a clock was ahead; the overlap ends at ${previousUntil}`, {
    do: 'rotateKey',
    keyring: key.keyring,
    record: { ...record, since: iso(seen.now), previousUntil },
  });
}

const revoke = (seen: Snapshot, key: KeyView, record: Active, content: KeyringContent): Decision =>
  act('KeysRotating', `${told(key, record)}: the old key leaves`, {
    do: 'rotateKey',
    keyring: key.keyring,
    change: 'revoke',
    record: { ...record, state: 'Revoking', since: iso(seen.now), revoked: revokedWith(record, content) },
  });

/** Keys never come twice: the id of one that was revoked means that one for ever. */
function revokedWith({ revoked = [], to }: Active, { digests }: KeyringContent): NonNullable<Active['revoked']> {
  const leaving = Object.entries(digests).flatMap(([id, digest]) => (id === to ? [] : [{ id, digest }]));
  const others = revoked.filter(known => !leaving.some(({ digest }) => digest === known.digest));
  return [...others, ...leaving].slice(-REVOKED_KEPT);
}

function finish(seen: Snapshot, { name, keyring }: KeyView, record: Active): Decision {
  const { to, from, request, previousUntil, begunAt, revoked } = record;
  return act(
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
        ...(begunAt !== undefined && { begunAt }),
        ...(revoked && { revoked }),
      },
    },
    'Normal',
  );
}

function contentOf({ keyring, content }: KeyView): KeyringContent | Decision {
  if (!content) return wait('KeysRotating', `Secret ${keyring} is being read`, SOON_MS);
  if (!content.known) return wait('KeysRotating', `Secret ${keyring} could not be read: ${content.why}`, 2_000);
  return content.value ?? heldNow(unreadable(keyring));
}
