// The door as users meet it: both services by their public names over HTTPS, from a network of their own, through the pods
// of Traefik on a whole cluster, while releases come and go behind it. The same requests are made inside, past the door:
// what it adds is the difference.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request as http } from 'node:http';
import { request as https } from 'node:https';
import { loadavg } from 'node:os';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { temporaryFolder } from '../../services/common/testing/processes.ts';
import { down, forwardToLoopback, insideNode, kubectl, status, up } from '../cluster/cluster.ts';
import { authority, certificate } from '../cluster/pki.ts';
import { sleep } from '../cluster/run.ts';
import { say } from '../cluster/say.ts';
import {
  apply,
  type Condition,
  conditionOf,
  disconnect,
  find,
  get,
  type KubeObject,
  list,
  patch,
} from '../scenarios/kube.ts';
import type { Answer } from '../scenarios/load.ts';
import { clearNamespace } from '../scenarios/namespace.ts';
import { countWrites, installOperator } from '../scenarios/operator.ts';
import { rolloutOf } from '../scenarios/recording.ts';
import { prepareReleases } from '../scenarios/releases.ts';
import * as story from '../scenarios/story.ts';
import {
  apiKey,
  type By,
  between,
  isFailed,
  isHarmed,
  serviceAddress,
  startTraffic,
  type Traffic,
  type TrafficOptions,
  untilAnswered,
} from '../scenarios/traffic.ts';
import { until } from '../scenarios/wait.ts';
import { GATEWAY_CONTROLLER } from './traefik.ts';
import {
  allServe,
  CLASS,
  deleteOne,
  EDGE,
  GATEWAY,
  GATEWAY_SECRET,
  giveAddress,
  HTTP,
  HTTPS,
  PUBLIC_ADDRESS,
  prepareTraefik,
  removeTraefik,
  setLifecycle,
  startTraefik,
} from './traefik-pods.ts';
import { CLIENT_ADDRESS, closeWorld, enterWorld, fromWorld, openWorld } from './world.ts';

const MINUTE = 60_000;
const NAMESPACE = 'e2e-door';
const SHOP = 'shop.example';
const SHELF = 'shelf.example';
const NEW = 'new.example';
const OTHER = 'other.example';
const SECRET = 'shop-tls';
const HIDDEN = ['/metrics', '/live', '/ready'];
/** The load generator's own patience is five seconds. */
const LAST_ANSWERS_MS = 6_000;
/** By each kind of door. */
const BAD_RELEASES = 2;
/** In one release, by the public name, of all who are there. */
const MAX_HARMED = 10;

const common = { trustedProxies: ['10.244.0.0/16'], from: [EDGE], forceHTTPS: true };
const gateway = { parentRefs: [{ name: GATEWAY, namespace: EDGE, sectionName: HTTPS }], httpSection: HTTP };
const ofIngress = { tls: { secretName: SECRET }, ingress: { className: CLASS } };
const byIngress = { ...common, type: 'Ingress', hosts: [SHOP], ...ofIngress };
const byGateway = { ...common, type: 'Gateway', hosts: [SHELF], gateway };

const SHOP_PATH = story.dashboardPath(NAMESPACE);
const SHELF_PATH = story.devshelfPath(NAMESPACE);
const deploymentPath = (name: string): string => `/apis/apps/v1/namespaces/${NAMESPACE}/deployments/${name}`;
const ingressPath = `/apis/networking.k8s.io/v1/namespaces/${NAMESPACE}/ingresses/dashboard`;
const routePath = (name: string): string =>
  `/apis/gateway.networking.k8s.io/v1/namespaces/${NAMESPACE}/httproutes/${name}`;

const folder = temporaryFolder('devshelf-door-');
const figures: string[] = [];
let ca = '';
let wasUp = true;
let stage: story.Stage;

/** Who makes requests, by the words that stand before their figures. */
const users = new Map<string, Traffic>();

