// Secrets and ConfigMaps that specs name: watched as metadata, read when they changed, and kept as hashes only.
// No value of a Secret stays in memory after this file has looked at it.
import { createHash } from 'node:crypto';
import { isNotFound } from '../kube/errors.ts';
import { configMaps, pathOf, secrets } from '../kube/resource.ts';
import type { Store } from '../kube/store.ts';
import type { Transport } from '../kube/transport.ts';
import { databaseIdentityOf } from '../objects/database.ts';
import type { Reference } from '../objects/references.ts';
import type { Kept } from './views.ts';

export interface Digest {
  /** Hash of each value, by key. */
  readonly hashes: ReadonlyMap<string, string>;
  /** For values that are PostgreSQL URLs: the hash of host, port and database name. */
  readonly databases: ReadonlyMap<string, string>;
}

type Stores = Readonly<Record<Reference['kind'], Pick<Store<Kept>, 'get'>>>;

const RESOURCES = { Secret: secrets, ConfigMap: configMaps } as const;

export class Digests {
  readonly #transport: Transport;
  readonly #stores: Stores;
  readonly #known = new Map<string, { resourceVersion: string; digest: Digest }>();

  constructor(transport: Transport, stores: Stores) {
    this.#transport = transport;
    this.#stores = stores;
  }

  /**
   * Undefined when there is no such object. Reads only what changed since.
   * @throws ApiError `GetFailed`
   */
  async of({ kind, name }: Pick<Reference, 'kind' | 'name'>, namespace: string): Promise<Digest | undefined> {
    const key = `${kind}/${namespace}/${name}`;
    const seen = this.#stores[kind].get(namespace, name);
    if (!seen) {
      this.#known.delete(key);
      return undefined;
    }
    const { resourceVersion } = seen.metadata;
    const known = this.#known.get(key);
    if (known?.resourceVersion === resourceVersion) return known.digest;
    const digest = await this.#read(kind, namespace, name);
    if (digest) this.#known.set(key, { resourceVersion, digest });
    return digest;
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

function digestOf(data: Readonly<Record<string, string>>, encoded: boolean): Digest {
  const entries = Object.entries(data);
  const databases = entries.flatMap(([key, value]) => {
    const identity = databaseIdentityOf(encoded ? Buffer.from(value, 'base64').toString() : value);
    return identity === undefined ? [] : [[key, identity] as const];
  });
  return {
    hashes: new Map(entries.map(([key, value]) => [key, sha256(value)])),
    databases: new Map(databases),
  };
}

/**
 * Hash over what a reference takes: the keys that it names, or all of them where it names none. A key that nobody
 * takes may change without starting a release.
 */
export function contentHash({ keys }: Pick<Reference, 'keys'>, { hashes }: Digest): string {
  const taken = [...hashes].filter(([key]) => keys.length === 0 || keys.includes(key));
  return sha256(JSON.stringify(taken.sort(([a], [b]) => (a < b ? -1 : 1))));
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);
