// Whether a Prometheus reads the pods, by what they count themselves (`scrapes_total`). The operator reads them while a
// release bakes, and then only: what was seen by its end is written down with the release.
import { inPhase, revisionOf, type Scraped, type Snapshot, versionIn } from '../snapshot.ts';

/** So many intervals without a reading are no coincidence. */
const INTERVALS = 3;

/** Undefined where nothing can be said: too early, nothing read, or an image that does not count. */
export function scrapedWhileBaking({ app, judgement, deployment, now }: Snapshot): Scraped | undefined {
  const labels = labelsOf(app);
  if (judgement?.release !== deployment?.record.release || judgement?.scrapes === undefined) return undefined;
  if (judgement.scrapes > 0) return { seen: true, labels };
  const begin = judgement.window?.from;
  return begin !== undefined && now - begin >= patienceMs(app) ? { seen: false, labels } : undefined;
}

/** Of the release in force, and in which of its bakes; undefined while nothing is known. */
export function scraped(seen: Snapshot): { readonly seen: boolean; readonly release: string } | undefined {
  const record = seen.deployment?.record;
  if (!record) return undefined;
  const isBaking = inPhase(seen, 'Baking');
  const hash = isBaking ? record.release : (record.stable ?? record.release);
  const known = (isBaking ? scrapedWhileBaking(seen) : undefined) ?? revisionOf(seen, hash)?.scraped;
  if (known?.labels !== labelsOf(seen.app)) return undefined;
  return { seen: known.seen, release: versionIn(seen, hash) };
}

/**
 * When a bake has lasted long enough to say that nobody reads, though nothing changes; and then, for as long as it lasts,
 * whether somebody reads after all.
 */
export function scrapedRecheck(seen: Snapshot): number | undefined {
  const begin = inPhase(seen, 'Baking') ? seen.judgement?.window?.from : undefined;
  if (begin === undefined || seen.judgement?.scrapes !== 0) return undefined;
  const left = begin + patienceMs(seen.app) - seen.now;
  return Math.max(1_000, left > 0 ? left : patienceMs(seen.app));
}

/** A Prometheus selects by them: with other ones it may read what it did not read before. */
const labelsOf = ({ spec: { monitoring } }: Snapshot['app']): string =>
  Object.entries(monitoring.labels ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(',');

const patienceMs = ({ spec: { monitoring } }: Snapshot['app']): number => INTERVALS * durationMs(monitoring.interval);

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `1m30s`, as the schema lets it in. */
export const durationMs = (text: string): number =>
  [...text.matchAll(/(\d+)(ms|s|m|h)/g)].reduce(
    (sum, [, count, unit = '']) => sum + Number(count) * (UNITS[unit] ?? 0),
    0,
  );