beforeAll(async () => {
  wasUp = (await status()).up;
  await up();
  await openWorld();
  const secret = await makeCertificate();
  await prepareTraefik();
  const releases = await prepareReleases(2 * BAD_RELEASES);
  await installOperator();
  await startTraefik(secret(EDGE, GATEWAY_SECRET));
  stage = await story.setTheStage(NAMESPACE, releases, () => {});
  await apply(secret(NAMESPACE, SECRET));
  const shelf = story.devshelf(NAMESPACE, releases.devshelf);
  await apply(story.dashboard(NAMESPACE, releases.first, { exposure: byIngress }));
  await apply({ ...shelf, spec: { ...shelf['spec'], exposure: byGateway } });
  await story.untilDashboard(NAMESPACE, 'the dashboard to be Ready', story.isReady);
  await until('DevShelf to be Ready', async () => story.isReady(await get(SHELF_PATH)), { seconds: 120 });
}, 90 * MINUTE); // the first time Traefik is built

afterAll(async () => {
  for (const line of figures) say(line);
  await Promise.all([...users.values()].map(traffic => traffic.stop()));
  stage?.recording.stop();
  await clearNamespace(NAMESPACE);
  await removeTraefik();
  await closeWorld();
  folder.remove();
  disconnect();
  if (!wasUp && !process.env['KEEP_CLUSTER']) await down();
}, 5 * MINUTE);

/** One for all names; who asks believes it by `ca`. */
async function makeCertificate(): Promise<(namespace: string, name: string) => KubeObject> {
  const issuer = await authority(folder.path, 'authority');
  ca = issuer.cert;
  const alternativeNames = [SHOP, SHELF, NEW].map(host => `DNS:${host}`);
  const made = await certificate(folder.path, issuer, 'door', { commonName: SHOP, alternativeNames });
  const data = { 'tls.crt': readFileSync(made.cert, 'base64'), 'tls.key': readFileSync(made.key, 'base64') };
  const type = 'kubernetes.io/tls';
  return (namespace, name) => ({ apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name }, type, data });
}

const exposedOf = async (path: string): Promise<Condition | undefined> => conditionOf(await get(path), 'Exposed');

const becomes = (path: string, expected: Partial<Condition>): Promise<unknown> => {
  let last: Condition | undefined;
  const isIt = async (): Promise<boolean> => {
    last = await exposedOf(path);
    return Object.entries(expected).every(([key, value]) => last?.[key as keyof Condition] === value);
  };
  return until(`Exposed to be ${JSON.stringify(expected)}`, isIt, { state: () => JSON.stringify(last) });
};

type Reply = { readonly status: number; readonly body: string; readonly location?: string };
type Asked = { readonly plain?: boolean; readonly headers?: Record<string, string> };

/** From outside, by a public name, at the balancer's address; by HTTPS, whose certificate is checked, unless `plain`. */
async function ask(host: string, path: string, { plain = false, headers = {} }: Asked = {}): Promise<Reply> {
  const port = await fromWorld(`${PUBLIC_ADDRESS}:${plain ? 80 : 443}`);
  const options = { host: '127.0.0.1', port, path, headers: { host, ...headers }, agent: false } as const;
  const tls = { servername: host, ca: readFileSync(ca) };
  return new Promise((resolve, reject) => {
    const sent = plain ? http(options) : https({ ...options, ...tls });
    sent.once('error', reject);
    sent.once('response', response => {
      const { location } = response.headers;
      const status = response.statusCode ?? 0;
      text(response).then(body => resolve({ status, body, ...(location !== undefined && { location }) }), reject);
    });
    sent.end();
  });
}

/** Goes where it is sent, as a browser does. */
function follow({ location }: Reply): Promise<Reply> {
  const { protocol, host, pathname, search } = new URL(location ?? '');
  return ask(host, pathname + search, { plain: protocol === 'http:' });
}

/** Traefik's own answer to a name that nobody has. */
const NOBODYS: Reply = { status: 404, body: '404 page not found\n' };

