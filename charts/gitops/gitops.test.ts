// What Argo CD shows, by the script itself in an interpreter, in every state that the model of the lifecycle gets into;
// beside it what Flux shows, by the rules of kstatus and by the expressions of docs/how-to/gitops.md. SEED=… repeats a
// run.
import { readFileSync } from 'node:fs';
import { type CelInput, run as evaluate, isCelError } from '@bufbuild/cel';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { type LuaEngine, LuaFactory, LuaLibraries } from 'wasmoon';
import type { Condition } from '../../operator/src/api/conditions.ts';
import { API_VERSION, KIND_NAMES } from '../../operator/src/api/group.ts';
import { decide } from '../../operator/src/lifecycle/plan.ts';
import { hasNewRelease, inPhase, type Snapshot } from '../../operator/src/lifecycle/snapshot.ts';
import { statusOf } from '../../operator/src/lifecycle/status.ts';
import { type Fate, ModelCluster } from '../../operator/src/lifecycle/testing-cluster.ts';
import { fromDocs } from './examples.ts';
import { ACTIONS, actionOf, argocdConfig, CONFIG, scriptOf } from './generate.ts';

const RUNS = Number(process.env['RUNS'] ?? 40);
const VERSIONS = ['v1', 'v2', 'v3'];

jest.setTimeout(120_000); // interpreters take their time on a busy machine

/** As much as Argo CD opens for a health check; `isAction`: os too, which actions may ask for. */
async function interpreter(isAction = false): Promise<LuaEngine> {
  const lua = await new LuaFactory().createEngine({
    openStandardLibs: false,
    enableProxy: false,
    injectObjects: false,
  });
  for (const library of [LuaLibraries.Base, LuaLibraries.Table]) lua.global.loadLibrary(library);
  if (isAction) for (const library of [LuaLibraries.OS, LuaLibraries.String]) lua.global.loadLibrary(library);
  if (isAction) lua.doStringSync('function require(name) if name == "os" then return os end error(name) end');
  return lua;
}

let lua: LuaEngine;
let health: (object: object) => { status: string; message: string };
let acting: LuaEngine;
beforeAll(async () => {
  lua = await interpreter();
  acting = await interpreter(true);
  const script = scriptOf('health');
  lua.doStringSync(`function check(object) obj = object\n${script}\nend`);
  health = lua.global.get('check');
});
afterAll(() => {
  lua.global.close();
  acting.global.close();
});

const run = (name: string, object: object): unknown => {
  acting.doStringSync(`function act(object) obj = object\n${actionOf(name)}\nend`);
  return acting.global.get('act')(object);
};

type Seen = {
  readonly paused?: boolean;
  readonly observed?: number;
  readonly conditions?: readonly Partial<Condition>[];
};
const object = ({ paused = false, observed = 3, conditions = [] }: Seen) => ({
  metadata: { name: 'shop', generation: 3 },
  spec: { paused },
  status: { observedGeneration: observed, conditions },
});

type FluxStatus = 'Current' | 'InProgress' | 'Failed';

/** sigs.k8s.io/cli-utils, pkg/kstatus: what Flux and kubectl plugins go by. */
function kstatus(conditions: readonly Partial<Condition>[]): FluxStatus {
  const isTrue = (wanted: string) => conditions.some(({ type, status }) => type === wanted && status === 'True');
  if (isTrue('Reconciling')) return 'InProgress';
  if (isTrue('Stalled')) return 'Failed';
  const ready = conditions.find(({ type }) => type === 'Ready');
  return ready?.status === 'True' ? 'Current' : 'InProgress';
}

interface Kustomization {
  readonly spec: {
    readonly force?: boolean;
    readonly healthChecks: readonly { readonly apiVersion: string; readonly kind: string }[];
  };
}
interface Expressions {
  readonly healthCheckExprs: readonly {
    readonly apiVersion: string;
    readonly kind: string;
    readonly inProgress?: string;
    readonly failed?: string;
    readonly current: string;
  }[];
}

const [bakeToo] = fromDocs<Expressions>('healthCheckExprs:').healthCheckExprs;

