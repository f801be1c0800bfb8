// What Exposed says, row by row, of what controllers of doors write. A real API server with the definitions of Gateway API
// as they are published; the test writes each status as a controller would, and nobody routes anything.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { temporaryFolder } from '../../../services/common/testing/processes.ts';
import { authority, certificate, type Pair } from '../../../test-e2e/cluster/pki.ts';
import { type FaultProxy, startFaultProxy } from '../../../test-e2e/integration/faults.ts';
import type { AppStatus } from '../api/status.ts';
import { get } from '../kube/apply.ts';
import {
  httpRoutes,
  ingresses,
  type KubeObject,
  listenerSets,
  pathOf,
  type Resource,
  secrets,
  services,
} from '../kube/resource.ts';
import { createTransport, type Transport } from '../kube/transport.ts';
import { type Exposed, exposedAs } from './testing/exposure.ts';
import { type LittleCluster, startLittleCluster } from './testing/little-cluster.ts';
import { Scene } from './testing/scene.ts';
import { type LiveApp, until } from './testing/shop.ts';

const MINUTE = 60_000;
const CRDS = join(import.meta.dirname, '../../../test-e2e/crds/gateway-api');
const HOST = 'shop.example';
const ADDRESS = '203.0.113.7';
const ROUTER = 'example.com/router';
const PROXIES = ['10.244.0.0/16'];
/** More than the operator waits for a router's word, and for what a router has said to be served. */
const PATIENCE_MS = 5 * MINUTE + 1_000;
const SERVED_MS = 11_000;

const INGRESS = { type: 'Ingress', hosts: [HOST], ingress: { className: 'traefik' } };
const PUBLIC = { name: 'public', namespace: 'edge', sectionName: 'https' };
const OWN = { name: 'own' };
const GATEWAY = { type: 'Gateway', hosts: [HOST], gateway: { parentRefs: [PUBLIC, OWN] } };
const REDIRECTED = {
  type: 'Gateway',
  hosts: [HOST],
  trustedProxies: PROXIES,
  forceHTTPS: true,
  gateway: { parentRefs: [PUBLIC], httpSection: 'http' },
};

const folder = temporaryFolder('devshelf-exposed-');
let cluster: LittleCluster;
let proxy: FaultProxy;
let issuer: Pair;
let scenes: Scene[] = [];

beforeAll(async () => {
  cluster = await startLittleCluster();
  proxy = await startFaultProxy(cluster.api);
  issuer = await authority(folder.path, 'router');
}, 15 * MINUTE);

afterEach(async () => {
  proxy.clear();
  await Promise.all(scenes.map(scene => scene.stop()));
  scenes = [];
});

afterAll(async () => {
  await proxy?.stop();
  await cluster?.stop();
  folder.remove();
});

async function open(name: string, exposure: object, connection?: Transport): Promise<Scene> {
  const scene = new Scene(cluster, `exposed-${name}`);
  scenes.push(scene);
  await scene.shop.open();
  await scene.start(connection);
  await scene.settled('1', { exposure });
  return scene;
}

// ---- what a controller does

const live = async <T extends KubeObject>(scene: Scene, resource: Resource<T>, name: string): Promise<T> =>
  until(
    () => get(cluster.transport, resource, { namespace: scene.shop.namespace, name }),
    `there is no ${resource.kind} ${name}`,
  );

async function write(scene: Scene, resource: Resource, name: string, status: object): Promise<void> {
  await cluster.transport.request({
    method: 'PATCH',
    path: pathOf(resource, { namespace: scene.shop.namespace, name, subresource: 'status' }),
    query: { fieldManager: 'router' },
    contentType: 'application/merge-patch+json',
    body: { status },
  });
}

const publishes = (scene: Scene, ...places: object[]): Promise<void> =>
  write(scene, ingresses, 'shop', { loadBalancer: { ingress: places } });

type Parent = {
  readonly kind?: string;
  readonly name: string;
  readonly namespace?: string;
  readonly sectionName?: string;
};

/** One condition of an answer, by default a yes to the route as it is. */
interface Word {
  readonly status?: 'True' | 'False';
  readonly reason?: string;
  /** Older than the route by so many generations; `untold`: it does not say of which it speaks. */
  readonly behind?: number | 'untold';
}

