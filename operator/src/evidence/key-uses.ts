// How often the old key of a rotation is still used: the pods' own counters, added up over restarts.
//
// A counter that is lower than before began anew with its container. A pod that came after the new key was given out
// counts from its beginning; of one that was there before, only what is added to its first reading.

/** One pod's counter of the old key; undefined where it could not be read, `none` where its image does not count. */
export interface UseReading {
  readonly uid: string;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  readonly count: number | 'none' | undefined;
}

/** What was seen of the old key since callers were given the new one. Times in epoch milliseconds. */
export interface Uses {
  /** Requests with it. */
  readonly total: number;
  /** The last reading that found more than the one before; where none did, from when on it was looked at. */
  readonly usedAt: number;
  readonly perMinute: number;
  readonly readAt: number;
  /** Pods that could not be read, by uid. */
  readonly unread: readonly string[];
  /** No pod says how often a key is used: nothing can be known. */
  readonly uncounted: boolean;
  /** Sum of the counters as they stand: another process knows by it whether there were more meanwhile. */
  readonly sum: number;
}

interface Memory {
  readonly uses: Uses;
  readonly counts: ReadonlyMap<string, number>;
  readonly recent: readonly { readonly at: number; readonly more: number }[];
}

/** What an earlier process wrote down: it is believed where the counters still stand as they stood then. */
export interface Remembered {
  readonly total: number;
  readonly sum: number;
  readonly usedAt: number;
}

const MINUTE_MS = 60_000;

/**
 * @param since epoch milliseconds at which callers were given the new key
 * @param now epoch milliseconds
 */
export function addReadings(
  before: Memory | undefined,
  readings: readonly UseReading[],
  { since, now, remembered }: { since: number; now: number; remembered?: Remembered | undefined },
): Memory {
  const counted = readings.flatMap(({ count, ...pod }) => (typeof count === 'number' ? [{ ...pod, count }] : []));
  const counts = new Map(before?.counts);
  let more = 0;
  for (const { uid, createdAt, count } of counted) {
    more += addedBy(before?.counts.get(uid), count, createdAt >= since);
    counts.set(uid, count);
  }
  for (const uid of counts.keys()) if (!readings.some(reading => reading.uid === uid)) counts.delete(uid);
  const sum = [...counts.values()].reduce((all, count) => all + count, 0);
  const begun: Beginning = before?.uses ?? beginning(remembered, sum, { since, now });
  const isFirst = before === undefined;
  const added = isFirst && begun.isKnown ? 0 : more;
  const recent = [...(before?.recent ?? []), { at: now, more: added }].filter(({ at }) => now - at < MINUTE_MS);
  const uses: Uses = {
    total: begun.total + added,
    usedAt: added > 0 ? now : begun.usedAt,
    perMinute: recent.reduce((all, reading) => all + reading.more, 0),
    readAt: now,
    unread: readings.filter(({ count }) => count === undefined).map(({ uid }) => uid),
    uncounted: readings.length > 0 && readings.every(({ count }) => count === 'none'),
    sum,
  };
  return { uses, counts, recent };
}

function addedBy(known: number | undefined, count: number, isNew: boolean): number {
  if (known === undefined) return isNew ? count : 0;
  return count < known ? count : count - known;
}

interface Beginning {
  readonly total: number;
  readonly usedAt: number;
  /** What was added before the first reading is in the total already. */
  readonly isKnown?: boolean;
}

/** Counters that stand otherwise than an earlier process left them were used meanwhile: nobody knows when. */
function beginning(
  remembered: Remembered | undefined,
  sum: number,
  { since, now }: { since: number; now: number },
): Beginning {
  if (!remembered) return { total: 0, usedAt: now - since < MINUTE_MS ? since : now };
  if (remembered.sum === sum) return { total: remembered.total, usedAt: remembered.usedAt, isKnown: true };
  return { total: remembered.total + Math.max(0, sum - remembered.sum), usedAt: now, isKnown: true };
}

const COUNTER = 'devshelf_keyring_requests_total{';

/** Reads `devshelf_keyring_requests_total{keyring="api",kid="1"} 12`; `none` where it is not among the metrics. */
export function usesOfPod(metrics: string, keyring: string, kid: string): number | 'none' {
  let found: number | 'none' = 'none';
  for (let at = metrics.indexOf(COUNTER); at >= 0; at = metrics.indexOf(COUNTER, at + 1)) {
    const end = metrics.indexOf('\n', at);
    const [, labels = '', value = ''] =
      /^[^{]*\{([^}]*)\} (\S+)/.exec(metrics.slice(at, end < 0 ? undefined : end)) ?? [];
    if (found === 'none') found = 0;
    const isIt = labels.includes(`keyring="${keyring}"`) && labels.includes(`kid="${kid}"`);
    if (isIt && Number.isFinite(Number(value))) found = Number(value);
  }
  return found;
}

export type { Memory as UseMemory };
