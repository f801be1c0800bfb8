// Loaded only where errors are sent (sentry.ts). A client of its own instead of Sentry.init(): that would patch
// modules and collect headers, breadcrumbs, local variables and spans, of which none is wanted.
import { defaultStackParser, linkedErrorsIntegration, makeNodeTransport, NodeClient, Scope } from '@sentry/node';
import { scrub } from './scrub.ts';
import type { ErrorReporter } from './sentry.ts';

const CLOSE_MS = 2_000;
/** When a database is down each request fails alike: more than so many a minute say nothing new. */
const MAX_PER_MINUTE = 20;

export function startSentry(dsn: string, service: string): ErrorReporter {
  const client = new NodeClient({
    dsn,
    transport: makeNodeTransport,
    stackParser: defaultStackParser,
    integrations: [linkedErrorsIntegration()],
    environment: process.env['SENTRY_ENVIRONMENT'] ?? process.env['NODE_ENV'] ?? 'development',
    ...(process.env['SENTRY_RELEASE'] && { release: process.env['SENTRY_RELEASE'] }),
    initialScope: { tags: { service } },
    includeServerName: false,
    sendClientReports: false,
    maxBreadcrumbs: 0,
    beforeSend: event => scrub(event),
  });
  client.init();
  const allowed = atMost(MAX_PER_MINUTE);
  const report: ErrorReporter['report'] = (error, tags) => {
    if (!allowed()) return;
    const scope = new Scope();
    scope.setClient(client);
    scope.setTags({ service, ...tags });
    client.captureException(error, {}, scope);
  };
  const close = async () => {
    await client.close(CLOSE_MS);
  };
  reportCrash(report, close);
  return { report, close };
}

/** As without a listener the process ends with its error on stderr and exit code 1, only that Sentry hears of it. */
function reportCrash(report: ErrorReporter['report'], close: () => Promise<void>): void {
  process.once('uncaughtException', error => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    report(error, { crash: 'yes' });
    close().finally(() => process.exit(1));
  });
}

function atMost(perMinute: number): () => boolean {
  let minute = 0;
  let count = 0;
  return () => {
    const now = Math.floor(performance.now() / 60_000);
    if (now !== minute) [minute, count] = [now, 0];
    count++;
    return count <= perMinute;
  };
}