interface Answer {
  readonly parent: Parent;
  readonly by?: string;
  readonly accepted?: Word;
  /** Absent: not said. */
  readonly resolved?: Word | undefined;
}

/** As controllers write it of an object of this generation. */
const wordsOf =
  (generation: number) =>
  (type: string, { status = 'True', reason = type, behind = 0 }: Word) => ({
    ...{
      type,
      status,
      reason,
      message: `${reason}, in a router’s words`,
      lastTransitionTime: new Date().toISOString(),
    },
    ...(behind !== 'untold' && { observedGeneration: generation - behind }),
  });

/** All that routers say of it. */
async function answers(scene: Scene, said: readonly Answer[], route = 'shop'): Promise<void> {
  const { generation = 0 } = (await live(scene, httpRoutes, route)).metadata;
  const condition = wordsOf(generation);
  const parents = said.map(({ parent, by = ROUTER, accepted = {}, ...more }) => {
    const resolved = 'resolved' in more ? more.resolved : {};
    return {
      parentRef: { group: 'gateway.networking.k8s.io', kind: 'Gateway', namespace: scene.shop.namespace, ...parent },
      controllerName: by,
      conditions: [condition('Accepted', accepted), ...(resolved ? [condition('ResolvedRefs', resolved)] : [])],
    };
  });
  await write(scene, httpRoutes, route, { parents });
}

const yes = (...parents: readonly Parent[]): Answer[] => parents.map(parent => ({ parent }));

/** What a Gateway says of a set of listeners, and of each of them. */
async function takes(
  scene: Scene,
  set: Word,
  listener: Readonly<Partial<Record<'ResolvedRefs' | 'Programmed', Word>>> = {},
) {
  const { metadata, spec } = await live(scene, listenerSets, 'shop');
  const condition = wordsOf(metadata.generation ?? 0);
  const { ResolvedRefs = {}, Programmed = {} } = listener;
  const listeners = (spec?.listeners ?? []).map(({ name }) => ({
    name,
    attachedRoutes: 1,
    supportedKinds: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute' }],
    conditions: [
      condition('ResolvedRefs', ResolvedRefs),
      condition('Accepted', {}),
      condition('Programmed', Programmed),
    ],
  }));
  await write(scene, listenerSets, 'shop', {
    conditions: [condition('Accepted', set), condition('Programmed', set)],
    listeners,
  });
}

/** The certificate that the door is served with, good for so many days. */
async function certified({ shop: { namespace } }: Scene, days: number): Promise<void> {
  const where = { namespace, name: 'shop-tls' };
  const made = await certificate(folder.path, issuer, `${namespace}-${days}`, { commonName: HOST, days });
  const data = { 'tls.crt': readFileSync(made.cert, 'base64'), 'tls.key': readFileSync(made.key, 'base64') };
  const there = await get(cluster.transport, secrets, where);
  await cluster.transport.request(
    there
      ? { method: 'PATCH', path: pathOf(secrets, where), contentType: 'application/merge-patch+json', body: { data } }
      : {
          method: 'POST',
          path: pathOf(secrets, { namespace }),
          body: { metadata: { name: where.name }, type: 'kubernetes.io/tls', data },
        },
  );
}

// ---- what is said of it

const REACHED: readonly string[] = ['http://shop.example'];

/** The column of `kubectl get -o wide`. */
async function shownUrl({ shop: { namespace } }: Scene): Promise<string | undefined> {
  const [head = '', line = ''] = (await cluster.api.kubectl('get', 'dbd', '-n', namespace, '-o', 'wide')).split('\n');
  return line.slice(head.indexOf('URL')).split(' ')[0];
}

/** And then nothing is written, however often it is looked at. */
async function rests(scene: Scene): Promise<void> {
  await scene.quiet();
  expect(await scene.writesIfNudged()).toEqual([]);
}

const readiness = async (scene: Scene): Promise<string | undefined> =>
  (await scene.shop.app())?.status?.conditions?.find(({ type }) => type === 'Ready')?.status;

