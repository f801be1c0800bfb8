// Images without a registry and, by default, without a container engine. An image is an archive in the cache, named by
// a hash of what it is made of: unchanged parts are neither built nor loaded again.
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { binaryPath, ensureBinaries } from './binaries.ts';
import { type Bundled, bundleImage } from './build.ts';
import { engine } from './engine.ts';
import { withLock } from './lock.ts';
import { PAUSE_IMAGE } from './names.ts';
import { CACHE, CHECKOUT, contentHash, folder } from './paths.ts';
import { ensureRequirements } from './requirements.ts';
import { run } from './run.ts';
import { elapsed, say, step } from './say.ts';

export type Image = {
  /** What a pod names: `devshelf.local/dashboard:0.1.0`. */
  readonly reference: string;
  /** The archive to load. */
  readonly archive: string;
  /** Two images with the same key have the same content. */
  readonly key: string;
};

export type ImageRequest = {
  readonly name: string;
  readonly tag: string;
  readonly dockerfile: string;
  /** The folder that the Dockerfile copies from. */
  readonly context: string;
  readonly args?: Readonly<Record<string, string>>;
  /** The files and folders of `context` that go into the image; all of it when absent. */
  readonly inputs?: readonly string[];
  /** The image it is built upon, when it is one of ours; it becomes the build argument BASE. */
  readonly base?: Image;
};

const REGISTRY = 'devshelf.local';
const EXECUTABLE = 0o755;

const files = (path: string): string[] =>
  statSync(path).isDirectory()
    ? readdirSync(path, { recursive: true, encoding: 'utf8' })
        .map(entry => join(path, entry))
        .filter(entry => statSync(entry).isFile())
        .sort()
    : [path];

const hashOf = (request: ImageRequest): string => {
  const { context, inputs = ['.'], args = {}, base } = request;
  const contents = inputs
    .flatMap(input => files(join(context, input)))
    .flatMap(file => [file.slice(context.length), `${statSync(file).mode}`, readFileSync(file)]);
  return contentHash(readFileSync(request.dockerfile), JSON.stringify(args), base?.key ?? '', engine(), ...contents);
};

/** Builds an image, unless the same one is in the cache. Throws `CommandFailed` with what the builder printed. */
export const buildImage = async (request: ImageRequest): Promise<Image> => {
  const reference = `${REGISTRY}/${request.name}:${request.tag}`;
  const key = hashOf(request);
  const archive = join(folder(CACHE, 'images'), `${request.name}-${contentHash(reference, key)}.tar`);
  const image = { reference, archive, key };
  if (existsSync(archive)) {
    utimesSync(archive, new Date(), new Date()); // the least used ones go first
    return image;
  }
  return withLock(join(CACHE, 'images.lock'), 'it is building images', async () => {
    const since = performance.now();
    if (!existsSync(archive)) await makeArchive(request, image);
    say(`built ${reference}: ${elapsed(since)}`);
    return image;
  });
};

const makeArchive = async (request: ImageRequest, { reference, archive }: Image): Promise<void> => {
  const partial = `${archive}.${process.pid}`;
  const args = { ...request.args, ...(request.base && { BASE: await inStore(request.base) }) };
  const buildArgs = Object.entries(args).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
  const common = ['--file', request.dockerfile, '--tag', reference, ...buildArgs, request.context];
  try {
    if (engine() === 'buildah') {
      // the time is fixed, so that the same content has the same digest; docker's archives are not compressed
      await buildah(['bud', '--isolation=chroot', '--pull-never', '--timestamp=0', '--quiet', ...common]);
      await buildah(['push', '--quiet', reference, `docker-archive:${partial}:${reference}`]);
    } else {
      await run([engine(), 'build', '--quiet', ...common]);
      await run([engine(), 'save', '--output', partial, reference]);
    }
    renameSync(partial, archive);
  } finally {
    rmSync(partial, { force: true });
  }
  await forgetOld(request.name);
};

const KEPT = 8;
const IN_USE_MS = 60 * 60_000; // built a moment ago, perhaps not loaded yet