const comesTo = (host: string, path: string, expected: number): Promise<unknown> => {
  let last: Reply | undefined;
  const isIt = async (): Promise<boolean> => {
    last = await ask(host, path).catch(() => undefined);
    return last?.status === expected;
  };
  return until(`${host}${path} to answer ${expected}`, isIt, { state: () => JSON.stringify(last) });
};

const outside = (host: string): By => ({ host, address: `${PUBLIC_ADDRESS}:443`, ca, enter: enterWorld() });

async function ofShop(): Promise<Omit<TrafficOptions, 'rate'>> {
  const headers = { 'x-api-key': await apiKey(NAMESPACE, 'dashboard'), 'accept-language': 'es-AR,es;q=0.9' };
  return { namespace: NAMESPACE, service: 'dashboard', paths: ['/api/summary', '/api/providers'], headers };
}

/** Of each kind two: by the public name and inside, by the Service's, as many and as often. */
async function startUsers(): Promise<void> {
  const shop = await ofShop();
  const shelf = { namespace: NAMESPACE, service: 'devshelf', paths: ['/api/v1/resources'], rate: 5 };
  // a dashboard that is exposed knows its names alone: the Service's are among them, its address is not
  const within = async (service: string) => ({ host: service, address: await serviceAddress(NAMESPACE, service) });
  const fresh = { ...shop, rate: 10 };
  const kept = { ...shop, rate: 5, clients: 5 };
  const all = {
    [PUBLIC]: { ...fresh, by: outside(SHOP) },
    [INSIDE]: { ...fresh, by: await within('dashboard') },
    [KEPT_PUBLIC]: { ...kept, by: outside(SHOP) },
    [KEPT_INSIDE]: { ...kept, by: await within('dashboard') },
    [`DevShelf ${PUBLIC}`]: { ...shelf, by: outside(SHELF) },
    [`DevShelf ${INSIDE}`]: { ...shelf, by: await within('devshelf') },
  };
  for (const [name, options] of Object.entries(all)) users.set(name, await startTraffic(options));
  for (const traffic of users.values()) await untilAnswered(traffic);
}

const PUBLIC = 'by the public name';
const INSIDE = 'inside';
const BY_NEW = 'by the new name';
const KEPT_PUBLIC = `${PUBLIC}, connections kept`;
const KEPT_INSIDE = `${INSIDE}, connections kept`;

type Counted = {
  readonly requests: number;
  readonly failed: number;
  readonly harmed: number;
  /** Answered by the bad release itself. */
  readonly harmedByIt: number;
  /** What they got instead of an answer, and how many. */
  readonly got: Readonly<Record<string, number>>;
};

/** What each of them met from then until now; told in the figures. */
async function counted(what: string, from: number): Promise<Readonly<Record<string, Counted>>> {
  const to = Date.now();
  await sleep(LAST_ANSWERS_MS);
  const all: Record<string, Counted> = {};
  for (const [name, traffic] of users) {
    const answers = between(traffic.answers(), from, to);
    const failed = answers.filter(isFailed);
    const harmed = answers.filter(isHarmed);
    const got: Record<string, number> = {};
    for (const answer of failed) got[nameOf(answer)] = (got[nameOf(answer)] ?? 0) + 1;
    const harmedByIt = harmed.filter(({ release }) => release === 'bad').length;
    all[name] = { requests: answers.length, failed: failed.length, harmed: harmed.length, harmedByIt, got };
    const told = `${failed.length} of ${answers.length} failed ${JSON.stringify(got)}`;
    figures.push(`${what}, load ${loadavg()[0]?.toFixed(1)}: ${name}: ${told}`);
    say(figures.at(-1) ?? '');
  }
  return all;
}

const nameOf = ({ status, error, port }: Answer): string =>
  error === undefined ? `${status}` : `${port === undefined ? 'no connection: ' : ''}${error}`;

