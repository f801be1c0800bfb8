import { Redis } from 'ioredis';
import type { Logger } from '../common/logging.ts';

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
