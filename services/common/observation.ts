import type { Registry } from 'prom-client';
import type { ProcessConfig } from './config.ts';
import { type KeyringSource, openKeyring, reporting } from './keyring.ts';
import type { Logger } from './logging.ts';
import { createRegistry } from './metrics.ts';
import { type ErrorReporter, openSentry } from './sentry.ts';
import { openTelemetry, type Telemetry } from './telemetry.ts';

/** What a process lets others see of it, beside its log. */
export type Observation = {
  readonly registry: Registry;
  /** who may read the metrics */
  readonly scrapeKeys: KeyringSource | undefined;
  readonly telemetry: Telemetry | undefined;
  readonly sentry: ErrorReporter | undefined;
  /** The last to be closed: what is traced and reported until then is sent. */
  close(): Promise<void>;
};

/** To be opened before anything that shall be traced. */
export async function openObservation(config: ProcessConfig, service: string, logger: Logger): Promise<Observation> {
  const telemetry = await openTelemetry(config.OTEL_EXPORTER_OTLP_ENDPOINT, service);
  const sentry = await openSentry(config.SENTRY_DSN, service);
  const scrapeKeys = await openKeyring({
    directory: config.SCRAPE_TOKEN_DIR,
    key: config.SCRAPE_TOKEN,
    ...reporting(logger, 'scrape token'),
  });
  return {
    registry: createRegistry(),
    scrapeKeys,
    telemetry,
    sentry,
    close: async () => {
      scrapeKeys?.close();
      await Promise.all([telemetry?.close(), sentry?.close()]);
    },
  };
}
