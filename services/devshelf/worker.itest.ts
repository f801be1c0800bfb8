import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { freePort, stopProcess, until } from '../common/testing/processes.ts';
import { startRedis, type TestRedis } from '../common/testing/redis.ts';
import { QUEUE } from './queue.ts';

const WORKER = new URL('worker.ts', import.meta.url).pathname;

let redis: TestRedis;
let worker: ChildProcess;
let base: string;

beforeAll(async () => {
  redis = await startRedis();
  const port = await freePort();
  base = `http://127.0.0.1:${port}`;
  worker = spawn(process.execPath, [WORKER], {
    env: { REDIS_URL: redis.url, HOST: '127.0.0.1', PORT: String(port), LOG_LEVEL: 'silent', SCRAPE_TOKEN: 'token' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await until('the worker is ready', () => statusOf('/ready').then(status => status === 200));
}, 30_000);
afterAll(async () => {
  await stopProcess(worker, 'SIGKILL');
  await redis.remove();
});

const statusOf = (path: string) =>
  fetch(base + path)
    .then(({ status }) => status)
    .catch(() => 0);

async function jobs(outcome: string): Promise<number> {
  const response = await fetch(`${base}/metrics`, { headers: { authorization: 'Bearer token' } });
  return Number(
    new RegExp(`^devshelf_jobs_total{outcome="${outcome}"} (\\d+)$`, 'm').exec(await response.text())?.[1] ?? 0,
  );
}

async function push(...texts: readonly string[]): Promise<void> {
  const client = new Redis(redis.url);
  await client.lpush(QUEUE, ...texts);
  client.disconnect();
}

test('it takes jobs, and one that is malformed does not stop it', async () => {
  await push('{"type":"resource.created","id":"1"}', 'nonsense', '{"type":"resource.created","id":"2"}');
  await until('both are done', async () => (await jobs('done')) === 2);
  expect(await jobs('malformed')).toBe(1);
});

test('without Redis it lives on unready, and takes jobs again once Redis is back', async () => {
  await redis.stop();
  await until('it is unready', async () => (await statusOf('/ready')) === 503);
  expect(await statusOf('/health')).toBe(200);
  await redis.start();
  await until('it is ready', async () => (await statusOf('/ready')) === 200);
  const before = await jobs('done');
  await push('{"type":"resource.created","id":"3"}');
  await until('the job is done', async () => (await jobs('done')) === before + 1);
}, 30_000);

test('it stops when asked, within two seconds', async () => {
  const begun = performance.now();
  worker.kill('SIGTERM');
  const [code] = await once(worker, 'exit');
  expect(code).toBe(0);
  expect(performance.now() - begun).toBeLessThan(2_000);
});
