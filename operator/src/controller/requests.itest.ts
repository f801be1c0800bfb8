// What a resource costs the API server: every request of a first install, and of an operator that begins over what
// rests. Counts, no times; lists and watches of the stores are not in them, as they are of a process and not of a
// resource.
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { Request, Transport } from '../kube/transport.ts';
import { LABELS } from '../objects/names.ts';
import { type LittleCluster, startLittleCluster } from './testing/little-cluster.ts';
import { Scene } from './testing/scene.ts';
import { until } from './testing/shop.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built
const TEST_MS = 60_000;
const INSTALLATION = 'requests/operator';

let cluster: LittleCluster;
let scene: Scene | undefined;
let count = 0;
/** Lines of the operator's log from `warn` on. */
let warnings: string[] = [];

beforeAll(async () => {
  cluster = await startLittleCluster();
}, BUILD_MS);

afterEach(async () => {
  await scene?.stop();
  scene = undefined;
  // what the API server refuses has no stack: a pass that fails for anything else is one too many
  const stacks = warnings.filter(line => line.includes('"stack"'));
  warnings = [];
  expect(stacks).toEqual([]);
});

afterAll(async () => {
  await cluster?.stop();
});

/** `GET secrets/db`, by one connection. */
class Counted implements Transport {
  readonly asked: string[] = [];
  readonly #inner: Transport;

  constructor(inner: Transport) {
    this.#inner = inner;
  }

  request<T>(request: Request): Promise<T> {
    if (request.query?.['limit'] === undefined) this.asked.push(shortened(request));
    return this.#inner.request<T>(request);
  }

  text: Transport['text'] = request => this.#inner.text(request);
  watch: Transport['watch'] = (...given) => this.#inner.watch(...given);
  close = () => this.#inner.close();

  /** How many, of those that the pattern fits. */
  of(pattern: RegExp): number {
    return this.asked.filter(request => pattern.test(request)).length;
  }
}

function shortened({ method, path, query }: Request): string {
  const [, what = path] = /\/namespaces\/[^/]+\/(.+)$/.exec(path) ?? [];
  return `${method} ${what}${query?.['dryRun'] === undefined ? '' : ' (dry run)'}`;
}

async function open(): Promise<Scene> {
  count += 1;
  scene = new Scene(cluster, `requests-${count}`);
  const { namespace } = scene.shop;
  await scene.shop.open();
  const flags = { metadata: { name: 'flags' }, data: { COLOUR: 'blue' } };
  await cluster.api.request('POST', `/api/v1/namespaces/${namespace}/configmaps`, flags);
  return scene;
}

async function begin(of: Scene): Promise<Counted> {
  await of.stop();
  const transport = new Counted(await cluster.connect());
  const log = pino({ level: 'warn', base: null }, { write: line => void warnings.push(line) });
  await of.start(transport, { installation: INSTALLATION, log });
  return transport;
}

/** It has looked at its resource, and has nothing to do. */
async function passed(of: Scene): Promise<void> {
  await until(async () => (await of.operator.metrics()).includes('outcome="done"'), 'no pass was made');
  await of.quiet();
}

const change = ({ shop: { namespace } }: Scene, what: string, body: object): Promise<unknown> =>
  cluster.transport.request({
    method: 'PATCH',
    path: `/api/v1/namespaces/${namespace}/${what}`,
    contentType: 'application/merge-patch+json',
    body,
  });

/** Nothing is written any more, and every controller is done. */
async function rests(of: Scene, version: string): Promise<void> {
  await of.shop.settles(version);
  await of.shop.controllersRest();
  await of.quiet();
}

test(
  'an operator that begins over what rests reads no Secret, and writes nothing',
  async () => {
    const of = await open();
    const { shop } = of;
    await begin(of);
    await shop.create('1', { envFrom: [{ configMapRef: { name: 'flags' } }] });
    await rests(of, '1');
    const second = await begin(of);
    await passed(of);
    expect(second.asked).toEqual([]);
    // what is in no hash needs none either; a release does
    await shop.patch({ replicas: 3 });
    await until(async () => (await shop.deployment())?.spec?.replicas === 3, 'it was not scaled');
    expect(second.of(/^GET (?:secrets|configmaps)/)).toBe(0);
    await shop.release('2');
    await rests(of, '2');
    expect(second.of(/^GET secrets/)).toBe(2);
  },
  TEST_MS,
);

test(
  'what was changed while no operator ran is read: it is a release only where it holds something else',
  async () => {
    const of = await open();
    const { shop } = of;
    await begin(of);
    await shop.create('1', { envFrom: [{ configMapRef: { name: 'flags' } }] });
    await rests(of, '1');
    const hash = async () => (await shop.deployment())?.spec?.template?.metadata?.labels?.[LABELS.release];
    const before = await hash();
    await of.stop();
    await change(of, 'configmaps/flags', { metadata: { labels: { touched: 'yes' } } });
    const second = await begin(of);
    await passed(of);
    expect(second.of(/^GET secrets/)).toBe(2);
    expect(second.of(/^(?!GET)/)).toBe(0);
    await of.stop();
    const url = Buffer.from('postgresql://shop:other@db.example:5432/shop').toString('base64');
    await change(of, 'secrets/db', { data: { DATABASE_URL: url } });
    await begin(of);
    await until(async () => (await hash()) !== before, 'a changed Secret is no release');
    await rests(of, '1');
  },
  TEST_MS,
);

test(
  'a first install makes each object once, and looks for none of them before',
  async () => {
    const of = await open();
    const first = await begin(of);
    await of.shop.create('1', { envFrom: [{ configMapRef: { name: 'flags' } }] });
    await rests(of, '1');
    // what is in the status follows the pods, and the Lease the clock
    const about = first.asked.filter(request => !/\/status$| leases|^GET \/apis$/.test(request));
    const serving = /^(?:GET|PATCH) deployments\/shop$/;
    expect(tally(about.filter(request => !serving.test(request)))).toEqual({
      'GET configmaps/flags': 2,
      'GET secrets/db': 1,
      'POST secrets': 6,
      'PATCH serviceaccounts/shop': 1,
      'PATCH networkpolicies/shop': 1,
      'PATCH services/shop': 1,
      'PATCH poddisruptionbudgets/shop': 1,
      'PATCH deployments/shop-candidate (dry run)': 1,
      'POST configmaps': 1,
      'POST controllerrevisions': 1,
      'POST jobs': 1,
      'PATCH controllerrevisions/shop-…': 2,
    });
    // made, its count of pods, and two phases more; each of these again where a controller wrote in between
    expect(first.of(/^PATCH deployments\/shop$/)).toBeGreaterThanOrEqual(4);
    expect(first.of(serving)).toBeLessThanOrEqual(9);
  },
  TEST_MS,
);

/** How often each was asked; a release's own name is left out. */
function tally(requests: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const request of requests) {
    const known = request.replace(/shop-[0-9a-f]{10}$/, 'shop-…');
    counts[known] = (counts[known] ?? 0) + 1;
  }
  return counts;
}
