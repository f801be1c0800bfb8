// OCI layouts: one image for several architectures in one archive, and archives that are the same for the same content.
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../test-e2e/cluster/run.ts';

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const INDEX = 'application/vnd.oci.image.index.v1+json';

/** Joins layouts with one image each into one layout below `target`; returns the digest of the image that is all of them. */
export function joinLayouts(
  layouts: readonly { readonly path: string; readonly architecture: string }[],
  target: string,
  reference: string,
  annotations: Readonly<Record<string, string>>,
): string {
  const blobs = join(target, 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  const manifests = layouts.map(({ path, architecture }) => {
    cpSync(join(path, 'blobs', 'sha256'), blobs, { recursive: true });
    const [only, ...others] = (
      JSON.parse(readFileSync(join(path, 'index.json'), 'utf8')) as { manifests: Descriptor[] }
    ).manifests;
    if (only === undefined || others.length > 0) throw new Error(`${path} has ${others.length + 1} images, not one`);
    const { mediaType, digest, size } = only;
    return { mediaType, digest, size, platform: { architecture, os: 'linux' } };
  });
  const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests, annotations });
  const digest = sha256(index);
  writeFileSync(join(blobs, digest), index);
  const named = { 'org.opencontainers.image.ref.name': reference };
  const top = [{ mediaType: INDEX, digest: `sha256:${digest}`, size: Buffer.byteLength(index), annotations: named }];
  writeFileSync(join(target, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: top }));
  writeFileSync(join(target, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  return `sha256:${digest}`;
}

export const sha256 = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');

/** Packs `entries` of `folder`: names in order, one time, one owner, the same rights whatever the umask was. */
export async function pack(archive: string, folder: string, entries: readonly string[], epoch: number): Promise<void> {
  const same = ['--sort=name', `--mtime=@${epoch}`, '--owner=0', '--group=0', '--numeric-owner', '--format=gnu'];
  const compressed = archive.endsWith('.tgz') ? ['--use-compress-program=gzip -n9'] : [];
  await run(['tar', ...same, '--mode=u=rwX,go=rX', ...compressed, '-cf', archive, '-C', folder, ...entries]);
}
