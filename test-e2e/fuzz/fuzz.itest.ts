// Both services, as processes with real stores, asked whatever their own OpenAPI documents allow and forbid.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ensureSchemathesis, fuzz } from './schemathesis.ts';
import { type Service, startDashboard, startDevShelf } from './services.ts';

const INSTALL_MS = 10 * 60_000;
const FUZZ_SECONDS = 120; // on a busy machine; 40 otherwise
const TEST_MS = 180_000;

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

const ENDS_SESSIONS = ['/api/v1/auth/logout', '/api/v1/auth/revoke'];
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
      await fuzz({ url, headers, examples: 30, seconds: FUZZ_SECONDS, options: ENDS_SESSIONS.flatMap(exclude) });
      // the last, for whoever asks may be a stranger afterwards
      await fuzz({ url, headers, examples: 10, seconds: FUZZ_SECONDS, options: ENDS_SESSIONS.flatMap(include) });
      expect(await failures(service)).toEqual(before);
      // a refresh token cannot be guessed
      expect(await without(service, '2')).toEqual(['POST /api/v1/auth/refresh']);
    },
    TEST_MS,
  );
});