// every change of a source makes a new archive
const forgetOld = async (name: string): Promise<void> => {
  const archives = join(CACHE, 'images');
  const isOne = new RegExp(`^${name}-[0-9a-f]{10}\\.tar$`);
  const byAge = readdirSync(archives)
    .filter(file => isOne.test(file))
    .map(file => ({ file, usedMs: statSync(join(archives, file)).mtimeMs }))
    .sort((one, other) => other.usedMs - one.usedMs);
  for (const { file, usedMs } of byAge.slice(KEPT)) {
    if (Date.now() - usedMs > IN_USE_MS) rmSync(join(archives, file));
  }
  if (engine() !== 'buildah') return;
  await buildah(['rm', '--all']); // it leaves the container of every stage but the last
  await buildah(['rmi', '--prune']);
};

const buildah = (args: readonly string[]): Promise<string> =>
  run(['buildah', '--root', join(CACHE, 'buildah'), '--runroot', '/run/devshelf-buildah', ...args]);

// the builder's own store may have been emptied, or hold another image of that name since
const inStore = async (image: Image): Promise<string> => {
  if (engine() !== 'buildah') return image.reference;
  const name = `${REGISTRY}/base:${contentHash(image.key)}`;
  const known = await buildah(['inspect', '--type=image', '--format={{.FromImageID}}', name]).catch(() => '');
  if (known !== '') return name;
  const id = await buildah(['pull', '--quiet', `docker-archive:${image.archive}`]);
  await buildah(['tag', id.trim(), name]);
  return name;
};

export type OverlayRequest = {
  readonly from: Image;
  readonly name: string;
  readonly tag: string;
  /** Path in the image, and the local file or folder that is put there. Files can be executed by everybody. */
  readonly files: Readonly<Record<string, string>>;
};

/** An image with files added or replaced, e.g. another `/usr/local/bin/server`. */
export const buildOverlay = ({ from, name, tag, files: placed }: OverlayRequest): Promise<Image> =>
  withScratch(async scratch => {
    for (const [target, source] of Object.entries(placed)) {
      const copy = join(scratch, target);
      mkdirSync(dirname(copy), { recursive: true });
      cpSync(source, copy, { recursive: true });
      for (const file of files(copy)) chmodSync(file, EXECUTABLE);
    }
    const dockerfile = join(import.meta.dirname, 'Dockerfile.overlay');
    return buildImage({ name, tag, dockerfile, context: scratch, base: from });
  });

