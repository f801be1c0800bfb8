// Draining: callers were given the new key, and both are accepted. The old one leaves when the overlap is over and nobody
// has used it for half of it; who still uses it is never cut off but by a person's word, or by the spec's.
import type { AppResource } from '../../api/resource.ts';
import { ANNOTATIONS } from '../../objects/names.ts';
import type { Decision } from '../decision.ts';
import { about } from '../decision.ts';
import { grouped, iso, type KeyView, type Snapshot } from '../snapshot.ts';
import { concerned, heldNow, told, unproven } from './key-proof.ts';
import { type Active, isHurried, isRotating, overlapMs, rotationOf } from './key-requests.ts';

const { wait } = about('KeysCurrent');

const SOON_MS = 500;
const MAX_RECHECK_MS = 3_600_000;
/** Oftener is no use, and more seldom shows nothing to people. */
const PACE = { oftenestMs: 2_000, seldomestMs: 60_000, perOverlap: 20 };

/** What a reading of many pods may take. */
const READING_MS = 30_000;

/** How often the counters are read. Milliseconds. */
const usePaceMs = (app: AppResource, key: KeyView): number =>
  Math.min(Math.max(overlapMs(app, key.name) / PACE.perOverlap, PACE.oftenestMs), PACE.seldomestMs);

export const needsUses = (app: AppResource, key: KeyView): key is KeyView & { record: Active } =>
  key.record?.state === 'Draining' && !isHurried(app, key, key.record as Active);

/** Also at the end of the overlap: what was read before says nothing about then. */
export function isReadingDue(app: AppResource, key: KeyView & { record: Active }, now: number): boolean {
  const readAt = key.uses?.readAt;
  if (readAt === undefined || Math.abs(now - readAt) >= usePaceMs(app, key)) return true;
  return isOver(key.record, now) && !isOver(key.record, readAt);
}

interface ToldUses {
  readonly previousUses: number;
  readonly previousUsePerMinute: number;
  /** RFC 3339. */
  readonly previousUsedAt: string;
  readonly previousCounters: number;
}

/** Where uses are needed, what the status tells of those of this very rotation: an earlier process may have counted them. */
export function toldUses(app: AppResource, { name, record }: KeyView): ToldUses | undefined {
  const status = app.status?.keys?.find(key => key.name === name);
  const isThis = status?.state === 'Draining' && (status.nextKeyId ?? status.currentKeyId) === record?.to;
  if (!isThis) return undefined;
  const { previousUses, previousUsePerMinute = 0, previousUsedAt, previousCounters } = status;
  if (previousUses === undefined || previousUsedAt === undefined || previousCounters === undefined) return undefined;
  return { previousUses, previousUsePerMinute, previousUsedAt, previousCounters };
}

/** What was read so long ago says nothing about now: nobody knows whether the old key is used. */
const isStale = (app: AppResource, key: KeyView, now: number): boolean =>
  key.uses !== undefined && now - key.uses.readAt > 3 * usePaceMs(app, key) + READING_MS;

/** Who may be the one that still uses it is looked for when it holds the rotation. */
export const needsCallers = (app: AppResource, key: KeyView, now: number): boolean =>
  key.client !== undefined && needsUses(app, key) && isOver(key.record, now) && isUsed(app, key, now);

/** Undefined when the old key may leave. */
export function stillDraining(seen: Snapshot, key: KeyView, record: Active): Decision | undefined {
  const { app, now } = seen;
  if (isHurried(app, key, record)) return undefined;
  if (!isOver(record, now)) return untilOver(seen, key, record);
  if (isForced(app, key, record, now)) return undefined;
  const { uses } = key;
  const over = Date.parse(record.previousUntil ?? record.since);
  if (!uses || uses.readAt < over || isStale(app, key, now))
    return wait('KeysRotating', `${told(key, record)}: the uses of the old key are being read`, 2_000);
  if (uses.uncounted) return undefined; // by the clock alone, as nobody can know better
  const silent = concerned(seen, false).find(({ uid }) => uses.unread.includes(uid));
  if (silent) return unproven(seen, key, record, `pod ${silent.name} does not say how often the old key is used`);
  return isUsed(app, key, now) ? used(seen, key, record) : undefined;
}

const isOver = ({ previousUntil, since }: Active, now: number): boolean => now >= Date.parse(previousUntil ?? since);

const isUsed = (app: AppResource, { name, uses }: KeyView, now: number): boolean =>
  uses !== undefined && !uses.uncounted && now - uses.usedAt < overlapMs(app, name) / 2;

/** By a person, who names the key, or by the spec. */
function isForced(app: AppResource, { name }: KeyView, record: Active, now: number): boolean {
  if (app.metadata.annotations[ANNOTATIONS.rotateForce] === `${name}/${record.from}`) return true;
  const overlaps = rotationOf(app, name)?.forceAfterOverlaps;
  if (overlaps === undefined) return false;
  return now >= Date.parse(record.previousUntil ?? record.since) + (overlaps - 1) * overlapMs(app, name);
}

export const isDrained = (app: AppResource, key: KeyView, record: Active, now: number): boolean => {
  if (isHurried(app, key, record)) return true;
  if (!isOver(record, now)) return false;
  if (isForced(app, key, record, now)) return true;
  const isRead = key.uses !== undefined && key.uses.readAt >= Date.parse(record.previousUntil ?? record.since);
  return isRead && !isStale(app, key, now) && !isUsed(app, key, now);
};

function untilOver({ app, now }: Snapshot, key: KeyView, record: Active): Decision {
  const until = record.previousUntil ?? record.since;
  const ms = Math.min(Date.parse(until) - now, MAX_RECHECK_MS, usePaceMs(app, key));
  const words = `${told(key, record)}: callers were given it; the old key is accepted until ${until}`;
  return wait('KeysRotating', words, Math.max(SOON_MS, ms));
}

function used({ app }: Snapshot, key: KeyView, record: Active): Decision {
  const { total = 0, usedAt = 0 } = key.uses ?? {};
  const recheckMs = usePaceMs(app, key);
  if (total === 0) {
    const words = `${told(key, record)}: its uses are counted since ${iso(usedAt)}, and not for long enough`;
    return wait('KeysRotating', words, recheckMs);
  }
  const { kind, metadata } = app;
  const what = `${key.name === 'signing' ? 'token' : 'request'}${total === 1 ? '' : 's'}`;
  const force = `kubectl -n ${metadata.namespace} annotate ${kind.toLowerCase()} ${metadata.name} ${ANNOTATIONS.rotateForce}=${key.name}/${record.from} --overwrite`;
  const cure = key.client === undefined ? 'no more of them come' : `they read Secret ${key.client} again`;
  return {
    ...heldNow(
      `${told(key, record)}: key ${record.from} is still used, by at least ${figure(total)} ${what} since ${record.since}${mayBe(key)}. Both keys stay valid, no caller is cut off; when ${cure} it goes on by itself. To revoke it all the same: ${force}`,
    ),
    kind: 'wait',
    recheckMs,
  };
}

const NAMED = 5;

function mayBe({ callers = [] }: KeyView): string {
  if (callers.length === 0) return '';
  const more = callers.length > NAMED ? ` and ${callers.length - NAMED} more` : '';
  return `; perhaps by ${callers.slice(0, NAMED).join(', ')}${more}`;
}

/** One figure that counts: a message that changes with every reading is none. */
function figure(count: number): string {
  const step = 10 ** Math.floor(Math.log10(Math.max(1, count)));
  return grouped(Math.floor(count / step) * step);
}

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
