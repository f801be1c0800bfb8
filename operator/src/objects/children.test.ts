import { expect, test } from '@jest/globals';
import { apisBy } from '../api/optional-apis.ts';
import type { RolloutRecord } from '../api/rollout.ts';
import type { App } from './app.ts';
import { type Cluster, desiredChildren, type FindRelease, unwantedChildren } from './children.ts';
import { releaseOf } from './release.ts';
import { dashboard, devshelf, kindsOf } from './testing.ts';

const everywhere: Cluster = { apis: apisBy(() => 'present') };
const CANDIDATE = 'Deployment/devshelf-candidate';
const settled: RolloutRecord = { phase: 'Settled', release: 'old', stable: 'old', since: '2026-01-01T00:00:00Z' };
const candidate: RolloutRecord = { ...settled, phase: 'Candidate', release: 'new' };
const app = devshelf({ autoscaling: { maxReplicas: 5 } });
const releases = (hash: string) => ({ ...releaseOf(app, { hash }, 'db'), hash, image: `example/x:${hash}` });

test('everything, in the order in which it is applied', () => {
  expect(kindsOf(desiredChildren(app, settled, releases, everywhere))).toEqual([
    'ServiceAccount/devshelf',
    'NetworkPolicy/devshelf',
    'Service/devshelf',
    'PodDisruptionBudget/devshelf',
    'Deployment/devshelf',
    'Deployment/devshelf-worker',
    'HorizontalPodAutoscaler/devshelf',
    'ServiceMonitor/devshelf',
    'PodMonitor/devshelf-worker',
    'PrometheusRule/devshelf',
  ]);
});

const asked = (provider: string, cluster: Partial<Cluster> = {}) => {
  const scaled = devshelf({
    autoscaling: { maxReplicas: 5, provider },
    worker: { autoscaling: { maxReplicas: 4, waitingJobsPerReplica: 50 } },
  });
  const all = { ...everywhere, prometheusUrl: 'http://prometheus:9090', ...cluster };
  const desired = desiredChildren(scaled, settled, releases, all);
  const scaling = /^(Horizontal|ScaledObject)/;
  const gone = unwantedChildren(scaled, settled, releases, desired, all).map(({ kind, name }) => `${kind}/${name}`);
  return [kindsOf(desired).filter(name => scaling.test(name)), gone.filter(name => scaling.test(name))];
};
const [HPA, SCALED, WORKERS] = [
  'HorizontalPodAutoscaler/devshelf',
  'ScaledObject/devshelf',
  'ScaledObject/devshelf-worker',
];

test.each<[string, string, Partial<Cluster>, string[], string[]]>([
  ['by CPU use', 'HPA', {}, [HPA, WORKERS], [SCALED]],
  ['by KEDA', 'KEDA', {}, [SCALED, WORKERS], [HPA]],
  ['from the one to the other: the first goes', 'KEDA', { autoscalerIsThere: true }, [WORKERS], [HPA, SCALED]],
  ['and back', 'HPA', { scaledObjectIsThere: true }, [WORKERS], [HPA, SCALED]],
  [
    'both are there, however that came: the one that is wanted stays',
    'KEDA',
    { autoscalerIsThere: true, scaledObjectIsThere: true },
    [SCALED, WORKERS],
    [HPA],
  ],
  ['without KEDA the one that is there goes on', 'KEDA', { apis: apisBy(() => 'absent') }, [], []],
])('who chooses the number of pods: %s', (_case, provider, cluster, wanted, gone) => {
  expect(asked(provider, cluster)).toEqual([wanted, gone]);
});

test('before the first install nothing runs yet', () => {
  expect(kindsOf(desiredChildren(app, undefined, releases, everywhere))).toEqual([
    'ServiceAccount/devshelf',
    'NetworkPolicy/devshelf',
    'Service/devshelf',
    'PodDisruptionBudget/devshelf',
    'ServiceMonitor/devshelf',
    'PodMonitor/devshelf-worker',
    'PrometheusRule/devshelf',
  ]);
});

const deployed = (record: RolloutRecord, cluster: Cluster) =>
  desiredChildren(app, record, releases, cluster)
    .filter(({ kind }) => kind === 'Deployment')
    .map(({ metadata }) => `${metadata.name} ${metadata.labels['devshelf.dev/release']}`);

