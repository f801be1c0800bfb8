import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { migrateCli } from './migrate/cli.ts';
import { startPostgres, type TestPostgres } from './testing/postgres.ts';
import { freePort, stopProcess, until } from './testing/processes.ts';

const DASHBOARD = new URL('../dashboard/', import.meta.url).pathname;

let postgres: TestPostgres;
let databaseUrl: string;
const started: ChildProcess[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
  databaseUrl = await postgres.createDatabase('dashboard');
  const environment = { DATABASE_URL: databaseUrl, MIGRATIONS_DIR: `${DASHBOARD}prisma/migrations` };
  expect(await migrateCli({ args: ['up'], environment })).toBe(0);
}, 60_000);
afterEach(async () => {
  await Promise.all(started.splice(0).map(child => stopProcess(child, 'SIGKILL')));
});
afterAll(() => postgres?.remove());

type Server = { readonly child: ChildProcess; readonly port: number };

async function startServer(environment: Record<string, string> = {}): Promise<Server> {
  const port = await freePort();
  const child = spawn(process.execPath, [`${DASHBOARD}server.ts`], {
    env: {
      DATABASE_URL: databaseUrl,
      HOST: '127.0.0.1',
      PORT: String(port),
      DASHBOARD_LOG_LEVEL: 'silent',
      DASHBOARD_RATELIMIT_ENABLED: 'false',
      DASHBOARD_CACHE_SECONDS: '0',
      ...environment,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  started.push(child);
  await until('the server is ready', async () => (await ask(port, '/ready')) === 200);
  return { child, port };
}

/** The status, or 0 when there was no answer. */
function ask(port: number, path: string, agent?: Agent): Promise<number> {
  return new Promise(resolve => {
    const request = get({ host: '127.0.0.1', port, path, agent: agent ?? false }, response => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0));
    });
    request.once('error', () => resolve(0));
  });
}

/**
 * Clients that keep their connections, as behind a Service: a new connection goes to whom the endpoints name now, an
 * old one stays where it is until one side closes it.
 */
function startClients(count: number, endpoint: () => number) {
  const statuses: number[] = [];
  let going = true;
  const client = async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    agent.createConnection = () => connect(endpoint(), '127.0.0.1');
    while (going) {
      statuses.push(await ask(0, '/api/summary', agent));
      await sleep(Math.random() * 20);
    }
    agent.destroy();
  };
  const all = Promise.all(Array.from({ length: count }, client));
  return {
    statuses,
    end: async () => {
      going = false;
      await all;
    },
  };
}

test('a pod that is replaced under load loses no request of clients that keep their connections', async () => {
  const leaving = await startServer();
  const taking = await startServer();
  let endpoint = leaving.port;
  const clients = startClients(20, () => endpoint);
  await sleep(1_000);
  const exited = once(leaving.child, 'exit');
  endpoint = taking.port; // what the preStop pause waits for
  leaving.child.kill('SIGTERM');
  const [code] = await exited;
  const before = clients.statuses.length;
  await until('the other one has taken over', () => clients.statuses.length > before + 100);
  await clients.end();
  expect(code).toBe(0);
  expect(before).toBeGreaterThan(100);
  expect(clients.statuses.filter(status => status !== 200)).toEqual([]);
}, 30_000);

test('without a pause before the signal, a delay keeps it serving new connections while it is unready', async () => {
  const { child, port } = await startServer({ SHUTDOWN_DELAY_MS: '6000' });
  child.kill('SIGTERM');
  await until('it is unready', async () => (await ask(port, '/ready')) === 503, 4_000);
  await sleep(500);
  expect(await ask(port, '/api/summary')).toBe(200);
  const [code] = await once(child, 'exit');
  expect(code).toBe(0);
}, 30_000);

test('a request that is under way is answered, and a connection that stays idle does not hold the process for ever', async () => {
  const { child, port } = await startServer({ SHUTDOWN_DRAIN_MS: '300', DB_POOL_TIMEOUT_MS: '1500' });
  const idle = connect(port, '127.0.0.1');
  await once(idle, 'connect');
  postgres.pause();
  const slow = ask(port, '/api/summary');
  await sleep(200);
  child.kill('SIGTERM');
  const exited = once(child, 'exit');
  try {
    expect(await slow).toBe(500); // late, but an answer
  } finally {
    postgres.resume();
  }
  const [code] = await exited;
  expect(code).toBe(0);
}, 30_000);

test('what production needs and does not find is said at once, without a stack', async () => {
  const child = spawn(process.execPath, [`${DASHBOARD}server.ts`], {
    env: { NODE_ENV: 'production', PORT: 'x' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const said: Buffer[] = [];
  for await (const chunk of child.stderr) said.push(chunk);
  await until('it ends', () => child.exitCode !== null);
  expect(child.exitCode).toBe(2);
  expect(Buffer.concat(said).toString()).toMatch(/^configuration refused:\n( {2}- .*\n)+$/);
});
