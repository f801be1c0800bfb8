import { expect, test } from '@jest/globals';
import { apisBy } from '../api/optional-apis.ts';
import { drawDoctor } from './draw/doctor.ts';
import { type DoctorFacts, doctorView } from './views/doctor.ts';
import type { SeenResource } from './views/status.ts';

const NOW = Date.parse('2026-11-29T08:00:00Z');
const known = <T>(value: T) => ({ known: true, value }) as const;
const unread = (why: string) => ({ known: false, why }) as const;

const resource: SeenResource = {
  kind: 'DashboardDeployment',
  metadata: { name: 'dashboard', namespace: 'shop', generation: 3 },
  spec: { image: 'registry.example/dashboard:1.1.0', replicas: 2, rollout: { bakeSeconds: 1800, smokeTests: [{}] } },
  status: { observedGeneration: 3, conditions: [{ type: 'Ready', status: 'True', reason: 'AsExpected', message: '' }] },
};
const facts = (change: Partial<DoctorFacts> = {}): DoctorFacts => ({
  ...{ now: NOW, namespace: 'shop', place: 'devshelf-system', missing: [] },
  server: known('v1.34.1'),
  served: known(['DevShelfDeployment', 'DashboardDeployment']),
  apis: apisBy(kind => (kind === 'ScaledObject' ? 'absent' : 'present')),
  rights: [
    { command: 'status', lacks: [], unknown: false },
    { command: 'retry', lacks: ['patch dashboarddeployments.apps.devshelf.dev'], unknown: false },
  ],
  resources: known([resource]),
  inCharge: known({ holder: 'devshelf-system/devshelf-operator' }),
  operator: known({ name: 'devshelf-operator', image: 'devshelf-operator:0.2.0', ready: 1, version: '0.2.0' }),
  leader: known({ holder: 'devshelf-operator-7c9', renewedAt: '2026-11-29T07:59:58Z' }),
  ...change,
});
const having = (change: Partial<SeenResource>) => known([{ ...resource, ...change }]);
const condition = (type: string, status: string, reason: string, message = 'words') => ({
  type,
  status,
  reason,
  message,
});
const saying = (...conditions: ReturnType<typeof condition>[]) =>
  having({ status: { observedGeneration: 3, conditions } });
const spec = (change: NonNullable<SeenResource['spec']>) => having({ spec: { ...resource.spec, ...change } });

test('all is well', () => {
  expect(drawDoctor(doctorView(facts(), '0.2.1'), { width: 120, colour: false, unicode: true })).toEqual([
    '✔ API server      v1.34.1',
    '✔ kinds           DevShelfDeployment and DashboardDeployment are served',
    '✔ operator        devshelf-operator:0.2.0, 1 ready',
    '✔ leader          devshelf-operator-7c9, renewed 2 s ago',
    '✔ in charge       devshelf-system/devshelf-operator works in shop',
    '✔ your rights     whole: status',
    '· your rights     retry lacks patch dashboarddeployments.apps.devshelf.dev',
    '                  → ask whoever gives rights in shop; without it retry says less, or nothing',
    '✔ optional kinds  there: ServiceMonitor, PodMonitor, Ingress, HTTPRoute, ListenerSet, PrometheusRule; not there:',
    '                  ScaledObject',
    '✔ dbd/dashboard   nothing stands in its way',
  ]);
});

