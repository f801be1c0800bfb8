import { z } from 'zod';
import { databaseConfig, port, processConfig } from '../common/config.ts';
import { LOG_LEVELS, logLevel } from '../common/logging.ts';

const PUBLIC_SECRET = 'change-me-to-a-secure-random-value';
const SECRET_MIN_BYTES = 32;

const logging = {
  LOG_LEVEL: z
    .string()
    .toLowerCase()
    .pipe(z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`))
    .default('info')
    .transform(logLevel),
};

const redisUrl = z.string().regex(/^rediss?:\/\//, 'must begin with redis:// or rediss://');

const secretKey = z
  .string()
  .refine(key => key !== PUBLIC_SECRET, 'is the published example: choose one of your own')
  .refine(key => Buffer.byteLength(key) >= SECRET_MIN_BYTES, `must have at least ${SECRET_MIN_BYTES} bytes`);

/** DevShelf's API process. */
export const apiConfig = z
  .object({
    ...processConfig,
    ...databaseConfig,
    ...logging,
    PORT: port(8000),
    APP_NAME: z.string().default('devshelf'),
    REDIS_URL: redisUrl.optional(),
    SECRET_KEY: secretKey.optional(),
    SIGNING_KEYRING_DIR: z.string().optional(),
    ACCESS_TOKEN_EXPIRE_MINUTES: z.coerce
      .number('must be a number of minutes, 1 to 15')
      .int()
      .min(1)
      .max(15)
      .default(15),
    PASSWORD_MIN_LENGTH: z.coerce.number('must be a number of characters, 1 to 128').int().min(1).max(128).default(8),
  })
  .refine(
    config =>
      config.NODE_ENV !== 'production' || config.SECRET_KEY !== undefined || config.SIGNING_KEYRING_DIR !== undefined,
    { path: ['SIGNING_KEYRING_DIR'], error: 'production needs SIGNING_KEYRING_DIR or SECRET_KEY' },
  );

export type ApiConfig = z.output<typeof apiConfig>;

/** DevShelf's worker process. */
export const workerConfig = z.object({
  ...processConfig,
  ...logging,
  PORT: port(8001),
  APP_NAME: z.string().default('devshelf-worker'),
  REDIS_URL: redisUrl,
});

export type WorkerConfig = z.output<typeof workerConfig>;
