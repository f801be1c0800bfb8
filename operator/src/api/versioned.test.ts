import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { OPERATOR_VERSION } from '../version.ts';
import { VERSIONED, withVersion } from './versioned.ts';

const ROOT = new URL('../../..', import.meta.url).pathname;
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const { version } = JSON.parse(read('package.json')) as { version: string };

test.each(VERSIONED)('%s says the version of package.json', (path, places) => {
  expect(withVersion(path, read(path), places, version)).toBe(read(path));
});

test('the operator and the lock file say it', () => {
  const lock = JSON.parse(read('package-lock.json')) as { version: string; packages: { '': { version: string } } };
  expect([OPERATOR_VERSION, lock.version, lock.packages[''].version]).toEqual([version, version, version]);
});

test.each(['dashboarddeployments', 'devshelfdeployments'])('the definition of %s says it, in all its forms', plural => {
  for (const file of [`crds/apps.devshelf.dev_${plural}.yaml`, `charts/devshelf-operator-crds/files/${plural}.yaml`]) {
    const { metadata } = parse(read(file)) as { metadata: { labels: Record<string, string> } };
    expect([file, metadata.labels['app.kubernetes.io/version']]).toEqual([file, version]);
  }
});

test('CHANGELOG has a chapter about it', () => {
  expect(read('CHANGELOG.md')).toContain(`\n## ${version}`);
});

test('another version goes to every place, a file without one is an error', () => {
  const text = 'image: a/devshelf-operator:0.1.0\nimage: a/devshelf-operator:0.1.0-rc.1\nother:0.1.0\n';
  expect(withVersion('x', text, /(?<=devshelf-operator:)\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?/g, '2.0.0')).toBe(
    'image: a/devshelf-operator:2.0.0\nimage: a/devshelf-operator:2.0.0\nother:0.1.0\n',
  );
  expect(() => withVersion('x.md', 'nothing', /(?<=operator:)\d/g, '2.0.0')).toThrow('x.md says no version');
});
