import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { temporaryFolder } from '../../services/common/testing/processes.ts';
import { bundleImage } from './build.ts';
import { freePorts } from './ports.ts';

// What is loaded on demand lies in files of its own, and instrumentations that patch imports do nothing in a bundle:
// so the very files of the images are run here, with everything switched on and no database.
let child: ChildProcess | undefined;
afterEach(() => {
  child?.kill('SIGKILL');
});

/** Stands in for a collector and for Sentry. */
async function startReceiver() {
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    bodies.push(`${request.url} ${Buffer.concat(chunks).toString()}`);
    response.setHeader('Content-Type', 'application/json').end('{}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { bodies, address: `127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

async function until(check: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error('not within 20 s');
    await sleep(25);
  }
}

/** A service without a database, with this in its environment, asked under `/live` until it answers; how to ask it. */
async function startService(name: 'devshelf' | 'dashboard', env: Readonly<Record<string, string>> = {}) {
  const program = join(await bundleImage(name), 'usr/local/bin/server');
  const [port = 0] = await freePorts(1);
  child = spawn(process.execPath, [program], {
    env: {
      DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none',
      HOST: '127.0.0.1',
      PORT: String(port),
      LOG_LEVEL: 'silent',
      DASHBOARD_LOG_LEVEL: 'silent',
      ...env,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ask = (path: string, request?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, request);
  const isAlive = () =>
    ask('/live').then(
      ({ ok }) => ok,
      () => false,
    );
  await until(isAlive);
  return ask;
}

test.each([
  ['devshelf', '/api/v1/resources', 'GET /api/v1/resources'],
  ['dashboard', '/api/summary', 'GET /api/summary'],
] as const)(
  'the bundle of %s sends traces, and errors to Sentry',
  async (name, path, span) => {
    const { bodies, address, server } = await startReceiver();
    try {
      const ask = await startService(name, {
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://${address}`,
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
        OTEL_TRACES_SAMPLER: 'always_on',
        OTEL_BSP_SCHEDULE_DELAY: '100',
        SENTRY_DSN: `http://publickey@${address}/1`,
      });
      expect((await ask(path)).status).toBe(500);
      const sent = (where: string, what: string) => () =>
        bodies.some(body => body.startsWith(where) && body.includes(what));
      await until(sent('/v1/traces', `"name":"${span}"`));
      await until(sent('/api/1/envelope/', `"route":"${path}"`));
    } finally {
      server.closeAllConnections();
      server.close();
    }
  },
  90_000,
);

test('the bundle of devshelf knows which passwords are tried first', async () => {
  const ask = await startService('devshelf');
  const account = { username: 'anna', email: 'anna@shelf.example', password: 'qwertyuiop' };
  const answer = await ask('/api/v1/auth/register', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(account),
  });
  expect([answer.status, await answer.text()]).toEqual([422, expect.stringContaining('tried first')]);
}, 90_000);

test('the bundle of the operator reads a file of sinks in YAML', async () => {
  const folder = temporaryFolder('devshelf-sinks-');
  const file = join(folder.path, 'sinks.yaml');
  writeFileSync(file, 'cluster: prod\nsinks: [{name: ops, format: teams, url: "http://hooks.example/T000-canary"}]\n');
  const program = join(await bundleImage('operator'), 'usr/local/bin/operator');
  const { status, stderr } = spawnSync(process.execPath, [program, '--notify-config', file], { encoding: 'utf8' });
  folder.remove();
  expect(stderr).toContain('sinks[0].format="teams": write slack, cloudevents or generic');
  expect(status).toBe(2);
}, 90_000);
