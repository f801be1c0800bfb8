import { expect, test } from '@jest/globals';
import { networkPolicy } from './network-policy.ts';
import { dashboard, dashboardMeta } from './testing.ts';

test('the whole NetworkPolicy: the HTTP port of every pod, and nothing else', () => {
  expect(networkPolicy(dashboard())).toStrictEqual({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: dashboardMeta('dashboard'),
    spec: {
      podSelector: {
        matchLabels: { 'app.kubernetes.io/name': 'dashboard', 'app.kubernetes.io/instance': 'dashboard' },
      },
      policyTypes: ['Ingress'],
      ingress: [{ ports: [{ port: 'http', protocol: 'TCP' }] }],
    },
  });
});

test('none when disabled', () => {
  expect(networkPolicy(dashboard({ networkPolicy: 'Disabled' }))).toBeUndefined();
});
