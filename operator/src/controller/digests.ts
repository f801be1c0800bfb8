// Secrets and ConfigMaps that specs name: watched as metadata, read when they changed, and kept as hashes only.
// No value of a Secret stays in memory after this file has looked at it.
import { isNotFound } from '../kube/errors.ts';
import { configMaps, type KubeObject, pathOf, secrets } from '../kube/resource.ts';
import type { Store } from '../kube/store.ts';
import type { Transport } from '../kube/transport.ts';
import { type Digest, digestOf } from '../objects/contents.ts';
import type { Reference } from '../objects/references.ts';
import type { Kept } from './views.ts';

type Stores = Readonly<Record<Reference['kind'], Pick<Store<Kept>, 'get' | 'onChange'>>>;

const RESOURCES = { Secret: secrets, ConfigMap: configMaps } as const;

export class Digests {
  readonly #transport: Transport;
  readonly #stores: Stores;
  readonly #known = new Map<string, { resourceVersion: string; digest: Digest }>();

  constructor(transport: Transport, stores: Stores) {
    this.#transport = transport;
    this.#stores = stores;
    for (const kind of ['Secret', 'ConfigMap'] as const) {
      stores[kind].onChange((before, after) => {
        if (before && !after) this.#known.delete(keyOf(kind, before.metadata));
      });
    }
  }

  /**
   * Undefined when there is no such object. Reads only what changed since.
   * @throws ApiError `GetFailed`
   */
  async of({ kind, name }: Pick<Reference, 'kind' | 'name'>, namespace: string): Promise<Digest | undefined> {
    const key = keyOf(kind, { namespace, name });
    const seen = this.#stores[kind].get(namespace, name);
    if (!seen) return undefined;
    const { resourceVersion } = seen.metadata;
    const known = this.#known.get(key);
    if (known?.resourceVersion === resourceVersion) return known.digest;
    const digest = await this.#read(kind, namespace, name);
    // it may have gone while it was read
    if (digest && this.#stores[kind].get(namespace, name)) this.#known.set(key, { resourceVersion, digest });
    return digest;
  }

  /** What the API server answered to a write of ours: it need not be read. */
  learn(kind: Reference['kind'], { metadata, data = {} }: KubeObject & { data?: Record<string, string> }): void {
    const { namespace = '', name, resourceVersion = '' } = metadata;
    const digest = digestOf(data, kind === 'Secret');
    this.#known.set(keyOf(kind, { namespace, name }), { resourceVersion, digest });
  }

  async #read(kind: Reference['kind'], namespace: string, name: string): Promise<Digest | undefined> {
    try {
      const path = pathOf(RESOURCES[kind], { namespace, name });
      const { data = {} } = await this.#transport.request<{ data?: Record<string, string> }>({ method: 'GET', path });
      return digestOf(data, kind === 'Secret');
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }
}

const keyOf = (kind: Reference['kind'], { namespace, name }: { namespace: string; name: string }): string =>
  `${kind}/${namespace}/${name}`;
