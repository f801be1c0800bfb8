// Pods whose addresses an EndpointSlice may hold: the API server takes no loopback address there. What listens on
// 127.x is known to the cluster as 10.x, and whoever reads it has to turn that round.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { PodHost } from '../../operator/src/controller/testing/little-kubelet.ts';

type Pod = Parameters<PodHost['start']>[0];

/** What a Prometheus object wants besides, to read such pods. */
export const BACK_TO_LOOPBACK = {
  name: 'loopback',
  default: true,
  relabelings: [
    { sourceLabels: ['__address__'], regex: '10\\.(.+)', replacement: '127.$1', targetLabel: '__address__' },
  ],
};

/** Each pod is run by the host that is chosen for it. */
export class MonitoredPods implements PodHost {
  readonly #choose: (pod: Pod) => PodHost;
  readonly #hosts = new Map<string, PodHost>();

  constructor(choose: (pod: Pod) => PodHost) {
    this.#choose = choose;
  }

  async start(pod: Pod): Promise<string> {
    const host = this.#choose(pod);
    this.#hosts.set(pod.uid, host);
    return (await host.start(pod)).replace(/^127\./, '10.');
  }

  async sync(uid: string, keys: string): Promise<void> {
    await this.#hosts.get(uid)?.sync?.(uid, keys);
  }

  async stop(uid: string): Promise<void> {
    await this.#hosts.get(uid)?.stop(uid);
    this.#hosts.delete(uid);
  }
}

/** Pods of the operator, which itself runs in the test. */
export class OperatorPods implements PodHost {
  readonly #metrics: () => Promise<string>;
  readonly #network: number;
  readonly #servers = new Map<string, Server>();
  #addresses = 0;

  constructor(network: number, metrics: () => Promise<string>) {
    this.#network = network;
    this.#metrics = metrics;
  }

  async start({ uid }: Pod): Promise<string> {
    this.#addresses += 1;
    const address = `127.${this.#network}.0.${this.#addresses}`;
    const server = createServer(async ({ url }, response) => {
      if (url !== '/metrics') return void response.writeHead(404).end();
      response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8').end(await this.#metrics());
    }).listen(8080, address);
    await once(server, 'listening');
    this.#servers.set(uid, server);
    return address;
  }

  async stop(uid: string): Promise<void> {
    const server = this.#servers.get(uid);
    if (!server) return;
    this.#servers.delete(uid);
    server.closeAllConnections();
    await once(server.close(), 'close');
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#servers.keys()].map(uid => this.stop(uid)));
  }
}
