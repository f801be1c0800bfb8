import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { bundleImage } from './build.ts';

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

test.each([
  ['devshelf', '/api/v1/resources', 'GET /api/v1/resources'],
  ['dashboard', '/api/summary', 'GET /api/summary'],
] as const)(
  'the bundle of %s sends traces, and errors to Sentry',
  async (name, path, span) => {
    const program = join(await bundleImage(name), 'usr/local/bin/server');
    const { bodies, address, server } = await startReceiver();
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as AddressInfo;
    probe.close();
    child = spawn(process.execPath, [program], {
      env: {
        DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none',
        HOST: '127.0.0.1',
        PORT: String(port),
        LOG_LEVEL: 'silent',
        DASHBOARD_LOG_LEVEL: 'silent',
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://${address}`,
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
        OTEL_TRACES_SAMPLER: 'always_on',
        OTEL_BSP_SCHEDULE_DELAY: '100',
        SENTRY_DSN: `http://publickey@${address}/1`,
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const ask = (where: string) =>
      fetch(`http://127.0.0.1:${port}${where}`).then(
        ({ status }) => status,
        () => 0,
      );
    try {
      await until(async () => (await ask('/live')) === 200);
      expect(await ask(path)).toBe(500);
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
