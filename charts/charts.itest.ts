// The plain manifests and the Helm chart against a real API server: the same objects, accepted, and no more rights
// than the operator needs.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { createMetrics } from '../operator/src/controller/metrics.ts';
import { RESOURCE_SERIES } from '../operator/src/controller/resource-metrics.ts';
import { readSinks } from '../operator/src/controller/sinks-file.ts';
import { type ApiServer, startApiServer } from '../test-e2e/cluster/apiserver.ts';
import { binaryPath, ensureBinaries } from '../test-e2e/cluster/binaries.ts';
import { run } from '../test-e2e/cluster/run.ts';
import { operatorGroups } from './operator-rules.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built
const CHART = join(import.meta.dirname, 'devshelf-operator');
const CRD_CHART = join(import.meta.dirname, 'devshelf-operator-crds');
const INSTALL = join(import.meta.dirname, 'install');
const NAMESPACE = 'devshelf-system';
const OPERATOR = `system:serviceaccount:${NAMESPACE}:devshelf-operator`;

interface Manifest {
  kind: string;
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  spec?: { template?: { spec: object } };
}

type ConfigMap = Manifest & { data: Record<string, string> };

let api: ApiServer;
let helmHome: string;

const helm = (...args: string[]): Promise<string> =>
  run([binaryPath('helm'), ...args], {
    env: {
      ...process.env,
      KUBECONFIG: api.adminKubeconfigPath,
      HELM_CACHE_HOME: helmHome,
      HELM_CONFIG_HOME: helmHome,
      HELM_DATA_HOME: helmHome,
    },
  });

const documents = (yaml: string): Manifest[] =>
  parseAllDocuments(yaml)
    .map(document => document.toJS() as Manifest | null)
    .filter(manifest => manifest !== null);

const rendered = async (...values: string[]) =>
  documents(
    await helm(
      'template',
      'devshelf-operator',
      CHART,
      '--namespace',
      NAMESPACE,
      '--include-crds',
      '--no-hooks',
      ...values,
    ),
  );
const definitions = async () => documents(await helm('template', 'definitions', CRD_CHART));
const built = async (folder: string) => documents(await api.kubectl('kustomize', folder));

/** By kind and name, without the marks that Helm needs for itself. */
const comparable = (manifests: Manifest[]) =>
  Object.fromEntries(
    manifests
      .filter(({ kind }) => kind !== 'Namespace') // helm install --create-namespace
      .map(manifest => [`${manifest.kind}/${manifest.metadata.name}`, withoutHelm(manifest)]),
  );

function withoutHelm({ metadata, ...rest }: Manifest) {
  const { annotations, labels, ...others } = metadata;
  const kept = Object.entries(labels ?? {}).filter(
    ([label]) => label !== 'helm.sh/chart' && label !== 'app.kubernetes.io/managed-by',
  );
  const isMarked = annotations?.['helm.sh/resource-policy'] === 'keep';
  return {
    ...rest,
    metadata: {
      ...others,
      ...(annotations && !isMarked && { annotations }),
      ...(kept.length > 0 && { labels: Object.fromEntries(kept) }),
    },
  };
}

/** A kustomization of somebody's own with the operator and one of our components. */
async function withOverlay<T>(component: string, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'devshelf-overlay-'));
  const path = (name: string): string => relative(folder, join(INSTALL, name)); // kustomize takes no absolute ones
  const overlay = { kind: 'Kustomization', resources: [path('.')], components: [path(`components/${component}`)] };
  try {
    writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify(overlay));
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

beforeAll(async () => {
  await ensureBinaries('helm');
  api = await startApiServer();
  helmHome = mkdtempSync(join(tmpdir(), 'devshelf-helm-'));
}, BUILD_MS);
afterAll(async () => {
  await api?.stop();
  rmSync(helmHome, { recursive: true, force: true });
});

test('helm finds nothing to complain about', async () => {
  expect(await helm('lint', '--strict', CHART, CRD_CHART)).toContain('2 chart(s) linted, 0 chart(s) failed');
});

