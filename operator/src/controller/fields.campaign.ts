// Every field of both definitions, one after another: set to another value, looked after until nothing is written any
// more, and put back. What the API server refuses it refuses in words that name the field. A resource that was changed has
// what one has that was made so; put back, it has what it had before.
//   ONLY=probes,replicas   the fields with one of these in their path
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { resourceSchema } from '../api/crd.ts';
import { KINDS } from '../api/kinds.ts';
import { fields } from '../api/reference.ts';
import type { AppKind } from '../api/resource.ts';
import type { StructuralSchema } from '../api/structural.ts';
import { pathOf } from '../kube/resource.ts';
import { childrenOf } from './testing/children-of.ts';
import { type LittleCluster, startLittleCluster } from './testing/little-cluster.ts';
import { Scene } from './testing/scene.ts';
import { type LiveApp, NEEDED, type Shop, until } from './testing/shop.ts';
import { APP_RESOURCES } from './world.ts';

const ONLY = (process.env['ONLY'] ?? '').split(',');
const AT_ONCE = 4;
const HOUR = 60 * 60_000;
const PATIENCE_MS = 90_000;
/** Longer than what is asked again while something is under way. */
const REST_MS = 2_500;

/** What a field makes sense with, by the beginning of its path. */
const WITH: Readonly<Record<string, object>> = {
  autoscaling: { autoscaling: { maxReplicas: 5 } },
  'migrations.contract.backup': { migrations: { contract: { backup: { cronJob: 'dump' } } } },
  'worker.autoscaling': { worker: { autoscaling: { maxReplicas: 5, waitingJobsPerReplica: 10 } } },
  exposure: { exposure: { type: 'Ingress', hosts: ['shop.example'] } },
  'exposure.gateway': {
    exposure: { type: 'Gateway', hosts: ['shop.example'], gateway: { parentRefs: [{ name: 'front' }] } },
  },
  'exposure.tls': { exposure: { type: 'Ingress', hosts: ['shop.example'], tls: { secretName: 'shop-tls' } } },
  'exposure.tls.issuer': {
    exposure: { type: 'Ingress', hosts: ['shop.example'], tls: { issuer: { name: 'letsencrypt' } } },
  },
};

/** Texts that mean something, by the end of the path; `other` where none is here. */
const TEXTS: Readonly<Record<string, string>> = {
  image: 'example/dashboard:2',
  schedule: '0 3 * * *',
  timeZone: 'Europe/Madrid',
  path: '/other',
  maxServerErrorRatio: '0.1',
  maxSlowRatio: '0.1',
  thresholdSeconds: '1',
  availability: '0.99',
  interval: '60s',
  maxUnavailable: '50%',
};

/** They say when or how something is done, not what there is: a twin that is made so would wait, or never get there. */
const WAYS = ['paused', 'migrations.policy', 'migrations.activeDeadlineSeconds'];

let cluster: LittleCluster;

beforeAll(async () => {
  cluster = await startLittleCluster({ startMs: 20, goMs: 20 });
}, HOUR);

afterAll(async () => {
  await cluster?.stop();
});

interface Change {
  readonly path: string;
  readonly value: unknown;
  readonly spec: object;
}

/** Each field that is no object and in no list, with another value or two. */
function changesOf(schema: StructuralSchema): Change[] {
  return fields(schema).flatMap(({ path, schema: field }) => {
    if (path.includes('[]') || field.properties) return [];
    return valuesFor(path, field).map(value => ({ path, value, spec: specWith(path, value) }));
  });
}

function valuesFor(path: string, field: StructuralSchema): unknown[] {
  const { type, enum: words, items, additionalProperties, default: usual } = field;
  const name = path.split('.').at(-1) ?? '';
  if (words) return words.filter(word => word !== usual).slice(0, 2);
  if (additionalProperties) return [{ 'example.com/one': 'two' }];
  if (items) return [[TEXTS[name] ?? 'other']];
  if (type === 'boolean') return [usual !== true];
  if (type !== 'integer') return [TEXTS[name] ?? 'other'];
  const [least, most] = [Number(field['minimum'] ?? 1), Number(field['maximum'] ?? 1_000)];
  return [...new Set([least, Math.min(most, Number(usual ?? least) + 1)])].filter(one => one !== usual);
}

function specWith(path: string, value: unknown): object {
  const [begin = ''] = Object.keys(WITH)
    .filter(one => path.startsWith(`${one}.`))
    .sort((a, b) => b.length - a.length);
  const spec = structuredClone(WITH[begin] ?? {}) as Record<string, unknown>;
  const names = path.split('.');
  const last = names.pop() ?? '';
  let place = spec;
  for (const name of names) {
    place[name] = { ...(place[name] as object | undefined) };
    place = place[name] as Record<string, unknown>;
  }
  place[last] = value;
  return spec;
}

