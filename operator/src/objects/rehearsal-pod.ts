import type { PodTemplate, Release } from '../api/rollout.ts';
import { type App, childLabels, childMeta, type KubeObject } from './app.ts';
import { COMPONENTS, LABELS, names } from './names.ts';

/**
 * One pod of the release's own template that no Service selects: what fails here, no user ever met.
 * It restarts like a serving pod, so that a crash loop looks like one.
 */
export function rehearsalPod(app: App, release: Release): KubeObject {
  return rehearsed(app, names.rehearsal(app.metadata.name, release.hash), release.template);
}

/** The same of the release's worker; undefined for a release without one. */
export function workerRehearsalPod(app: App, release: Release): KubeObject | undefined {
  return release.worker && rehearsed(app, names.workerRehearsal(app.metadata.name, release.hash), release.worker);
}

function rehearsed(app: App, name: string, template: PodTemplate): KubeObject {
  const { [LABELS.role]: _serving, ...labels } = template.metadata.labels;
  // alone, it has nothing to spread from
  const { topologySpreadConstraints: _spread, ...spec } = template.spec;
  const { annotations } = template.metadata;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...childMeta(app, name, {
        ...labels,
        ...childLabels(app, COMPONENTS.rehearsal),
      }),
      ...(annotations && { annotations }),
    },
    spec: { ...spec, restartPolicy: 'Always' },
  };
}
