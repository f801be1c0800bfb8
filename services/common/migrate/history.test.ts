import { expect, test } from '@jest/globals';
import { compare, type Row } from './history.ts';

const file = (id: string, checksum = `of ${id}`) => ({
  id,
  checksum,
  checksums: [checksum, `${checksum} with CRLF`],
  sql: '',
  down: undefined,
  inTransaction: true,
  marks: new Map(),
});

const row = (migration_name: string, change: Partial<Row> = {}): Row => ({
  id: migration_name,
  migration_name,
  checksum: `of ${migration_name}`,
  finished_at: new Date(0),
  rolled_back_at: null,
  logs: null,
  ...change,
});

const clean = { pending: [], edited: [], renamed: [], late: [], failed: [], interrupted: [], ahead: [] };

test.each([
  ['all applied', [file('a')], [row('a')], {}],
  ['nothing applied yet', [file('a'), file('b')], [], { pending: ['a', 'b'] }],
  ['the newest is missing', [file('a'), file('b')], [row('a')], { pending: ['b'] }],
  ['one was slipped in before the newest', [file('a'), file('b')], [row('b')], { pending: ['a'], late: ['a'] }],
  ['late only against what the image has', [file('b')], [row('c')], { pending: ['b'], ahead: ['c'] }],
  ['applied from a checkout with other line ends', [file('a')], [row('a', { checksum: 'of a with CRLF' })], {}],
  [
    'its folder was renamed',
    [file('b')],
    [row('a', { checksum: 'of b' })],
    { pending: ['b'], renamed: [{ from: 'a', to: 'b' }], ahead: ['a'] },
  ],
  [
    'two of the same content are two',
    [file('a', 'x'), file('b', 'x')],
    [row('a', { checksum: 'x' })],
    { pending: ['b'] },
  ],
  ['edited after it was applied', [file('a', 'other')], [row('a')], { edited: ['a'] }],
  ['begun, not finished, no log', [file('a')], [row('a', { finished_at: null })], { interrupted: ['a'] }],
  ['begun, not finished, with a log', [file('a')], [row('a', { finished_at: null, logs: 'x' })], { failed: ['a'] }],
  ['the database is ahead', [file('a')], [row('a'), row('b')], { ahead: ['b'] }],
  [
    'failed twice is one fault',
    [file('a')],
    [row('a', { finished_at: null }), row('a', { finished_at: null })],
    { interrupted: ['a'] },
  ],
])('%s', (_case, files, rows, expected) => {
  const { pending, ...found } = compare(files, rows);
  expect({ ...found, pending: pending.map(({ id }) => id) }).toEqual({ ...clean, ...expected });
});
