// Pods that run the services of this repository as they are: a process each, on a loopback address of its own, with
// its keyrings in directories that are swapped as a kubelet swaps them. There is no database behind them.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { get } from '../../kube/apply.ts';
import { secrets } from '../../kube/resource.ts';
import type { Transport } from '../../kube/transport.ts';
import type { PodHost } from './little-kubelet.ts';

interface ServicePod {
  readonly namespace: string;
  readonly address: string;
  readonly folder: string;
  readonly process: ChildProcess;
  synced: string | undefined;
}

const ROOT = join(import.meta.dirname, '../../../..');
const START_MS = 60_000;
const SERVICES = {
  dashboard: {
    program: 'dashboard/server.ts',
    port: 8080,
    keyrings: { API_KEYRING_DIR: 'api-keyring', SCRAPE_TOKEN_DIR: 'scrape-keyring' },
  },
  devshelf: {
    program: 'devshelf/server.ts',
    port: 8000,
    keyrings: { SIGNING_KEYRING_DIR: 'signing-keyring', SCRAPE_TOKEN_DIR: 'scrape-keyring' },
  },
  worker: { program: 'devshelf/worker.ts', port: 8000, keyrings: { SCRAPE_TOKEN_DIR: 'scrape-keyring' } },
} as const;

export class ServicePods implements PodHost {
  readonly #service: keyof typeof SERVICES;
  readonly #network: number;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #pods = new Map<string, ServicePod>();
  #addresses = 0;
  #transport: Transport | undefined;
  #swaps = 0;

  /** @param network second byte of the addresses: another one for each host of a machine */
  constructor(service: keyof typeof SERVICES, network: number, environment: Readonly<Record<string, string>> = {}) {
    this.#service = service;
    this.#network = network;
    this.#environment = environment;
  }

  /** As whom Secrets are read. */
  connect(transport: Transport): void {
    this.#transport = transport;
  }

  async start({ uid, namespace }: Parameters<PodHost['start']>[0]): Promise<string> {
    this.#addresses += 1;
    const address = `127.${this.#network}.0.${this.#addresses}`;
    const folder = await mkdtemp(join(tmpdir(), 'devshelf-pod-'));
    await this.#bring(namespace, folder);
    const { program, port, keyrings } = SERVICES[this.#service];
    const directories = Object.entries(keyrings).map(([name, keyring]) => [name, join(folder, keyring)]);
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, join(ROOT, 'services', program)], {
      env: {
        PATH: process.env['PATH'],
        NODE_ENV: 'production',
        HOST: address,
        PORT: String(port),
        DATABASE_URL: 'postgresql://nobody@127.0.0.1:9/nothing',
        ...this.#environment,
        ...Object.fromEntries(directories),
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    this.#pods.set(uid, { namespace, address, folder, process: child, synced: undefined });
    await answers(`http://${address}:${port}/live`);
    return address;
  }

  async sync(uid: string, keys: string): Promise<void> {
    const pod = this.#pods.get(uid);
    if (!pod || pod.synced === keys) return;
    pod.synced = keys;
    await this.#bring(pod.namespace, pod.folder);
  }

  async stop(uid: string): Promise<void> {
    const pod = this.#pods.get(uid);
    if (!pod) return;
    this.#pods.delete(uid);
    if (pod.process.exitCode === null && pod.process.signalCode === null) {
      pod.process.kill('SIGKILL');
      await once(pod.process, 'exit');
    }
    await rm(pod.folder, { recursive: true, force: true });
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#pods.keys()].map(uid => this.stop(uid)));
  }

  /** Status and text of one request to a pod. */
  async ask(uid: string, path: string, headers: Record<string, string>): Promise<{ status: number; text: string }> {
    const { address } = this.#pods.get(uid) ?? {};
    const response = await fetch(`http://${address}:${SERVICES[this.#service].port}${path}`, { headers });
    return { status: response.status, text: await response.text() };
  }

  /** `keyring.json -> ..data/keyring.json`, `..data -> <a new directory>`, and the last link renamed into its place. */
  async #bring(namespace: string, folder: string): Promise<void> {
    const transport = this.#transport;
    if (!transport) throw new Error('connect() comes first');
    for (const keyring of Object.values(SERVICES[this.#service].keyrings)) {
      const secret = await get(transport, secrets, { namespace, name: `shop-${keyring}` });
      this.#swaps += 1;
      const mount = join(folder, keyring);
      const version = `..version-${this.#swaps}`;
      await mkdir(join(mount, version), { recursive: true });
      for (const [name, data] of Object.entries(secret?.data ?? {})) {
        await writeFile(join(mount, version, name), Buffer.from(data, 'base64'));
        await symlink(join('..data', name), join(mount, name)).catch(() => undefined); // there already
      }
      await symlink(version, join(mount, '..data_tmp'));
      await rename(join(mount, '..data_tmp'), join(mount, '..data'));
    }
  }
}

async function answers(url: string): Promise<void> {
  const deadline = performance.now() + START_MS;
  while (performance.now() < deadline) {
    const isUp = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isUp) return;
    await delay(100);
  }
  throw new Error(`${url} does not answer`);
}
