import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Descriptor, joinLayouts, pack, sha256 } from './oci.ts';
import { provenance } from './provenance.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'devshelf-oci-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function layout(name: string, ...contents: string[]): string {
  const path = join(root, name);
  mkdirSync(join(path, 'blobs', 'sha256'), { recursive: true });
  const manifests = contents.map(content => {
    writeFileSync(join(path, 'blobs', 'sha256', sha256(content)), content);
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    return { mediaType, digest: `sha256:${sha256(content)}`, size: content.length };
  });
  writeFileSync(join(path, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  return path;
}

const blob = (folder: string, digest: string) =>
  readFileSync(join(folder, 'blobs', 'sha256', digest.replace('sha256:', '')), 'utf8');

test('two images become one for two architectures, which is named', () => {
  const layouts = [
    { path: layout('amd', 'for amd64'), architecture: 'amd64' },
    { path: layout('arm', 'for arm64'), architecture: 'arm64' },
  ];
  const target = join(root, 'joined');
  const digest = joinLayouts(layouts, target, 'registry.example/operator:1.0.0', { title: 'operator' });
  const [top] = JSON.parse(readFileSync(join(target, 'index.json'), 'utf8')).manifests;
  expect(top).toMatchObject({
    digest,
    annotations: { 'org.opencontainers.image.ref.name': 'registry.example/operator:1.0.0' },
  });
  const index = JSON.parse(blob(target, digest)) as { manifests: (Descriptor & { platform: object })[] };
  expect(index.manifests.map(({ digest, platform }) => [platform, blob(target, digest)])).toEqual([
    [{ architecture: 'amd64', os: 'linux' }, 'for amd64'],
    [{ architecture: 'arm64', os: 'linux' }, 'for arm64'],
  ]);
  expect(`sha256:${sha256(blob(target, digest))}`).toBe(digest);
});

test('a layout with two images is an error: one would be lost', () => {
  const two = [{ path: layout('two', 'one', 'other'), architecture: 'amd64' }];
  expect(() => joinLayouts(two, join(root, 'none'), 'a:1', {})).toThrow('has 2 images, not one');
});

test.each(['tar', 'tgz'])(
  'a %s of the same content is the same, whenever and by whomever it was written',
  async ending => {
    const [first, second] = ['first', 'second'].map(name => join(root, `${name}-${ending}`)) as [string, string];
    for (const [folder, mode] of [
      [first, 0o600],
      [second, 0o664],
    ] as const) {
      mkdirSync(folder);
      for (const file of mode === 0o600 ? ['a', 'b'] : ['b', 'a']) writeFileSync(join(folder, file), file);
      chmodSync(join(folder, 'a'), mode);
      utimesSync(join(folder, 'a'), mode, mode);
      await pack(`${folder}.${ending}`, folder, ['a', 'b'], 1_000_000_000);
    }
    expect(sha256(readFileSync(`${first}.${ending}`))).toBe(sha256(readFileSync(`${second}.${ending}`)));
  },
);

test('the provenance names every file, the commit, and whether there was more than the commit', () => {
  const origin = { revision: 'abc', version: '1.0.0', parameters: {}, materials: [], builder: 'make release' };
  const of = (isDirty: boolean) =>
    JSON.parse(JSON.stringify(provenance([{ name: 'a', sha256: '00' }], { ...origin, isDirty })));
  expect(of(false)).toMatchObject({
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'a', digest: { sha256: '00' } }],
    predicate: {
      buildDefinition: { resolvedDependencies: [{ digest: { gitCommit: 'abc' } }], internalParameters: {} },
    },
  });
  expect(of(true).predicate.buildDefinition.internalParameters).toEqual({ uncommittedChanges: true });
});
