// First install, a good release with a migration, a bad release, its rollback: the operator is killed before or after
// each of its writes in turn, with SWEEP=1000 before and after. Every run must end as the undisturbed one does. So it is
// with a release that takes something out of the schema, turns bad behind the fence and is mended, and one whose schema
// is undone, and with what people ask for; of these a slice is enough for every day; SWEEP=40 tries so many deaths,
// SWEEP=1000 all of them.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Gate } from '../api/rollout.ts';
import { jobs, type KubeObject, secrets } from '../kube/resource.ts';
import { ANNOTATIONS, LABELS } from '../objects/names.ts';
import { Ledger } from './testing/ledger.ts';
import { type LittleCluster, startLittleCluster } from './testing/little-cluster.ts';
import { LittleDatabase } from './testing/little-database.ts';
import { verdict } from './testing/little-kubelet.ts';
import { type LittleOperator, startOperator } from './testing/little-operator.ts';
import { type Death, type MortalTransport, mortal } from './testing/mortal-transport.ts';
import type { Script } from './testing/scripted-evidence.ts';
import { image, pause, QUICK, Shop, until } from './testing/shop.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built
const AT_ONCE = Number(process.env['SWEEP_AT_ONCE'] ?? 8);
const IS_WHOLE = process.env['SWEEP'] !== undefined;
const SWEEP_MS = (IS_WHOLE ? 60 : 15) * 60_000;
/** The sweep ends when so many runs in a row had no such write: not every run says the same number of things. */
const MISSES = 6;
const PATIENCE_MS = 60_000; // eight operators share two cores with their API server
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

/** What happens in a run. */
interface Tale {
  /** While nobody dies yet. */
  readonly before?: (shop: Shop) => Promise<void>;
  readonly tell: (shop: Shop, script: Script) => Promise<void>;
  /** Records that it leaves. */
  readonly records: number;
  /** What may be missing where somebody died. */
  readonly forgets?: RegExp;
}

const releases: Tale = {
  records: 1,
  tell: async (shop, script) => {
    script.set(image('3'), { canary: 'Bad' });
    cluster.kubelet.behave(shop.namespace, image('2'), { migration: verdict('up to date', ['20260301_cart']) });
    await shop.create('1');
    await shop.settles('1', 'AsExpected', PATIENCE_MS);
    await shop.release('2');
    await shop.settles('2', 'AsExpected', PATIENCE_MS);
    await shop.release('3');
    await shop.settles('2', 'ReleaseRejected', PATIENCE_MS);
  },
};

const ADD = { id: '20260301_cart' };
const DROP = { id: '20260401_drop', takes: 'takes away column t.c' };
const NOTE = { id: '20260501_note' };

const pod = { restartPolicy: 'Never', containers: [{ name: 'dump', image: 'example/dump:1' }] };
const DUMP = {
  metadata: { name: 'dump' },
  spec: { schedule: '0 3 * * *', suspend: true, jobTemplate: { spec: { template: { spec: pod } } } },
};

/** A contract after its backup and before its release, bad in the bake, held, mended; then one that is undone. */
const contracts: Tale = {
  records: 1,
  before: async shop => {
    const database = new LittleDatabase();
    const brought = { '1': [ADD], '2': [ADD, DROP], '3': [ADD, DROP], '4': [ADD, DROP, NOTE] };
    for (const [version, migrations] of Object.entries(brought))
      cluster.kubelet.behave(shop.namespace, image(version), { migration: database.runner(...migrations) });
    await cluster.api.request('POST', `/apis/batch/v1/namespaces/${shop.namespace}/cronjobs`, DUMP);
    await shop.create('1');
    await shop.settles('1', 'AsExpected', PATIENCE_MS);
  },
  tell: async (shop, script) => {
    const contract = { allow: [DROP.id], when: 'BeforeRollout', backup: { cronJob: 'dump' } };
    const migrations = { contract, downOnRollback: 'IfSafe' };
    script.set(image('2'), { stable: 'unknown' });
    await shop.patch({ image: image('2'), migrations, rollout: { ...QUICK, bakeSeconds: 600 } });
    await shop.settles('2', 'Baking', PATIENCE_MS);
    script.set(image('2'), { stable: 'unknown', bake: 'Bad' });
    await shop.annotate({ 'example.com/nudge': 'it turns bad' });
    await shop.settles('2', 'RollbackFenced', PATIENCE_MS);
    await shop.patch({ image: image('3'), rollout: QUICK });
    await shop.settles('3', 'AsExpected', PATIENCE_MS);
    script.set(image('4'), { canary: 'Bad' });
    await shop.release('4');
    await shop.settles('3', 'ReleaseRejected', PATIENCE_MS);
    await shop.says('SchemaReverted', 'SchemaReverted', PATIENCE_MS);
  },
};

