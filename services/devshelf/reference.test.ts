import { readFileSync } from 'node:fs';
import { afterAll, expect, test } from '@jest/globals';
import { documentOf } from '../common/testing/documented.ts';
import { testApp } from './testing.ts';

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
const page = read('../../docs/reference/devshelf.md');

const { app } = testApp();
afterAll(() => app.close());

test('the reference names every variable that the API reads, and no other', () => {
  const api = /apiConfig = z([\s\S]*?)\.superRefine/.exec(read('config.ts'))?.[1];
  const shared = /processConfig = ([\s\S]*)/.exec(read('../common/config.ts'))?.[1];
  const variables = [...`${api}${shared}`.matchAll(/^\s+([A-Z][A-Z_]+):/gm)].map(([, name]) => String(name));
  const environment = page.slice(page.indexOf('## Environment'));
  const rows = environment.split('\n').filter(line => line.startsWith('| `'));
  const documented = rows.flatMap(row => [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name));
  expect(variables.length).toBeGreaterThan(20);
  expect(documented.sort()).toEqual([...new Set(variables)].sort());
});

test('the reference names every route', async () => {
  const { paths } = await documentOf(app);
  const known = page.slice(page.indexOf('## Routes'), page.indexOf('## The list'));
  for (const path of Object.keys(paths)) {
    const name = path.startsWith('/api/v1/auth/') ? `/${path.split('/').at(-1)}` : path;
    expect(known).toContain(name === '/register' ? path : name);
  }
});

test('the reference names every header of the list', async () => {
  const list = (await documentOf(app)).paths['/api/v1/resources/']?.['get'];
  const headers = list?.responses['200']?.headers ?? {};
  expect(Object.keys(headers)).toHaveLength(3);
  for (const name of Object.keys(headers)) expect(page).toContain(`\`${name}\``);
});
