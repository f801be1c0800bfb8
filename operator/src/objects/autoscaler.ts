import type { Phase } from '../api/rollout.ts';
import { type App, childMeta, type KubeObject } from './app.ts';
import { names } from './names.ts';

/**
 * Chooses the number of serving pods by CPU use; undefined where nothing or KEDA does.
 *
 * While a release is promoted, or all pods of an earlier one come back, there are more pods than needed for a while: none
 * is taken away for want of load, it could be one of those that users are about to need. Scaling up stays on.
 */
export function autoscaler(app: App, phase: Phase | undefined): KubeObject | undefined {
  const { autoscaling } = app.spec;
  if (autoscaling?.provider !== 'HPA') return undefined;
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: childMeta(app, names.autoscaler(app.metadata.name)),
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: names.deployment(app.metadata.name) },
      minReplicas: autoscaling.minReplicas,
      maxReplicas: autoscaling.maxReplicas,
      metrics: [
        {
          type: 'Resource',
          resource: {
            name: 'cpu',
            target: { type: 'Utilization', averageUtilization: autoscaling.targetCPUUtilizationPercentage },
          },
        },
      ],
      behavior: behaviour(autoscaling.scaleDownStabilizationSeconds, phase),
    },
  };
}

/** @param stabilizationWindowSeconds how long the load must have been lower */
export const behaviour = (stabilizationWindowSeconds: number, phase: Phase | undefined) => ({
  scaleDown: { stabilizationWindowSeconds, selectPolicy: isKeeping(phase) ? 'Disabled' : 'Max' },
});

const isKeeping = (phase: Phase | undefined): boolean => phase === 'Promoting' || phase === 'RollingBackAll';
