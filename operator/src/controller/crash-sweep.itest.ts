// First install, a good release with a migration, a bad release, its rollback: the operator is killed before, and
// after, each of its writes in turn. Every run must end as the undisturbed one does.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { jobs, type KubeObject, secrets } from '../kube/resource.ts';
import { LABELS } from '../objects/names.ts';
import { Ledger } from './testing/ledger.ts';
import { type LittleCluster, startLittleCluster } from './testing/little-cluster.ts';
import { verdict } from './testing/little-kubelet.ts';
import { type LittleOperator, startOperator } from './testing/little-operator.ts';
import { type Death, type MortalTransport, mortal } from './testing/mortal-transport.ts';
import type { Script } from './testing/scripted-evidence.ts';
import { image, pause, Shop } from './testing/shop.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built
const SWEEP_MS = 15 * 60_000;
const AT_ONCE = Number(process.env['SWEEP_AT_ONCE'] ?? 8);
/** The sweep ends when so many runs in a row had no such write: not every run says the same number of things. */
const MISSES = 6;
const QUIET_MS = 500;

let cluster: LittleCluster;
let jobLedger: Ledger;
let secretLedger: Ledger;

beforeAll(async () => {
  cluster = await startLittleCluster({ startMs: 20, goMs: 20 });
  jobLedger = new Ledger(cluster.transport, jobs);
  secretLedger = new Ledger(cluster.transport, secrets);
  await Promise.all([jobLedger.synced, secretLedger.synced]);
}, BUILD_MS);

afterAll(async () => {
  await Promise.all([jobLedger?.stop(), secretLedger?.stop()]);
  await cluster?.stop();
});

const script: Script = new Map([[image('3'), { canary: 'Bad' }]]);

interface Run {
  readonly dump: unknown;
  readonly writes: readonly string[];
  /** The write at which the operator was killed; undefined when the story had fewer. */
  readonly struck: string | undefined;
  readonly writesWhenSettled: readonly string[];
  readonly migrationsRun: readonly string[];
  readonly keysMinted: readonly string[];
}

/** One operator at a time, another one as soon as it dies. */
class Supervisor {
  readonly #namespace: string;
  #running: { operator: LittleOperator; transport: MortalTransport } | undefined;
  #mourning: Promise<void> = Promise.resolve();
  struck: string | undefined;

  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  async start(death?: Death): Promise<MortalTransport> {
    const transport = mortal(await cluster.connect(), death);
    void transport.died.then(write => {
      this.struck = write;
      this.#mourning = this.#replace();
    });
    const operator = await startOperator({ transport, namespaces: [this.#namespace], script });
    this.#running = { operator, transport };
    return transport;
  }

  /** Until nothing was written for a while. */
  async quiet(): Promise<void> {
    for (let before = -1; before !== this.#written; ) {
      before = this.#written;
      await pause(QUIET_MS);
    }
  }

  get #written(): number {
    return this.#running?.transport.writes.length ?? 0;
  }

  async stop(): Promise<void> {
    await this.#mourning;
    await this.#running?.operator.stop();
    this.#running = undefined;
  }

  async #replace(): Promise<void> {
    await this.#running?.operator.stop();
    await this.start();
  }
}

async function story(namespace: string, death?: Death): Promise<Run> {
  const shop = new Shop(cluster, namespace);
  await shop.open();
  cluster.kubelet.behave(namespace, image('2'), { migration: verdict('up to date', ['20260301_cart']) });
  const supervisor = new Supervisor(namespace);
  const { writes } = await supervisor.start(death);
  try {
    await shop.create('1');
    await shop.settles('1');
    await shop.release('2');
    await shop.settles('2');
    await shop.release('3');
    await shop.settles('2', 'ReleaseRejected');
    await shop.controllersRest();
    await supervisor.quiet();
  } finally {
    await supervisor.stop();
  }
  const { writes: writesWhenSettled } = await supervisor.start();
  await pause(QUIET_MS);
  await supervisor.stop();
  return {
    dump: await dumpOf(shop),
    writes,
    struck: supervisor.struck,
    writesWhenSettled,
    migrationsRun: jobLedger.of(namespace).map(({ metadata }) => metadata.labels?.[LABELS.migration] ?? ''),
    keysMinted: secretLedger.of(namespace).map(({ metadata }) => metadata.name),
  };
}

const KINDS = [
  ...['pods', 'services', 'serviceaccounts', 'apps/v1/deployments', 'apps/v1/controllerrevisions', 'batch/v1/jobs'],
  ...['policy/v1/poddisruptionbudgets', 'networking.k8s.io/v1/networkpolicies'],
  ...['apps.devshelf.dev/v1alpha1/dashboarddeployments'],
];

/** Everything in the namespace, without what must differ from run to run: identities, times, keys. */
async function dumpOf(shop: Shop): Promise<unknown> {
  const lists = await Promise.all(KINDS.map(kind => shop.list(kind)));
  const text = JSON.stringify([lists, await keysOf(shop)])
    .replaceAll(shop.namespace, 'NAMESPACE')
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, 'TIME')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UID')
    .replaceAll(/10\.\d+\.\d+\.\d+/g, 'IP');
  const [objects, keys] = JSON.parse(text) as [KubeObject[][], unknown];
  return { objects: objects.map(list => list.map(normalized).sort(byJson)), keys };
}

