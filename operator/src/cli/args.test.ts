import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { COMMAND_NAMES, helpOf, parse, reference } from './args.ts';
import { completion } from './completion.ts';

test.each([
  [
    'a command and its flags',
    ['status', 'dbd/x', '-n', 'shop', '--exit-code'],
    { is: 'command', command: 'status', names: ['dbd/x'] },
  ],
  ['flags may come first', ['-n', 'shop', 'why', 'x'], { is: 'command', command: 'why', names: ['x'] }],
  ['nothing', [], { is: 'usage' }],
  ['help', ['--help'], { is: 'help' }],
  ['help of one', ['history', '-h'], { is: 'help', text: helpOf('history') }],
  ['no such command', ['statsu'], { is: 'usage', text: expect.stringContaining('statsu: no such command') }],
  [
    'no such flag',
    ['status', '--nonsense'],
    { is: 'usage', text: expect.stringContaining("Unknown option '--nonsense'") },
  ],
  [
    'a flag of another',
    ['why', 'x', '--limit', '3'],
    { is: 'usage', text: expect.stringContaining('--limit: why has no such flag') },
  ],
  ['a plan of nothing', ['plan'], { is: 'usage', text: expect.stringContaining('--filename is missing') }],
  ['too few', ['why'], { is: 'usage', text: expect.stringContaining('wanted: why [KIND/]NAME') }],
  ['too many', ['status', 'a', 'b'], { is: 'usage', text: expect.stringContaining('2 arguments') }],
  [
    'another output',
    ['status', '-o', 'yaml'],
    { is: 'usage', text: expect.stringContaining('-o yaml: json is what there is') },
  ],
  [
    'a limit that is none',
    ['history', 'x', '--limit', '0'],
    { is: 'usage', text: expect.stringContaining('--limit 0') },
  ],
])('%s', (_case, argv, expected) => {
  expect(parse(argv)).toMatchObject(expected);
});

test.each([undefined, ...COMMAND_NAMES])('help of %s fits, and ends with examples', command => {
  const lines = helpOf(command).trimEnd().split('\n');
  expect(lines.length).toBeLessThanOrEqual(24);
  expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(140);
  if (command) expect(lines.at(-1)).toMatch(/^ {2}(kubectl|source)/);
});

test.each(['bash', 'zsh', 'fish'] as const)('%s completes every command', shell => {
  for (const name of COMMAND_NAMES) expect(completion(shell)).toContain(name);
});

test('the reference is the one of this table', () => {
  const page = readFileSync(new URL('../../../docs/reference/cli.md', import.meta.url), 'utf8');
  expect(page).toBe(reference());
});
