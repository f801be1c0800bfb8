import { expect, test } from '@jest/globals';
import { Fence } from './fence.ts';
import type { Term } from './lease.ts';
import type { Request, Transport } from './transport.ts';

const write: Request = { method: 'PATCH', path: '/apis/apps/v1/namespaces/n/deployments/d' };

/** An API server that never answers; what was asked of it, and what was broken off. */
function silentServer() {
  const asked: string[] = [];
  const broken: string[] = [];
  const ask = ({ path, signal }: Request) =>
    new Promise<never>((_resolve, reject) => {
      asked.push(path);
      signal?.addEventListener('abort', () => {
        broken.push(path);
        reject(signal.reason);
      });
    });
  const transport = { request: ask, text: ask } as unknown as Transport;
  return { transport, asked, broken };
}

function term() {
  const controller = new AbortController();
  const state = { slept: false };
  const value: Term = {
    signal: controller.signal,
    isOver: () => state.slept || controller.signal.aborted,
    succeeds: false,
  };
  return { value, state, end: () => controller.abort(new Error('lost')) };
}

test('nothing gets through before a term, after it, or in a process that slept past its end', async () => {
  const { transport, asked } = silentServer();
  const fence = new Fence(transport);
  const refusal = { name: 'ApiError', status: 0, reason: 'Aborted' };
  await expect(fence.request(write)).rejects.toMatchObject(refusal);
  const first = term();
  fence.open(first.value);
  first.state.slept = true;
  await expect(fence.request(write)).rejects.toMatchObject(refusal);
  first.end();
  await expect(fence.text(write)).rejects.toMatchObject(refusal);
  expect(asked).toEqual([]);
});

test('what is under way is broken off by the end of the term, and the next term lets requests through again', async () => {
  const { transport, asked, broken } = silentServer();
  const fence = new Fence(transport);
  const first = term();
  fence.open(first.value);
  const request = expect(fence.request(write)).rejects.toThrow('lost');
  first.end();
  await request;
  expect([asked, broken]).toEqual([[write.path], [write.path]]);
  fence.open(term().value);
  const closed = expect(fence.request(write)).rejects.toThrow('closed');
  await fence.close();
  await closed;
  await expect(fence.request(write)).rejects.toMatchObject({ reason: 'Aborted' });
  expect(asked).toHaveLength(2);
});
