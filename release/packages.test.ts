import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { type Package, packagesIn, thirdPartyNotice } from './packages.ts';
import { npmPurl, spdx } from './sbom.ts';

let root: string;
const write = (path: string, text: string) => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};
const install = (path: string, manifest: object, code: string) => {
  write(`node_modules/${path}/package.json`, JSON.stringify({ main: 'index.js', ...manifest }));
  write(`node_modules/${path}/index.js`, code);
};

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'devshelf-packages-'));
  const integrity = `sha512-${Buffer.from('abc').toString('base64')}`;
  write('package-lock.json', JSON.stringify({ packages: { 'node_modules/used': { integrity } } }));
  install('used', { name: 'used', version: '1.0.0', license: 'MIT' }, "import '@scope/inner'; console.log(1)");
  write('node_modules/used/LICENSE.txt', 'Permission is granted\n');
  write('node_modules/used/license-check.js', 'no licence');
  install(
    'used/node_modules/@scope/inner',
    { name: '@scope/inner', version: '2.0.0', licenses: [{ type: 'ISC' }] },
    'console.log(2)',
  );
  install('unused', { name: 'unused', version: '3.0.0', sideEffects: false }, 'export const a = 1');
  install('copied', { name: 'copied', version: '4.0.0', license: 'SEE LICENSE IN x' }, '');
  write('main.js', "import 'used'; import {a} from 'unused';");
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const found = async (): Promise<Package[]> => {
  const options = { bundle: true, write: false, metafile: true, outdir: 'out', platform: 'node' } as const;
  const { metafile } = await build({ ...options, absWorkingDir: root, entryPoints: ['main.js'] });
  return packagesIn(metafile, root, ['node_modules/copied']);
};

test('what is in the bundle is found, also within another package, and what is copied; nothing else', async () => {
  expect(await found()).toEqual([
    { name: '@scope/inner', version: '2.0.0', license: 'ISC', texts: [], sha512: undefined },
    { name: 'copied', version: '4.0.0', license: 'SEE LICENSE IN x', texts: [], sha512: undefined },
    { name: 'used', version: '1.0.0', license: 'MIT', texts: ['Permission is granted'], sha512: '616263' },
  ]);
});

test('the notice has every name, licence and text', async () => {
  const notice = thirdPartyNotice(await found());
  expect(notice).toContain('\nused 1.0.0\nMIT\n\nPermission is granted\n');
  expect(notice).toContain('@scope/inner 2.0.0\nISC\n\nThe package has no licence file; it declares ISC.');
});

describe('SPDX', () => {
  const subject = { name: 'operator', version: '1.2.3', license: 'Apache-2.0', created: '1970-01-01T00:00:00Z' };
  const node = { name: 'node', version: '24.0.0', license: 'MIT', purl: 'pkg:generic/node@24.0.0' };
  type Document = {
    documentNamespace: string;
    packages: { SPDXID: string; name: string; licenseDeclared: string; checksums?: object[] }[];
    relationships: { relatedSpdxElement: string }[];
  };

  test('every package once, each related, with its checksum where one is known', async () => {
    const document = spdx(subject, await found(), [node]) as Document;
    expect(document.packages.map(({ name }) => name)).toEqual(['operator', 'node', '@scope/inner', 'copied', 'used']);
    const ids = document.packages.map(({ SPDXID }) => SPDXID);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.every(id => /^SPDXRef-[A-Za-z0-9.-]+$/.test(id))).toBe(true);
    expect(document.relationships.map(({ relatedSpdxElement }) => relatedSpdxElement)).toEqual(ids);
    expect(document.packages.at(-1)?.checksums).toEqual([{ algorithm: 'SHA512', checksumValue: '616263' }]);
  });

  test('what is no SPDX expression is asserted by nobody', async () => {
    const { packages } = spdx(subject, await found()) as Document;
    expect(packages.find(({ name }) => name === 'copied')?.licenseDeclared).toBe('NOASSERTION');
  });

  test('the same content is the same document, another one has another namespace', async () => {
    const packages = await found();
    expect(spdx(subject, packages)).toEqual(spdx(subject, packages));
    const { documentNamespace } = spdx(subject, packages) as Document;
    expect((spdx(subject, packages.slice(1)) as Document).documentNamespace).not.toBe(documentNamespace);
  });

  test('a scope is escaped in a package URL', () => {
    expect(npmPurl('@a/b', '1.0.0')).toBe('pkg:npm/%40a/b@1.0.0');
  });
});
