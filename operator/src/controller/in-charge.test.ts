import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { pino } from 'pino';
import { refused } from '../kube/errors.ts';
import type { LeaseObject } from '../kube/lease.ts';
import type { Request, Transport } from '../kube/transport.ts';
import { InCharge, keepCharge, moveOf } from './in-charge.ts';

const US = 'shop/devshelf-operator';
const OTHER = 'devshelf-system/devshelf-operator';
const TIMING = { answerMs: 25_000, askMs: 15_000 };

test.each([
  ['there is no Lease', undefined, 0, undefined, 'take'],
  ['it was emptied by hand', { holder: '' }, 0, undefined, 'take'],
  ['it is ours', { holder: US }, 1e9, undefined, 'keep'],
  ['it is ours, and somebody asks', { holder: US, askedBy: OTHER }, 0, undefined, 'answer'],
  ['it is ours, and the question is old', { holder: US, askedBy: OTHER }, 1e9, undefined, 'answer'],
  ['it is another one’s, and we have not asked', { holder: OTHER }, 0, undefined, 'ask'],
  ['it answered a moment ago', { holder: OTHER }, 0, 14_999, 'wait'],
  ['it answered a while ago, and may have gone since', { holder: OTHER }, 1e9, 15_000, 'ask'],
  ['it has time to answer', { holder: OTHER, askedBy: US }, 24_999, 24_999, 'wait'],
  ['it does not answer', { holder: OTHER, askedBy: US }, 25_000, 25_000, 'take'],
  ['it does not answer a third one', { holder: OTHER, askedBy: 'third/one' }, 25_000, undefined, 'take'],
  ['a third one has just asked', { holder: OTHER, askedBy: 'third/one' }, 0, undefined, 'wait'],
] as const)('%s', (_case, charge, unchangedMs, sinceAskedMs, move) => {
  expect(moveOf(US, charge, { unchangedMs, sinceAskedMs }, TIMING)).toBe(move);
});

test('a Lease that says nothing is nobody’s', () => {
  const metadata = { name: 'devshelf-operator-in-charge', namespace: 'shop', uid: 'u', resourceVersion: '7' };
  const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata };
  expect(keepCharge(lease)).toMatchObject({ holder: '', metadata: { namespace: 'shop', resourceVersion: '7' } });
  expect(keepCharge({ ...lease, spec: { holderIdentity: null } }).holder).toBe('');
});

function operatorOn(answer: (request: Request) => unknown) {
  const asked: string[] = [];
  const others: (string | undefined)[] = [];
  const request = async (request: Request) => {
    asked.push(request.method);
    return answer(request);
  };
  const inCharge = new InCharge({
    transport: { request } as unknown as Transport,
    installation: US,
    log: pino({ level: 'silent' }),
    onChange: (_namespace, other) => others.push(other),
    onAsked: () => {},
    refresh: async () => {},
  });
  return { inCharge, asked, others };
}

test('without a right to the Lease it works as if it were alone, and asks no more', async () => {
  const { inCharge, asked } = operatorOn(() => {
    throw refused('ListFailed', 'GET leases', { status: 403 });
  });
  await inCharge.guard('shop');
  await inCharge.guard('shop');
  expect(asked).toEqual(['GET']);
});

test('a namespace that is being removed says nothing of a right: in the next one of its name it asks again', async () => {
  const causes = [{ reason: 'NamespaceTerminating', message: 'namespace shop is being terminated' }];
  const { inCharge, asked } = operatorOn(({ method }) => {
    if (method === 'GET') return { items: [] };
    throw refused('CreateFailed', 'POST leases', { status: 403, body: { kind: 'Status', details: { causes } } });
  });
  await inCharge.guard('shop');
  await inCharge.guard('shop');
  expect(asked).toEqual(['GET', 'POST', 'GET', 'POST']);
});

test('what another one wrote where its name belongs is not repeated, and a write is refused', async () => {
  const metadata = { name: 'devshelf-operator-in-charge', namespace: 'shop', uid: 'u', resourceVersion: '7' };
  const spec = { holderIdentity: 'postgresql://u:secret@db/x' };
  const lease: LeaseObject = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec };
  const { inCharge, asked, others } = operatorOn(({ method, body }) =>
    method === 'GET'
      ? { items: [lease] }
      : { ...(body as LeaseObject), metadata: { ...metadata, resourceVersion: '8' } },
  );
  await expect(inCharge.guard('shop')).rejects.toThrow('another operator works there');
  expect(asked).toEqual(['GET', 'PUT']);
  expect(others).toEqual(['another operator']);
});

