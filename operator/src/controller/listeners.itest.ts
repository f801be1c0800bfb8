// Listeners of a resource's own at somebody's Gateway: what Exposed makes of what a controller of Gateways writes, and that
// nobody loses their door when a certificate of one's own comes, or goes. A real API server with the definitions of Gateway
// API as they are published; the test writes each status as a controller would, and nobody routes anything.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { get } from '../kube/apply.ts';
import {
  type HttpRouteObject,
  httpRoutes,
  type KubeObject,
  type ListenerSetObject,
  listenerSets,
  pathOf,
  type Resource,
} from '../kube/resource.ts';
import { exposedAs } from './testing/exposure.ts';
import { type LittleCluster, startLittleCluster } from './testing/little-cluster.ts';
import { mortal } from './testing/mortal-transport.ts';
import { Scene } from './testing/scene.ts';
import { type LiveApp, until } from './testing/shop.ts';

const MINUTE = 60_000;
const BUILD_MS = 15 * MINUTE;
const CRDS = join(import.meta.dirname, '../../../test-e2e/crds/gateway-api');
const HOST = 'shop.example';
const ROUTER = 'example.com/router';
/** More than a router is given, from its word on, until what served before goes. */
const SERVED_MS = 11_000;
const URLS = { plain: ['http://shop.example'], secure: ['https://shop.example'] };

const PUBLIC = { name: 'public', namespace: 'edge', sectionName: 'https' };
const AT_GATEWAY = { type: 'Gateway', hosts: [HOST], gateway: { parentRefs: [PUBLIC] } };
const OWN = { tls: { issuer: { name: 'ours' } }, gateway: { parentRefs: [{ name: 'public', namespace: 'edge' }] } };

let cluster: LittleCluster;
let scene: Scene;

beforeAll(async () => {
  cluster = await startLittleCluster();
  await cluster.api.installCrds(join(CRDS, 'gateway.networking.k8s.io_httproutes.yaml'));
  scene = new Scene(cluster, 'listeners');
  await scene.shop.open();
  await scene.start();
}, BUILD_MS);

afterAll(async () => {
  await scene?.stop();
  await cluster?.stop();
});

// ---- what a controller does

const find = <T extends KubeObject>(resource: Resource<T>): Promise<T | undefined> =>
  get(cluster.transport, resource, { namespace: scene.shop.namespace, name: 'shop' });

async function live<T extends KubeObject>(resource: Resource<T>): Promise<T> {
  return until(() => find(resource), `there is no ${resource.kind}`);
}

const write = (resource: Resource, status: object): Promise<unknown> =>
  cluster.transport.request({
    method: 'PATCH',
    path: pathOf(resource, { namespace: scene.shop.namespace, name: 'shop', subresource: 'status' }),
    query: { fieldManager: 'router' },
    contentType: 'application/merge-patch+json',
    body: { status },
  });

const word = (object: KubeObject, type: string, [status, reason]: readonly [string, string], behind = 0) => ({
  type,
  status,
  reason,
  message: 'in a router’s words',
  observedGeneration: (object.metadata.generation ?? 0) - behind,
  lastTransitionTime: new Date().toISOString(),
});

const YES = ['True', 'AsWanted'] as const;
type Said = readonly [string, string];
interface Answer {
  readonly accepted?: Said;
  readonly programmed?: Said;
  /** Of each listener. */
  readonly resolved?: Said;
  readonly conflicted?: Said;
  /** Older than the set by so many generations. */
  readonly behind?: number;
}

/** All that is said of the ListenerSet; by default yes. */
async function saysOfListeners({ accepted = YES, programmed = YES, resolved = YES, conflicted, behind }: Answer = {}) {
  const set = await live(listenerSets);
  const says = (type: string, said: Said) => word(set, type, said, behind);
  await write(listenerSets, {
    conditions: [says('Accepted', accepted), says('Programmed', programmed)],
    listeners: (set.spec?.listeners ?? []).map(({ name }) => ({
      name,
      attachedRoutes: 1,
      supportedKinds: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute' }],
      conditions: [
        says('Accepted', YES),
        says('Programmed', programmed),
        says('ResolvedRefs', resolved),
        ...(conflicted ? [says('Conflicted', conflicted)] : []),
      ],
    })),
  });
}

/** The router takes the route wherever it is attached, or refuses it there. */
async function answersRoute(accepted: Said = YES): Promise<void> {
  const route: HttpRouteObject = await live(httpRoutes);
  const parents = (route.spec?.parentRefs ?? []).map(parentRef => ({
    parentRef,
    controllerName: ROUTER,
    conditions: [word(route, 'Accepted', accepted), word(route, 'ResolvedRefs', YES)],
  }));
  await write(httpRoutes, { parents });
}

