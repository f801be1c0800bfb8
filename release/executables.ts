// The command line of a release: one script for whoever has Node.js, and executables for whoever has not. They are Node.js
// with the script inside (https://nodejs.org/docs/latest-v24.x/api/single-executable-applications.html), made without
// running them, so for any machine. macOS runs no program that is not signed there: it gets the script.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { bundleCli } from '../test-e2e/cluster/build.ts';
import { CACHE, CHECKOUT, folder } from '../test-e2e/cluster/paths.ts';
import { run } from '../test-e2e/cluster/run.ts';
import { nodeVersion, unpackNode } from './node.ts';
import { pack, sha256 } from './oci.ts';
import { type Package, packagesIn, thirdPartyNotice } from './packages.ts';

/** Puts a file into a program; a process of its own, because it takes gigabytes and warns of what is not ours. */
const POSTJECT = join(CHECKOUT, 'node_modules', 'postject', 'dist', 'cli.js');
/** What Node.js looks for in itself, and turns on when something was put in. */
const SENTINEL = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

export interface Target {
  /** As krew names them. */
  readonly os: 'linux' | 'windows' | 'darwin';
  readonly arch: 'amd64' | 'arm64';
  /** Of npm's package with Node.js; absent: the script, which needs Node.js from 20 on. */
  readonly node?: string;
}

export const TARGETS: readonly Target[] = [
  { os: 'linux', arch: 'amd64', node: 'linux-x64' },
  { os: 'linux', arch: 'arm64', node: 'linux-arm64' },
  { os: 'windows', arch: 'amd64', node: 'win-x64' },
  { os: 'darwin', arch: 'amd64' },
  { os: 'darwin', arch: 'arm64' },
];

export interface Archive {
  readonly file: string;
  readonly sha256: string;
  /** The program in it. */
  readonly bin: string;
  readonly targets: readonly Target[];
}

/** Writes the archives into `out`; also says which packages are in the script. */
export async function makeExecutables(
  version: string,
  epoch: number,
  out: string,
): Promise<{ archives: Archive[]; packages: Package[] }> {
  const scratch = mkdtempSync(join(folder(CACHE, 'release'), '.cli-'));
  mkdirSync(out, { recursive: true });
  try {
    const script = join(scratch, 'kubectl-devshelf');
    const packages = packagesIn(await bundleCli(script), CHECKOUT);
    copyFileSync(join(CHECKOUT, 'LICENSE'), join(scratch, 'LICENSE'));
    writeFileSync(join(scratch, 'THIRD-PARTY.txt'), thirdPartyNotice(packages));
    const blob = await blobOf(script, scratch);
    const archives: Archive[] = [];
    const packed = async (bin: string, name: string, targets: readonly Target[]): Promise<void> => {
      const file = `kubectl-devshelf-${version}-${name}.tgz`;
      await pack(join(out, file), scratch, [bin, 'LICENSE', 'THIRD-PARTY.txt'], epoch);
      archives.push({ file, bin, targets, sha256: sha256(readFileSync(join(out, file))) });
    };
    await packed(
      'kubectl-devshelf',
      'node20',
      TARGETS.filter(({ node }) => node === undefined),
    );
    for (const target of TARGETS) {
      if (target.node === undefined) continue;
      const bin = target.os === 'windows' ? 'kubectl-devshelf.exe' : 'kubectl-devshelf';
      await makeExecutable(target.node, blob, join(scratch, bin));
      await packed(bin, `${target.os}-${target.arch}`, [target]);
    }
    return { archives, packages };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function blobOf(script: string, scratch: string): Promise<string> {
  const [config, output] = [join(scratch, 'sea.json'), join(scratch, 'sea.blob')];
  writeFileSync(config, JSON.stringify({ main: script, output, disableExperimentalSEAWarning: true }));
  await run([process.execPath, '--experimental-sea-config', config], { cwd: scratch });
  return output;
}

async function makeExecutable(platform: string, blob: string, target: string): Promise<void> {
  const isWindows = platform.startsWith('win');
  const node = join(await cachedNode(platform), 'package', 'bin', isWindows ? 'node.exe' : 'node');
  rmSync(target, { force: true });
  copyFileSync(node, target);
  await run([process.execPath, POSTJECT, target, 'NODE_SEA_BLOB', blob, '--sentinel-fuse', SENTINEL]);
}

async function cachedNode(platform: string): Promise<string> {
  const done = join(folder(CACHE, 'release'), `node-${platform}-${nodeVersion()}`);
  if (existsSync(done)) return done;
  const scratch = mkdtempSync(join(CACHE, 'release', '.node-'));
  try {
    await unpackNode(platform, join(scratch, 'node'));
    renameSync(join(scratch, 'node'), done);
    return done;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
