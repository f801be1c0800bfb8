import { expect, test } from '@jest/globals';
import { ApiError } from '../kube/errors.ts';
import type { KubeObject, ManagedFields, Metadata } from '../kube/resource.ts';
import { Store } from '../kube/store.ts';
import type { Request, Transport } from '../kube/transport.ts';
import { app } from '../lifecycle/testing.ts';
import { clientSecret, keyringSecret, newKey } from '../objects/keyring.ts';
import { Keys } from './keys.ts';
import { OwnWrites } from './own-writes.ts';
import { type KeptPod, type KeptSecret, keepSecret } from './views.ts';

const [one, another, two] = [1, 2, 3].map(byte => newKey(byte === 3 ? '2' : '1', new Uint8Array(32).fill(byte))) as [
  string,
  string,
  string,
];
const place = { name: 'api', keyring: 'shop-api-keyring', client: 'shop-api-key' } as const;

/** An API server with two Secrets, the stores that show them, and how often it was asked. */
class TwoSecrets {
  readonly #objects = new Map<string, KubeObject & { data: Record<string, string> }>();
  readonly #secrets = new Store<KeptSecret>();
  #version = 0;
  asked = 0;
  down = false;
  readonly patched: string[] = [];
  readonly keys = new Keys({
    transport: {
      request: ({ path, method }: Request) => (method === 'PATCH' ? this.#patch(path) : this.#get(path)),
    } as unknown as Transport,
    stores: { secrets: this.#secrets, pods: new Store<KeptPod>() },
    ownWrites: new OwnWrites(),
    ask: () => Promise.reject(new Error('nobody is asked here')),
    randomBytes: () => new Uint8Array(32),
  });

  put(name: string, key: string, text: string, shown: Pick<Metadata, 'annotations' | 'managedFields'> = {}): void {
    this.#version += 1;
    const metadata = { name, namespace: 'prod', uid: name, resourceVersion: String(this.#version), ...shown };
    const object = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata,
      data: { [key]: Buffer.from(text).toString('base64') },
    };
    this.#objects.set(name, object);
    const all = [...this.#objects.values()].map(one => this.#secrets.pack(keepSecret(one)));
    this.#secrets.replace(all, String(this.#version));
  }

  async #patch(path: string): Promise<unknown> {
    this.patched.push(path.split('/').at(-1) ?? '');
    return { metadata: {} };
  }

  async #get(path: string): Promise<unknown> {
    this.asked += 1;
    if (this.down) throw new ApiError({ code: 'GetFailed', status: 503, reason: 'Down', message: 'etcd is away' });
    return this.#objects.get(path.split('/').at(-1) ?? '');
  }
}

/** Every patch that was sent, and the two Secrets. */
async function rotated(decidedOn: { keyring: string | undefined; client: string | undefined } | undefined) {
  const api = new TwoSecrets();
  api.put('shop-api-keyring', 'keyring.json', ring('1', { '1': one }));
  api.put('shop-api-key', 'key', one);
  const record = { state: 'Accepting', current: '1', from: '1', to: '2', since: '2026-01-01T00:00:00Z' } as const;
  const action = { do: 'rotateKey', keyring: place.keyring, change: 'add', record } as const;
  await api.keys.rotate(app(), decidedOn ? { ...action, decidedOn } : action);
  const { keyring, client } = place;
  const handOver = { do: 'handOverKey', keyring, client, keyId: '1', previousUntil: '' } as const;
  await api.keys.handOver(app(), decidedOn ? { ...handOver, decidedOn } : handOver);
  return api.patched;
}

test.each<[string, Parameters<typeof rotated>[0], string[]]>([
  ['both are as the pass saw them', { keyring: '1', client: '2' }, ['shop-api-keyring', 'shop-api-key']],
  ['the keyring has changed since the pass looked', { keyring: '0', client: '2' }, []],
  ['callers’ Secret has changed since', { keyring: '1', client: '1' }, []],
  ['callers’ Secret was made since', { keyring: '1', client: undefined }, []],
  ['nobody says what was seen', undefined, []],
])('%s', async (_case, decidedOn, patched) => {
  expect(await rotated(decidedOn)).toEqual(patched);
});

const ring = (current: string, keys: Record<string, string>) => JSON.stringify({ current, keys });

test.each<[string, Record<string, string>, string, string | undefined]>([
  ['clients hold a key of the keyring', { '1': one, '2': two }, one, '1'],
  ['what they hold was taken out of the keyring', { '2': two }, one, undefined],
  ['what they hold has the id of another key', { '1': another }, one, undefined],
  ['they hold something else', { '1': one }, 'password', undefined],
])('%s', async (_sentence, keys, held, clientId) => {
  const api = new TwoSecrets();
  api.put('shop-api-keyring', 'keyring.json', ring(Object.keys(keys)[0] ?? '', keys));
  api.put('shop-api-key', 'key', held);
  const content = await api.keys.content(app(), place);
  expect(content.known && content.value?.clientId).toBe(clientId);
  expect(JSON.stringify(content)).not.toContain('dsk_');
});

test('it is read again only when one of the two has changed', async () => {
  const api = new TwoSecrets();
  api.put('shop-api-keyring', 'keyring.json', ring('1', { '1': one }));
  api.put('shop-api-key', 'key', one);
  for (let pass = 0; pass < 3; pass += 1) await api.keys.content(app(), place);
  expect(api.asked).toBe(2);
  api.put('shop-api-keyring', 'keyring.json', '{');
  expect(await api.keys.content(app(), place)).toMatchObject({ known: true, value: undefined });
  expect(api.asked).toBe(4);
});

test('what cannot be read is a value', async () => {
  const api = new TwoSecrets();
  api.put('shop-api-keyring', 'keyring.json', ring('1', { '1': one }));
  api.down = true;
  expect(await api.keys.content(app(), place)).toEqual({ known: false, why: 'etcd is away' });
});

const share = (manager: string, annotation: string, text: string): ManagedFields => ({
  manager,
  operation: 'Update',
  fieldsV1: { 'f:data': { [`f:${text}`]: {} }, 'f:metadata': { 'f:annotations': { [`f:${annotation}`]: {} } } },
});
const OURS = 'devshelf-operator';
const record = { state: 'Idle', current: '1', since: '2026-01-01T00:00:00Z' } as const;
const rotating = { ...record, state: 'Accepting', from: '1', to: '2' } as const;

/** The two Secrets as they are written, with who wrote what. */
function written(how: {
  keyring?: readonly ManagedFields[];
  client?: readonly ManagedFields[];
  record?: Parameters<typeof keyringSecret>[3];
  withoutDigests?: boolean;
}) {
  const api = new TwoSecrets();
  const keyring = { current: '1', keys: { '1': one } };
  const { keyring: ringName, client } = place;
  const inRing = keyringSecret(app(), ringName, keyring, how.record ?? record).metadata;
  const inClient = clientSecret(app(), client, { key: one }).metadata;
  api.put(ringName, 'keyring.json', ring('1', keyring.keys), {
    annotations: inRing.annotations ?? {},
    managedFields: [...(how.keyring ?? [share(OURS, 'devshelf.dev/rotation', 'keyring.json')])],
  });
  api.put(client, 'key', one, {
    annotations: how.withoutDigests ? {} : (inClient.annotations ?? {}),
    managedFields: [...(how.client ?? [share(OURS, 'devshelf.dev/digests', 'key')])],
  });
  return api;
}

test('keys that nobody but us wrote are known by what stands beside them: nothing is read', async () => {
  const api = written({});
  const shown = await api.keys.content(app(), place);
  expect(api.asked).toBe(0);
  const read = await written({ withoutDigests: true }).keys.content(app(), place);
  expect(shown).toEqual({ ...read, readAt: expect.any(Number) });
});

test.each<[string, Parameters<typeof written>[0]]>([
  ['somebody else wrote the keyring', { keyring: [share('kubectl-edit', 'devshelf.dev/rotation', 'keyring.json')] }],
  [
    'somebody else wrote the same into the keyring',
    { keyring: [OURS, 'kubectl'].map(who => share(who, 'devshelf.dev/rotation', 'keyring.json')) },
  ],
  [
    'somebody else wrote the record',
    { keyring: [share(OURS, 'other', 'keyring.json'), share('kubectl', 'devshelf.dev/rotation', 'other')] },
  ],
  ['nobody knows who wrote the keyring', { keyring: [] }],
  ['a rotation is under way', { record: rotating }],
  ['its record names a key that is not in it', { record: { ...record, current: '2' } }],
  ['an earlier version made the callers’ Secret', { withoutDigests: true }],
  ['somebody else wrote the callers’ key', { client: [share('kubectl-edit', 'devshelf.dev/digests', 'key')] }],
  ['somebody took the callers’ key away', { client: [share(OURS, 'devshelf.dev/digests', 'previous-until')] }],
])('the two are read: %s', async (_case, how) => {
  const api = written(how);
  expect(await api.keys.content(app(), place)).toMatchObject({ known: true, value: { current: '1', clientId: '1' } });
  expect(api.asked).toBe(2);
});
