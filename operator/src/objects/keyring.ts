// Keys as they lie in Secrets: the keyring that the pods mount, and the one key that clients read.
//
//   <name>-api-keyring      keyring.json: {"current":"1","keys":{"1":"dsk_1_…"}}    every key that the pods accept
//   <name>-api-key          key: dsk_1_…                                            the key to use now
//
// While key 1 is being replaced, and until all pods were seen to refuse it:
//
//   <name>-api-keyring      keyring.json: {"current":"2","keys":{"1":"dsk_1_…","2":"dsk_2_…"}}
//                           revoked.json: {"1":"dsk_1_…"}                           to prove that it is refused
//   <name>-api-key          key: dsk_2_…, previous-until: 2026-03-02T12:00:00.000Z

import { jsonOf } from '../api/json.ts';
import { formatRotation, type KeyName, type RotationRecord } from '../api/rotation.ts';
import { sha256 } from '../api/sha256.ts';
import { type App, childLabels, childMeta, isDevShelf, type KubeObject } from './app.ts';
import { isRecord } from './hash.ts';
import { ANNOTATIONS, names } from './names.ts';

export const KEYRING_FILE = 'keyring.json';
/** Read by nobody but the operator. */
export const REVOKED_FILE = 'revoked.json';
/** Beside the key that clients read: until then the one before it is accepted. RFC 3339. */
export const PREVIOUS_UNTIL = 'previous-until';

/** One keyring of a resource: where it lies, where the pods find it, and who else is given the current key. */
export interface KeyringPlace {
  readonly name: KeyName;
  /** Name of the Secret that holds every accepted key. */
  readonly secret: string;
  readonly volume: string;
  /** Mounted as a directory: a file mounted by subPath would never see a new key. */
  readonly directory: string;
  /** Environment variable that names the directory. */
  readonly env: string;
  /** Secret and key where clients read the current key; absent when only the pods use it. */
  readonly client?: { readonly secret: string; readonly key: string };
}

/** Which key is given out and every key that is accepted, by id. */
export interface Keyring {
  readonly current: string;
  readonly keys: Readonly<Record<string, string>>;
}

/** By the name of its Secret. */
export const keyringOf = (app: App, secret: string): KeyringPlace | undefined =>
  keyringsOf(app).find(keyring => keyring.secret === secret);

/** The keyrings of a kind, in a fixed order. */
export function keyringsOf(app: App): readonly KeyringPlace[] {
  const name = app.metadata.name;
  return [isDevShelf(app) ? signingKeyring(name) : apiKeyring(name), scrapeKeyring(app)];
}

/** The tokens that may read /metrics. */
export function scrapeKeyring(app: App): KeyringPlace {
  const name = app.metadata.name;
  return {
    name: 'scrape',
    secret: names.scrapeKeyring(name),
    volume: 'scrape-keyring',
    directory: '/var/run/devshelf/scrape-keyring',
    env: 'SCRAPE_TOKEN_DIR',
    client: { secret: names.scrapeToken(name), key: 'token' },
  };
}

function signingKeyring(name: string): KeyringPlace {
  return {
    name: 'signing',
    secret: names.signingKeyring(name),
    volume: 'signing-keyring',
    directory: '/var/run/devshelf/signing-keyring',
    env: 'SIGNING_KEYRING_DIR',
  };
}

function apiKeyring(name: string): KeyringPlace {
  return {
    name: 'api',
    secret: names.apiKeyring(name),
    volume: 'api-keyring',
    directory: '/var/run/devshelf/api-keyring',
    env: 'API_KEYRING_DIR',
    client: { secret: names.apiKey(name), key: 'key' },
  };
}

/** The Secret that the pods mount, with the record of its rotations. */
export function keyringSecret(app: App, name: string, keyring: Keyring, record: RotationRecord): KubeObject {
  const annotations = { [ANNOTATIONS.rotation]: formatRotation({ ...record, digests: digestsOf(keyring) }) };
  return opaque(app, name, { [KEYRING_FILE]: JSON.stringify(keyring) }, annotations);
}

/** A Secret with the given keys, for example `{key: 'dsk_…'}` for callers or `{token: 'dsk_…'}` for Prometheus. */
export const clientSecret = (app: App, name: string, keys: Readonly<Record<string, string>>): KubeObject =>
  opaque(app, name, keys, { [ANNOTATIONS.digests]: clientDigests(keys) });

/** The annotation of a Secret with these keys: so nobody has to read it to know which ones they are. */
export const clientDigests = (keys: Readonly<Record<string, string>>): string => JSON.stringify(digestsOf({ keys }));

function opaque(
  app: App,
  name: string,
  texts: Readonly<Record<string, string>>,
  annotations: Record<string, string>,
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { ...childMeta(app, name, childLabels(app)), annotations },
    type: 'Opaque',
    data: Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, encode(text)])),
  };
}

/** Reads a keyring Secret's `data`; undefined when it does not hold a keyring that has its current key. */
export function parseKeyring(data: Readonly<Record<string, string>> | undefined): Keyring | undefined {
  const parsed = parseFile(data?.[KEYRING_FILE]);
  return isKeyring(parsed) ? parsed : undefined;
}

