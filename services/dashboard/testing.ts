import { readConfig } from '../common/config.ts';
import { fixedKeyring, type KeyringSource } from '../common/keyring.ts';
import { createDashboardLogger } from '../common/logging.ts';
import { createRegistry } from '../common/metrics.ts';
import { newLifecycle } from '../common/shutdown.ts';
import { buildApp } from './app.ts';
import { dashboardConfig } from './config.ts';
import { openDatabase } from './database.ts';

export const API_KEY = 'dsk_a1_api';
export const SCRAPE_TOKEN = 'dsk_s1_scrape';

type Change = {
  readonly environment?: Record<string, string>;
  readonly apiKeys?: KeyringSource | undefined;
  readonly scrapeKeys?: KeyringSource | undefined;
  readonly log?: (line: string) => void;
};

/** Nothing listens there, so nothing that needs the database works; nothing is opened before it is needed. */
const NO_DATABASE = 'postgresql://nobody@127.0.0.1:1/none';

/** The app as `run.ts` wires it, to be injected into. */
export function testApp(change: Change = {}) {
  const { environment = {}, log } = change;
  // a machine that is busy with tests is no reason to turn requests away
  const config = readConfig(dashboardConfig, { DATABASE_URL: NO_DATABASE, SHED_LOAD: 'false', ...environment });
  const level = log ? 'debug' : 'silent';
  const logger = createDashboardLogger('dashboard', level, { write: (line: string) => log?.(line) });
  const registry = createRegistry();
  const lifecycle = newLifecycle();
  const database = openDatabase(config, logger, registry);
  const keys = {
    apiKeys: 'apiKeys' in change ? change.apiKeys : fixedKeyring(API_KEY),
    scrapeKeys: 'scrapeKeys' in change ? change.scrapeKeys : fixedKeyring(SCRAPE_TOKEN),
  };
  const app = buildApp({ config, logger, registry, lifecycle, database, ...keys });
  app.addHook('onClose', () => database.close());
  return { app, lifecycle, registry, database };
}
