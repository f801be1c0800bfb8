import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { KEYRING_FILE, KeyringError, type KeyringSource, watchKeyring } from './keyring.ts';
import { type TemporaryFolder, temporaryFolder, until } from './testing/processes.ts';

let folder: TemporaryFolder;
let source: KeyringSource | undefined;
let versions = 0;

beforeEach(() => {
  folder = temporaryFolder('devshelf-keyring-');
});
afterEach(() => {
  source?.close();
  source = undefined;
  folder.remove();
});

/** As the kubelet does it: a new folder, then one rename of the link that the file is seen through. */
function project(text: string): void {
  versions += 1;
  const version = `..version_${versions}`;
  mkdirSync(join(folder.path, version));
  writeFileSync(join(folder.path, version, KEYRING_FILE), text);
  symlinkSync(version, join(folder.path, '..data_tmp'));
  renameSync(join(folder.path, '..data_tmp'), join(folder.path, '..data'));
  if (versions === 1 || source === undefined) {
    rmSync(join(folder.path, KEYRING_FILE), { force: true });
    symlinkSync(join('..data', KEYRING_FILE), join(folder.path, KEYRING_FILE));
  }
}

const keyring = (current: string) => JSON.stringify({ current, keys: { k1: 'one', k2: 'two', k3: 'three' } });

const NEVER_POLLS = 3_600_000;

test('every swap is seen, not only the first', async () => {
  project(keyring('k1'));
  source = await watchKeyring(folder.path, { pollMs: NEVER_POLLS });
  expect(source.value.current).toBe('k1');
  for (const current of ['k2', 'k3', 'k1']) {
    project(keyring(current));
    await until(`${current} is current`, () => source?.value.current === current);
  }
});

test('the poll finds what the watch does not report', async () => {
  project(keyring('k1'));
  source = await watchKeyring(folder.path, { pollMs: 50 });
  // written through the link: nothing changes in the directory that is watched
  writeFileSync(join(folder.path, KEYRING_FILE), keyring('k2'));
  await until('k2 is current', () => source?.value.current === 'k2');
});

test('a broken keyring is reported and the last good one stays in force', async () => {
  project(keyring('k1'));
  const errors: Error[] = [];
  source = await watchKeyring(folder.path, { pollMs: NEVER_POLLS, onError: error => errors.push(error) });
  project('{"current":');
  await until('the fault is reported', () => errors.length > 0);
  expect(source.value.current).toBe('k1');
  project(keyring('k2'));
  await until('k2 is current', () => source?.value.current === 'k2');
});

test('without a keyring at the start it refuses, naming the file', async () => {
  await expect(watchKeyring(folder.path)).rejects.toThrow(KeyringError);
  await expect(watchKeyring(folder.path)).rejects.toThrow(KEYRING_FILE);
});
