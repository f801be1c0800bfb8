// The door as users meet it: both services by their public names, through the pods of Traefik on a whole cluster, while
// releases come and go behind it. The same requests are made inside, past the door: what it adds is the difference.
import { request as http } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { down, forwardToLoopback, status, up } from '../cluster/cluster.ts';
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
import { clearNamespace } from '../scenarios/namespace.ts';
import { countWrites, installOperator } from '../scenarios/operator.ts';
import { rolloutOf } from '../scenarios/recording.ts';
import { prepareReleases } from '../scenarios/releases.ts';
import * as story from '../scenarios/story.ts';
import {
  apiKey,
  between,
  isFailed,
  isHarmed,
  serviceAddress,
  startTraffic,
  type Traffic,
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
  giveAddress,
  LISTENER,
  PUBLIC_ADDRESS,
  prepareTraefik,
  removeTraefik,
  setLifecycle,
  startTraefik,
} from './traefik-pods.ts';

const MINUTE = 60_000;
const NAMESPACE = 'e2e-door';
const SHOP = 'shop.example';
const SHELF = 'shelf.example';
const NEW = 'new.example';
const HIDDEN = ['/metrics', '/live', '/ready'];
/** The load generator's own patience is five seconds. */
const LAST_ANSWERS_MS = 6_000;

const common = { trustedProxies: ['10.244.0.0/16'], from: [EDGE] };
const gateway = { parentRefs: [{ name: GATEWAY, namespace: EDGE, sectionName: LISTENER }] };
const byIngress = { ...common, type: 'Ingress', hosts: [SHOP], ingress: { className: CLASS } };
const byGateway = { ...common, type: 'Gateway', hosts: [SHELF], gateway };

const SHOP_PATH = story.dashboardPath(NAMESPACE);
const SHELF_PATH = story.devshelfPath(NAMESPACE);
const deploymentPath = (name: string): string => `/apis/apps/v1/namespaces/${NAMESPACE}/deployments/${name}`;
const ingressPath = `/apis/networking.k8s.io/v1/namespaces/${NAMESPACE}/ingresses/dashboard`;
const routePath = (name: string): string =>
  `/apis/gateway.networking.k8s.io/v1/namespaces/${NAMESPACE}/httproutes/${name}`;

const figures: string[] = [];
let wasUp = true;
let stage: story.Stage;

/** Who makes requests, by the words that stand before their figures. */
let users: ReadonlyMap<string, Traffic> = new Map();

beforeAll(async () => {
  wasUp = (await status()).up;
  await up();
  await prepareTraefik();
  const releases = await prepareReleases(2);
  await installOperator();
  await startTraefik();
  stage = await story.setTheStage(NAMESPACE, releases, () => {});
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
  disconnect();
  if (!wasUp && !process.env['KEEP_CLUSTER']) await down();
}, 5 * MINUTE);

const exposedOf = async (path: string): Promise<Condition | undefined> => conditionOf(await get(path), 'Exposed');

const becomes = (path: string, expected: Partial<Condition>): Promise<unknown> => {
  let last: Condition | undefined;
  const isIt = async (): Promise<boolean> => {
    last = await exposedOf(path);
    return Object.entries(expected).every(([key, value]) => last?.[key as keyof Condition] === value);
  };
  return until(`Exposed to be ${JSON.stringify(expected)}`, isIt, { state: () => JSON.stringify(last) });
};

type Reply = { readonly status: number; readonly body: string };

/** By a public name, at the balancer's address. */
async function ask(host: string, path: string, headers: Record<string, string> = {}): Promise<Reply> {
  const port = await forwardToLoopback(`${PUBLIC_ADDRESS}:80`);
  return new Promise((resolve, reject) => {
    const sent = http({ host: '127.0.0.1', port, path, headers: { host, ...headers }, agent: false }, response => {
      text(response).then(body => resolve({ status: response.statusCode ?? 0, body }), reject);
    });
    sent.once('error', reject);
    sent.end();
  });
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

/** Of each kind two: by the public name and inside, by the Service's, as many and as often. */
async function startUsers(): Promise<ReadonlyMap<string, Traffic>> {
  const headers = { 'x-api-key': await apiKey(NAMESPACE, 'dashboard'), 'accept-language': 'es-AR,es;q=0.9' };
  const shop = { namespace: NAMESPACE, service: 'dashboard', paths: ['/api/summary', '/api/providers'], headers };
  const shelf = { namespace: NAMESPACE, service: 'devshelf', paths: ['/api/v1/resources'], rate: 5 };
  const outside = (host: string) => ({ host, address: `${PUBLIC_ADDRESS}:80` });
  // a dashboard that is exposed knows its names alone: the Service's are among them, its address is not
  const within = async (service: string) => ({ host: service, address: await serviceAddress(NAMESPACE, service) });
  const fresh = { ...shop, rate: 10 };
  const kept = { ...shop, rate: 5, clients: 5 };
  const all = {
    [PUBLIC]: { ...fresh, by: outside(SHOP) },
    [INSIDE]: { ...fresh, by: await within('dashboard') },
    [`${PUBLIC}, connections kept`]: { ...kept, by: outside(SHOP) },
    [KEPT_INSIDE]: { ...kept, by: await within('dashboard') },
    [`DevShelf ${PUBLIC}`]: { ...shelf, by: outside(SHELF) },
    [`DevShelf ${INSIDE}`]: { ...shelf, by: await within('devshelf') },
  };
  const started = new Map<string, Traffic>();
  for (const [name, options] of Object.entries(all)) started.set(name, await startTraffic(options));
  for (const traffic of started.values()) await untilAnswered(traffic);
  return started;
}

const PUBLIC = 'by the public name';
const INSIDE = 'inside';
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
    for (const { status, error } of failed) got[`${status ?? error}`] = (got[`${status ?? error}`] ?? 0) + 1;
    const harmedByIt = harmed.filter(({ release }) => release === 'bad').length;
    all[name] = { requests: answers.length, failed: failed.length, harmed: harmed.length, harmedByIt, got };
    figures.push(`${what}: ${name}: ${failed.length} of ${answers.length} failed ${JSON.stringify(got)}`);
    say(figures.at(-1) ?? '');
  }
  return all;
}

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
    await becomes(SHELF_PATH, { status: 'True', message: `${SHELF} through ${GATEWAY_CONTROLLER}` });
    expect((await get(SHOP_PATH))['status'].publicURLs ?? []).toEqual([]);
  },
  2 * MINUTE,
);