/** The keys that left the keyring and of which it is not proven yet that the pods refuse them. */
export function parseRevoked(data: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> {
  const parsed = parseFile(data?.[REVOKED_FILE]);
  return isTexts(parsed) ? parsed : {};
}

const parseFile = (file: string | undefined): unknown => jsonOf(file && Buffer.from(file, 'base64').toString('utf8'));

function isKeyring(value: unknown): value is Keyring & Record<string, unknown> {
  if (!isRecord(value) || typeof value['current'] !== 'string' || !isTexts(value['keys'])) return false;
  return Object.hasOwn(value['keys'], value['current']);
}

export const isTexts = (value: unknown): value is Readonly<Record<string, string>> =>
  isRecord(value) && Object.values(value).every(text => typeof text === 'string');

const encode = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

/** SHA-256 of a key. It is of 32 random bytes: nobody finds the key from it, so it may stand where keys may not. */
export const digestOfKey = (key: string): string => sha256(key, 'base64url');

export const digestsOf = ({ keys }: Pick<Keyring, 'keys'>): Record<string, string> =>
  Object.fromEntries(Object.entries(keys).map(([id, key]) => [id, digestOfKey(key)]));

// ---- one key

const KEY = /^(dsk_([a-z0-9]{1,16})_[A-Za-z0-9_-]{43})_([0-9a-f]{8})$/;

/**
 * A key: `dsk_<kid>_<43 base64url characters>_<crc32>`. The prefix lets secret scanners find it, the kid tells
 * generations apart in logs, the checksum tells a mistyped key from a revoked one.
 * @param kid lower-case letters and digits, at most 16
 * @param random32 32 bytes from a cryptographic source: the caller's, this function is pure
 * @throws RangeError for another length or kid
 */
export function newKey(kid: string, random32: Uint8Array): string {
  if (random32.length !== 32) throw new RangeError(`a key needs 32 random bytes, not ${random32.length}`);
  const body = `dsk_${kid}_${Buffer.from(random32).toString('base64url')}`;
  const key = `${body}_${checksum(body)}`;
  if (!KEY.test(key)) throw new RangeError(`key id "${kid}" must be 1 to 16 lower-case letters or digits`);
  return key;
}

/** The id inside a key, or undefined when it is not one of ours or its checksum does not fit. */
export function keyIdOf(key: string): string | undefined {
  const [, body, kid, crc] = KEY.exec(key) ?? [];
  return body !== undefined && checksum(body) === crc ? kid : undefined;
}

const checksum = (text: string): string => crc32(Buffer.from(text, 'utf8')).toString(16).padStart(8, '0');

/** CRC-32 as in IEEE 802.3 and zlib, reflected polynomial 0xEDB88320. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

// ---- what a rotation does to a keyring

/** The five writes of a rotation to the keyring Secret; `restore` puts back what somebody else took out. */
export type KeyringChange = 'add' | 'restore' | 'switch' | 'revoke' | 'finish';

export interface KeyringFiles {
  readonly keyring: Keyring;
  readonly revoked: Readonly<Record<string, string>>;
}

/**
 * The files after a change. Asking twice gives the same, but for `add` and `restore` where the new key is missing: that
 * is minted, and who writes makes sure that the Secret is still the one that was read.
 * @param ids of the key that is replaced, of the one that replaces it, and of the one that clients are to use
 * @param held what clients hold; undefined where there is no such Secret, or no key of ours in it
 */
export function changedKeyring(
  change: KeyringChange,
  { keyring, revoked }: KeyringFiles,
  ids: { readonly from: string; readonly to: string; readonly current: string },
  held: string | undefined,
  mint: () => string,
): KeyringFiles {
  const { keys } = keyring;
  const { from, to } = ids;
  const replacement = keys[to] ?? heldAs(to, held) ?? mint();
  switch (change) {
    case 'add':
      return { keyring: { current: from, keys: { ...keys, [to]: replacement } }, revoked: {} };
    case 'restore': {
      const old = keys[from] ?? heldAs(from, held);
      const both = { ...keys, ...(old !== undefined && { [from]: old }), [to]: replacement };
      return { keyring: { current: Object.hasOwn(both, ids.current) ? ids.current : to, keys: both }, revoked };
    }
    case 'switch':
      return { keyring: { current: to, keys }, revoked };
    case 'revoke':
      // a key of unknown origin leaves, too: after an incident nothing but the new key is accepted
      return { keyring: { current: to, keys: { [to]: replacement } }, revoked: { ...revoked, ...without(keys, to) } };
    case 'finish':
      return { keyring, revoked: {} };
  }
}

const heldAs = (id: string, held: string | undefined): string | undefined =>
  held !== undefined && keyIdOf(held) === id ? held : undefined;

const without = (keys: Readonly<Record<string, string>>, id: string): Record<string, string> =>
  Object.fromEntries(Object.entries(keys).filter(([known]) => known !== id));

/** The `data` of the Secret for these files; null removes one. */
export const keyringData = ({ keyring, revoked }: KeyringFiles): Record<string, string | null> => ({
  [KEYRING_FILE]: encode(JSON.stringify(keyring)),
  [REVOKED_FILE]: Object.keys(revoked).length > 0 ? encode(JSON.stringify(revoked)) : null,
});
