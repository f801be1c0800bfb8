import { expect, test } from '@jest/globals';
import { type AppResource, parseResource } from '../api/resource.ts';
import type { RolloutRecord } from '../api/rollout.ts';
import type { KubeObject } from '../kube/resource.ts';
import { deployment } from '../objects/deployment.ts';
import { httpRoute, redirectRoute } from '../objects/http-route.ts';
import { releaseOf } from '../objects/release.ts';
import { revision } from '../objects/revision.ts';
import { doorOf, scaling, sharersOf } from './gather.ts';
import { keepAutoscaler, keepDeployment, keepRevision, keepRoute } from './views.ts';
import { type KeptApp, keepApp, Stores } from './world.ts';

const DATABASE = { identity: 'abcdefabcd' };
const AT = '2026-11-28T12:00:00.000Z';

interface Change {
  readonly spec?: object;
  /** Image that serves. */
  readonly serves?: string;
  readonly phase?: RolloutRecord['phase'];
  /** Of the owner that the children name. */
  readonly owner?: string;
  readonly migration?: object;
  readonly kind?: string;
  readonly namespace?: string;
}

function resource(
  name: string,
  { kind = 'DashboardDeployment', namespace = 'shop', spec = {} }: Change = {},
): KubeObject {
  return {
    apiVersion: 'apps.devshelf.dev/v1alpha1',
    kind,
    metadata: { namespace, name, uid: `uid-of-${namespace}-${name}`, resourceVersion: '1' },
    spec: { image: 'example/dashboard:2', database: { urlSecretRef: { name: 'db' } }, ...spec },
  } as KubeObject;
}

function read(raw: KubeObject): AppResource {
  const parsed = parseResource(raw);
  if (!parsed.ok) throw new Error(parsed.why);
  return parsed.resource;
}

/** In the stores as the watches put them there. */
function there(stores: Stores, name: string, change: Change = {}): KeptApp {
  const { serves = 'example/dashboard:2', phase = 'Settled', owner, migration } = change;
  const raw = resource(name, change);
  const app = read(resource(name, { ...change, spec: { ...change.spec, image: serves } }));
  const owned = owner === undefined ? app : { ...app, metadata: { ...app.metadata, uid: owner } };
  const release = releaseOf(owned, {}, DATABASE.identity);
  const record = { phase, release: release.hash, since: AT } as unknown as RolloutRecord;
  const notes = migration ? { migration: JSON.stringify(migration) } : {};
  const live = (object: object) => {
    const { metadata, ...rest } = object as KubeObject;
    return { ...rest, metadata: { ...metadata, uid: `${metadata.name}-uid`, resourceVersion: '1' } } as never;
  };
  stores.deployments.upsert(keepDeployment(live(deployment(owned, record, release, DATABASE.identity))));
  stores.revisions.upsert(keepRevision(live(revision(owned, release, 1, notes))));
  const kept = keepApp(raw);
  stores.apps.DashboardDeployment.upsert(kept);
  return kept;
}

const ALLOW = { migrations: { contract: { allow: ['20261128_drop'] } } };

function seenBy(change: Change, name = 'other') {
  const stores = new Stores();
  const ours = there(stores, 'dashboard');
  const other = there(stores, name, { spec: ALLOW, ...change });
  const sources = { stores, servingFrom: (database: string) => (database === DATABASE.identity ? [ours, other] : []) };
  return sharersOf(read(resource('dashboard')), sources, DATABASE);
}

test.each<[string, Change, boolean]>([
  ['it serves, settled, the image that its spec names', {}, true],
  ['a release is on trial', { phase: 'Candidate' }, false],
  ['one is baking', { phase: 'Baking' }, false],
  [
    'the image that its spec names does not serve yet, was rejected, or it is paused',
    { serves: 'example/dashboard:1' },
    false,
  ],
  ['its Deployment is of an earlier resource of that name', { owner: 'uid-of-another' }, false],
])('whether another resource on the database is at rest: %s', (_sentence, change, isAtRest) => {
  expect(seenBy(change)).toEqual([{ name: 'other', allow: ['20261128_drop'], isAtRest, contracts: [] }]);
});

test('a resource is no sharer of its own, nor is one of another namespace', () => {
  expect(seenBy({}, 'dashboard')).toEqual([]);
  expect(seenBy({ namespace: 'elsewhere' })).toEqual([]);
});

