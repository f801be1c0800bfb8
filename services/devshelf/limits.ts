import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Redis } from 'ioredis';
import { HttpError } from '../common/http-errors.ts';
import type { Logger } from '../common/logging.ts';
import { clientKey, hitsWithFallback, judgeBy, memoryHits, redisHits, type SharedHits } from '../common/rate-limit.ts';
import type { AuthMetrics, Limited } from './auth-metrics.ts';
import type { ApiConfig } from './config.ts';

export const TOO_MANY_REQUESTS = 'Too many requests';

/** A hook for one route. It runs before the body is read: who asks too often costs next to nothing. */
export type Limiter = (route: Limited) => (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

export type LimitOptions = {
  readonly config: ApiConfig;
  readonly redis: Pick<Redis, 'eval'> | undefined;
  readonly logger: Logger;
  readonly metrics: AuthMetrics;
};

/** So many requests per client and window, counted for all pods together while Redis answers. */
export function limitClients({ config, redis, logger, metrics }: LimitOptions): Limiter {
  if (!config.RATELIMIT_ENABLED) return () => async () => undefined;
  const hits = openHits(redis, logger);
  const windowMs = config.RATELIMIT_WINDOW * 1_000;
  const judges = {
    token: judgeBy({ max: config.RATELIMIT_TOKEN_MAX, windowMs }),
    register: judgeBy({ max: config.RATELIMIT_REGISTER_MAX, windowMs }),
    refresh: judgeBy({ max: config.RATELIMIT_REFRESH_MAX, windowMs }),
  } satisfies Record<Limited, unknown>;
  let warned = config.TRUST_PROXY !== false;
  const warnOnce = ({ headers, ip }: FastifyRequest) => {
    if (warned || headers['x-forwarded-for'] === undefined) return;
    warned = true;
    logger.warn({ client_ip: ip }, 'all clients behind this proxy count as one: name it in TRUST_PROXY');
  };
  return route => async (request, reply) => {
    const { limited, headers } = judges[route](await hits.hit(`${route}:${clientKey(request.ip)}`, windowMs));
    reply.headers(headers);
    if (!limited) return;
    metrics.rateLimited.inc({ route, reason: 'client' });
    warnOnce(request);
    throw new HttpError(429, TOO_MANY_REQUESTS);
  };
}

function openHits(redis: Pick<Redis, 'eval'> | undefined, logger: Logger): SharedHits {
  const own = memoryHits();
  if (redis === undefined) return { hit: async (key, windowMs) => own.hit(key, windowMs) };
  return hitsWithFallback(redisHits(redis, 'devshelf:hits:'), own, error =>
    logger.warn({ err: error }, 'Redis does not count requests: each process counts for itself'),
  );
}
