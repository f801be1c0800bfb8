import type { Release } from '../api/rollout.ts';
import { type App, childLabels, childMeta, type KubeObject } from './app.ts';
import { COMPONENTS, LABELS, names } from './names.ts';

/**
 * One pod of the release's own template that no Service selects: what fails here, no user ever met.
 * It restarts like a serving pod, so that a crash loop looks like one.
 */
export function rehearsalPod(app: App, release: Release): KubeObject {
  const { [LABELS.role]: _serving, ...labels } = release.template.metadata.labels;
  // alone, it has nothing to spread from
  const { topologySpreadConstraints: _spread, ...spec } = release.template.spec;
  const { annotations } = release.template.metadata;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...childMeta(app, names.rehearsal(app.metadata.name, release.hash), {
        ...labels,
        ...childLabels(app, COMPONENTS.rehearsal),
      }),
      ...(annotations && { annotations }),
    },
    spec: { ...spec, restartPolicy: 'Always' },
  };
}
