// What people are told to type works on a machine whose own Node.js is not ours.
import { execFileSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const ROOT = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const TOLD = globSync(['*.md', '{docs,charts,test-e2e}/**/*.md', 'test-e2e/**/*.ts', 'bench/**/*.ts'], { cwd: ROOT });

/** `node x.ts` at the beginning of a command: only Node 24 strips types. */
const BARE_NODE = /(?:^|[`$'"] *|usage: *|: |\s{2})node [^\s`]*\.ts/;

test.each([
  ['node bench/load.ts', true],
  ['see `node bench/load.ts`', true],
  ['bin/node bench/load.ts', false],
  ['a node of the cluster', false],
])('"%s" would need the right Node: %s', (line, is) => {
  expect(BARE_NODE.test(line)).toBe(is);
});

test.each(TOLD.filter(path => path.endsWith('.md')))('%s never says `node file.ts`', path => {
  const bare = read(path)
    .split('\n')
    .filter(line => BARE_NODE.test(line));
  expect(bare).toEqual([]);
});

test('the demo and the cluster’s help never print it', () => {
  for (const path of ['test-e2e/demo.ts', 'test-e2e/cluster/cli.ts']) {
    const printed = read(path)
      .split('\n')
      .filter(line => !line.startsWith('//'));
    expect(printed.filter(line => BARE_NODE.test(line))).toEqual([]);
  }
});

describe('without the packaged Node on the PATH', () => {
  const env = { PATH: '/usr/bin:/bin', HOME: process.env['HOME'] };
  const type = (...command: [string, ...string[]]) =>
    execFileSync(command[0], command.slice(1), { cwd: '/', env, encoding: 'utf8' });

  test('bin/node is Node 24, and so is what it starts', () => {
    const version = `v${JSON.parse(read('package.json')).devDependencies.node}\n`;
    expect(type(join(ROOT, 'bin/node'), '--version')).toBe(version);
    const child = 'console.log(require("child_process").execFileSync("node", ["--version"]).toString().trim())';
    expect(type(join(ROOT, 'bin/node'), '-e', child)).toBe(version);
  });

  test('bin/cluster answers from any folder', () => {
    expect(type(join(ROOT, 'bin/cluster'), '--help')).toContain('bin/cluster COMMAND');
  });
});
