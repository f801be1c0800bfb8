// The record of a rollout names the spec that it was decided on. While an earlier one is seen nothing is decided: what is
// wanted would be what was wanted once. A spec that is not there for longer than any store takes is asked for itself: it
// may be that nobody ever wrote it, and that somebody wrote into the record.
import { get } from '../kube/apply.ts';
import type { Transport } from '../kube/transport.ts';
import { isBehind } from '../lifecycle/release/ownership.ts';
import type { Snapshot } from '../lifecycle/snapshot.ts';
import { APP_RESOURCES, type AppKey } from './world.ts';

/** A store that hangs is noticed sooner. */
const PATIENCE_MS = 60_000;

export class Behind {
  readonly #sinceMs = new Map<AppKey, number>();

  /**
   * What to decide on; undefined while the spec is yet to be seen.
   * @param now epoch milliseconds
   * @throws ApiError `GetFailed`
   */
  async decidable(key: AppKey, seen: Snapshot, now: number, transport: Transport): Promise<Snapshot | undefined> {
    if (!isBehind(seen)) {
      this.forget(key);
      return seen;
    }
    const since = this.#sinceMs.get(key) ?? now;
    this.#sinceMs.set(key, since);
    if (now - since < PATIENCE_MS) return undefined;
    this.#sinceMs.set(key, now);
    const { kind, metadata } = seen.app;
    const live = await get(transport, APP_RESOURCES[kind], metadata);
    const { uid, generation } = live?.metadata ?? {};
    // it is the one that is seen, as it is seen
    const isSeen = uid === metadata.uid && generation === metadata.generation;
    return isSeen ? { ...seen, isForetold: true } : undefined;
  }

  forget(key: AppKey): void {
    this.#sinceMs.delete(key);
  }
}
