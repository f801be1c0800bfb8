// The newest known state of one kind, kept by a reflector and read by everybody else.
// Objects are projected before they enter: what nobody reads is not kept.

/** The least an object keeps to be found again, and to be told from its successor of the same name. */
export type StoredObject = {
  readonly metadata: {
    readonly namespace?: string;
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
  };
};

/** Called after the store has changed: (undefined, new) added, (old, new) changed, (old, undefined) gone. */
export type ChangeListener<T> = (before: T | undefined, after: T | undefined) => void;

/** The keys under which one object is found in an index. */
export type Indexer<T> = (object: T) => readonly string[];

/**
 * Resource versions are decimal numbers that grow; they have no fixed width, so the longer one is the newer one.
 * Negative: `a` is older. Assumes an API server over etcd; since Kubernetes 1.35 every API server must be so.
 */
export function compareResourceVersions(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Finds labelled objects: the key is `namespace/value`. */
export function byLabel(label: string) {
  return (object: { metadata: { namespace?: string; labels?: Readonly<Record<string, string>> } }): string[] => {
    const value = object.metadata.labels?.[label];
    return value === undefined ? [] : [keyOf(object.metadata.namespace, value)];
  };
}

/** `namespace/name`; of cluster-scoped objects the bare name. Joined: a template leaves its pieces in memory as well. */
export function keyOf(namespace: string | undefined, name: string): string {
  return namespace === undefined ? name : [namespace, name].join('/');
}

export class Store<T extends StoredObject> {
  readonly #objects = new Map<string, T>();
  readonly #indexers: Readonly<Record<string, Indexer<T>>>;
  /** Most keys have one object: a set around it would take more than it. */
  readonly #indexes = new Map<string, Map<string, T | Set<T>>>();
  readonly #listeners = new Set<ChangeListener<T>>();
  #resourceVersion = '';

  constructor(indexers: Readonly<Record<string, Indexer<T>>> = {}) {
    this.#indexers = indexers;
    for (const name of Object.keys(indexers)) this.#indexes.set(name, new Map());
  }

  get(namespace: string | undefined, name: string): T | undefined {
    return this.#objects.get(keyOf(namespace, name));
  }

  list(): T[] {
    return [...this.#objects.values()];
  }

  get size(): number {
    return this.#objects.size;
  }

  /** @throws TypeError for an index that was not declared */
  byIndex(index: string, key: string): T[] {
    const keys = this.#indexes.get(index);
    if (!keys) throw new TypeError(`no index ${index}`);
    const found = keys.get(key);
    return found instanceof Set ? [...found] : found ? [found] : [];
  }

  /** Up to where the API server's history is known; empty before the first list. */
  get resourceVersion(): string {
    return this.#resourceVersion;
  }

  /** Whether a write that was answered with this resource version is in the store, or was overtaken by a newer one. */
  hasSeen(resourceVersion: string): boolean {
    return this.#resourceVersion !== '' && compareResourceVersions(this.#resourceVersion, resourceVersion) >= 0;
  }

  /** Listeners must not throw. Returns the way to stop listening. */
  onChange(listener: ChangeListener<T>): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** For the reflector: one object appeared or changed. */
  upsert(object: T): void {
    const key = keyOf(object.metadata.namespace, object.metadata.name);
    const before = this.#objects.get(key);
    this.advance(object.metadata.resourceVersion);
    // the same name with another uid is another object: the first one is gone, even if nobody saw it go
    if (before && before.metadata.uid !== object.metadata.uid) this.#drop(key, before);
    const changed = this.#objects.get(key);
    if (changed) this.#unindex(changed);
    this.#objects.set(key, object);
    this.#index(object);
    this.#tell(changed, object);
  }

  /** For the reflector: one object is gone; its successor of the same name stays. */
  remove(object: T): void {
    const key = keyOf(object.metadata.namespace, object.metadata.name);
    const before = this.#objects.get(key);
    this.advance(object.metadata.resourceVersion);
    if (before && before.metadata.uid === object.metadata.uid) this.#drop(key, before);
  }

  /** For the reflector: a whole list. What did not change is not told. */
  replace(objects: readonly T[], resourceVersion: string): void {
    this.#resourceVersion = resourceVersion;
    const kept = new Set(objects.map(object => keyOf(object.metadata.namespace, object.metadata.name)));
    for (const [key, before] of this.#objects) if (!kept.has(key)) this.#drop(key, before);
    for (const object of objects) {
      const before = this.get(object.metadata.namespace, object.metadata.name);
      const { uid, resourceVersion: version } = object.metadata;
      if (before?.metadata.uid === uid && before.metadata.resourceVersion === version) continue;
      this.upsert(object);
    }
  }

  /** For the reflector: history is known up to here. Never goes back. */
  advance(resourceVersion: string): void {
    if (this.hasSeen(resourceVersion)) return;
    this.#resourceVersion = resourceVersion;
  }

  #drop(key: string, before: T): void {
    this.#objects.delete(key);
    this.#unindex(before);
    this.#tell(before, undefined);
  }

  #tell(before: T | undefined, after: T | undefined): void {
    for (const listener of this.#listeners) listener(before, after);
  }

  #index(object: T): void {
    this.#eachKey(object, (index, key) => {
      const found = index.get(key);
      if (found instanceof Set) found.add(object);
      else index.set(key, found && found !== object ? new Set([found, object]) : object);
    });
  }

  #unindex(object: T): void {
    this.#eachKey(object, (index, key) => {
      const found = index.get(key);
      if (found instanceof Set) found.delete(object);
      if (found === object || (found instanceof Set && found.size === 0)) index.delete(key);
    });
  }

  #eachKey(object: T, work: (index: Map<string, T | Set<T>>, key: string) => void): void {
    for (const [name, indexer] of Object.entries(this.#indexers)) {
      const index = this.#indexes.get(name);
      if (index) for (const key of indexer(object)) work(index, key);
    }
  }
}
