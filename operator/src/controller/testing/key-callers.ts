// Callers of a keyed service, as they should be: each reads its Secret before it asks.
import { get } from '../../kube/apply.ts';
import { secrets } from '../../kube/resource.ts';
import type { KeyedPods } from './keyed-pods.ts';
import type { LittleCluster } from './little-cluster.ts';
import { pause } from './shop.ts';

/** They ask every pod that a Service would send them to. */
export class KeyCallers {
  readonly #cluster: LittleCluster;
  readonly #pods: KeyedPods;
  readonly #namespace: string;
  readonly used = new Set<string>();
  readonly refused: string[] = [];
  calls = 0;
  #calling: Promise<void> | undefined;
  #leaving = false;

  constructor(cluster: LittleCluster, pods: KeyedPods, namespace: string) {
    this.#cluster = cluster;
    this.#pods = pods;
    this.#namespace = namespace;
  }

  come(): void {
    this.#calling = this.#call();
  }

  async leave(): Promise<void> {
    this.#leaving = true;
    await this.#calling;
  }

  async #call(): Promise<void> {
    while (!this.#leaving) {
      const key = await clientKey(this.#cluster, this.#namespace);
      for (const uid of key === undefined ? [] : this.#cluster.kubelet.endpoints(this.#namespace)) {
        const status = await this.#pods.call(uid, key ?? '').catch(() => undefined);
        this.calls += 1;
        if (status === 401) this.refused.push(`${uid} refused key ${key?.split('_')[1]}`);
      }
      if (key !== undefined) this.used.add(key);
      await pause(20);
    }
  }
}

/** What callers find in their Secret. */
export const clientKey = async (cluster: LittleCluster, namespace: string): Promise<string | undefined> => {
  const secret = await get(cluster.transport, secrets, { namespace, name: 'shop-api-key' });
  return secret?.data?.['key'] && Buffer.from(secret.data['key'], 'base64').toString();
};
