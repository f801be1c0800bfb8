import { readConfig } from '../common/config.ts';
import { fixedKeyring, type KeyringSource } from '../common/keyring.ts';
import { createLogger } from '../common/logging.ts';
import { createRegistry } from '../common/metrics.ts';
import { newLifecycle } from '../common/shutdown.ts';
import { type AppOptions, buildApp } from './app.ts';
import { apiConfig } from './config.ts';
import { openDatabase } from './database.ts';

export const SCRAPE_TOKEN = 'dsk_s1_scrape';

type Change = {
  readonly environment?: Record<string, string>;
  readonly scrapeKeys?: KeyringSource;
} & Partial<Pick<AppOptions, 'jobs'>>;

/** Nothing listens there, so nothing that needs the database works; nothing is opened before it is needed. */
const NO_DATABASE = 'postgresql://nobody@127.0.0.1:1/none';

/** The app as `run.ts` wires it, to be injected into. */
export function testApp({ environment = {}, jobs, scrapeKeys = fixedKeyring(SCRAPE_TOKEN) }: Change = {}) {
  const config = readConfig(apiConfig, { DATABASE_URL: NO_DATABASE, ...environment });
  const logger = createLogger('test', 'silent');
  const registry = createRegistry();
  const lifecycle = newLifecycle();
  const database = openDatabase(config, logger, registry);
  const signingKeys = fixedKeyring('a-signing-key-of-at-least-32-bytes');
  const app = buildApp({ config, logger, registry, lifecycle, database, jobs, signingKeys, scrapeKeys });
  app.addHook('onClose', () => database.close());
  return { app, lifecycle, registry, database };
}
