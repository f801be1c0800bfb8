import { expect, test } from '@jest/globals';
import { PHASES, parseRecord, type RolloutRecord } from '../api/rollout.ts';
import { deployment, deploymentReplicas, workerDeployment } from './deployment.ts';
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
  ['Candidate', [2_147_483_646, 2_147_483_647, 2, 0]],
  ['Promoting', [7, 120, '25%', 0]],
  ['Baking', [7, 120, '25%', 0]],
  ['Settled', [7, 120, '25%', 0]],
  ['RollingBack', [7, 120, 2, 3]],
  ['RollingBackAll', [0, 120, '100%', 0]],
] as const)('%s: how long a pod must be ready, by when, how many more, how many fewer', (phase, pace) => {
  const record: RolloutRecord = { ...settled, phase, candidatePods: 3 };
  const made = deployment(app, record, release('aaa')) as unknown as { spec: Spec };
  const { minReadySeconds, progressDeadlineSeconds, strategy } = made.spec;
  const { maxSurge, maxUnavailable } = strategy.rollingUpdate;
  expect([minReadySeconds, progressDeadlineSeconds, maxSurge, maxUnavailable]).toEqual(pace);
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
