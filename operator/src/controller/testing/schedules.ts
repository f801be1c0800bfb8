// Whatever happens in whatever order, on a real API server with real controllers: releases good and bad, changed fields of
// the spec, what others do to the objects, quotas and policies, views that lie, an operator that dies. A bad release never
// reaches the pods that serve; and when it is over, a good release gets there, nothing is written any more, and what is
// there is what a resource of the same spec would have that was made now.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { AppKind } from '../../api/resource.ts';
import { PHASES, type Phase, type RolloutRecord } from '../../api/rollout.ts';
import * as kinds from '../../kube/resource.ts';
import { ANNOTATIONS } from '../../objects/names.ts';
import { childrenOf } from './children-of.ts';
import { Ledger } from './ledger.ts';
import { type LittleCluster, startLittleCluster } from './little-cluster.ts';
import { LIES, LyingViews } from './lying-views.ts';
import { Scene } from './scene.ts';
import type { Findings } from './scripted-evidence.ts';
import { NEEDED, pause, QUICK, type Shop, until } from './shop.ts';
import { type Rule, Somebody } from './somebody.ts';

/** ONLY=12: the one of this number alone, and each of its steps is told. */
const ONLY = process.env['ONLY'];
const AT_ONCE = 10;
const HOUR = 60 * 60_000;
/** For each thing to come true, on two cores with nine others beside it. */
const PATIENCE_MS = 90_000;
/** A candidate is judged after this: there is time for others to meddle. */
const TRIAL_MS = 800;
/** It is there again within some seconds: what takes longer is looked at. */
const SLOW_MS = 10_000;

