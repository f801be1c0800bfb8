import { setTimeout as sleep } from 'node:timers/promises';
import fastify, { type FastifyInstance } from 'fastify';
import type { Redis } from 'ioredis';
import { Counter } from 'prom-client';
import { z } from 'zod';
import { readConfig } from '../common/config.ts';
import { answersInTime } from '../common/database.ts';
import { openKeyring, reporting } from '../common/keyring.ts';
import { createLogger, type Logger } from '../common/logging.ts';
import { createRegistry } from '../common/metrics.ts';
import { serveReadiness } from '../common/readiness.ts';
import { logRequests, serverOptions } from '../common/requests.ts';
import { serveMetrics } from '../common/scrape.ts';
import { serve } from '../common/serve.ts';
import { closePolitely, type Lifecycle, newLifecycle } from '../common/shutdown.ts';
import { workerConfig } from './config.ts';
import { answerErrors } from './errors.ts';
import { connectRedis, QUEUE } from './queue.ts';

/** How long one look into the empty queue lasts; also how long a stop may have to wait. Seconds */
const BLOCK_SECONDS = 1;
const RETRY_MS = 1_000;

const job = z.object({ type: z.string().max(50), id: z.string() });

/**
 * DevShelf's worker process: takes jobs from a Redis list and counts them, with /health, /ready and /metrics of its own.
 * A job taken by a worker that is killed is lost: there is no acknowledgement on a plain list.
 */
export async function runWorker(): Promise<void> {
  const config = readConfig(workerConfig, process.env);
  const logger = createLogger(config.APP_NAME, config.LOG_LEVEL);
  const registry = createRegistry();
  const lifecycle = newLifecycle();
  const scrapeKeys = await openKeyring({
    directory: config.SCRAPE_TOKEN_DIR,
    key: config.SCRAPE_TOKEN,
    ...reporting(logger, 'scrape token'),
  });
  const jobs = new Counter({
    name: 'devshelf_jobs_total',
    help: 'Jobs taken from the queue, by what became of them',
    labelNames: ['outcome'] as const,
    registers: [registry],
  });
  // asking for a sign of life must not wait behind the blocking read
  const reader = connectRedis(config.REDIS_URL, logger, BLOCK_SECONDS * 1_000 + 500);
  const prober = connectRedis(config.REDIS_URL, logger);

  const app = fastify(serverOptions(logger)) as unknown as FastifyInstance;
  closePolitely(app, lifecycle);
  logRequests(app);
  answerErrors(app);
  app.get('/health', async () => ({ status: 'healthy' }));
  app.get('/live', async () => ({ status: 'alive' }));
  serveReadiness(app, lifecycle, {
    redis: { answers: answersInTime(() => prober.ping()), close: async () => prober.disconnect() },
  });
  serveMetrics(app, registry, {
    scrapeKeys,
    openWithoutKeys: config.NODE_ENV !== 'production',
    refusal: { detail: 'Not authenticated' },
  });

  const consumer = consume(reader, lifecycle, logger, outcome => jobs.inc({ outcome }));
  app.addHook('onClose', async () => {
    await consumer;
    scrapeKeys?.close();
    reader.disconnect();
    prober.disconnect();
  });
  const times = { delayMs: config.SHUTDOWN_DELAY_MS, drainMs: 0 };
  await serve({ app, lifecycle, host: config.HOST, port: config.PORT, times });
}

/** One job after the other until the process is asked to stop; the one at hand is finished. */
async function consume(
  redis: Redis,
  lifecycle: Lifecycle,
  logger: Logger,
  count: (outcome: 'done' | 'malformed') => void,
): Promise<void> {
  while (!lifecycle.stopping) {
    const text = await take(redis, logger);
    if (text === undefined) continue;
    const known = job.safeParse(parseJson(text));
    if (known.success) logger.info({ job: known.data }, 'job done');
    else logger.warn('a malformed job was dropped');
    count(known.success ? 'done' : 'malformed');
  }
}

async function take(redis: Redis, logger: Logger): Promise<string | undefined> {
  try {
    return (await redis.brpop(QUEUE, BLOCK_SECONDS))?.[1];
  } catch (error) {
    logger.debug({ err: error }, 'the queue cannot be read');
    await sleep(RETRY_MS);
    return undefined;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
