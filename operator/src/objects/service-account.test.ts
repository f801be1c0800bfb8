import { expect, test } from '@jest/globals';
import { serviceAccount } from './service-account.ts';
import { dashboard, dashboardMeta } from './testing.ts';

test('an account that may do nothing, with no token mounted', () => {
  expect(serviceAccount(dashboard())).toStrictEqual({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: dashboardMeta('dashboard'),
    automountServiceAccountToken: false,
  });
});