// ---- what comes of it

async function becomes(status: string, reason: string, words = '', urls?: readonly string[]): Promise<LiveApp> {
  const app = await exposedAs(scene.shop, { status, reason, words, urls });
  expect(app.status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
  return app;
}

/** Nothing is written, however often it is looked at. */
async function rests(): Promise<void> {
  await scene.quiet();
  expect(await scene.writesIfNudged()).toEqual([]);
}

async function later(ms: number): Promise<void> {
  scene.aheadMs += ms;
  await scene.nudge();
}

async function attached(): Promise<readonly string[]> {
  const { spec }: HttpRouteObject = await live(httpRoutes);
  return (spec?.parentRefs ?? []).map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`);
}

const isAttached = (...expected: readonly string[]): Promise<unknown> =>
  until(
    async () => JSON.stringify(await attached()) === JSON.stringify(expected),
    async () => `the route is at ${await attached()}, not at ${expected}`,
  );

const GATEWAY = 'Gateway edge/public';
const LISTENERS = 'ListenerSet listeners/shop';

test('without the kind it is said that it is missing, and users come as before; installed, it is made', async () => {
  await scene.settled('1', { exposure: AT_GATEWAY });
  await answersRoute();
  await becomes('True', 'Exposed', `${HOST} through ${ROUTER}`, URLS.plain);
  await scene.shop.patch({ exposure: OWN });
  await becomes('False', 'ExposureAPIMissing', 'the cluster has no ListenerSet: ');
  await isAttached(LISTENERS, GATEWAY);
  await rests();
  await cluster.api.installCrds(CRDS);
  await becomes('Unknown', 'RouteUnanswered', 'ListenerSet listeners/shop serves at Gateway edge/public');
  const { metadata, spec } = await live(listenerSets);
  expect(metadata.annotations).toMatchObject({ 'cert-manager.io/issuer': 'ours' });
  expect(spec).toMatchObject({
    parentRef: { name: 'public', namespace: 'edge' },
    listeners: [{ hostname: HOST, tls: { certificateRefs: [{ name: 'shop-tls' }] } }],
  });
  await rests();
}, 120_000);

const INVALID = ['False', 'ListenersNotValid'] as const;
const NO_CERTIFICATE: Answer = {
  accepted: INVALID,
  programmed: ['False', 'Invalid'],
  resolved: ['False', 'InvalidCertificateRef'],
};

test('from its certificate to its users: the Gateway’s own listener goes when ours has served for a while', async () => {
  await saysOfListeners(NO_CERTIFICATE);
  await becomes('Unknown', 'CertificatePending', 'kubectl describe certificate shop-tls');
  await rests();
  await scene.shop.addSecret('shop-tls', { 'tls.crt': 'x', 'tls.key': 'x' });
  await becomes('False', 'RouteRejected', `${LISTENERS}: listener shop.example: InvalidCertificateRef: in a`);
  await saysOfListeners({ programmed: ['Unknown', 'Pending'] });
  await becomes('Unknown', 'RouteUnanswered', LISTENERS);
  await saysOfListeners();
  await becomes('Unknown', 'RouteUnanswered', 'ListenerSet listeners/shop; kubectl get httproute shop');
  await answersRoute();
  await becomes('True', 'Exposed', `https://${HOST} through ${ROUTER}`, URLS.secure);
  await rests();
  await isAttached(LISTENERS, GATEWAY);
  await later(SERVED_MS);
  await isAttached(LISTENERS);
  await answersRoute();
  await becomes('True', 'Exposed', `https://${HOST}`, URLS.secure);
  await rests();
}, 120_000);

test('what is said of listeners as they were counts no more; a refusal is told in the Gateway’s words', async () => {
  await scene.shop.patch({ exposure: { gateway: { httpsPort: 8443 } } });
  await becomes('Unknown', 'RouteUnanswered', LISTENERS);
  expect((await live(listenerSets)).spec).toMatchObject({ listeners: [{ port: 8443 }] });
  await saysOfListeners({ accepted: ['False', 'NotAllowed'], behind: 1 });
  await becomes('Unknown', 'RouteUnanswered', LISTENERS);
  await rests();
  await saysOfListeners({ accepted: ['False', 'NotAllowed'], programmed: ['False', 'NotAllowed'] });
  await becomes('False', 'RouteRejected', `${LISTENERS}: NotAllowed: in a router’s words`);
  await rests();
  await saysOfListeners({ conflicted: ['True', 'HostnameConflict'] });
  await becomes('False', 'RouteRejected', `${LISTENERS}: listener shop.example: HostnameConflict`);
  await saysOfListeners();
  await becomes('True', 'Exposed', '', URLS.secure);
  await answersRoute(['False', 'NotAllowedByListeners']);
  await becomes('False', 'RouteRejected', `${LISTENERS}: NotAllowedByListeners`);
  await answersRoute();
  await becomes('True', 'Exposed', '', URLS.secure);
  await rests();
}, 120_000);

