// A key is replaced while the operator is killed before, and after, each of its writes in turn. Every run must end as
// the undisturbed one: one new key, no caller refused, nothing written afterwards.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { get } from '../kube/apply.ts';
import { type Reflector, startReflector } from '../kube/reflector.ts';
import { type KubeObject, secrets } from '../kube/resource.ts';
import { Store, type StoredObject } from '../kube/store.ts';
import { parseKeyring } from '../objects/keyring.ts';
import { createEvidence } from './judging.ts';
import { clientKey, KeyCallers } from './testing/key-callers.ts';
import { KeyedPods } from './testing/keyed-pods.ts';
import { type LittleCluster, startLittleCluster } from './testing/little-cluster.ts';
import { type LittleOperator, startOperator } from './testing/little-operator.ts';
import { type Death, type MortalTransport, mortal } from './testing/mortal-transport.ts';
import { pause, Shop, until } from './testing/shop.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built
const SWEEP_MS = 10 * 60_000;
const AT_ONCE = Number(process.env['SWEEP_AT_ONCE'] ?? 4);
const OVERLAP_MS = 60_000;
const QUIET_MS = 1_500;
const log = pino({ level: 'silent' });

const pods = new KeyedPods();
let minted: Minted;
let cluster: LittleCluster;

beforeAll(async () => {
  cluster = await startLittleCluster({ startMs: 20, goMs: 20 }, pods);
  pods.connect(cluster.transport);
  minted = new Minted();
  await minted.watch(cluster);
}, BUILD_MS);

afterAll(async () => {
  await minted?.stop();
  await cluster?.stop();
  await pods.stopAll();
});

interface Run {
  readonly writes: readonly string[];
  readonly struck: string | undefined;
  readonly writesAfterwards: readonly string[];
  readonly refused: readonly string[];
  readonly newKeys: number;
  readonly inForce: readonly string[];
  readonly clientsHoldIt: boolean;
}

async function story(namespace: string, death?: Death): Promise<Run> {
  const shop = new Shop(cluster, namespace);
  await shop.open();
  const operators = new Operators(namespace);
  const callers = new KeyCallers(cluster, pods, namespace);
  try {
    await operators.start();
    await shop.create('1', { apiKey: { rotation: { overlapSeconds: OVERLAP_MS / 1000 } } });
    await shop.settles('1');
    await shop.controllersRest();
    await operators.quiet();
    await operators.replace(death);
    callers.come();
    await shop.annotate({ 'devshelf.dev/rotate': 'a' });
    await reaches(shop, 'Draining');
    operators.aheadMs = OVERLAP_MS + 1_000;
    await shop.annotate({ 'example.com/nudge': 'time has passed' });
    // whoever counts the uses of the old key anew looks at it for half of the overlap
    const passing = setInterval(() => {
      operators.aheadMs += OVERLAP_MS / 4;
    }, 1_000);
    await reaches(shop, 'Idle').finally(() => clearInterval(passing));
    await operators.quiet();
    const { writes } = operators;
    await callers.leave();
    await operators.replace();
    await pause(QUIET_MS);
    const ring = parseKeyring((await get(cluster.transport, secrets, { namespace, name: 'shop-api-keyring' }))?.data);
    return {
      writes,
      struck: operators.struck,
      writesAfterwards: operators.writes,
      refused: callers.refused,
      newKeys: minted.of(namespace, '2'),
      inForce: Object.keys(ring?.keys ?? {}),
      clientsHoldIt: ring?.keys['2'] === (await clientKey(cluster, namespace)),
    };
  } finally {
    await callers.leave();
    await operators.stop();
  }
}

const reaches = (shop: Shop, state: string) =>
  until(
    async () => {
      const key = (await shop.app())?.status?.keys?.find(({ name }) => name === 'api');
      return key?.request === 'a' && key.state === state;
    },
    async () => `${shop.namespace}: not ${state}: ${JSON.stringify((await shop.app())?.status?.keys)}`,
    40_000,
  );

/** One operator at a time, another one as soon as it dies. */
class Operators {
  readonly #namespace: string;
  #running: { operator: LittleOperator; transport: MortalTransport } | undefined;
  #mourning: Promise<void> = Promise.resolve();
  aheadMs = 0;
  struck: string | undefined;

  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  get writes(): readonly string[] {
    return this.#running?.transport.writes ?? [];
  }

