// Traefik with the Ingress and the HTTPRoutes as the operator writes them: who is let in, what Exposed makes of Traefik's
// own answers, and what users feel when a pod leaves. A real API server; the pods are servers on loopback.
import { readFileSync } from 'node:fs';
import { Agent, request as http, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as https } from 'node:https';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Condition } from '../../operator/src/api/conditions.ts';
import { apisBy } from '../../operator/src/api/optional-apis.ts';
import { doorOf } from '../../operator/src/controller/gather.ts';
import { type KeptDoor, keepIngress, keepListenerSet, keepRoute } from '../../operator/src/controller/views.ts';
import type { Stores } from '../../operator/src/controller/world.ts';
import { apply, get } from '../../operator/src/kube/apply.ts';
import { loadCluster } from '../../operator/src/kube/config.ts';
import type * as kinds from '../../operator/src/kube/resource.ts';
import { httpRoutes, ingresses, listenerSets, services } from '../../operator/src/kube/resource.ts';
import { createTransport, type Transport } from '../../operator/src/kube/transport.ts';
import { exposed } from '../../operator/src/lifecycle/around/exposed.ts';
import { app, deployment, revision, snapshot } from '../../operator/src/lifecycle/testing.ts';
import type { App, KubeObject } from '../../operator/src/objects/app.ts';
import { httpRoute, redirectRoute } from '../../operator/src/objects/http-route.ts';
import { ingress } from '../../operator/src/objects/ingress.ts';
import { listenerSet } from '../../operator/src/objects/listener-set.ts';
import { FIELD_MANAGER, HTTP_PORT_NAME, names } from '../../operator/src/objects/names.ts';
import { service } from '../../operator/src/objects/service.ts';
import { temporaryFolder, until } from '../../services/common/testing/processes.ts';
import { type ApiServer, startApiServer } from '../cluster/apiserver.ts';
import { ensureBinaries } from '../cluster/binaries.ts';
import { authority, certificate } from '../cluster/pki.ts';
import { say } from '../cluster/say.ts';
import { StandIns } from './pods.ts';
import { doorPorts, GATEWAY_CONTROLLER, INGRESS_CONTROLLER, startTraefik, type Traefik } from './traefik.ts';

const MINUTE = 60_000;
const CRDS = join(import.meta.dirname, '../crds');
const NAMESPACE = 'prod';
const WRITER = { fieldManager: FIELD_MANAGER, hashAnnotation: 'devshelf.dev/applied' };
/** What a load balancer in front of Traefik would have. */
const ADDRESS = '203.0.113.7';
const REQUESTS = 1_000;
const PACE_MS = 10;
/** Before it everything has been still for longer than Traefik's longest throttle. */
const CHANGE_AT = 300;
const AFTERWARDS = 50;

const folder = temporaryFolder('devshelf-doors-');
const figures: string[] = [];
let api: ApiServer;
let transport: Transport;
let ports: { http: number; https: number };
let ca: string;

const named = (name: string, exposure: object): App => app({ exposure }, { name, uid: `uid-of-${name}` });
const through = (gateway: string, sectionName: string) => ({ name: gateway, namespace: 'edge', sectionName });

const shop = named('shop', { type: 'Ingress', hosts: ['shop.example'], ingress: { className: 'traefik' } });
const safe = named('safe', {
  type: 'Ingress',
  hosts: ['safe.example'],
  tls: { secretName: 'safe-tls' },
  ingress: { className: 'traefik' },
});
const gate = named('gate', {
  type: 'Gateway',
  hosts: ['gate.example'],
  trustedProxies: ['127.0.0.0/8'],
  forceHTTPS: true,
  gateway: { parentRefs: [through('public', 'https')], httpSection: 'http' },
});
const bare = named('bare', {
  type: 'Gateway',
  hosts: ['bare.example'],
  gateway: { parentRefs: [through('public', 'https')] },
});
const shut = named('shut', {
  type: 'Gateway',
  hosts: ['shut.example'],
  gateway: { parentRefs: [through('closed', 'http')] },
});
const lost = named('lost', {
  type: 'Gateway',
  hosts: ['lost.example'],
  gateway: { parentRefs: [through('nobodys', 'http')] },
});
/** With listeners of its own, which Traefik does not know; its route is still where it was before. */
const listened = named('listened', {
  type: 'Gateway',
  hosts: ['listened.example'],
  tls: { secretName: 'safe-tls' },
  gateway: { parentRefs: [{ name: 'public', namespace: 'edge' }] },
});
const BEFORE = { kind: 'Gateway', ...through('public', 'http') } as const;

