// With the rights that an installation gives, and with fewer.
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { type FaultProxy, startFaultProxy } from '../../../test-e2e/integration/faults.ts';
import { OPTIONAL_APIS } from '../api/optional-apis.ts';
import { createTransport, type Transport } from '../kube/transport.ts';
import { type LittleCluster, startLittleCluster } from './testing/little-cluster.ts';
import { startOperator } from './testing/little-operator.ts';
import { Scene } from './testing/scene.ts';
import { Shop, until, WITH_QUEUE } from './testing/shop.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built

let cluster: LittleCluster;
let proxy: FaultProxy;

beforeAll(async () => {
  cluster = await startLittleCluster();
  proxy = await startFaultProxy(cluster.api);
}, BUILD_MS);
afterAll(async () => {
  await proxy?.stop();
  await cluster?.stop();
});

const forbid = (part: string) =>
  proxy.inject(
    ({ path }) => path.includes(part),
    { fault: 'status', status: 403, reason: 'Forbidden' },
    { times: Number.POSITIVE_INFINITY },
  );

test('a namespace without our rights keeps no other waiting, and is looked after once it has given them', async () => {
  const [granted, withheld] = ['granted', 'withheld'].map(name => new Shop(cluster, `rights-${name}`)) as [Shop, Shop];
  await Promise.all([granted.open(), withheld.open()]);
  await Promise.all([granted.create('1'), withheld.create('1')]);
  // all of it but our own kinds: acting on what is known would be acting blindly
  const refused = forbid(`apps/v1/namespaces/${withheld.namespace}/`);
  forbid('servicemonitors');
  const credentials = async () => ({ headers: { authorization: `Bearer ${cluster.api.adminToken}` }, tls: {} });
  const operator = await startOperator({
    transport: createTransport({ server: proxy.url, namespace: granted.namespace, credentials }),
    namespaces: [granted.namespace, withheld.namespace],
    script: new Map(),
  });
  try {
    await granted.settles('1');
    expect(refused()).toBeGreaterThan(0);
    expect(operator.controller.world.hasSynced).toBe(true);
    expect(proxy.seen.filter(({ method, path }) => method !== 'GET' && path.includes(withheld.namespace))).toEqual([]);
    proxy.clear();
    await withheld.settles('1', 'AsExpected', 30_000);
  } finally {
    await operator.stop();
  }
}, 90_000);

const CRDS = join(import.meta.dirname, '../../../test-e2e/crds');
const ROLE = join(import.meta.dirname, '../../../charts/install/base/cluster-role.yaml');
type Rule = { apiGroups: string[]; resources: string[]; verbs: string[] };
const [role] = parseAllDocuments(readFileSync(ROLE, 'utf8')).map(document => document.toJSON() as { rules: Rule[] });
const rules = role?.rules ?? [];
const given = rules.flatMap(({ resources, verbs }) => resources.flatMap(of => verbs.map(verb => `${verb} ${of}`)));

const VERBS: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };
const PATH = /^\/(?:api\/v1|apis\/[^/]+\/[^/]+)\/namespaces\/[^/]+\/([a-z]+)(?:\/([^/]+)(?:\/([a-z]+))?)?$/;

/** What is served at all, everybody who has an account may ask (`system:discovery`). */
const isDiscovery = (path: string): boolean => /^\/apis(\/[^/]+\/[^/]+)?$/.test(path);

function rightOf(method: string, path: string): string {
  const [, plural = path, name, subresource] = PATH.exec(path) ?? [];
  const verb = VERBS[method] ?? (method === 'WATCH' ? 'watch' : name === undefined ? 'list' : 'get');
  return `${verb} ${plural}${subresource === undefined ? '' : `/${subresource}`}`;
}

