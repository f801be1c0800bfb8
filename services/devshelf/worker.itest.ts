import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { Registry } from 'prom-client';
import { createLogger } from '../common/logging.ts';
import { migrateCli } from '../common/migrate/cli.ts';
import { query, startPostgres, type TestPostgres } from '../common/testing/postgres.ts';
import { freePort, stopProcess, until } from '../common/testing/processes.ts';
import { startRedis, type TestRedis } from '../common/testing/redis.ts';
import { optionsOf, PREFIX, QUEUE } from './jobs.ts';
import { type JobQueue, openQueue } from './queue.ts';

const HERE = new URL('.', import.meta.url).pathname;

let postgres: TestPostgres;
let redis: TestRedis;
let databaseUrl: string;
let client: Redis;
let queue: Queue;
let api: JobQueue;
let registry: Registry;
let workers: Worker[] = [];

/** The site that the links lead to: each path is answered as the test says. */
const site = createServer((request, response) => {
  asked.push(request.url ?? '');
  const answer = answers.get(request.url ?? '') ?? titled('home');
  answer(response);
});
const titled = (title: string) => (response: ServerResponse) =>
  void response.setHeader('Content-Type', 'text/html').end(`<title>${title}</title>`);
const answers = new Map<string, (response: ServerResponse) => void>();
const asked: string[] = [];
const link = (path: string) => `http://127.0.0.1:${(site.address() as AddressInfo).port}${path}`;