type Watched = { readonly metadata: { readonly generation: number }; readonly status: object };

function isTrue(expression: string | undefined, seen: Watched): boolean {
  if (expression === undefined) return false;
  // as from the API server: fields without a value are not there
  const value = evaluate(expression, JSON.parse(JSON.stringify(seen)) as Record<string, CelInput>);
  if (isCelError(value)) throw new Error(`${expression}: ${value.message}, of ${JSON.stringify(seen)}`);
  expect([true, false]).toContain(value);
  return value as boolean;
}

/** fluxcd/pkg, runtime/cel: the generation first, then the expressions in this order; one that fails is an error. */
function byExpressions(seen: Watched): FluxStatus {
  const { observedGeneration = seen.metadata.generation } = seen.status as { observedGeneration?: number };
  if (observedGeneration !== seen.metadata.generation) return 'InProgress';
  if (isTrue(bakeToo?.inProgress, seen)) return 'InProgress';
  if (isTrue(bakeToo?.failed, seen)) return 'Failed';
  return isTrue(bakeToo?.current, seen) ? 'Current' : 'InProgress';
}

const SAME = { Current: ['Healthy'], InProgress: ['Progressing', 'Suspended'], Failed: ['Degraded'] } as const;

const fate: fc.Arbitrary<Fate> = fc.record({
  migration: fc.constantFrom('up to date', 'up to date', 'unreachable', 'failed'),
  starts: fc.constantFrom(true, true, true, false),
  smoke: fc.constantFrom(true, true, true, false),
  canary: fc.constantFrom<Fate['canary']>('Good', 'Bad', 'Insufficient', 'Blind', 'DependencyDegraded', 'Pending'),
  turnsBad: fc.constantFrom('never', 'never', 'Promoting', 'Baking'),
});
const chapter = fc.record({
  version: fc.constantFrom(...VERSIONS),
  passes: fc.integer({ min: 1, max: 40 }),
  seconds: fc.constantFrom(0, 20, 130),
  trouble: fc.constantFrom('none', 'none', 'none', 'pause', 'outage', 'secret', 'remove'),
});
type Rules = { policy: 'Rollback'; onInsufficientTraffic: 'Hold'; onBlind: 'Hold' };
const policy = fc.record({
  policy: fc.constantFrom('Rollback', 'Hold', 'Observe'),
  onInsufficientTraffic: fc.constantFrom('Hold', 'Promote'),
  onBlind: fc.constantFrom('Hold', 'Rollback'),
});

/** All is well, for long enough to be stable: whatever the seed, this is seen. */
const WELL: Fate = { migration: 'up to date', starts: true, smoke: true, canary: 'Good', turnsBad: 'never' };
const AGAIN = { version: VERSIONS[0] ?? '', passes: 40, seconds: 130, trouble: 'none' } as const;
const SETTLED: [[Fate, Fate, Fate], Rules, (typeof AGAIN)[]] = [
  [WELL, WELL, WELL],
  { policy: 'Rollback', onInsufficientTraffic: 'Hold', onBlind: 'Hold' },
  [AGAIN, AGAIN],
];

const states = new Map<string, string>();
const awaitedStatuses = new Set<FluxStatus>();

function look(seen: Snapshot): void {
  const { conditions } = decide(seen);
  const { paused } = seen.app.spec;
  const { metadata } = seen.app;
  const { status, message } = health(object({ paused, conditions }));
  expect(SAME[kstatus(conditions)]).toContain(status);
  expect(message).toMatch(/^\w+: /);
  const own = statusOf(seen, { conditions });
  const awaited = byExpressions({ metadata, status: own });
  // it differs where what serves is not confirmed yet, and nowhere else
  const expected = kstatus(conditions) === 'Current' && own.phase !== 'Released' ? 'InProgress' : kstatus(conditions);
  expect(awaited).toBe(expected);
  awaitedStatuses.add(awaited);
  const serves = inPhase(seen, 'Settled', 'Baking') && seen.wanted.known && !hasNewRelease(seen);
  // pods that come back are no release on its way
  if (status === 'Healthy')
    expect({ serves, ready: (seen.deployment?.readyReplicas ?? 0) > 0 }).toEqual({ serves: true, ready: true });
  if (status === 'Suspended') expect(paused).toBe(true);
  const told = conditions.filter(({ type }) => ['Ready', 'Stalled', 'Reconciling'].includes(type));
  states.set(told.map(one => `${one.type}=${one.status} ${one.reason}`).join(', '), status);
}