test('a writer that has just read the Lease reads it no second time', async () => {
  const { inCharge, asked } = operatorOn(({ method, body }) =>
    method === 'GET' ? { items: [] } : (body as LeaseObject),
  );
  await inCharge.guard('shop');
  await inCharge.guard('shop');
  expect(asked).toEqual(['GET', 'POST']);
  await inCharge.guard('other');
  expect(asked).toHaveLength(4);
});

const NAMESPACES = Array.from({ length: 10 }, (_, index) => `team-${index}`);

/** Installed everywhere, with a Lease in each of ten namespaces; the API server gives at most six at a time. */
function everywhere(setting: { everywhere?: boolean; mayListAll?: boolean } = {}) {
  const held = new Map(NAMESPACES.map(namespace => [namespace, leaseIn(namespace, '1')]));
  const asked: string[] = [];
  const request = async ({ method, path, query, body }: Request) => {
    const [, namespace] = /\/namespaces\/([^/]+)\//.exec(path) ?? [];
    asked.push(`${method} ${namespace ?? '*'}`);
    if (method === 'PUT') {
      const { metadata, spec } = body as LeaseObject;
      const written = { ...leaseIn(namespace ?? '', '9'), metadata: { ...metadata, resourceVersion: '9' }, spec };
      held.set(namespace ?? '', written as LeaseObject);
      return written;
    }
    if (namespace !== undefined) return { items: [held.get(namespace)] };
    if (setting.mayListAll === false) throw refused('ListFailed', 'GET leases', { status: 403 });
    const all = [...held.values()];
    return query?.['continue'] === undefined
      ? { items: all.slice(0, 6), metadata: { continue: 'six' } }
      : { items: all.slice(6), metadata: {} };
  };
  const inCharge = new InCharge({
    transport: { request } as unknown as Transport,
    installation: US,
    everywhere: setting.everywhere ?? true,
    log: pino({ level: 'silent' }),
    onChange: () => {},
    onAsked: () => {},
    refresh: async () => {},
  });
  /** A write in each of them; what was asked for it. */
  const write = async (): Promise<readonly string[]> => {
    asked.length = 0;
    for (const namespace of NAMESPACES) await inCharge.guard(namespace);
    return [...asked];
  };
  return { inCharge, held, asked, write };
}

function leaseIn(namespace: string, resourceVersion: string, holderIdentity = US, asker?: string): LeaseObject {
  const annotations = asker === undefined ? {} : { 'devshelf.dev/asked-by': asker };
  const metadata = { name: 'devshelf-operator-in-charge', namespace, uid: namespace, resourceVersion, annotations };
  return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec: { holderIdentity } };
}

const single = (namespaces: readonly string[]): string[] => namespaces.map(namespace => `GET ${namespace}`);

describe('writing in many namespaces', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: 0 });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  test('all Leases are read at once, and again only when that is too long ago', async () => {
    const { write } = everywhere();
    expect(await write()).toEqual([...single(NAMESPACES.slice(0, 3)), 'GET *', 'GET *']);
    jest.advanceTimersByTime(4_000);
    expect(await write()).toEqual([]);
    jest.advanceTimersByTime(2_000);
    expect(await write()).toEqual(['GET *', 'GET *']);
  });

  test('a write of many at the same moment waits for one list', async () => {
    const { inCharge, asked, write } = everywhere();
    await write();
    jest.advanceTimersByTime(4_000);
    await write();
    jest.advanceTimersByTime(2_000);
    asked.length = 0;
    await Promise.all(NAMESPACES.map(namespace => inCharge.guard(namespace)));
    expect(asked).toEqual(['GET *', 'GET *']);
  });

  test('a question is answered where it was asked, and where another one works nothing is written', async () => {
    const { inCharge, held, asked } = everywhere();
    held.set('team-7', leaseIn('team-7', '2', US, OTHER));
    held.set('team-8', leaseIn('team-8', '2', OTHER));
    for (const namespace of NAMESPACES.slice(0, 8)) await inCharge.guard(namespace);
    expect(asked.slice(5)).toEqual(['GET team-7', 'PUT team-7']);
    await expect(inCharge.guard('team-8')).rejects.toThrow(`${OTHER} works there`);
  });

  test.each([
    ['it does not watch all namespaces', { everywhere: false }, []],
    ['it has no right to list them all', { mayListAll: false }, ['GET *']],
  ])('each is read by itself where %s', async (_case, setting, extra) => {
    const { write } = everywhere(setting);
    expect((await write()).toSorted()).toEqual([...extra, ...single(NAMESPACES)].toSorted());
    jest.advanceTimersByTime(6_000);
    expect(await write()).toEqual(single(NAMESPACES));
  });
});
