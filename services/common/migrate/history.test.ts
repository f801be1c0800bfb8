import { expect, test } from '@jest/globals';
import { compare, type Row } from './history.ts';

const file = (id: string, checksum = 'same') => ({ id, checksum, sql: '', down: undefined, inTransaction: true });

const row = (migration_name: string, change: Partial<Row> = {}): Row => ({
  id: migration_name,
  migration_name,
  checksum: 'same',
  finished_at: new Date(0),
  rolled_back_at: null,
  logs: null,
  ...change,
});

const clean = { pending: [], edited: [], failed: [], interrupted: [], ahead: [] };

test.each([
  ['all applied', [file('a')], [row('a')], {}],
  ['nothing applied yet', [file('a'), file('b')], [], { pending: ['a', 'b'] }],
  ['the newest is missing', [file('a'), file('b')], [row('a')], { pending: ['b'] }],
  ['one was slipped in before the newest', [file('a'), file('b')], [row('b')], { pending: ['a'] }],
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