/** What people ask for by annotations, each answered once whoever dies. */
const gates: Tale = {
  records: 2, // that it was held, and that it was rejected
  // a release that is stable is watched by nobody: what was counted of it ends with the process
  forgets: /\/data\/incident\/figures: undefined instead of/,
  before: async shop => {
    await shop.create('1');
    await shop.settles('1', 'AsExpected', PATIENCE_MS);
  },
  tell: async (shop, script) => {
    let count = 0;
    const asks = async (gate: Gate, words: string): Promise<void> => {
      const { candidate, stable } = (await shop.app())?.status?.rollout ?? {};
      count += 1;
      const request = `${(candidate ?? stable)?.hash} ${count} ${words}`;
      await shop.annotate({ [ANNOTATIONS[gate]]: request });
      const isAnswered = async () => (await shop.app())?.status?.requests?.some(known => known.request === request);
      await until(isAnswered, `${gate} is not answered`, PATIENCE_MS);
    };
    script.set(image('2'), { canary: 'Pending' });
    await shop.release('2');
    await shop.says('Analysing', 'AnalysisPassed', PATIENCE_MS);
    await asks('hold', 'look at it');
    await asks('promote', 'looked at');
    await shop.settles('2', 'AsExpected', PATIENCE_MS);
    await asks('reject', 'wrong prices');
    await shop.settles('1', 'ReleaseRejected', PATIENCE_MS);
  },
};

interface Run {
  readonly dump: unknown;
  readonly writes: readonly string[];
  /** The write at which the operator was killed; undefined when the story had fewer. */
  readonly struck: string | undefined;
  readonly writesWhenSettled: readonly string[];
  readonly migrationsRun: readonly string[];
  readonly keysMinted: readonly string[];
  /** Names of the records of incidents. */
  readonly incidents: readonly string[];
}

/** One operator at a time, another one as soon as it dies. */
class Supervisor {
  readonly #namespace: string;
  readonly #script: Script;
  #running: { operator: LittleOperator; transport: MortalTransport } | undefined;
  #mourning: Promise<void> = Promise.resolve();
  struck: string | undefined;

  constructor(namespace: string, script: Script) {
    this.#namespace = namespace;
    this.#script = script;
  }