const withScratch = async <T>(work: (scratch: string) => Promise<T>): Promise<T> => {
  const scratch = mkdtempSync(join(tmpdir(), 'devshelf-image-'));
  chmodSync(scratch, EXECUTABLE); // it becomes the image's root folder
  try {
    return await work(scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
};

const ours = (name: string): string => join(import.meta.dirname, `Dockerfile.${name}`);

/** The image that every pod's sandbox runs. */
export const pauseImage = async (): Promise<Image> => {
  await ensureBinaries('pause');
  const [, name = '', tag = ''] = /\/(.+):(.+)$/.exec(PAUSE_IMAGE) ?? [];
  const context = dirname(binaryPath('pause'));
  return buildImage({ name, tag, dockerfile: ours('pause'), context, inputs: ['pause'] });
};

let base: Promise<Image> | undefined;

/** Node 24 for the operator and the services. `undefined` with a container engine: it takes the public one. */
export const baseImage = async (): Promise<Image | undefined> => {
  if (engine() !== 'buildah') return undefined;
  base ??= buildBase();
  return base;
};

const buildBase = (): Promise<Image> =>
  withScratch(async scratch => {
    const place = (source: string, target: string): void => {
      mkdirSync(dirname(join(scratch, target)), { recursive: true });
      copyFileSync(realpathSync(source), join(scratch, target));
    };
    place(process.execPath, '/usr/local/bin/node');
    for (const library of await librariesOf(process.execPath)) place(library, library);
    place(join(import.meta.dirname, 'stores', 'passwd'), '/etc/passwd');
    place('/etc/ssl/certs/ca-certificates.crt', '/etc/ssl/certs/ca-certificates.crt');
    writeFileSync(join(scratch, 'etc', 'nsswitch.conf'), 'hosts: files dns\n');
    mkdirSync(join(scratch, 'tmp'));
    chmodSync(join(scratch, 'tmp'), 0o1777);
    return buildImage({ name: 'base', tag: process.version, dockerfile: ours('base'), context: scratch });
  });

const librariesOf = async (program: string): Promise<string[]> =>
  [...(await run(['ldd', program])).matchAll(/(\/\S+) \(0x/g)].map(([, library = '']) => library);

/** The operator's or a service's image, from the sources as they are now. */
export const projectImage = async (name: Bundled, tag = 'dev'): Promise<Image> => {
  const [bundles, base] = await Promise.all([bundleImage(name), baseImage()]);
  const common = { tag, context: CHECKOUT, inputs: [bundles.slice(CHECKOUT.length + 1)], ...(base && { base }) };
  const args = { BUNDLES: 'prebuilt' };
  if (name === 'operator') {
    return buildImage({
      ...common,
      name: 'devshelf-operator',
      dockerfile: join(CHECKOUT, 'Dockerfile.operator'),
      args,
    });
  }
  const dockerfile = join(CHECKOUT, 'Dockerfile.service');
  return buildImage({ ...common, name, dockerfile, args: { ...args, SERVICE: name } });
};

export type Store = 'postgresql' | 'redis';

// what a container engine's user has instead of our own Debian
const PUBLIC_STORES = { postgresql: 'docker.io/library/postgres:15', redis: 'docker.io/library/redis:7' };

/** PostgreSQL or Redis; what they take from the environment is written in stores/. */
export const storeImage = async (store: Store): Promise<Image> => {
  const context = join(import.meta.dirname, 'stores');
  const common = { name: store, tag: '1', dockerfile: join(context, 'Dockerfile'), context };
  const inputs = ['passwd', store];
  if (engine() !== 'buildah') {
    return buildImage({ ...common, inputs, args: { STORE: store, BASE: PUBLIC_STORES[store] } });
  }
  return buildImage({ ...common, inputs, args: { STORE: store }, base: await storesBase() });
};

const SUITE = 'bookworm';
// half of it is never used: documentation, compilers for queries, what packages need to be installed only
const LEFT_OUT = [
  ...['doc', 'man', 'locale', 'i18n', 'perl'].map(name => `usr/share/${name}`),
  ...['libLLVM*', 'libz3*', 'perl'].map(name => `usr/lib/*-linux-gnu/${name}`),
  ...['usr/lib/llvm*', 'usr/lib/postgresql/*/lib/bitcode', 'var/lib/postgresql'],
];

const storesBase = async (): Promise<Image> => {
  const dockerfile = ours('stores-base');
  const context = folder(CACHE, `stores-${contentHash(SUITE, ...LEFT_OUT)}`);
  const archive = join(context, 'stores.tar');
  if (!existsSync(archive))
    await step('installing PostgreSQL and Redis into an image (once)', () => bootstrap(archive));
  // the archive never changes once made, so its name stands for its content
  return buildImage({ name: 'stores-base', tag: '1', dockerfile, context, inputs: [], args: { CONTENT: context } });
};

const bootstrap = async (archive: string): Promise<void> => {
  await ensureRequirements();
  const partial = `${archive}.${process.pid}.tar`;
  const include = '--include=postgresql-15,redis-server';
  const remove = `--customize-hook=cd "$1" && rm -rf ${LEFT_OUT.join(' ')}`;
  await run(['mmdebstrap', '--quiet', '--variant=minbase', include, remove, SUITE, partial]);
  renameSync(partial, archive);
};

/** Everything the demo runs, built in an order that shares what can be shared. */
export const allImages = async (): Promise<Image[]> => {
  const images: Image[] = [];
  for (const name of ['operator', 'devshelf', 'dashboard'] as const) images.push(await projectImage(name));
  for (const store of ['postgresql', 'redis'] as const) images.push(await storeImage(store));
  return images;
};