test('one that cannot be read has agreed to nothing, and is not at rest', () => {
  const raw = { spec: { ...ALLOW, replicas: 'many' } };
  const stores = new Stores();
  const other = keepApp(resource('other', raw));
  const found = sharersOf(read(resource('dashboard')), { stores, servingFrom: () => [other] }, DATABASE);
  expect(found).toEqual([{ name: 'other', allow: [], isAtRest: false, contracts: [] }]);
});

test('what its releases took from this database is told; what they took from another is not', () => {
  const done = { id: 'm', jobName: 'migrate', result: 'UpToDate', applied: [], finishedAt: AT };
  const took = { ...done, contracted: ['20261128_drop'], contractedAt: AT };
  expect(seenBy({ migration: { ...took, database: DATABASE.identity } })).toMatchObject([
    { contracts: [{ ids: ['20261128_drop'], at: AT }] },
  ]);
  expect(seenBy({ migration: { ...took, database: 'fedcbafedc' } })).toMatchObject([{ contracts: [] }]);
});

const GATEWAY = {
  type: 'Gateway',
  hosts: ['shop.example'],
  trustedProxies: ['10.244.0.0/16'],
  forceHTTPS: true,
  gateway: { parentRefs: [{ name: 'public', namespace: 'edge', sectionName: 'https' }], httpSection: 'http' },
};

/** As the Gateway's controller answers it. */
function answered(route: object | undefined) {
  const { metadata, spec } = route as KubeObject & { spec: { parentRefs: object[] } };
  const conditions = ['Accepted', 'ResolvedRefs'].map(type => ({ type, status: 'True', observedGeneration: 1 }));
  const parents = spec.parentRefs.map(parentRef => ({ parentRef, controllerName: 'example/gateway', conditions }));
  const known = { ...metadata, uid: `${metadata.name}-uid`, resourceVersion: '1', generation: 1 };
  return keepRoute({ metadata: known, spec, status: { parents } } as never);
}

test.each([
  ['both routes', GATEWAY, ['https', 'http']],
  ['one is another’s', { ...GATEWAY, owner: 'before' }, ['https']],
])('what is said of the door: %s', (_case, { owner, ...exposure }: { owner?: string } & typeof GATEWAY, sections) => {
  const app = read(resource('dashboard', { spec: { exposure } }));
  const ofRedirect = { ...app, metadata: { ...app.metadata, uid: owner ?? app.metadata.uid } };
  const stores = new Stores();
  stores.httpRoutes.upsert(answered(httpRoute(app, ['shop.example'])));
  stores.httpRoutes.upsert(answered(redirectRoute(ofRedirect, ['shop.example'])));
  const answers = doorOf(app, stores)?.parents.map(({ section, answer }) => [section, answer?.accepted]);
  expect(answers).toEqual(sections.map(section => [section, true]));
});

test('what is said of our listeners', () => {
  const app = read(resource('dashboard', { spec: { exposure: GATEWAY } }));
  const stores = new Stores();
  const { metadata } = answered(httpRoute(app, ['shop.example']));
  const view = { hosts: ['shop.example'], answer: { accepted: true, words: '' } };
  stores.listenerSets.upsert({ metadata, applied: undefined, view });
  expect(doorOf(app, stores)).toBeUndefined();
  stores.httpRoutes.upsert(answered(httpRoute(app, ['shop.example'])));
  expect(doorOf(app, stores)?.listeners).toEqual(view);
  stores.listenerSets.upsert({ metadata: { ...metadata, ownerReferences: [] }, applied: undefined, view });
  expect(doorOf(app, stores)?.listeners).toBeUndefined();
});

test.each([
  [
    'made for a ScaledObject: KEDA’s',
    [{ apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject', name: 's', uid: 's' }],
    true,
  ],
  ['somebody’s', [], undefined],
])('an autoscaler by the name that KEDA gives its own, %s', (_case, ownerReferences, isTheirs) => {
  const app = read(resource('dashboard'));
  const { namespace, name } = app.metadata;
  const stores = new Stores();
  expect(scaling(app, { stores }).kedaScales).toBeUndefined();
  const metadata = { namespace, name: `${name}-keda`, uid: 'k', resourceVersion: '1', ownerReferences };
  stores.autoscalers.upsert(keepAutoscaler({ apiVersion: 'autoscaling/v2', kind: 'HPA', metadata } as never));
  expect(scaling(app, { stores }).kedaScales).toBe(isTheirs);
});
