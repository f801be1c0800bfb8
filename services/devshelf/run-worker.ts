import fastify, { type FastifyInstance } from 'fastify';
import { readConfig } from '../common/config.ts';
import { databaseProbe, openPool } from '../common/database.ts';
import { createLogger, type Logger } from '../common/logging.ts';
import { openObservation } from '../common/observation.ts';
import { serveReadiness } from '../common/readiness.ts';
import { answerExpectations, answerWithoutHooks, logRequests, serverOptions } from '../common/requests.ts';
import { serveMetrics } from '../common/scrape.ts';
import { answerWithHeaders, jsonHeaders } from '../common/security-headers.ts';
import { serve } from '../common/serve.ts';
import { closePolitely, newLifecycle } from '../common/shutdown.ts';
import { workerConfig } from './config.ts';
import { type Consumer, type ConsumerSettings, openConsumer } from './consumer.ts';
import { answerErrors } from './errors.ts';
import { SWEEP_MS } from './jobs.ts';
import { linkHandlers, openLinkStore } from './links.ts';
import { redisProbe } from './redis.ts';
import { politeVisitor, type Visitor, visit } from './visit.ts';

/** What tests change: whom the worker may visit, and how soon it takes over from another that is gone. */
export type WorkerOptions = { readonly visitor?: Visitor } & Pick<ConsumerSettings, 'lockMs'>;

/** Beyond the jobs' own time, to close connections. */
const CLOSE_MS = 5_000;

/** DevShelf's worker process: does jobs, and serves /health, /live, /ready and /metrics of its own. */
export async function runWorker({ visitor = politeVisitor, ...options }: WorkerOptions = {}): Promise<void> {
  const config = readConfig(workerConfig, process.env);
  const logger = createLogger(config.APP_NAME, config.LOG_LEVEL);
  const observation = await openObservation(config, config.APP_NAME, logger);
  const { registry, scrapeKeys, telemetry, sentry } = observation;
  const lifecycle = newLifecycle();
  const database = openPool(config, config.APP_NAME, logger, registry);
  const probe = databaseProbe(database.options, async () => undefined);
  const consumer = openConsumer({
    url: config.REDIS_URL,
    logger,
    registry,
    telemetry: telemetry?.queue,
    onFailure: (error, { name }) => sentry?.report(error, { job: name }),
    ...options,
  });

  const headers = jsonHeaders({ hsts: false });
  const clientErrorHandler = answerWithoutHooks(headers);
  const app = fastify({ ...serverOptions(logger), clientErrorHandler }) as unknown as FastifyInstance;
  answerExpectations(app, headers);
  answerWithHeaders(app, headers, ['/metrics']);
  closePolitely(app, lifecycle);
  logRequests(app);
  answerErrors(app);
  app.get('/health', async () => ({ status: 'healthy' }));
  app.get('/live', async () => ({ status: 'alive' }));
  serveReadiness(app, lifecycle, {
    database: probe,
    redis: redisProbe(consumer.redis, logger),
  });
  serveMetrics(app, registry, {
    scrapeKeys,
    openWithoutKeys: config.NODE_ENV !== 'production',
    refusal: () => ({ detail: 'Not authenticated' }),
  });

  const visitLink = (url: string, signal: AbortSignal) => visit(url, signal, visitor);
  const handlers = linkHandlers({
    store: openLinkStore(database.pool),
    visit: telemetry?.spanned('link.visit', visitLink) ?? visitLink,
    ...consumer,
  });
  consumer.start(handlers);
  const sweeping = sweepRegularly(consumer, logger);
  // before the server closes: whoever asks how the stop goes is answered
  app.addHook('preClose', async () => {
    clearInterval(sweeping);
    await consumer.drain(config.SHUTDOWN_DRAIN_MS);
  });
  app.addHook('onClose', async () => {
    await Promise.all([database.pool.end(), probe.close()]);
    await observation.close();
  });
  const times = { delayMs: config.SHUTDOWN_DELAY_MS, drainMs: 0, closeMs: config.SHUTDOWN_DRAIN_MS + CLOSE_MS };
  await serve({ app, lifecycle, host: config.HOST, port: config.PORT, times });
}

/** Between two sweeps that reconnecting asks for: a copy refuses each, and that makes it reconnect. Milliseconds */
const SWEEP_REST_MS = 1_000;

/** At once and then again and again: no schedule is kept in Redis, so an emptied Redis loses none. */
function sweepRegularly(consumer: Consumer, logger: Logger): NodeJS.Timeout {
  let last = Number.NEGATIVE_INFINITY;
  const sweep = () => {
    last = performance.now();
    consumer.addAll([{ name: 'links.sweep' }]).catch(error => logger.debug({ err: error }, 'no sweep'));
  };
  consumer.redis.on('ready', () => {
    setTimeout(sweep, Math.max(0, last + SWEEP_REST_MS - performance.now())).unref();
  });
  return setInterval(sweep, SWEEP_MS).unref();
}
