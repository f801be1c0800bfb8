import { expect, test } from '@jest/globals';
import { PHASES, parseRecord, type RolloutRecord } from '../api/rollout.ts';
import { candidateDeployment, deployment, deploymentReplicas, workerDeployment } from './deployment.ts';
import { releaseOf } from './release.ts';
import { dashboard, dashboardMeta, devshelf, release, SERVING_SELECTOR } from './testing.ts';

const settled: RolloutRecord = { phase: 'Settled', release: 'aaa', stable: 'aaa', since: '2026-01-01T00:00:00Z' };
const app = dashboard({ rollout: { canaryReplicas: 2, minReadySeconds: 7, progressDeadlineSeconds: 120 } });

test('the whole Deployment', () => {
  expect(deployment(dashboard(), settled, release('aaa'))).toStrictEqual({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      ...dashboardMeta('dashboard', { 'app.kubernetes.io/component': 'server', 'devshelf.dev/release': 'aaa' }),
      annotations: {
        'devshelf.dev/rollout': '{"phase":"Settled","release":"aaa","stable":"aaa","since":"2026-01-01T00:00:00Z"}',
      },
    },
    spec: {
      selector: { matchLabels: SERVING_SELECTOR },
      minReadySeconds: 10,
      progressDeadlineSeconds: 600,
      revisionHistoryLimit: 2,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: 0 } },
      template: release('aaa').template,
    },
  });
});

test.each([
  ['Installing', [7, 120, '25%', 0]],
  ['Candidate', [7, 120, '25%', 0]],
  ['Promoting', [7, 120, '25%', 0]],
  ['Baking', [7, 120, '25%', 0]],
  ['Settled', [7, 120, '25%', 0]],
  ['RollingBack', [7, 120, '25%', 0]],
  ['RollingBackAll', [0, 120, '100%', 0]],
] as const)('%s: how long a pod must be ready, by when, how many more, how many fewer', (phase, pace) => {
  const record: RolloutRecord = { ...settled, phase };
  const made = deployment(app, record, release('aaa')) as unknown as { spec: Spec };
  const { minReadySeconds, progressDeadlineSeconds, strategy } = made.spec;
  const { maxSurge, maxUnavailable } = strategy.rollingUpdate;
  expect([minReadySeconds, progressDeadlineSeconds, maxSurge, maxUnavailable]).toEqual(pace);
});

test('a candidate begins, and leaves, without a change of the Deployment that serves', () => {
  const specs = (['Settled', 'Candidate', 'RollingBack'] as const).map(
    phase => deployment(app, { ...settled, phase }, release('aaa'))['spec'],
  );
  expect(specs[1]).toStrictEqual(specs[0]);
  expect(specs[2]).toStrictEqual(specs[0]);
});

test('on hold, no further pod is replaced', () => {
  const record: RolloutRecord = { ...settled, phase: 'Promoting', held: true };
  expect(deployment(app, record, release('aaa'))['spec']).toMatchObject({ paused: true });
  expect(deployment(app, settled, release('aaa'))['spec']).not.toHaveProperty('paused');
});

test('the candidate: pods that the Service takes in, in a Deployment of its own', () => {
  expect(candidateDeployment(app, release('bbb'), 5)).toStrictEqual({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: dashboardMeta('dashboard-candidate', {
      'app.kubernetes.io/component': 'candidate',
      'devshelf.dev/release': 'bbb',
    }),
    spec: {
      replicas: 2,
      selector: {
        matchLabels: {
          'app.kubernetes.io/name': 'dashboard',
          'app.kubernetes.io/instance': 'dashboard',
          'app.kubernetes.io/component': 'candidate',
        },
      },
      progressDeadlineSeconds: 120,
      revisionHistoryLimit: 0,
      template: {
        metadata: {
          labels: {
            'devshelf.dev/role': 'serving',
            'devshelf.dev/release': 'bbb',
            'app.kubernetes.io/component': 'candidate',
          },
        },
        spec: { containers: [] },
      },
    },
  });
});

test.each([
  [5, 2],
  [1, 1],
  [0, 0],
])('beside %d pods that are wanted there are %d candidates', (serving, candidates) => {
  expect(candidateDeployment(app, release('bbb'), serving)['spec']).toMatchObject({ replicas: candidates });
});

test.each(PHASES)('%s: the record travels with the template of its release', phase => {
  const record: RolloutRecord = { ...settled, phase, release: 'bbb', stable: 'aaa' };
  const made = deployment(app, record, release('bbb'));
  expect(parseRecord(made.metadata.annotations?.['devshelf.dev/rollout'])).toEqual(record);
  expect(made['spec']).toMatchObject({ template: release('bbb').template });
});

test('the deadline is always longer than the wait', () => {
  const slow = dashboard({ rollout: { minReadySeconds: 900, progressDeadlineSeconds: 600 } });
  expect(deployment(slow, settled, release('aaa'))['spec']).toMatchObject({ progressDeadlineSeconds: 901 });
});

test('the number of replicas has another owner', () => {
  expect(deployment(app, settled, release('aaa'))['spec']).not.toHaveProperty('replicas');
  expect(deploymentReplicas(dashboard({ replicas: 4 }))).toStrictEqual({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'dashboard', namespace: 'shop' },
    spec: { replicas: 4 },
  });
});

test('and none of ours while an autoscaler chooses it', () => {
  expect(deploymentReplicas(dashboard({ autoscaling: { maxReplicas: 5 } }))).toBeUndefined();
});

test('others on the same database find it by a label that no pod has', () => {
  const app = dashboard();
  const wanted = releaseOf(app, {}, 'db');
  const record = { phase: 'Settled', release: wanted.hash, since: '2026-03-01T12:00:00.000Z' } as const;
  const made = deployment(app, record, wanted, 'abcdefabcd');
  expect(made.metadata.labels).toMatchObject({ 'devshelf.dev/database': 'abcdefabcd' });
  expect(made['spec']).toEqual(deployment(app, record, wanted)['spec']);
});

test('the worker runs beside, from the release’s own template', () => {
  const shelf = devshelf({ worker: { replicas: 3 } });
  const wanted = releaseOf(shelf, {}, 'db');
  const worker = workerDeployment(shelf, wanted);
  expect(worker).toMatchObject({
    metadata: { name: 'devshelf-worker' },
    spec: {
      replicas: 3,
      selector: {
        matchLabels: {
          'app.kubernetes.io/name': 'devshelf',
          'app.kubernetes.io/instance': 'devshelf',
          'app.kubernetes.io/component': 'worker',
        },
      },
    },
  });
  expect(worker?.['spec']).toHaveProperty('template', wanted.worker);
});

test('no worker without a queue', () => {
  const shelf = devshelf({ redis: undefined });
  expect(workerDeployment(shelf, releaseOf(shelf, {}, 'db'))).toBeUndefined();
});

type Spec = {
  minReadySeconds: number;
  progressDeadlineSeconds: number;
  strategy: { rollingUpdate: { maxSurge: number | string; maxUnavailable: number } };
};