/** Who keeps a connection to a pod may write into its end, and has to ask again. Traefik does so itself. */
const failures = (all: Readonly<Record<string, Counted>>): Readonly<Record<string, object>> =>
  Object.fromEntries(
    Object.entries(all)
      .filter(([name, { failed }]) => failed > 0 && name !== KEPT_INSIDE)
      .map(([name, { got }]) => [name, got]),
  );

/** What Exposed said of the dashboard since then. */
const saidSince = (from: number): readonly string[] => [
  ...new Set(
    stage.recording.apps
      .filter(({ at, object }) => at >= from && object.metadata.name === 'dashboard')
      .map(({ object }) => conditionOf(object, 'Exposed')?.reason ?? 'nothing'),
  ),
];

test(
  'until a balancer has an address, an Ingress is not Exposed; a route is, by its Gateway’s word',
  async () => {
    await becomes(SHOP_PATH, { status: 'Unknown', reason: 'LoadBalancerPending' });
    await becomes(SHELF_PATH, { status: 'True', message: `https://${SHELF} through ${GATEWAY_CONTROLLER}` });
    expect((await get(SHOP_PATH))['status'].publicURLs ?? []).toEqual([]);
  },
  2 * MINUTE,
);

test(
  'with the balancer’s address in Traefik’s Service both are Exposed',
  async () => {
    await giveAddress();
    await becomes(SHOP_PATH, { status: 'True', message: `https://${SHOP} through ${PUBLIC_ADDRESS} (${CLASS})` });
    expect((await get(SHOP_PATH))['status'].publicURLs).toEqual([`https://${SHOP}`]);
    const { status } = await get(`/apis/gateway.networking.k8s.io/v1/namespaces/${EDGE}/gateways/${GATEWAY}`);
    expect(status.addresses).toEqual([{ type: 'IPAddress', value: PUBLIC_ADDRESS }]);
  },
  2 * MINUTE,
);

test(
  'both are reached by their names, and by no other',
  async () => {
    await comesTo(SHOP, '/health', 200);
    await comesTo(SHELF, '/health', 200);
    expect(await ask(OTHER, '/health', { plain: true })).toEqual(NOBODYS);
    expect(await ask(PUBLIC_ADDRESS, '/health', { plain: true })).toEqual(NOBODYS);
  },
  2 * MINUTE,
);

test(
  'who comes by plain HTTP is sent to HTTPS, once, and is answered there; a program is refused',
  async () => {
    const sent = await ask(SHOP, '/?page=1', { plain: true });
    expect(sent).toMatchObject({ status: 307, location: `https://${SHOP}/?page=1` });
    expect((await follow(sent)).status).toBe(200);
    expect((await ask(SHOP, '/api/summary', { plain: true })).status).toBe(403);
    const byRouter = await ask(SHELF, '/health', { plain: true });
    expect(byRouter).toMatchObject({ status: 301, location: `https://${SHELF}/health` });
    expect((await follow(byRouter)).status).toBe(200);
  },
  MINUTE,
);

test.each([
  ['an Ingress', SHOP, 'dashboard'],
  ['an HTTPRoute', SHELF, 'devshelf'],
])(
  'behind %s the log has the client’s address, whatever the client says',
  async (_door, host, instance) => {
    const path = '/nobody-has-this';
    await ask(host, path, { headers: { 'x-forwarded-for': '192.0.2.66' } });
    await until('the line in the log', async () => (await loggedClients(instance, path)).length > 0);
    expect(await loggedClients(instance, path)).toEqual([CLIENT_ADDRESS]);
  },
  MINUTE,
);

/** Who asked the pods that serve for a path, by their own logs. */
async function loggedClients(instance: string, path: string): Promise<readonly string[]> {
  const selector = `app.kubernetes.io/instance=${instance},devshelf.dev/role=serving`;
  const lines = (await kubectl(['logs', '-n', NAMESPACE, '-l', selector, '--tail=-1'])).split('\n');
  return lines
    .filter(line => line.includes(`"${path}"`))
    .map(line => (JSON.parse(line) as { client_ip: string }).client_ip);
}

