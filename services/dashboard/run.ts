import type { FastifyInstance } from 'fastify';
import { readConfig } from '../common/config.ts';
import { openKeyring, reporting } from '../common/keyring.ts';
import { showKeyrings } from '../common/keyring-metrics.ts';
import { createDashboardLogger, dashboardLines } from '../common/logging.ts';
import { openObservation } from '../common/observation.ts';
import { reportErrors } from '../common/sentry.ts';
import { serve } from '../common/serve.ts';
import { newLifecycle } from '../common/shutdown.ts';
import { buildApp } from './app.ts';
import { dashboardConfig } from './config.ts';
import { openDatabase } from './database.ts';
import { foldRegularly } from './folding.ts';

/** The dashboard's process. `extend` may add hooks to the app before it listens. */
export async function run(extend: (app: FastifyInstance) => void = () => undefined): Promise<void> {
  const config = readConfig(dashboardConfig, process.env);
  const lines = dashboardLines({
    directory: config.DASHBOARD_LOG_DIR,
    rotation: config.DASHBOARD_LOG_ROTATE_WHEN,
    keep: config.DASHBOARD_LOG_BACKUP_COUNT,
  });
  const logger = createDashboardLogger('dashboard', config.DASHBOARD_LOG_LEVEL, lines);
  const observation = await openObservation(config, 'dashboard', logger);
  const { registry, scrapeKeys, sentry } = observation;
  const lifecycle = newLifecycle();
  const apiKeys = await openKeyring({
    directory: config.API_KEYRING_DIR,
    key: config.DASHBOARD_API_KEY,
    ...reporting(logger, 'api key'),
  });
  showKeyrings(registry, { api: apiKeys, scrape: scrapeKeys });
  const database = openDatabase(config, logger, registry);
  const folding = foldRegularly(database.fold, logger);

  const app = buildApp({ config, logger, registry, lifecycle, database, apiKeys, scrapeKeys });
  reportErrors(app, sentry);
  app.addHook('onClose', async () => {
    apiKeys?.close();
    folding.stop();
    await database.close();
    await observation.close();
  });
  extend(app);
  const times = { delayMs: config.SHUTDOWN_DELAY_MS, drainMs: config.SHUTDOWN_DRAIN_MS };
  await serve({ app, lifecycle, host: config.HOST, port: config.PORT, times });
}
