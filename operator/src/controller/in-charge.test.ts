import { expect, test } from '@jest/globals';
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
