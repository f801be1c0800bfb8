// The Secret that callers read is what they are told, never what pods accept: whatever somebody else writes there is
// taken out again, and no key comes from it but the very one that was written there before (its SHA-256 says so).
import { idAfter, type RotationRecord } from '../../api/rotation.ts';
import { about, type Decision } from '../decision.ts';
import { iso, type KeyringContent, type KeyView, type PutBack, type Snapshot } from '../snapshot.ts';
import { heldNow, WORDS } from './key-proof.ts';
import { revokedKeys, writtenDigest } from './key-requests.ts';

const { act } = about('KeysCurrent');

/** In a row, none longer after the one before than this, they are a fight: from then on the same key once a minute. */
const FIGHT = { times: 3, withinMs: 600_000, pauseMs: 60_000 };

/** What is to be put right while no rotation is under way; undefined when all is as it was written. */
export function foreignAtRest(seen: Snapshot, key: KeyView): Decision | undefined {
  const { keyring, content } = key;
  if (!content?.known) return undefined;
  if (!content.value) return heldNow(unreadable(keyring));
  const { value } = content;
  // a keyring of an earlier version says nothing of itself before its first rotation
  const written: RotationRecord = key.record ?? { state: 'Idle', current: value.current, since: iso(seen.now) };
  const known = revokedKeys(seen.app, key.name, written);
  const record = notFromBefore(seen, key, { ...written, ...(known.length > 0 && { revoked: known }) });
  const lost = ringAtRest(seen, key, record, value);
  if (lost) return lost;
  const again = cameBack(record, value);
  if (again !== undefined) return revokeAgain(seen, key, record, again);
  return clientAtRest(seen, key, record, value) ?? isFoughtOver(seen, key);
}

/**
 * A keyring that came back from a backup brings its record along. The status knows of a later rotation: what the record
 * takes for current was revoked by that.
 */
function notFromBefore({ app }: Snapshot, { name }: KeyView, record: RotationRecord): RotationRecord {
  const {
    lastRotationTime = '',
    currentKeyId,
    currentKeyDigest,
  } = app.status.keys?.find(key => key.name === name) ?? {};
  const isLater = Date.parse(lastRotationTime) > (Date.parse(record.lastRotationTime ?? '') || 0);
  if (!isLater || currentKeyId === undefined || currentKeyDigest === undefined) return record;
  if (currentKeyId === record.current || Object.values(record.digests ?? {}).includes(currentKeyDigest)) return record;
  const before = Object.entries(record.digests ?? {}).map(([id, digest]) => ({ id, digest }));
  const revoked = [...(record.revoked ?? []), ...before];
  return { ...record, current: currentKeyId, lastRotationTime, digests: { [currentKeyId]: currentKeyDigest }, revoked };
}

export const unreadable = (keyring: string): string =>
  `Secret ${keyring} holds no keyring that can be read; delete it and it comes back with the key that callers were given`;

/** Id of a key in the keyring that was revoked before. */
const cameBack = ({ revoked = [], current }: RotationRecord, { digests }: KeyringContent): string | undefined =>
  Object.keys(digests).find(id => id !== current && revoked.some(({ digest }) => digest === digests[id]));

const revokeAgain = (seen: Snapshot, key: KeyView, record: RotationRecord, from: string): Decision =>
  act(
    'KeysRotating',
    `${WORDS[key.name]}: somebody put key ${from}, which was revoked, into Secret ${key.keyring}; it leaves again`,
    {
      do: 'rotateKey',
      keyring: key.keyring,
      change: 'revoke',
      record: { ...record, state: 'Revoking', mode: 'immediate', from, to: record.current, since: iso(seen.now) },
    },
    'Warning',
  );

/** Somebody took the current key out of the keyring, or put another text under its id. */
function ringAtRest(seen: Snapshot, key: KeyView, record: RotationRecord, content: KeyringContent) {
  const { current } = record;
  const written = writtenDigest(seen.app, key.name, record, current);
  const there = content.digests[current];
  if (there !== undefined && (written ?? there) === there) return undefined;
  const isHeld = written !== undefined && content.clientDigest === written;
  const lost = `${WORDS[key.name]}: somebody took key ${current} out of Secret ${key.keyring}`;
  const next = { ...record, state: 'Idle', since: iso(seen.now) } as const;
  if (isHeld) {
    const change = { do: 'rotateKey', keyring: key.keyring, change: 'restore', record: next } as const;
    return act('KeysRotating', `${lost}; it is put back`, change, 'Warning');
  }
  const id = idAfter([current, ...content.ids]);
  return act(
    'KeysRotating',
    `${lost}, and nobody has it any more; key ${id} is made instead, and the others leave`,
    {
      do: 'rotateKey',
      keyring: key.keyring,
      change: 'add',
      record: { ...next, state: 'Accepting', mode: 'immediate', from: content.current, to: id, begunAt: iso(seen.now) },
    },
    'Warning',
  );
}

/** Somebody gave callers another key. */
function clientAtRest(seen: Snapshot, key: KeyView, record: RotationRecord, content: KeyringContent) {
  const { client, keyring, name } = key;
  const there = content.digests[record.current];
  if (client === undefined || !key.clientPresent || content.clientDigest === there) return undefined;
  const old = record.revoked?.find(({ digest }) => digest === content.clientDigest)?.id;
  const what = old === undefined ? 'another text' : `key ${old}, which was revoked,`;
  const by = key.clientWriter === undefined ? 'somebody' : `"${key.clientWriter}"`;
  const handOver = act(
    'KeysRotating',
    `${WORDS[name]}: ${by} wrote ${what} into Secret ${client}; key ${record.current} is put back`,
    {
      do: 'handOverKey',
      keyring,
      client,
      keyId: record.current,
      previousUntil: record.previousUntil ?? iso(seen.now),
    },
    'Warning',
  );
  return putBack(seen, key, handOver);
}

/** Counts how often that was needed, in the same write. */
export function putBack(seen: Snapshot, key: KeyView, decision: Decision): Decision {
  if (decision.kind !== 'act' || decision.action.do !== 'handOverKey') return decision;
  const { now } = seen;
  const { keyId } = decision.action;
  const fight = isFoughtOver(seen, key);
  // another key than the last time is news to callers: they do not wait for it
  const isRepeated = keyId === (key.putBack?.keyId ?? keyId);
  if (fight && isRepeated && key.putBack && now - Date.parse(key.putBack.at) < FIGHT.pauseMs) return fight;
  const count = 1 + (isRecent(key.putBack, now) ? key.putBack.count : 0);
  const by = key.clientWriter ?? key.putBack?.by;
  const note: PutBack = { count, at: iso(now), keyId, ...(by !== undefined && { by }) };
  return { ...decision, action: { ...decision.action, putBack: note } };
}

const isRecent = (note: PutBack | undefined, now: number): note is PutBack =>
  note !== undefined && Math.abs(now - Date.parse(note.at)) < FIGHT.withinMs;

/** Two writers that undo each other: it ends when one of them stops, and ten minutes later it is forgotten. */
export function isFoughtOver({ now }: Snapshot, { client, putBack: note, name }: KeyView): Decision | undefined {
  if (!isRecent(note, now) || note.count < FIGHT.times) return undefined;
  const by = note.by === undefined ? 'another writer' : `"${note.by}"`;
  return heldNow(
    `${WORDS[name]}: ${by} writes into Secret ${client} what the operator then puts right, ${note.count} times in a row by now, last at ${note.at}; callers get now the one key, now the other. Take the Secret out of what that tool applies; ten minutes later it goes on by itself`,
  );
}
