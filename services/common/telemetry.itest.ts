import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { migrateCli } from './migrate/cli.ts';
import { query, startPostgres, type TestPostgres } from './testing/postgres.ts';
import { freePort, stopProcess, until } from './testing/processes.ts';
import { startRedis, type TestRedis } from './testing/redis.ts';

const SERVICES = new URL('..', import.meta.url).pathname;

let postgres: TestPostgres;
let redis: TestRedis;
const urls: Record<string, string> = {};
let children: ChildProcess[] = [];
const servers: { close(): unknown }[] = [];

beforeAll(async () => {
  [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  for (const service of ['devshelf', 'dashboard']) {
    const url = await postgres.createDatabase(service);
    const environment = { DATABASE_URL: url, MIGRATIONS_DIR: `${SERVICES}${service}/prisma/migrations` };
    expect(await migrateCli({ args: ['up'], environment })).toBe(0);
    urls[service] = url;
  }
}, 60_000);
afterEach(async () => {
  await Promise.all(children.map(child => stopProcess(child, 'SIGKILL')));
  children = [];
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => Promise.all([postgres?.remove(), redis?.remove()]));

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Stands in for a collector, or for Sentry: what the real exporters send. */
async function receive(onBody: (body: string, request: IncomingMessage) => void): Promise<string> {
  const server: Server = createServer(async (request, response) => {
    onBody(await bodyOf(request), request);
    response.setHeader('Content-Type', 'application/json').end('{}');
  });
  servers.push({
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

type Sent = {
  readonly service: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly attributes: Readonly<Record<string, unknown>>;
};

type Attribute = { key: string; value: Record<string, unknown> };
const attributesOf = (list: readonly Attribute[]) =>
  Object.fromEntries(list.map(({ key, value }) => [key, Object.values(value)[0]]));

type Exported = {
  resourceSpans: {
    resource: { attributes: Attribute[] };
    scopeSpans: { spans: (Omit<Sent, 'service' | 'attributes'> & { attributes: Attribute[] })[] }[];
  }[];
};

function spansOf(body: string): readonly Sent[] {
  const { resourceSpans } = JSON.parse(body) as Exported;
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = String(attributesOf(resource.attributes)['service.name']);
    return scopeSpans.flatMap(({ spans }) =>
      spans.map(({ name, traceId, spanId, parentSpanId, attributes }) => {
        return { service, name, traceId, spanId, parentSpanId, attributes: attributesOf(attributes) };
      }),
    );
  });
}

/** A collector that speaks OTLP as JSON, and what it has received. */
async function startCollector() {
  const spans: Sent[] = [];
  const paths = new Set<string>();
  const address = await receive((body, request) => {
    paths.add(request.url ?? '');
    spans.push(...spansOf(body));
  });
  const environment = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://${address}`,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_TRACES_SAMPLER: 'parentbased_always_on',
    OTEL_BSP_SCHEDULE_DELAY: '100',
  };
  return { spans, paths, environment };
}

async function start(program: string, environment: Record<string, string>) {
  const port = await freePort();
  const child = spawn(process.execPath, [SERVICES + program], {
    env: {
      DATABASE_URL: urls[program.split('/')[0] ?? ''] ?? '',
      HOST: '127.0.0.1',
      PORT: String(port),
      LOG_LEVEL: 'silent',
      DASHBOARD_LOG_LEVEL: 'silent',
      SCRAPE_TOKEN: 'token',
      ...environment,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  children.push(child);
  const base = `http://127.0.0.1:${port}`;
  await until(`${program} is ready`, () =>
    fetch(`${base}/ready`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  return { child, base };
}

async function post(url: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return (await response.json()) as Record<string, string>;
}

async function bearer(base: string, username: string): Promise<{ authorization: string }> {
  const password = 'correct horse battery';
  await post(`${base}/api/v1/auth/register`, { username, email: `${username}@example.org`, password });
  const { access_token } = await post(`${base}/api/v1/auth/token`, { username, password });
  return { authorization: `Bearer ${access_token}` };
}

test('one trace goes from the request through the database and the queue to the visit of the link', async () => {
  const { spans, paths, environment } = await startCollector();
  const site = await receive(() => undefined);
  const [api] = await Promise.all([
    start('devshelf/server.ts', { ...environment, REDIS_URL: redis.url }),
    start('devshelf/testing-worker.ts', { ...environment, REDIS_URL: redis.url }),
  ]);
  const headers = await bearer(api.base, 'tracer');
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const parent = 'b7ad6b7169203331';
  await post(
    `${api.base}/api/v1/resources/?secret=hunter2`,
    { title: 'x', url: `http://${site}/`, type: 'page' },
    { ...headers, traceparent: `00-${traceId}-${parent}-01` },
  );
  const ofTrace = () => spans.filter(span => span.traceId === traceId);
  await until('the visit has been told', () => ofTrace().some(({ name }) => name === 'link.visit'));
  await until('what came after it, too', () => ofTrace().some(({ name }) => name === 'UPDATE'));
  const request = ofTrace().find(({ name }) => name === 'POST /api/v1/resources');
  expect(request).toMatchObject({ service: 'devshelf', parentSpanId: parent });
  expect(request?.attributes).toMatchObject({ 'http.route': '/api/v1/resources', 'url.path': '/api/v1/resources/' });
  const insert = ofTrace().find(({ name, service }) => name === 'INSERT' && service === 'devshelf');
  expect(insert?.attributes['db.query.text']).toContain('$1');
  // each span hangs on another one of the trace, up to the caller's
  const ids = new Set([parent, ...ofTrace().map(({ spanId }) => spanId)]);
  expect(ofTrace().filter(({ parentSpanId }) => !ids.has(parentSpanId ?? ''))).toEqual([]);
  const names = (service: string) =>
    ofTrace()
      .filter(span => span.service === service)
      .map(({ name }) => name);
  expect(names('devshelf-worker')).toEqual(expect.arrayContaining(['SELECT', 'link.visit', 'UPDATE']));
  expect([...paths]).toEqual(['/v1/traces']);
  const text = JSON.stringify(spans);
  for (const secret of ['hunter2', 'correct horse', headers.authorization.slice(7), 'argon2id'])
    expect(text).not.toContain(secret);
  // probes and scrapes are no traces
  expect(spans.filter(({ name }) => /ready|metrics|health/.test(name))).toEqual([]);
}, 60_000);

test('the dashboard is traced, and what is left is sent when it stops', async () => {
  const { spans, environment } = await startCollector();
  const { child, base } = await start('dashboard/server.ts', { ...environment, OTEL_BSP_SCHEDULE_DELAY: '60000' });
  expect((await fetch(`${base}/api/summary`)).status).toBe(200);
  expect(spans).toEqual([]);
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect(spans.map(({ name }) => name)).toEqual(expect.arrayContaining(['GET /api/summary', 'WITH']));
}, 60_000);

test('a collector that cannot be reached, or that never answers, costs no request anything, nor the stop', async () => {
  const mute = createTcpServer(socket => socket.on('error', () => undefined));
  servers.push(mute);
  mute.listen(0, '127.0.0.1');
  await once(mute, 'listening');
  for (const port of [await freePort(), (mute.address() as AddressInfo).port]) {
    const { child, base } = await start('dashboard/server.ts', {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_TRACES_SAMPLER: 'always_on',
      OTEL_BSP_SCHEDULE_DELAY: '50',
    });
    const begun = performance.now();
    for (let count = 0; count < 100; count++) expect((await fetch(`${base}/api/summary`)).status).toBe(200);
    expect(performance.now() - begun).toBeLessThan(5_000);
    const stopping = performance.now();
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(performance.now() - stopping).toBeLessThan(12_000);
  }
}, 60_000);

type Event = {
  exception: { values: { type: string; value: string }[] };
  tags: Record<string, string>;
  environment: string;
};

async function startSentry() {
  const events: Event[] = [];
  const bodies: string[] = [];
  const address = await receive((body, request) => {
    bodies.push(`${request.method} ${request.url}\n${body}`);
    // an envelope: a line about it, then for each item a line about that and the item
    events.push(JSON.parse(body.split('\n')[2] ?? ''));
  });
  return { events, bodies, environment: { SENTRY_DSN: `http://publickey@${address}/42` } };
}

test('an error that nobody expected goes to Sentry, without secrets; what a client did wrong does not', async () => {
  const { events, bodies, environment } = await startSentry();
  const { base } = await start('devshelf/server.ts', { ...environment, SENTRY_ENVIRONMENT: 'staging' });
  const headers = { ...(await bearer(base, 'sentinel')), cookie: 'session=hunter2', 'x-api-key': 'hunter2' };
  await fetch(`${base}/nowhere`);
  await post(`${base}/api/v1/auth/token`, { username: 'sentinel', password: 'hunter2hunter2' });
  await query(urls['devshelf'] ?? '', 'ALTER TABLE resources RENAME TO hidden');
  try {
    await post(
      `${base}/api/v1/resources?token=hunter2`,
      { title: 'hunter2', url: 'https://example.org', type: 'x' },
      headers,
    );
    await until('Sentry has heard of it', () => events.length > 0);
  } finally {
    await query(urls['devshelf'] ?? '', 'ALTER TABLE hidden RENAME TO resources');
  }
  expect(events).toHaveLength(1);
  expect(events[0]).toMatchObject({
    environment: 'staging',
    tags: { service: 'devshelf', method: 'POST', route: '/api/v1/resources' },
    exception: { values: [{ type: expect.any(String) }] },
  });
  const sent = bodies.join();
  expect(sent).toMatch(/^POST \/api\/42\/envelope\//);
  for (const secret of ['hunter2', headers.authorization.slice(7), urls['devshelf'] ?? ''])
    expect(sent).not.toContain(secret);
}, 60_000);

test('a job that is given up goes to Sentry, too', async () => {
  const { events, environment } = await startSentry();
  await start('devshelf/testing-worker.ts', { ...environment, REDIS_URL: redis.url });
  const { Queue } = await import('bullmq');
  const { Redis } = await import('ioredis');
  const connection = new Redis(redis.url, { maxRetriesPerRequest: null });
  const queue = new Queue('jobs', { prefix: '{devshelf}', connection });
  await queue.add('link.check', { id: 'nonsense' });
  await until('Sentry has heard of it', () => events.length > 0);
  expect(events[0]).toMatchObject({ tags: { service: 'devshelf-worker', job: 'link.check' } });
  await queue.close();
  connection.disconnect();
}, 60_000);

test.each([
  ['thrown', "setTimeout(() => { throw new Error('boom password=hunter2'); }, 10)"],
  ['rejected', "Promise.reject(new Error('boom password=hunter2'))"],
])(
  'what ends the process (%s) is said, and goes to Sentry first',
  async (_case, crash) => {
    const { events, environment } = await startSentry();
    const script = `
    import { openSentry } from ${JSON.stringify(`${SERVICES}common/sentry.ts`)};
    await openSentry(process.env.SENTRY_DSN, 'crasher');
    ${crash};
    setTimeout(() => undefined, 20_000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      env: environment,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    children.push(child);
    const said: Buffer[] = [];
    child.stderr.on('data', chunk => said.push(chunk));
    expect(await once(child, 'exit')).toEqual([1, null]);
    expect(Buffer.concat(said).toString()).toContain('Error: boom');
    expect(events).toMatchObject([
      { tags: { service: 'crasher', crash: 'yes' }, exception: { values: [{ value: 'boom password=[secret]' }] } },
    ]);
  },
  30_000,
);