  async start(death?: Death): Promise<MortalTransport> {
    const transport = mortal(await cluster.connect(), death);
    void transport.died.then(write => {
      this.struck = write;
      this.#mourning = this.#replace();
    });
    const operator = await startOperator({ transport, namespaces: [this.#namespace], script: this.#script });
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

async function story({ before, tell }: Tale, namespace: string, death?: Death): Promise<Run> {
  const shop = new Shop(cluster, namespace);
  await shop.open();
  const script: Script = new Map();
  const supervisor = new Supervisor(namespace, script);
  if (before) {
    await supervisor.start();
    await before(shop).finally(() => supervisor.quiet());
    await supervisor.stop();
  }
  const { writes } = await supervisor.start(death);
  try {
    await tell(shop, script);
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
    incidents: (await shop.incidents()).map(({ metadata }) => metadata.name),
    writes,
    struck: supervisor.struck,
    writesWhenSettled,
    migrationsRun: jobLedger.of(namespace).map(job => taskOf(job) ?? migrationOf(job)),
    keysMinted: secretLedger.of(namespace).map(({ metadata }) => metadata.name),
  };
}

const KINDS = [
  ...['pods', 'services', 'serviceaccounts', 'apps/v1/deployments', 'apps/v1/controllerrevisions', 'batch/v1/jobs'],
  ...['policy/v1/poddisruptionbudgets', 'networking.k8s.io/v1/networkpolicies'],
  ...['apps.devshelf.dev/v1alpha1/dashboarddeployments'],
];

const migrationOf = ({ metadata }: KubeObject): string => metadata.labels?.[LABELS.migration] ?? '';
const taskOf = ({ metadata }: KubeObject): string | undefined => metadata.annotations?.[ANNOTATIONS.task];

/**
 * Hashes are keyed with a random of the resource: what stands in their place, by the order of the releases; of Jobs for a
 * release's schema, their task.
 */
function namesOfHashes(lists: readonly KubeObject[][], jobs: readonly KubeObject[]): ReadonlyMap<string, string> {
  const of = (kind: string) => lists[KINDS.indexOf(kind)] ?? [];
  const label = ({ metadata }: KubeObject, name: string) => metadata.labels?.[name] ?? '';
  const revisions = of('apps/v1/controllerrevisions') as (KubeObject & { revision: number })[];
  const releases = revisions
    .filter(one => label(one, LABELS.record) === '')
    .sort((a, b) => a.revision - b.revision)
    .map(one => label(one, LABELS.release));
  const place = (hash: string) => String(1 + releases.indexOf(hash));
  const templates = of('pods').map(pod => [label(pod, 'pod-template-hash'), label(pod, LABELS.release)] as const);
  return new Map([
    ...releases.map(hash => [hash, `RELEASE${place(hash)}`] as const),
    ...templates.map(([template, release]) => [template, `TEMPLATE${place(release)}`] as const),
    ...jobs.flatMap(job => (taskOf(job) === undefined ? [] : [[migrationOf(job), `TASK ${taskOf(job)}`] as const])),
  ]);
}

/** Everything in the namespace, without what must differ from run to run: identities, times, keys, hashes. */
async function dumpOf(shop: Shop): Promise<unknown> {
  const lists = await Promise.all(KINDS.map(kind => shop.list(kind)));
  let text = JSON.stringify([lists, await keysOf(shop)]);
  for (const [hash, name] of namesOfHashes(lists, jobLedger.of(shop.namespace)))
    if (hash !== '') text = text.replaceAll(hash, name);
  text = text
    .replaceAll(shop.namespace, 'NAMESPACE')
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, 'TIME')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UID')
    .replaceAll(/10\.\d+\.\d+\.\d+/g, 'IP')
    .replaceAll(/("currentKeyDigest":")[\w-]{43}/g, '$1DIGEST')
    .replaceAll(/shop-backup-[0-9a-f]{10}/g, 'BACKUP')
    // of uids and resource versions
    .replaceAll(/(\\+"sources\\+":\\+")[0-9a-f]{20}/g, '$1SOURCES')
    // a record that is decided twice counts twice
    .replaceAll(/(\\+"write\\+":)\d+/g, '$1N');
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
  const { status } = object as { status?: { observedGeneration?: number } };
  // those annotations count as generations of a Deployment, too
  const isObserved = status?.observedGeneration === object.metadata.generation;
  return {
    ...object,
    ...(status?.observedGeneration !== undefined && { status: { ...status, observedGeneration: isObserved } }),
    metadata: { ...named, name: generateName ?? name, annotations },
  };
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

const outcomeOf = async (tale: Tale, prefix: string, death: Death): Promise<Outcome> => {
  const name = `${prefix}-${death.when}-${death.atWrite}`;
  try {
    return { name, ...(await story(tale, name, death)) };
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
      const [atWrite, when] = [1 + (IS_WHOLE ? next >> 1 : next), next % 2 === 0 ? 'before' : 'after'] as const;
      next += 1;
      const outcome = await outcomeOf(releases, 'killed', { atWrite, when });
      outcomes.push(outcome);
      misses = isStruck(outcome) ? 0 : misses + 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return outcomes;
}

const SECRETS = [
  ...['shop-api-key', 'shop-api-keyring', 'shop-release-seed', 'shop-release-seed-copy'],
  ...['shop-scrape-keyring', 'shop-scrape-token'],
];

test(
  'killed before or after each of its writes, the operator always gets there',
  async () => {
    const undisturbed = await story(releases, 'undisturbed');
    expect(undisturbed.migrationsRun).toHaveLength(3);
    expect(undisturbed.incidents).toHaveLength(1);
    const startedAt = performance.now();
    const outcomes = await sweep();
    const kills = outcomes.filter(isStruck).length;
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    console.log(
      `crash sweep: N = ${undisturbed.writes.length} writes, ${kills} kills before or after them, ${seconds} s`,
    );
    const faults = outcomes.flatMap(run =>
      'error' in run ? [{ run: run.name, why: run.error }] : faultsOf(run, undisturbed, releases),
    );
    expect(faults).toEqual([]);
    expect(kills).toBeGreaterThan((IS_WHOLE ? 1.5 : 0.75) * undisturbed.writes.length);
  },
  SWEEP_MS,
);

/** So many deaths, spread over all writes, are tried every day. */
const SLICE = Number(process.env['SWEEP'] ?? 8);

test.each([
  ['a contract behind the fence, of its mending, and of a schema that is undone', contracts, 'fenced'],
  ['what people ask for: to hold, to promote and to reject', gates, 'asked'],
] as const)(
  'killed at the writes of %s',
  async (_what, tale, name) => {
    const undisturbed = await story(tale, `${name}-undisturbed`);
    const startedAt = performance.now();
    const all = undisturbed.writes.flatMap((_write, index): Death[] => [
      { atWrite: index + 1, when: 'before' },
      { atWrite: index + 1, when: 'after' },
    ]);
    const stride = Math.max(1, all.length / SLICE);
    const deaths = all.filter((_death, index) => index % stride < 1);
    const outcomes: Outcome[] = [];
    const worker = async (): Promise<void> => {
      for (let death = deaths.shift(); death; death = deaths.shift()) outcomes.push(await outcomeOf(tale, name, death));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    const kills = outcomes.filter(isStruck).length;
    const faults = outcomes.flatMap(run =>
      'error' in run ? [{ run: run.name, why: run.error }] : faultsOf(run, undisturbed, tale),
    );
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    console.log(
      `crash sweep, ${name}: N = ${undisturbed.writes.length} writes, ${kills} kills, ${faults.length} faults, ${seconds} s`,
    );
    expect(faults).toEqual([]);
    expect(kills).toBeGreaterThan(0.75 * outcomes.length);
  },
  SWEEP_MS,
);

function faultsOf(run: Run & { name: string }, undisturbed: Run, { records, forgets }: Tale): object[] {
  const about = { run: run.name, struck: run.struck };
  return [
    ...differences(run.dump, undisturbed.dump)
      .filter(why => !forgets?.test(why))
      .map(why => ({ ...about, why })),
    ...differences([...run.migrationsRun].sort(), [...undisturbed.migrationsRun].sort()).map(why => ({
      ...about,
      why: `Jobs: ${why}`,
    })),
    ...differences([...run.keysMinted].filter(name => name !== 'db').sort(), SECRETS).map(why => ({
      ...about,
      why: `Secrets: ${why}`,
    })),
    ...(run.incidents.length === records ? [] : [{ ...about, why: `incidents: ${run.incidents.join(', ')}` }]),
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
