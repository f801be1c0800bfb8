import { expect, test } from '@jest/globals';
import { routedHosts } from '../api/hosts.ts';
import type { RolloutRecord } from '../api/rollout.ts';
import { httpRoute, redirectRoute } from './http-route.ts';
import { ingress } from './ingress.ts';
import { releaseOf } from './release.ts';
import { dashboard, dashboardMeta, devshelf } from './testing.ts';

const HOSTS = ['shop.example', 'www.shop.example'];
const GATEWAY = {
  type: 'Gateway',
  hosts: HOSTS,
  gateway: { parentRefs: [{ name: 'public', namespace: 'edge', sectionName: 'https' }] },
};
const FORCED = {
  ...GATEWAY,
  forceHTTPS: true,
  trustedProxies: ['10.0.0.0/8'],
  gateway: { ...GATEWAY.gateway, httpSection: 'http' },
};

test('an Ingress as a whole', () => {
  const app = dashboard({
    exposure: {
      type: 'Ingress',
      hosts: HOSTS,
      tls: { issuer: { kind: 'ClusterIssuer', name: 'letsencrypt' } },
      ingress: { className: 'traefik', annotations: { note: 'x', 'cert-manager.io/cluster-issuer': 'theirs' } },
    },
  });
  const backend = { service: { name: 'dashboard', port: { name: 'http' } } };
  const http = { paths: [{ path: '/', pathType: 'Prefix', backend }] };
  expect(ingress(app, HOSTS)).toEqual({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: {
      ...dashboardMeta('dashboard'),
      annotations: { note: 'x', 'cert-manager.io/cluster-issuer': 'letsencrypt' },
    },
    spec: {
      ingressClassName: 'traefik',
      rules: HOSTS.map(host => ({ host, http })),
      tls: [{ hosts: HOSTS, secretName: 'dashboard-tls' }],
    },
  });
});

test('an HTTPRoute as a whole', () => {
  expect(httpRoute(dashboard({ exposure: GATEWAY }), HOSTS)).toEqual({
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: dashboardMeta('dashboard'),
    spec: {
      parentRefs: [
        {
          group: 'gateway.networking.k8s.io',
          kind: 'Gateway',
          name: 'public',
          namespace: 'edge',
          sectionName: 'https',
        },
      ],
      hostnames: HOSTS,
      rules: [
        {
          matches: [{ path: { type: 'PathPrefix', value: '/' } }],
          backendRefs: [{ group: '', kind: 'Service', name: 'dashboard', port: 80, weight: 1 }],
        },
      ],
    },
  });
});

test('plain HTTP is redirected by the router, once for each Gateway', () => {
  const app = dashboard({ exposure: FORCED });
  expect(redirectRoute(dashboard({ exposure: GATEWAY }), HOSTS)).toBeUndefined();
  expect(redirectRoute(app, HOSTS)).toMatchObject({
    metadata: { name: 'dashboard-redirect' },
    spec: {
      parentRefs: [{ name: 'public', namespace: 'edge', sectionName: 'http' }],
      rules: [{ filters: [{ type: 'RequestRedirect', requestRedirect: { scheme: 'https', statusCode: 301 } }] }],
    },
  });
});

test('no host, no door: it would take everybody’s requests', () => {
  expect(ingress(dashboard({ exposure: { type: 'Ingress', hosts: HOSTS } }), [])).toBeUndefined();
  expect(httpRoute(dashboard({ exposure: GATEWAY }), [])).toBeUndefined();
  expect(redirectRoute(dashboard({ exposure: FORCED }), [])).toBeUndefined();
});

const record: RolloutRecord = { phase: 'Settled', release: 'old', stable: 'old', since: '2026-01-01T00:00:00Z' };
const candidate: RolloutRecord = { ...record, phase: 'Candidate', release: 'new' };
const promoting: RolloutRecord = { ...candidate, phase: 'Promoting' };

