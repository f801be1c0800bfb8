import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openLogFile } from './log-file.ts';
import { type TemporaryFolder, temporaryFolder } from './testing/processes.ts';

let folder: TemporaryFolder;
let now: Date;
let troubles: string[];

beforeEach(() => {
  folder = temporaryFolder('devshelf-log-');
  now = new Date(2026, 10, 18, 23, 59, 59);
  troubles = [];
});
afterEach(() => folder.remove());

const open = (keep = 7, directory = folder.path) =>
  openLogFile({
    directory,
    name: 'dashboard.log',
    rotation: { every: 'midnight' },
    keep,
    onTrouble: message => troubles.push(message),
    now: () => now,
  });
const read = (name: string) => readFileSync(join(folder.path, name), 'utf8');
const later = (milliseconds: number) => {
  now = new Date(now.getTime() + milliseconds);
};

test('a line after midnight begins a new file; the old one is named after its day', () => {
  const file = open();
  file.write('before\n');
  later(1_000);
  file.write('after\n');
  file.close();
  expect(read('dashboard.log.2026-11-18')).toBe('before\n');
  expect(read('dashboard.log')).toBe('after\n');
});

test('the folder is made; a restart goes on with the file', () => {
  const directory = join(folder.path, 'a/b');
  for (const line of ['one\n', 'two\n']) {
    const file = open(7, directory);
    file.write(line);
    file.close();
  }
  expect(readFileSync(join(directory, 'dashboard.log'), 'utf8')).toBe('one\ntwo\n');
});

test('what an earlier process left from another day is rolled over first', () => {
  writeFileSync(join(folder.path, 'dashboard.log'), 'old\n');
  const written = new Date(2026, 10, 16, 12);
  utimesSync(join(folder.path, 'dashboard.log'), written, written);
  const file = open();
  file.write('new\n');
  file.close();
  expect(read('dashboard.log.2026-11-16')).toBe('old\n');
  expect(read('dashboard.log')).toBe('new\n');
});

test('so many old files stay', () => {
  const file = open(2);
  for (let day = 0; day < 5; day += 1) {
    file.write(`${day}\n`);
    later(86_400_000);
  }
  file.close();
  expect(readdirSync(folder.path).sort()).toEqual([
    'dashboard.log',
    'dashboard.log.2026-11-20',
    'dashboard.log.2026-11-21',
  ]);
});

test('two processes that write the same file lose no line at the rollover', () => {
  const [one, two] = [open(), open()];
  one.write('1 before\n');
  utimesSync(join(folder.path, 'dashboard.log'), now, now); // the file's clock is not the test's
  two.write('2 before\n');
  later(1_000);
  one.write('1 after\n');
  two.write('2 after\n');
  expect(read('dashboard.log.2026-11-18')).toBe('1 before\n2 before\n');
  expect(read('dashboard.log')).toBe('1 after\n2 after\n');
  for (const file of [one, two]) file.close();
});

test('a full disk costs lines and nothing else; it is tried again after ten seconds', () => {
  const path = join(folder.path, 'dashboard.log');
  symlinkSync('/dev/full', path);
  const file = open();
  file.write('lost\n');
  file.write('lost too\n');
  expect(troubles).toEqual([expect.stringMatching(/^the log file cannot be written: .*ENOSPC/)]);
  rmSync(path);
  later(500);
  file.write('not tried yet\n');
  later(10_000);
  file.write('kept\n');
  file.close();
  expect(read('dashboard.log')).toBe('kept\n');
  expect(troubles).toHaveLength(2);
});

test('a folder that cannot be made is trouble, no exception', () => {
  writeFileSync(join(folder.path, 'file'), '');
  const file = open(7, join(folder.path, 'file'));
  file.write('lost\n');
  expect(troubles).toHaveLength(1);
  file.close();
});

test('a folder that goes away is made again', () => {
  mkdirSync(join(folder.path, 'logs'));
  const file = open(7, join(folder.path, 'logs'));
  file.write('lost with the folder\n');
  rmSync(join(folder.path, 'logs'), { recursive: true });
  later(1_000);
  file.write('lost at the rollover\n');
  later(10_000);
  file.write('kept\n');
  expect(readFileSync(join(folder.path, 'logs/dashboard.log'), 'utf8')).toBe('kept\n');
  file.close();
});
