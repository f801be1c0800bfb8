import { expect, test } from '@jest/globals';
import type { KubeObject } from '../kube/resource.ts';
import { Store } from '../kube/store.ts';
import type { Request, Transport } from '../kube/transport.ts';
import { Digests } from './digests.ts';
import { type Kept, keep } from './views.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const secret = (resourceVersion: string): Kept =>
  keep({ apiVersion: 'v1', kind: 'Secret', metadata: { namespace: 'prod', name: 'db', uid: 'u', resourceVersion } });

function digestsOver(data: Record<string, string>) {
  const secrets = new Store<Kept>();
  let asked = 0;
  const request = async (_request: Request) => {
    asked += 1;
    return { data } as unknown as KubeObject;
  };
  const digests = new Digests({ request } as unknown as Transport, { Secret: secrets, ConfigMap: new Store<Kept>() });
  return { digests, secrets, asked: () => asked, read: () => digests.of({ kind: 'Secret', name: 'db' }, 'prod') };
}

test('an object is read when it changed, and forgotten with it', async () => {
  const { secrets, asked, read } = digestsOver({ url: base64('postgresql://u:p@db/shop') });
  expect(await read()).toBeUndefined();
  secrets.upsert(secret('1'));
  await read();
  await read();
  expect(asked()).toBe(1);
  secrets.upsert(secret('2'));
  await read();
  expect(asked()).toBe(2);
  secrets.remove(secret('3'));
  expect(await read()).toBeUndefined();
  secrets.upsert(secret('2')); // what it held is not remembered
  await read();
  expect(asked()).toBe(3);
});

test('what was answered to a write is not read, until it has changed', async () => {
  const data = { seed: base64('random') };
  const { digests, secrets, asked, read } = digestsOver(data);
  digests.learn('Secret', {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace: 'prod', name: 'db', resourceVersion: '7' },
    data,
  });
  secrets.upsert(secret('7'));
  const learnt = await read();
  expect(asked()).toBe(0);
  secrets.upsert(secret('8'));
  expect(await read()).toEqual(learnt);
  expect(asked()).toBe(1);
});

test('of a database it is known which one it is', async () => {
  const near = digestsOver({ url: base64('postgresql://u:p@db/shop'), other: base64('text') });
  near.secrets.upsert(secret('1'));
  const digest = await near.read();
  expect([...(digest?.databases.keys() ?? [])]).toEqual(['url']);
  expect(digest?.databases.get('url')?.identity).toMatch(/^[0-9a-f]{10}$/);
});

/** Of shop.example. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBgzCCASmgAwIBAgIUQyI7cu0bUoFbriy45C1r6o1eJjEwCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMc2hvcC5leGFtcGxlMB4XDTI2MTEyOTA2MjcwNloXDTI2MTIy
OTA2MjcwNlowFzEVMBMGA1UEAwwMc2hvcC5leGFtcGxlMFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAE3vD8KNLYis8+ArbZirf4fzGNMmHHWXBh5Gdij+6FYSAJVVhb
0DKbgrCXw0gWM2Ko85x7FFygi4qfEHlLAVmZoKNTMFEwHQYDVR0OBBYEFHr473+c
lkatBqvcKJ2M4oLf6HJjMB8GA1UdIwQYMBaAFHr473+clkatBqvcKJ2M4oLf6HJj
MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAIETALERAlbYHtwX
KMNOZKKK4TFqEGGhwXrODeZADTPeAiA8eBumyNvq+N4xBXUxqnf/fM7bLaryhCXh
wv1OBlh/Fg==
-----END CERTIFICATE-----`;

test('of a certificate it is known until when it is good', async () => {
  const tls = digestsOver({
    'tls.crt': base64(`${CERTIFICATE}\n${CERTIFICATE}\n`),
    'tls.key': base64('a key'),
    broken: base64('-----BEGIN CERTIFICATE-----\nx'),
  });
  tls.secrets.upsert(secret('1'));
  expect([...((await tls.read())?.expiries ?? [])]).toEqual([['tls.crt', Date.parse('2026-12-29T06:27:06Z')]]);
});