const pods = new Map<App, StandIns>();
const podsOf = (of: App): StandIns => {
  const found = pods.get(of);
  if (!found) throw new Error(`${of.metadata.name} has no pods`);
  return found;
};

beforeAll(
  async () => {
    await ensureBinaries('traefik');
    api = await startApiServer();
    transport = createTransport(await loadCluster({ kubeconfig: api.adminKubeconfigPath }));
    ports = await doorPorts();
    for (const crds of ['gateway-api', 'gateway-api-others']) await api.installCrds(join(CRDS, crds));
    for (const name of [NAMESPACE, 'edge']) await api.request('POST', '/api/v1/namespaces', { metadata: { name } });
    await makeCertificates();
    await makeDoors();
    for (const of of [shop, safe, gate, listened]) {
      const where = { namespace: NAMESPACE, service: names.service(of.metadata.name), portName: HTTP_PORT_NAME };
      const own = new StandIns(api, where, ['127.0.0.2', '127.0.0.3', '127.0.0.4']);
      pods.set(of, own);
      await own.listen();
      await own.is('ready', 0, 1);
    }
    for (const of of [shop, safe, gate, bare, shut, lost, listened]) await expose(of);
  },
  90 * MINUTE, // the first time Traefik is built
);

afterAll(async () => {
  for (const line of figures) say(line);
  await Promise.all([...pods.values()].map(own => own.end()));
  await transport?.close();
  await api?.stop();
  folder.remove();
}, MINUTE);

/** One for the Gateway's listener, one that an Ingress names. */
async function makeCertificates(): Promise<void> {
  const issuer = await authority(folder.path, 'doors');
  ca = readFileSync(issuer.cert, 'utf8');
  for (const [namespace, name, host] of [
    ['edge', 'public-tls', 'gate.example'],
    [NAMESPACE, 'safe-tls', 'safe.example'],
  ] as const) {
    const subject = { commonName: host, alternativeNames: [`DNS:${host}`] };
    const made = await certificate(folder.path, issuer, name, subject);
    const data = { 'tls.crt': readFileSync(made.cert, 'base64'), 'tls.key': readFileSync(made.key, 'base64') };
    const secret = { metadata: { name }, type: 'kubernetes.io/tls', data };
    await api.request('POST', `/api/v1/namespaces/${namespace}/secrets`, secret);
  }
}

/** What an administrator makes, not the operator. */
async function makeDoors(): Promise<void> {
  await api.request('POST', '/apis/networking.k8s.io/v1/ingressclasses', {
    metadata: { name: 'traefik' },
    spec: { controller: INGRESS_CONTROLLER },
  });
  const gateways = '/apis/gateway.networking.k8s.io/v1';
  await api.request('POST', `${gateways}/gatewayclasses`, {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'GatewayClass',
    metadata: { name: 'traefik' },
    spec: { controllerName: GATEWAY_CONTROLLER },
  });
  const plain = { name: 'http', port: ports.http, protocol: 'HTTP' };
  const tls = { mode: 'Terminate', certificateRefs: [{ name: 'public-tls' }] };
  const listeners = {
    public: [plain, { name: 'https', port: ports.https, protocol: 'HTTPS', tls }].map(of => ({
      ...of,
      allowedRoutes: { namespaces: { from: 'All' } },
    })),
    closed: [{ ...plain, allowedRoutes: { namespaces: { from: 'Same' } } }],
  };
  for (const [name, of] of Object.entries(listeners))
    await api.request('POST', `${gateways}/namespaces/edge/gateways`, {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      metadata: { name },
      spec: { gatewayClassName: 'traefik', listeners: of },
    });
}