test.each<[string, Partial<DoctorFacts>, string, string, string]>([
  ['an API server that is too old', { server: known('v1.29.3') }, 'API server', 'bad', 'v1.29.3'],
  ['a version that nobody can read', { server: known('unreleased') }, 'API server', 'unknown', 'unreleased'],
  ['no CRDs', { served: known([]) }, 'kinds', 'bad', '0 of 2 are served'],
  ['no operator', { operator: known(undefined) }, 'operator', 'bad', 'none in devshelf-system'],
  [
    'its namespace is not ours to read',
    { operator: unread('deployments is forbidden') },
    'operator',
    'unknown',
    'forbidden',
  ],
  [
    'an operator that is not ready',
    { operator: known({ name: 'o', image: 'o:1', ready: 0 }) },
    'operator',
    'bad',
    '0 ready',
  ],
  [
    'one of another minor version',
    { operator: known({ name: 'o', image: 'o:1', ready: 1, version: '0.9.0' }) },
    'operator',
    'advice',
    'version 0.9.0',
  ],
  [
    'a leader that renews no more',
    { leader: known({ holder: 'o', renewedAt: '2026-11-29T07:59:00Z' }) },
    'leader',
    'bad',
    '60 s ago',
  ],
  ['no leader election', { leader: known(undefined) }, 'leader', 'unknown', 'no Lease'],
  ['nobody watches the namespace', { inCharge: known(undefined) }, 'in charge', 'bad', 'works in shop'],
  [
    'who is in charge may not be read',
    { inCharge: unread('leases is forbidden') },
    'in charge',
    'unknown',
    'forbidden',
  ],
  [
    'rights that cannot be asked',
    { rights: [{ command: 'why', lacks: [], unknown: true }] },
    'your rights',
    'unknown',
    'why',
  ],
  ['kinds that cannot be asked', { apis: apisBy(() => 'refused') }, 'optional kinds', 'unknown', 'not known'],
  ['resources that may not be read', { resources: unread('forbidden') }, 'resources', 'unknown', 'forbidden'],
  [
    'a Secret that is not there',
    { missing: [{ resource: { kind: resource.kind, name: 'dashboard' }, of: 'Secret', name: 'db' }] },
    'dbd/dashboard',
    'bad',
    'Secret db',
  ],
  [
    'a database that does not answer',
    { resources: saying(condition('Migrated', 'False', 'DatabaseUnreachable')) },
    'dbd/dashboard',
    'bad',
    'DatabaseUnreachable: words',
  ],
  [
    'what needs a person',
    { resources: saying(condition('Stalled', 'True', 'ReleaseRejected')) },
    'dbd/dashboard',
    'bad',
    'ReleaseRejected',
  ],
  [
    'what is under way',
    {
      resources: saying(condition('Ready', 'False', 'Analysing'), condition('AnalysisPassed', 'Unknown', 'Analysing')),
    },
    'dbd/dashboard',
    'ok',
    'nothing stands',
  ],
  [
    'a spec just applied',
    {
      resources: having({
        metadata: {
          ...resource.metadata,
          generation: 4,
          managedFields: [{ time: '2026-11-29T07:59:55Z', fieldsV1: { 'f:spec': {} } }],
        },
      }),
    },
    'dbd/dashboard',
    'unknown',
    'newest spec yet',
  ],
  [
    'a spec that nobody looks at',
    { resources: having({ metadata: { ...resource.metadata, generation: 4 } }) },
    'dbd/dashboard',
    'bad',
    'has not looked',
  ],
  [
    'no version',
    { resources: spec({ image: 'registry.example:5000/dashboard' }) },
    'dbd/dashboard',
    'advice',
    'image registry',
  ],
  ['latest', { resources: spec({ image: 'dashboard:latest' }) }, 'dbd/dashboard', 'advice', 'latest'],
  ['one pod', { resources: spec({ replicas: 1 }) }, 'dbd/dashboard', 'advice', 'replicas: 1'],
  ['no smoke tests', { resources: spec({ rollout: { smokeTests: [] } }) }, 'dbd/dashboard', 'advice', 'no smokeTests'],
  ['a short bake', { resources: spec({ rollout: { bakeSeconds: 60 } }) }, 'dbd/dashboard', 'advice', 'bakeSeconds: 60'],
])('%s', (_case, change, what, is, message) => {
  const checks = doctorView(facts(change), '0.2.0');
  expect(checks).toContainEqual(expect.objectContaining({ what, is, message: expect.stringContaining(message) }));
  if (is === 'bad') expect(checks.find(one => one.is === 'bad')?.remedy).toBeDefined();
});

test('one cause is told once', () => {
  const twice = [condition('Stalled', 'True', 'DatabaseRefused'), condition('Migrated', 'False', 'DatabaseRefused')];
  expect(doctorView(facts({ resources: saying(...twice) }), '0.2.0').filter(({ is }) => is === 'bad')).toHaveLength(1);
});

test.each([60, 80, 120])('at %i columns no line is wider', width => {
  const change = {
    operator: unread('x'.repeat(200)),
    resources: saying(condition('Stalled', 'True', 'ReleaseRejected', 'y '.repeat(200))),
  };
  const lines = drawDoctor(doctorView(facts(change), '0.2.0'), { width, colour: false, unicode: width !== 80 });
  expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(width);
});
