import { join } from 'node:path';
import { type Data, PASSWORD } from './data.ts';
import { say } from './report.ts';
import { imageOf, type Program, type Running, start } from './servers.ts';

export const API_KEY = 'the-key-of-the-bench';
const SCRAPE_TOKEN = 'the-scrape-token-of-the-bench';
const SECRET_KEY = 'a-signing-key-for-the-bench-of-32-bytes-and-more';
/** a limit that is counted like any other and never reached */
const NEVER = '1000000';

export type Variant = { readonly devshelf: Running; readonly dashboard: Running; readonly uncached: Running };

export type Contenders = {
  readonly bare: Running;
  readonly ours: Variant;
  /** the same with OpenTelemetry on, spans sent to a collector that throws them away */
  readonly traced: Variant;
  /** ids of resources that exist */
  readonly ids: readonly string[];
  /** headers by kind of route */
  readonly keys: {
    readonly api: Record<string, string>;
    readonly scrape: Record<string, string>;
    readonly user: Record<string, string>;
  };
  stop(): Promise<void>;
};

/** What the processes are given in production, and limits that a bench does not run into. */
export const environments = (
  data: Pick<Data, 'devshelfUrl' | 'dashboardUrl'> & { readonly redis: { readonly url: string } },
) => ({
  devshelf: {
    DATABASE_URL: data.devshelfUrl,
    REDIS_URL: data.redis.url,
    SECRET_KEY,
    SCRAPE_TOKEN,
    RATELIMIT_TOKEN_MAX: NEVER,
    RATELIMIT_REGISTER_MAX: NEVER,
    RATELIMIT_REFRESH_MAX: NEVER,
    RATELIMIT_CREATE_MAX: NEVER,
    RATELIMIT_SEARCH_MAX: NEVER,
  },
  worker: { DATABASE_URL: data.devshelfUrl, REDIS_URL: data.redis.url, SCRAPE_TOKEN },
  dashboard: {
    DATABASE_URL: data.dashboardUrl,
    DASHBOARD_API_KEY: API_KEY,
    SCRAPE_TOKEN,
    DASHBOARD_RATELIMIT_MAX: NEVER,
  },
});

const SINK = `import { createServer } from 'node:http';
createServer((request, response) => request.resume().on('end', () => response.end())).listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit());`;

export async function startContenders(data: Data, folder: string): Promise<Contenders> {
  say('bundling and starting the services');
  const images = { devshelf: await imageOf('devshelf', folder), dashboard: await imageOf('dashboard', folder) };
  const settings = environments(data);
  const running: Running[] = [];
  const launch = async (program: Program) => {
    const process = await start(program);
    running.push(process);
    return process;
  };
  const variant = async (extra: Record<string, string>): Promise<Variant> => ({
    devshelf: await launch(images.devshelf.program('server', { ...settings.devshelf, ...extra })),
    dashboard: await launch(images.dashboard.program('server', { ...settings.dashboard, ...extra })),
    uncached: await launch(
      images.dashboard.program('server', { ...settings.dashboard, DASHBOARD_CACHE_SECONDS: '0', ...extra }),
    ),
  });
  const ours = await variant({});
  const page = await (await fetch(`${ours.dashboard.url}/`)).text();
  const bare = await launch({
    command: [process.execPath, join(import.meta.dirname, 'bare.ts')],
    environment: {
      NODE_ENV: 'production',
      DEVSHELF_URL: data.devshelfUrl,
      DASHBOARD_URL: data.dashboardUrl,
      PAGE_BYTES: String(Buffer.byteLength(page)),
    },
  });
  const sink = await launch({ command: [process.execPath, '--input-type=module', '--eval', SINK], environment: {} });
  const traced = await variant({ OTEL_EXPORTER_OTLP_ENDPOINT: sink.url });
  return {
    bare,
    ours,
    traced,
    ids: await someIds(ours.devshelf),
    keys: {
      api: { 'x-api-key': API_KEY },
      scrape: { 'x-scrape-token': SCRAPE_TOKEN, authorization: `Bearer ${SCRAPE_TOKEN}` },
      user: { authorization: `Bearer ${await accessToken(ours.devshelf)}`, 'content-type': 'application/json' },
    },
    stop: async () => {
      await Promise.all(running.map(process => process.stop()));
    },
  };
}

async function someIds({ url }: Running): Promise<readonly string[]> {
  const pages = await Promise.all(
    [0, 500, 1_000].map(async skip => {
      const response = await fetch(`${url}/api/v1/resources/?limit=100&skip=${skip}`);
      return (await response.json()) as { id: string }[];
    }),
  );
  return pages.flat().map(({ id }) => id);
}

export const LOGIN = { username: 'ana', password: PASSWORD };

export async function accessToken({ url }: Pick<Running, 'url'>): Promise<string> {
  const response = await fetch(`${url}/api/v1/auth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(LOGIN),
  });
  const { access_token } = (await response.json()) as { access_token?: string };
  if (access_token === undefined) throw new Error(`/token answered ${response.status}`);
  return access_token;
}
