import { expect, test } from '@jest/globals';
import type { KeyView } from '../snapshot.ts';
import { held, snapshot } from '../testing.ts';
import { credentials } from './credentials.ts';

const api: KeyView = {
  name: 'api',
  keyring: 'api-keyring',
  client: 'api-key',
  keyringPresent: true,
  clientPresent: true,
};
const signing: KeyView = { name: 'signing', keyring: 'signing-keyring', keyringPresent: true, clientPresent: true };

test.each<[string, KeyView[], object | undefined]>([
  ['every key is there', [api, signing], undefined],
  [
    'a keyring is missing',
    [api, { ...signing, keyringPresent: false }],
    { do: 'mintKeyring', keyring: 'signing-keyring' },
  ],
  [
    'the keyring comes before what callers read of it',
    [{ ...api, keyringPresent: false, clientPresent: false }],
    { do: 'mintKeyring', keyring: 'api-keyring' },
  ],
  [
    'callers have no key yet',
    [{ ...api, clientPresent: false }],
    { do: 'publishKey', keyring: 'api-keyring', client: 'api-key' },
  ],
  ['nobody but the pods reads the signing key', [{ ...signing, clientPresent: false }], undefined],
])('%s', (_sentence, keys, action) => {
  const decision = credentials(snapshot({ keys }));
  expect(decision.kind).toBe(action ? 'act' : 'proceed');
  if (decision.kind === 'act') expect(decision.action).toEqual(action);
});

const foreign = (isLeaving: boolean) => ({ keys: [{ ...api, foreign: { name: 'api-key', isLeaving } }] });

test.each([
  ['somebody else has a Secret of that name', snapshot(foreign(false)), 'fail', 'False', 'NotOwned'],
  ['a rollout that has begun goes on, and says so', held(foreign(false)), 'proceed', 'False', 'NotOwned'],
  ['what an earlier resource left is waited for', snapshot(foreign(true)), 'wait', 'Unknown', 'Minting'],
])('%s', (_sentence, seen, kind, status, reason) => {
  expect(credentials(seen)).toMatchObject({ kind, condition: { status, reason } });
});