test.each<[string, RolloutRecord | undefined, string[] | undefined, string[] | undefined, string[]]>([
  ['nothing is installed', undefined, HOSTS, HOSTS, []],
  ['the release knows none', record, undefined, HOSTS, []],
  ['the release knows both', record, HOSTS, undefined, HOSTS],
  ['one is added, and waits', record, ['shop.example'], HOSTS, ['shop.example']],
  ['one is added, and its release is on trial', candidate, ['shop.example'], HOSTS, ['shop.example']],
  ['pods that do not know it are being replaced', promoting, ['shop.example'], HOSTS, ['shop.example']],
  ['the release that knows it serves alone', { ...promoting, phase: 'Baking' }, ['shop.example'], HOSTS, HOSTS],
  ['the candidate knows one only', candidate, HOSTS, ['shop.example'], ['shop.example']],
  ['one is gone from the spec', record, ['old.example', ...HOSTS], undefined, HOSTS],
  ['all are replaced, which is refused', record, ['old.example'], HOSTS, ['old.example']],
  [
    'all are replaced in the middle of a promotion',
    promoting,
    ['old.example'],
    ['old.example', 'b.example'],
    ['old.example'],
  ],
  ['all are replaced, and a pod that serves knows none', promoting, undefined, ['old.example'], []],
])('routed hosts: %s', (_case, at, old, fresh, expected) => {
  const app = dashboard({ exposure: { type: 'Ingress', hosts: HOSTS } });
  const releases = (hash: string) => {
    const hosts = hash === 'old' ? old : fresh;
    const { hosts: _own, ...release } = releaseOf(app, {}, 'db');
    return { ...release, hash, ...(hosts && { hosts }) };
  };
  expect(routedHosts(app, at, releases)).toEqual(expected);
});

test('who wants no door has no host routed, whatever the pods know', () => {
  const releases = () => releaseOf(dashboard({ exposure: { type: 'Ingress', hosts: HOSTS } }), {}, 'db');
  expect(routedHosts(dashboard(), record, releases)).toEqual([]);
});

type Container = { env: { name: string; value?: string }[] };
const told = (app: Parameters<typeof releaseOf>[0], which: 'template' | 'worker' = 'template') => {
  const containers = (releaseOf(app, {}, 'db')[which]?.spec['containers'] ?? []) as Container[];
  const names = /^(PUBLIC_HOSTS|TRUST_PROXY|ENABLE_HSTS|DASHBOARD_)/;
  const variables = containers.flatMap(({ env }) => env).filter(({ name }) => names.test(name));
  return Object.fromEntries(variables.map(({ name, value }) => [name, value]));
};

test('what the pods are told', () => {
  const exposure = { ...FORCED, hsts: true };
  const inside = 'dashboard,dashboard.shop,dashboard.shop.svc,dashboard.shop.svc.cluster.local';
  expect(told(dashboard({ exposure }))).toEqual({
    PUBLIC_HOSTS: 'shop.example,www.shop.example',
    TRUST_PROXY: '10.0.0.0/8',
    DASHBOARD_ALLOWED_HOSTS: `shop.example,www.shop.example,${inside}`,
    DASHBOARD_FORCE_HTTPS: 'true',
    DASHBOARD_ENABLE_HSTS: 'true',
  });
  expect(told(devshelf({ exposure }))).toEqual({
    PUBLIC_HOSTS: 'shop.example,www.shop.example',
    TRUST_PROXY: '10.0.0.0/8',
    ENABLE_HSTS: 'true',
  });
  expect(told(devshelf({ exposure }), 'worker')).toEqual({});
  expect(told(dashboard())).toEqual({});
  const extraEnv = [{ name: 'DASHBOARD_ALLOWED_HOSTS', value: 'mine.example' }];
  expect(told(dashboard({ exposure, extraEnv }))).toMatchObject({ DASHBOARD_ALLOWED_HOSTS: 'mine.example' });
});

test.each<[string, object, boolean]>([
  ['another host', { ...GATEWAY, hosts: ['shop.example'] }, true],
  ['another proxy', { ...GATEWAY, trustedProxies: ['10.0.0.1'] }, true],
  ['another Gateway', { ...GATEWAY, gateway: { parentRefs: [{ name: 'other' }] } }, false],
  ['an Ingress instead', { type: 'Ingress', hosts: HOSTS }, false],
  ['nothing exposed', { hosts: HOSTS }, true],
])('%s: a release of its own: %s', (_case, exposure, isAnother) => {
  const hashOf = (of: object) => releaseOf(dashboard({ exposure: of }), {}, 'db').hash;
  expect(hashOf(exposure) !== hashOf(GATEWAY)).toBe(isAnother);
  expect(hashOf({ hosts: HOSTS })).toBe(releaseOf(dashboard(), {}, 'db').hash);
});
