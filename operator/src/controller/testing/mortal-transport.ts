// A connection whose user is killed at one of its writes: from then on nothing gets through, as for a dead process.
import { ApiError } from '../../kube/errors.ts';
import type { Request, Transport } from '../../kube/transport.ts';

export interface Death {
  /** Which write, counted from 1; or the first one that this is true of. */
  readonly atWrite: number | ((write: Request) => boolean);
  /** `before`: the API server never hears of it. `after`: it is done, and nobody hears the answer. */
  readonly when: 'before' | 'after';
}

export interface MortalTransport extends Transport {
  /** Every write that was asked for, in order: `PATCH /apis/…`. Events are not counted. */
  readonly writes: readonly string[];
  /** Resolves with the write at which it died. */
  readonly died: Promise<string>;
}

const isEvent = (path: string): boolean => /^\/api\/v1\/namespaces\/[^/]+\/events(?:\/|$)/.test(path);

const isWrite = ({ method, path, query }: Request): boolean =>
  method !== 'GET' && query?.['dryRun'] === undefined && !isEvent(path);

export function mortal(inner: Transport, death?: Death): MortalTransport {
  const writes: string[] = [];
  const { atWrite } = death ?? {};
  const grave = new AbortController();
  const { promise: died, resolve } = Promise.withResolvers<string>();
  const gone = (): ApiError =>
    new ApiError({ code: 'GetFailed', status: 0, reason: 'Unreachable', message: 'this process is dead' });
  const alive = (): void => {
    if (grave.signal.aborted) throw gone();
  };
  const die = (write: string): never => {
    grave.abort();
    resolve(write);
    throw gone();
  };

  return {
    writes,
    died,
    async request<T>(request: Request): Promise<T> {
      alive();
      if (!isWrite(request)) return inner.request<T>(request);
      const write = `${request.method} ${request.path}`;
      const count = writes.push(write);
      const isLast = typeof atWrite === 'function' ? atWrite(request) : count === atWrite;
      if (isLast && death?.when === 'before') return die(write);
      try {
        return await inner.request<T>(request);
      } finally {
        if (isLast) die(write);
      }
    },
    async text(request) {
      alive();
      return inner.text(request);
    },
    async *watch(path, query, signal, options) {
      alive();
      const either = signal ? AbortSignal.any([signal, grave.signal]) : grave.signal;
      yield* inner.watch(path, query, either, options);
      alive();
    },
    close: () => inner.close(),
  };
}
