// docs/reference/configuration.md names exactly what the schemas read, with the defaults that they give.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { z } from 'zod';
import { readConfig } from './common/config.ts';
import { migrateConfig } from './common/migrate/cli.ts';
import { dashboardConfig } from './dashboard/config.ts';
import { apiConfig, workerConfig } from './devshelf/config.ts';

const REFERENCE = join(import.meta.dirname, '../docs/reference');

type Row = { readonly name: string; readonly fallback: string | undefined };
type Table = ReadonlyMap<string, Row>;

/** Rows of the form "| `NAME` | `default` | meaning |". */
const rowsOf = (text: string): readonly Row[] =>
  [...text.matchAll(/^\| `([A-Z][A-Z0-9_]*)` \|(?: (?:`(.*?)`|(required)))? *\|/gm)].map(
    ([, name = '', code, word]) => ({
      name,
      fallback: code ?? word,
    }),
  );

const sections = new Map(
  readFileSync(join(REFERENCE, 'configuration.md'), 'utf8')
    .split(/^## /m)
    .map(section => [section.slice(0, section.indexOf('\n')), rowsOf(section)]),
);

/** The rows of these sections; a later one replaces an earlier one of the same name. */
const table = (...titles: readonly string[]): Table =>
  new Map(titles.flatMap(title => sections.get(title) ?? []).map(row => [row.name, row]));

const processes: readonly (readonly [string, Table, z.ZodType])[] = [
  ['DevShelf API', table('Every process', 'DevShelf API'), apiConfig],
  ['DevShelf worker', table('Every process', 'DevShelf worker'), workerConfig],
  ['dashboard', table('Every process', 'Dashboard'), dashboardConfig],
  ['migrate', table('Migrations'), migrateConfig],
];

const NEEDED: Readonly<Record<string, string>> = {
  DATABASE_URL: 'postgresql://somebody@db.example/shop',
  REDIS_URL: 'redis://redis.example',
};

/** The names that a schema reads, whatever is wrapped around the object. */
function namesOf(schema: z.ZodType): readonly string[] {
  const { shape, in: inner } = schema as unknown as { shape?: object; in?: z.ZodType };
  return shape ? Object.keys(shape) : namesOf(inner as z.ZodType);
}

describe.each(processes)('%s', (_process, documented, schema) => {
  const required = Object.fromEntries(
    [...documented.values()].filter(({ fallback }) => fallback === 'required').map(({ name }) => [name, NEEDED[name]]),
  );
  const read = (environment: Readonly<Record<string, string | undefined>>) =>
    readConfig(schema, { ...required, ...environment }) as Record<string, unknown>;

  test('each variable has a row, and each row is a variable', () => {
    expect([...documented.keys()].sort()).toEqual([...namesOf(schema)].sort());
  });

  test('what is required is refused when it is absent, and nothing else is', () => {
    expect(() => read({})).not.toThrow();
    for (const name of Object.keys(required)) expect(() => read({ [name]: undefined })).toThrow(`${name}: `);
  });

  test('a default said aloud changes nothing; without one there is none', () => {
    const silent = read({});
    for (const { name, fallback } of documented.values()) {
      if (fallback === 'required') continue;
      if (fallback !== undefined) expect([name, read({ [name]: fallback })]).toEqual([name, silent]);
      else expect([name, [undefined, false, '[]'].includes(plain(silent[name]))]).toEqual([name, true]);
    }
  });
});

const plain = (value: unknown) => (Array.isArray(value) ? JSON.stringify(value) : (value as undefined | false));

test('what is read elsewhere is documented, too', () => {
  const sources = globSync('**/*.ts', { cwd: import.meta.dirname }).filter(
    file => !/generated|testing|test\.ts$/.test(file),
  );
  const names = sources.flatMap(file => {
    const text = readFileSync(join(import.meta.dirname, file), 'utf8');
    return [...text.matchAll(/process\.env\[?['.](\w+)/g)].map(([, name = '']) => name);
  });
  const known = new Set([...sections.values()].flat().map(({ name }) => name));
  expect(names.filter(name => !known.has(name) && name !== 'PATH')).toEqual([]);
  const libraries = new Set(names);
  expect([...table('Read by libraries').keys()].filter(name => !libraries.has(name))).toEqual([]);
});

test('no other page of the reference names a variable that nobody reads', () => {
  const known = new Set([...sections.values()].flat().map(({ name }) => name));
  for (const page of globSync('{devshelf,dashboard}*.md', { cwd: REFERENCE })) {
    const rows = rowsOf(readFileSync(join(REFERENCE, page), 'utf8'));
    expect([page, rows.map(({ name }) => name).filter(name => !known.has(name))]).toEqual([page, []]);
  }
});
