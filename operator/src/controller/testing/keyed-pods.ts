// Pods that want a key, and have it from a mounted Secret: each a small HTTP server on a loopback address of its own.
// Like a kubelet it brings a changed Secret when the pod's annotation changes, and otherwise not in a test's lifetime.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { get } from '../../kube/apply.ts';
import { secrets } from '../../kube/resource.ts';
import type { Transport } from '../../kube/transport.ts';
import { type Keyring, parseKeyring } from '../../objects/keyring.ts';
import type { PodHost } from './little-kubelet.ts';

interface KeyedPod {
  readonly namespace: string;
  readonly servers: readonly Server[];
  readonly address: string;
  mounted: Readonly<Record<string, Keyring | undefined>>;
  synced: string | undefined;
  /** Of each API key, by id. */
  readonly uses: Map<string, number>;
}

/** Another process on this machine may run the same tests; below 128 are other pods. */
const NETWORK = 128 + (process.pid % 64);

/** Of DevShelf and of the dashboard. */
const PORTS = [8000, 8080] as const;
const KEYRINGS = ['shop-api-keyring', 'shop-scrape-keyring', 'shop-signing-keyring'] as const;

export class KeyedPods implements PodHost {
  readonly #pods = new Map<string, KeyedPod>();
  #addresses = 0;
  #transport: Transport | undefined;
  /** From the annotation to the mounted files. */
  syncMs = 20;
  /** Pods of these namespaces never see a changed Secret. */
  readonly stuck = new Set<string>();
  /** Pods of these namespaces let everybody in. */
  readonly open = new Set<string>();

  /** Address of the pods to come, of this machine: the API server's proxy goes to no loopback address. */
  outside: string | undefined;

  /** As whom Secrets are read. */
  connect(transport: Transport): void {
    this.#transport = transport;
  }

  async start({ uid, namespace }: Parameters<PodHost['start']>[0]): Promise<string> {
    this.#addresses += 1;
    const address =
      this.outside ?? `127.${NETWORK}.${Math.floor(this.#addresses / 250)}.${(this.#addresses % 250) + 1}`;
    const mounted = await this.#read(namespace);
    const servers = await Promise.all(PORTS.map(port => this.#listen(uid, address, port)));
    this.#pods.set(uid, { namespace, servers, address, mounted, synced: undefined, uses: new Map() });
    return address;
  }

  /** Pods that share an address come one after the other. */
  async #listen(uid: string, address: string, port: number): Promise<Server> {
    for (let attempt = 0; ; attempt += 1) {
      const server = createServer((request, response) => this.#answer(uid, request, response)).listen(port, address);
      try {
        await once(server, 'listening');
        return server;
      } catch (error) {
        if (this.outside === undefined || attempt === 100) throw error;
        await delay(100);
      }
    }
  }

  async sync(uid: string, keys: string): Promise<void> {
    const pod = this.#pods.get(uid);
    if (!pod || pod.synced === keys || this.stuck.has(pod.namespace)) return;
    pod.synced = keys;
    await delay(this.syncMs);
    pod.mounted = await this.#read(pod.namespace);
  }

  /** The kubelets' own round. */
  async syncAll(namespace: string): Promise<void> {
    const mounted = await this.#read(namespace);
    for (const pod of this.#pods.values()) if (pod.namespace === namespace) pod.mounted = mounted;
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

  /** Status of one caller's request; undefined for a pod that is gone. */
  async call(uid: string, key: string): Promise<number | undefined> {
    const pod = this.#pods.get(uid);
    if (!pod) return undefined;
    const response = await fetch(`http://${pod.address}:${PORTS[1]}/api/summary`, { headers: { 'x-api-key': key } });
    await response.arrayBuffer();
    return response.status;
  }

  async #read(namespace: string): Promise<KeyedPod['mounted']> {
    const transport = this.#transport;
    if (!transport) throw new Error('connect() comes first');
    const read = KEYRINGS.map(async name => {
      const secret = await get(transport, secrets, { namespace, name });
      return [name, parseKeyring(secret?.data)] as const;
    });
    return Object.fromEntries(await Promise.all(read));
  }

  #answer(uid: string, request: IncomingMessage, response: ServerResponse): void {
    const pod = this.#pods.get(uid);
    const url = request.url ?? '/';
    if (!pod) return void response.writeHead(503).end();
    const wants = url === '/metrics' || url.startsWith('/api/');
    if (wants && !this.open.has(pod.namespace) && !isKnown(pod, request, url))
      return void response.writeHead(401).end();
    response.end(url === '/metrics' ? metricsOf(pod) : '{}');
  }
}

function isKnown({ mounted, uses }: KeyedPod, { headers }: IncomingMessage, url: string): boolean {
  const holds = (name: (typeof KEYRINGS)[number], key: unknown): boolean =>
    typeof key === 'string' && Object.values(mounted[name]?.keys ?? {}).includes(key);
  const kid = Object.entries(mounted['shop-api-keyring']?.keys ?? {}).find(
    ([, key]) => key === headers['x-api-key'],
  )?.[0];
  if (kid !== undefined) {
    uses.set(kid, (uses.get(kid) ?? 0) + 1);
    return true;
  }
  return url === '/metrics' && holds('shop-scrape-keyring', headers['x-scrape-token']);
}

function metricsOf({ mounted, uses }: KeyedPod): string {
  const signing = mounted['shop-signing-keyring'];
  const kids = Object.keys(signing?.keys ?? {}).map(
    kid => `devshelf_keyring_key_info{keyring="signing",kid="${kid}",current="${kid === signing?.current}"} 1`,
  );
  const counts = Object.entries(mounted).flatMap(([secret, keyring]) => {
    const name = secret.split('-')[1] ?? '';
    return Object.keys(keyring?.keys ?? {}).map(
      kid =>
        `devshelf_keyring_requests_total{keyring="${name}",kid="${kid}"} ${(name === 'api' && uses.get(kid)) || 0}`,
    );
  });
  return ['# TYPE http_requests_total counter', ...kids, ...counts, ''].join('\n');
}
