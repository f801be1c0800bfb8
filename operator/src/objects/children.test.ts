import { expect, test } from '@jest/globals';
import type { RolloutRecord } from '../api/rollout.ts';
import { desiredChildren, PRUNABLE_KINDS, unwantedChildren } from './children.ts';
import { releaseOf } from './release.ts';
import { dashboard, devshelf, kindsOf } from './testing.ts';

const everywhere = { serviceMonitorAvailable: true };
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
  ]);
});

test('before the first install nothing runs yet', () => {
  expect(kindsOf(desiredChildren(app, undefined, releases, everywhere))).toEqual([
    'ServiceAccount/devshelf',
    'NetworkPolicy/devshelf',
    'Service/devshelf',
    'PodDisruptionBudget/devshelf',
    'ServiceMonitor/devshelf',
  ]);
});

test('while a candidate is judged the worker stays with the stable release', () => {
  const labels = desiredChildren(app, candidate, releases, everywhere)
    .filter(({ kind }) => kind === 'Deployment')
    .map(({ metadata }) => metadata.labels['devshelf.dev/release']);
  expect(labels).toEqual(['new', 'old']);
});

test('every child belongs to the resource', () => {
  for (const { metadata } of desiredChildren(app, settled, releases, everywhere)) {
    expect(metadata.ownerReferences).toMatchObject([{ uid: 'uid-of-devshelf', controller: true }]);
    expect(metadata.labels).toMatchObject({ 'app.kubernetes.io/managed-by': 'devshelf-operator' });
  }
});

const unwanted = (spec: Record<string, unknown>, record = settled, cluster = everywhere, known = releases) => {
  const changed = devshelf(spec);
  return unwantedChildren(changed, desiredChildren(changed, record, known, cluster), cluster, true).map(
    ({ kind }) => kind,
  );
};

test.each([
  ['nothing', { autoscaling: { maxReplicas: 5 } }, []],
  ['no autoscaler', {}, ['HorizontalPodAutoscaler']],
  [
    'all that can be turned off',
    {
      networkPolicy: 'Disabled',
      disruption: { policy: 'Disabled' },
      monitoring: { serviceMonitor: 'Disabled' },
    },
    ['NetworkPolicy', 'PodDisruptionBudget', 'HorizontalPodAutoscaler', 'ServiceMonitor'],
  ],
])('turned off, to be deleted: %s', (_case, spec, expected) => {
  expect(unwanted(spec)).toEqual(expected);
});

test('a kind that the API server does not know is neither applied nor deleted', () => {
  const cluster = { serviceMonitorAvailable: false };
  expect(kindsOf(desiredChildren(app, settled, releases, cluster))).not.toContain('ServiceMonitor/devshelf');
  expect(unwanted({ autoscaling: { maxReplicas: 5 } }, settled, cluster)).toEqual([]);
});

test('a release without a worker takes the worker away', () => {
  const queueless = devshelf({ redis: undefined });
  const known = () => releaseOf(queueless, {}, 'db');
  const desired = desiredChildren(queueless, settled, known, everywhere);
  expect(unwantedChildren(queueless, desired, everywhere, true)).toContainEqual({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    name: 'devshelf-worker',
  });
});

test('while a candidate is tried, a stable release that nobody remembers keeps its worker', () => {
  const half = (hash: string) => (hash === 'new' ? releases(hash) : undefined);
  const desired = desiredChildren(app, candidate, half, everywhere);
  expect(kindsOf(desired)).toContain('Deployment/devshelf');
  expect(kindsOf(desired)).not.toContain('Deployment/devshelf-worker');
  expect(unwantedChildren(app, desired, everywhere, false)).toEqual([]);
});

test('a release that nobody remembers takes nothing away', () => {
  const lost = () => undefined;
  const desired = desiredChildren(app, settled, lost, everywhere);
  expect(kindsOf(desired)).not.toContain('Deployment/devshelf');
  expect(unwantedChildren(app, desired, everywhere, false)).toEqual([]);
});

test('Service, ServiceAccount and the serving Deployment are never deleted', () => {
  const gone = unwantedChildren(dashboard(), [], everywhere, true).map(({ kind, name }) => `${kind}/${name}`);
  expect(gone).not.toContain('Deployment/dashboard');
  expect(PRUNABLE_KINDS.map(({ kind }): string => kind)).not.toContain('Service');
});