test.each([
  ['the own namespace', '.', []],
  ['all namespaces', 'all-namespaces', ['--set', 'watchNamespaces={*}']],
])('chart and plain manifests are the same objects: %s', async (_case, folder, values) => {
  expect(comparable([...(await rendered(...values)), ...(await definitions())])).toEqual(
    comparable(await built(join(INSTALL, folder))),
  );
});

test('chart and plain manifests have the same alerts, and bring Prometheus to what they read', async () => {
  const manifests = await rendered('--set', 'prometheusRule.enabled=true,serviceMonitor.enabled=true');
  const monitoring = manifests.filter(({ kind }) => kind === 'PrometheusRule' || kind === 'ServiceMonitor');
  expect(monitoring).toHaveLength(2);
  expect(comparable(monitoring)).toEqual(comparable(await built(join(INSTALL, 'monitoring'))));
});

test('chart and plain manifests have the same dashboards, each a JSON of its own title', async () => {
  const manifests = await rendered('--set', 'dashboards.enabled=true');
  const isDashboard = ({ metadata }: Manifest) => metadata.name.endsWith('-grafana');
  expect(comparable(manifests.filter(isDashboard))).toEqual(comparable(await built(join(INSTALL, 'dashboards'))));
  const texts = manifests.filter(isDashboard).flatMap(manifest => Object.values((manifest as ConfigMap).data));
  const titles = texts.map(text => (JSON.parse(text) as { title: string }).title);
  expect(titles).toEqual(['DevShelf / API', 'DevShelf / Dashboard Mini Market', 'DevShelf / Operator']);
});

test('for Grafana Operator the same ConfigMaps without the sidecar’s label, and an object that names each', async () => {
  const set = [
    'enabled=true',
    'namespace=grafana',
    'folder=Shop',
    'grafanaOperator.instanceSelector.matchLabels.dashboards=grafana',
  ];
  const manifests = await rendered(...set.flatMap(value => ['--set', `dashboards.${value}`]));
  const objects = manifests.filter(({ kind }) => kind === 'GrafanaDashboard');
  expect(objects.map(({ spec }) => spec)).toEqual(
    ['devshelf-api', 'devshelf-dashboard', 'devshelf-operator'].map(name => ({
      instanceSelector: { matchLabels: { dashboards: 'grafana' } },
      allowCrossNamespaceImport: true,
      folder: 'Shop',
      configMapRef: { name: `${name}-grafana`, key: `${name}.json` },
    })),
  );
  const maps = manifests.filter(({ kind }) => kind === 'ConfigMap');
  expect(maps).toHaveLength(3);
  for (const { metadata } of maps) {
    expect(metadata).toMatchObject({ namespace: 'grafana' });
    expect(metadata.labels).not.toHaveProperty('grafana_dashboard');
  }
});

test('components: the same dashboards beside an overlay’s own, for the sidecar or for Grafana Operator', async () => {
  const isOurs = ({ kind }: Manifest) => kind === 'ConfigMap' || kind === 'GrafanaDashboard';
  const overlay = (component: string) => withOverlay(component, async folder => (await built(folder)).filter(isOurs));
  const chart = async (...set: string[]) =>
    comparable((await rendered('--set', `dashboards.${set.join(',dashboards.')}`)).filter(isOurs));

  const sidecar = await overlay('dashboards');
  expect(comparable(sidecar)).toEqual(await chart('enabled=true'));
  const selector = 'grafanaOperator.instanceSelector.matchLabels.dashboards=grafana';
  const byOperator = await overlay('grafana-operator');
  expect(comparable(byOperator)).toEqual(await chart('enabled=true', selector));
  expect([...sidecar, ...byOperator].map(({ kind }) => kind).toSorted()).toEqual([
    ...Array(6).fill('ConfigMap'),
    ...Array(3).fill('GrafanaDashboard'),
  ]);
});

test('a sidecar’s label, value and folder are what teams set', async () => {
  const manifests = await rendered(
    '--set',
    'dashboards.enabled=true,dashboards.label=board,dashboards.value=yes,dashboards.folder=Shop',
  );
  const map = manifests.find(({ kind }) => kind === 'ConfigMap');
  expect(map?.metadata.labels).toMatchObject({ board: 'yes' });
  expect(map?.metadata.annotations).toEqual({ grafana_folder: 'Shop' });
});