function trouble(cluster: ModelCluster, what: string): void {
  if (what === 'pause') cluster.spec = { ...cluster.spec, paused: !cluster.spec.paused };
  if (what === 'outage') cluster.databaseIsUp = !cluster.databaseIsUp;
  if (what === 'secret') cluster.secretIsThere = !cluster.secretIsThere;
  if (what === 'remove') cluster.removeDeployment();
}

test('in every state of the model Argo CD shows what Flux shows, and nothing is Healthy that does not serve', () => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
  console.log(`gitops: SEED=${seed}`);
  fc.assert(
    fc.property(
      fc.tuple(fate, fate, fate),
      policy,
      fc.array(chapter, { minLength: 1, maxLength: 8 }),
      (fates, rules, story) => {
        const cluster = new ModelCluster(
          Object.fromEntries(VERSIONS.map((hash, n) => [hash, fates[n] as Fate])),
          rules,
        );
        for (const { version, passes, seconds, trouble: what } of story) {
          cluster.spec = { ...cluster.spec, version };
          trouble(cluster, what);
          for (let turn = 0; turn < passes; turn += 1) {
            const seen = cluster.snapshot();
            look(seen);
            const { action } = decide(seen);
            if (action) cluster.carryOut(action);
            cluster.move();
          }
          cluster.now += seconds * 1000;
        }
      },
    ),
    { seed, numRuns: RUNS, examples: [SETTLED] },
  );
  expect(states.size).toBeGreaterThan(15);
  expect(new Set(states.values())).toEqual(new Set(['Healthy', 'Progressing', 'Degraded', 'Suspended']));
  expect(awaitedStatuses).toEqual(new Set(['Current', 'InProgress', 'Failed']));
});

test.each([
  ['nobody has looked at it yet', -1, [], 'InProgress'],
  ['the status is of the spec before', 2, [{ type: 'Stalled', status: 'True' }], 'InProgress'],
  ['a spec that is refused gets conditions and nothing else', 3, [{ type: 'Stalled', status: 'True' }], 'Failed'],
])('Flux, by the expressions of the page: %s', (_case, observedGeneration, conditions, expected) => {
  expect(byExpressions({ metadata: { generation: 3 }, status: { observedGeneration, conditions } })).toBe(expected);
});

test('the Kustomization of the page names kinds that there are, and deletes nothing to change it', () => {
  const { spec } = fromDocs<Kustomization>('kind: Kustomization');
  const known = KIND_NAMES.map(({ kind }) => `${API_VERSION} ${kind}`);
  for (const { apiVersion, kind } of [...spec.healthChecks, ...(bakeToo ? [bakeToo] : [])])
    expect(known).toContain(`${apiVersion} ${kind}`);
  expect(spec.force ?? false).toBe(false);
});

test.each([
  ['an earlier spec’s status', { observed: 2, conditions: [{ type: 'Ready', status: 'True' }] }, 'Progressing'],
  ['no condition yet', {}, 'Progressing'],
  [
    'others left Stalled=False',
    {
      conditions: [
        { type: 'Stalled', status: 'False' },
        { type: 'Ready', status: 'True', reason: 'A', message: 'b' },
      ],
    },
    'Healthy',
  ],
] as const)('%s', (_case, seen, status) => {
  expect(health(object(seen as Seen)).status).toBe(status);
});

test('before the operator has seen it, and while it is deleted', () => {
  expect(health({ metadata: { generation: 1 }, spec: {} }).status).toBe('Progressing');
  const leaving = { ...object({}), metadata: { generation: 3, deletionTimestamp: '2026-11-29T08:00:00Z' } };
  expect(health(leaving)).toEqual({ status: 'Progressing', message: 'is being deleted' });
});

