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

const ruleOf = (spec: Record<string, unknown>, askedFrom?: string) => {
  const policy = networkPolicy(dashboard({ networkPolicy: 'Strict', ...spec }), askedFrom);
  const rules = policy?.['spec'] as { ingress: object[] } | undefined;
  return rules?.ingress[0];
};
const PORTS = [{ port: 'http', protocol: 'TCP' }];
const namespace = (name: string) => ({
  namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } },
});

test('strict: its own namespace, the router’s, Prometheus’ and the operator’s, each once', () => {
  const exposure = { from: ['edge', 'monitoring'] };
  expect(ruleOf({ exposure }, 'devshelf-system')).toStrictEqual({
    ports: PORTS,
    from: [{ podSelector: {} }, namespace('devshelf-system'), namespace('edge'), namespace('monitoring')],
  });
  expect(ruleOf({ monitoring: { from: [] } }, 'ops')).toStrictEqual({
    ports: PORTS,
    from: [{ podSelector: {} }, namespace('ops')],
  });
});

test('strict where the operator asks through the API server: it is let in, as everybody is', () => {
  expect(ruleOf({})).toStrictEqual({ ports: PORTS });
});

test('none when disabled', () => {
  expect(networkPolicy(dashboard({ networkPolicy: 'Disabled' }))).toBeUndefined();
});