test.each([SHOP, SHELF])(
  'what is not for the public is not there by %s, and is by the pod’s address',
  async host => {
    for (const path of HIDDEN) {
      const { status, body } = await ask(host, path);
      expect([path, status, JSON.parse(body)]).toEqual([path, 404, { detail: 'Not Found' }]);
    }
    const forged = await ask(host, '/ready', { headers: { 'x-forwarded-host': '10.0.0.7' } });
    expect(forged.status).toBe(404);
    const instance = host === SHOP ? 'dashboard' : 'devshelf';
    const selector = encodeURIComponent(`app.kubernetes.io/instance=${instance},devshelf.dev/role=serving`);
    const [pod] = await list(`/api/v1/namespaces/${NAMESPACE}/pods?labelSelector=${selector}`);
    const port = await forwardToLoopback(`${pod?.['status'].podIP}:${host === SHOP ? 8080 : 8000}`);
    expect((await fetch(`http://127.0.0.1:${port}/ready`)).status).toBe(200);
  },
  MINUTE,
);

test(
  'a good release fails no request, by the public name as inside',
  async () => {
    await startUsers();
    const image = stage.releases.good;
    const from = await story.release(stage, image);
    await story.untilDashboard(NAMESPACE, `${image} to be released`, story.isReleased(image), 240);
    expect(failures(await counted('a good release', from))).toEqual({});
    expect(saidSince(from)).toEqual(['Exposed']);
  },
  6 * MINUTE,
);

test(
  'a good release of DevShelf, behind an HTTPRoute, neither',
  async () => {
    const phase = async () => rolloutOf(await get(deploymentPath('devshelf')))?.phase;
    const from = Date.now();
    await patch(SHELF_PATH, { spec: { extraEnv: [{ name: 'RELEASE', value: 'next' }] } });
    await until('DevShelf’s trial', async () => (await phase()) === 'Candidate', { seconds: 120 });
    const isDone = async () => (await get(SHELF_PATH))['status'].phase === 'Released' && (await phase()) === 'Settled';
    await until('DevShelf’s release', isDone, { seconds: 240 });
    expect(failures(await counted('a good release of DevShelf', from))).toEqual({});
  },
  6 * MINUTE,
);

/** Half of its answers are 500 for who sends what no rehearsal knows. */
async function badRelease(what: string, image: string): Promise<void> {
  const from = await story.release(stage, image);
  await story.untilPhase(stage, 'Candidate', 240);
  await story.untilDashboard(NAMESPACE, `${image} to be rejected`, story.isRejected(image));
  await story.untilSettled(stage);
  const all = await counted(what, from);
  for (const [name, { failed, harmed, harmedByIt }] of Object.entries(all)) {
    // nobody meets another fault than the release's own
    expect({ name, failed, harmed }).toEqual({ name, failed: harmedByIt, harmed: harmedByIt });
  }
  const harmed = (all[PUBLIC]?.harmed ?? 0) + (all[KEPT_PUBLIC]?.harmed ?? 0);
  figures.push(`${what}: ${harmed} harmed by the public name`);
  expect(harmed).toBeGreaterThan(0);
  expect(harmed).toBeLessThanOrEqual(MAX_HARMED);
  expect(saidSince(from)).toEqual(['Exposed']);
}

const RUNS = Array.from({ length: BAD_RELEASES }, (_none, run) => run + 1);

test.each(RUNS)(
  'a bad release harms few by the public name, and is taken back: %i',
  run => badRelease(`bad release ${run}, Ingress`, stage.releases.unseenBad[run - 1] ?? ''),
  6 * MINUTE,
);

