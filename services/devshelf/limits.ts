import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Redis } from 'ioredis';
import { HttpError } from '../common/http-errors.ts';
import type { Logger } from '../common/logging.ts';
import { clientKey, hitsWithFallback, judgeBy, memoryHits, redisHits, type SharedHits } from '../common/rate-limit.ts';
import { isRehearsal } from '../common/rehearsal.ts';
import type { AuthMetrics, Limited } from './auth-metrics.ts';
import type { ApiConfig } from './config.ts';
import { usernameKey } from './identities.ts';

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
    password: judgeBy({ max: config.RATELIMIT_TOKEN_MAX, windowMs }),
    forgotten: judgeBy({ max: config.RATELIMIT_REGISTER_MAX, windowMs }),
    create: judgeBy({ max: config.RATELIMIT_CREATE_MAX, windowMs }),
    search: judgeBy({ max: config.RATELIMIT_SEARCH_MAX, windowMs }),
  } satisfies Record<Limited, unknown>;
  let warned = config.TRUST_PROXY !== false;
  const warnOnce = ({ headers, ip }: FastifyRequest) => {
    if (warned || headers['x-forwarded-for'] === undefined) return;
    warned = true;
    logger.warn({ client_ip: ip }, 'all clients behind this proxy count as one: name it in TRUST_PROXY');
  };
  return route => async (request, reply) => {
    if (isRehearsal(request)) return;
    const { limited, headers } = judges[route](await hits.hit(`${route}:${clientKey(request.ip)}`, windowMs));
    reply.headers(headers);
    if (!limited) return;
    metrics.rateLimited.inc({ route, reason: 'client' });
    warnOnce(request);
    throw new HttpError(429, TOO_MANY_REQUESTS);
  };
}

/** One login: it is allowed to be tried, and then it is said how it went. */
export type Attempt = { failed(): Promise<void>; granted(): Promise<void> };

export type AccountGuard = {
  /** @throws HttpError 429 while the account has failed too often */
  begin(username: string, request: FastifyRequest, reply: FastifyReply): Promise<Attempt>;
};

/** A client that logged in is its owner's for so long. */
const KNOWN_MS = 30 * 86_400_000;

const NO_GUARD: AccountGuard = {
  begin: async () => ({ failed: async () => undefined, granted: async () => undefined }),
};

/**
 * Failed logins to one account, from wherever they come: a guesser with many addresses is limited as well. Its owner is
 * not shut out by that: where somebody has logged in to the account before, only the limit of the client holds.
 * Accounts that do not exist are counted alike, so that nobody can tell. No key holds a name: it is hashed.
 */
export function guardAccounts({ config, redis, logger, metrics }: LimitOptions): AccountGuard {
  if (!config.RATELIMIT_ENABLED) return NO_GUARD;
  const hits = openHits(redis, logger);
  const windowMs = config.RATELIMIT_ACCOUNT_WINDOW * 1_000;
  // the attempt that is about to be made counts, too
  const judge = judgeBy({ max: config.RATELIMIT_ACCOUNT_MAX, windowMs });
  return {
    begin: async (username, { ip }, reply) => {
      const account = createHash('sha256').update(usernameKey(username)).digest('base64url');
      const [failures, known] = [`failed:${account}`, `known:${account}:${clientKey(ip)}`];
      const { count, resetMs } = await hits.peek(failures);
      const { limited, headers } = judge({ count: count + 1, resetMs });
      if (limited && (await hits.peek(known)).count === 0) {
        metrics.rateLimited.inc({ route: 'token', reason: 'account' });
        reply.headers(headers);
        throw new HttpError(429, TOO_MANY_REQUESTS);
      }
      return {
        failed: async () => void (await hits.hit(failures, windowMs)),
        granted: async () => void (await hits.hit(known, KNOWN_MS)),
      };
    },
  };
}

const MAILS_MAX = 3;
const MAILS_WINDOW_MS = 3_600_000;

/** Nobody's mailbox is filled, however many clients ask for it. False for the fourth mail within an hour. */
export function limitMails({
  config,
  redis,
  logger,
}: Omit<LimitOptions, 'metrics'>): (userId: string) => Promise<boolean> {
  if (!config.RATELIMIT_ENABLED) return async () => true;
  const hits = openHits(redis, logger);
  return async userId => (await hits.hit(`mail:${userId}`, MAILS_WINDOW_MS)).count <= MAILS_MAX;
}

function openHits(redis: Pick<Redis, 'eval'> | undefined, logger: Logger): SharedHits {
  const own = memoryHits();
  if (redis === undefined)
    return { hit: async (key, windowMs) => own.hit(key, windowMs), peek: async key => own.peek(key) };
  return hitsWithFallback(redisHits(redis, 'devshelf:hits:'), own, error =>
    logger.warn({ err: error }, 'Redis does not count requests: each process counts for itself'),
  );
}
