import { readFileSync } from 'node:fs';
import { afterAll, expect, test } from '@jest/globals';
import { documentOf } from '../common/testing/documented.ts';
import { testApp } from './testing.ts';

const page = readFileSync(new URL('../../docs/reference/devshelf.md', import.meta.url), 'utf8');

const { app } = testApp();
afterAll(() => app.close());

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
