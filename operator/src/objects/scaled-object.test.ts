import { expect, test } from '@jest/globals';
import { PHASES } from '../api/rollout.ts';
import { workerDeployment } from './deployment.ts';
import { releaseOf } from './release.ts';
import { scaledObject, workerScaledObject } from './scaled-object.ts';
import { dashboard, dashboardMeta, devshelf } from './testing.ts';

const URL = 'http://prometheus-operated.monitoring:9090';
const scaled = dashboard({
  autoscaling: { provider: 'KEDA', minReplicas: 3, maxReplicas: 9, requestsPerSecondPerReplica: 20 },
});
const shelf = devshelf({ worker: { autoscaling: { maxReplicas: 8, waitingJobsPerReplica: 50 } } });
const CPU = { type: 'cpu', metricType: 'Utilization', metadata: { value: '70' } };

test('the whole ScaledObject', () => {
  expect(scaledObject(scaled, 'Settled', URL)).toStrictEqual({
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: dashboardMeta('dashboard'),
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'dashboard' },
      minReplicaCount: 3,
      maxReplicaCount: 9,
      pollingInterval: 15,
      fallback: { failureThreshold: 3, replicas: 3, behavior: 'currentReplicasIfHigher' },
      advanced: {
        horizontalPodAutoscalerConfig: {
          name: 'dashboard-keda',
          behavior: { scaleDown: { stabilizationWindowSeconds: 300, selectPolicy: 'Max' } },
        },
      },
      triggers: [
        {
          type: 'prometheus',
          name: 'requests',
          metricType: 'AverageValue',
          metadata: {
            serverAddress: URL,
            query: 'sum(rate(http_responses_total{namespace="shop",service="dashboard"}[2m]))',
            threshold: '20',
            ignoreNullValues: 'false',
          },
        },
        CPU,
      ],
    },
  });
});

test.each([
  ['nobody knows where Prometheus is', scaledObject(scaled, 'Settled', undefined)],
  [
    'nobody asks for requests',
    scaledObject(dashboard({ autoscaling: { provider: 'KEDA', maxReplicas: 9 } }), 'Settled', URL),
  ],
])('by CPU use alone, and without a fallback, which KEDA would refuse: %s', (_case, object) => {
  expect(object?.['spec']).toMatchObject({ triggers: [CPU] });
  expect(object?.['spec']).not.toHaveProperty('fallback');
});

test('pods are taken away in every phase but those that replace them', () => {
  const keeping = PHASES.filter(phase =>
    JSON.stringify(scaledObject(scaled, phase, URL)).includes('"selectPolicy":"Disabled"'),
  );
  expect(keeping).toEqual(['Promoting', 'RollingBackAll']);
});

test('the worker’s, by its queue', () => {
  expect(workerScaledObject(shelf, URL)).toMatchObject({
    metadata: { name: 'devshelf-worker' },
    spec: {
      scaleTargetRef: { name: 'devshelf-worker' },
      minReplicaCount: 1,
      maxReplicaCount: 8,
      advanced: { horizontalPodAutoscalerConfig: { name: 'devshelf-worker-keda' } },
      triggers: [
        {
          metadata: {
            query: 'max(devshelf_queue_jobs{namespace="shop",service="devshelf-worker",state="waiting"})',
            threshold: '50',
          },
        },
      ],
    },
  });
});

test.each([
  ['another one chooses', scaledObject(dashboard({ autoscaling: { maxReplicas: 9 } }), 'Settled', URL)],
  ['nobody chooses', scaledObject(dashboard(), 'Settled', URL)],
  ['the worker’s number is fixed', workerScaledObject(devshelf(), URL)],
  ['nobody knows how many jobs wait', workerScaledObject(shelf, undefined)],
  ['there is no worker', workerScaledObject(dashboard(), URL)],
])('none: %s', (_case, object) => {
  expect(object).toBeUndefined();
});

test('the number of workers is ours only while nobody else chooses it', () => {
  const specOf = (app: typeof shelf) => workerDeployment(app, releaseOf(app, {}, 'db'))?.['spec'];
  expect(specOf(devshelf())).toHaveProperty('replicas', 1);
  expect(specOf(shelf)).not.toHaveProperty('replicas');
});
