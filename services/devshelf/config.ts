import * as z from 'zod';
import { databaseConfig, milliseconds, overloadConfig, port, processConfig } from '../common/config.ts';
import { LOG_LEVELS, logLevel } from '../common/logging.ts';
import { trustedProxies } from '../common/proxy.ts';
import { publicHosts } from '../common/public-hosts.ts';

const PUBLIC_SECRET = 'change-me-to-a-secure-random-value';
const SECRET_MIN_BYTES = 32;

const level = z
  .string()
  .toLowerCase()
  .pipe(z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`))
  .transform(logLevel);

const redisUrl = z.string().regex(/^rediss?:\/\//, 'must begin with redis:// or rediss://');

const onOff = (fallback: boolean) => z.stringbool('must be true or false').default(fallback);

const count = (unit: string, min: number, max: number, fallback: number) => {
  const error = `must be a number of ${unit}, ${min} to ${max}`;
  return z.coerce.number(error).int(error).min(min, error).max(max, error).default(fallback);
};

/** What is wrong with a SECRET_KEY, or undefined. */
export function weakness(key: string): string | undefined {
  if (key === PUBLIC_SECRET) return 'is the published example: choose one of your own';
  if (Buffer.byteLength(key) < SECRET_MIN_BYTES) return `must have at least ${SECRET_MIN_BYTES} bytes`;
  return undefined;
}

type Signing = {
  readonly NODE_ENV: string;
  readonly SECRET_KEY?: string | undefined;
  readonly SIGNING_KEYRING_DIR?: string | undefined;
};

/** Production signs with the mounted keyring, or with a key that nobody can guess. */
function signingFault({ NODE_ENV, SECRET_KEY, SIGNING_KEYRING_DIR }: Signing): string | undefined {
  if (NODE_ENV !== 'production' || SIGNING_KEYRING_DIR !== undefined) return undefined;
  return SECRET_KEY === undefined ? 'production needs it, or SIGNING_KEYRING_DIR' : weakness(SECRET_KEY);
}

/** DevShelf's API process. */
export const apiConfig = z
  .object({
    ...processConfig,
    ...databaseConfig,
    ...overloadConfig,
    LOG_LEVEL: level.optional(),
    PORT: port(8000),
    APP_NAME: z.string().default('devshelf'),
    /** more in the log, nothing more in the answers */
    DEBUG: onOff(false),
    /** GET /docs and /openapi.json */
    DOCS_ENABLED: onOff(true),
    ENABLE_HSTS: onOff(false),
    REDIS_URL: redisUrl.optional(),
    /** mail for forgotten passwords; without it there is the command reset-password only */
    SMTP_URL: z
      .string()
      .regex(/^smtps?:\/\/[^\s/]/, 'must be as smtps://user:password@mail.example:465')
      .optional(),
    /** the sender, as DevShelf <devshelf@example.org> */
    MAIL_FROM: z
      .string()
      .regex(/^[^\r\n]*[^\s@]@[^\s@]+$/, 'must be an address, as DevShelf <devshelf@example.org>')
      .optional(),
    /** a page of yours that sends the token behind its # to POST /api/v1/auth/password/reset */
    PASSWORD_RESET_URL: z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }).optional(),
    SECRET_KEY: z.string().optional(),
    SIGNING_KEYRING_DIR: z.string().optional(),
    /** known from today's deployments; there is no choice */
    ALGORITHM: z.literal('HS256', 'must be HS256').default('HS256'),
    ACCESS_TOKEN_EXPIRE_MINUTES: count('minutes', 1, 15, 15),
    /** a session ends when it is not refreshed for so long */
    REFRESH_TOKEN_EXPIRE_DAYS: count('days', 1, 90, 14),
    /** and after so long whatever happens */
    SESSION_MAX_DAYS: count('days', 1, 365, 90),
    PASSWORD_MIN_LENGTH: count('characters', 1, 128, 8),
    PASSWORD_REFUSE_COMMON: onOff(true),
    RATELIMIT_ENABLED: onOff(true),
    RATELIMIT_WINDOW: count('seconds', 1, 86_400, 60),
    RATELIMIT_TOKEN_MAX: count('requests', 1, 1_000_000, 20),
    RATELIMIT_REGISTER_MAX: count('requests', 1, 1_000_000, 10),
    RATELIMIT_REFRESH_MAX: count('requests', 1, 1_000_000, 60),
    RATELIMIT_CREATE_MAX: count('requests', 1, 1_000_000, 120),
    RATELIMIT_SEARCH_MAX: count('requests', 1, 1_000_000, 300),
    RATELIMIT_ACCOUNT_WINDOW: count('seconds', 1, 86_400, 900),
    RATELIMIT_ACCOUNT_MAX: count('failed logins', 1, 1_000_000, 10),
    TRUST_PROXY: trustedProxies,
    PUBLIC_HOSTS: publicHosts,
  })
  .superRefine(
    (config, context) => {
      const message = signingFault(config);
      if (message !== undefined) context.addIssue({ code: 'custom', path: ['SECRET_KEY'], message });
      if (config.SMTP_URL !== undefined && config.MAIL_FROM === undefined) {
        context.addIssue({ code: 'custom', path: ['MAIL_FROM'], message: 'SMTP_URL needs a sender' });
      }
    },
    // also when another variable is wrong: all faults are listed at once
    { when: () => true },
  )
  .transform(config => ({ ...config, LOG_LEVEL: config.LOG_LEVEL ?? (config.DEBUG ? 'debug' : 'info') }));

export type ApiConfig = z.output<typeof apiConfig>;

/** DevShelf's worker process. */
export const workerConfig = z.object({
  ...processConfig,
  ...databaseConfig,
  /** the longest that jobs at hand may take after a stop; then they are given back */
  SHUTDOWN_DRAIN_MS: milliseconds(15_000),
  LOG_LEVEL: level.default('info'),
  PORT: port(8001),
  APP_NAME: z.string().default('devshelf-worker'),
  REDIS_URL: redisUrl,
});

export type WorkerConfig = z.output<typeof workerConfig>;
