// The third-party packages in a bundle, by what esbuild says that it put in, and not by what is installed beside it.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';

export interface Package {
  readonly name: string;
  readonly version: string;
  /** As its package.json declares it: an SPDX expression, or something else. */
  readonly license: string;
  /** Its licence, notice and copyright files, whole. Empty when it has none. */
  readonly texts: readonly string[];
  /** SHA-512 of the archive that it came in, in hexadecimal digits; undefined when the lock file does not name it. */
  readonly sha512: string | undefined;
}

const IN_PACKAGE = /^(?<folder>(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+)\//;
const LEGAL = /^(licen[cs]e|copying|copyright|notice)(\b|[-_.])/i;
const ENDINGS_OF_CODE = /\.(js|cjs|mjs|ts|json)$/;

/**
 * The packages of which at least one byte is in an output, by name and version. `also` are folders that are copied
 * beside the bundle. Throws when a folder has no package.json with a name and a version.
 */
export function packagesIn(metafile: Metafile, root: string, also: readonly string[] = []): Package[] {
  const inputs = Object.values(metafile.outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : [])),
  );
  const folders = inputs.flatMap(path => IN_PACKAGE.exec(path)?.groups?.['folder'] ?? []);
  const locked = lockedDigests(root);
  const found = new Map<string, Package>();
  for (const folder of new Set([...folders, ...also])) {
    const one = readPackage(root, folder, locked);
    found.set(`${one.name} ${one.version}`, one);
  }
  return [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

function readPackage(root: string, folder: string, locked: ReadonlyMap<string, string>): Package {
  const path = join(root, folder);
  const manifest = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Record<string, unknown>;
  const { name, version, license, licenses } = manifest;
  if (typeof name !== 'string' || typeof version !== 'string') {
    throw new Error(`${folder}/package.json has no name and version: what is in the bundle could not be named`);
  }
  const texts = readdirSync(path)
    .filter(file => LEGAL.test(file) && !ENDINGS_OF_CODE.test(file))
    .sort()
    .map(file => readFileSync(join(path, file), 'utf8').trim());
  return { name, version, license: declared(license ?? licenses), texts, sha512: locked.get(folder) };
}

/** `MIT`, `{type: "MIT"}` and `[{type: "MIT"}]` are all to be found. */
function declared(license: unknown): string {
  if (typeof license === 'string') return license;
  if (Array.isArray(license)) return license.map(declared).join(' OR ');
  if (typeof license === 'object' && license !== null && 'type' in license) return String(license.type);
  return 'NOASSERTION';
}

function lockedDigests(root: string): ReadonlyMap<string, string> {
  const file = join(root, 'package-lock.json');
  if (!existsSync(file)) return new Map();
  const lock = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, { integrity?: string }> };
  const digests = Object.entries(lock.packages).flatMap(([path, { integrity = '' }]) => {
    const [, base64] = /^sha512-(\S+)$/.exec(integrity) ?? [];
    return base64 ? [[path, Buffer.from(base64, 'base64').toString('hex')] as const] : [];
  });
  return new Map(digests);
}

const RULE = `\n${'-'.repeat(100)}\n`;

/** What licences ask for: every package's name, licence and texts, in one file for people. */
export function thirdPartyNotice(packages: readonly Package[]): string {
  const chapters = packages.map(({ name, version, license, texts }) => {
    const text = texts.length > 0 ? texts.join('\n\n') : `The package has no licence file; it declares ${license}.`;
    return `${name} ${version}\n${license}\n\n${text}\n`;
  });
  const head = `This program contains the following packages, each under its own licence.\n`;
  return [head, ...chapters].join(RULE);
}
