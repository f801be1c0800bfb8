import { expect, test } from '@jest/globals';
import { type Archive, TARGETS } from './executables.ts';
import { krewManifest } from './krew.ts';

const archive = (file: string, bin: string, targets: Archive['targets']): Archive => ({
  ...{ file, bin, targets },
  sha256: 'a'.repeat(64),
});

test('krew is told of every platform once, and where its archive lies', () => {
  const archives = [
    archive('cli-node20.tgz', 'kubectl-devshelf', TARGETS.slice(3)),
    archive('cli-linux-amd64.tgz', 'kubectl-devshelf', TARGETS.slice(0, 1)),
    archive('cli-linux-arm64.tgz', 'kubectl-devshelf', TARGETS.slice(1, 2)),
    archive('cli-windows-amd64.tgz', 'kubectl-devshelf.exe', TARGETS.slice(2, 3)),
  ];
  const { metadata, spec } = krewManifest('1.2.3', 'https://example.com/v1.2.3', archives) as {
    metadata: { name: string };
    spec: { version: string; platforms: { selector: { matchLabels: object }; uri: string; bin: string }[] };
  };
  expect(metadata.name).toBe('devshelf');
  expect(spec.version).toBe('v1.2.3');
  const told = spec.platforms.map(({ selector, uri, bin }) => [JSON.stringify(selector.matchLabels), uri, bin]);
  expect(new Set(told.map(([platform]) => platform)).size).toBe(TARGETS.length);
  expect(told).toContainEqual([
    '{"os":"windows","arch":"amd64"}',
    'https://example.com/v1.2.3/cli-windows-amd64.tgz',
    'kubectl-devshelf.exe',
  ]);
  expect(told).toContainEqual([
    '{"os":"darwin","arch":"arm64"}',
    'https://example.com/v1.2.3/cli-node20.tgz',
    'kubectl-devshelf',
  ]);
});