/** Until the newest spec was looked at, nothing is under way, and nothing is written. */
async function rests(scene: Scene): Promise<LiveApp> {
  const app = await until(
    async () => {
      const found = await scene.shop.app();
      const { observedGeneration } = found?.status ?? {};
      return observedGeneration === found?.metadata.generation ? found : undefined;
    },
    `${scene.shop.namespace}: the spec is not looked at`,
    PATIENCE_MS,
  );
  await scene.quiet(REST_MS, PATIENCE_MS);
  return (await scene.shop.app()) ?? app;
}

const replaceSpec = ({ kind, namespace, name }: Shop, spec: unknown): Promise<unknown> =>
  cluster.transport.request({
    method: 'PATCH',
    path: pathOf(APP_RESOURCES[kind], { namespace, name }),
    contentType: 'application/json-patch+json',
    query: { fieldManager: 'a-person' },
    body: [{ op: 'replace', path: '/spec', value: spec }],
  });

const readyReason = ({ status }: LiveApp): string =>
  status?.conditions?.find(({ type }) => type === 'Ready')?.reason ?? '';

/** `refused`, or what Ready says of it. */
async function tried(scene: Scene, change: Change, twin: string): Promise<string> {
  const { shop } = scene;
  const before = await childrenOf(shop);
  const { spec = {} } = (await shop.app()) ?? {};
  const why = await shop.patch(change.spec as Record<string, unknown>).then(
    () => undefined,
    (error: Error) => error.message,
  );
  if (why !== undefined) {
    const places = change.path.split('.');
    const isNamed = places.some((_none, at) => why.includes(`spec.${places.slice(0, at + 1).join('.')}`));
    if (!isNamed) throw new Error(`refused in other words: ${why}`);
    return 'refused';
  }
  try {
    const changed = await rests(scene);
    const reason = readyReason(changed);
    if (reason === 'AsExpected') await isAsMadeSo(shop, WAYS.includes(change.path) ? spec : changed.spec, twin);
    return reason;
  } finally {
    await replaceSpec(shop, spec);
    await shop.says('AsExpected', 'Ready', PATIENCE_MS);
    await shop.controllersRest();
    await rests(scene);
    expect(await childrenOf(shop)).toEqual(before);
  }
}

async function isAsMadeSo(shop: Shop, spec: LiveApp['spec'], namespace: string): Promise<void> {
  const twin = await opened(namespace, shop.kind);
  try {
    const { image, rollout, ...rest } = spec as { image: string; rollout: object };
    await twin.start();
    // how long it is watched makes no difference to what there is
    await twin.shop.create(image.split(':').at(-1) ?? '', { ...rest, rollout: { ...rollout, bakeSeconds: 0 } });
    await twin.shop.says('AsExpected', 'Ready', PATIENCE_MS);
    await twin.shop.controllersRest();
    await shop.controllersRest();
    expect(await childrenOf(shop)).toEqual(await childrenOf(twin.shop));
  } finally {
    await twin.stop();
  }
}

async function opened(namespace: string, kind: AppKind): Promise<Scene> {
  const scene = new Scene(cluster, namespace, kind);
  await scene.shop.open();
  await scene.shop.addQueue();
  return scene;
}

test.each(KINDS)(
  '$kind',
  async definition => {
    const kind = definition.kind as AppKind;
    const schema = resourceSchema(definition).properties?.['spec'] ?? {};
    const left = [
      ...changesOf(schema)
        .filter(({ path }) => ONLY.some(part => path.includes(part)))
        .entries(),
    ];
    const ends = new Map<string, number>();
    const failures: string[] = [];
    const work = async (lane: number): Promise<void> => {
      const scene = await opened(`${kind.toLowerCase()}-${lane}`, kind);
      await scene.start();
      await scene.settled('1', NEEDED[kind]);
      for (let next = left.shift(); next; next = left.shift()) {
        const [number, change] = next;
        const what = `${change.path}: ${JSON.stringify(change.value)}`;
        const end = await tried(scene, change, `${kind.toLowerCase()}-twin-${number}`).catch((error: Error) => {
          failures.push(`${what}: ${error.message}`);
          process.stdout.write(`${error.message}\n`);
          return 'FAILED';
        });
        ends.set(end, (ends.get(end) ?? 0) + 1);
        process.stdout.write(`${what} ${end}\n`);
      }
      await scene.stop();
    };
    await Promise.all(Array.from({ length: AT_ONCE }, (_none, lane) => work(lane)));
    process.stdout.write(`fields of a ${kind}: ${[...ends].map(([end, count]) => `${count} ${end}`).join(', ')}\n`);
    expect(failures).toEqual([]);
  },
  2 * HOUR,
);