test(
  'from an Ingress to a Gateway no request is lost',
  async () => {
    const from = Date.now();
    await patch(SHOP_PATH, { spec: { exposure: { type: 'Gateway', ingress: null, tls: null, gateway } } });
    await becomes(SHOP_PATH, { status: 'True', message: `https://${SHOP} through ${GATEWAY_CONTROLLER}` });
    await until('the Ingress to be gone', async () => (await find(ingressPath)) === undefined);
    await sleep(5_000);
    expect(failures(await counted('from an Ingress to a Gateway', from))).toEqual({});
  },
  3 * MINUTE,
);

test.each(RUNS)(
  'behind an HTTPRoute a bad release is the same: %i',
  run => badRelease(`bad release ${run}, HTTPRoute`, stage.releases.unseenBad[BAD_RELEASES + run - 1] ?? ''),
  6 * MINUTE,
);

const isDone = async (app: KubeObject): Promise<boolean> =>
  story.isReady(app) && app['status'].phase === 'Released' && (await isSettled());

test(
  'a host is routed when the release that knows it serves alone',
  async () => {
    const from = Date.now();
    await patch(SHOP_PATH, { spec: { image: stage.releases.better, exposure: { hosts: [SHOP, NEW] } } });
    await story.untilPhase(stage, 'Candidate', 240);
    expect(await ask(NEW, '/health')).toEqual(NOBODYS);
    expect(await exposedOf(SHOP_PATH)).toMatchObject({ status: 'Unknown', reason: 'HostsFollow' });
    await comesTo(NEW, '/health', 200);
    await becomes(SHOP_PATH, { status: 'True', reason: 'Exposed' });
    const many = (path: string) => Promise.all(Array.from({ length: 20 }, () => ask(NEW, path)));
    // one pod of Traefik takes it up before the other
    await until('both pods of Traefik to know it', async () =>
      (await many('/health')).every(({ status }) => status === 200),
    );
    // every pod that it leads to knows it: another one would ask for a token, or refuse the name
    for (const { status, body } of await many('/metrics'))
      expect([status, JSON.parse(body)]).toEqual([404, { detail: 'Not Found' }]);
    users.set(BY_NEW, await startTraffic({ ...(await ofShop()), rate: 10, by: outside(NEW) }));
    await story.untilDashboard(NAMESPACE, 'the release', isDone, 240);
    expect(failures(await counted('a host comes', from))).toEqual({});
  },
  8 * MINUTE,
);

test(
  'all hosts replaced in one change: it is refused, and who comes by them is answered as before',
  async () => {
    const from = Date.now();
    await patch(SHOP_PATH, { spec: { exposure: { hosts: [OTHER] } } });
    const stalled = async () => conditionOf(await get(SHOP_PATH), 'Stalled')?.reason;
    await until('the refusal', async () => (await stalled()) === 'HostsDisjoint');
    await sleep(10_000); // a router that was told otherwise would have taken it up by now
    expect(await ask(OTHER, '/health', { plain: true })).toEqual(NOBODYS);
    expect(await exposedOf(SHOP_PATH)).toMatchObject({ status: 'Unknown', reason: 'HostsFollow' });
    await patch(SHOP_PATH, { spec: { exposure: { hosts: [SHOP, NEW] } } });
    await becomes(SHOP_PATH, { status: 'True', reason: 'Exposed' });
    await story.untilDashboard(NAMESPACE, 'the refusal to be over', isDone);
    expect(failures(await counted('all hosts replaced, refused', from))).toEqual({});
  },
  3 * MINUTE,
);

test(
  'one that is removed is not routed any more: who still comes by it meets nobody, and never a pod that refuses the name',
  async () => {
    const from = Date.now();
    await patch(SHOP_PATH, { spec: { exposure: { hosts: [SHOP] } } });
    await comesTo(NEW, '/health', 404);
    expect(await ask(NEW, '/health')).toEqual(NOBODYS);
    await story.untilDashboard(NAMESPACE, 'the release', isDone, 240);
    const { [BY_NEW]: gone, ...others } = await counted('a host goes', from);
    expect(Object.keys(gone?.got ?? {})).toEqual(['404']);
    expect(failures(others)).toEqual({});
    await users.get(BY_NEW)?.stop();
    users.delete(BY_NEW);
  },
  6 * MINUTE,
);

