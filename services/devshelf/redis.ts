import { Redis, type RedisOptions } from 'ioredis';
import { answersInTime, type Probe } from '../common/database.ts';
import type { Logger } from '../common/logging.ts';

const COMMAND_TIMEOUT_MS = 500;

/**
 * What a node says that is not the primary any more, or a copy that lost it. The connection is good and the node will
 * never take a write again: only a new connection finds who is the primary now.
 */
const WRONG_NODE = /\b(READONLY|MASTERDOWN)\b/;

/** What every client of ours does when Redis goes away, or moves. */
export const recovering = {
  retryStrategy: attempt => Math.min(attempt * 100, 1_000),
  reconnectOnError: error => WRONG_NODE.test(error.message),
} satisfies RedisOptions;

/** A client that gives up quickly; it goes on reconnecting by itself. */
export function connectRedis(url: string, logger: Logger, commandTimeout = COMMAND_TIMEOUT_MS): Redis {
  const redis = new Redis(url, {
    ...recovering,
    connectTimeout: 1_000,
    commandTimeout,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
  });
  redis.on('error', error => logger.debug({ err: error }, 'redis'));
  return redis;
}

const PROBE_KEY = 'devshelf:probe';
const PROBE_LIVES_MS = 60_000;

/** What the log is told when Redis refuses with this word; the rest is said by its own words. */
const REFUSALS: Readonly<Record<string, string>> = {
  OOM: 'Redis is full: raise maxmemory. Jobs are lost until then, and found again in the database',
  READONLY: 'Redis is a read-only copy: REDIS_URL must lead to the primary',
  NOAUTH: 'Redis wants a password: REDIS_URL has none',
  WRONGPASS: 'Redis does not take the password of REDIS_URL',
};

/** Does Redis take a write? A copy and a full one answer PING as well. What it refuses with is logged when it changes. */
export function redisProbe(redis: Redis, logger: Logger): Probe {
  let said: string | undefined;
  const ask = async () => {
    try {
      await redis.set(PROBE_KEY, '', 'PX', PROBE_LIVES_MS);
      said = undefined;
    } catch (error) {
      const [word = ''] = error instanceof Error ? error.message.split(' ') : [];
      const advice = REFUSALS[word];
      if (advice !== undefined && word !== said) logger.warn({ err: error }, advice);
      said = word;
      throw error;
    }
  };
  return { answers: answersInTime(ask), close: async () => undefined };
}

/** The one policy under which nothing that was stored goes before its time. */
const KEEPS_ALL = 'noeviction';

/** Says it, at the start and after each reconnection that finds another one: with any other policy jobs go unnoticed. */
export function watchEviction(redis: Redis, logger: Logger): void {
  let said = KEEPS_ALL;
  redis.on('ready', async () => {
    const text = await redis.info('memory').catch(() => '');
    const policy = /^maxmemory_policy:(\S+)/m.exec(text)?.[1] ?? said;
    if (policy !== KEEPS_ALL && policy !== said)
      logger.warn({ policy }, 'Redis evicts keys when it is full, jobs among them: set maxmemory-policy noeviction');
    said = policy;
  });
}