const AWAY = { tls: null, gateway: { parentRefs: [PUBLIC], httpsPort: null } };

test('tls taken away: our listeners serve until the Gateway’s has the route, and go after the route has left them', async () => {
  await scene.shop.patch({ exposure: AWAY });
  await isAttached(GATEWAY, LISTENERS);
  await becomes('Unknown', 'RouteUnanswered', GATEWAY);
  await answersRoute(['False', 'NotAllowedByListeners']);
  await becomes('False', 'RouteRejected', `${GATEWAY}, listener https: NotAllowedByListeners`);
  await later(SERVED_MS);
  await rests();
  expect(await attached()).toEqual([GATEWAY, LISTENERS]);
  expect(await find(listenerSets)).toBeDefined();
  await answersRoute();
  await becomes('True', 'Exposed', '', URLS.plain);
  await rests();
  expect(await find(listenerSets)).toBeDefined();
  const before = scene.writes.length;
  await later(SERVED_MS);
  await until(async () => !(await find(listenerSets)), 'the ListenerSet stays for good');
  expect(await attached()).toEqual([GATEWAY]);
  const doors = scene.writes.slice(before).filter(of => of.includes('gateway.networking.k8s.io'));
  expect(doors.map(of => of.replace(/\/apis.*v1\/namespaces\/listeners\//, ''))).toEqual([
    'PATCH httproutes/shop',
    'DELETE listenersets/shop',
  ]);
  await answersRoute();
  await becomes('True', 'Exposed', '', URLS.plain);
  await rests();
}, 120_000);

test('no certificate of one’s own any more, before the first was there: nobody has noticed', async () => {
  const { uid } = (await live(httpRoutes)).metadata;
  await scene.shop.patch({ exposure: OWN });
  await isAttached(LISTENERS, GATEWAY);
  await becomes('Unknown', 'RouteUnanswered', LISTENERS);
  await answersRoute();
  await scene.shop.patch({ exposure: AWAY });
  await isAttached(GATEWAY, LISTENERS);
  await answersRoute();
  await becomes('True', 'Exposed', '', URLS.plain);
  await later(SERVED_MS);
  await isAttached(GATEWAY);
  await until(async () => !(await find(listenerSets)), 'the ListenerSet stays for good');
  expect((await live(httpRoutes)).metadata.uid).toBe(uid);
}, 120_000);

test('an operator that dies when the route has left them: the next one takes our listeners away', async () => {
  await scene.shop.patch({ exposure: OWN });
  await isAttached(LISTENERS, GATEWAY);
  await saysOfListeners();
  await answersRoute();
  await becomes('True', 'Exposed', '', URLS.secure);
  await later(SERVED_MS);
  await isAttached(LISTENERS);
  await answersRoute();
  await scene.stop();
  const dying = mortal(await cluster.connect(), {
    atWrite: ({ method, path }) => method === 'DELETE' && path.includes('/listenersets/'),
    when: 'before',
  });
  await scene.start(dying);
  await scene.shop.patch({ exposure: AWAY });
  await isAttached(GATEWAY, LISTENERS);
  await answersRoute();
  await becomes('True', 'Exposed', '', URLS.plain);
  await later(SERVED_MS);
  await dying.died;
  expect(await attached()).toEqual([GATEWAY]);
  expect(await find(listenerSets)).toBeDefined();
  await scene.restart();
  await answersRoute();
  await becomes('True', 'Exposed', '', URLS.plain);
  await later(SERVED_MS);
  await until(async () => !(await find(listenerSets)), 'the ListenerSet stays for good');
  await rests();
}, 120_000);

test('nothing exposed: all of it is gone', async () => {
  await scene.shop.patch({ exposure: OWN });
  await live<ListenerSetObject>(listenerSets);
  await scene.shop.patch({ exposure: { type: 'None', tls: null, gateway: null } });
  await until(async () => !(await find(listenerSets)) && !(await find(httpRoutes)), 'the door is not closed');
  await rests();
}, 60_000);
