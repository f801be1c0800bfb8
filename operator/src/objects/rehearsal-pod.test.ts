import { expect, test } from '@jest/globals';
import { rehearsalPod } from './rehearsal-pod.ts';
import { releaseOf } from './release.ts';
import { container, dashboard, dashboardMeta } from './testing.ts';

const app = dashboard({ podTemplate: { annotations: { team: 'shop' } } });
const wanted = releaseOf(app, {}, 'db');
const pod = rehearsalPod(app, wanted) as unknown as { metadata: object; spec: Record<string, unknown> };

test('the release’s own pod, under labels that no Service selects', () => {
  expect(pod.metadata).toStrictEqual({
    ...dashboardMeta(`dashboard-rehearsal-${wanted.hash}`, {
      'app.kubernetes.io/component': 'rehearsal',
      'devshelf.dev/release': wanted.hash,
    }),
    annotations: { team: 'shop' },
  });
});

test('it runs what the release runs, and restarts like it', () => {
  const { topologySpreadConstraints, ...spec } = wanted.template.spec;
  expect(topologySpreadConstraints).toBeDefined();
  expect(pod.spec).toStrictEqual({ ...spec, restartPolicy: 'Always' });
  expect(container(pod)['image']).toBe('example/dashboard:1.0.0');
});