const rejected = object({ conditions: [{ type: 'Stalled', status: 'True', reason: 'ReleaseRejected', message: '' }] });

test('actions are offered where they are of use', () => {
  const offered = (seen: object) => {
    const found = Object.entries(run('discovery', seen) as Record<string, { disabled: boolean }>);
    expect(found.map(([name]) => name).sort()).toEqual([...ACTIONS].sort());
    return found
      .filter(([, { disabled }]) => !disabled)
      .map(([name]) => name)
      .sort();
  };
  expect(offered(object({}))).toEqual(['pause', 'rotate-key']);
  expect(offered(object({ paused: true }))).toEqual(['resume', 'rotate-key']);
  expect(offered(rejected)).toEqual(['pause', 'retry', 'rotate-key']);
  const trial = (change: object, conditions: readonly object[] = []) => ({
    ...{ metadata: {}, spec: {} },
    status: {
      conditions,
      stage: { name: 'Analysis' },
      rollout: { candidate: { hash: 'v2' }, stable: { hash: 'v1' } },
      ...change,
    },
  });
  const stalled = (reason: string) => [{ type: 'Stalled', status: 'True', reason, message: '' }];
  expect(offered(trial({}))).toEqual(['hold', 'pause', 'reject', 'rotate-key']);
  expect(offered(trial({ stage: { name: 'Baking' } }))).toEqual(['pause', 'reject', 'rotate-key']);
  for (const reason of ['InsufficientTraffic', 'Blind', 'Held'])
    expect(offered(trial({}, stalled(reason)))).toContain('promote');
  expect(offered(trial({ analysis: { verdict: 'Bad' } }, stalled('Held')))).not.toContain('promote');
  expect(offered({ ...trial({}, stalled('Blind')), spec: { paused: true } })).not.toContain('promote');
  expect(offered(trial({ stage: { name: 'RollingBack' } }))).not.toContain('reject');
  expect(offered({ metadata: {}, spec: {} })).toEqual(['pause', 'rotate-key']);
});

test.each([
  ['pause', { spec: { paused: true } }],
  ['resume', { spec: { paused: false } }],
  ['retry', { spec: { rollout: { retryToken: expect.stringMatching(/^20\d\d-\d\d-\d\dT[\d:]{8}Z$/) } } }],
  ['rotate-key', { metadata: { annotations: { 'devshelf.dev/rotate': expect.stringMatching(/^20\d\d-/) } } }],
])('%s', (name, expected) => {
  expect(run(name, rejected)).toMatchObject(expected);
});

test.each([
  ['promote', 'v2', undefined],
  ['hold', 'v2', undefined],
  ['reject', 'v2', 'v1'],
])('%s names the release by its hash', (name, hash, serving) => {
  const seen = (rollout: object) => ({ metadata: { name: 'shop' }, spec: {}, status: { rollout } });
  const request = (of: string) => ({
    metadata: {
      annotations: { [`devshelf.dev/${name}`]: expect.stringMatching(new RegExp(`^${of} 20\\d\\d-\\d\\d-`)) },
    },
  });
  expect(run(name, seen({ candidate: { hash }, stable: { hash: 'v1' } }))).toMatchObject(request(hash));
  const settled = run(name, seen({ stable: { hash: 'v1' } }));
  if (serving) expect(settled).toMatchObject(request(serving));
  else expect(settled).toEqual(seen({ stable: { hash: 'v1' } }));
});

test('what is already there stays', () => {
  const with2 = {
    ...rejected,
    spec: { image: 'i:1', rollout: { bakeSeconds: 7 } },
    metadata: { name: 'shop', annotations: { a: 'b' } },
  };
  expect(run('retry', with2)).toMatchObject({ spec: { image: 'i:1', rollout: { bakeSeconds: 7 } } });
  expect(run('rotate-key', with2)).toMatchObject({ metadata: { name: 'shop', annotations: { a: 'b' } } });
});

test('argocd-cm.yaml is made from these scripts', () => {
  expect(readFileSync(CONFIG, 'utf8')).toBe(argocdConfig());
});
