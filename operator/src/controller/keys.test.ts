import { expect, test } from '@jest/globals';
import { ApiError } from '../kube/errors.ts';
import type { KubeObject } from '../kube/resource.ts';
import { Store } from '../kube/store.ts';
import type { Transport } from '../kube/transport.ts';
import { app } from '../lifecycle/testing.ts';
import { newKey } from '../objects/keyring.ts';
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
  readonly keys = new Keys({
    transport: { request: ({ path }: { path: string }) => this.#get(path) } as unknown as Transport,
    stores: { secrets: this.#secrets, pods: new Store<KeptPod>() },
    ownWrites: new OwnWrites(),
    ask: () => Promise.reject(new Error('nobody is asked here')),
    randomBytes: () => new Uint8Array(32),
  });

  put(name: string, key: string, text: string): void {
    this.#version += 1;
    const metadata = { name, namespace: 'prod', uid: name, resourceVersion: String(this.#version) };
    const object = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata,
      data: { [key]: Buffer.from(text).toString('base64') },
    };
    this.#objects.set(name, object);
    const all = [...this.#objects.values()].map(keepSecret);
    this.#secrets.replace(all, String(this.#version));
  }

  async #get(path: string): Promise<unknown> {
    this.asked += 1;
    if (this.down) throw new ApiError({ code: 'GetFailed', status: 503, reason: 'Down', message: 'etcd is away' });
    return this.#objects.get(path.split('/').at(-1) ?? '');
  }
}

const ring = (current: string, keys: Record<string, string>) => JSON.stringify({ current, keys });

test.each<[string, Record<string, string>, string, string | undefined]>([
  ['clients hold a key of the keyring', { '1': one, '2': two }, one, '1'],
  ['what they hold was taken out of the keyring', { '2': two }, one, '1'],
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
