// A connection whose watches lie, as those of an API server behind a bad network, or of another one that lags, may: they
// break off, come late, tell again what was, or have lost their history. What they tell is true, and in order.
import { unanswered } from '../../kube/errors.ts';
import type { Query, Request, Transport, WatchEvent, WatchOptions } from '../../kube/transport.ts';
import { pause } from './shop.ts';

export const LIES = ['cut', 'late', 'again', 'expired'] as const;
export type Lie = (typeof LIES)[number];

const LATE_MS = 1_500;
const REMEMBERED = 10;

export class LyingViews implements Transport {
  readonly #inner: Transport;
  /** By plural: what happens at the next event. */
  readonly #lies = new Map<string, Lie>();

  constructor(inner: Transport) {
    this.#inner = inner;
  }

  /** Once, at the next event of this kind. */
  lie(plural: string, how: Lie): void {
    this.#lies.set(plural, how);
  }

  honest(): void {
    this.#lies.clear();
  }

  request = <T>(request: Request): Promise<T> => this.#inner.request<T>(request);
  text: Transport['text'] = request => this.#inner.text(request);
  close = (): Promise<void> => this.#inner.close();

  async *watch<T>(path: string, query: Query, signal?: AbortSignal, options?: WatchOptions) {
    const plural = path.split('/').at(-1) ?? '';
    const past: WatchEvent<T>[] = [];
    for await (const event of this.#inner.watch<T>(path, query, signal, options)) {
      const how = this.#lies.get(plural);
      this.#lies.delete(plural);
      if (how === 'cut') throw unanswered('WatchFailed', `watch of ${plural}`, 'Unreachable', new Error('cut'));
      if (how === 'expired') {
        yield { type: 'ERROR', object: { code: 410, reason: 'Expired', message: 'too old resource version' } } as const;
        return;
      }
      if (how === 'late') await pause(LATE_MS);
      yield event;
      if (how === 'again') yield* [...past];
      past.push(event);
      if (past.length > REMEMBERED) past.shift();
    }
  }
}
