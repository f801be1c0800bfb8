// HTTP servers on loopback that stand for the pods behind a Service, and the EndpointSlice that says so.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ApiServer } from '../cluster/apiserver.ts';

/** As the controller of EndpointSlices writes it: a pod that is told to go serves on, and is not ready. */
export type PodState = 'ready' | 'terminating' | 'absent';

const CONDITIONS = {
  ready: { ready: true, serving: true, terminating: false },
  terminating: { ready: false, serving: true, terminating: true },
} as const;

export class StandIn {
  readonly #server: Server;
  /** Requests that it answered, by when (`performance.now()`). */
  readonly answeredAt: number[] = [];
  readonly address: string;
  state: PodState = 'absent';

  constructor(address: string) {
    this.address = address;
    this.#server = createServer((request, response) => {
      this.answeredAt.push(performance.now());
      const { host, 'x-forwarded-proto': scheme, 'x-forwarded-for': from } = request.headers;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ pod: address, host, scheme, from }));
    });
    // Traefik keeps connections for 90 s: who closes first is not what is asked here
    this.#server.keepAliveTimeout = 120_000;
  }

  /** On a port of its choice, or on that of another: one EndpointSlice has one port. */
  async listen(port = 0): Promise<number> {
    this.#server.listen(port, this.address);
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  /** At once, with its connections: like SIGKILL. */
  async end(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server.close(), 'close');
    this.#server.closeAllConnections();
    await closed;
  }
}

export type PodsOf = { readonly namespace: string; readonly service: string; readonly portName: string };

/** The API server takes no loopback address of a pod; as a name of the kind FQDN it does, and Traefik makes no difference. */
export class StandIns {
  readonly #api: ApiServer;
  readonly #of: PodsOf;
  readonly pods: readonly StandIn[];
  #port = 0;

  constructor(api: ApiServer, of: PodsOf, addresses: readonly string[]) {
    this.#api = api;
    this.#of = of;
    this.pods = addresses.map(address => new StandIn(address));
  }

  pod(index: number): StandIn {
    const pod = this.pods[index];
    if (!pod) throw new Error(`no pod ${index}`);
    return pod;
  }

  async listen(): Promise<void> {
    for (const pod of this.pods) this.#port = await pod.listen(this.#port);
    await this.#write('POST', '');
  }

  /** Returns when the API server has it. */
  async is(state: PodState, ...indexes: readonly number[]): Promise<void> {
    for (const index of indexes) this.pod(index).state = state;
    await this.#write('PUT', `/${this.#of.service}-1`);
  }

  async end(): Promise<void> {
    await Promise.all(this.pods.map(pod => pod.end()));
  }

  url(index: number): string {
    return `http://${this.pod(index).address}:${this.#port}`;
  }

  #write(method: 'POST' | 'PUT', path: string): Promise<unknown> {
    const { namespace, service, portName } = this.#of;
    return this.#api.request(method, `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices${path}`, {
      metadata: { name: `${service}-1`, labels: { 'kubernetes.io/service-name': service } },
      addressType: 'FQDN',
      ports: [{ name: portName, port: this.#port, protocol: 'TCP' }],
      endpoints: this.pods.flatMap(({ address, state }) =>
        state === 'absent' ? [] : [{ addresses: [address], conditions: CONDITIONS[state] }],
      ),
    });
  }
}
