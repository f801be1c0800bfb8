import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { Registry } from 'prom-client';
import { createLogger } from '../common/logging.ts';
import { until } from '../common/testing/processes.ts';
import { startRedis, type TestRedis } from '../common/testing/redis.ts';
import { openConsumer } from './consumer.ts';
import { PREFIX, QUEUE } from './jobs.ts';
import { openQueue } from './queue.ts';

const JOB = { name: 'link.check', id: '00000000-0000-4000-8000-000000000000' } as const;

let redises: TestRedis[];
let clients: Redis[];
beforeAll(async () => {
  redises = await Promise.all([startRedis(), startRedis()]);
  clients = redises.map(({ url }) => new Redis(url));
}, 60_000);
afterAll(async () => {
  for (const client of clients) client.disconnect();
  await Promise.all(redises.map(redis => redis.remove()));
});

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  for (const client of clients) {
    await client.call('replicaof', 'no', 'one');
    await client.call('config', 'set', 'maxmemory', '0', 'maxmemory-policy', 'noeviction');
    await client.flushall();
  }
});

/** The address of "the primary": new connections go to whom it names now, old ones stay where they are. */
async function movingAddress(first: string) {
  let to = first;
  const sockets = new Set<Socket>();
  const server = createServer(client => {
    const { hostname, port } = new URL(to);
    const upstream = connect(Number(port), hostname);
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => undefined).on('close', () => other.destroy());
      one.pipe(other);
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    move: (url: string) => {
      to = url;
    },
  };
}

const said: string[] = [];
afterEach(() => {
  said.length = 0;
});
const logger = createLogger('test', 'warn', { write: (line: string) => said.push(line) });

function openApi(url: string) {
  const queue = openQueue({ url, logger, registry: new Registry() });
  closing.push(() => queue.close());
  return queue;
}

test('after a failover the queue finds the new primary, though nobody closed its connection', async () => {
  const [old, next] = redises as [TestRedis, TestRedis];
  const address = await movingAddress(old.url);
  const queue = openApi(address.url);
  await until('it is ready', () => queue.probe.answers());
  await clients[0]?.call('replicaof', '127.0.0.1', new URL(next.url).port);
  await until('it says that it takes no writes', async () => !(await queue.probe.answers()));
  expect(said.join()).toContain('REDIS_URL must lead to the primary');
  address.move(next.url);
  await until('it is ready again', () => queue.probe.answers());
  queue.add(JOB);
  await until('the job is there', async () => (await clients[1]?.llen(`${PREFIX}:${QUEUE}:wait`)) === 1);
});

test('the worker takes jobs from the new primary without a restart', async () => {
  const [old, next] = redises as [TestRedis, TestRedis];
  const address = await movingAddress(old.url);
  const consumer = openConsumer({ url: address.url, logger, registry: new Registry() });
  closing.push(() => consumer.drain(0));
  const done: string[] = [];
  const handle = async (job: { id: string }) => void done.push(job.id);
  consumer.start({ 'link.check': handle, 'links.sweep': async () => undefined });
  const first = openApi(old.url);
  await until('it is ready', () => first.probe.answers());
  first.add(JOB);
  await until('a job is done', () => done.length === 1);
  await clients[0]?.call('replicaof', '127.0.0.1', new URL(next.url).port);
  address.move(next.url);
  const second = openApi(next.url);
  await until('the new one is ready', () => second.probe.answers());
  second.add(JOB);
  await until('another is done', () => done.length === 2, 20_000);
}, 40_000);

test('a Redis that is full is not ready, and the log says what to do, once', async () => {
  const [redis] = redises as [TestRedis];
  const queue = openApi(redis.url);
  await until('it is ready', () => queue.probe.answers());
  await clients[0]?.call('config', 'set', 'maxmemory', '1');
  for (let turn = 0; turn < 3; turn += 1) expect(await queue.probe.answers()).toBe(false);
  expect(said.filter(line => line.includes('Redis is full: raise maxmemory'))).toHaveLength(1);
  await clients[0]?.call('config', 'set', 'maxmemory', '0');
  await until('it is ready again', () => queue.probe.answers());
});

test.each([
  ['allkeys-lru', 1],
  ['noeviction', 0],
])('the eviction policy %s is warned of %i times', async (policy, times) => {
  const [redis] = redises as [TestRedis];
  await clients[0]?.call('config', 'set', 'maxmemory-policy', policy);
  const queue = openApi(redis.url);
  await until('it is ready', () => queue.probe.answers());
  const warned = () => said.filter(line => line.includes('set maxmemory-policy noeviction')).length;
  if (times > 0) await until('it is said', () => warned() > 0);
  expect(warned()).toBe(times);
});
