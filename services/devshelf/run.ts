import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { readConfig } from '../common/config.ts';
import {
  fixedKeyring,
  type Keyring,
  KeyringError,
  type KeyringSource,
  openKeyring,
  reporting,
} from '../common/keyring.ts';
import { showKeyrings } from '../common/keyring-metrics.ts';
import { createLogger, type Logger } from '../common/logging.ts';
import { openObservation } from '../common/observation.ts';
import { reportErrors } from '../common/sentry.ts';
import { serve } from '../common/serve.ts';
import { newLifecycle } from '../common/shutdown.ts';
import { buildApp } from './app.ts';
import { type ApiConfig, apiConfig, weakness } from './config.ts';
import { openDatabase } from './database.ts';

/** DevShelf's API process. `extend` may add hooks to the app before it listens. */
export async function run(extend: (app: FastifyInstance) => void = () => undefined): Promise<void> {
  const config = readConfig(apiConfig, process.env);
  const logger = createLogger(config.APP_NAME, config.LOG_LEVEL);
  const observation = await openObservation(config, config.APP_NAME, logger);
  const { registry, scrapeKeys, telemetry, sentry } = observation;
  const lifecycle = newLifecycle();
  const signingKeys = await openSigningKeys(config, logger);
  showKeyrings(registry, { signing: signingKeys, scrape: scrapeKeys });
  const database = openDatabase(config, logger, registry);
  // Redis' client is not loaded where there is no Redis
  const redis =
    config.REDIS_URL === undefined ? undefined : (await import('./redis.ts')).connectRedis(config.REDIS_URL, logger);
  const jobs =
    config.REDIS_URL === undefined
      ? undefined
      : (await import('./queue.ts')).openQueue({
          url: config.REDIS_URL,
          logger,
          registry,
          telemetry: telemetry?.queue,
        });

  const app = buildApp({ config, logger, registry, lifecycle, database, jobs, redis, signingKeys, scrapeKeys });
  reportErrors(app, sentry);
  app.addHook('onClose', async () => {
    signingKeys.close();
    redis?.disconnect();
    await Promise.all([database.close(), jobs?.close()]);
    await observation.close();
  });
  extend(app);
  const times = { delayMs: config.SHUTDOWN_DELAY_MS, drainMs: config.SHUTDOWN_DRAIN_MS };
  await serve({ app, lifecycle, host: config.HOST, port: config.PORT, times });
}

async function openSigningKeys(config: ApiConfig, logger: Logger): Promise<KeyringSource> {
  const keys = await openKeyring({
    directory: config.SIGNING_KEYRING_DIR,
    key: config.SECRET_KEY,
    ...reporting(logger, 'signing'),
  });
  if (keys === undefined) {
    logger.warn('no signing key is configured: tokens end with this process');
    return fixedKeyring(randomBytes(32).toString('base64url'), 'ephemeral');
  }
  const weak = weakSigningKeys(keys.value);
  if (weak.length > 0 && config.NODE_ENV === 'production') throw new KeyringError(`signing keys: ${weak.join(', ')}`);
  if (weak.length > 0) logger.warn({ weak }, 'production would not start with these signing keys');
  return keys;
}

/** By id, never by what they are. */
const weakSigningKeys = ({ keys }: Keyring): readonly string[] =>
  Object.entries(keys).flatMap(([id, key]) => {
    const why = weakness(key);
    return why === undefined ? [] : [`${id} ${why}`];
  });