/** As the operator does when all hosts may be routed. */
async function expose(of: App): Promise<void> {
  const { hosts } = of.spec.exposure;
  const put = <T extends kinds.KubeObject>(resource: kinds.Resource<T>, object: KubeObject | undefined) =>
    object && apply(transport, resource, object, WRITER);
  await put(services, service(of));
  await put(ingresses, ingress(of, hosts));
  await put(listenerSets, listenerSet(of, hosts));
  await put(httpRoutes, httpRoute(of, hosts, of === listened ? [BEFORE] : []));
  await put(httpRoutes, redirectRoute(of, hosts));
}

/** Condition Exposed of a resource at rest, from the objects as they are now, read as the operator reads them. */
async function exposedOf(of: App): Promise<Condition | undefined> {
  const { name, namespace } = of.metadata;
  const own = await get(transport, ingresses, { namespace, name: names.ingress(name) });
  const routes = new Map<string, KeptDoor>();
  for (const route of [names.httpRoute(name), names.redirectRoute(name)]) {
    const live = await get(transport, httpRoutes, { namespace, name: route });
    if (live) routes.set(route, keepRoute(live));
  }
  const listeners = await get(transport, listenerSets, { namespace, name: names.listenerSet(name) });
  const stores = {
    ingresses: { get: () => own && keepIngress(own) },
    httpRoutes: { get: (_namespace: string, route: string) => routes.get(route) },
    listenerSets: { get: () => listeners && keepListenerSet(listeners) },
  };
  const door = doorOf(of, stores as unknown as Stores);
  const known = revision('v1', 'released');
  return exposed(
    snapshot({
      app: of,
      deployment: deployment(),
      revisions: [{ ...known, release: { ...known.release, hosts: [...of.spec.exposure.hosts] } }],
      apis: apisBy(() => 'present'),
      ...(door && { door }),
    }),
  );
}

type Answer = { readonly status: number; readonly location?: string; readonly body?: Record<string, unknown> };

const agent = new Agent({ keepAlive: true });

/** Through the door, by name; `https` checks the certificate. */
function ask(host: string, scheme: 'http' | 'https' = 'http'): Promise<Answer> {
  const options: RequestOptions & { servername?: string; ca?: string } = {
    host: '127.0.0.1',
    port: ports[scheme],
    path: '/some/path?q=1',
    headers: { host },
    ...(scheme === 'https' ? { servername: host, ca, agent: false } : { agent }),
  };
  return new Promise((resolve, reject) => {
    const sent = (scheme === 'https' ? https : http)(options, (response: IncomingMessage) => {
      const { statusCode: status = 0, headers } = response;
      const { location } = headers;
      const body = headers['content-type'] === 'application/json' ? json(response) : response.resume() && undefined;
      Promise.resolve(body).then(
        read => resolve({ status, ...(location && { location }), ...(read ? { body: read as never } : {}) }),
        reject,
      );
    });
    sent.once('error', reject);
    sent.end();
  });
}

async function comesTo(host: string, scheme: 'http' | 'https', status: number): Promise<void> {
  let last: unknown;
  const isThere = async (): Promise<boolean> => {
    last = await ask(host, scheme).then(
      answer => answer.status,
      (error: Error) => error.message,
    );
    return last === status;
  };
  await until(`${scheme}://${host} answers ${status}`, isThere, 30_000).catch((error: Error) => {
    throw new Error(`${error.message}: ${last}`);
  });
}

type Door = { readonly name: string; readonly of: App; readonly provider: 'kubernetes' | 'kubernetesgateway' };
const INGRESS: Door = { name: 'Ingress', of: shop, provider: 'kubernetes' };
/** By HTTPS each request would cost a handshake or a connection kept: what is asked is the router, so by plain HTTP. */
const GATEWAY: Door = { name: 'Gateway', of: gate, provider: 'kubernetesgateway' };

type Leaving = {
  /** A pod that is told to go serves on until the router knows; one that is gone does not. */
  readonly how: 'told' | 'gone';
  /** Another pod came right before it: the router has just taken up a change. */
  readonly afterAnother: boolean;
};