test('with the address of the docs every alert links to its page', async () => {
  const docs = 'https://git.example/docs';
  const manifests = await rendered('--set', 'prometheusRule.enabled=true', '--set', `docsURL=${docs}/`);
  const rule = manifests.find(({ kind }) => kind === 'PrometheusRule');
  expect(rule?.spec).toEqual(JSON.parse(JSON.stringify(operatorGroups(docs))));
});

test.each([
  ['a namespace beside "*"', 'watchNamespaces={*,shop}', '"*" means all of them'],
  ['no name of a namespace', 'watchNamespaces={Shop}', 'has "Shop", which is no namespace’s name'],
  ['a namespace twice', 'watchNamespaces={shop,shop}', 'names a namespace twice: shop, shop'],
  ['an unknown value', 'watchNamespace=shop', "'watchNamespace' not allowed"],
  ['a word for a number', 'replicas=two', 'got string, want integer'],
  ['no image', 'image.repository=', 'image.repository is empty: set the name'],
  ['a URL for an image', 'image.repository=https://r.example/operator', 'without https://'],
  ['a tag in the name', 'image.repository=r.example/operator:1', 'image.tag and image.digest'],
  ['the tag latest', 'image.tag=latest', 'nobody could tell which version runs'],
  ['a digest as a tag', 'image.tag=1.0@sha256:aa', 'a digest is set in image.digest'],
  ['half a digest', 'image.digest=sha256:0', '64 hexadecimal digits'],
  ['no quantity', 'resources.limits.memory=lots', 'write a quantity, e.g. 50m for CPU or 256Mi'],
  ['no duration', 'serviceMonitor.interval=soon', 'write a duration with its unit'],
  [
    'sinks and a Secret of them',
    'notifications.sinks[0].name=a,notifications.sinks[0].format=slack,notifications.sinks[0].url=https://a.example,notifications.existingSecret=b',
    'are both set: write the sinks into one',
  ],
  [
    'sinks of no cluster',
    'notifications.sinks[0].name=a,notifications.sinks[0].format=slack,notifications.sinks[0].url=https://a.example',
    'notifications.cluster is empty: write a name',
  ],
  [
    'a format that there is not',
    'notifications.sinks[0].name=a,notifications.sinks[0].format=teams,notifications.sinks[0].url=https://a.example',
    "must be one of 'slack', 'cloudevents', 'generic'",
  ],
  ['a label of the chart’s', 'podLabels.app\\.kubernetes\\.io/name=x', 'choose another label'],
])('%s is refused in words', async (_case, value, words) => {
  await expect(rendered('--set', value)).rejects.toThrow(words.replace('’', "'"));
});

test('what teams set is where it belongs', async () => {
  const values = {
    image: { registry: 'registry.example/team', digest: `sha256:${'0'.repeat(64)}` },
    podLabels: { team: 'shelf' },
    podAnnotations: { 'a.b/c': 'd' },
    priorityClassName: 'high',
    affinity: { nodeAffinity: {} },
    topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway' }],
    extraEnv: [{ name: 'TZ', value: 'UTC' }],
    extraArgs: ['--log-level=debug'],
    workers: 4,
    podAccess: 'proxy',
    serviceAccount: { annotations: { cloud: 'role' } },
    podDisruptionBudget: { enabled: true },
    networkPolicy: { enabled: true, metricsFrom: [{ namespaceSelector: {} }] },
    serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
    prometheusRule: { enabled: true },
  };
  const file = join(helmHome, 'values.yaml');
  writeFileSync(file, JSON.stringify(values));
  const objects = await rendered('--values', file);
  const of = (kind: string) => objects.find(object => object.kind === kind);
  const env = [
    { name: 'WORKERS', value: '4' },
    { name: 'POD_ACCESS', value: 'proxy' },
    { name: 'TZ', value: 'UTC' },
  ];
  const { priorityClassName, affinity, topologySpreadConstraints } = values;
  expect(of('Deployment')).toMatchObject({
    spec: {
      template: {
        metadata: { labels: { team: 'shelf' }, annotations: { 'a.b/c': 'd' } },
        spec: {
          ...{ priorityClassName, affinity, topologySpreadConstraints },
          containers: [
            {
              image: `registry.example/team/devshelf-operator:${await version()}@sha256:${'0'.repeat(64)}`,
              args: ['operator', '--log-level=debug'],
              env: expect.arrayContaining(env),
            },
          ],
        },
      },
    },
  });
  expect(of('ServiceAccount')?.metadata.annotations).toEqual({ cloud: 'role' });
  expect(of('PodDisruptionBudget')).toMatchObject({ spec: { maxUnavailable: 1 } });
  expect(of('NetworkPolicy')).toMatchObject({ spec: { ingress: [{ from: [{ namespaceSelector: {} }] }] } });
  expect(of('ServiceMonitor')?.metadata.labels).toMatchObject({ release: 'prometheus' });
  const known = new Set([...(await metricNames()), ...RESOURCE_SERIES.map(({ name }) => name)]);
  const asked = (JSON.stringify(of('PrometheusRule')).match(/devshelf_(?:operator|resource)_\w+/g) ?? []).map(name =>
    name.replace(/_(?:bucket|count|sum)$/, ''),
  );
  expect(asked.filter(name => !known.has(name))).toEqual([]);
});

