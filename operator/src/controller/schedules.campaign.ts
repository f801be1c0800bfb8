// Whatever happens in whatever order, on a real API server with real controllers: releases good and bad, changed fields of
// the spec, what others do to the objects, views that lie, an operator that dies. A bad release never reaches the pods
// that serve; and when it is over, a good release gets there, nothing is written any more, and what is there is what a
// resource of the same spec would have that was made now.
//   SCHEDULES=200 SEED=7   so many, of this seed      ONLY=12   the one of this number alone
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { RolloutRecord } from '../api/rollout.ts';
import * as kinds from '../kube/resource.ts';
import { ANNOTATIONS, LABELS } from '../objects/names.ts';
import { childrenOf } from './testing/children-of.ts';
import { Ledger } from './testing/ledger.ts';
import { type LittleCluster, startLittleCluster } from './testing/little-cluster.ts';
import { LIES, LyingViews } from './testing/lying-views.ts';
import { Scene } from './testing/scene.ts';
import { pause, QUICK, type Shop } from './testing/shop.ts';

const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const SCHEDULES = Number(process.env['SCHEDULES'] ?? 40);
const ONLY = process.env['ONLY'];
const AT_ONCE = 4;
const HOUR = 60 * 60_000;
/** For each thing to come true, on two cores with three others beside it. */
const PATIENCE_MS = 90_000;
/** A candidate is judged after this: there is time for others to meddle. */
const TRIAL_MS = 800;

// ---- what may happen

const FIELDS: Readonly<Record<string, readonly [set: object, unset: object]>> = {
  replicas: [{ replicas: 3 }, { replicas: 2 }],
  'service.port': [{ service: { port: 8081 } }, { service: null }],
  'disruption.policy': [{ disruption: { policy: 'Disabled' } }, { disruption: null }],
  'disruption.maxUnavailable': [{ disruption: { maxUnavailable: '50%' } }, { disruption: null }],
  networkPolicy: [{ networkPolicy: 'Disabled' }, { networkPolicy: null }],
  'podTemplate.labels': [{ podTemplate: { labels: { team: 'shop' } } }, { podTemplate: null }],
  resources: [{ resources: { requests: { cpu: '50m' } } }, { resources: null }],
  'probes.readiness': [{ probes: { readiness: { periodSeconds: 3 } } }, { probes: null }],
  extraEnv: [{ extraEnv: [{ name: 'COLOUR', value: 'blue' }] }, { extraEnv: null }],
  topologySpread: [{ topologySpread: 'Disabled' }, { topologySpread: null }],
  autoscaling: [{ autoscaling: { maxReplicas: 4 } }, { autoscaling: null }],
  exposure: [{ exposure: { type: 'Ingress', hosts: ['shop.example'] } }, { exposure: null }],
  retryToken: [{ rollout: { ...QUICK, retryToken: 'again' } }, { rollout: { ...QUICK, retryToken: null } }],
  paused: [{ paused: true }, { paused: false }],
};

/** Of a kind's object, the change of somebody who means it well. */
const EDITS: Readonly<Record<string, object>> = {
  'apps/v1/deployments': { spec: { template: { spec: { terminationGracePeriodSeconds: 7 } } } },
  services: { spec: { selector: { 'app.kubernetes.io/instance': 'another' } } },
  'networking.k8s.io/v1/networkpolicies': { spec: { ingress: null } },
  'policy/v1/poddisruptionbudgets': { spec: { maxUnavailable: '90%' } },
  serviceaccounts: { automountServiceAccountToken: true },
};

const EDITED = Object.keys(EDITS);
const DELETED = [...EDITED, 'pods', 'apps/v1/controllerrevisions', 'apps/v1/replicasets', 'batch/v1/jobs', 'secrets'];
const WATCHED = [
  ...['deployments', 'pods', 'jobs', 'controllerrevisions', 'services', 'secrets', 'networkpolicies'],
  ...['dashboarddeployments', 'poddisruptionbudgets', 'serviceaccounts'],
];

type Step = { readonly pauseMs: number } & (
  | { readonly do: 'release'; readonly good: boolean }
  | { readonly do: 'set' | 'unset'; readonly field: string }
  | { readonly do: 'delete' | 'annotate'; readonly kind: string; readonly which: number }
  | { readonly do: 'edit'; readonly kind: string; readonly which: number }
  | { readonly do: 'scale'; readonly replicas: number }
  | { readonly do: 'restart' | 'settle' }
  | { readonly do: 'lie'; readonly kind: string; readonly how: (typeof LIES)[number] }
  | { readonly do: 'kill' }
);