const byJson = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

function normalized(object: KubeObject): unknown {
  const { resourceVersion: _v, managedFields: _m, generation: _g, name, ...metadata } = object.metadata;
  // counts the templates that the Deployment controller saw: of a candidate that is taken back at once it may see none
  const {
    'devshelf.dev/applied': _hash,
    'deployment.kubernetes.io/revision': _seen,
    ...annotations
  } = metadata.annotations ?? {};
  const { generateName, ...named } = metadata as typeof metadata & { generateName?: string };
  return { ...object, metadata: { ...named, name: generateName ?? name, annotations } };
}

/** Whether callers hold the key that the pods accept. */
async function keysOf(shop: Shop): Promise<unknown> {
  const kept = (await shop.list('secrets')) as (KubeObject & { data?: Record<string, string> })[];
  const text = (name: string, key: string): string =>
    Buffer.from(kept.find(({ metadata }) => metadata.name === name)?.data?.[key] ?? '', 'base64').toString();
  const held = (keyring: string, client: string, key: string): boolean => {
    const { current, keys } = JSON.parse(text(keyring, 'keyring.json')) as {
      current: string;
      keys: Record<string, string>;
    };
    return Object.keys(keys).length === 1 && keys[current] === text(client, key);
  };
  return {
    api: held('shop-api-keyring', 'shop-api-key', 'key'),
    scrape: held('shop-scrape-keyring', 'shop-scrape-token', 'token'),
  };
}

type Outcome = { readonly name: string } & (Run | { readonly error: string });

const outcomeOf = async (death: Death): Promise<Outcome> => {
  const name = `killed-${death.when}-${death.atWrite}`;
  try {
    return { name, ...(await story(name, death)) };
  } catch (error) {
    return { name, error: error instanceof Error ? error.message : String(error) };
  }
};

const isStruck = (outcome: Outcome): boolean => 'error' in outcome || outcome.struck !== undefined;

/** Both deaths at write 1, 2, 3 … until the story has no such write; several stories at once. */
async function sweep(): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let next = 0;
  let misses = 0;
  const worker = async (): Promise<void> => {
    while (misses < MISSES) {
      const [atWrite, when] = [1 + (next >> 1), next % 2 === 0 ? 'before' : 'after'] as const;
      next += 1;
      const outcome = await outcomeOf({ atWrite, when });
      outcomes.push(outcome);
      misses = isStruck(outcome) ? 0 : misses + 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return outcomes;
}

const KEYS = ['shop-api-key', 'shop-api-keyring', 'shop-scrape-keyring', 'shop-scrape-token'];

test(
  'killed before and after each of its writes, the operator always gets there',
  async () => {
    const undisturbed = await story('undisturbed');
    expect(undisturbed.migrationsRun).toHaveLength(3);
    const startedAt = performance.now();
    const outcomes = await sweep();
    const kills = outcomes.filter(isStruck).length;
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    console.log(
      `crash sweep: N = ${undisturbed.writes.length} writes, ${kills} kills before and after them, ${seconds} s`,
    );
    const faults = outcomes.flatMap(run =>
      'error' in run ? [{ run: run.name, why: run.error }] : faultsOf(run, undisturbed),
    );
    expect(faults).toEqual([]);
    expect(kills).toBeGreaterThan(1.5 * undisturbed.writes.length);
  },
  SWEEP_MS,
);

function faultsOf(run: Run & { name: string }, undisturbed: Run): object[] {
  const about = { run: run.name, struck: run.struck };
  return [
    ...differences(run.dump, undisturbed.dump).map(why => ({ ...about, why })),
    ...differences([...run.migrationsRun].sort(), [...undisturbed.migrationsRun].sort()).map(why => ({
      ...about,
      why: `Jobs: ${why}`,
    })),
    ...differences([...run.keysMinted].filter(name => name !== 'db').sort(), KEYS).map(why => ({
      ...about,
      why: `keys: ${why}`,
    })),
    ...run.writesWhenSettled.map(why => ({ ...about, why: `written when settled: ${why}` })),
  ];
}

/** Where two values differ, as paths with both values. */
function differences(a: unknown, b: unknown, path = ''): string[] {
  if (JSON.stringify(a) === JSON.stringify(b)) return [];
  const both = [a, b].every(value => typeof value === 'object' && value !== null);
  if (!both) return [`${path}: ${JSON.stringify(a)} instead of ${JSON.stringify(b)}`];
  const [left, right] = [a, b] as Record<string, unknown>[];
  const keys = new Set([...Object.keys(left ?? {}), ...Object.keys(right ?? {})]);
  return [...keys].flatMap(key => differences(left?.[key], right?.[key], `${path}/${key}`));
}