  async start(death?: Death): Promise<void> {
    const transport = mortal(await cluster.connect(), death);
    void transport.died.then(write => {
      this.struck = write;
      this.#mourning = this.replace();
    });
    const operator = await startOperator({
      transport,
      namespaces: [this.#namespace],
      script: new Map(),
      now: () => Date.now() + this.aheadMs,
      evidence: (world, wake) => createEvidence({ world, wake, transport, access: 'direct', log }),
    });
    this.#running = { operator, transport };
  }

  async replace(death?: Death): Promise<void> {
    await this.#running?.operator.stop();
    await this.start(death);
  }

  async quiet(): Promise<void> {
    await this.#mourning;
    for (let before = -1; before !== this.writes.length; ) {
      before = this.writes.length;
      await pause(QUIET_MS / 3);
    }
  }

  async stop(): Promise<void> {
    await this.#mourning;
    await this.#running?.operator.stop();
  }
}

type Kept = StoredObject & { readonly namespace: string; readonly keys: Readonly<Record<string, string>> };

/** Every key that ever was in a keyring of the API, by its text. */
class Minted {
  readonly #texts = new Map<string, Set<string>>();
  #reflector: Reflector<KubeObject, Kept> | undefined;

  async watch({ transport }: LittleCluster): Promise<void> {
    const store = new Store<Kept>();
    store.onChange((_before, after) => {
      for (const [id, text] of Object.entries(after?.keys ?? {})) {
        const at = `${after?.namespace}/${id}`;
        this.#texts.set(at, (this.#texts.get(at) ?? new Set()).add(text));
      }
    });
    this.#reflector = startReflector({
      transport,
      resource: secrets,
      store,
      project: raw => ({
        metadata: { uid: '', resourceVersion: '', ...raw.metadata },
        namespace: raw.metadata.namespace ?? '',
        keys: raw.metadata.name === 'shop-api-keyring' ? (parseKeyring(dataOf(raw))?.keys ?? {}) : {},
      }),
    });
    await this.#reflector.synced;
  }

  of(namespace: string, id: string): number {
    return this.#texts.get(`${namespace}/${id}`)?.size ?? 0;
  }

  async stop(): Promise<void> {
    await this.#reflector?.stop();
  }
}

const dataOf = (raw: KubeObject) => (raw as { data?: Record<string, string> }).data;

const outcomeOf = async (death: Death): Promise<object> => {
  const name = `killed-${death.when}-${death.atWrite}`;
  try {
    const { writes: _writes, struck, ...result } = await story(name, death);
    return { name, struck: struck !== undefined, ...result };
  } catch (error) {
    return { name, error: error instanceof Error ? error.message : String(error) };
  }
};

test(
  'killed before and after each write of a rotation: one new key, and no caller refused',
  async () => {
    const { writes, ...undisturbed } = await story('undisturbed');
    const good = { writesAfterwards: [], refused: [], newKeys: 1, inForce: ['2'], clientsHoldIt: true };
    expect(undisturbed).toEqual({ struck: undefined, ...good });
    const startedAt = performance.now();
    const deaths = writes.flatMap((_write, index): Death[] => [
      { atWrite: index + 1, when: 'before' },
      { atWrite: index + 1, when: 'after' },
    ]);
    const queue = [...deaths];
    const outcomes: object[] = [];
    const worker = async (): Promise<void> => {
      for (let death = queue.shift(); death; death = queue.shift()) outcomes.push(await outcomeOf(death));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    console.log(`rotation crash sweep: N = ${writes.length} writes, ${deaths.length} runs, ${seconds} s`);
    const wrong = outcomes.filter(outcome => {
      const { name: _name, struck: _struck, ...result } = outcome as Record<string, unknown>;
      return JSON.stringify(result) !== JSON.stringify(good);
    });
    expect(wrong).toEqual([]);
    // how often the status is written differs from run to run: with each count of uses, in one piece or in two
    const struck = outcomes.filter(outcome => (outcome as { struck?: boolean }).struck).length;
    expect(struck).toBeGreaterThan(0.75 * deaths.length);
  },
  SWEEP_MS,
);
