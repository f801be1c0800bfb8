// What is told of a spec before it is applied: every kind of release, with and without a migration. That it is what then
// happens is held by lifecycle/foresight.test.ts.
import { expect, test } from '@jest/globals';
import type { AppResource } from '../api/resource.ts';
import type { Revision } from '../lifecycle/snapshot.ts';
import { app, deployment, migrated, T0 } from '../lifecycle/testing.ts';
import { type Digest, digestOf, wantedOf } from '../objects/contents.ts';
import { drawPlan } from './draw/plan.ts';
import { applied, mergePatched } from './views/applied.ts';
import { differences, type PlanFacts, planView } from './views/plan.ts';

const url = Buffer.from('postgresql://u:canary-4711@db/shop').toString('base64');
const found: ReadonlyMap<string, Digest> = new Map([['Secret/db', digestOf({ DATABASE_URL: url, url }, true)]]);
const seed = { known: true, value: 'seed' } as const;

const withImage = (tag: string, spec: object = {}): AppResource => {
  const of = app({ image: `example/dashboard:${tag}`, ...spec });
  return { ...of, status: { ...of.status, observedGeneration: of.metadata.generation } };
};

function released(of: AppResource, verdict: Revision['verdict']['verdict'], number: number): Revision {
  const { wanted } = wantedOf(of, found, seed, []);
  if (!wanted.known) throw new Error(wanted.why);
  const { release } = wanted.value;
  return {
    ...{ name: `shop-${release.hash}`, number, release },
    verdict: { verdict, reason: 'Progressing', message: 'as it was', at: '2026-02-28T12:00:00.000Z' },
    migration: migrated('v1', { id: release.migrationId ?? '' }),
  };
}

const stable = released(withImage('1'), 'released', 1);
const facts = (change: Partial<PlanFacts> = {}): PlanFacts => ({
  ...{ app: withImage('2'), live: withImage('1'), found, seed, revisions: [stable], jobs: [], notes: [], now: T0 },
  deployment: deployment({ release: stable.release.hash, stable: stable.release.hash }),
  ...change,
});
const { hash } = stable.release;
const stages = (given: PlanFacts) => planView(given).steps.map(({ stage }) => stage);
const ON = ['rehearsal', 'candidate', 'promotion', 'bake', 'release'];

test.each([
  ['another image', {}, 'new', ['migration', ...ON]],
  ['the same spec', { app: withImage('1') }, 'serves', []],
  ['more pods only', { app: withImage('1', { replicas: 5 }) }, 'serves', []],
  ['another bake only', { app: withImage('1', { rollout: { bakeSeconds: 7 } }) }, 'serves', []],
  [
    'an environment variable',
    { app: withImage('1', { extraEnv: [{ name: 'A', value: 'b' }] }) },
    'new',
    ['migration', ...ON],
  ],
  [
    'a release that served before',
    { revisions: [stable, released(withImage('2'), 'released', 2)] },
    'known',
    ['migration', 'candidate', 'promotion', 'bake', 'release'],
  ],
  ['one that was rejected', { revisions: [stable, released(withImage('2'), 'rejected', 2)] }, 'rejected', []],
  [
    'a rejected one, with another token',
    {
      app: withImage('2', { rollout: { retryToken: 'x' } }),
      revisions: [stable, released(withImage('2'), 'rejected', 2)],
    },
    'rejected',
    ['migration', ...ON],
  ],
  [
    'back to stable while another is on trial',
    { app: withImage('1'), deployment: deployment({ phase: 'Candidate', release: 'v9', stable: hash }) },
    'serves',
    ['rollback', 'release'],
  ],
  ['a database Secret that is not there', { found: new Map() }, 'unknown', []],
] as const)('%s', (_case, change, is, expected) => {
  const model = planView(facts(change as Partial<PlanFacts>));
  expect(model.release.is).toBe(is);
  expect(model.steps.map(({ stage }) => stage)).toEqual(expected);
});

test('what is on trial leaves first, and a bake is cut short', () => {
  const trial = released(withImage('3'), 'pending', 2);
  const revisions = [stable, trial];
  const on = deployment({ phase: 'Candidate', release: trial.release.hash, stable: hash });
  const [first, ...rest] = planView(facts({ revisions, deployment: on })).steps;
  expect(first).toEqual({ stage: 'rollback', what: 'overtaken by a newer spec (2)' });
  expect(rest.map(({ stage }) => stage)).toEqual(['before', 'migration', ...ON]);
  const baking = deployment({ phase: 'Baking', release: trial.release.hash, stable: hash });
  expect(stages(facts({ revisions, deployment: baking }))).toEqual(['migration', ...ON]);
});

test('a first install', () => {
  const { live: _none, deployment: _neither, ...rest } = facts({ revisions: [] });
  expect(planView(rest)).toMatchObject({ change: 'created', release: { is: 'new' }, end: 'rests' });
  expect(stages(rest)).toEqual(['keys', 'keys', 'migration', 'install', 'bake', 'release']);
});

test('what is rejected is refused in the words of the operator', () => {
  const model = planView(facts({ revisions: [stable, released(withImage('2'), 'rejected', 2)] }));
  expect(model).toMatchObject({ end: 'refused', reason: 'ReleaseRejected', steps: [] });
  expect(drawPlan(model, { width: 120, colour: false, unicode: true })).toContainEqual(
    expect.stringContaining('nothing will happen. ReleaseRejected: as it was'),
  );
});

