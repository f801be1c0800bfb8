import { Redis } from 'ioredis';
import { answersInTime, type Probe } from '../common/database.ts';
import type { Logger } from '../common/logging.ts';

/** The list that carries jobs from the API to the worker. */
export const QUEUE = 'devshelf:jobs';

export type Job = { readonly type: 'resource.created'; readonly id: string };

export type JobQueue = {
  readonly probe: Probe;
  /** Never makes a request fail or wait: a job that cannot be queued is logged. */
  add(job: Job): void;
  close(): Promise<void>;
};

const COMMAND_TIMEOUT_MS = 500;

/** A client that gives up quickly; it goes on reconnecting by itself. */
export function connectRedis(url: string, logger: Logger, commandTimeout = COMMAND_TIMEOUT_MS): Redis {
  const redis = new Redis(url, {
    connectTimeout: 1_000,
    commandTimeout,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    retryStrategy: attempt => Math.min(attempt * 100, 1_000),
  });
  redis.on('error', error => logger.debug({ err: error }, 'redis'));
  return redis;
}

export function openQueue(url: string, logger: Logger): JobQueue {
  const redis = connectRedis(url, logger);
  return {
    probe: { answers: answersInTime(() => redis.ping()), close: async () => undefined },
    add: job => {
      redis.lpush(QUEUE, JSON.stringify(job)).catch(error => logger.warn({ err: error, job }, 'job not queued'));
    },
    close: async () => redis.disconnect(),
  };
}