/** As the account of an installation, with the rights of its role in this namespace; what it uses is written down. */
async function asInstalled(namespace: string): Promise<{ transport: Transport; used: Set<string>; secrets: string[] }> {
  const { api } = cluster;
  const account = { kind: 'ServiceAccount', name: 'devshelf-operator', namespace };
  await api.request('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: account.name } });
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const metadata = { name: 'devshelf-operator' };
  await api.request('POST', `${rbac}/namespaces/${namespace}/roles`, { metadata, rules });
  await api.request('POST', `${rbac}/namespaces/${namespace}/rolebindings`, {
    metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: metadata.name },
    subjects: [account],
  });
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account.name}/token`;
  const { status } = (await api.request('POST', path, { spec: { expirationSeconds: 3_600 } })) as {
    status: { token: string };
  };
  const credentials = async () => ({ headers: { authorization: `Bearer ${status.token}` }, tls: {} });
  const inner = createTransport({ server: proxy.url, namespace, credentials });
  const used = new Set<string>();
  const secrets: string[] = [];
  const transport: Transport = {
    request: request => {
      if (request.method === 'GET' && request.path.includes('/secrets/')) secrets.push(basename(request.path));
      if (!isDiscovery(request.path)) used.add(rightOf(request.method, request.path));
      return inner.request(request);
    },
    text: request => inner.text(request),
    watch: (path, ...rest) => {
      used.add(rightOf('WATCH', path));
      return inner.watch(path, ...rest);
    },
    close: () => inner.close(),
  };
  return { transport, used, secrets };
}

const OPTIONAL = Object.entries(OPTIONAL_APIS);
const MONITORING = OPTIONAL.filter(([, { apiVersion }]) => apiVersion.startsWith('monitoring.'));
const isOptional = (right: string) => OPTIONAL.some(([, { plural }]) => right.endsWith(` ${plural}`));
const NOT_SERVED = Object.fromEntries(
  given.filter(isOptional).map(right => [right, 'nothing of the kind is asked for in this story']),
);

/** Rights that the story below does not need, and who does. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'update devshelfdeployments/finalizers': 'API servers with OwnerReferencesPermissionEnforcement ask for it',
  'update dashboarddeployments/finalizers': 'the same',
  'patch devshelfdeployments/status': 'the story is one of the other kind',
  'get devshelfdeployments': 'for people who look with the operator’s account',
  'get dashboarddeployments': 'the same',
  'get deployments': 'looked at where the name is taken',
  'get controllerrevisions': 'one that somebody has relabelled is asked for by its name',
  'get services': 'looked at where the name is taken',
  'get jobs': 'the same',
  'get pods': 'the same',
  'get configmaps': 'the same',
  'get serviceaccounts': 'the same',
  'get poddisruptionbudgets': 'the same',
  'get horizontalpodautoscalers': 'the same',
  'get networkpolicies': 'the same',
  ...NOT_SERVED,
  'create services': 'a server-side apply that creates asks for it beside patch',
  'create serviceaccounts': 'the same',
  'create deployments': 'the same',
  'create poddisruptionbudgets': 'the same',
  'create horizontalpodautoscalers': 'the same',
  'create networkpolicies': 'the same',
  'create configmaps': 'copies for releases: others.itest.ts',
  'delete configmaps': 'the same',
  'patch configmaps': 'adoption of orphans',
  'patch jobs': 'the same',
  'patch pods': 'a key’s rotation lets kubelets look at once: rotation.itest.ts',
  'patch secrets': 'a key’s rotation: rotation.itest.ts',
  'delete jobs': 'a second try: controller.itest.ts',
  'delete controllerrevisions': 'the eleventh release: controller.itest.ts',
  'update leases': 'another operator watches the namespace, too: succession.itest.ts',
  'list replicasets': 'a ControllerRevision that was removed by hand: others.itest.ts',
  'list backups': 'a backup by CloudNativePG, which this cluster has not: controller.itest.ts',
  'create backups': 'the same',
  'delete backups': 'the same',
  'get cronjobs': 'a backup before something is taken away: controller.itest.ts',
  'create events': 'the little operator keeps its events to itself',
  'patch events': 'the same',
};

test('install, release, rollback and every child that comes and goes: with exactly the rights of an installation', async () => {
  const scene = new Scene(cluster, 'rights-story');
  const { shop } = scene;
  await shop.open();
  const { transport, used, secrets } = await asInstalled(shop.namespace);
  const installation = `${shop.namespace}/devshelf-operator`;
  proxy.clear();
  await scene.start(transport, { installation });
  try {
    await scene.settled('1', { autoscaling: { maxReplicas: 3 } });
    // what it wrote itself it need not read
    expect(secrets).toEqual(['db']);
    await shop.release('2');
    await shop.settles('2');
    scene.find('3', { canary: 'Bad' });
    await shop.release('3');
    await shop.settles('2', 'ReleaseRejected');
    await shop.patch({ autoscaling: null, networkPolicy: 'Disabled', disruption: { policy: 'Disabled' } });
    await until(
      async () => (await shop.list('networking.k8s.io/v1/networkpolicies')).length === 0,
      'a child that is not wanted any more stays',
    );
    await scene.quiet();
    expect((await shop.app())?.status?.conditions?.find(({ type }) => type === 'ChildrenApplied')).toBeUndefined();
    await scene.stop();
    secrets.length = 0;
    await scene.start(transport, { installation });
    await shop.patch({ autoscaling: { maxReplicas: 3 } });
    await until(
      async () => (await shop.list('autoscaling/v2/horizontalpodautoscalers')).length === 1,
      'a restart over what has settled: no pass',
    );
    await scene.quiet();
    // what it knew before it need not read again
    expect(secrets).toEqual([]);
  } finally {
    await scene.stop();
  }
  // what is made for the first time is not looked for before
  expect([...used].filter(right => /^get (services|serviceaccounts|networkpolicies|pod\w+)$/.test(right))).toEqual([]);
  expect([...used].filter(right => !given.includes(right) && !isOptional(right))).toEqual([]);
  expect(given.filter(right => !used.has(right) && !Object.hasOwn(ELSEWHERE, right))).toEqual([]);
  expect(Object.keys(ELSEWHERE).filter(right => !given.includes(right))).toEqual([]);
}, 120_000);
test('what the cluster has of monitoring is used, kept, and costs a settled resource no write', async () => {
  const scene = new Scene(cluster, 'rights-monitoring', 'DevShelfDeployment');
  await scene.shop.open();
  await scene.shop.addQueue();
  await scene.start();
  try {
    await scene.settled('1', WITH_QUEUE);
    await scene.shop.says('ServiceMonitorAPIMissing', 'Monitored');
    await cluster.api.installCrds(join(CRDS, 'prometheus-operator'));
    await scene.restart();
    await scene.shop.says('Monitored', 'Monitored');
    const namesOf = async (plural: string) =>
      (await scene.shop.list(`monitoring.coreos.com/v1/${plural}`)).map(({ metadata }) => metadata.name);
    expect(await Promise.all(MONITORING.map(([, { plural }]) => namesOf(plural)))).toEqual([
      ['shop'],
      ['shop-worker'],
      ['shop'],
    ]);
    await scene.quiet();
    expect(await scene.writesIfNudged()).toEqual([]);
    const lastTransitionTime = '2026-01-01T00:00:00Z';
    const refuse = (status: string) =>
      cluster.transport.request({
        method: 'PATCH',
        path: '/apis/monitoring.coreos.com/v1/namespaces/rights-monitoring/podmonitors/shop-worker/status',
        contentType: 'application/merge-patch+json',
        query: { fieldManager: 'PrometheusOperator' },
        body: {
          status: {
            bindings: [
              {
                group: 'monitoring.coreos.com',
                resource: 'prometheuses',
                namespace: 'monitoring',
                name: 'k8s',
                conditions: [{ type: 'Accepted', status, message: 'a bad regex', lastTransitionTime }],
              },
            ],
          },
        },
      });
    await refuse('False');
    const said = await scene.shop.says('MonitorRejected', 'Monitored');
    expect(JSON.stringify(said.status)).toContain('monitoring/k8s does not take PodMonitor shop-worker: a bad regex');
    await refuse('True');
    await scene.shop.says('Monitored', 'Monitored');
    await scene.shop.patch({ monitoring: { prometheusRule: 'Disabled' } });
    await until(async () => (await namesOf('prometheusrules')).length === 0, 'the rule stays');
    expect(await namesOf('servicemonitors')).toEqual(['shop']);
    expect(await scene.operator.metrics()).toContain('devshelf_resource_info{kind="DevShelfDeployment",');
  } finally {
    await scene.stop();
  }
}, 90_000);

/** As KEDA's webhook: who is the second to choose the number of pods of a Deployment is refused. */
async function refuseASecond(shop: Shop): Promise<void> {
  const of = { metadata: { name: 'one-autoscaler' } };
  const rules = [
    {
      apiGroups: ['keda.sh'],
      apiVersions: ['v1alpha1'],
      resources: ['scaledobjects'],
      operations: ['CREATE', 'UPDATE'],
      resourceNames: [shop.name],
    },
  ];
  const path = '/apis/admissionregistration.k8s.io/v1';
  await cluster.api.request('POST', `${path}/validatingadmissionpolicies`, {
    ...of,
    spec: {
      failurePolicy: 'Fail',
      paramKind: { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler' },
      matchConstraints: { resourceRules: rules },
      validations: [
        {
          expression: 'params.spec.scaleTargetRef.name != object.spec.scaleTargetRef.name',
          message: 'the workload is already managed by the hpa',
        },
      ],
    },
  });
  await cluster.api.request('POST', `${path}/validatingadmissionpolicybindings`, {
    ...of,
    spec: {
      policyName: of.metadata.name,
      validationActions: ['Deny'],
      paramRef: { selector: {}, parameterNotFoundAction: 'Allow' },
      matchResources: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': shop.namespace } } },
    },
  });
}

test('from one autoscaler to the other and back: never two, the number of pods stays, and a kill in between changes nothing', async () => {
  const scene = new Scene(cluster, 'rights-keda', 'DevShelfDeployment');
  const { shop } = scene;
  await shop.open();
  await shop.addQueue();
  await cluster.api.installCrds(join(CRDS, 'keda'));
  const setting = { prometheusUrl: 'http://prometheus.monitoring:9090' };
  await scene.start(undefined, setting);
  const live = async (name: string) => {
    const deployments = await shop.list('apps/v1/deployments');
    return deployments.find(({ metadata }) => metadata.name === name) as unknown as { spec: { replicas: number } };
  };
  const namesOf = async (of: string) => (await shop.list(of)).map(({ metadata }) => metadata.name);
  const scaling = () =>
    Promise.all(['autoscaling/v2/horizontalpodautoscalers', 'keda.sh/v1alpha1/scaledobjects'].map(namesOf));
  const is = (hpas: string[], scaled: string[]) =>
    until(async () => isDeepStrictEqual(await scaling(), [hpas, scaled]), `not ${hpas} and ${scaled}`);
  try {
    await refuseASecond(shop);
    await scene.settled('1', {
      ...WITH_QUEUE,
      autoscaling: { maxReplicas: 9 },
      worker: { replicas: 4 },
    });
    await is(['shop'], []);
    // as the autoscaler would
    await cluster.api.request('PUT', `/apis/apps/v1/namespaces/${shop.namespace}/deployments/shop/scale`, {
      metadata: { name: 'shop', namespace: shop.namespace },
      spec: { replicas: 5 },
    });
    await shop.patch({
      autoscaling: { provider: 'KEDA', requestsPerSecondPerReplica: 20 },
      worker: { autoscaling: { maxReplicas: 8, waitingJobsPerReplica: 50 } },
    });
    await until(async () => (await scaling())[0]?.length === 0, 'the first autoscaler stays');
    await scene.stop();
    await scene.start(undefined, setting);
    await is([], ['shop', 'shop-worker']);
    await shop.says('AutoscalerNotReady', 'AutoscalingActive');
    const keda = (name: string, conditions: object[]) =>
      cluster.transport.request({
        method: 'PATCH',
        path: `/apis/keda.sh/v1alpha1/namespaces/${shop.namespace}/scaledobjects/${name}/status`,
        contentType: 'application/merge-patch+json',
        query: { fieldManager: 'keda-operator' },
        body: { status: { conditions } },
      });
    const ready = { type: 'Ready', status: 'True', reason: 'ScaledObjectReady', message: 'ready for scaling' };
    await keda('shop-worker', [ready]);
    await keda('shop', [ready, { type: 'Fallback', status: 'True' }]);
    await shop.says('AutoscalerFallback', 'AutoscalingActive');
    await keda('shop', [ready, { type: 'Fallback', status: 'False' }]);
    await shop.says('AutoscalerActive', 'AutoscalingActive');
    await scene.quiet();
    expect(await scene.writesIfNudged()).toEqual([]);
    expect([(await live('shop')).spec.replicas, (await live('shop-worker')).spec.replicas]).toEqual([5, 4]);
    await shop.patch({ autoscaling: { provider: 'HPA', requestsPerSecondPerReplica: null } });
    await is(['shop'], ['shop-worker']);
    await shop.patch({ worker: { replicas: 2, autoscaling: null } });
    await until(async () => (await live('shop-worker')).spec.replicas === 2, 'the spec does not count again');
    expect((await live('shop')).spec.replicas).toBe(5);
    expect(JSON.stringify((await shop.app())?.status)).not.toContain('ChildrenApplied');
    await shop.patch({ networkPolicy: 'Strict' });
    await shop.says('StrictNeedsDirect', 'ChildrenApplied');
    await scene.stop();
    await scene.start(undefined, { ...setting, podsAskedFrom: 'ops' });
    await shop.says('AsExpected');
    const [policy] = await shop.list('networking.k8s.io/v1/networkpolicies');
    expect(JSON.stringify(policy)).toContain('"kubernetes.io/metadata.name":"ops"');
  } finally {
    await scene.stop();
  }
}, 90_000);
