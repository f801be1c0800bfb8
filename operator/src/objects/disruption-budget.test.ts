import { expect, test } from '@jest/globals';
import { disruptionBudget } from './disruption-budget.ts';
import { dashboard, dashboardMeta, SERVING_SELECTOR } from './testing.ts';

test('the whole PodDisruptionBudget', () => {
  expect(disruptionBudget(dashboard())).toStrictEqual({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: dashboardMeta('dashboard'),
    spec: {
      maxUnavailable: 1,
      selector: { matchLabels: SERVING_SELECTOR },
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
    },
  });
});

test('a share of the pods instead of a number', () => {
  expect(disruptionBudget(dashboard({ disruption: { maxUnavailable: '25%' } }))?.['spec']).toMatchObject({
    maxUnavailable: '25%',
  });
});

test('none when disabled', () => {
  expect(disruptionBudget(dashboard({ disruption: { policy: 'Disabled' } }))).toBeUndefined();
});
