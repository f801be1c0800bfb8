// What V8 made of the program's parts, kept for the next time: a third of what a short command costs Node otherwise. Whoever
// can write there can run code as the user, so it lies below the user's own cache folder, and nothing is taken from a file
// that another user owns or may write. Where it cannot be kept nothing is said, and the command costs what it cost before.
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  type Stats,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';

export type CodeCache = {
  /** As it was kept, byte by byte; V8 itself says whether it is of its own version. */
  of(part: string): Buffer | undefined;
  /** Never throws. */
  keep(codes: ReadonlyMap<string, Buffer>): void;
};

type Index = {
  readonly build: string;
  readonly parts: Readonly<Record<string, { readonly at: number; readonly length: number; readonly sha256: string }>>;
};

/** The folder of this user, as XDG says it; `undefined`: none, or whose files are is not known (Windows). */
export function cacheFolder(env: NodeJS.ProcessEnv, home: () => string = homedir): string | undefined {
  // Node's own word for it
  if (env['NODE_DISABLE_COMPILE_CACHE'] || process.getuid === undefined) return undefined;
  const { XDG_CACHE_HOME: said } = env;
  const base = said && isAbsolute(said) ? said : join(home(), '.cache');
  return isAbsolute(base) ? join(base, 'kubectl-devshelf') : undefined;
}

/** @param build tells this program from its other versions: what another one kept is not taken */
export function openCodeCache(folder: string | undefined, build: string): CodeCache {
  if (folder === undefined) return { of: () => undefined, keep: () => undefined };
  const file = join(folder, 'code');
  const known = read(file, build);
  return {
    of: part => known.get(part)?.(),
    keep: codes => {
      // other commands need other parts
      const others = [...known].flatMap(([part, code]) => (codes.has(part) ? [] : [[part, code()] as const]));
      keep(file, build, [...others, ...codes]);
    },
  };
}

const LENGTH_BYTES = 4;

/** Each part, looked at only when it is wanted: half of a file is no code, and V8 does not see that. */
function read(file: string, build: string): ReadonlyMap<string, () => Buffer | undefined> {
  try {
    const bytes = readOwn(file);
    const from = LENGTH_BYTES + bytes.readUInt32LE(0);
    const index = JSON.parse(bytes.toString('utf8', LENGTH_BYTES, from)) as Index;
    if (index.build !== build) return new Map();
    return new Map(
      Object.entries(index.parts).map(([part, { at, length, sha256 }]) => {
        const code = bytes.subarray(from + at, from + at + length);
        return [part, () => (digest(code) === sha256 ? code : undefined)];
      }),
    );
  } catch {
    return new Map();
  }
}

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('base64url');

const OTHERS_WRITE = 0o022;
const isOwn = (stats: Stats): boolean => stats.uid === process.getuid?.() && (stats.mode & OTHERS_WRITE) === 0;

/** @throws when somebody else may have written it */
function readOwn(file: string): Buffer {
  const opened = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(opened);
    if (!stats.isFile() || !isOwn(stats)) throw new Error(`${file} is not ours`);
    return readFileSync(opened);
  } finally {
    closeSync(opened);
  }
}

function keep(file: string, build: string, given: readonly (readonly [string, Buffer | undefined])[]): void {
  try {
    const folder = dirname(file);
    if (!isOwn(lstatSync(nearest(folder)))) return; // root with somebody's HOME makes nothing there that they cannot replace
    make(folder);
    const stats = lstatSync(folder);
    if (!stats.isDirectory() || !isOwn(stats)) return;
    const codes = given.filter((one): one is readonly [string, Buffer] => one[1] !== undefined);
    const parts: Record<string, Index['parts'][string]> = {};
    let at = 0;
    for (const [name, code] of codes) {
      parts[name] = { at, length: code.length, sha256: digest(code) };
      at += code.length;
    }
    const index = Buffer.from(JSON.stringify({ build, parts } satisfies Index));
    const head = Buffer.alloc(LENGTH_BYTES);
    head.writeUInt32LE(index.length);
    // one name for all who write: what a killed one left is written over, and what two mixed has wrong sums
    writeFileSync(`${file}.new`, Buffer.concat([head, index, ...codes.map(([, code]) => code)]), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  } catch {
    // next time it is compiled again
  }
}

/** Not by mkdir's own `recursive`, which never ends below /proc. */
function make(folder: string): void {
  if (nearest(folder) === folder) return;
  make(dirname(folder));
  mkdirSync(folder, { mode: 0o700 });
}

/** What is there of the way to a folder. */
function nearest(folder: string): string {
  try {
    lstatSync(folder);
    return folder;
  } catch {
    return nearest(dirname(folder));
  }
}
