import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from '@jest/globals';
import { cacheFolder, openCodeCache } from './code-cache.ts';

const root = mkdtempSync(join(tmpdir(), 'code-cache-'));
afterAll(() => rmSync(root, { recursive: true }));
let folder = '';
beforeEach(() => {
  folder = join(mkdtempSync(join(root, 'user-')), 'kubectl-devshelf');
});

const kept = (build = 'one') => {
  const { of } = openCodeCache(folder, build);
  return Object.fromEntries(['a', 'b'].flatMap(part => (of(part) ? [[part, `${of(part)}`]] : [])));
};
const keep = (codes: Record<string, string>, build = 'one') =>
  openCodeCache(folder, build).keep(new Map(Object.entries(codes).map(([part, code]) => [part, Buffer.from(code)])));
const file = () => join(folder, 'code');

test('what was kept is there, for its user alone, beside what others need', () => {
  expect(kept()).toEqual({});
  keep({ a: 'code of a' });
  keep({ b: 'code of b' });
  expect(kept()).toEqual({ a: 'code of a', b: 'code of b' });
  keep({ a: 'more' });
  expect(kept()).toEqual({ a: 'more', b: 'code of b' });
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(statSync(file()).mode & 0o777).toBe(0o600);
});

test('of another version nothing is taken, and its place is', () => {
  keep({ a: 'old', b: 'old' });
  expect(kept('two')).toEqual({});
  keep({ a: 'new' }, 'two');
  expect(kept('two')).toEqual({ a: 'new' });
  expect(kept()).toEqual({});
});

test.each([
  ['cut', () => truncateSync(file(), statSync(file()).size - 1), { a: 'code of a' }],
  ['cut in its index', () => truncateSync(file(), 9), {}],
  ['empty', () => truncateSync(file(), 0), {}],
  ['written over', () => writeFileSync(file(), Buffer.alloc(400, 'x')), {}],
  [
    'changed in one byte',
    () => writeFileSync(file(), readFileSync(file(), 'latin1').replace('of b', 'of c'), 'latin1'),
    { a: 'code of a' },
  ],
])('%s: what is whole is taken, and the rest is kept anew', (_what, harm, rest) => {
  keep({ a: 'code of a', b: 'code of b' });
  harm();
  expect(kept()).toEqual(rest);
  keep({ b: 'again' });
  expect(kept()).toEqual({ ...rest, b: 'again' });
});

test('what a killed one left half written is written over', () => {
  mkdirSync(folder, { mode: 0o700 });
  writeFileSync(`${file()}.new`, 'half');
  keep({ a: 'code of a' });
  expect(kept()).toEqual({ a: 'code of a' });
  expect(existsSync(`${file()}.new`)).toBe(false);
});

test('from a file that others may write nothing is taken, and it is replaced by one that they may not', () => {
  keep({ a: 'code of a' });
  chmodSync(file(), 0o666);
  expect(kept()).toEqual({});
  keep({ a: 'ours' });
  expect(kept()).toEqual({ a: 'ours' });
});

test('in a folder that others may write nothing is kept', () => {
  mkdirSync(folder);
  chmodSync(folder, 0o777);
  keep({ a: 'code of a' });
  expect(existsSync(file())).toBe(false);
});

test('through a link nothing is taken or kept', () => {
  keep({ a: 'code of a' });
  const link = join(root, 'link');
  symlinkSync(folder, link);
  openCodeCache(link, 'one').keep(new Map([['b', Buffer.from('b')]]));
  expect(kept()).toEqual({ a: 'code of a' });
  rmSync(file());
  const elsewhere = join(root, 'elsewhere');
  writeFileSync(elsewhere, '');
  symlinkSync(elsewhere, file());
  expect(kept()).toEqual({});
});

const isRoot = process.getuid?.() === 0;
(isRoot ? test : test.skip)('what another user owns is neither read nor written', () => {
  keep({ a: 'code of a' });
  chownSync(file(), 65_534, 65_534);
  expect(kept()).toEqual({});
  chownSync(folder, 65_534, 65_534);
  keep({ a: 'ours' });
  expect(statSync(file()).uid).toBe(65_534);
  // root that runs with somebody's HOME makes nothing there that they cannot replace
  const home = mkdtempSync(join(root, 'home-'));
  chownSync(home, 65_534, 65_534);
  openCodeCache(join(home, '.cache', 'kubectl-devshelf'), 'one').keep(new Map([['a', Buffer.from('a')]]));
  expect(existsSync(join(home, '.cache'))).toBe(false);
});

test('a place that is none is passed over in silence', () => {
  writeFileSync(join(root, 'a file'), '');
  for (const place of ['/dev/null/kubectl-devshelf', '/proc/kubectl-devshelf', join(root, 'a file', 'x')]) {
    openCodeCache(place, 'one').keep(new Map([['a', Buffer.from('a')]]));
    expect(openCodeCache(place, 'one').of('a')).toBeUndefined();
  }
  expect(openCodeCache(undefined, 'one').of('a')).toBeUndefined();
});

test('it lies where XDG says, else in ~/.cache, else nowhere', () => {
  const home = () => '/home/me';
  expect(cacheFolder({ XDG_CACHE_HOME: '/var/cache/me' }, home)).toBe('/var/cache/me/kubectl-devshelf');
  expect(cacheFolder({ XDG_CACHE_HOME: 'beside' }, home)).toBe('/home/me/.cache/kubectl-devshelf');
  expect(cacheFolder({}, home)).toBe('/home/me/.cache/kubectl-devshelf');
  expect(cacheFolder({}, () => '')).toBeUndefined();
  expect(cacheFolder({ NODE_DISABLE_COMPILE_CACHE: '1' }, home)).toBeUndefined();
});
