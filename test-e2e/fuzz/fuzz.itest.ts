// Both services, as processes with real stores, asked whatever their own OpenAPI documents allow and forbid.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ensureSchemathesis, fuzz } from './schemathesis.ts';
import { newToken, SCRAPER, type Service, startDashboard, startDevShelf } from './services.ts';

const INSTALL_MS = 10 * 60_000;
const FUZZ_SECONDS = 300; // on a very busy machine; 40 otherwise
const TEST_MS = 1_000_000; // four of them

beforeAll(async () => {
  await ensureSchemathesis();
}, INSTALL_MS);

/** Operations of the document, as `GET /path/{id}`, that never gave an answer of this class. */
async function without(service: Service, statusClass: string): Promise<readonly string[]> {
  const document = (await (await fetch(`${service.url}/openapi.json`)).json()) as { paths: Record<string, object> };
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map(method => `${method.toUpperCase()} ${path.replace(/(.)\/$/, '$1')}`),
  );
  const counted = (await service.requests()).filter(({ status }) => status.startsWith(statusClass));
  const answered = new Set(counted.map(({ method, route }) => `${method} ${route.replace(/:(\w+)/g, '{$1}')}`));
  return operations.filter(operation => !answered.has(operation));
}

const failures = async (service: Service) =>
  (await service.requests()).filter(({ status }) => status.startsWith('5')).map(({ route }) => route);

describe('the dashboard', () => {
  let service: Service;
  let before: readonly string[]; // /ready, while its stores were not connected yet
  beforeAll(async () => {
    service = await startDashboard();
    before = await failures(service);
  }, TEST_MS);
  afterAll(() => service?.stop());

  test(
    'answers only what it documents, and no 5xx',
    async () => {
      await fuzz({ url: service.url, headers: service.headers, examples: 60, seconds: FUZZ_SECONDS });
      expect(await failures(service)).toEqual(before);
      expect(await without(service, '2')).toEqual([]);
    },
    TEST_MS,
  );
});

const LEAVES = ['/api/v1/auth/logout', '/api/v1/auth/revoke'];
const SESSIONS = ['/api/v1/auth/sessions', '/api/v1/auth/sessions/{id}'];
/** Good only with the id of a resource of one's own: whether one is tried depends on the seed. */
const BY_LUCK = ['PUT /api/v1/resources/{id}', 'DELETE /api/v1/resources/{id}'];
/** Opened by the scrape token, not by a user's. */
const SCRAPED = ['/recent-requests'];
const exclude = (path: string) => ['--exclude-path', path];
const include = (path: string) => ['--include-path', path];

describe('DevShelf', () => {
  let service: Service;
  let before: readonly string[]; // /ready, while its stores were not connected yet
  beforeAll(async () => {
    service = await startDevShelf();
    before = await failures(service);
  }, TEST_MS);
  afterAll(() => service?.stop());

  test(
    'answers only what it documents, and no 5xx',
    async () => {
      const { url, headers } = service;
      const common = { url, seconds: FUZZ_SECONDS };
      await fuzz({ ...common, headers, examples: 30, options: [...LEAVES, ...SESSIONS, ...SCRAPED].flatMap(exclude) });
      await fuzz({ ...common, headers: SCRAPER, examples: 10, options: SCRAPED.flatMap(include) });
      // the last, for whoever asks may be a stranger afterwards
      await fuzz({ ...common, headers, examples: 10, options: LEAVES.flatMap(include) });
      const another = { Authorization: `Bearer ${await newToken(url, 'another')}` };
      await fuzz({ ...common, headers: another, examples: 10, options: SESSIONS.flatMap(include) });
      expect(await failures(service)).toEqual(before);
      // neither a token nor a password can be guessed
      expect((await without(service, '2')).filter(operation => !BY_LUCK.includes(operation))).toEqual([
        'POST /api/v1/auth/refresh',
        'POST /api/v1/auth/password',
        'POST /api/v1/auth/password/reset',
      ]);
    },
    TEST_MS,
  );
});