const describeLeaving = ({ how, afterAnother }: Leaving): string =>
  `a pod is ${how === 'told' ? 'told to go' : 'gone at once'}, ${afterAnother ? 'right after another came' : 'alone'}`;

/**
 * A thousand requests, paced; at the three hundredth a pod leaves, and who was harmed is counted. Nobody may be harmed by a
 * pod that serves on until Traefik knows, and nobody after Traefik knows.
 */
async function leave(traefik: Traefik, door: Door, leaving: Leaving, label: string): Promise<void> {
  const { of, provider } = door;
  const [host = ''] = of.spec.exposure.hosts;
  const own = podsOf(of);
  const scheme = of === gate ? 'https' : 'http';
  const leaver = own.pod(0);
  const newcomer = own.pod(2);
  const isSent = async (index: number) => (await traefik.servers(provider)).includes(own.url(index));
  await until('the two serve', async () => (await isSent(0)) && (await isSent(1)) && !(await isSent(2)), 60_000);
  for (const { answeredAt } of own.pods) answeredAt.length = 0;

  let leftAt = Number.POSITIVE_INFINITY;
  const change = async (): Promise<void> => {
    if (leaving.afterAnother) {
      await own.is('ready', 2);
      await until('the newcomer is sent requests', () => newcomer.answeredAt.length > 0, 60_000);
    }
    if (leaving.how === 'gone') await leaver.end();
    leftAt = performance.now();
    await own.is(leaving.how === 'told' ? 'terminating' : 'absent', 0);
  };

  const harmed: number[] = [];
  const sent: Promise<void>[] = [];
  let changed: Promise<void> = Promise.resolve();
  const began = performance.now();
  for (let index = 0; index < REQUESTS; index += 1) {
    const due = began + index * PACE_MS - performance.now();
    if (due > 0) await sleep(due);
    if (index === CHANGE_AT) changed = change();
    const at = performance.now();
    const answered = ask(host, scheme).then(
      ({ status }) => status === 200,
      () => false,
    );
    sent.push(answered.then(isFine => void (isFine || harmed.push(at))));
  }
  await changed;
  await Promise.all(sent);
  await until('Traefik sends nothing to it any more', async () => !(await isSent(0)), 60_000);

  const last = (times: readonly number[]) => Math.max(0, ...times.map(at => Math.round(at - leftAt)));
  figures.push(
    `${label}, ${door.name}: ${describeLeaving(leaving)}: ${harmed.length} of ${REQUESTS} harmed${
      leaving.how === 'told'
        ? `, it was sent requests for ${last(leaver.answeredAt)} ms more`
        : `, the last ${last(harmed)} ms after it`
    }`,
  );

  if (leaving.how === 'told') expect(harmed).toEqual([]);
  for (let index = 0; index < AFTERWARDS; index += 1) {
    const { status, body } = await ask(host, scheme);
    expect([status, body?.['pod'] === leaver.address]).toEqual([200, false]);
  }

  // as it was
  if (leaving.how === 'gone') await leaver.listen(Number(new URL(own.url(0)).port));
  await own.is('absent', 2);
  await own.is('ready', 0);
}

const LEAVINGS = [INGRESS, GATEWAY].flatMap(door =>
  (['told', 'gone'] as const).flatMap(how =>
    [false, true].map((afterAnother): [string, Door, Leaving] => {
      const leaving = { how, afterAnother };
      return [`${door.name}: ${describeLeaving(leaving)}`, door, leaving];
    }),
  ),
);

describe('as it comes: a throttle of two seconds, and no address of its own for Ingresses', () => {
  let traefik: Traefik;
  beforeAll(async () => {
    traefik = await startTraefik(api, { ports });
  }, 2 * MINUTE);
  afterAll(() => traefik?.stop());

  test('an Ingress is served by its host, and by no other', async () => {
    await comesTo('shop.example', 'http', 200);
    const answer = await ask('shop.example');
    expect(answer.body).toMatchObject({ host: 'shop.example', scheme: 'http', from: '127.0.0.1' });
    expect((await ask('other.example')).status).toBe(404);
  });

  test('it says nothing of an Ingress that it serves: Exposed waits for an address', async () => {
    await comesTo('shop.example', 'http', 200);
    expect(await exposedOf(shop)).toMatchObject({ status: 'Unknown', reason: 'LoadBalancerPending' });
  });

  test('an Ingress’ certificate alone opens no HTTPS: its listener has to be told', async () => {
    await comesTo('safe.example', 'http', 200);
    expect((await ask('safe.example', 'https')).status).toBe(404);
  });

  test.each(LEAVINGS)('%s', (_title, door, leaving) => leave(traefik, door, leaving, 'throttle 2 s'), 2 * MINUTE);
});

