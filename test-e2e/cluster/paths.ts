// Where things are. Two checkouts on one machine never share a name, so they never disturb each other.
import { createHash } from 'node:crypto';
import { mkdirSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** The checkout this file belongs to, links resolved. */
export const CHECKOUT = realpathSync(join(import.meta.dirname, '..', '..'));

/** Survives clones and `down`: built programs, images, packages. */
export const CACHE = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'devshelf');

/** Ten hexadecimal digits that name this content. */
export const contentHash = (...parts: readonly (string | Uint8Array)[]): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex').slice(0, 10);
};

/** Creates the folder with its parents and returns it. */
export const folder = (...segments: readonly string[]): string => {
  const path = join(...segments);
  mkdirSync(path, { recursive: true });
  return path;
};