test.each<[string, RolloutRecord, object, string[]]>([
  [
    'on trial, the new release has a Deployment of its own, and nothing else changes',
    candidate,
    {},
    ['devshelf old', 'devshelf-candidate new', 'devshelf-worker old'],
  ],
  [
    'promoted, its candidate serves on',
    { ...candidate, phase: 'Promoting' },
    { candidateIsThere: true },
    ['devshelf new', 'devshelf-candidate new', 'devshelf-worker new'],
  ],
  ['promoted, none is made', { ...candidate, phase: 'Promoting' }, {}, ['devshelf new', 'devshelf-worker new']],
  ['watched', { ...candidate, phase: 'Baking' }, { candidateIsThere: true }, ['devshelf new', 'devshelf-worker new']],
  [
    'taken back',
    { ...settled, phase: 'RollingBack' },
    { candidateIsThere: true },
    ['devshelf old', 'devshelf-worker old'],
  ],
])('%s', (_sentence, record, cluster, expected) => {
  expect(deployed(record, { ...everywhere, ...cluster })).toEqual(expected);
});

test('every child belongs to the resource', () => {
  for (const { metadata } of desiredChildren(app, settled, releases, everywhere)) {
    expect(metadata.ownerReferences).toMatchObject([{ uid: 'uid-of-devshelf', controller: true }]);
    expect(metadata.labels).toMatchObject({ 'app.kubernetes.io/managed-by': 'devshelf-operator' });
  }
});

const DOORS = /^(Ingress|HTTPRoute|ListenerSet)\//;
/** They have tables of their own. */
const TOLD_APART = /^(Ingress|HTTPRoute|ListenerSet|ScaledObject)\//;

const unwantedOf = (
  of: App,
  record: RolloutRecord | undefined,
  known: FindRelease = releases,
  cluster: Cluster = everywhere,
): string[] =>
  unwantedChildren(of, record, known, desiredChildren(of, record, known, cluster), cluster)
    .map(({ kind, name }) => `${kind}/${name}`)
    .filter(name => name !== CANDIDATE && !TOLD_APART.test(name));

const unwanted = (spec: Record<string, unknown>, cluster: Cluster = everywhere) =>
  unwantedOf(devshelf(spec), settled, releases, cluster).map(name => name.replace(/\/.*/, ''));

test.each([
  ['nothing', { autoscaling: { maxReplicas: 5 } }, []],
  ['no autoscaler', {}, ['HorizontalPodAutoscaler']],
  [
    'all that can be turned off',
    {
      networkPolicy: 'Disabled',
      disruption: { policy: 'Disabled' },
      monitoring: { serviceMonitor: 'Disabled', prometheusRule: 'Disabled' },
    },
    [
      'NetworkPolicy',
      'PodDisruptionBudget',
      'HorizontalPodAutoscaler',
      'ServiceMonitor',
      'PodMonitor',
      'PrometheusRule',
    ],
  ],
])('turned off, to be deleted: %s', (_case, spec, expected) => {
  expect(unwanted(spec)).toEqual(expected);
});

test.each(['absent', 'refused'] as const)('a kind that is %s is neither applied nor deleted', state => {
  const cluster: Cluster = { apis: { ...apisBy(() => 'present'), PrometheusRule: state } };
  const kinds = kindsOf(desiredChildren(app, settled, releases, cluster));
  expect(kinds).toContain('ServiceMonitor/devshelf');
  expect(kinds).not.toContain('PrometheusRule/devshelf');
  expect(unwanted({ autoscaling: { maxReplicas: 5 } }, cluster)).toEqual([]);
});

test('monitors are not made before the token that they name; what is there stays while it is away', () => {
  const cluster: Cluster = { ...everywhere, scrapeTokenIsThere: false };
  const kinds = kindsOf(desiredChildren(app, settled, releases, cluster));
  expect(kinds.filter(kind => /Monitor|Rule/.test(kind))).toEqual(['PrometheusRule/devshelf']);
  expect(unwanted({ autoscaling: { maxReplicas: 5 } }, cluster)).toEqual([]);
});

test('a release without a worker takes the worker away', () => {
  const queueless = devshelf({ redis: undefined });
  expect(unwantedOf(queueless, settled, () => releaseOf(queueless, {}, 'db'))).toContain('Deployment/devshelf-worker');
});

test('while a candidate is tried, a stable release that nobody remembers keeps its worker', () => {
  const half = (hash: string) => (hash === 'new' ? releases(hash) : undefined);
  const desired = desiredChildren(app, candidate, half, everywhere);
  expect(kindsOf(desired)).toContain(CANDIDATE);
  expect(kindsOf(desired)).not.toContain('Deployment/devshelf-worker');
  expect(unwantedOf(app, candidate, half)).toEqual([]);
});

