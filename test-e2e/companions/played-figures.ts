// What Prometheus reads of pods, chosen by the test: requests that were answered, and jobs that wait.
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Of the rates that are asked for. */
const WINDOW_S = 120;

interface Requests {
  readonly perSecond: number;
  readonly since: number;
  until?: number;
}

export class PlayedFigures {
  readonly #requests = new Map<string, Requests[]>();
  readonly #jobs = new Map<string, number>();
  readonly #server = createServer((_request, response) => this.#tell(response));

  /**
   * Of a service, from now on. The last two minutes had as many of them: a rate is a mean. So fewer are felt within two
   * minutes, and only none is possible then.
   */
  asks(namespace: string, service: string, perSecond: number): void {
    const series = `http_responses_total{namespace="${namespace}",service="${service}"}`;
    const since = Date.now() / 1_000;
    const all = this.#requests.get(series) ?? [];
    const now = all.filter(({ until }) => until === undefined).reduce((sum, of) => sum + of.perSecond, 0);
    if (perSecond < now) for (const of of all) of.until ??= since;
    else all.push({ perSecond: perSecond - now, since });
    this.#requests.set(series, all);
  }

  /** Jobs that wait; undefined: no worker tells. */
  waits(namespace: string, service: string, jobs: number | undefined): void {
    const series = `devshelf_queue_jobs{namespace="${namespace}",service="${service}",state="waiting"}`;
    if (jobs === undefined) this.#jobs.delete(series);
    else this.#jobs.set(series, jobs);
  }

  /** Nobody reads these pods any more. */
  forget(namespace: string): void {
    for (const all of [this.#requests, this.#jobs])
      for (const series of all.keys()) if (series.includes(`namespace="${namespace}"`)) all.delete(series);
  }

  /** Returns the address that Prometheus reads. */
  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async end(): Promise<void> {
    this.#server.closeAllConnections();
    await once(this.#server.close(), 'close');
  }

  #tell(response: ServerResponse): void {
    const now = Date.now() / 1_000;
    const requests = [...this.#requests].map(
      ([series, all]) => `${series} ${all.reduce((sum, of) => sum + told(of, now), 0)}`,
    );
    const jobs = [...this.#jobs].map(([series, count]) => `${series} ${count}`);
    const text = ['# TYPE http_responses_total counter', ...requests, '# TYPE devshelf_queue_jobs gauge', ...jobs];
    response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8').end(`${text.join('\n')}\n`);
  }
}

/** As many in each window as the rate has: all of them at its beginning. */
const told = ({ perSecond, since, until }: Requests, now: number): number =>
  perSecond * WINDOW_S * (1 + Math.floor((Math.min(now, until ?? now) - since) / WINDOW_S));
