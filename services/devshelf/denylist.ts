import type { Redis } from 'ioredis';
import type { Logger } from '../common/logging.ts';
import { restAfterFailure } from '../common/rest.ts';

/**
 * Access tokens that were revoked before their end, by `jti`. It says no at once and to all pods, but it is not the
 * only one to say so: each of them belongs to a session that is revoked in the database as well (sessions.ts), and both
 * are asked. So a denylist that is down, or that came back empty, lets no revoked token in; neither does a database
 * that failed over to a copy some seconds old.
 */
export type Denylist = {
  /** Never rejects: the session's end in the database does not wait for it. */
  deny(jti: string, expiresAt: Date): Promise<void>;
  /** False also when it cannot be told. */
  has(jti: string): Promise<boolean>;
};

export const noDenylist: Denylist = { deny: async () => undefined, has: async () => false };

const PREFIX = 'devshelf:denied:';

export function redisDenylist(redis: Pick<Redis, 'set' | 'exists'>, logger: Logger): Denylist {
  const warn = (error: unknown) =>
    logger.warn({ err: error }, 'the denylist does not answer: the database alone says who is out');
  const set = restAfterFailure((key: string, ms: number) => redis.set(key, '', 'PX', ms), warn);
  const exists = restAfterFailure((key: string) => redis.exists(key), warn);
  return {
    deny: async (jti, expiresAt) => {
      const ms = expiresAt.getTime() - Date.now();
      if (ms > 0) await set(PREFIX + jti, ms).catch(() => undefined);
    },
    has: jti =>
      exists(PREFIX + jti).then(
        found => found === 1,
        () => false,
      ),
  };
}