const which = fc.nat({ max: 7 });
const pauseMs = fc.constantFrom(0, 0, 50, 200, 600, 1_500);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('release'), good: fc.boolean(), pauseMs }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('set'), field: fc.constantFrom(...Object.keys(FIELDS)), pauseMs }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('unset'), field: fc.constantFrom(...Object.keys(FIELDS)), pauseMs }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('delete'), kind: fc.constantFrom(...DELETED), which, pauseMs }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('edit'), kind: fc.constantFrom(...EDITED), which, pauseMs }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('annotate'), kind: fc.constantFrom(...DELETED), which, pauseMs }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('scale'), replicas: fc.constantFrom(0, 1, 5), pauseMs }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart'), pauseMs }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('lie'),
      kind: fc.constantFrom(...WATCHED),
      how: fc.constantFrom(...LIES),
      pauseMs,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('kill'), pauseMs }) },
) as fc.Arbitrary<Step>;
/** Most begin over a release that serves, the others with the resource itself. */
const schedule = fc.tuple(
  fc.constantFrom<readonly Step[]>([], [{ do: 'settle', pauseMs: 0 }], [{ do: 'settle', pauseMs: 0 }]),
  fc.array(step, { minLength: 4, maxLength: 10 }),
);

// ---- the cluster, and every version of every Deployment that serves

type Deployment = kinds.KubeObject & {
  spec: { template: { spec: { containers: { image: string }[] } } };
};

let cluster: LittleCluster;
let history: Ledger;
/** Namespaces in which a good release was stable: before, there is nobody to protect. */
const protectedOnes = new Set<string>();
/** Of these, those in whose serving Deployment a bad image was seen. */
const spoilt = new Set<string>();
/** What met which phase of a rollout. */
const met = new Map<string, Map<string, number>>();

beforeAll(async () => {
  cluster = await startLittleCluster({ startMs: 20, goMs: 20 });
  history = new Ledger(cluster.transport, kinds.deployments, object => {
    const { metadata, spec } = object as Deployment;
    if (metadata.name !== 'shop' || metadata.namespace === undefined) return;
    const isBad = spec.template.spec.containers[0]?.image.includes(':bad') === true;
    if (isBad && protectedOnes.has(metadata.namespace)) spoilt.add(metadata.namespace);
    if (!isBad && recordIn(metadata).phase === 'Settled') protectedOnes.add(metadata.namespace);
  });
  await history.synced;
}, HOUR);

afterAll(async () => {
  await history?.stop();
  await cluster?.stop();
});

const recordIn = (metadata: kinds.Metadata | undefined): Partial<RolloutRecord> =>
  JSON.parse(metadata?.annotations?.[ANNOTATIONS.rollout] ?? '{}') as Partial<RolloutRecord>;

// ---- one schedule

class Run {
  readonly scene: Scene;
  views: LyingViews | undefined;
  #releases = 0;
  readonly #judging: NodeJS.Timeout[] = [];

  constructor(namespace: string) {
    this.scene = new Scene(cluster, namespace);
  }

  get shop(): Shop {
    return this.scene.shop;
  }

  async begin(): Promise<void> {
    this.views = new LyingViews(await cluster.connect());
    await this.scene.start(this.views);
  }

  async end(): Promise<void> {
    for (const timer of this.#judging) clearTimeout(timer);
    await this.scene.stop();
  }

  async release(good: boolean): Promise<string> {
    this.#releases += 1;
    const version = `${good ? 'good' : 'bad'}-${this.#releases}`;
    this.scene.find(version, { canary: 'Pending' });
    await this.shop.release(version);
    const judge = () => {
      this.scene.find(version, good ? {} : { canary: 'Bad' });
      this.scene.nudge().catch(() => {});
    };
    this.#judging.push(setTimeout(judge, TRIAL_MS));
    return version;
  }

  async take(one: Step): Promise<void> {
    await this.#note(one);
    switch (one.do) {
      case 'release':
        await this.release(one.good);
        break;
      case 'set':
        await this.shop.patch(FIELDS[one.field]?.[0] as Record<string, unknown>);
        break;
      case 'settle':
        await this.shop.says('AsExpected', 'Ready', PATIENCE_MS);
        break;
      case 'unset':
        await this.shop.patch(FIELDS[one.field]?.[1] as Record<string, unknown>);
        break;
      case 'scale':
        await this.#patch('apps/v1/deployments', 0, { spec: { replicas: one.replicas } });
        break;
      case 'restart': {
        const annotations = { 'kubectl.kubernetes.io/restartedAt': new Date().toISOString() };
        await this.#patch('apps/v1/deployments', 0, { spec: { template: { metadata: { annotations } } } });
        break;
      }
      case 'edit':
        await this.#patch(one.kind, one.which, EDITS[one.kind] ?? {});
        break;
      case 'annotate':
        await this.#patch(one.kind, one.which, { metadata: { annotations: { 'example.com/by': 'somebody' } } });
        break;
      case 'delete':
        await this.#delete(one.kind, one.which);
        break;
      case 'lie':
        this.views?.lie(one.kind, one.how);
        break;
      case 'kill':
        await this.scene.stop();
        await this.begin();
        break;
    }
    await pause(one.pauseMs);
  }

  async #note(one: Step): Promise<void> {
    const { phase = 'none' } = recordIn((await this.shop.deployment())?.metadata);
    const what = 'how' in one ? `view ${one.how}` : one.do;
    const row = met.get(what) ?? new Map<string, number>();
    met.set(what, row.set(phase, (row.get(phase) ?? 0) + 1));
  }

