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
  readonly log?: (line: string) => void;
} & Partial<Pick<AppOptions, 'jobs' | 'redis' | 'signingKeys'>>;

/** Nothing listens there, so nothing that needs the database works; nothing is opened before it is needed. */
const NO_DATABASE = 'postgresql://nobody@127.0.0.1:1/none';

/** The app as `run.ts` wires it, to be injected into. */
export function testApp({
  environment = {},
  log,
  jobs,
  redis,
  scrapeKeys = fixedKeyring(SCRAPE_TOKEN),
  signingKeys = fixedKeyring('a-signing-key-of-at-least-32-bytes'),
}: Change = {}) {
  // tests log in more often than anybody may, and a machine that is busy with them is no reason to turn requests away
  const defaults = { DATABASE_URL: NO_DATABASE, RATELIMIT_ENABLED: 'false', SHED_LOAD: 'false' };
  const config = readConfig(apiConfig, { ...defaults, ...environment });
  const logger = createLogger('test', log ? 'info' : 'silent', { write: (line: string) => log?.(line) });
  const registry = createRegistry();
  const lifecycle = newLifecycle();
  const database = openDatabase(config, logger, registry);
  const app = buildApp({ config, logger, registry, lifecycle, database, jobs, redis, signingKeys, scrapeKeys });
  app.addHook('onClose', () => database.close());
  return { app, lifecycle, registry, database };
}
