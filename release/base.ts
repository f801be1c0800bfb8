// What a release's images stand on: Node.js as its npm package brings it, and the libraries that it is linked to, from
// Debian's packages. Made for any architecture on any machine, as nothing of it is run.
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { CACHE, CHECKOUT, contentHash, folder } from '../test-e2e/cluster/paths.ts';
import { run } from '../test-e2e/cluster/run.ts';
import { nodeVersion, unpackNode } from './node.ts';
import type { Component } from './sbom.ts';

export const ARCHITECTURES = ['amd64', 'arm64'] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

const SUITE = 'bookworm';
const LIBRARIES = ['libc6', 'libstdc++6', 'libgcc-s1', 'gcc-12-base', 'ca-certificates'];
/** As npm calls it; the libraries' folder as Debian does; where the kernel looks for the loader. */
const NAMES = {
  amd64: { npm: 'x64', triplet: 'x86_64-linux-gnu', loader: 'lib64/ld-linux-x86-64.so.2' },
  arm64: { npm: 'arm64', triplet: 'aarch64-linux-gnu', loader: 'lib/ld-linux-aarch64.so.1' },
} as const;
const LINKED = ['libc.so.6', 'libdl.so.2', 'libm.so.6', 'libpthread.so.0', 'libgcc_s.so.1', 'libstdc++.so.6'];

/** Lays out the base image below `target` and says what is in it. Throws when npm's or Debian's archive is out of reach. */
export async function layOutBase(architecture: Architecture, target: string): Promise<Component[]> {
  const sources = await unpacked(architecture);
  const { triplet, loader } = NAMES[architecture];
  const place = (from: string, to: string): void => {
    mkdirSync(dirname(join(target, to)), { recursive: true });
    copyFileSync(from, join(target, to));
  };
  place(join(sources, 'node', 'package', 'bin', 'node'), 'usr/local/bin/node');
  place(join(sources, 'node', 'package', 'LICENSE'), 'usr/share/licenses/node/LICENSE');
  place(join(sources, 'debian', loader), loader);
  for (const library of LINKED) {
    const found = [`lib/${triplet}/${library}`, `usr/lib/${triplet}/${library}`].find(path =>
      existsSync(join(sources, 'debian', path)),
    );
    if (found === undefined) throw new Error(`${library} is in none of Debian's ${LIBRARIES.join(', ')}`);
    place(join(sources, 'debian', found), `lib/${triplet}/${library}`);
  }
  const roots = globSync('usr/share/ca-certificates/mozilla/*.crt', { cwd: join(sources, 'debian') }).sort();
  mkdirSync(join(target, 'etc', 'ssl', 'certs'), { recursive: true });
  const bundle = roots.map(path => readFileSync(join(sources, 'debian', path), 'utf8').trim()).join('\n');
  writeFileSync(join(target, 'etc', 'ssl', 'certs', 'ca-certificates.crt'), `${bundle}\n`);
  place(join(CHECKOUT, 'test-e2e', 'cluster', 'stores', 'passwd'), 'etc/passwd');
  writeFileSync(join(target, 'etc', 'nsswitch.conf'), 'hosts: files dns\n');
  mkdirSync(join(target, 'tmp'));
  return [nodeComponent(), ...debianComponents(join(sources, 'debian'), target, architecture)];
}

function nodeComponent(): Component {
  const version = nodeVersion();
  return { name: 'node', version, license: 'MIT', purl: `pkg:generic/node@${version}` };
}

/** Scanners find the versions where Debian keeps them, people find the copyright files. */
function debianComponents(debian: string, target: string, architecture: Architecture): Component[] {
  const paragraphs = readFileSync(join(debian, 'var/lib/dpkg/status'), 'utf8').split('\n\n');
  return LIBRARIES.map(name => {
    const paragraph = paragraphs.find(text => text.startsWith(`Package: ${name}\n`));
    const version = /^Version: (.*)$/m.exec(paragraph ?? '')?.[1];
    if (!paragraph || !version) throw new Error(`Debian's ${name} was not installed`);
    const status = join(target, 'var/lib/dpkg/status.d', name);
    mkdirSync(dirname(status), { recursive: true });
    writeFileSync(status, `${paragraph.trim().replace('\n', '\nStatus: install ok installed\n')}\n`);
    // the folders of GCC's libraries are links to that of gcc-12-base
    const documented = name.startsWith('lib') && name !== 'libc6' ? 'gcc-12-base' : name;
    const copyright = join(debian, 'usr/share/doc', documented, 'copyright');
    const kept = join(target, 'usr/share/doc', name, 'copyright');
    mkdirSync(dirname(kept), { recursive: true });
    copyFileSync(copyright, kept);
    const query = `arch=${architecture}&distro=debian-12`;
    const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?${query}`;
    return { name, version, license: 'NOASSERTION', purl };
  });
}

// packages that are only unpacked are not known to dpkg; the archives tell what they are as long as they are there
const KEEP_VERSIONS = `--extract-hook=for deb in "$1"/var/cache/apt/archives/*.deb; do dpkg-deb --field "$deb"; echo; done > "$1/var/lib/dpkg/status"`;

/** Node's and Debian's packages, fetched once and kept in the cache. */
async function unpacked(architecture: Architecture): Promise<string> {
  const version = nodeVersion();
  const done = join(
    folder(CACHE, 'release'),
    `base-${architecture}-${contentHash(version, SUITE, KEEP_VERSIONS, ...LIBRARIES)}`,
  );
  if (existsSync(done)) return done;
  const scratch = mkdtempSync(join(CACHE, 'release', '.base-'));
  try {
    await unpackNode(`linux-${NAMES[architecture].npm}`, join(scratch, 'node'));
    const libraries = join(scratch, 'debian.tar');
    const which = [`--architectures=${architecture}`, `--include=${LIBRARIES.join(',')}`, SUITE, libraries];
    await run(['mmdebstrap', '--quiet', '--variant=extract', KEEP_VERSIONS, ...which]);
    mkdirSync(join(scratch, 'debian'));
    const parts = [
      './lib',
      './lib64',
      './usr/lib',
      './usr/share/doc',
      './usr/share/ca-certificates',
      './var/lib/dpkg/status',
    ];
    const there = parts.filter(part => architecture === 'amd64' || part !== './lib64');
    await run(['tar', '-xf', libraries, '-C', join(scratch, 'debian'), ...there]);
    rmSync(libraries);
    renameSync(scratch, done);
    return done;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
