import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { EXIT_CODES, encodeVerdict, nothing, type Verdict } from './verdict.ts';

test('a verdict is one line of JSON', () => {
  const verdict: Verdict = { ...nothing, result: 'up to date', applied: ['a'], ms: 12 };
  expect(JSON.parse(encodeVerdict(verdict))).toEqual(verdict);
  expect(encodeVerdict(verdict)).not.toContain('\n');
});

test('however much there is to say, it fits into a termination message and stays JSON', () => {
  const names = Array.from({ length: 500 }, (_, index) => `20260101000000_${'ñ'.repeat(200)}_${index}`);
  const verdict: Verdict = {
    ...nothing,
    result: 'failed',
    pending: names,
    edited: names,
    message: 'ñ'.repeat(9_000),
    ms: 1,
  };
  const line = encodeVerdict(verdict);
  expect(Buffer.byteLength(line)).toBeLessThanOrEqual(4_096);
  expect(JSON.parse(line)).toMatchObject({ result: 'failed' });
});

test('a list that is cut is counted beside it: every entry of one is an id', () => {
  const names = Array.from({ length: 13 }, (_, index) => `2026010100${index + 10}00_a`);
  const verdict: Verdict = { ...nothing, result: 'pending', pending: names, ms: 1 };
  expect(JSON.parse(encodeVerdict(verdict))).toEqual({ ...verdict, pending: names.slice(0, 10), more: { pending: 3 } });
});

test('what later decisions hang on is cut last, and every entry stays whole', () => {
  const ids = Array.from({ length: 14 }, (_, index) => `2026010100${index + 10}00_${'a'.repeat(60)}`);
  const withheld = ids.map(id => ({ id, what: `takes away column ${'t'.repeat(900)}` }));
  const verdict: Verdict = {
    ...nothing,
    result: 'failed',
    pending: ids,
    applied: ids,
    withheld,
    message: 'm'.repeat(900),
    ms: 1,
  };
  const said = JSON.parse(encodeVerdict(verdict)) as Verdict;
  expect(said.pending).toEqual([]);
  expect(said.withheld.length).toBeGreaterThan(3);
  expect(said.withheld.map(({ id }) => id)).toEqual(ids.slice(0, said.withheld.length));
  expect(said.more).toEqual({ pending: 14, applied: 14 - said.applied.length, withheld: 14 - said.withheld.length });
});

const numbered = (length: number, word = 'a') =>
  Array.from({ length }, (_, index) => `2026010100${index + 100}0_${word}`);

test('a release of many migrations names all that it applied', () => {
  const ids = numbered(60, 'adds_a_column_to_a_table');
  const said = JSON.parse(
    encodeVerdict({ ...nothing, result: 'up to date', applied: ids, late: ids, ms: 1 }),
  ) as Verdict;
  expect(said.applied).toEqual(ids);
  expect(said.more).toEqual({ late: 60 - said.late.length });
});

test('what waits makes room for what was applied: the next Job says it again', () => {
  const ids = numbered(40, 'adds_a_column_to_a_table');
  const withheld = numbered(30).map(id => ({ id, what: `takes away column ${'t'.repeat(60)}` }));
  const said = JSON.parse(encodeVerdict({ ...nothing, result: 'expanded', applied: ids, withheld, ms: 1 })) as Verdict;
  expect(said.applied).toEqual(ids);
  expect(said.withheld.length).toBeGreaterThanOrEqual(10);
  expect(said.more).toEqual({ withheld: 30 - said.withheld.length });
});

test('of what was applied, the newest are said', () => {
  const ids = numbered(200);
  const lists = { applied: ids, contracted: ids, ahead: ids };
  const said = JSON.parse(encodeVerdict({ ...nothing, result: 'up to date', ...lists, ms: 1 })) as Verdict;
  const newest = ids.slice(-said.applied.length);
  expect(newest.length).toBeGreaterThan(10);
  expect(said).toMatchObject({ applied: newest, contracted: newest, ahead: newest });
  expect(said.more).toMatchObject({ applied: 200 - newest.length });
});

test('the reference has each result with its exit code, and each list', () => {
  const reference = readFileSync(join(import.meta.dirname, '../../../docs/reference/migrate.md'), 'utf8');
  const rows = [...reference.matchAll(/^\| `([a-z ]+)` \| (\d+) \|/gm)].map(([, result, code]) => [
    result,
    Number(code),
  ]);
  expect(Object.fromEntries(rows)).toEqual(EXIT_CODES);
  for (const list of Object.keys(nothing)) expect(reference).toContain(`\`${list}\``);
});
