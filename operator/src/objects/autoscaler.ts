import type { Phase } from '../api/rollout.ts';
import { type App, childMeta, type KubeObject } from './app.ts';
import { names } from './names.ts';

/**
 * Chooses the number of serving pods by CPU use; undefined without `spec.autoscaling`.
 *
 * While a candidate is held or promoted no pod is taken away for want of load: it could be the candidate, and with it
 * the evidence. Scaling up stays on.
 */
export function autoscaler(app: App, phase: Phase | undefined): KubeObject | undefined {
  const { autoscaling } = app.spec;
  if (!autoscaling) return undefined;
  const keep = phase === 'Candidate' || phase === 'Promoting';
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
      behavior: {
        scaleDown: {
          stabilizationWindowSeconds: autoscaling.scaleDownStabilizationSeconds,
          selectPolicy: keep ? 'Disabled' : 'Max',
        },
      },
    },
  };
}
