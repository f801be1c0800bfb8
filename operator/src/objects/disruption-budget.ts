import { type App, childMeta, type KubeObject, servingLabels } from './app.ts';
import { names } from './names.ts';

/** Undefined when the spec disables it. */
export function disruptionBudget(app: App): KubeObject | undefined {
  const { policy, maxUnavailable } = app.spec.disruption;
  if (policy === 'Disabled') return undefined;
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: childMeta(app, names.disruptionBudget(app.metadata.name)),
    spec: {
      maxUnavailable,
      selector: { matchLabels: servingLabels(app) },
      // a pod that is not ready serves nobody: it must not stop a node from being drained
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
    },
  };
}
