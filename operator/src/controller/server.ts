// Probes and metrics of the operator itself.
import { createServer, type Server, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Registry } from 'prom-client';

export interface HealthSources {
  /** In Prometheus' text format, piece by piece, as fast as they are read. */
  readonly metrics: () => AsyncIterable<string>;
  /** Undefined: alive. Else why not: the kubelet then restarts the process. */
  readonly dead: () => string | undefined;
  /** Undefined: ready. Else what it waits for. */
  readonly unready: () => string | undefined;
}

/** Listens at once, so that probes are answered while the stores fill. @throws when the port is taken */
export async function serveHealth(port: number, sources: HealthSources): Promise<Server> {
  const server = createServer((request, response) => {
    void answer(request.url ?? '/', response, sources);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, () => resolve());
  });
  return server;
}

async function answer(url: string, response: ServerResponse, { metrics, dead, unready }: HealthSources): Promise<void> {
  const path = url.split('?')[0];
  if (path === '/healthz') return say(response, dead());
  if (path === '/readyz') return say(response, dead() ?? unready());
  if (path !== '/metrics') return void response.writeHead(404).end('not found: /healthz /readyz /metrics\n');
  response.writeHead(200, { 'content-type': Registry.PROMETHEUS_CONTENT_TYPE });
  // who reads it may go in the middle
  await pipeline(Readable.from(metrics()), response).catch(() => response.destroy());
}

function say(response: ServerResponse, trouble: string | undefined): void {
  response.writeHead(trouble === undefined ? 200 : 503, { 'content-type': 'text/plain' }).end(`${trouble ?? 'ok'}\n`);
}
