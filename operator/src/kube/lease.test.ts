import { afterEach, expect, jest, test } from '@jest/globals';
import { ApiError } from './errors.ts';
import { decideLease, LeaderElection, type LeaseObject, type LeaseOptions, observe } from './lease.ts';
import type { Request, Transport } from './transport.ts';

const lease = (resourceVersion: string, holderIdentity: string, renewTime = ''): LeaseObject => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name: 'l', namespace: 'n', resourceVersion },
  spec: { holderIdentity, leaseDurationSeconds: 15, renewTime },
});
const seen = (holder: string, atMs: number) => ({ resourceVersion: '1', holder, durationMs: 15_000, atMs });

test.each([
  ['there is none', undefined, 0, { do: 'create' }],
  ['it is ours', seen('me', 0), 99_000, { do: 'update', takesOver: false }],
  ['it was released', seen('', 0), 0, { do: 'update', takesOver: true }],
  ['another one changed it just now', seen('other', 0), 14_999, { do: 'wait' }],
  [
    'another one has not changed it for its whole duration',
    seen('other', 0),
    15_000,
    { do: 'update', takesOver: true },
  ],
])('the lease: %s', (_case, observed, nowMs, expected) => {
  expect(decideLease('me', observed, nowMs)).toEqual(expected);
});

test('a lease is as old as our seeing it change, whatever times are written in it', () => {
  const first = observe(undefined, lease('1', 'other', '1999-01-01T00:00:00.000000Z'), 1_000);
  expect(first).toMatchObject({ holder: 'other', durationMs: 15_000, atMs: 1_000 });
  expect(observe(first, lease('1', 'other'), 9_000)).toBe(first);
  expect(observe(first, lease('2', 'other', '1999-01-01T00:00:00.000000Z'), 9_000).atMs).toBe(9_000);
});

test('times that would allow two leaders are refused', () => {
  const options = { namespace: 'n', name: 'l' } as unknown as LeaseOptions;
  expect(() => new LeaderElection({ ...options, leaseDurationMs: 10_000 })).toThrow(RangeError);
  expect(() => new LeaderElection({ ...options, retryPeriodMs: 7_000 })).toThrow(RangeError);
});

afterEach(() => {
  jest.useRealTimers();
});

test('who leads renews the lease four times before its deadline, and costs the API server 24 requests a minute', async () => {
  jest.useFakeTimers();
  let asked = 0;
  const request = async ({ method, body }: Request) => {
    asked += 1;
    if (method === 'GET') throw new ApiError({ code: 'GetFailed', status: 404, reason: 'NotFound', message: 'none' });
    const { metadata, ...written } = body as LeaseObject;
    return { ...written, metadata: { ...metadata, resourceVersion: String(asked) } };
  };
  const transport = { request } as unknown as Transport;
  const election = new LeaderElection({ transport, namespace: 'n', name: 'l' });
  const term = await election.acquire();
  asked = 0;
  await jest.advanceTimersByTimeAsync(10_000);
  expect(asked).toBe(4);
  await jest.advanceTimersByTimeAsync(50_000);
  expect(asked).toBe(24);
  expect(term.isOver()).toBe(false);
  await election.stop();
});