test('sinks are a Secret that the operator can read, or one of yours is mounted', async () => {
  const written = { name: 'ops', format: 'generic', url: 'https://a.example/"x"', template: '{"text": "{{text}}"}' };
  const file = join(helmHome, 'sinks.yaml');
  writeFileSync(file, JSON.stringify({ notifications: { cluster: 'prod', sinks: [written] } }));
  const made = await rendered('--values', file);
  const secret = made.find(({ kind }) => kind === 'Secret') as Manifest & { stringData: Record<string, string> };
  expect(await readSinks(secret.stringData['sinks.yaml'] ?? '')).toMatchObject({ cluster: 'prod', sinks: [written] });
  const own = await rendered('--set', 'notifications.existingSecret=mine,notifications.caConfigMap=our-ca');
  expect(own.some(({ kind }) => kind === 'Secret')).toBe(false);
  const mounted = (objects: Manifest[]) => objects.find(({ kind }) => kind === 'Deployment')?.spec?.template?.spec;
  const env = [{ name: 'NOTIFY_CONFIG', value: '/etc/devshelf-operator/notifications/sinks.yaml' }];
  for (const [objects, secretName] of [
    [made, secret.metadata.name],
    [own, 'mine'],
  ] as const)
    expect(mounted(objects)).toMatchObject({
      containers: [
        {
          env: expect.arrayContaining(env),
          volumeMounts: expect.arrayContaining([
            { name: 'notifications', mountPath: '/etc/devshelf-operator/notifications', readOnly: true },
          ]),
        },
      ],
      volumes: expect.arrayContaining([{ name: 'notifications', secret: { secretName } }]),
    });
  expect(mounted(own)).toMatchObject({
    volumes: expect.arrayContaining([{ name: 'ca', configMap: { name: 'our-ca' } }]),
  });
});

const version = async () =>
  (JSON.parse(await readFile(join(CHART, '../../package.json'), 'utf8')) as { version: string }).version;

const metricNames = async () => {
  const { registry } = createMetrics({ watchAges: () => new Map(), isLeader: () => true, version: '0.0.0' });
  return registry.getMetricsAsArray().map(({ name }) => name);
};

/** Whether the operator's account may do this: `what` is `resource/subresource.group/name`, of that what there is. */
async function may(verb: string, what: string, namespace: string): Promise<boolean> {
  const {
    path = '',
    group = '',
    name = '',
  } = /^(?<path>[^.]+)\.?(?<group>[^/]*)\/?(?<name>.*)$/.exec(what)?.groups ?? {};
  const [resource, subresource] = path.split('/');
  const review = await api.request('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: { user: OPERATOR, resourceAttributes: { verb, group, resource, subresource, name, namespace } },
  });
  return (review as { status: { allowed: boolean } }).status.allowed;
}

