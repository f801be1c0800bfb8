import { expect, test } from '@jest/globals';
import { service } from './service.ts';
import { dashboard, dashboardMeta, SERVING_SELECTOR } from './testing.ts';

test('the whole Service', () => {
  expect(service(dashboard())).toStrictEqual({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: dashboardMeta('dashboard', { 'app.kubernetes.io/component': 'server' }),
    spec: {
      type: 'ClusterIP',
      selector: SERVING_SELECTOR,
      sessionAffinity: 'None',
      ports: [{ name: 'http', port: 80, targetPort: 'http', protocol: 'TCP' }],
    },
  });
});

test('port and type are the spec’s', () => {
  expect(service(dashboard({ service: { port: 8443, type: 'NodePort' } }))['spec']).toMatchObject({
    type: 'NodePort',
    ports: [{ port: 8443, targetPort: 'http' }],
  });
});