/** Every status that goes through it. */
function heard(inner: Transport, said: AppStatus[]): Transport {
  return {
    request: request => {
      if (request.path.endsWith('/shop/status')) said.push((request.body as LiveApp).status as AppStatus);
      return inner.request(request);
    },
    text: request => inner.text(request),
    watch: (...asked) => inner.watch(...asked),
    close: () => inner.close(),
  };
}

/** What passes by waiting need not be waited for. */
async function later(scene: Scene, ms: number): Promise<void> {
  scene.aheadMs += ms;
  await scene.nudge();
}

test(
  'without Gateway API it is said that it is missing; installed, it is found by itself',
  async () => {
    const scene = await open('missing', GATEWAY);
    await exposedAs(scene.shop, { status: 'False', reason: 'ExposureAPIMissing', words: 'install Gateway API' });
    expect(await readiness(scene)).toBe('True');
    await rests(scene);
    await cluster.api.installCrds(CRDS);
    await exposedAs(scene.shop, { status: 'Unknown', reason: 'RouteUnanswered', words: 'edge/public' });
    await answers(scene, yes(PUBLIC, OWN));
    await exposedAs(scene.shop, { status: 'True', reason: 'Exposed', words: ROUTER, urls: REACHED });
    await rests(scene);
  },
  3 * MINUTE,
);

