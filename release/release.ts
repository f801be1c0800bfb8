// make release: everything that a release has, into build/release/. The same commit gives the same bytes.
//   REGISTRY=registry.example/team   where the images will be: it goes into manifests and chart
//   ARCHITECTURES=amd64,arm64        which ones
//   RELEASE_KEY=key.pem              signs SHA256SUMS; RELEASE_KEY_PASSPHRASE if the key has one
//   RELEASE_URL=https://…            where its files will lie: krew's manifest names it, and is left out without
//   CHECK=1                          builds it twice and compares
//   ALLOW_DIRTY=1                    with uncommitted changes: to try it out
import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { binaryPath, ensureBinaries } from '../test-e2e/cluster/binaries.ts';
import { CHECKOUT } from '../test-e2e/cluster/paths.ts';
import { ensureRequirements } from '../test-e2e/cluster/requirements.ts';
import { run } from '../test-e2e/cluster/run.ts';
import { say, step } from '../test-e2e/cluster/say.ts';
import { ARCHITECTURES, type Architecture } from './base.ts';
import { makeExecutables } from './executables.ts';
import { buildImages, type ReleaseImage, type ReleaseOptions } from './images.ts';
import { krewManifest } from './krew.ts';
import { pack, sha256 } from './oci.ts';
import type { Package } from './packages.ts';
import { provenance } from './provenance.ts';
import { type Component, spdx, timeOf } from './sbom.ts';

const OUT = join(CHECKOUT, 'build', 'release');
const CHARTS = ['devshelf-operator-crds', 'devshelf-operator'];

interface Sources {
  readonly revision: string;
  readonly epoch: number;
  readonly isDirty: boolean;
}

const git = async (...args: string[]): Promise<string> => (await run(['git', '-C', CHECKOUT, ...args])).trim();

async function sources(): Promise<Sources> {
  const [revision = '', epoch = ''] = (await git('log', '-1', '--format=%H %ct')).split(' ');
  const changed = await git('status', '--porcelain');
  if (changed !== '' && process.env['ALLOW_DIRTY'] !== '1') {
    throw new Error(`A release is made of a commit, and there are changes (ALLOW_DIRTY=1 to try it out):\n${changed}`);
  }
  return { revision, epoch: Number(epoch), isDirty: changed !== '' };
}

function parseArchitectures(text: string): Architecture[] {
  const wanted = text.split(',').map(word => word.trim());
  const known = ARCHITECTURES.filter(one => wanted.includes(one));
  if (known.length !== wanted.length) throw new Error(`ARCHITECTURES=${text}: write ${ARCHITECTURES.join(',')} or one`);
  return known;
}

function parseRegistry(text: string): string {
  if (text === '') return '';
  if (!/^[a-z0-9]+([._:/-]+[a-z0-9]+)*\/?$/.test(text)) {
    throw new Error(`REGISTRY=${text}: write registry.example:5000/team, in lower case and without https://`);
  }
  return `${text.replace(/\/$/, '')}/`;
}

