import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { migrateCli } from '../common/migrate/cli.ts';
import { query, startPostgres, type TestPostgres } from '../common/testing/postgres.ts';
import { freePort, stopProcess, type TemporaryFolder, temporaryFolder, until } from '../common/testing/processes.ts';

const SERVER = new URL('server.ts', import.meta.url).pathname;
const MIGRATIONS_DIR = new URL('prisma/migrations', import.meta.url).pathname;
const KEY = 'dsk_k1_very-secret';

let postgres: TestPostgres;
let databaseUrl: string;
let folder: TemporaryFolder;
const started: ChildProcess[] = [];

beforeAll(async () => {
  folder = temporaryFolder('devshelf-dashboard-');
  postgres = await startPostgres();
  databaseUrl = await postgres.createDatabase('dashboard');
  expect(await migrateCli({ args: ['up'], environment: { DATABASE_URL: databaseUrl, MIGRATIONS_DIR } })).toBe(0);
}, 60_000);
afterEach(async () => {
  for (const child of started.splice(0)) await stopProcess(child, 'SIGKILL');
});
afterAll(async () => {
  await postgres?.remove();
  folder?.remove();
});

type Running = {
  readonly url: string;
  readonly port: number;
  readonly child: ChildProcess;
  readonly output: () => string;
};