/** In the middle of a release; it is promoted all the same. */
async function loseOne(what: string, value: string): Promise<Readonly<Record<string, Counted>>> {
  const from = Date.now();
  await patch(SHOP_PATH, { spec: { podTemplate: { annotations: { release: value } } } });
  await story.untilPhase(stage, 'Candidate', 240);
  const lostAt = Date.now();
  await deleteOne();
  await story.untilDashboard(
    NAMESPACE,
    'the release',
    async ({ status }) => status?.phase === 'Released' && (await isSettled()),
    240,
  );
  await allServe();
  say(`${what}: lost ${lostAt - from} ms after the release began`);
  return counted(what, from);
}

/**
 * For two minutes a node leads whoever comes again from the same address and port where it led it before, though the pod
 * is gone and every rule says otherwise. One client makes all the requests here, so its ports come round.
 */
async function untilForgotten(): Promise<void> {
  const isForgotten = async () => {
    const command = ['conntrack', '-L', '-p', 'tcp', '-d', PUBLIC_ADDRESS];
    const list = insideNode(command, { stdio: ['ignore', 'pipe', 'ignore'] });
    const [lines, [code]] = await Promise.all([list.stdout ? text(list.stdout) : '', once(list, 'close')]);
    return code === 0 && !lines.includes('SYN_SENT');
  };
  await until('the node to forget connections that nobody answered', isForgotten, { seconds: 240, everyMs: 1_000 });
}

const isSettled = async (): Promise<boolean> => rolloutOf(await get(deploymentPath('dashboard')))?.phase === 'Settled';

test(
  'a pod of Traefik that is told to go in the middle of a release: as it comes, it refuses whom the node still sends',
  async () => {
    const all = await loseOne('a pod of Traefik goes, as it comes', 'one');
    expect(Object.keys(failures(all)).filter(name => name.includes(INSIDE))).toEqual([]);
  },
  6 * MINUTE,
);

test(
  'one that accepts for as long as the node needs refuses nobody',
  async () => {
    const from = Date.now();
    await setLifecycle({ acceptsForSeconds: 10 });
    await counted('Traefik itself is replaced, as it comes', from); // by one that is not any more
    await untilForgotten();
    expect(failures(await loseOne('a pod of Traefik goes, accepts for 10 s', 'two'))).toEqual({});
  },
  12 * MINUTE,
);

test(
  'Strict names Traefik’s namespace, and its pods still get in',
  async () => {
    const from = Date.now();
    await patch(SHOP_PATH, { spec: { networkPolicy: 'Strict' } });
    const policy = `/apis/networking.k8s.io/v1/namespaces/${NAMESPACE}/networkpolicies/dashboard`;
    const peers = async () => ((await get(policy))['spec'].ingress[0].from ?? []) as readonly KubeObject[];
    await until('the policy', async () => (await peers()).length > 0);
    const namespaces = (await peers()).flatMap(
      ({ namespaceSelector }) => namespaceSelector?.matchLabels['kubernetes.io/metadata.name'] ?? [],
    );
    expect(namespaces).toContain(EDGE);
    await comesTo(SHOP, '/health', 200);
    await sleep(5_000);
    expect(failures(await counted('Strict', from))).toEqual({});
  },
  2 * MINUTE,
);

test(
  'two pods of Traefik write the same, once: at rest nobody writes',
  async () => {
    const versions = async () => [
      (await get(routePath('dashboard'))).metadata.resourceVersion,
      (await get(routePath('devshelf'))).metadata.resourceVersion,
    ];
    const before = await versions();
    const { what } = await countWrites(20);
    // how often an event was repeated in the last release is written within half a minute of it
    expect(what.filter(write => !write.startsWith('patch events '))).toEqual([]);
    expect(await versions()).toEqual(before);
  },
  2 * MINUTE,
);
