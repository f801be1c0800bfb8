// The newest known state of one kind, kept by a reflector and read by everybody else.
// Objects are projected before they enter: what nobody reads is not kept. And they are kept as text, since most of ten
// thousand resources rest at any time: to read one anew takes some ten microseconds, and those that were read last are
// kept as they are. So they are JSON, and nobody changes what a store gives. Where there are many the text is packed,
// which makes a tenth of it, and takes as long as everything else that is done with an object on its way here.
import { Alike, isPacked } from './alike.ts';

/** The least an object keeps to be found again, and to be told from its successor of the same name. */
export type StoredObject = {
  readonly metadata: {
    readonly namespace?: string;
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
  };
};

/** What of an object tells whether it is the one that is kept. */
export type Listed = {
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly resourceVersion?: string | undefined;
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

/** An object on its way into a store: the pages of a list wait as that. Its text begins with its version. */
export type PackedObject = { readonly key: string; readonly text: string };

const END_OF_VERSION = ' ';
const versionOf = (text: string): string => text.slice(0, text.indexOf(END_OF_VERSION));
const contentOf = (text: string): string => text.slice(text.indexOf(END_OF_VERSION) + 1);
/** Joined: a template leaves its pieces in memory as well. */
const textOf = (version: string, content: string): string => [version, content].join(END_OF_VERSION);

/** What stores hold together, in characters. From `characters` on it is full, until half of that is left. */
export class Room {
  readonly #characters: number;
  #held = 0;
  #isFull = false;

  /** @param characters of some thirteen hundred resources, with all that belongs to them */
  constructor(characters = 2 ** 25) {
    this.#characters = characters;
  }

  get held(): number {
    return this.#held;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  /** @param characters more than before; negative: fewer */
  take(characters: number): void {
    this.#held += characters;
    this.#isFull = this.#held > this.#characters / (this.#isFull ? 2 : 1);
  }
}

/** So many of the texts from before there was no room are packed with each that comes: never all of them in one turn. */
const PACKED_WITH_EACH = 2;

/** Lists of so many are copied as they grow: one that is pushed to has room for sixteen more. */
const FEW = 8;
/** As many as some passes read. */
const READ_LATELY = 64;

export class Store<T extends StoredObject> {
  readonly #alike: Alike;
  readonly #room: Room;
  /** Where it goes on with what may not be packed yet. */
  #unpacked: IterableIterator<[key: string, text: string]> | undefined;
  readonly #texts = new Map<string, string>();
  readonly #lately = new Map<string, T>();
  readonly #indexers: Readonly<Record<string, Indexer<T>>>;
  /** Keys of objects. Most indexed keys have one: a list around it would take more than it. */
  readonly #indexes = new Map<string, Map<string, string | string[]>>();
  readonly #listeners = new Set<ChangeListener<T>>();
  #resourceVersion = '';

  /** @param alike shared by stores of the same kind of object. @param room shared by all */
  constructor(indexers: Readonly<Record<string, Indexer<T>>> = {}, alike = new Alike(), room = new Room()) {
    this.#alike = alike;
    this.#room = room;
    this.#indexers = indexers;
    for (const name of Object.keys(indexers)) this.#indexes.set(name, new Map());
  }

  get(namespace: string | undefined, name: string): T | undefined {
    return this.#read(keyOf(namespace, name));
  }

  list(): T[] {
    return [...this.#texts.values()].map(text => this.#parsed(text));
  }

  /** `namespace/name` of each. */
  keys(): IterableIterator<string> {
    return this.#texts.keys();
  }

  get size(): number {
    return this.#texts.size;
  }

  /** @throws TypeError for an index that was not declared */
  byIndex(index: string, key: string): T[] {
    return this.keysByIndex(index, key).flatMap(found => this.#read(found) ?? []);
  }

  /** `namespace/name` of each, for who need not read them. @throws TypeError for an index that was not declared */
  keysByIndex(index: string, key: string): readonly string[] {
    const keys = this.#indexes.get(index);
    if (!keys) throw new TypeError(`no index ${index}`);
    return listed(keys.get(key));
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

  pack(object: T): PackedObject {
    const { namespace, name, resourceVersion } = object.metadata;
    const json = JSON.stringify(object);
    const content = this.#room.isFull ? this.#alike.pack(json) : json;
    return { key: keyOf(namespace, name), text: textOf(resourceVersion, content) };
  }

  /** For the reflector: an object that is listed once more, where it is here as it was. */
  unchanged({ namespace, name, resourceVersion }: Listed): PackedObject | undefined {
    const key = keyOf(namespace, name);
    const text = this.#texts.get(key);
    return text !== undefined && versionOf(text) === resourceVersion ? { key, text } : undefined;
  }

  /**
   * For the reflector: one of a list whose end is not known yet, into a store that never had a whole one. Up to where
   * history is known is told by `replace`, which takes out again what the whole list does not have.
   */
  fill(object: T): PackedObject {
    const packed = this.pack(object);
    this.#put(packed, object);
    return packed;
  }

  /** For the reflector: one object appeared or changed. */
  upsert(object: T): void {
    this.advance(object.metadata.resourceVersion);
    this.#put(this.pack(object), object);
  }

  /** For the reflector: one object is gone; its successor of the same name stays. */
  remove(object: T): void {
    const key = keyOf(object.metadata.namespace, object.metadata.name);
    const before = this.#read(key);
    this.advance(object.metadata.resourceVersion);
    if (before && before.metadata.uid === object.metadata.uid) this.#drop(key, before);
  }

  /** For the reflector: a whole list. What did not change is not told. */
  replace(objects: readonly PackedObject[], resourceVersion: string): void {
    this.#resourceVersion = resourceVersion;
    const kept = new Set(objects.map(({ key }) => key));
    for (const [key, text] of this.#texts) if (!kept.has(key)) this.#drop(key, this.#parsed(text));
    for (const packed of objects) {
      const before = this.#texts.get(packed.key);
      if (before !== undefined && versionOf(before) === versionOf(packed.text)) continue;
      this.#put(packed, this.#parsed(packed.text));
    }
  }

  /** For the reflector: history is known up to here. Never goes back. */
  advance(resourceVersion: string): void {
    if (this.hasSeen(resourceVersion)) return;
    this.#resourceVersion = resourceVersion;
  }

  #put({ key, text }: PackedObject, object: T): void {
    const before = this.#read(key);
    // the same name with another uid is another object: the first one is gone, even if nobody saw it go
    const isAnother = before && before.metadata.uid !== object.metadata.uid;
    if (isAnother) this.#drop(key, before);
    const changed = isAnother ? undefined : before;
    this.#hold(key, text);
    if (this.#room.isFull) this.#packEarlier();
    this.#lately.delete(key);
    this.#index(key, changed, object);
    this.#tell(changed, object);
  }

  /** @param text absent: no more */
  #hold(key: string, text?: string): void {
    this.#room.take((text?.length ?? 0) - (this.#texts.get(key)?.length ?? 0));
    if (text === undefined) this.#texts.delete(key);
    else this.#texts.set(key, text);
  }

  #packEarlier(): void {
    for (let left = PACKED_WITH_EACH; left > 0; left -= 1) {
      this.#unpacked ??= this.#texts.entries();
      const { value: [key, text] = [], done } = this.#unpacked.next();
      if (done) this.#unpacked = undefined;
      if (key === undefined || text === undefined || isPacked(text)) continue;
      this.#hold(key, textOf(versionOf(text), this.#alike.pack(contentOf(text))));
    }
  }

  #drop(key: string, before: T): void {
    this.#hold(key);
    this.#lately.delete(key);
    this.#index(key, before, undefined);
    this.#tell(before, undefined);
  }

  #read(key: string): T | undefined {
    const known = this.#lately.get(key);
    if (known) return known;
    const text = this.#texts.get(key);
    if (text === undefined) return undefined;
    const object = this.#parsed(text);
    this.#lately.set(key, object);
    const [oldest] = this.#lately.keys();
    if (this.#lately.size > READ_LATELY && oldest !== undefined) this.#lately.delete(oldest);
    return object;
  }

  #parsed(text: string): T {
    return JSON.parse(this.#alike.read(contentOf(text))) as T;
  }

  #tell(before: T | undefined, after: T | undefined): void {
    for (const listener of this.#listeners) listener(before, after);
  }

  #index(key: string, before: T | undefined, after: T | undefined): void {
    for (const [name, indexer] of Object.entries(this.#indexers)) {
      const index = this.#indexes.get(name);
      if (!index) continue;
      const was = new Set(before && indexer(before));
      const is = new Set(after && indexer(after));
      for (const at of was) if (!is.has(at)) leave(index, at, key);
      for (const at of is) if (!was.has(at)) join(index, at, key);
    }
  }
}

const listed = (found: string | string[] | undefined): readonly string[] =>
  found === undefined ? [] : typeof found === 'string' ? [found] : found;

function join(index: Map<string, string | string[]>, at: string, key: string): void {
  const found = index.get(at);
  if (found === undefined) index.set(at, key);
  else if (typeof found === 'string') index.set(at, [found, key]);
  else if (found.length < FEW) index.set(at, [...found, key]);
  else found.push(key);
}

function leave(index: Map<string, string | string[]>, at: string, key: string): void {
  const [first, ...others] = listed(index.get(at)).filter(other => other !== key);
  if (first === undefined) index.delete(at);
  else index.set(at, others.length === 0 ? first : [first, ...others]);
}
