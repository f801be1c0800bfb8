import { timingSafeEqual } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import type { Logger } from './logging.ts';

/**
 * Keys by id. All of them are accepted, the current one signs: that is what lets a key rotate with nobody cut off.
 *
 *   keyring.json   {"current":"k2","keys":{"k1":"dsk_k1_…","k2":"dsk_k2_…"}}
 */
export type Keyring = { readonly current: string; readonly keys: Readonly<Record<string, string>> };

export const KEYRING_FILE = 'keyring.json';

const keyringSchema = z
  .object({ current: z.string().min(1), keys: z.record(z.string().min(1), z.string().min(1)) })
  .refine(({ current, keys }) => keys[current] !== undefined, 'the current key is not among the keys');

/** The keyring could not be read or does not fit. The message never holds a key. */
export class KeyringError extends Error {
  readonly code = 'KEYRING_UNREADABLE';
}

/** @throws KeyringError */
export function parseKeyring(text: string): Keyring {
  try {
    return keyringSchema.parse(JSON.parse(text));
  } catch (cause) {
    // neither JSON.parse's nor zod's message is passed on: the first one quotes the text
    const why = cause instanceof z.ZodError ? cause.issues.map(issue => issue.message).join(', ') : 'not JSON';
    throw new KeyringError(`${KEYRING_FILE}: ${why}`);
  }
}

/** Takes the same time for every wrong key of the right length. How long our keys are is no secret. */
const sameBytes = (left: Buffer, right: Buffer): boolean =>
  left.length === right.length && timingSafeEqual(left, right);

export const sameSecret = (left: string, right: string): boolean => sameBytes(Buffer.from(left), Buffer.from(right));

/** A keyring never changes, it is replaced: its keys become bytes once. */
const bytes = new WeakMap<Keyring, readonly (readonly [id: string, key: Buffer])[]>();

function bytesOf(keyring: Keyring): readonly (readonly [id: string, key: Buffer])[] {
  const known = bytes.get(keyring);
  if (known !== undefined) return known;
  const made = Object.entries(keyring.keys).map(([id, key]) => [id, Buffer.from(key)] as const);
  bytes.set(keyring, made);
  return made;
}

/** Id of the key that was presented, or undefined. Looks at every key, whichever fits. */
export function findKeyId(keyring: Keyring, presented: string): string | undefined {
  const key = Buffer.from(presented);
  let found: string | undefined;
  for (const [id, each] of bytesOf(keyring)) if (sameBytes(each, key)) found = id;
  return found;
}

/** A keyring that may change while the process runs. */
export interface KeyringSource {
  readonly value: Keyring;
  close(): void;
}

/** How often each key was presented and accepted, since the process began. */
const uses = new WeakMap<Pick<KeyringSource, 'value'>, Map<string, number>>();

/** Counts one use of an accepted key: who still has the old one is known before it leaves. */
export function countUse(source: Pick<KeyringSource, 'value'>, id: string): void {
  const known = uses.get(source);
  if (known === undefined) uses.set(source, new Map([[id, 1]]));
  else known.set(id, (known.get(id) ?? 0) + 1);
}

/** 0 for a key that nobody has presented yet. */
export const usesOf = (source: Pick<KeyringSource, 'value'>, id: string): number => uses.get(source)?.get(id) ?? 0;

/** Id of the key that was presented, counted as used; undefined when it is none of them. */
export function acceptKey(source: Pick<KeyringSource, 'value'>, presented: string): string | undefined {
  const id = findKeyId(source.value, presented);
  if (id !== undefined) countUse(source, id);
  return id;
}

export const fixedKeyring = (key: string, id = 'env'): KeyringSource => ({
  value: { current: id, keys: { [id]: key } },
  close: () => undefined,
});

export type WatchOptions = {
  /** net under the watch: some file systems report nothing. Milliseconds */
  readonly pollMs?: number;
  readonly onChange?: (keyring: Keyring) => void;
  /** the last good keyring stays in force */
  readonly onError?: (error: Error) => void;
};

/**
 * Reads `keyring.json` from a mounted Secret and follows it. The directory is watched, not the file: the kubelet
 * renames the `..data` link, after which a watch on the file would see nothing more.
 * @throws KeyringError when there is no usable keyring at the start
 */
export async function watchKeyring(directory: string, options: WatchOptions = {}): Promise<KeyringSource> {
  let text = await readText(directory);
  let value = parseKeyring(text);

  const reload = async () => {
    const next = await readText(directory);
    if (next === text) return;
    text = next;
    value = parseKeyring(next);
    options.onChange?.(value);
  };
  const follow = () => {
    reload().catch(options.onError ?? (() => undefined));
  };

  const watcher = watchDirectory(directory, follow);
  const poll = setInterval(follow, options.pollMs ?? 10_000);
  poll.unref();
  return {
    get value() {
      return value;
    },
    close: () => {
      watcher?.close();
      clearInterval(poll);
    },
  };
}

async function readText(directory: string): Promise<string> {
  try {
    return await readFile(join(directory, KEYRING_FILE), 'utf8');
  } catch (cause) {
    throw new KeyringError(`${join(directory, KEYRING_FILE)} cannot be read`, { cause });
  }
}

function watchDirectory(directory: string, follow: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(directory, { persistent: false }, follow);
    watcher.on('error', () => watcher.close()); // the poll goes on
    return watcher;
  } catch {
    return undefined;
  }
}

export type KeyringChoice = {
  readonly directory?: string | undefined;
  readonly key?: string | undefined;
} & WatchOptions;

/** The mounted directory wins over the single key from the environment; neither gives undefined. */
export async function openKeyring({ directory, key, ...options }: KeyringChoice): Promise<KeyringSource | undefined> {
  if (directory !== undefined) return watchKeyring(directory, options);
  return key === undefined ? undefined : fixedKeyring(key);
}

/** Logs what happens to a keyring: ids only. */
export const reporting = (logger: Logger, name: string): WatchOptions => ({
  onChange: ({ current, keys }) =>
    logger.info({ keyring: name, current, ids: Object.keys(keys) }, 'keyring read again'),
  onError: error => logger.error({ keyring: name, err: error }, 'keyring unreadable, the last one stays in force'),
});
