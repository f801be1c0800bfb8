// A release's images, built from nothing each time: no cache, no registry, no container engine.
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Bundled, bundleImage, imageName } from '../test-e2e/cluster/build.ts';
import { CACHE, CHECKOUT, folder } from '../test-e2e/cluster/paths.ts';
import { run } from '../test-e2e/cluster/run.ts';
import { step } from '../test-e2e/cluster/say.ts';
import { type Architecture, layOutBase } from './base.ts';
import { joinLayouts, pack } from './oci.ts';
import { type Component, timeOf } from './sbom.ts';

export interface ReleaseOptions {
  readonly version: string;
  readonly revision: string;
  /** Of the commit, seconds since 1970: the time of everything in the release. */
  readonly epoch: number;
  /** Before the images' names, with its slash; empty when the release is for no particular registry. */
  readonly registry: string;
  readonly architectures: readonly Architecture[];
}

export interface ReleaseImage {
  readonly bundled: Bundled;
  readonly name: string;
  /** `registry/name:version`. */
  readonly reference: string;
  /** Of all architectures together: what a pod may name. */
  readonly digest: string;
  /** Below the release's folder. */
  readonly archive: string;
}

const DESCRIPTIONS: Record<Bundled, string> = {
  operator: 'Runs DevShelf and Dashboard Mini Market: migrations first, canary by evidence, rollback in seconds',
  devshelf: 'DevShelf API: a library of links for programmers, with its worker and migrations',
  dashboard: 'Dashboard Mini Market: the figures of a small market, with its migrations',
};

/** Builds all images into `out`; also says what their base consists of, per architecture. */
export async function buildImages(
  options: ReleaseOptions,
  out: string,
): Promise<{ images: ReleaseImage[]; base: ReadonlyMap<Architecture, readonly Component[]> }> {
  const scratch = mkdtempSync(join(folder(CACHE, 'release'), '.build-'));
  chmodSync(scratch, 0o755);
  const buildah = (...args: string[]) =>
    run(['buildah', '--root', join(scratch, 'storage'), '--runroot', join(scratch, 'run'), ...args]);
  const bud = (tag: string, architecture: Architecture, epoch: number, ...args: string[]) =>
    buildah(
      ...['bud', '--isolation=chroot', '--pull-never', '--quiet', `--timestamp=${epoch}`, `--arch=${architecture}`],
      ...['--tag', tag, ...args],
    );
  try {
    const base = new Map<Architecture, readonly Component[]>();
    for (const architecture of options.architectures) {
      await step(`the base image for ${architecture}`, async () => {
        const context = join(scratch, `base-${architecture}`);
        base.set(architecture, await layOutBase(architecture, context));
        normalize(context, 0o755);
        chmodSync(join(context, 'tmp'), 0o1777);
        const dockerfile = join(CHECKOUT, 'test-e2e', 'cluster', 'Dockerfile.base');
        await bud(`localhost/base:${architecture}`, architecture, options.epoch, '--file', dockerfile, context);
      });
    }
    const images: ReleaseImage[] = [];
    for (const bundled of ['operator', 'devshelf', 'dashboard'] as const) {
      images.push(await step(`the image ${imageName(bundled)}`, () => buildOne(bundled)));
    }
    return { images, base };
  } finally {
    await buildah('rm', '--all').catch(() => {}); // it leaves the container of every stage but the last
    await buildah('rmi', '--all', '--force').catch(() => {});
    rmSync(scratch, { recursive: true, force: true });
  }

  async function buildOne(bundled: Bundled): Promise<ReleaseImage> {
    const { version, epoch, registry } = options;
    const name = imageName(bundled);
    const reference = `${registry}${name}:${version}`;
    normalize(await bundleImage(bundled), undefined);
    const marks = labels(bundled, options);
    const layouts = [];
    for (const architecture of options.architectures) {
      const tag = `localhost/${name}:${architecture}`;
      const service = bundled === 'operator' ? [] : ['--build-arg', `SERVICE=${bundled}`];
      const dockerfile = join(CHECKOUT, bundled === 'operator' ? 'Dockerfile.operator' : 'Dockerfile.service');
      const labelled = Object.entries(marks).flatMap(([key, value]) => ['--label', `${key}=${value}`]);
      const args = [
        '--build-arg',
        'BUNDLES=prebuilt',
        '--build-arg',
        `BASE=localhost/base:${architecture}`,
        ...service,
      ];
      await bud(tag, architecture, epoch, ...labelled, ...args, '--file', dockerfile, CHECKOUT);
      const path = join(scratch, `${name}-${architecture}`);
      await buildah('push', '--quiet', '--format=oci', tag, `oci:${path}`);
      layouts.push({ path, architecture });
    }
    const joined = join(scratch, name);
    const digest = joinLayouts(layouts, joined, reference, marks);
    const archive = join('images', `${name}-${version}.oci.tar`);
    mkdirSync(join(out, 'images'), { recursive: true });
    await pack(join(out, archive), joined, ['oci-layout', 'index.json', 'blobs'], epoch);
    return { bundled, name, reference, digest, archive };
  }
}

/** The labels and annotations that the OCI image specification names. */
const labels = (bundled: Bundled, { version, revision, epoch }: ReleaseOptions): Record<string, string> => ({
  'org.opencontainers.image.title': imageName(bundled),
  'org.opencontainers.image.description': DESCRIPTIONS[bundled],
  'org.opencontainers.image.version': version,
  'org.opencontainers.image.revision': revision,
  'org.opencontainers.image.created': timeOf(epoch),
  'org.opencontainers.image.licenses': 'Apache-2.0',
  'org.opencontainers.image.vendor': 'DevShelf',
  ...(process.env['SOURCE_URL'] && { 'org.opencontainers.image.source': process.env['SOURCE_URL'] }),
});

/** Rights do not depend on the umask of whoever builds: programs and folders 755, other files 644. */
function normalize(path: string, root: number | undefined): void {
  if (root !== undefined) chmodSync(path, root);
  for (const entry of readdirSync(path, { withFileTypes: true, recursive: true })) {
    const isProgram = entry.isDirectory() || /\/bin$/.test(entry.parentPath) || /^(ld-|lib)/.test(entry.name);
    const isFile = entry.name.includes('.') && !/\.so\b/.test(entry.name);
    chmodSync(join(entry.parentPath, entry.name), isProgram && !(entry.isFile() && isFile) ? 0o755 : 0o644);
  }
}
