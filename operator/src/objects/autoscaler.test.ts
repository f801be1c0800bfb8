import { expect, test } from '@jest/globals';
import { PHASES } from '../api/rollout.ts';
import { autoscaler } from './autoscaler.ts';
import { dashboard, dashboardMeta } from './testing.ts';

const scaled = dashboard({ autoscaling: { minReplicas: 3, maxReplicas: 9, targetCPUUtilizationPercentage: 60 } });

test('the whole HorizontalPodAutoscaler', () => {
  expect(autoscaler(scaled, 'Settled')).toStrictEqual({
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: dashboardMeta('dashboard'),
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'dashboard' },
      minReplicas: 3,
      maxReplicas: 9,
      metrics: [
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 60 } } },
      ],
      behavior: { scaleDown: { stabilizationWindowSeconds: 300, selectPolicy: 'Max' } },
    },
  });
});

test('pods are taken away in every phase but those that replace them', () => {
  const keeping = PHASES.filter(phase =>
    JSON.stringify(autoscaler(scaled, phase)).includes('"selectPolicy":"Disabled"'),
  );
  expect(keeping).toEqual(['Promoting', 'RollingBackAll']);
});

test('none without autoscaling', () => {
  expect(autoscaler(dashboard(), 'Settled')).toBeUndefined();
});