describe('installed from the plain manifests', () => {
  beforeAll(async () => {
    await api.kubectl('apply', '-k', INSTALL);
    await api.kubectl('create', 'namespace', 'shop');
  }, 60_000);

  test('a second apply changes nothing', async () => {
    const lines = (await api.kubectl('apply', '-k', INSTALL)).trim().split('\n');
    expect(lines.filter(line => !line.endsWith(' unchanged'))).toEqual([]);
  });

  test('the operator’s pod passes Pod Security "restricted"', async () => {
    const deployment = (await built(INSTALL)).find(({ kind }) => kind === 'Deployment');
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'like-it' },
      spec: deployment?.spec?.template?.spec,
    };
    const pods = `/api/v1/namespaces/${NAMESPACE}/pods?dryRun=All`;
    expect(await api.request('POST', pods, pod)).toMatchObject({ kind: 'Pod' });
    const privileged = { ...pod, spec: { ...pod.spec, hostNetwork: true } };
    await expect(api.request('POST', pods, privileged)).rejects.toThrow('violates PodSecurity');
  });

  test.each([
    ['watch', 'devshelfdeployments.apps.devshelf.dev', true],
    ['patch', 'dashboarddeployments/status.apps.devshelf.dev', true],
    ['patch', 'deployments.apps', true],
    ['create', 'secrets', true],
    ['create', 'events', true],
    ['update', 'leases.coordination.k8s.io/devshelf-operator', true],
    ['update', 'leases.coordination.k8s.io/devshelf-operator-in-charge', true],
    ['update', 'leases.coordination.k8s.io', false],
    ['delete', 'leases.coordination.k8s.io/devshelf-operator-in-charge', false],
    ['delete', 'secrets', false],
    ['patch', 'devshelfdeployments.apps.devshelf.dev', false],
    ['create', 'pods/exec', false],
    ['get', 'pods/proxy', false],
    ['create', 'roles.rbac.authorization.k8s.io', false],
    ['escalate', 'roles.rbac.authorization.k8s.io', false],
    ['bind', 'clusterroles.rbac.authorization.k8s.io', false],
    ['impersonate', 'users', false],
    ['create', 'serviceaccounts/token', false],
  ])('in its own namespace: %s %s: %s', async (verb, what, allowed) => {
    expect(await may(verb, what, NAMESPACE)).toBe(allowed);
  });

  test.each(['secrets', 'pods', 'devshelfdeployments.apps.devshelf.dev'])(
    'in another namespace it may not even list %s',
    async what => expect(await may('list', what, 'shop')).toBe(false),
  );
});

describe('make deploy', () => {
  const deploy = (env: Record<string, string>) =>
    run([join(import.meta.dirname, '..', 'bin', 'deploy')], {
      env: {
        ...process.env,
        PATH: `${dirname(binaryPath('kubectl'))}${delimiter}${process.env['PATH']}`,
        KUBECONFIG: api.adminKubeconfigPath,
        TIMEOUT: '1s', // nothing starts pods here
        ...env,
      },
    });
  const bindings = () => api.kubectl('get', 'clusterrolebindings', '-o', 'name');

  test.each([
    ['no image', {}, 'IMAGE is not set'],
    ['half an image', { IMAGE: 'registry.example/operator:' }, 'is no image'],
    ['a word that is neither 1 nor 0', { IMAGE: 'a:1', ALL_NAMESPACES: 'maybe' }, 'neither 1 nor 0'],
  ])('%s: it says what to set and writes nothing', async (_case, env, words) => {
    await expect(deploy(env as Record<string, string>)).rejects.toThrow(words);
  });

  test('the own namespace by default, with the image that was named', async () => {
    await expect(deploy({ IMAGE: 'registry.example/operator:7' })).rejects.toThrow('The operator does not start');
    const deployment = await api.kubectl('get', 'deployment', '-n', NAMESPACE, 'devshelf-operator', '-o', 'yaml');
    expect(deployment).toContain('image: registry.example/operator:7');
    expect(await bindings()).not.toContain('devshelf-operator');
  });
});

test('Prometheus Operator’s definitions take what the folder for it has, a second time without a change', async () => {
  const definitions = join(import.meta.dirname, '../test-e2e/crds/prometheus-operator');
  await api.installCrds(definitions);
  await api.kubectl('apply', '-k', join(INSTALL, 'monitoring'));
  const lines = (await api.kubectl('apply', '-k', join(INSTALL, 'monitoring'))).trim().split('\n');
  await api.kubectl('delete', '-f', definitions);
  expect(lines.filter(line => !line.endsWith(' unchanged'))).toEqual([]);
  expect(lines).toHaveLength(2);
}, 60_000);

