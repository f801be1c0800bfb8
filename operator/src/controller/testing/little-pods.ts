// Pods that answer: each a small HTTP server on a loopback address of its own, counting the requests that a test makes.
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { PodHost } from './little-kubelet.ts';

interface LittlePod {
  readonly namespace: string;
  readonly image: string;
  readonly server: Server;
  requests: number;
  errors: number;
}

const PORT = 8080;

export class LittlePods implements PodHost {
  readonly #pods = new Map<string, LittlePod>();
  /** Share of the requests that an image answers with 5xx. */
  readonly #ratios = new Map<string, number>();
  #addresses = 0;
  databaseIsUp = true;
  /** Whether /metrics is answered. */
  metricsAnswer = true;

  fails(image: string, ratio: number): void {
    this.#ratios.set(image, ratio);
  }

  async start({ uid, namespace, image }: Parameters<PodHost['start']>[0]): Promise<string> {
    this.#addresses += 1;
    const address = `127.77.${Math.floor(this.#addresses / 250)}.${(this.#addresses % 250) + 1}`;
    const server = createServer((request, response) => this.#answer(request.url ?? '/', uid, response));
    server.listen(PORT, address);
    await once(server, 'listening');
    this.#pods.set(uid, { namespace, image, server, requests: 0, errors: 0 });
    return address;
  }

  async stop(uid: string): Promise<void> {
    const pod = this.#pods.get(uid);
    if (!pod) return;
    this.#pods.delete(uid);
    pod.server.closeAllConnections();
    await once(pod.server.close(), 'close');
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#pods.keys()].map(uid => this.stop(uid)));
  }

  /** One user's request. Returns the image that answered and whether it was a 5xx. */
  serve(uid: string): { image: string; failed: boolean } | undefined {
    const pod = this.#pods.get(uid);
    if (!pod) return undefined;
    const failed = !this.databaseIsUp || Math.random() < (this.#ratios.get(pod.image) ?? 0);
    pod.requests += 1;
    pod.errors += failed ? 1 : 0;
    return { image: pod.image, failed };
  }

  #answer(url: string, uid: string, response: ServerResponse): void {
    const pod = this.#pods.get(uid);
    if (!pod || (url === '/metrics' && !this.metricsAnswer)) return void response.writeHead(503).end();
    if (url === '/metrics') return void response.end(metricsOf(pod));
    const status = url === '/ready' && !this.databaseIsUp ? 503 : 200;
    const database = this.databaseIsUp ? 'ok' : 'failed';
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ status: status === 200 ? 'ok' : 'unready', dependencies: { database } }));
  }
}

const metricsOf = ({ requests, errors }: LittlePod): string =>
  [
    '# TYPE http_requests_total counter',
    `http_requests_total{method="GET",route="/api/summary",status="200"} ${requests - errors}`,
    `http_requests_total{method="GET",route="/api/summary",status="500"} ${errors}`,
    '',
  ].join('\n');