beforeAll(async () => {
  [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  databaseUrl = await postgres.createDatabase('devshelf');
  const environment = { DATABASE_URL: databaseUrl, MIGRATIONS_DIR: `${HERE}prisma/migrations` };
  expect(await migrateCli({ args: ['up'], environment })).toBe(0);
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  client = new Redis(redis.url, { maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  queue = new Queue(QUEUE, { prefix: PREFIX, connection: client });
  queue.on('error', () => undefined);
}, 60_000);
beforeEach(async () => {
  await client.flushall();
  await query(databaseUrl, 'TRUNCATE resources');
  answers.clear();
  asked.length = 0;
  registry = new Registry();
  api = openQueue({ url: redis.url, logger: createLogger('test', 'silent'), registry });
  await until('the API has Redis', () => api.probe.answers());
});
afterEach(async () => {
  await Promise.all(workers.map(({ child }) => stopProcess(child, 'SIGKILL')));
  workers = [];
  await api.close();
});
afterAll(async () => {
  site.closeAllConnections();
  site.close();
  await queue.close();
  client.disconnect();
  await Promise.all([postgres.remove(), redis.remove()]);
});

type Worker = { readonly child: ChildProcess; readonly base: string };

async function startWorker(program = 'testing-worker.ts', environment: Record<string, string> = {}): Promise<Worker> {
  const port = await freePort();
  const child = spawn(process.execPath, [HERE + program], {
    env: {
      DATABASE_URL: databaseUrl,
      REDIS_URL: redis.url,
      HOST: '127.0.0.1',
      PORT: String(port),
      LOG_LEVEL: 'silent',
      SCRAPE_TOKEN: 'token',
      ...environment,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const worker = { child, base: `http://127.0.0.1:${port}` };
  workers.push(worker);
  await until('the worker is ready', async () => (await statusOf(worker, '/ready')) === 200);
  return worker;
}

const statusOf = ({ base }: Worker, path: string) =>
  fetch(base + path)
    .then(({ status }) => status)
    .catch(() => 0);

async function metric({ base }: Worker, series: string): Promise<number | undefined> {
  const response = await fetch(`${base}/metrics`, { headers: { authorization: 'Bearer token' } });
  const line = (await response.text()).split('\n').find(text => text.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length));
}

const checks = (worker: Worker, outcome: string) =>
  metric(worker, `devshelf_jobs_total{job="link.check",outcome="${outcome}"}`);

/** A resource that is not due: only a job makes somebody look at it. */
async function insert(url: string, due = "now() + interval '1 day'"): Promise<string> {
  const [row] = await query(
    databaseUrl,
    `INSERT INTO resources (title, url, type, link_due_at) VALUES ('x', '${url}', 'page', ${due}) RETURNING id`,
  );
  return String(row?.['id']);
}

async function stateOf(id: string) {
  const [row] = await query(
    databaseUrl,
    `SELECT link_status AS status, link_error AS error, link_title AS title, link_checked_at IS NOT NULL AS checked,
       extract(epoch FROM link_due_at - now()) / 3600 AS hours FROM resources WHERE id = '${id}'`,
  );
  return { ...row, hours: Number(row?.['hours']) } as {
    status: number;
    error: string;
    title: string;
    checked: boolean;
    hours: number;
  };
}
const checked = (id: string) => async () => (await stateOf(id)).checked;

test('a resource whose job arrives is checked: status, title, and the next check a day later', async () => {
  const worker = await startWorker();
  answers.set('/guide', titled('Guía'));
  const id = await insert(link('/guide'));
  api.add({ name: 'link.check', id });
  await until('it is checked', checked(id));
  const { hours, ...state } = await stateOf(id);
  expect(state).toEqual({ status: 200, error: null, title: 'Guía', checked: true });
  expect(hours).toBeGreaterThan(22);
  expect(hours).toBeLessThan(26);
  await until('it is counted', async () => (await checks(worker, 'done')) === 1);
  const duration = 'devshelf_job_duration_seconds_count{job="link.check",outcome="done"}';
  expect(await metric(worker, duration)).toBe(1);
  expect(await registry.getSingleMetricAsString('devshelf_jobs_enqueued_total')).toContain(
    'devshelf_jobs_enqueued_total{job="link.check",outcome="queued"} 1',
  );
}, 30_000);

test('the worker that users run does not visit this machine', async () => {
  const worker = await startWorker('worker.ts');
  const id = await insert('http://127.0.0.1/');
  const named = await insert('http://localhost/');
  api.add({ name: 'link.check', id });
  api.add({ name: 'link.check', id: named });
  await until('both are checked', async () => (await stateOf(id)).checked && (await stateOf(named)).checked);
  expect(await stateOf(id)).toMatchObject({ status: null, error: 'not_public', title: null });
  expect(await stateOf(named)).toMatchObject({ status: null, error: 'not_public' });
  expect(await checks(worker, 'failed')).toBe(0);
}, 30_000);

test('what nobody asked for is found in the database: due resources, and those whose job was lost', async () => {
  const fresh = await insert(link('/fresh'), 'DEFAULT');
  const old = await insert(link('/old'), "now() - interval '1 hour'");
  const later = await insert(link('/later'));
  await startWorker();
  await until('both are checked', async () => (await stateOf(fresh)).checked && (await stateOf(old)).checked);
  expect(await stateOf(later)).toMatchObject({ checked: false });
}, 30_000);

test('a changed URL forgets what the old one answered, and keeps it when it is the same', async () => {
  const id = await insert(link('/a'));
  const found = "link_status = 200, link_title = 'old', link_checked_at = now()";
  await query(databaseUrl, `UPDATE resources SET ${found} WHERE id = '${id}'`);
  await query(databaseUrl, `UPDATE resources SET title = 'y', url = url WHERE id = '${id}'`);
  expect(await stateOf(id)).toMatchObject({ status: 200, title: 'old', checked: true });
  await query(databaseUrl, `UPDATE resources SET url = '${link('/b')}' WHERE id = '${id}'`);
  const { hours, ...state } = await stateOf(id);
  expect(state).toEqual({ status: null, error: null, title: null, checked: false });
  expect(hours).toBeLessThanOrEqual(0);
});

test('a site that fails is asked again, and a good title outlives a bad day', async () => {
  const worker = await startWorker();
  const id = await insert(link('/flaky'));
  await query(databaseUrl, `UPDATE resources SET link_title = 'before' WHERE id = '${id}'`);
  answers.set('/flaky', response => void response.writeHead(503).end());
  api.add({ name: 'link.check', id });
  await until('it is retried', async () => (await checks(worker, 'retried')) === 1);
  expect(await stateOf(id)).toMatchObject({ checked: false, title: 'before' });
  answers.set('/flaky', titled('back'));
  await until('it is checked', checked(id));
  expect(await stateOf(id)).toMatchObject({ status: 200, title: 'back' });
}, 30_000);

test('the last attempt keeps what it found: a broken link is a result, no failed job', async () => {
  const worker = await startWorker();
  const id = await insert(link('/broken'));
  answers.set('/broken', response => void response.writeHead(500).end());
  const wanted = { name: 'link.check', id } as const;
  await queue.add('link.check', { id }, { ...optionsOf(wanted), attempts: 2, backoff: 10 });
  await until('it is checked', checked(id));
  expect(await stateOf(id)).toMatchObject({ status: 500, error: null });
  await until('it is counted', async () => (await checks(worker, 'done')) === 1);
  expect(await checks(worker, 'failed')).toBe(0);
}, 30_000);

test('jobs that cannot be done are kept as failed, and counted; a resource that is gone is none of them', async () => {
  const worker = await startWorker();
  await queue.add('link.check', { id: 'no uuid' }, { attempts: 3 });
  await queue.add('resource.created', { id: '1' });
  await until('both have failed', async () => (await metric(worker, 'devshelf_queue_jobs{state="failed"}')) === 2);
  expect(await checks(worker, 'failed')).toBe(1);
  expect(await metric(worker, 'devshelf_jobs_total{job="unknown",outcome="failed"}')).toBe(1);
  api.add({ name: 'link.check', id: '00000000-0000-4000-8000-000000000000' });
  await until('it is done', async () => (await checks(worker, 'done')) === 1);
  expect(await metric(worker, 'devshelf_queue_jobs{state="failed"}')).toBe(2);
}, 30_000);

test('asked many times, it is done once; asked while it runs, once more', async () => {
  const id = await insert(link('/once'));
  for (let time = 0; time < 5; time++) api.add({ name: 'link.check', id });
  await until('all are handed over', async () => (await queue.getWaitingCount()) > 0);
  const held: ServerResponse[] = [];
  answers.set('/once', response => void held.push(response));
  const worker = await startWorker();
  await until('it runs', () => held.length === 1);
  answers.set('/once', titled('again'));
  api.add({ name: 'link.check', id });
  api.add({ name: 'link.check', id });
  await until('both are handed over', async () =>
    (await registry.getSingleMetricAsString('devshelf_jobs_enqueued_total')).includes('"queued"} 7'),
  );
  for (const response of held) titled('first')(response);
  await until('two are done', async () => (await checks(worker, 'done')) === 2);
  await until('the second one is kept', async () => (await stateOf(id)).title === 'again');
  expect(asked).toEqual(['/once', '/once']);
}, 30_000);

test('one host is asked once a second, however many links lead there', async () => {
  const times: number[] = [];
  const ids = await Promise.all(Array.from({ length: 4 }, (_, index) => insert(link(`/polite/${index}`))));
  for (const id of ids)
    answers.set(`/polite/${ids.indexOf(id)}`, response => {
      times.push(performance.now());
      titled('x')(response);
    });
  await Promise.all([startWorker(), startWorker()]);
  for (const id of ids) api.add({ name: 'link.check', id });
  await until('all are checked', async () => (await Promise.all(ids.map(id => checked(id)()))).every(Boolean));
  const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  // on a busy machine one request may come late, and the next one on time
  expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(2_500);
  expect(gaps).toHaveLength(3);
}, 30_000);

test('the queue is measured: what waits, and since when', async () => {
  const minuteAgo = { timestamp: Date.now() - 60_000 };
  await queue.add('link.check', { id: 'x' }, { ...minuteAgo, delay: 3_600_000 });
  await queue.pause(); // nobody takes what waits
  await queue.add('link.check', { id: 'x' }, minuteAgo);
  await queue.add('link.check', { id: 'x' });
  try {
    const worker = await startWorker();
    await until(
      'the sweep waits, too',
      async () => (await metric(worker, 'devshelf_queue_jobs{state="waiting"}')) === 3,
    );
    expect(await metric(worker, 'devshelf_queue_jobs{state="delayed"}')).toBe(1);
    expect(await metric(worker, 'devshelf_queue_jobs{state="active"}')).toBe(0);
    expect(await metric(worker, 'devshelf_queue_jobs{state="failed"}')).toBe(0);
    expect(await metric(worker, 'devshelf_queue_oldest_waiting_seconds')).toBeGreaterThanOrEqual(60);
  } finally {
    await queue.resume();
  }
}, 30_000);

test('its own routes: two that touch nothing, and metrics for who has the token', async () => {
  const worker = await startWorker();
  expect(await (await fetch(`${worker.base}/live`)).json()).toEqual({ status: 'alive' });
  expect(await (await fetch(`${worker.base}/health`)).json()).toEqual({ status: 'healthy' });
  const refused = await fetch(`${worker.base}/metrics`);
  expect([refused.status, await refused.json()]).toEqual([401, { detail: 'Not authenticated' }]);
  const nowhere = await fetch(`${worker.base}/nowhere`);
  expect([nowhere.status, await nowhere.json()]).toEqual([404, { detail: 'Not Found' }]);
}, 30_000);

test('without Redis it lives on unready, and takes jobs again once an empty Redis is back', async () => {
  const worker = await startWorker();
  await redis.stop();
  await until('it is unready', async () => (await statusOf(worker, '/ready')) === 503);
  expect(await statusOf(worker, '/health')).toBe(200);
  expect(await metric(worker, 'devshelf_queue_jobs{state="waiting"}')).toBeUndefined();
  const id = await insert(link('/meanwhile'), 'DEFAULT');
  const begun = performance.now();
  api.add({ name: 'link.check', id });
  expect(performance.now() - begun).toBeLessThan(2_000);
  await until('it is counted as lost', async () =>
    (await registry.getSingleMetricAsString('devshelf_jobs_enqueued_total')).includes('outcome="lost"} 1'),
  );
  await redis.start();
  await until('it is ready', async () => (await statusOf(worker, '/ready')) === 200);
  // nobody handed it over: the sweep has found it
  await until('the lost one is checked', checked(id));
  const next = await insert(link('/next'));
  await until('the API has Redis', () => api.probe.answers());
  api.add({ name: 'link.check', id: next });
  await until('the next one is checked', checked(next));
}, 60_000);

test('without the database its jobs are retried, and it says what is missing', async () => {
  const worker = await startWorker();
  const id = await insert(link('/patient'));
  await postgres.stop();
  api.add({ name: 'link.check', id });
  await until('it is retried', async () => ((await checks(worker, 'retried')) ?? 0) >= 1);
  const ready = await fetch(`${worker.base}/ready`);
  expect(await ready.json()).toEqual({ status: 'unavailable', dependencies: { database: 'failed', redis: 'ok' } });
  await postgres.start();
  await until('it is checked', checked(id));
}, 60_000);

test('asked to stop, it finishes the job at hand and takes no other', async () => {
  const worker = await startWorker();
  const held: ServerResponse[] = [];
  answers.set('/slow', response => void held.push(response));
  const id = await insert(link('/slow'));
  api.add({ name: 'link.check', id });
  await until('the job runs', () => held.length === 1);
  worker.child.kill('SIGTERM');
  await until('it is unready', async () => (await statusOf(worker, '/ready')) === 503);
  expect(await statusOf(worker, '/health')).toBe(200);
  const other = await insert(link('/other'));
  api.add({ name: 'link.check', id: other });
  const exited = once(worker.child, 'exit');
  for (const response of held) titled('slow')(response);
  expect(await exited).toEqual([0, null]);
  expect(await stateOf(id)).toMatchObject({ status: 200, title: 'slow' });
  expect(await stateOf(other)).toMatchObject({ checked: false });
  expect(await queue.getWaitingCount()).toBe(1);
}, 30_000);

test('a job that takes longer than the time to stop is given back, and done by another', async () => {
  const worker = await startWorker('testing-worker.ts', { SHUTDOWN_DRAIN_MS: '300' });
  const held: ServerResponse[] = [];
  answers.set('/long', response => void held.push(response));
  const id = await insert(link('/long'));
  api.add({ name: 'link.check', id });
  await until('the job runs', () => held.length === 1);
  worker.child.kill('SIGTERM');
  expect(await once(worker.child, 'exit')).toEqual([0, null]);
  expect(await stateOf(id)).toMatchObject({ checked: false });
  answers.set('/long', titled('long'));
  await startWorker();
  await until('it is checked', checked(id));
}, 30_000);

test('the job of a worker that is killed is done by another', async () => {
  const killed = await startWorker();
  const held: ServerResponse[] = [];
  answers.set('/killer', response => void held.push(response));
  const id = await insert(link('/killer'));
  api.add({ name: 'link.check', id });
  await until('the job runs', () => held.length === 1);
  await stopProcess(killed.child, 'SIGKILL');
  answers.set('/killer', titled('rescued'));
  const heir = await startWorker();
  await until('it is checked', checked(id), 20_000);
  expect(await stateOf(id)).toMatchObject({ title: 'rescued' });
  expect(await metric(heir, 'devshelf_jobs_stalled_total')).toBe(1);
}, 60_000);

test('idle, it stops at once; without Redis, too', async () => {
  const worker = await startWorker();
  worker.child.kill('SIGTERM');
  expect(await once(worker.child, 'exit')).toEqual([0, null]);
  const lonely = await startWorker();
  await redis.stop();
  try {
    await until('it is unready', async () => (await statusOf(lonely, '/ready')) === 503);
    const begun = performance.now();
    lonely.child.kill('SIGTERM');
    expect(await once(lonely.child, 'exit')).toEqual([0, null]);
    expect(performance.now() - begun).toBeLessThan(5_000);
  } finally {
    await redis.start();
  }
}, 60_000);