test(
  'with the balancer’s address in Traefik’s Service both are Exposed',
  async () => {
    await giveAddress();
    await becomes(SHOP_PATH, { status: 'True', message: `http://${SHOP} through ${PUBLIC_ADDRESS} (${CLASS})` });
    expect((await get(SHOP_PATH))['status'].publicURLs).toEqual([`http://${SHOP}`]);
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
    expect(await ask('other.example', '/health')).toEqual(NOBODYS);
    expect(await ask(PUBLIC_ADDRESS, '/health')).toEqual(NOBODYS);
  },
  2 * MINUTE,
);

test.each([SHOP, SHELF])(
  'what is not for the public is not there by %s, and is by the pod’s address',
  async host => {
    for (const path of HIDDEN) {
      const { status, body } = await ask(host, path);
      expect([path, status, JSON.parse(body)]).toEqual([path, 404, { detail: 'Not Found' }]);
    }
    const forged = await ask(host, '/ready', { 'x-forwarded-host': '10.0.0.7' });
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
    users = await startUsers();
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
  const [outside, inside] = [all[PUBLIC]?.harmed ?? 0, all[INSIDE]?.harmed ?? 0];
  expect(outside).toBeGreaterThan(0);
  expect(outside).toBeLessThanOrEqual(2 * inside + 10);
  expect(saidSince(from)).toEqual(['Exposed']);
}

test(
  'a bad release harms by the public name whom it harms inside, and is taken back',
  () => badRelease('a bad release, Ingress', stage.releases.unseenBad[0] ?? ''),
  6 * MINUTE,
);

test(
  'from an Ingress to a Gateway no request is lost',
  async () => {
    const from = Date.now();
    await patch(SHOP_PATH, { spec: { exposure: { type: 'Gateway', ingress: null, gateway } } });
    await becomes(SHOP_PATH, { status: 'True', message: `${SHOP} through ${GATEWAY_CONTROLLER}` });
    await until('the Ingress to be gone', async () => (await find(ingressPath)) === undefined);
    await sleep(5_000);
    expect(failures(await counted('from an Ingress to a Gateway', from))).toEqual({});
  },
  3 * MINUTE,
);

test(
  'behind an HTTPRoute a bad release is the same',
  () => badRelease('a bad release, Gateway', stage.releases.unseenBad[1] ?? ''),
  6 * MINUTE,
);

test(
  'a host is routed when the release that knows it serves alone, and one that is removed is not any more',
  async () => {
    const from = Date.now();
    await patch(SHOP_PATH, { spec: { image: stage.releases.better, exposure: { hosts: [SHOP, NEW] } } });
    await story.untilPhase(stage, 'Candidate', 240);
    expect(await ask(NEW, '/health')).toEqual(NOBODYS);
    expect(await exposedOf(SHOP_PATH)).toMatchObject({ status: 'Unknown', reason: 'HostsFollow' });
    await comesTo(NEW, '/health', 200);
    await becomes(SHOP_PATH, { status: 'True', reason: 'Exposed' });
    // every pod that it leads to knows it: another one would ask for a token, or refuse the name
    for (let asked = 0; asked < 20; asked += 1) expect((await ask(NEW, '/metrics')).status).toBe(404);
    await story.untilDashboard(NAMESPACE, 'the release', story.isReleased(stage.releases.better), 240);
    await patch(SHOP_PATH, { spec: { exposure: { hosts: [SHOP] } } });
    await comesTo(NEW, '/health', 404);
    expect(await ask(NEW, '/health')).toEqual(NOBODYS);
    await story.untilPhase(stage, 'Settled', 240);
    expect(failures(await counted('a host comes and goes', from))).toEqual({});
  },
  8 * MINUTE,
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
    const all = failures(await loseOne('a pod of Traefik goes, accepts for 10 s', 'two'));
    const why = new Set(Object.values(all).flatMap(Object.keys));
    // now and then one in a thousand is not answered: the node sends it to a pod that is gone by then
    why.delete('TIMEOUT');
    expect([...why]).toEqual([]);
  },
  8 * MINUTE,
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
    expect(await countWrites(20)).toMatchObject({ writes: 0, what: [] });
    expect(await versions()).toEqual(before);
  },
  2 * MINUTE,
);
