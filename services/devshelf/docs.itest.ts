import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { FastifyInstance } from 'fastify';
import { type Browser, chromium, type Page } from 'playwright-core';
import { migrateCli } from '../common/migrate/cli.ts';
import { startPostgres, type TestPostgres } from '../common/testing/postgres.ts';
import { testApp } from './testing.ts';

const MIGRATIONS_DIR = new URL('prisma/migrations', import.meta.url).pathname;

let postgres: TestPostgres;
let app: FastifyInstance;
let origin: string;
let browser: Browser;
let page: Page;
const complaints: string[] = [];
const elsewhere: string[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
  const DATABASE_URL = await postgres.createDatabase('devshelf');
  expect(await migrateCli({ args: ['up'], environment: { DATABASE_URL, MIGRATIONS_DIR } })).toBe(0);
  app = testApp({ environment: { DATABASE_URL } }).app;
  origin = await app.listen({ host: '127.0.0.1', port: 0 });
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  page = await browser.newPage();
  page.setDefaultTimeout(15_000);
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', error => complaints.push(error.message));
  page.on('request', request => {
    if (!request.url().startsWith(origin) && !request.url().startsWith('data:')) elsewhere.push(request.url());
  });
}, 60_000);
afterAll(async () => {
  await browser?.close();
  await app?.close();
  await postgres?.remove();
});

test('the docs show every route', async () => {
  await page.goto(`${origin}/docs`);
  await page.waitForSelector('.opblock');
  const { paths } = (await app.inject('/openapi.json')).json();
  const routes = Object.values(paths as Record<string, object>).flatMap(operations => Object.keys(operations));
  expect(await page.locator('.opblock').count()).toBe(routes.length);
}, 30_000);

test('whoever has an account logs in there and creates a resource', async () => {
  const account = { username: 'ana', email: 'ana@example.org', password: 'secretsecret' };
  await app.inject({ method: 'POST', url: '/api/v1/auth/register', payload: account });
  await page.locator('.btn.authorize').first().click();
  const login = page.locator('.auth-container', { hasText: 'OAuth2PasswordBearer' });
  await login.getByLabel('username').fill(account.username);
  await login.getByLabel('password').fill(account.password);
  await login.locator('button.authorize').click();
  await login.locator('button', { hasText: 'Logout' }).waitFor();
  await page.locator('.close-modal').click();

  const create = page.locator('#operations-resources-post_api_v1_resources');
  await create.click();
  await create.getByRole('button', { name: 'Try it out' }).click();
  await create.locator('textarea').fill('{"title":"Desde la página","url":"https://example.org","type":"doc"}');
  await create.getByRole('button', { name: 'Execute' }).click();
  await create.locator('.live-responses-table .response-col_status', { hasText: '201' }).waitFor();
  const [resource] = (await app.inject('/api/v1/resources')).json();
  expect(resource).toMatchObject({ title: 'Desde la página', url: 'https://example.org/' });
}, 30_000);

test('all that without an error, and without another host', () => {
  expect([complaints, elsewhere]).toEqual([[], []]);
});
