// Against a real API server: two processes that want to lead, and what can happen between them.
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { type ApiServer, startApiServer } from '../../../test-e2e/cluster/apiserver.ts';
import { type FaultProxy, isWrite, startFaultProxy } from '../../../test-e2e/integration/faults.ts';
import { sleep } from './backoff.ts';
import { LeaderElection, type LeaseObject, type LeaseOptions, type Term } from './lease.ts';
import { createTransport, type Transport } from './transport.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built
// a tenth of the real times
const times = { leaseDurationMs: 2_000, renewDeadlineMs: 1_000, retryPeriodMs: 200 };
/** One that need not wait for another’s lease to run out, on a busy machine. */
const AT_ONCE_MS = times.leaseDurationMs;
let api: ApiServer;
let proxy: FaultProxy;
let proxied: Transport;
let direct: Transport;
const elections: LeaderElection[] = [];

beforeAll(async () => {
  api = await startApiServer();
  proxy = await startFaultProxy(api);
  const credentials = async () => ({ headers: { authorization: `Bearer ${api.adminToken}` }, tls: { ca: api.caPem } });
  proxied = createTransport({ server: proxy.url, namespace: 'default', credentials });
  direct = createTransport({ server: api.url, namespace: 'default', credentials });
}, BUILD_MS);
afterEach(async () => {
  proxy.clear();
  await Promise.all(elections.splice(0).map(election => election.stop()));
});
afterAll(async () => {
  await Promise.all([proxied?.close(), direct?.close()]);
  await proxy?.stop();
  await api?.stop();
});

function candidate(name: string, identity: string, more: Partial<LeaseOptions> = {}) {
  const election = new LeaderElection({ transport: direct, namespace: 'default', name, identity, ...times, ...more });
  elections.push(election);
  const lost: { why: Error; atMs: number }[] = [];
  const acquire = async (): Promise<Term> => {
    const term = await election.acquire();
    term.signal.addEventListener('abort', () => lost.push({ why: term.signal.reason, atMs: performance.now() }));
    return term;
  };
  return { election, lost, acquire };
}

const read = async (name: string) =>
  (await api.request('GET', `/apis/coordination.k8s.io/v1/namespaces/default/leases/${name}`)) as LeaseObject;
const timed = async (act: Promise<unknown>) => {
  const startedAt = performance.now();
  await act;
  return performance.now() - startedAt;
};

test('the first one leads at once and keeps the lease; the second one waits', async () => {
  const first = candidate('kept', 'first');
  expect(await timed(first.election.acquire())).toBeLessThan(AT_ONCE_MS);
  const second = candidate('kept', 'second');
  let secondLeads = false;
  const waiting = second.election.acquire().then(
    () => {
      secondLeads = true;
    },
    () => {},
  );
  const before = await read('kept');
  await sleep(times.leaseDurationMs + 1_000);
  const after = await read('kept');
  expect([first.election.isLeader, second.election.isLeader, secondLeads]).toEqual([true, false, false]);
  expect(after.spec?.holderIdentity).toBe('first');
  expect(after.spec?.acquireTime).toBe(before.spec?.acquireTime);
  expect(after.spec?.renewTime).not.toBe(before.spec?.renewTime);
  expect(after.spec?.leaseTransitions).toBe(0);
  await second.election.stop();
  await waiting;
}, 20_000);

test('a leader that stops lets the next one begin at once, and its term is over', async () => {
  const first = candidate('released', 'first');
  const term = await first.acquire();
  expect(term.isOver()).toBe(false);
  await first.election.stop();
  expect([term.isOver(), term.signal.aborted]).toEqual([true, true]);
  expect((await read('released')).spec?.holderIdentity).toBe('');
  const second = candidate('released', 'second');
  expect(await timed(second.election.acquire())).toBeLessThan(AT_ONCE_MS);
  expect((await read('released')).spec).toMatchObject({ holderIdentity: 'second', leaseTransitions: 1 });
});

test('one that waits stops at once and gives nothing back that it does not hold', async () => {
  const first = candidate('waited-for', 'first');
  await first.acquire();
  const second = candidate('waited-for', 'second', { transport: proxied });
  const waiting = second.election.acquire();
  await sleep(300);
  proxy.inject(() => true, { fault: 'hang' }, { times: 999 });
  await sleep(300);
  const ended = expect(waiting).rejects.toThrow('stopped');
  expect(await timed(second.election.stop())).toBeLessThan(8_000);
  await ended;
  await sleep(500);
  expect((await read('waited-for')).spec?.holderIdentity).toBe('first');
  expect(first.lost).toEqual([]);
});

test('a leader whose lease is out of reach stops all the same, within seconds', async () => {
  const { election, acquire } = candidate('out-of-reach', 'first', { transport: proxied });
  await acquire();
  proxy.inject(() => true, { fault: 'hang' }, { times: 999 });
  expect(await timed(election.stop())).toBeLessThan(10_000);
});

