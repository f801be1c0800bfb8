// Every object of a kind that ever was there, also those that are gone: what a list at the end would not show.
import { type Reflector, startReflector } from '../../kube/reflector.ts';
import type { KubeObject, Resource } from '../../kube/resource.ts';
import { Store, type StoredObject } from '../../kube/store.ts';
import type { Transport } from '../../kube/transport.ts';

type Kept = StoredObject & { readonly raw: KubeObject };

export class Ledger {
  readonly #seen = new Map<string, KubeObject>();
  readonly #reflector: Reflector<KubeObject, Kept>;

  /** @param onSeen hears of every version of every object */
  constructor(transport: Transport, resource: Resource, onSeen: (object: KubeObject) => void = () => {}) {
    const store = new Store<Kept>();
    store.onChange((_before, after) => {
      if (!after) return;
      this.#seen.set(after.metadata.uid, after.raw);
      onSeen(after.raw);
    });
    this.#reflector = startReflector({
      transport,
      resource,
      store,
      project: raw => ({ metadata: { uid: '', resourceVersion: '', ...raw.metadata }, raw }),
    });
  }

  get synced(): Promise<void> {
    return this.#reflector.synced;
  }

  /** One entry per uid, as it was seen last. */
  of(namespace: string): KubeObject[] {
    return [...this.#seen.values()].filter(({ metadata }) => metadata.namespace === namespace);
  }

  stop(): Promise<void> {
    return this.#reflector.stop();
  }
}