  /** One of ours of this kind; none, where there is none yet. The person's own Secret is not ours. */
  async #pathOf(kind: string, which: number): Promise<string | undefined> {
    const ours = (await this.shop.list(kind)).filter(({ metadata }) => metadata.labels?.[LABELS.instance] === 'shop');
    const found = ours[which % Math.max(1, ours.length)];
    return found && `${this.shop.placeOf(kind)}/${found.metadata.name}`;
  }

  async #patch(kind: string, which: number, body: object): Promise<void> {
    const path = await this.#pathOf(kind, which);
    if (path === undefined) return;
    const contentType = 'application/merge-patch+json';
    await unlessGone(
      cluster.transport.request({ method: 'PATCH', path, contentType, query: { fieldManager: 'somebody' }, body }),
    );
  }

  async #delete(kind: string, which: number): Promise<void> {
    const path = await this.#pathOf(kind, which);
    if (path !== undefined) await unlessGone(cluster.transport.request({ method: 'DELETE', path }));
  }
}

/** What somebody wants to change may have gone meanwhile, or changed. */
async function unlessGone(request: Promise<unknown>): Promise<void> {
  await request.catch(error => {
    if (![404, 409].includes((error as { status?: number }).status ?? 0)) throw error;
  });
}

async function play(steps: readonly Step[], namespace: string): Promise<void> {
  const run = new Run(namespace);
  const { shop, scene } = run;
  const twin = new Run(`${namespace}-twin`);
  await shop.open();
  try {
    await run.begin();
    await shop.create('good-0');
    for (const one of steps) await run.take(one);
    // it is over
    run.views?.honest();
    await shop.patch({ paused: false });
    const version = await run.release(true);
    await shop.settles(version, 'AsExpected', PATIENCE_MS);
    await shop.controllersRest();
    await scene.quiet();
    expect(spoilt.has(namespace) ? `a bad image served in ${namespace}` : '').toBe('');
    await scene.stop();
    await run.begin();
    await pause(1_000);
    expect(scene.writes).toEqual([]);
    await twin.shop.open();
    await twin.begin();
    const { image: _image, ...spec } = (await shop.app())?.spec ?? {};
    await twin.shop.create(version, spec);
    await twin.shop.settles(version, 'AsExpected', PATIENCE_MS);
    await twin.shop.controllersRest();
    expect(await childrenOf(shop)).toEqual(await childrenOf(twin.shop));
  } finally {
    await run.end();
    await twin.end();
  }
}

// ---- all of them

type Failure = { readonly number: number; readonly steps: readonly Step[]; readonly why: string };

const played = async (steps: readonly Step[], namespace: string): Promise<string | undefined> =>
  play(steps, namespace).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );

/** As short as it still fails, a step less at a time. */
async function shrunk({ number, steps, why }: Failure): Promise<Failure> {
  let [least, words, tries] = [steps, why, 0];
  for (let at = 0; at < least.length; ) {
    const shorter = least.filter((_step, index) => index !== at);
    tries += 1;
    const failed = await played(shorter, `again-${number}-${tries}`);
    if (failed === undefined) at += 1;
    else [least, words] = [shorter, failed];
  }
  return { number, steps: least, why: words };
}

const table = (): string =>
  [...met]
    .map(([what, row]) => `${what}: ${[...row].map(([phase, count]) => `${phase} ${count}`).join(', ')}`)
    .join('\n');

test(
  'whatever happens in whatever order',
  async () => {
    const all = fc.sample(schedule, { seed: SEED, numRuns: SCHEDULES }).map(parts => parts.flat());
    const left = [...all.entries()].filter(([number]) => ONLY === undefined || number === Number(ONLY));
    const count = left.length;
    const failures: Failure[] = [];
    const work = async (): Promise<void> => {
      for (let next = left.shift(); next; next = left.shift()) {
        const [number, steps] = next;
        const why = await played(steps, `schedule-${number}`);
        if (why !== undefined) failures.push({ number, steps, why });
        process.stdout.write(`schedule ${number}: ${why === undefined ? 'ok' : `FAILED ${why.slice(0, 2_000)}`}\n`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    process.stdout.write(
      `schedules on the API server: SEED=${SEED}, ${count} played, ${failures.length} failed\n${table()}\n`,
    );
    const [first] = failures;
    if (!first) return;
    const { number, steps, why } = await shrunk(first);
    throw new Error(
      `SEED=${SEED} ONLY=${number}, ${failures.length} failed: ${steps.map(one => JSON.stringify(one)).join('\n')}\n${why}`,
    );
  },
  12 * HOUR,
);
