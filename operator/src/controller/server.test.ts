import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { serveHealth } from './server.ts';

async function* none() {}

let close = (): void => {};
afterEach(() => close());

test.each([
  ['all is well', {}, ['200 ok', '200 ok']],
  ['the stores are not filled yet', { unready: 'filling' }, ['200 ok', '503 filling']],
  ['a pass does not end', { dead: 'stuck', unready: 'filling' }, ['503 stuck', '503 stuck']],
])('alive and ready: %s', async (_case, { dead, unready }: { dead?: string; unready?: string }, expected) => {
  const server = await serveHealth(0, { metrics: none, dead: () => dead, unready: () => unready });
  close = () => server.close();
  const { port } = server.address() as AddressInfo;
  const ask = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    return `${answer.status} ${(await answer.text()).trim()}`;
  };
  expect([await ask('/healthz'), await ask('/readyz')]).toEqual(expected);
});

test('what is told of very many resources is made as it is read, and whoever leaves in the middle leaves nothing', async () => {
  let made = 0;
  let ended = false;
  async function* endless() {
    try {
      for (;;) {
        made += 1;
        yield 'x'.repeat(100_000);
      }
    } finally {
      ended = true;
    }
  }
  const server = await serveHealth(0, { metrics: endless, dead: () => undefined, unready: () => undefined });
  close = () => server.close();
  const { port } = server.address() as AddressInfo;
  const leave = new AbortController();
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: leave.signal });
  await answer.body?.getReader().read();
  const before = made;
  leave.abort();
  while (!ended) await new Promise(resolve => setTimeout(resolve, 5));
  expect(before).toBeLessThan(1_000);
});
