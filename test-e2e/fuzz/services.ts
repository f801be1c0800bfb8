// The services' own processes, with real stores on loopback, for tests that ask them from outside.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { startPostgres } from '../../services/common/testing/postgres.ts';
import { freePort, stopProcess, until } from '../../services/common/testing/processes.ts';
import { startRedis } from '../../services/common/testing/redis.ts';
import { CHECKOUT } from '../cluster/paths.ts';
import { run } from '../cluster/run.ts';

const SCRAPE_TOKEN = 'dsk_s1_only-for-these-tests';
/** Of whoever reads the metrics, and nobody else. */
export const SCRAPER = { Authorization: `Bearer ${SCRAPE_TOKEN}` };
const START_MS = 30_000;

export type Counted = { readonly method: string; readonly route: string; readonly status: string };

export type Service = {
  readonly url: string;
  /** what makes a request that of somebody who is known */
  readonly headers: Readonly<Record<string, string>>;
  /** every method, route and status that was answered so far */
  requests(): Promise<readonly Counted[]>;
  stop(): Promise<void>;
};

type Start = { readonly name: 'dashboard' | 'devshelf'; readonly environment: Readonly<Record<string, string>> };

/** Migrates and seeds a new database, then listens. */
async function start({ name, environment }: Start) {
  const source = join(CHECKOUT, 'services', name);
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  const stopStores = () => Promise.all([postgres.remove(), redis.remove()]);
  const port = await freePort();
  const env = {
    DATABASE_URL: await postgres.createDatabase(name),
    MIGRATIONS_DIR: join(source, 'prisma', 'migrations'),
    REDIS_URL: redis.url,
    HOST: '127.0.0.1',
    PORT: String(port),
    SCRAPE_TOKEN,
    // a busy machine is no answer to what was asked
    SHED_LOAD: 'false',
    ...environment,
  };
  try {
    for (const command of ['up', 'seed']) await run([process.execPath, join(source, 'migrate.ts'), command], { env });
  } catch (error) {
    await stopStores();
    throw error;
  }
  const child = spawn(process.execPath, [join(source, 'server.ts')], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  const url = `http://127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    await stopProcess(child, 'SIGKILL');
    await stopStores();
  };
  const answers = async () => {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`);
    return fetch(`${url}/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  };
  await until(`${name} is ready`, answers, START_MS).catch(async error => {
    await stop();
    throw error;
  });
  return { url, stop, requests: () => countedAt(url) };
}

async function countedAt(url: string): Promise<readonly Counted[]> {
  const response = await fetch(`${url}/metrics`, { headers: SCRAPER });
  const lines = (await response.text()).matchAll(/^http_requests_total\{(.*)\} \d+$/gm);
  return [...lines].map(([, labels = '']) => {
    const label = (name: string) => new RegExp(`\\b${name}="([^"]*)"`).exec(labels)?.[1] ?? '';
    return { method: label('method'), route: label('route'), status: label('status') };
  });
}

/** Asked as somebody who holds the API key. */
export async function startDashboard(): Promise<Service> {
  const DASHBOARD_API_KEY = 'dsk_t1_only-for-these-tests';
  const environment = { DASHBOARD_API_KEY, DASHBOARD_RATELIMIT_ENABLED: 'false', DASHBOARD_LOG_LEVEL: 'error' };
  const service = await start({ name: 'dashboard', environment });
  return { ...service, headers: { 'X-API-Key': DASHBOARD_API_KEY } };
}

/** Asked as somebody who has registered and logged in. */
export async function startDevShelf(): Promise<Service> {
  const SECRET_KEY = 'a-signing-key-only-for-these-tests';
  // nobody takes mails there: what asks for one is answered all the same
  const mail = { SMTP_URL: 'smtp://127.0.0.1:1', MAIL_FROM: 'devshelf@example.org' };
  const environment = { ...mail, SECRET_KEY, RATELIMIT_ENABLED: 'false', LOG_LEVEL: 'error' };
  const service = await start({ name: 'devshelf', environment });
  return { ...service, headers: { Authorization: `Bearer ${await newToken(service.url)}` } };
}

/** The access token of a new account. */
export async function newToken(url: string, username = 'fuzzer'): Promise<string> {
  const account = { username, email: `${username}@example.com`, password: 'correct horse battery' };
  await post(`${url}/api/v1/auth/register`, account);
  return String((await post(`${url}/api/v1/auth/token`, account))['access_token']);
}

async function post(url: string, body: unknown): Promise<Record<string, unknown>> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Record<string, unknown>;
}