describe('a Gateway', () => {
  beforeAll(() => cluster.api.installCrds(CRDS));

  type Row = readonly [string, readonly Answer[], Exposed];
  const rows: readonly Row[] = [
    ['every parent accepts', yes(PUBLIC, OWN), { status: 'True', reason: 'Exposed', words: ROUTER, urls: REACHED }],
    ['nobody says a word', [], { status: 'Unknown', reason: 'RouteUnanswered', words: 'edge/public, listener https' }],
    ['one of two does', yes(PUBLIC), { status: 'Unknown', reason: 'RouteUnanswered', words: '/own; ' }],
    [
      'the word of another listener',
      yes({ ...PUBLIC, sectionName: 'other' }, OWN),
      { status: 'Unknown', reason: 'RouteUnanswered', words: 'edge/public' },
    ],
    [
      'half a word',
      [...yes(PUBLIC), { parent: OWN, resolved: undefined }],
      { status: 'Unknown', reason: 'RouteUnanswered', words: '/own; ' },
    ],
    [
      'both words are about the route before',
      [...yes(PUBLIC), { parent: OWN, accepted: { behind: 1 }, resolved: { behind: 1 } }],
      { status: 'Unknown', reason: 'RouteUnanswered', words: '/own; ' },
    ],
    [
      'one of the two words is about the route before',
      [...yes(PUBLIC), { parent: OWN, resolved: { behind: 1 } }],
      { status: 'Unknown', reason: 'RouteUnanswered', words: '/own; ' },
    ],
    [
      'a refusal of the route before',
      [...yes(PUBLIC), { parent: OWN, accepted: { status: 'False', reason: 'NotAllowedByListeners', behind: 1 } }],
      { status: 'Unknown', reason: 'RouteUnanswered', words: '/own; ' },
    ],
    [
      'a word that does not say which route it is about is taken as it is',
      [...yes(PUBLIC), { parent: OWN, accepted: { behind: 'untold' }, resolved: { behind: 'untold' } }],
      { status: 'True', reason: 'Exposed', words: ROUTER, urls: REACHED },
    ],
    [
      'but not beside one that is about the route before',
      [...yes(PUBLIC), { parent: OWN, accepted: { behind: 1 }, resolved: { behind: 'untold' } }],
      { status: 'Unknown', reason: 'RouteUnanswered', words: '/own; ' },
    ],
    [
      'a refusal that does not say which route it is about is a refusal',
      [...yes(PUBLIC), { parent: OWN, accepted: { status: 'False', reason: 'NoMatchingParent', behind: 'untold' } }],
      { status: 'False', reason: 'RouteRejected', words: '/own: NoMatchingParent' },
    ],
    [
      'one parent refuses',
      [...yes(PUBLIC), { parent: OWN, accepted: { status: 'False', reason: 'NotAllowedByListeners' } }],
      { status: 'False', reason: 'RouteRejected', words: '/own: NotAllowedByListeners: NotAllowedByListeners, in a' },
    ],
    [
      'it leads nowhere',
      [...yes(OWN), { parent: PUBLIC, resolved: { status: 'False', reason: 'BackendNotFound' } }],
      { status: 'False', reason: 'RouteRejected', words: 'edge/public, listener https: BackendNotFound' },
    ],
    [
      'another controller refuses for a Gateway that is not its own',
      [...yes(PUBLIC, OWN), { parent: OWN, by: 'example.com/other', accepted: { status: 'False' } }],
      { status: 'True', reason: 'Exposed', words: ROUTER, urls: REACHED },
    ],
  ];

  test(
    'what each answer comes to; at rest nothing is written, and Ready is not asked',
    async () => {
      const scene = await open('gateway', GATEWAY);
      for (const [title, said, expected] of rows) {
        await answers(scene, said);
        await exposedAs(scene.shop, expected).catch((error: Error) => {
          throw new Error(`${title}: ${error.message}`);
        });
        expect([title, await readiness(scene)]).toEqual([title, 'True']);
        await rests(scene);
      }
    },
    5 * MINUTE,
  );

  test(
    'a route that changes needs a new word, and silence for five minutes is an answer',
    async () => {
      const scene = await open('stale', GATEWAY);
      await answers(scene, yes(PUBLIC, OWN));
      await exposedAs(scene.shop, { status: 'True', reason: 'Exposed', urls: REACHED });
      await scene.shop.patch({ exposure: { gateway: { requestTimeoutSeconds: 30 } } });
      await exposedAs(scene.shop, { status: 'Unknown', reason: 'RouteUnanswered', words: 'edge/public' });
      await later(scene, PATIENCE_MS);
      await exposedAs(scene.shop, { status: 'False', reason: 'RouteUnanswered', words: 'edge/public' });
      await rests(scene);
      await answers(scene, yes(PUBLIC, OWN));
      await exposedAs(scene.shop, { status: 'True', reason: 'Exposed', urls: REACHED });
      await rests(scene);
    },
    2 * MINUTE,
  );

  test(
    'no host is said to be reached before a router has heard of it',
    async () => {
      const said: AppStatus[] = [];
      const both = [HOST, 'www.example'];
      const scene = await open('told', { ...GATEWAY, hosts: both }, heard(await cluster.connect(), said));
      await answers(scene, yes(PUBLIC, OWN));
      await exposedAs(scene.shop, {
        status: 'True',
        reason: 'Exposed',
        urls: ['http://shop.example', 'http://www.example'],
      });
      // what is wanted cannot be released, so that no pods are in between
      const secretKeyRef = { name: 'nobody-made-it', key: 'x' };
      await scene.shop.patch({ exposure: { hosts: [HOST] }, extraEnv: [{ name: 'X', valueFrom: { secretKeyRef } }] });
      await exposedAs(scene.shop, { status: 'Unknown', reason: 'RouteUnanswered' });
      await answers(scene, yes(PUBLIC, OWN));
      await exposedAs(scene.shop, { status: 'True', reason: 'Exposed', urls: REACHED });
      await rests(scene);
      said.length = 0;
      await scene.shop.patch({ exposure: { hosts: both }, extraEnv: null });
      await exposedAs(scene.shop, { status: 'Unknown', reason: 'RouteUnanswered' });
      expect(said.flatMap(({ publicURLs = [] }) => publicURLs)).not.toContain('http://www.example');
      await answers(scene, yes(PUBLIC, OWN));
      await exposedAs(scene.shop, {
        status: 'True',
        reason: 'Exposed',
        urls: ['http://shop.example', 'http://www.example'],
      });
      await rests(scene);
    },
    2 * MINUTE,
  );

  test(
    'with forceHTTPS the listener for plain HTTP has to take the route that redirects',
    async () => {
      const scene = await open('redirected', REDIRECTED);
      const plain = { ...PUBLIC, sectionName: 'http' };
      await answers(scene, yes(PUBLIC));
      await exposedAs(scene.shop, {
        status: 'Unknown',
        reason: 'RouteUnanswered',
        words: 'listener http; kubectl get httproute shop-redirect',
      });
      const refusal = { parent: plain, accepted: { status: 'False', reason: 'NotAllowedByListeners' } } as const;
      await answers(scene, [refusal], 'shop-redirect');
      await exposedAs(scene.shop, {
        status: 'False',
        reason: 'RouteRejected',
        words: 'listener http: NotAllowedByListeners',
      });
      await answers(scene, [{ parent: plain, accepted: { behind: 1 }, resolved: { behind: 1 } }], 'shop-redirect');
      await exposedAs(scene.shop, { status: 'Unknown', reason: 'RouteUnanswered', words: 'listener http' });
      await answers(scene, yes(plain), 'shop-redirect');
      await exposedAs(scene.shop, { status: 'True', reason: 'Exposed', urls: ['https://shop.example'] });
      await rests(scene);
    },
    2 * MINUTE,
  );

  test(
    'with a certificate of our own the listeners that we bring have to be programmed, each of them',
    async () => {
      const hosts = [HOST, 'www.example'];
      const gateway = { parentRefs: [{ name: 'public', namespace: 'edge' }] };
      const scene = await open('listeners', { type: 'Gateway', hosts, tls: { issuer: { name: 'ours' } }, gateway });
      await exposedAs(scene.shop, {
        status: 'Unknown',
        reason: 'RouteUnanswered',
        words: 'ListenerSet exposed-listeners/shop',
      });
      await rests(scene);
      await answers(scene, yes({ kind: 'ListenerSet', name: 'shop' }));
      await exposedAs(scene.shop, {
        status: 'Unknown',
        reason: 'RouteUnanswered',
        words: 'ListenerSet exposed-listeners/shop',
      });
      await takes(scene, {}, { ResolvedRefs: { status: 'False', reason: 'InvalidCertificateRef' } });
      await exposedAs(scene.shop, {
        status: 'Unknown',
        reason: 'CertificatePending',
        words: 'Secret shop-tls is not there',
      });
      await rests(scene);
      await certified(scene, 90);
      await takes(scene, { status: 'False', reason: 'NotAllowed' });
      await exposedAs(scene.shop, {
        status: 'False',
        reason: 'RouteRejected',
        words: 'NotAllowed, in a router’s words',
      });
      expect(await readiness(scene)).toBe('True');
      await rests(scene);
      await takes(scene, {}, { Programmed: { behind: 1 } });
      await exposedAs(scene.shop, {
        status: 'Unknown',
        reason: 'RouteUnanswered',
        words: 'ListenerSet exposed-listeners/shop',
      });
      await takes(scene, {});
      await exposedAs(scene.shop, {
        status: 'True',
        reason: 'Exposed',
        urls: ['https://shop.example', 'https://www.example'],
      });
      await rests(scene);
      await certified(scene, 13);
      await exposedAs(scene.shop, {
        status: 'False',
        reason: 'CertificateExpires',
        words: 'Secret shop-tls expires at ',
      });
      await rests(scene);
    },
    2 * MINUTE,
  );

  test(
    'in place of an Ingress: that stays until the Gateway has served for a while',
    async () => {
      const scene = await open('moves', INGRESS);
      await publishes(scene, { ip: ADDRESS });
      await exposedAs(scene.shop, { status: 'True', reason: 'Exposed', words: ADDRESS, urls: REACHED });
      const doors = async () =>
        [
          ...(await scene.shop.list('networking.k8s.io/v1/ingresses')),
          ...(await scene.shop.list('gateway.networking.k8s.io/v1/httproutes')),
        ].map(({ kind, metadata }) => `${kind ?? ''}${metadata.name}`);
      await scene.shop.patch({ exposure: { ...GATEWAY, ingress: null } });
      await exposedAs(scene.shop, { status: 'Unknown', reason: 'RouteUnanswered' });
      await answers(scene, yes(PUBLIC, OWN));
      await exposedAs(scene.shop, { status: 'True', reason: 'Exposed', words: ROUTER, urls: REACHED });
      // however long this takes here, to the operator no time passes
      await later(scene, -PATIENCE_MS);
      await rests(scene);
      expect(await doors()).toHaveLength(2);
      await later(scene, PATIENCE_MS + SERVED_MS);
      await until(async () => (await doors()).length === 1, 'the Ingress stays for good');
      await scene.shop.patch({ exposure: { type: 'None', gateway: null } });
      await until(async () => (await doors()).length === 0, 'the door is not closed');
      await until(
        async () => (await scene.shop.app())?.status?.conditions?.every(({ type }) => type !== 'Exposed'),
        'Exposed is said of what is not exposed',
      );
      expect((await scene.shop.app())?.status?.publicURLs).toBeUndefined();
    },
    3 * MINUTE,
  );
});