test('where a person agrees to migrations, it stops there and claims nothing of what is pending', () => {
  const model = planView(facts({ app: withImage('2', { migrations: { policy: 'Manual' } }) }));
  expect(model).toMatchObject({
    end: 'refused',
    reason: 'MigrationPending',
    message: expect.stringContaining('it says then'),
  });
  expect(model.steps).toEqual([{ stage: 'schema', what: 'the database is asked what is pending' }]);
});

test('a migration is told, or who has done it', () => {
  const [first] = planView(facts()).steps;
  expect(first).toEqual({ stage: 'migration', what: 'a Job runs migrate up with example/dashboard:2' });
  const done = planView(facts({ app: withImage('1', { extraEnv: [{ name: 'A', value: 'b' }] }) })).steps[0];
  expect(done?.what).toBe(`none: this image’s was done with shop-${hash}`);
  const disabled = planView(facts({ app: withImage('2', { migrations: { policy: 'Disabled' } }) })).steps[0];
  expect(disabled?.what).toBe('none: spec.migrations.policy is Disabled');
});

test('who may not read Secrets is told as much as can be known', () => {
  const unread = 'secrets "db" is forbidden';
  const same = planView(facts({ app: withImage('1', { replicas: 5 }), found: new Map(), unread }));
  expect(same).toMatchObject({ release: { is: 'serves', hash }, steps: [], notes: [] });
  const other = planView(facts({ found: new Map(), unread }));
  expect(other.release).toEqual({ image: 'example/dashboard:2', is: 'new or known' });
  expect(other.steps.map(({ stage }) => stage)).toEqual(['migration', ...ON]);
  expect(other.notes).toEqual([expect.stringContaining(unread)]);
});

test('a hash of the live spec that nobody knows is told, not built upon', () => {
  const live = withImage('1', { extraEnv: [{ name: 'A', value: 'b' }] });
  expect(planView(facts({ live })).notes).toEqual([expect.stringContaining('no release of the operator has it')]);
  expect(planView(facts()).notes).toEqual([]);
});

const NARROW = [
  'DashboardDeployment/shop  prod  would be changed',
  '  spec.image: example/dashboard:1 → example/dashboard:2',
  'release 2 (441bb4a0d8): a new release',
  'then, if nothing fails:',
  '  1. migration  a Job runs migrate up with',
  '                example/dashboard:2',
  '  2. rehearsal  a pod that no user meets',
  '  3. candidate  1 of its pods beside the stable ones, judged',
  '                by at least 50 requests and 30 s',
  '  4. promotion  replaces the stable pods, none missing',
  '                meanwhile',
  '  5. bake       serves everybody, watched for 30 min 0 s',
  '  6. release    it is the stable release',
  'takes 30 min 30 s at least',
  'note: not checked by the API server: patch is forbidden to',
  '      view',
];

test.each([60, 80, 120])('at %i columns', width => {
  const terminal = { width, colour: false, unicode: width !== 80 };
  const model = planView(facts({ notes: ['not checked by the API server: patch is forbidden to view'] }));
  const lines = drawPlan(model, terminal);
  expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(width);
  expect(lines.join('\n')).not.toContain('canary-4711');
  if (width === 60) expect(lines).toEqual(NARROW);
});

test('fields that differ, lists by names, and no value of an environment variable', () => {
  const before = {
    image: 'a',
    extraEnv: [
      { name: 'A', value: 'canary-4711' },
      { name: 'B', value: 'b' },
    ],
    replicas: 1,
  };
  const after = {
    image: 'b',
    extraEnv: [
      { name: 'B', value: 'b' },
      { name: 'C', value: 'canary-4712' },
    ],
    replicas: 1,
  };
  expect(differences(before, after)).toEqual([
    { path: 'spec.image', before: 'a', after: 'b' },
    { path: 'spec.extraEnv[A].name', before: 'A' },
    { path: 'spec.extraEnv[A].value', before: '(not shown)' },
    { path: 'spec.extraEnv[C].name', after: 'C' },
    { path: 'spec.extraEnv[C].value', after: '(not shown)' },
  ]);
});

const file = {
  apiVersion: 'v',
  kind: 'K',
  metadata: { name: 'shop' },
  spec: { image: 'b', rollout: { bakeSeconds: 1 } },
};

test('as kubectl apply: what the file before had and this one has not goes', () => {
  const last = { ...file, spec: { image: 'a', paused: true, rollout: { retryToken: 'x' } } };
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(last) };
  const live = {
    metadata: { annotations },
    spec: { image: 'a', paused: true, rollout: { retryToken: 'x' }, replicas: 3 },
  };
  const { request, merged } = applied(file, live, 'prod');
  expect(request).toMatchObject({
    contentType: 'application/merge-patch+json',
    body: { spec: { image: 'b', paused: null, rollout: { bakeSeconds: 1, retryToken: null } } },
  });
  expect(merged).toMatchObject({ spec: { image: 'b', rollout: { bakeSeconds: 1 }, replicas: 3 } });
});

test('as server-side apply: by whoever applied it last', () => {
  const managedFields = [
    { manager: 'devshelf-operator', operation: 'Apply', subresource: 'status', fieldsV1: { 'f:status': {} } },
    { manager: 'kustomize-controller', operation: 'Apply', fieldsV1: { 'f:spec': {} } },
  ];
  expect(applied(file, { metadata: { managedFields } }, 'prod').request).toMatchObject({
    ...{ isApply: true, fieldManager: 'kustomize-controller' },
    body: { metadata: { name: 'shop', namespace: 'prod' }, spec: file.spec },
  });
});

test('RFC 7396', () => {
  expect(mergePatched({ a: { b: 1, c: 2 }, d: [1] }, { a: { b: null }, d: [2], e: { f: null } })).toEqual({
    a: { c: 2 },
    d: [2],
    e: {},
  });
});