test('with all-namespaces it sees the other one, and still runs nothing in pods', async () => {
  await api.kubectl('apply', '-k', join(INSTALL, 'all-namespaces'));
  expect(await may('list', 'secrets', 'shop')).toBe(true);
  expect(await may('create', 'pods/exec', 'shop')).toBe(false);
  await api.kubectl('delete', '--wait=false', '-k', join(INSTALL, 'all-namespaces'));
}, 60_000);

describe('by Helm', () => {
  const IMAGE = ['--set', 'image.registry=registry.example'];
  const install = (name: string, namespace: string, ...values: string[]) =>
    helm('upgrade', '--install', name, CHART, '-n', namespace, '--wait=hookOnly', ...IMAGE, ...values);
  const uninstall = (name: string, namespace: string) => helm('uninstall', name, '-n', namespace, '--wait=hookOnly');
  const definition = 'crd/devshelfdeployments.apps.devshelf.dev';
  const labelledAs = (label: string) => api.kubectl('label', '--overwrite', definition, label);

  const define = () =>
    helm('upgrade', '--install', 'definitions', CRD_CHART, '-n', 'shop', '--take-ownership', '--force-conflicts');

  beforeAll(async () => {
    await api.kubectl('wait', '--for=delete', 'crd', '--all', '--timeout=20s');
  }, 60_000);

  test.each([
    ['an image that can be pulled', [], /image\.registry is not set.*--set image\.registry=registry\.example/],
    ['the definitions', IMAGE, /is not in this cluster\. First: helm upgrade --install devshelf-operator-crds/],
  ])(
    'without %s it says what to do',
    async (_case, values, words) => {
      await expect(helm('install', 'bare', CHART, '-n', 'shop', ...values)).rejects.toThrow(words);
    },
    60_000,
  );

  test('it is installed, changed and removed', async () => {
    await define();
    const notes = await install('shop-operator', 'shop');
    expect(notes).toContain('watches shop, and no other namespace');
    expect(notes).toContain('helm test shop-operator -n shop');
    await install('shop-operator', 'shop', '--set', 'logLevel=debug', '--set', 'watchNamespaces={shop,default}');
    expect(await api.kubectl('get', 'rolebinding', '-n', 'default', '-o', 'name')).toContain(
      'shop-operator-devshelf-operator',
    );
    await uninstall('shop-operator', 'shop');
    expect(await api.kubectl('get', 'deployment', '-n', 'shop', '-o', 'name')).toBe('');
  }, 120_000);

  test('one operator per namespace: a second one in the same cluster is no trouble', async () => {
    await install('one', 'shop');
    await install('other', 'default');
    await uninstall('one', 'shop');
    expect(await api.kubectl('get', 'deployment', '-n', 'default', '-o', 'name')).toContain('other-devshelf-operator');
    await uninstall('other', 'default');
  }, 120_000);

  test('definitions older than the chart are said with the way to upgrade them, and that way works', async () => {
    await install('shop-operator', 'shop');
    await labelledAs('app.kubernetes.io/version=0.1.9');
    await expect(install('shop-operator', 'shop')).rejects.toThrow(/of version 0\.1\.9, older than .*--take-ownership/);
    await define();
    await install('shop-operator', 'shop', '--set', 'logLevel=debug');
    await helm('rollback', 'shop-operator', '1', '-n', 'shop', '--wait=hookOnly');
    await helm('uninstall', 'definitions', '-n', 'shop');
    // neither going back nor removing took them along
    const label = ['-o', 'jsonpath={.metadata.labels.app\\.kubernetes\\.io/version}'];
    expect(await api.kubectl('get', definition, ...label)).toBe(await version());
    await uninstall('shop-operator', 'shop');
  }, 120_000);

  test('older definitions over newer ones are refused: they would take fields away', async () => {
    await labelledAs('app.kubernetes.io/version=99.0.0');
    await expect(define()).rejects.toThrow('would take fields out of stored resources');
    await install('shop-operator', 'shop'); // an older operator works with them
    await uninstall('shop-operator', 'shop');
  }, 120_000);
});
