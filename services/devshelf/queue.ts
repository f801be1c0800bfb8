import { Queue, type QueueOptions } from 'bullmq';
import { Counter, type Registry } from 'prom-client';
import type { Probe } from '../common/database.ts';
import type { Logger } from '../common/logging.ts';
import { JOB_NAMES, type Job, optionsOf, PREFIX, QUEUE } from './jobs.ts';
import { connectRedis, redisProbe, watchEviction } from './redis.ts';

export type JobQueue = {
  readonly probe: Probe;
  /**
   * Never makes a request fail or wait. A job that Redis does not take within half a second is lost, and counted as
   * lost; the worker's sweep finds in the database what it was about.
   */
  add(job: Job): void;
  close(): Promise<void>;
};

export type QueueSettings = {
  readonly url: string;
  readonly logger: Logger;
  readonly registry: Registry;
  /** carries the trace of the request along */
  readonly telemetry?: QueueOptions['telemetry'] | undefined;
};

/** So many jobs may be on their way to a Redis that stands still; more would only fill the memory. */
const MAX_UNDER_WAY = 100;

export function openQueue({ url, logger, registry, telemetry }: QueueSettings): JobQueue {
  const redis = connectRedis(url, logger);
  watchEviction(redis, logger);
  const queue = new Queue(QUEUE, {
    connection: redis,
    prefix: PREFIX,
    skipVersionCheck: true,
    skipWaitingForReady: true,
    ...(telemetry && { telemetry }),
  });
  queue.on('error', error => logger.debug({ err: error }, 'queue'));
  const enqueued = new Counter({
    name: 'devshelf_jobs_enqueued_total',
    help: 'Jobs handed to the queue, and those that it did not take',
    labelNames: ['job', 'outcome'] as const,
    registers: [registry],
  });
  for (const job of JOB_NAMES) for (const outcome of ['queued', 'lost']) enqueued.inc({ job, outcome }, 0);
  const underWay = new Set<Promise<void>>();

  const lose = (job: Job, error: unknown) => {
    enqueued.inc({ job: job.name, outcome: 'lost' });
    logger.warn({ err: error, job }, 'job not queued');
  };
  const hand = async (job: Job) => {
    try {
      const { name, ...data } = job;
      await queue.add(name, data, optionsOf(job));
      enqueued.inc({ job: name, outcome: 'queued' });
    } catch (error) {
      lose(job, error);
    }
  };
  return {
    probe: redisProbe(redis, logger),
    add: job => {
      if (redis.status !== 'ready') return lose(job, new Error('Redis is not connected'));
      if (underWay.size >= MAX_UNDER_WAY) return lose(job, new Error('too many jobs are on their way'));
      const handing = hand(job).finally(() => underWay.delete(handing));
      underWay.add(handing);
    },
    close: async () => {
      await Promise.all(underWay);
      redis.disconnect();
    },
  };
}