describe('with a throttle of 100 ms, TLS by default and an address for Ingresses', () => {
  let traefik: Traefik;
  beforeAll(async () => {
    traefik = await startTraefik(api, { ports, throttle: '100ms', tlsByDefault: true, ingressAddress: ADDRESS });
  }, 2 * MINUTE);
  afterAll(() => traefik?.stop());

  const becomes = async (of: App, expected: object): Promise<void> => {
    let found: Condition | undefined;
    const isIt = () => {
      try {
        expect(found).toMatchObject(expected);
        return true;
      } catch {
        return false;
      }
    };
    await until(
      `${of.metadata.name} is ${JSON.stringify(expected)}`,
      async () => {
        found = await exposedOf(of);
        return isIt();
      },
      30_000,
    ).catch(() => undefined);
    expect(found).toMatchObject(expected);
  };

  test('an Ingress is Exposed by the address that Traefik writes', async () => {
    await becomes(shop, {
      status: 'True',
      reason: 'Exposed',
      message: `http://shop.example through ${ADDRESS} (traefik)`,
    });
    await comesTo('shop.example', 'http', 200);
  });

  test('an Ingress with a certificate is served by HTTPS with it', async () => {
    await comesTo('safe.example', 'https', 200);
    expect((await ask('safe.example', 'https')).body).toMatchObject({ host: 'safe.example', scheme: 'https' });
  });

  test('and by plain HTTP: it is for the service to redirect, and it is told how the client came', async () => {
    await comesTo('safe.example', 'http', 200);
    expect((await ask('safe.example', 'http')).body).toMatchObject({ scheme: 'http', from: '127.0.0.1' });
  });

  test('a Gateway serves by HTTPS with its own certificate', async () => {
    await comesTo('gate.example', 'https', 200);
    expect((await ask('gate.example', 'https')).body).toMatchObject({ host: 'gate.example', scheme: 'https' });
  });

  test('and sends who comes by plain HTTP there', async () => {
    await comesTo('gate.example', 'http', 301);
    expect(await ask('gate.example', 'http')).toMatchObject({ location: 'https://gate.example/some/path?q=1' });
  });

  test('both listeners’ words make it Exposed', () =>
    becomes(gate, {
      status: 'True',
      reason: 'Exposed',
      message: `https://gate.example through ${GATEWAY_CONTROLLER}`,
    }));

  test('a listener that lets only its own namespace in: RouteRejected', () =>
    becomes(shut, {
      status: 'False',
      reason: 'RouteRejected',
      message: expect.stringContaining('NotAllowedByListeners'),
    }));

  test('a Service without any EndpointSlice: RouteRejected, with Traefik’s words', () =>
    becomes(bare, { status: 'False', reason: 'RouteRejected', message: expect.stringContaining('BackendNotFound') }));

  test('a Gateway that is not there: nobody answers', async () => {
    await becomes(gate, { status: 'True' });
    expect(await exposedOf(lost)).toMatchObject({ status: 'Unknown', reason: 'RouteUnanswered' });
  });

  test('listeners of one’s own, which Traefik does not know: nobody answers, and users come as before', async () => {
    await comesTo('listened.example', 'http', 200);
    await becomes(gate, { status: 'True' });
    expect(await exposedOf(listened)).toMatchObject({
      status: 'Unknown',
      reason: 'RouteUnanswered',
      message: expect.stringContaining('ListenerSet'),
    });
  });

  test.each(LEAVINGS)('%s', (_title, door, leaving) => leave(traefik, door, leaving, 'throttle 100 ms'), 2 * MINUTE);
});