/** There is time to meddle in a bake, too. */
const ROLLOUT = { ...QUICK, bakeSeconds: 1 };

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
  retryToken: [{ rollout: { ...ROLLOUT, retryToken: 'again' } }, { rollout: { ...ROLLOUT, retryToken: null } }],
  paused: [{ paused: true }, { paused: false }],
  envFrom: [{ envFrom: [{ configMapRef: { name: 'settings' } }] }, { envFrom: null }],
};
/** A field that one kind has alone. */
const FIELDS_OF: Readonly<Record<AppKind, typeof FIELDS>> = {
  DashboardDeployment: FIELDS,
  DevShelfDeployment: { ...FIELDS, 'worker.replicas': [{ worker: { replicas: 2 } }, { worker: null }] },
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
const LABELLED = [...EDITED, 'apps/v1/controllerrevisions', 'batch/v1/jobs', 'secrets'];
const DELETED = [...LABELLED, 'pods', 'apps/v1/replicasets'];
/** What an admission policy forbids everybody, for as long as it is there. */
const FORBIDDEN: Readonly<Record<string, readonly Rule[]>> = {
  'changed deployments': [{ apiGroups: ['apps'], operations: ['UPDATE'], resources: ['deployments'] }],
  'new pods': [{ apiGroups: [''], operations: ['CREATE'], resources: ['pods'] }],
  'new jobs': [{ apiGroups: ['batch'], operations: ['CREATE'], resources: ['jobs'] }],
  'written records': [{ apiGroups: ['apps'], operations: ['CREATE', 'UPDATE'], resources: ['controllerrevisions'] }],
  'written secrets': [{ apiGroups: [''], operations: ['CREATE', 'UPDATE'], resources: ['secrets'] }],
  'written services': [{ apiGroups: [''], operations: ['CREATE', 'UPDATE'], resources: ['services'] }],
};
const WATCHED = [
  ...['deployments', 'pods', 'jobs', 'controllerrevisions', 'services', 'secrets', 'networkpolicies'],
  ...['dashboarddeployments', 'devshelfdeployments', 'poddisruptionbudgets', 'serviceaccounts', 'configmaps'],
];

/** `turns`: good beside the others, bad when it has taken their place. */
type Quality = 'good' | 'bad' | 'turns';
type Step = { readonly pauseMs: number } & (
  | { readonly do: 'release'; readonly how: Quality }
  /** So that what comes next meets it, if it comes soon. */
  | { readonly do: 'await'; readonly phase: Phase }
  | { readonly do: 'set' | 'unset'; readonly field: string }
  | { readonly do: 'delete' | 'annotate' | 'relabel' | 'join'; readonly kind: string; readonly which: number }
  | { readonly do: 'edit'; readonly kind: string; readonly which: number }
  | { readonly do: 'scale'; readonly replicas: number }
  | { readonly do: 'restart' | 'settle' | 'undo' | 'limit' | 'leave' | 'rotate' | 'configure' }
  | { readonly do: 'evict' | 'garble'; readonly which: number }
  | { readonly do: 'forbid'; readonly what: string }
  | { readonly do: 'lie'; readonly kind: string; readonly how: (typeof LIES)[number] }
  | { readonly do: 'kill' }
);

const AWAITED: Readonly<Record<Quality, readonly Phase[]>> = {
  good: ['Candidate', 'Promoting', 'Baking'],
  bad: ['Candidate', 'RollingBack'],
  turns: ['Promoting', 'Baking', 'RollingBackAll', 'RollingBackAll'],
};
const AWAIT_MS = 6_000;
/** What has a row in the table. */
const FAULTS = [
  ...['release', 'set', 'unset', 'delete', 'edit', 'annotate', 'relabel', 'join', 'scale', 'restart', 'undo', 'kill'],
  ...['limit', 'forbid', 'leave', 'rotate', 'configure', 'evict', 'garble', ...LIES.map(how => `view ${how}`)],
];

const which = fc.nat({ max: 7 });
const pauseMs = fc.constantFrom(0, 0, 50, 200, 600, 1_500);
const quality = fc.constantFrom<Quality>('good', 'good', 'bad', 'bad', 'turns');
const of = (what: object): fc.Arbitrary<Step> => fc.record({ ...what, pauseMs }) as unknown as fc.Arbitrary<Step>;
const plain = (what: Step['do']): fc.Arbitrary<Step> => of({ do: fc.constant(what) });
const onKind = (what: Step['do'], kinds: readonly string[]): fc.Arbitrary<Step> =>
  of({ do: fc.constant(what), kind: fc.constantFrom(...kinds), which });
const onField = (what: 'set' | 'unset'): fc.Arbitrary<Step> =>
  of({ do: fc.constant(what), field: fc.constantFrom(...Object.keys(FIELDS_OF.DevShelfDeployment)) });
const lie = (how: (typeof LIES)[number]): fc.Arbitrary<Step> =>
  of({ do: fc.constant('lie'), kind: fc.constantFrom(...WATCHED), how: fc.constant(how) });

/** Each row of the table, and how often it comes beside the others. */
const STEPS: readonly { readonly weight: number; readonly arbitrary: fc.Arbitrary<Step> }[] = [
  { weight: 16, arbitrary: of({ do: fc.constant('release'), how: quality }) },
  { weight: 12, arbitrary: onField('set') },
  { weight: 4, arbitrary: onField('unset') },
  { weight: 12, arbitrary: onKind('delete', DELETED) },
  { weight: 12, arbitrary: onKind('edit', EDITED) },
  { weight: 4, arbitrary: onKind('annotate', DELETED) },
  { weight: 4, arbitrary: onKind('relabel', LABELLED) },
  { weight: 4, arbitrary: onKind('join', LABELLED) },
  { weight: 4, arbitrary: of({ do: fc.constant('scale'), replicas: fc.constantFrom(0, 1, 5) }) },
  { weight: 4, arbitrary: of({ do: fc.constant('forbid'), what: fc.constantFrom(...Object.keys(FORBIDDEN)) }) },
  { weight: 2, arbitrary: of({ do: fc.constant('evict'), which }) },
  { weight: 2, arbitrary: of({ do: fc.constant('garble'), which }) },
  ...(['restart', 'undo', 'limit', 'leave', 'rotate', 'configure'] as const).map(what => ({
    weight: 2,
    arbitrary: plain(what),
  })),
  ...LIES.map(how => ({ weight: 3, arbitrary: lie(how) })),
  { weight: 8, arbitrary: plain('kill') },
];
const step: fc.Arbitrary<Step> = fc.oneof(...STEPS);
/** Each as often as the others: aimed, so that what is rare meets each phase, too. */
const any: fc.Arbitrary<Step> = fc.oneof(...STEPS.map(({ arbitrary }) => arbitrary));

const awaited = (phase: Phase): Step => ({ do: 'await', phase, pauseMs: 0 });
/** In the middle of a release. */
const aimed: fc.Arbitrary<readonly Step[]> = quality.chain(how =>
  fc.tuple(fc.constant<Step>({ do: 'release', how, pauseMs: 0 }), fc.constantFrom(...AWAITED[how]).map(awaited), any),
);
/** Most begin over a release that serves, the others with the resource itself or in the middle of its first release. */
const beginning: fc.Arbitrary<readonly Step[]> = fc.oneof(
  { weight: 2, arbitrary: fc.constant([]) },
  { weight: 1, arbitrary: fc.tuple(fc.constant(awaited('Installing')), any) },
  { weight: 6, arbitrary: fc.constant<readonly Step[]>([{ do: 'settle', pauseMs: 0 }]) },
);
const schedule = fc.tuple(
  fc.constantFrom<AppKind>('DashboardDeployment', 'DevShelfDeployment'),
  beginning,
  fc.array(fc.oneof({ weight: 3, arbitrary: step.map(one => [one]) }, { weight: 1, arbitrary: aimed }), {
    ...{ minLength: 4, maxLength: 10 },
  }),
);

// ---- the cluster, and every version of every Deployment that serves

type Deployment = kinds.KubeObject & {
  spec: { template: { spec: { containers: { image: string }[] } } };
};

let cluster: LittleCluster;
let history: Ledger;
/** Namespaces in which a good release was stable: before, there is nobody to protect. */
const protectedOnes = new Set<string>();
/** Of these, those in whose serving or working Deployment a bad image was seen. */
const spoilt = new Set<string>();
/** What met which phase of a rollout. */
const met = new Map<string, Map<string, number>>();

const recordIn = (metadata: kinds.Metadata | undefined): Partial<RolloutRecord> =>
  JSON.parse(metadata?.annotations?.[ANNOTATIONS.rollout] ?? '{}') as Partial<RolloutRecord>;

// ---- one schedule

const FINDINGS: Readonly<Record<Quality, Findings>> = { good: {}, bad: { canary: 'Bad' }, turns: { bake: 'Bad' } };

class Run {
  readonly scene: Scene;
  views: LyingViews | undefined;
  #releases = 0;
  readonly #judging: NodeJS.Timeout[] = [];
  readonly #somebody: Somebody;

  constructor(namespace: string, kind: AppKind) {
    this.scene = new Scene(cluster, namespace, kind);
    this.#somebody = new Somebody(this.shop);
  }

  get shop(): Shop {
    return this.scene.shop;
  }

  /** The namespace, and what a spec may name in it. */
  async open(configuration: Readonly<Record<string, string>> = { COLOUR: 'red' }): Promise<void> {
    await this.shop.open();
    await this.shop.addQueue();
    await this.shop.configure(configuration);
  }

  async begin(): Promise<void> {
    this.views = new LyingViews(await cluster.connect());
    await this.scene.start(this.views);
  }

  async restart(): Promise<void> {
    await this.scene.stop();
    await this.begin();
  }

  async end(): Promise<void> {
    for (const timer of this.#judging) clearTimeout(timer);
    await this.scene.stop();
  }

  async release(how: Quality): Promise<string> {
    this.#releases += 1;
    const version = `${how}-${this.#releases}`;
    this.scene.find(version, { canary: 'Pending' });
    await this.shop.release(version);
    const judge = () => {
      this.scene.find(version, FINDINGS[how]);
      this.scene.nudge().catch(() => {});
    };
    this.#judging.push(setTimeout(judge, TRIAL_MS));
    return version;
  }

  async take(one: Step): Promise<void> {
    const somebody = this.#somebody;
    await this.#note(one);
    switch (one.do) {
      case 'release':
        await this.release(one.how);
        break;
      case 'await':
        await until(async () => (await this.#phase()) === one.phase, one.phase, AWAIT_MS).catch(() => {});
        break;
      case 'settle':
        await this.shop.says('AsExpected', 'Ready', PATIENCE_MS);
        break;
      case 'set':
      case 'unset':
        await this.shop.patch({ ...FIELDS_OF[this.shop.kind][one.field]?.[one.do === 'set' ? 0 : 1] });
        break;
      case 'configure':
        await this.shop.configure({ COLOUR: `blue-${this.#releases}` });
        break;
      case 'rotate':
        await this.shop.annotate({ [ANNOTATIONS.rotate]: String(this.#releases) });
        break;
      case 'scale':
        await somebody.changes(DEPLOYMENTS, 0, { spec: { replicas: one.replicas } });
        break;
      case 'restart': {
        const annotations = { 'kubectl.kubernetes.io/restartedAt': new Date().toISOString() };
        await somebody.changes(DEPLOYMENTS, 0, { spec: { template: { metadata: { annotations } } } });
        break;
      }
      case 'undo':
        await somebody.undoes((_set, image) => !image.includes(':bad'));
        break;
      case 'edit':
        await somebody.changes(one.kind, one.which, EDITS[one.kind] ?? {});
        break;
      case 'annotate':
        await somebody.changes(one.kind, one.which, { metadata: { annotations: { 'example.com/by': 'somebody' } } });
        break;
      case 'relabel':
        await somebody.relabels(one.kind, one.which);
        break;
      case 'join':
        await somebody.joins(one.kind, one.which);
        break;
      case 'delete':
        await somebody.deletes(one.kind, one.which);
        break;
      case 'evict':
        await somebody.evicts(one.which);
        break;
      case 'garble':
        await somebody.garbles(one.which);
        break;
      case 'limit':
        await somebody.limits();
        break;
      case 'forbid':
        await somebody.forbids(FORBIDDEN[one.what] ?? [], `no ${one.what} on Mondays`);
        break;
      case 'leave':
        await somebody.leaves();
        break;
      case 'lie':
        this.views?.lie(one.kind, one.how);
        break;
      case 'kill':
        await this.restart();
        break;
    }
    await pause(one.pauseMs);
    if (ONLY !== undefined) process.stdout.write(`${new Date().toISOString()} ${JSON.stringify(one)}\n`);
  }

  async #phase(): Promise<Phase | 'none'> {
    return recordIn((await this.shop.deployment())?.metadata).phase ?? 'none';
  }

  async #note(one: Step): Promise<void> {
    const phase = await this.#phase();
    const what = one.do === 'lie' ? `view ${one.how}` : one.do;
    const row = met.get(what) ?? new Map<string, number>();
    met.set(what, row.set(phase, (row.get(phase) ?? 0) + 1));
  }

  async sayWhatItWaitsFor(): Promise<void> {
    const { status, metadata } = (await this.shop.app()) ?? {};
    const open = status?.conditions?.filter(one => one.status !== 'True');
    const [generation, seen] = [metadata?.generation, status?.observedGeneration];
    process.stdout.write(
      `${this.shop.namespace} is slow: ${JSON.stringify({ generation, seen, stage: status?.stage, open })}; ` +
        `written last: ${this.scene.writes.slice(-5).join(', ')}\n`,
    );
  }

  /** Nobody is in the way any more, and all is told as it is. */
  async isOver(): Promise<void> {
    await this.#somebody.leaves();
    this.views?.honest();
    await this.shop.patch({ paused: false });
    // an autoscaler and the operator leave a zero alone: whoever switched it off switches it on
    const isOff = (await this.shop.deployment())?.spec?.replicas === 0;
    if (isOff) await this.#somebody.changes(DEPLOYMENTS, 0, { spec: { replicas: 2 } });
  }
}

const DEPLOYMENTS = 'apps/v1/deployments';

/** @returns how long it took from its end until a good release served, in milliseconds */
async function play({ kind, steps }: Schedule, namespace: string): Promise<number> {
  const run = new Run(namespace, kind);
  const { shop, scene } = run;
  const twin = new Run(`${namespace}-twin`, kind);
  try {
    await run.open();
    await run.begin();
    await shop.create('good-0', { ...NEEDED[kind], rollout: ROLLOUT });
    for (const one of steps) await run.take(one);
    await run.isOver();
    const overMs = performance.now();
    const version = await run.release('good');
    const slow = setTimeout(() => void run.sayWhatItWaitsFor(), SLOW_MS);
    await shop.settles(version, 'AsExpected', PATIENCE_MS).finally(() => clearTimeout(slow));
    const tookMs = performance.now() - overMs;
    await shop.controllersRest();
    await scene.quiet();
    expect(spoilt.has(namespace) ? `a bad image served in ${namespace}` : '').toBe('');
    // the one who comes next finds what a busy machine brought late; who comes then finds nothing to write
    await run.restart();
    await scene.quiet();
    const before = await shop.app();
    await run.restart();
    await pause(1_000);
    expect((await shop.app())?.status).toEqual(before?.status);
    expect(scene.writes).toEqual([]);
    await twin.open(await shop.configuration());
    await twin.begin();
    const { image: _image, ...spec } = (await shop.app())?.spec ?? {};
    await twin.shop.create(version, spec);
    await twin.shop.settles(version, 'AsExpected', PATIENCE_MS);
    await twin.shop.controllersRest();
    expect(await childrenOf(shop)).toEqual(await childrenOf(twin.shop));
    return tookMs;
  } finally {
    await run.isOver().catch(() => {});
    await run.end();
    await twin.end();
  }
}

// ---- all of them

type Schedule = { readonly kind: AppKind; readonly steps: readonly Step[] };
type Failure = Schedule & { readonly number: number; readonly why: string };

const played = async (schedule: Schedule, namespace: string): Promise<number | string> =>
  play(schedule, namespace).catch((error: unknown) => (error instanceof Error ? error.message : String(error)));

/** As short as it still fails, a step less at a time. */
async function shrunk({ number, kind, steps, why }: Failure): Promise<Failure> {
  let [least, words, tries] = [steps, why, 0];
  for (let at = 0; at < least.length; ) {
    const shorter = least.filter((_step, index) => index !== at);
    tries += 1;
    const failed = await played({ kind, steps: shorter }, `again-${number}-${tries}`);
    if (typeof failed === 'number') at += 1;
    else [least, words] = [shorter, failed];
  }
  return { number, kind, steps: least, why: words };
}

const COLUMNS: readonly (Phase | 'none')[] = ['none', ...PHASES];

/** What met which phase, and how many of its cells are empty. */
function table(): string {
  const cells = FAULTS.map(what => COLUMNS.map(phase => met.get(what)?.get(phase) ?? 0));
  const lines = FAULTS.map((what, at) => `| ${what} | ${cells[at]?.join(' | ')} |`);
  const empty = cells.flat().filter(count => count === 0).length;
  return [
    `| | ${COLUMNS.join(' | ')} |`,
    `|---|${'---|'.repeat(COLUMNS.length)}`,
    ...lines,
    `schedules met ${cells.flat().length - empty} of ${cells.flat().length} cells`,
  ].join('\n');
}

/** Tests of this many schedules of this seed, on a cluster of their own. */
export function scheduleTests({ seed, schedules }: { readonly seed: number; readonly schedules: number }): void {
  beforeAll(async () => {
    cluster = await startLittleCluster({ startMs: 20, goMs: 20 });
    history = new Ledger(cluster.transport, kinds.deployments, object => {
      const { metadata, spec } = object as Deployment;
      const { name, namespace } = metadata;
      if (namespace === undefined || !(name === 'shop' || name === 'shop-worker')) return;
      const isBad = spec.template.spec.containers[0]?.image.includes(':bad') === true;
      if (isBad && protectedOnes.has(namespace)) spoilt.add(namespace);
      if (!isBad && recordIn(metadata).phase === 'Settled') protectedOnes.add(namespace);
    });
    await history.synced;
  }, HOUR);

  afterAll(async () => {
    await history?.stop();
    await cluster?.stop();
  });

  test(
    'whatever happens in whatever order',
    async () => {
      const all = fc
        .sample(schedule, { seed, numRuns: schedules })
        .map(([kind, begin, more]): Schedule => ({ kind, steps: [...begin, ...more.flat()] }));
      const left = [...all.entries()].filter(([number]) => ONLY === undefined || number === Number(ONLY));
      const count = left.length;
      const failures: Failure[] = [];
      const work = async (): Promise<void> => {
        for (let next = left.shift(); next; next = left.shift()) {
          const [number, one] = next;
          const begunMs = performance.now();
          const end = await played(one, `schedule-${number}`);
          const tookS = ((performance.now() - begunMs) / 1000).toFixed(0);
          if (typeof end === 'string') failures.push({ number, ...one, why: end });
          const words =
            typeof end === 'string' ? `FAILED ${end.slice(0, 2_000)}` : `served after ${(end / 1000).toFixed(1)} s`;
          process.stdout.write(`schedule ${number}: ${words}, ${tookS} s in all\n`);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      process.stdout.write(
        `schedules on the API server: SEED=${seed}, ${count} played, ${failures.length} failed\n${table()}\n`,
      );
      const [first] = failures;
      if (!first) return;
      const { number, kind, steps, why } = await shrunk(first);
      throw new Error(
        `SEED=${seed} ONLY=${number}, ${failures.length} failed: a ${kind}: ${steps.map(one => JSON.stringify(one)).join('\n')}\n${why}`,
      );
    },
    12 * HOUR,
  );
}