function parseUrl(text: string): string | undefined {
  if (text === '') return undefined;
  if (!/^https:\/\/[^\s?#]+$/.test(text))
    throw new Error(`RELEASE_URL=${text}: write https://host/path, where its files will lie`);
  return text.replace(/\/$/, '');
}

/** Writes the whole release below `out`, which is emptied first. */
async function makeRelease(
  options: ReleaseOptions,
  isDirty: boolean,
  url: string | undefined,
  out: string,
): Promise<void> {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  process.env['SOURCE_DATE_EPOCH'] = String(options.epoch);
  const { images, base } = await buildImages(options, out);
  writeFileSync(join(out, 'images.txt'), images.map(({ reference, digest }) => `${reference}@${digest}\n`).join(''));
  await step('the command line', () => writeCli(options, url, out));
  await step('manifests, charts, lists', async () => {
    await writeManifests(images, out);
    await packCharts(options, out);
    writeSboms(options, images, base, out);
    for (const file of ['LICENSE', 'CHANGELOG.md']) cpSync(join(CHECKOUT, file), join(out, file));
  });
  writeProvenance(options, isDirty, images, base, out);
  const sums = filesOf(out).map(file => `${sha256(readFileSync(join(out, file)))}  ${file}\n`);
  writeFileSync(join(out, 'SHA256SUMS'), sums.join(''));
}

const filesOf = (path: string): string[] =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(path.length + 1))
    .sort();

async function writeManifests(images: readonly ReleaseImage[], out: string): Promise<void> {
  const operator = images.find(({ bundled }) => bundled === 'operator');
  const built = (folder: string) => run([binaryPath('kubectl'), 'kustomize', join(CHECKOUT, folder)]);
  const target = join(out, 'manifests');
  mkdirSync(target);
  writeFileSync(join(target, 'crds.yaml'), await built('crds'));
  const ways = { 'install.yaml': 'charts/install', 'install-all-namespaces.yaml': 'charts/install/all-namespaces' };
  for (const [file, folder] of Object.entries(ways)) {
    const objects = (await built(folder))
      .split(/^---\n/m)
      .filter(text => !/^kind: CustomResourceDefinition$/m.test(text));
    const pinned = objects
      .join('---\n')
      .replace(/image: devshelf-operator:\S+/, `image: ${operator?.reference}@${operator?.digest}`);
    if (!pinned.includes(`@${operator?.digest}`)) throw new Error(`${folder} names no image devshelf-operator`);
    writeFileSync(join(target, file), pinned);
  }
}

async function writeCli({ version, epoch }: ReleaseOptions, url: string | undefined, out: string): Promise<void> {
  const { archives, packages } = await makeExecutables(version, epoch, join(out, 'cli'));
  mkdirSync(join(out, 'sbom'), { recursive: true });
  const created = timeOf(epoch);
  const document = spdx({ name: 'kubectl-devshelf', version, license: 'Apache-2.0', created }, packages);
  writeFileSync(join(out, 'sbom', `kubectl-devshelf-${version}.spdx.json`), `${JSON.stringify(document, null, 2)}\n`);
  if (url === undefined) return;
  writeFileSync(join(out, 'cli', 'krew.yaml'), stringify(krewManifest(version, `${url}/cli`, archives)));
}

async function packCharts({ version, epoch, registry }: ReleaseOptions, out: string): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'devshelf-charts-'));
  mkdirSync(join(out, 'charts'));
  try {
    for (const chart of CHARTS) {
      const tracked = (await git('ls-files', '--cached', '--others', '--exclude-standard', `charts/${chart}`)).split(
        '\n',
      );
      for (const file of tracked) cpSync(join(CHECKOUT, file), join(scratch, file.slice('charts/'.length)));
      if (registry !== '' && chart === 'devshelf-operator') {
        const values = join(scratch, chart, 'values.yaml');
        const named = readFileSync(values, 'utf8').replace('  registry: ""', `  registry: ${registry.slice(0, -1)}`);
        writeFileSync(values, named);
      }
      await pack(join(out, 'charts', `${chart}-${version}.tgz`), scratch, [chart], epoch);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

type Base = ReadonlyMap<Architecture, readonly Component[]>;

/** One list per image and architecture: the bundle's packages, Node.js, Debian's libraries. */
function writeSboms(
  { version, epoch, architectures }: ReleaseOptions,
  images: readonly ReleaseImage[],
  base: Base,
  out: string,
) {
  mkdirSync(join(out, 'sbom'), { recursive: true });
  const created = timeOf(epoch);
  for (const { bundled, name } of images) {
    const packages = JSON.parse(
      readFileSync(join(CHECKOUT, 'build', 'packages', `${bundled}.json`), 'utf8'),
    ) as Package[];
    for (const architecture of architectures) {
      const subject = { name: `${name}-${architecture}`, version, license: 'Apache-2.0', created };
      const document = spdx(subject, packages, base.get(architecture));
      writeFileSync(
        join(out, 'sbom', `${name}-${version}-${architecture}.spdx.json`),
        `${JSON.stringify(document, null, 2)}\n`,
      );
    }
    const licences = join(CHECKOUT, 'build', 'images', bundled, 'usr/share/licenses/devshelf/THIRD-PARTY.txt');
    mkdirSync(join(out, 'licenses'), { recursive: true });
    cpSync(licences, join(out, 'licenses', `${name}-THIRD-PARTY.txt`));
  }
}

function writeProvenance(
  options: ReleaseOptions,
  isDirty: boolean,
  images: readonly ReleaseImage[],
  base: Base,
  out: string,
) {
  const lock = sha256(readFileSync(join(CHECKOUT, 'package-lock.json')));
  const subjects = [
    ...filesOf(out).map(name => ({ name, sha256: sha256(readFileSync(join(out, name))) })),
    ...images.map(({ reference, digest }) => ({ name: reference, sha256: digest.replace('sha256:', '') })),
  ];
  const statement = provenance(subjects, {
    ...{ revision: options.revision, version: options.version, isDirty },
    parameters: { registry: options.registry, architectures: options.architectures },
    materials: [
      { uri: 'package-lock.json', digest: { sha256: lock } },
      ...[...base.values()].flat().map(({ purl }) => ({ uri: purl })),
    ],
    builder: process.env['BUILDER_ID'] || 'make release',
  });
  writeFileSync(join(out, 'provenance.intoto.json'), `${JSON.stringify(statement, null, 2)}\n`);
}

/** Signs the checksums. The signature is base64, as cosign and openssl take it; the public key lies beside it. */
function signSums(out: string, keyFile: string): void {
  const passphrase = process.env['RELEASE_KEY_PASSPHRASE'];
  const key = createPrivateKey({ key: readFileSync(keyFile), ...(passphrase !== undefined && { passphrase }) });
  const algorithm = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  const signature = sign(algorithm, readFileSync(join(out, 'SHA256SUMS')), key).toString('base64');
  writeFileSync(join(out, 'SHA256SUMS.sig'), `${signature}\n`);
  writeFileSync(join(out, 'SHA256SUMS.pub'), createPublicKey(key).export({ type: 'spki', format: 'pem' }));
}

async function main(): Promise<void> {
  const { version } = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')) as { version: string };
  const registry = parseRegistry(process.env['REGISTRY'] ?? '');
  const url = parseUrl(process.env['RELEASE_URL'] ?? '');
  const architectures = parseArchitectures(process.env['ARCHITECTURES'] || ARCHITECTURES.join(','));
  const { isDirty, ...source } = await sources();
  await ensureRequirements();
  await ensureBinaries('kubectl');
  const options = { version, registry, architectures, ...source };
  await makeRelease(options, isDirty, url, OUT);
  if (process.env['CHECK'] === '1') {
    const again = `${OUT}-again`;
    await makeRelease(options, isDirty, url, again);
    const [first, second] = [OUT, again].map(out => readFileSync(join(out, 'SHA256SUMS'), 'utf8').split('\n'));
    const differing = (first ?? []).filter(line => !second?.includes(line)).map(line => line.split('  ')[1]);
    if (differing.length > 0) throw new Error(`built twice, these differ: ${differing.join(', ')}; compare ${again}`);
    rmSync(again, { recursive: true });
    say('built twice: the same bytes');
  }
  const key = process.env['RELEASE_KEY'];
  if (key) signSums(OUT, key);
  else say('RELEASE_KEY is not set: SHA256SUMS is not signed');
  process.stdout.write(`${OUT}\n${readFileSync(join(OUT, 'images.txt'), 'utf8')}`);
}

try {
  await main();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