const goingDoors = (spec: Record<string, unknown>, known: FindRelease, cluster = everywhere): string[] => {
  const of = devshelf(spec);
  const gone = unwantedChildren(of, settled, known, desiredChildren(of, settled, known, cluster), cluster);
  return gone.map(({ kind, name }) => `${kind}/${name}`).filter(name => DOORS.test(name));
};
const opened = { exposure: { type: 'Ingress', hosts: ['shop.example'] } };
const knowing = (hash: string) => ({ ...releases(hash), hosts: ['shop.example'] });
const LISTENERS = 'ListenerSet/devshelf';
const ROUTES = ['HTTPRoute/devshelf', 'HTTPRoute/devshelf-redirect', LISTENERS];
const INGRESS = 'Ingress/devshelf';
const REDIRECT = 'HTTPRoute/devshelf-redirect';
const parentRefs = [{ name: 'public', namespace: 'edge' }];
const gatewayed = { exposure: { type: 'Gateway', hosts: ['shop.example'], gateway: { parentRefs } } };
const certified = { exposure: { ...gatewayed.exposure, tls: { secretName: 'shop-tls' } } };
const notYet: Cluster = { ...everywhere, doorServes: false };

test.each<[string, Record<string, unknown>, FindRelease, Cluster, string[]]>([
  ['an Ingress is wanted: routes go', opened, knowing, everywhere, ROUTES],
  ['it does not serve yet: users come by the routes', opened, knowing, notYet, []],
  ['nothing is exposed any more', {}, knowing, everywhere, [INGRESS, ...ROUTES]],
  ['what serves knows no host', opened, releases, everywhere, [INGRESS, ...ROUTES]],
  ['nobody remembers what serves: its users keep their door', opened, () => undefined, everywhere, []],
  ['a Gateway’s own listener is wanted: ours go', gatewayed, knowing, everywhere, [INGRESS, REDIRECT, LISTENERS]],
  ['it does not serve yet: users come by ours', gatewayed, knowing, notYet, [REDIRECT]],
  ['listeners of ours are wanted', certified, knowing, everywhere, [INGRESS, REDIRECT]],
  ['what serves knows no host for them', certified, releases, everywhere, [INGRESS, ...ROUTES]],
  [
    'listeners of ours are not served',
    {},
    knowing,
    { apis: { ...everywhere.apis, ListenerSet: 'absent' } },
    [INGRESS, 'HTTPRoute/devshelf', REDIRECT],
  ],
  ['the kinds are not served', {}, knowing, { apis: apisBy(() => 'absent') }, []],
])('doors: %s', (_case, spec, known, cluster, expected) => {
  expect(goingDoors(spec, known, cluster)).toEqual(expected);
});

test('a release that nobody remembers takes nothing away', () => {
  const lost = () => undefined;
  expect(kindsOf(desiredChildren(app, settled, lost, everywhere))).not.toContain('Deployment/devshelf');
  expect(unwantedOf(app, settled, lost)).toEqual([]);
});

test.each<[string, RolloutRecord | undefined, boolean]>([
  ['nothing is known yet', undefined, false],
  ['it is on trial', candidate, false],
  ['it is promoted', { ...candidate, phase: 'Promoting' }, false],
  ['it serves everybody', { ...candidate, phase: 'Baking' }, true],
  ['it is taken back', { ...settled, phase: 'RollingBack' }, true],
  ['nothing is tried', settled, true],
])('the candidate goes, or stays: %s', (_sentence, record, goes) => {
  const lost = () => undefined;
  const names = unwantedChildren(app, record, lost, [], everywhere).map(({ kind, name }) => `${kind}/${name}`);
  expect(names.includes(CANDIDATE)).toBe(goes);
});

test('Service, ServiceAccount and the serving Deployment are never deleted', () => {
  const gone = unwantedChildren(dashboard(), settled, releases, [], everywhere).map(
    ({ kind, name }) => `${kind}/${name}`,
  );
  expect(gone).not.toContain('Deployment/dashboard');
  expect(gone.filter(name => name.startsWith('Service/') || name.startsWith('ServiceAccount/'))).toEqual([]);
});

test.each<[string, Cluster, string[]]>([
  ['listeners of ours serve: the route is at nothing else', everywhere, ['ListenerSet']],
  ['they do not serve yet: it stays where it is, too', notYet, ['ListenerSet', 'Gateway']],
])('%s', (_case, cluster, expected) => {
  const routeParents = [{ kind: 'Gateway', name: 'public', namespace: 'edge' } as const];
  const children = desiredChildren(devshelf(certified), settled, knowing, { ...cluster, routeParents });
  const doors = children.filter(({ kind }) => DOORS.test(`${kind}/`));
  // what it is attached to comes first
  expect(doors.map(({ kind }) => kind)).toEqual(['ListenerSet', 'HTTPRoute']);
  expect(doors[1]).toMatchObject({ spec: { parentRefs: expected.map(kind => ({ kind })) } });
});
