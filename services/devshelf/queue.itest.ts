import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { createLogger } from '../common/logging.ts';
import { freePort, until } from '../common/testing/processes.ts';
import { startRedis } from '../common/testing/redis.ts';
import { openQueue } from './queue.ts';

const JOB = { name: 'link.check', id: '00000000-0000-4000-8000-000000000000' } as const;

function open(url: string) {
  const registry = new Registry();
  const queue = openQueue({ url, logger: createLogger('test', 'silent'), registry });
  const counted = async (outcome: string) => {
    const text = await registry.getSingleMetricAsString('devshelf_jobs_enqueued_total');
    return Number(new RegExp(`outcome="${outcome}"} (\\d+)`).exec(text)?.[1] ?? 0);
  };
  return { queue, counted };
}

/** However Redis is: handing over takes no time, and closing little. */
async function addAndClose(queue: ReturnType<typeof openQueue>, count: number): Promise<number> {
  const begun = performance.now();
  for (let time = 0; time < count; time++) queue.add(JOB);
  const took = performance.now() - begun;
  await queue.close();
  expect(performance.now() - begun).toBeLessThan(5_000);
  return took;
}

test('where there is no Redis, jobs are lost at once, and counted', async () => {
  const { queue, counted } = open(`redis://127.0.0.1:${await freePort()}`);
  expect(await addAndClose(queue, 1_000)).toBeLessThan(4_000);
  expect(await counted('lost')).toBe(1_000);
});

test('where Redis takes connections and says nothing, too', async () => {
  const mute = createServer(socket => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
  await once(mute, 'listening');
  const { queue, counted } = open(`redis://127.0.0.1:${(mute.address() as AddressInfo).port}`);
  expect(await addAndClose(queue, 1_000)).toBeLessThan(4_000);
  expect(await counted('lost')).toBe(1_000);
  mute.close();
});

test('when Redis stands still, a bounded number waits half a second; the rest is lost at once', async () => {
  const redis = await startRedis();
  try {
    const { queue, counted } = open(redis.url);
    await until('it answers', () => queue.probe.answers());
    redis.pause();
    expect(await addAndClose(queue, 1_000)).toBeLessThan(4_000);
    expect(await counted('lost')).toBe(1_000);
    expect(await counted('queued')).toBe(0);
  } finally {
    redis.resume();
    await redis.remove();
  }
}, 30_000);