describe('an Ingress', () => {
  test(
    'an address is its word; without one it is waited for, five minutes',
    async () => {
      const scene = await open('ingress', INGRESS);
      await exposedAs(scene.shop, { status: 'Unknown', reason: 'LoadBalancerPending', words: 'class traefik' });
      await rests(scene);
      await later(scene, PATIENCE_MS);
      await exposedAs(scene.shop, { status: 'False', reason: 'LoadBalancerPending', words: 'class traefik' });
      expect(await readiness(scene)).toBe('True');
      await rests(scene);
      await publishes(scene, { ip: ADDRESS });
      await exposedAs(scene.shop, {
        status: 'True',
        reason: 'Exposed',
        words: `${HOST} through ${ADDRESS}`,
        urls: REACHED,
      });
      expect(await shownUrl(scene)).toBe('http://shop.example');
      await rests(scene);
      await publishes(scene, { hostname: 'lb.example' });
      await exposedAs(scene.shop, { status: 'True', reason: 'Exposed', words: 'through lb.example', urls: REACHED });
      await publishes(scene);
      await exposedAs(scene.shop, { status: 'Unknown', reason: 'LoadBalancerPending' });
      expect(await shownUrl(scene)).toBe('');
      await rests(scene);
    },
    2 * MINUTE,
  );

  test(
    'a certificate that is missing, good, about to end, renewed',
    async () => {
      const scene = await open('certificate', { ...INGRESS, tls: { issuer: { name: 'ours' } } });
      const urls = ['https://shop.example'];
      await publishes(scene, { ip: ADDRESS });
      await exposedAs(scene.shop, {
        status: 'Unknown',
        reason: 'CertificatePending',
        words: 'describe certificate shop-tls',
      });
      await rests(scene);
      await certified(scene, 15);
      await exposedAs(scene.shop, { status: 'True', reason: 'Exposed', urls });
      await rests(scene);
      await certified(scene, 13);
      await exposedAs(scene.shop, {
        status: 'False',
        reason: 'CertificateExpires',
        words: 'Secret shop-tls expires at ',
      });
      expect(await readiness(scene)).toBe('True');
      await rests(scene);
      await certified(scene, 90);
      await exposedAs(scene.shop, { status: 'True', reason: 'Exposed', urls });
      await rests(scene);
    },
    2 * MINUTE,
  );

  test(
    'a host that is added waits for its release, and one that is removed goes at once',
    async () => {
      const scene = await open('hosts', INGRESS);
      const routed = async () => (await live(scene, ingresses, 'shop')).spec?.rules?.map(({ host }) => host);
      await publishes(scene, { ip: ADDRESS });
      await exposedAs(scene.shop, { status: 'True', reason: 'Exposed', urls: REACHED });
      scene.find('2', { canary: 'Pending' });
      await scene.shop.patch({ image: 'example/dashboard:2', exposure: { hosts: [HOST, 'www.example'] } });
      await scene.shop.reaches('Candidate');
      await exposedAs(scene.shop, { status: 'Unknown', reason: 'HostsFollow', words: 'www.example: ' });
      expect(await routed()).toEqual([HOST]);
      await scene.finds('2', { canary: 'Good' });
      await scene.shop.settles('2');
      await exposedAs(scene.shop, {
        status: 'True',
        reason: 'Exposed',
        urls: ['http://shop.example', 'http://www.example'],
      });
      expect(await routed()).toEqual([HOST, 'www.example']);
      scene.find('3', { canary: 'Pending' });
      await scene.shop.patch({ image: 'example/dashboard:3', exposure: { hosts: ['www.example'] } });
      await scene.shop.reaches('Candidate');
      await exposedAs(scene.shop, { status: 'True', reason: 'Exposed', urls: ['http://www.example'] });
      expect(await routed()).toEqual(['www.example']);
    },
    2 * MINUTE,
  );

  test(
    'hosts that are replaced in one change are refused, and users keep the door that they come by',
    async () => {
      const scene = await open('replaced', INGRESS);
      await publishes(scene, { ip: ADDRESS });
      await exposedAs(scene.shop, { status: 'True', reason: 'Exposed', urls: REACHED });
      const before = (await live(scene, ingresses, 'shop')).metadata;
      await scene.shop.patch({ exposure: { hosts: ['new.example'] } });
      await scene.shop.says('HostsDisjoint');
      await scene.shop.says('HostsDisjoint', 'Stalled');
      await exposedAs(scene.shop, { status: 'Unknown', reason: 'HostsFollow', words: 'new.example: ' });
      await rests(scene);
      const { uid, generation } = (await live(scene, ingresses, 'shop')).metadata;
      expect({ uid, generation }).toEqual({ uid: before.uid, generation: before.generation });
      expect(await scene.shop.revisions()).toHaveLength(1);
      await scene.shop.patch({ exposure: { hosts: [HOST, 'new.example'] } });
      await exposedAs(scene.shop, {
        status: 'True',
        reason: 'Exposed',
        urls: ['http://shop.example', 'http://new.example'],
      });
    },
    2 * MINUTE,
  );

  test(
    'a first release that nobody was ever served by binds nobody to its hosts',
    async () => {
      const scene = new Scene(cluster, 'exposed-mistyped');
      scenes.push(scene);
      await scene.shop.open();
      await scene.start();
      cluster.kubelet.behave(scene.shop.namespace, 'example/dashboard:1', { serving: 'neverReady' });
      await scene.shop.create('1', { exposure: { ...INGRESS, hosts: ['shpo.example'] } });
      await scene.shop.reaches('Installing');
      await scene.shop.patch({ image: 'example/dashboard:2', exposure: { hosts: [HOST] } });
      await scene.shop.settles('2');
      await publishes(scene, { ip: ADDRESS });
      await exposedAs(scene.shop, { status: 'True', reason: 'Exposed', urls: REACHED });
      await rests(scene);
    },
    2 * MINUTE,
  );

  test(
    'who may not see Ingresses says so, and is let in by the rights alone',
    async () => {
      proxy.inject(
        ({ path }) => path.includes('/ingresses'),
        { fault: 'status', status: 403, reason: 'Forbidden' },
        { times: Number.POSITIVE_INFINITY },
      );
      const credentials = async () => ({ headers: { authorization: `Bearer ${cluster.api.adminToken}` }, tls: {} });
      const connection = createTransport({ server: proxy.url, namespace: 'exposed-refused', credentials });
      const scene = await open('refused', INGRESS, connection);
      await exposedAs(scene.shop, {
        status: 'False',
        reason: 'ExposureAPIMissing',
        words: 'give it the rights of its chart',
      });
      expect(await readiness(scene)).toBe('True');
      await rests(scene);
      proxy.clear();
      await exposedAs(scene.shop, { status: 'Unknown', reason: 'LoadBalancerPending' });
    },
    2 * MINUTE,
  );
});

test(
  'a Service with a load balancer of its own is no door: nothing is said of it',
  async () => {
    const scene = new Scene(cluster, 'exposed-balanced');
    scenes.push(scene);
    await scene.shop.open();
    await scene.start();
    await scene.settled('1', { service: { type: 'LoadBalancer' } });
    await write(scene, services, 'shop', { loadBalancer: { ingress: [{ ip: ADDRESS }] } });
    await rests(scene);
    const { conditions, publicURLs } = (await scene.shop.app())?.status ?? {};
    expect(conditions?.map(({ type }) => type)).not.toContain('Exposed');
    expect(publicURLs).toBeUndefined();
  },
  MINUTE,
);
