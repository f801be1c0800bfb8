// What a leader asks of the API server ends with its term: a pass that began in it can write nothing once another
// process may lead. What is under way then is broken off; whether the API server has done it already nobody knows, as
// with any answer that is lost.
import { unanswered } from './errors.ts';
import type { Term } from './lease.ts';
import type { Request, TextAnswer, Transport } from './transport.ts';

export class Fence implements Transport {
  readonly #transport: Transport;
  readonly #closed = new AbortController();
  readonly #before: ((request: Request) => Promise<AbortSignal | undefined>) | undefined;
  #term: Term | undefined;

  /** @param before asked before each write, which must be made before the signal that it gives */
  constructor(transport: Transport, before?: (request: Request) => Promise<AbortSignal | undefined>) {
    this.#transport = transport;
    this.#before = before;
  }

  /** From now on requests get through, until the term is over. */
  open(term: Term): void {
    this.#term = term;
  }

  request<T>(request: Request): Promise<T> {
    const send = (within: Request) => this.#transport.request<T>(within);
    if (!this.#before || request.method === 'GET') return this.#within(request, send);
    return this.#before(request).then(limit => this.#within(request, send, limit));
  }

  text(request: Request): Promise<TextAnswer> {
    return this.#within(request, within => this.#transport.text(within));
  }

  watch: Transport['watch'] = (...args) => this.#transport.watch(...args);

  /** For good. Breaks what is under way here; the connections are others' too, and stay. */
  async close(): Promise<void> {
    this.#closed.abort(new Error('closed'));
  }

  async #within<T>(request: Request, send: (request: Request) => Promise<T>, limit?: AbortSignal): Promise<T> {
    const term = this.#term;
    if (!term || term.isOver() || this.#closed.signal.aborted) {
      const why = new Error('this process does not lead');
      throw unanswered('GetFailed', `${request.method} ${request.path}`, 'Aborted', why);
    }
    const signals = [term.signal, this.#closed.signal, request.signal, limit].filter(signal => signal !== undefined);
    return send({ ...request, signal: AbortSignal.any(signals) });
  }
}
