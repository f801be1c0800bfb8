// What Secrets and ConfigMaps that a spec names hold, as hashes, and the release that the spec asks for by that.
// No value of a Secret leaves this file.
import { X509Certificate } from 'node:crypto';
import type { Release, WantedBefore } from '../api/rollout.ts';
import { sha256 } from '../api/sha256.ts';
import type { App } from './app.ts';
import { databaseIdentityOf } from './database.ts';
import { canonicalJson } from './hash.ts';
import { contentKey, type Reference, referencesOf } from './references.ts';
import { releaseHash, releaseKnown, releaseOf, seal } from './release.ts';

export interface Digest {
  /** Hash of each value, by key. */
  readonly hashes: ReadonlyMap<string, string>;
  /** For values that are PostgreSQL URLs. */
  readonly databases: ReadonlyMap<string, Database>;
  /** For values that are certificates in PEM: until when the first one of each is valid, in epoch milliseconds. */
  readonly expiries: ReadonlyMap<string, number>;
}

export interface Database {
  /** Hash of host, port and database name. */
  readonly identity: string;
}

/** @param encoded the values are base64, as a Secret's are */
export function digestOf(data: Readonly<Record<string, string>>, encoded: boolean): Digest {
  const entries = Object.entries(data);
  const plain = entries.map(
    ([key, value]) => [key, encoded ? Buffer.from(value, 'base64').toString() : value] as const,
  );
  const databases = plain.flatMap(([key, url]) => {
    const identity = databaseIdentityOf(url);
    return identity === undefined ? [] : [[key, { identity }] as const];
  });
  const expiries = plain.flatMap(([key, text]) => {
    const expiry = expiryOf(text);
    return expiry === undefined ? [] : [[key, expiry] as const];
  });
  return {
    hashes: new Map(entries.map(([key, value]) => [key, shortened(value)])),
    databases: new Map(databases),
    expiries: new Map(expiries),
  };
}

function expiryOf(text: string): number | undefined {
  if (!text.startsWith('-----BEGIN CERTIFICATE-----')) return undefined;
  try {
    return Date.parse(new X509Certificate(text).validTo);
  } catch {
    return undefined;
  }
}

/**
 * Hash over what a reference takes: the keys that it names, or all of them where it names none. A key that nobody
 * takes may change without starting a release.
 */
export function contentHash({ keys }: Pick<Reference, 'keys'>, { hashes }: Digest): string {
  const taken = [...hashes].filter(([key]) => keys.length === 0 || keys.includes(key));
  return shortened(JSON.stringify(taken.sort(([a], [b]) => (a < b ? -1 : 1))));
}

const shortened = (text: string): string => sha256(text).slice(0, 16);

/** What the contents are keyed with. */
export type Seed = { readonly known: true; readonly value: string } | { readonly known: false; readonly why: string };

export interface Missing {
  readonly reason:
    | 'SecretMissing'
    | 'SecretKeyMissing'
    | 'ConfigMapMissing'
    | 'ConfigMapKeyMissing'
    | 'InvalidDatabaseURL';
  readonly message: string;
}

export interface WantedRelease {
  readonly missing: readonly Missing[];
  readonly wanted:
    | { readonly known: true; readonly value: { readonly release: Release; readonly databaseIdentity: string } }
    | { readonly known: false; readonly why: string };
  readonly database?: Database;
  /** Known by the hash that versions without a seed gave it: it stays, and no pod restarts. */
  readonly isBare?: true;
}

/**
 * The release that the spec asks for, or what is missing.
 * @param found by `contentKey`; what is not in it does not exist
 * @param hashes of the releases that are written down
 */
export function wantedOf(
  app: App,
  found: ReadonlyMap<string, Digest>,
  seed: Seed,
  hashes: readonly string[],
): WantedRelease {
  const lacks = referencesOf(app).flatMap(reference => lacking(reference, found.get(contentKey(reference))));
  const { name, key } = app.spec.database.urlSecretRef;
  const database = found.get(contentKey({ kind: 'Secret', name }))?.databases.get(key);
  const missing = lacks.length === 0 && database === undefined ? [notAUrl(name, key)] : lacks;
  if (missing.length > 0 || database === undefined)
    return { missing, wanted: { known: false, why: 'a reference is missing' } };
  const contents = Object.fromEntries(contentsOf(app, found));
  const { identity: databaseIdentity } = database;
  const isBare = hashes.includes(releaseHash(app, contents));
  const bare = isBare ? ({ isBare } as const) : {};
  if (!isBare && !seed.known) return { missing, wanted: { known: false, why: seed.why }, database };
  const sealed = isBare || !seed.known ? contents : seal(contents, seed.value);
  const release = releaseOf(app, contents, databaseIdentity, sealed);
  return { missing, wanted: { known: true, value: { release, databaseIdentity } }, database, ...bare };
}

/** An object as a watch shows it: what is in it stays the same for as long as both do. */
export interface Version extends Pick<Reference, 'kind' | 'name'> {
  readonly uid: string;
  readonly resourceVersion: string;
}

/** Hash of what a wanted release is made of, seed included. Nothing of the contents is in it. */
export function sourcesOf(app: App, versions: readonly Version[]): string {
  const objects = versions.map(({ kind, name, uid, resourceVersion }) => [kind, name, uid, resourceVersion]);
  return sha256(canonicalJson({ spec: releaseHash(app, {}), objects })).slice(0, 20);
}

/**
 * What `wantedOf` found when the sources were these, or undefined where that is not known any more.
 * @param remembered releases that are written down: one of them says which copies of ConfigMaps it has
 */
export function wantedAgain(
  app: App,
  sources: string,
  before: WantedBefore | undefined,
  remembered: readonly Release[],
): { readonly release: Release; readonly databaseIdentity: string; readonly sources: string } | undefined {
  if (before?.sources !== sources) return undefined;
  const { release: hash, database: databaseIdentity } = before;
  const same = remembered.find(release => release.hash === hash);
  if (!same) return undefined;
  const { configMaps = [] } = same;
  return { release: releaseKnown(app, { hash, databaseIdentity, configMaps }), databaseIdentity, sources };
}

const contentsOf = (app: App, found: ReadonlyMap<string, Digest>): [string, string][] =>
  referencesOf(app).flatMap(reference => {
    const digest = found.get(contentKey(reference));
    return digest ? [[contentKey(reference), contentHash(reference, digest)]] : [];
  });

export function lacking({ kind, name, keys }: Reference, digest: Digest | undefined): Missing[] {
  if (!digest) return [{ reason: `${kind}Missing`, message: `${kind} ${name} does not exist` }];
  return keys
    .filter(key => !digest.hashes.has(key))
    .map(key => ({ reason: `${kind}KeyMissing`, message: `${kind} ${name} has no key ${key}` }));
}

const notAUrl = (name: string, key: string): Missing => ({
  reason: 'InvalidDatabaseURL',
  message: `key ${key} of Secret ${name} is not the URL of one PostgreSQL database; write postgresql://user:password@host:5432/database, with one host (the one that takes writes) and / ? # @ % of the password percent-encoded`,
});
