// Pods that answer: each a small HTTP server on a loopback address of its own, counting the requests that a test makes.
import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { PodHost } from './little-kubelet.ts';

interface LittlePod {
  readonly namespace: string;
  readonly image: string;
  readonly servers: readonly Server[];
  requests: number;
  errors: number;
  shed: number;
}

const PORT = 8080;
const OPERATIONAL = ['/metrics', '/live', '/ready', '/health'];

export class LittlePods implements PodHost {
  readonly #pods = new Map<string, LittlePod>();
  /** Share of the requests that an image answers with 5xx. */
  readonly #ratios = new Map<string, number>();
  /** Share that an image turns away, and counts as shed. */
  readonly sheds = new Map<string, number>();
  #addresses = 0;
  databaseIsUp = true;
  /** Whether /metrics is answered, after how long, and with how many bytes of comment before it. */
  metricsAnswer = true;
  metricsDelayMs = 0;
  metricsPadding = 0;
  /** Images whose /metrics the operator is refused, and how often it was; a Prometheus reads them. */
  readonly refusesOperator = new Set<string>();
  operatorRefused = 0;
  /** What /recent-requests says; without it there is no such route. */
  recent: readonly { readonly route: string; readonly url: string }[] | undefined;
  /** Requests of rehearsals, by image: paths with their query, and headers. */
  readonly rehearsed: { readonly image: string; readonly url: string; readonly headers: IncomingHttpHeaders }[] = [];
  /** Names that an image answers to: by another one it refuses whatever users ask, by these it hides what they do not. */
  readonly names = new Map<string, readonly string[]>();
  /** Paths that an image does not know. */
  readonly missing = new Map<string, string>();

  readonly #ports: readonly number[];

  constructor(ports: readonly number[] = [PORT]) {
    this.#ports = ports;
  }

  fails(image: string, ratio: number): void {
    this.#ratios.set(image, ratio);
  }

  async start({ uid, namespace, image }: Parameters<PodHost['start']>[0]): Promise<string> {
    const answer = (request: IncomingMessage, response: ServerResponse) => this.#answer(request, uid, response);
    const { address, servers } = await this.#listen(answer);
    this.#pods.set(uid, { namespace, image, servers, requests: 0, errors: 0, shed: 0 });
    return address;
  }

  /** All have the same ports, so each has an address; tests of other processes have some, too. */
  async #listen(answer: RequestListener): Promise<{ address: string; servers: readonly Server[] }> {
    for (;;) {
      this.#addresses += 1;
      const address = `127.77.${Math.floor(this.#addresses / 250)}.${(this.#addresses % 250) + 1}`;
      const servers = this.#ports.map(() => createServer(answer));
      try {
        await Promise.all(
          servers.map((server, at) => once(server.listen(this.#ports[at] ?? PORT, address), 'listening')),
        );
        return { address, servers };
      } catch (error) {
        for (const server of servers) server.close();
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      }
    }
  }

  async stop(uid: string): Promise<void> {
    const pod = this.#pods.get(uid);
    if (!pod) return;
    this.#pods.delete(uid);
    for (const server of pod.servers) server.closeAllConnections();
    await Promise.all(pod.servers.map(server => once(server.close(), 'close')));
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#pods.keys()].map(uid => this.stop(uid)));
  }

  /** One user's request. Returns the image that answered and whether it was a 5xx. */
  serve(uid: string): { image: string; failed: boolean } | undefined {
    const pod = this.#pods.get(uid);
    if (!pod) return undefined;
    const shed = Math.random() < (this.sheds.get(pod.image) ?? 0);
    const failed = shed || !this.databaseIsUp || Math.random() < (this.#ratios.get(pod.image) ?? 0);
    pod.requests += 1;
    pod.shed += shed ? 1 : 0;
    pod.errors += failed ? 1 : 0;
    return { image: pod.image, failed };
  }

  /** One to each pod. */
  serveAll(): void {
    for (const uid of this.#pods.keys()) this.serve(uid);
  }

  #answer(request: IncomingMessage, uid: string, response: ServerResponse): void {
    const { url = '/', headers } = request;
    const pod = this.#pods.get(uid);
    const refusal = this.#refusal(pod?.image ?? '', url, headers);
    if (refusal !== undefined) return void response.writeHead(refusal).end();
    if (pod && url === '/recent-requests') {
      response.writeHead(this.recent ? 200 : 404).end(JSON.stringify(this.recent ?? {}));
      return;
    }
    if (pod && headers['x-rehearsal'] === '1') {
      this.rehearsed.push({ image: pod.image, url, headers });
      response.writeHead(this.#statusOf(pod.image, url)).end();
      return;
    }
    if (pod && url === '/metrics' && this.refusesOperator.has(pod.image) && isOperator(headers)) {
      this.operatorRefused += 1;
      response.writeHead(503).end();
      return;
    }
    this.#answerOthers(url, pod, response);
  }

  #refusal(image: string, url: string, { host = '' }: IncomingHttpHeaders): number | undefined {
    const known = this.names.get(image);
    if (!known || url === '/recent-requests') return undefined;
    const isNamed = known.includes(host);
    if (OPERATIONAL.includes(url)) return isNamed ? 404 : undefined;
    return isNamed ? undefined : 400;
  }

  #statusOf(image: string, url: string): number {
    if (!this.databaseIsUp || Math.random() < (this.#ratios.get(image) ?? 0)) return 500;
    return this.missing.get(image) === url.split('?')[0] ? 404 : 200;
  }

  /** Probes and scrapes. */
  #answerOthers(url: string, pod: LittlePod | undefined, response: ServerResponse): void {
    if (!pod || (url === '/metrics' && !this.metricsAnswer)) return void response.writeHead(503).end();
    if (url === '/metrics') {
      const text = `# ${'.'.repeat(this.metricsPadding)}\n${metricsOf(pod)}`;
      setTimeout(() => response.end(text), this.metricsDelayMs);
      return;
    }
    const status = url === '/ready' && !this.databaseIsUp ? 503 : 200;
    const database = this.databaseIsUp ? 'ok' : 'failed';
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ status: status === 200 ? 'ok' : 'unready', dependencies: { database } }));
  }
}

const isOperator = ({ 'user-agent': agent }: IncomingHttpHeaders): boolean =>
  agent?.startsWith('devshelf-operator/') === true;

const metricsOf = ({ requests, errors, shed }: LittlePod): string =>
  [
    '# TYPE http_requests_total counter',
    `http_requests_total{method="GET",route="/api/summary",status="200"} ${requests - errors}`,
    `http_requests_total{method="GET",route="/api/summary",status="500"} ${errors - shed}`,
    `http_requests_total{method="GET",route="/api/summary",status="503"} ${shed}`,
    `http_requests_shed_total{reason="event_loop"} ${shed}`,
    // each of its answers takes between 25 and 50 ms
    ...[0.025, 0.05, 0.5, 1, '+Inf'].map(
      le =>
        `http_request_duration_seconds_bucket{le="${le}",method="GET",route="/api/summary",status="200"} ${le === 0.025 ? 0 : requests}`,
    ),
    `http_request_duration_seconds_count{method="GET",route="/api/summary",status="200"} ${requests}`,
    '',
  ].join('\n');