async function start(environment: Record<string, string> = {}): Promise<Running> {
  const port = await freePort();
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', SERVER], {
    env: {
      DATABASE_URL: databaseUrl,
      HOST: '127.0.0.1',
      PORT: String(port),
      DASHBOARD_API_KEY: KEY,
      SHUTDOWN_DRAIN_MS: '200',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  started.push(child);
  const said: Buffer[] = [];
  child.stdout?.on('data', chunk => said.push(chunk));
  const url = `http://127.0.0.1:${port}`;
  await until('the server is ready', () =>
    fetch(`${url}/ready`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  return { url, port, child, output: () => Buffer.concat(said).toString() };
}

const read = (url: string, headers: Record<string, string> = {}) =>
  fetch(url, { headers: { 'x-api-key': KEY, ...headers } });

test('each request is a line of today’s fields, on standard output and in the file; keys are in neither', async () => {
  const directory = join(folder.path, 'logs');
  const { url, child, output } = await start({ DASHBOARD_LOG_DIR: directory });
  await read(`${url}/api/summary?key=${KEY}`, { 'x-request-id': 'req-1' });
  await fetch(`${url}/api/summary`, { headers: { 'x-api-key': `${KEY}x` } });
  await stopProcess(child, 'SIGTERM');
  const file = readFileSync(join(directory, 'dashboard.log'), 'utf8');
  expect(file).toBe(output());
  expect(file).not.toContain(KEY);
  const lines = file
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));
  expect(lines).toContainEqual({
    ts: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    level: 'INFO',
    logger: 'dashboard',
    msg: 'request',
    request_id: 'req-1',
    path: '/api/summary',
    method: 'GET',
    status: 200,
    duration_ms: expect.any(Number),
    client_ip: '127.0.0.1',
  });
}, 30_000);

test('a log folder that cannot be used is said once, and everything is served', async () => {
  writeFileSync(join(folder.path, 'no-folder'), '');
  const { url, child, output } = await start({ DASHBOARD_LOG_DIR: join(folder.path, 'no-folder') });
  for (let turn = 0; turn < 3; turn += 1) expect((await read(`${url}/api/summary`)).status).toBe(200);
  await stopProcess(child, 'SIGTERM');
  expect(output().match(/the log file cannot be written/g)).toHaveLength(1);
}, 30_000);

test('without a folder nothing is written but standard output', async () => {
  const { url, output } = await start();
  await read(`${url}/api/providers`);
  await until('the line is there', () => output().includes('/api/providers'));
}, 30_000);

test.each([
  ['no HTTP at all', 'HELLO\r\n\r\n', 400],
  ['headers without end', `GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
])(
  '%s is answered with every header',
  async (_case, sent, status) => {
    const { port } = await start();
    const socket = connect(port, '127.0.0.1');
    const received: Buffer[] = [];
    socket.on('data', chunk => received.push(chunk));
    socket.write(sent);
    await once(socket, 'close');
    const answer = Buffer.concat(received).toString();
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    for (const header of [
      'X-Content-Type-Options: nosniff',
      'X-Frame-Options: DENY',
      "Content-Security-Policy: default-src 'self'; ",
    ]) {
      expect(answer).toContain(header);
    }
    expect(answer).toMatch(/^X-Request-ID: [\w-]{36}\r$/m);
  },
  30_000,
);

test('an answer is kept for its time, and while it is, the database may be away', async () => {
  const { url } = await start({ DASHBOARD_CACHE_SECONDS: '600' });
  const total = async (path = '/api/summary') =>
    ((await (await read(`${url}${path}`)).json()) as { total_proveedores: number }).total_proveedores;
  const before = await total();
  await query(databaseUrl, "INSERT INTO proveedores (codigo, nombre) VALUES ('NUEVO', 'Nuevo')");
  expect(await total()).toBe(before);
  await postgres.stop();
  try {
    expect(await total()).toBe(before);
    const unknown = await read(`${url}/api/top-products?limit=3`);
    expect([unknown.status, await unknown.json()]).toEqual([500, { error: 'Error interno' }]);
    expect((await fetch(`${url}/ready`)).status).toBe(503);
  } finally {
    await postgres.start();
  }
  await until('it reads again', async () => (await read(`${url}/api/top-products?limit=3`)).status === 200);
}, 30_000);

test('every parameter has an answer of its own', async () => {
  const { url } = await start();
  await query(
    databaseUrl,
    `INSERT INTO proveedores (codigo, nombre) VALUES ('X1', 'Uno'), ('X2', 'Dos') ON CONFLICT DO NOTHING;
     INSERT INTO productos (codigo, nombre, proveedor_id) SELECT codigo, nombre, id FROM proveedores WHERE codigo IN ('X1', 'X2');
     INSERT INTO pedidos (proveedor_id, fecha_pedido) SELECT id, '2026-01-01 12:00Z' FROM proveedores WHERE codigo IN ('X1', 'X2');
     INSERT INTO detalle_pedidos (pedido_id, producto_id, cantidad)
       SELECT o.id, p.id, 1 FROM pedidos o JOIN productos p ON p.proveedor_id = o.proveedor_id`,
  );
  const products = async (search: string) => {
    const answer = await read(`${url}/api/top-products?${search}`);
    return ((await answer.json()) as { producto: string }[]).map(({ producto }) => producto);
  };
  expect(await products('')).toEqual(['Dos', 'Uno']);
  expect(await products('limit=1')).toEqual(['Dos']);
  expect(await products('proveedor=X1')).toEqual(['Uno']);
  expect(await products('proveedor=X2')).toEqual(['Dos']);
  expect(await products('end_date=2025-12-31')).toEqual([]);
  expect(await products('start_date=2026-01-02')).toEqual([]);
  expect(await products('start_date=2026-01-01&end_date=2026-01-01')).toEqual(['Dos', 'Uno']);
  expect(await products('start_date=yesterday')).toEqual(['Dos', 'Uno']);
}, 30_000);

test('what is written is folded into the summaries by the running service', async () => {
  const left = async () => (await query(databaseUrl, 'SELECT count(*)::int AS n FROM cambios_pedidos'))[0]?.['n'];
  await query(
    databaseUrl,
    `INSERT INTO proveedores (codigo, nombre) VALUES ('F', 'f');
     INSERT INTO pedidos (proveedor_id) SELECT id FROM proveedores WHERE codigo = 'F'`,
  );
  expect(await left()).toBeGreaterThan(0);
  await start();
  await until('the changes are folded', async () => (await left()) === 0);
}, 30_000);
