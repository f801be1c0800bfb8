// The scripts, run as their users run them, and what they are run against.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { migrateCli } from '../services/common/migrate/cli.ts';
import { startPostgres } from '../services/common/testing/postgres.ts';
import { freePort, stopProcess, until } from '../services/common/testing/processes.ts';
import { seed } from '../services/dashboard/seed.ts';

const DASHBOARD = join(import.meta.dirname, '../services/dashboard');

export const API_KEY = 'dsk_t1_only-for-these-tests';

export type Outcome = { readonly code: number | null; readonly out: string; readonly err: string };
export type Variables = Readonly<Record<string, string>>;

/** Runs a script of this folder with only these variables besides the machine's programs. */
export async function runScript(name: string, args: readonly string[], variables: Variables = {}): Promise<Outcome> {
  const child = spawn('bash', [resolve(import.meta.dirname, name), ...args], {
    env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code, out, err };
}

/** The dashboard's own process with a database of its own and some sample rows. */
export async function startDashboard(variables: Variables = {}) {
  const postgres = await startPostgres();
  try {
    const DATABASE_URL = await postgres.createDatabase('dashboard');
    const environment = { DATABASE_URL, MIGRATIONS_DIR: join(DASHBOARD, 'prisma/migrations') };
    for (const args of [['up'], ['seed']]) await migrateCli({ args, environment, seed });
    const another = (other: Variables) => listen({ DATABASE_URL, ...other });
    const dashboard = await another(variables);
    const remove = async () => {
      await dashboard.stop();
      await postgres.remove();
    };
    return { ...dashboard, postgres, another, remove };
  } catch (error) {
    await postgres.remove();
    throw error;
  }
}

async function listen(variables: Variables) {
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const ours = { HOST: '127.0.0.1', PORT: String(port), DASHBOARD_API_KEY: API_KEY, DASHBOARD_LOG_LEVEL: 'error' };
  const child = spawn(process.execPath, [join(DASHBOARD, 'server.ts')], {
    env: { ...ours, ...variables },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const answers = async () => {
    if (child.exitCode !== null) throw new Error(`the dashboard ended with ${child.exitCode}`);
    return fetch(`${base}/live`).then(
      ({ ok }) => ok,
      () => false,
    );
  };
  await until('the dashboard answers', answers, 60_000);
  return { base, port, stop: () => stopProcess(child, 'SIGKILL') };
}

export type Answer = { status: number; headers: Record<string, string>; body: string };

/** A proxy before the dashboard that changes its answers, as badly configured ones do. */
export async function startProxy(base: string, change: (answer: Answer, path: string) => void) {
  const relay = async (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url ?? '/';
    const key = request.headers['x-api-key'];
    const answered = await fetch(base + path, {
      redirect: 'manual',
      headers: typeof key === 'string' ? { 'x-api-key': key } : {},
    });
    const answer = {
      status: answered.status,
      headers: Object.fromEntries(answered.headers),
      body: await answered.text(),
    };
    for (const name of ['connection', 'content-length', 'keep-alive', 'transfer-encoding']) delete answer.headers[name];
    change(answer, path);
    response.writeHead(answer.status, answer.headers).end(answer.body);
  };
  const server = createServer((request, response) => {
    relay(request, response).catch(() => response.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    base: `http://127.0.0.1:${address.port}`,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