test('a lost lease is won again by the same process, which knows whether another one led meanwhile', async () => {
  const others: string[] = [];
  const onOtherLeads = (holder: string) => void others.push(holder);
  const { acquire, lost, election } = candidate('again', 'first', { transport: proxied, onOtherLeads });
  expect((await acquire()).succeeds).toBe(true);
  proxy.inject(() => true, { fault: 'hang' }, { times: 999 });
  while (lost.length === 0) await sleep(20);
  proxy.clear();
  const second = await acquire();
  expect([second.succeeds, second.isOver(), election.isLeader]).toEqual([false, false, true]);
  expect((await read('again')).spec?.leaseTransitions).toBe(0);

  const other = candidate('again', 'other');
  const follows = other.election.acquire();
  proxy.inject(() => true, { fault: 'hang' }, { times: 999 });
  await follows;
  proxy.clear();
  const third = acquire();
  while (!others.includes('other')) await sleep(20);
  await other.election.stop();
  expect((await third).succeeds).toBe(true);
}, 20_000);

test('a leader that dies is followed after the lease’s duration, not earlier', async () => {
  const dead = {
    ...{ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'dead', namespace: 'default' } },
    spec: { holderIdentity: 'dead', leaseDurationSeconds: 2, renewTime: '2000-01-01T00:00:00.000000Z' },
  };
  await api.request('POST', '/apis/coordination.k8s.io/v1/namespaces/default/leases', dead);
  const next = candidate('dead', 'next');
  const ms = await timed(next.election.acquire());
  expect(ms).toBeGreaterThanOrEqual(2_000);
  expect(ms).toBeLessThan(10_000);
});

test('one that begins again under its own name need not wait for itself', async () => {
  const name = 'same-pod';
  await candidate(name, 'pod').election.acquire();
  elections.splice(0); // the first process is dead: it neither renews, as far as the second one is concerned, nor stops
  expect(await timed(candidate(name, 'pod').election.acquire())).toBeLessThan(AT_ONCE_MS);
});

test.each([
  ['refused', () => proxy.inject(isWrite, { fault: 'status', status: 503 }, { times: 999 })],
  ['hanging', () => proxy.inject(() => true, { fault: 'hang' }, { times: 999 })],
  ['told to wait', () => proxy.inject(isWrite, { fault: 'status', status: 429, retryAfter: '5' }, { times: 999 })],
] as const)(
  'a leader that cannot renew, %s, gives up before another one can begin',
  async (how, inject) => {
    const name = `unrenewed-${how.replaceAll(' ', '-')}`;
    const first = candidate(name, 'first', { transport: proxied });
    await first.acquire();
    const second = candidate(name, 'second');
    const following = second.election.acquire().then(() => performance.now());
    await sleep(300);
    inject();
    const followedAtMs = await following;
    expect(first.election.isLeader).toBe(false);
    expect(first.lost).toHaveLength(1);
    expect(first.lost[0]?.why.message).toContain('not renewed');
    expect(followedAtMs - (first.lost[0]?.atMs ?? 0)).toBeGreaterThan(500);
    proxy.clear();
  },
  20_000,
);

test('an answer that was lost, a conflict or a deleted lease do not end a leader', async () => {
  const { election, lost, acquire } = candidate('bumpy', 'only', { transport: proxied });
  await acquire();
  proxy.inject(isWrite, { fault: 'loseAnswer' });
  await sleep(600);
  await api.kubectl('annotate', 'lease', 'bumpy', 'touched=yes');
  await sleep(600);
  await api.kubectl('delete', 'lease', 'bumpy');
  await sleep(600);
  expect(election.isLeader).toBe(true);
  expect(lost).toEqual([]);
  expect((await read('bumpy')).spec?.holderIdentity).toBe('only');
}, 20_000);

test('a leader whose lease another one took stops at once', async () => {
  const { election, lost, acquire } = candidate('stolen', 'first');
  await acquire();
  const now = await read('stolen');
  await api.kubectl('patch', 'lease', 'stolen', '--type=merge', '-p', '{"spec":{"holderIdentity":"thief"}}');
  await sleep(600);
  expect(now.spec?.holderIdentity).toBe('first');
  expect(election.isLeader).toBe(false);
  expect(lost[0]?.why.message).toContain('thief holds the lease');
}, 20_000);

test('of many that begin together one leads', async () => {
  const many = Array.from({ length: 6 }, (_, index) => candidate('race', `candidate-${index}`).election);
  const acquiring = many.map(election => election.acquire().catch(() => {}));
  await sleep(1_000);
  expect(many.filter(election => election.isLeader)).toHaveLength(1);
  await Promise.all(many.map(election => election.stop()));
  await Promise.all(acquiring);
}, 20_000);
