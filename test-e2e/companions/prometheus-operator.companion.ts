// prometheus-operator with the monitors and rules as the operator and its chart write them, and Debian's Prometheus with
// what it makes of them: both services, DevShelf's worker and the operator are found, read and alerted about by the
// labels that rules and dashboards count on. A real API server with real controllers; pods are processes on loopback.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { DASHBOARDS } from '../../charts/dashboards/generate.ts';
import { built } from '../../charts/dashboards/panels.ts';
import { filledIn, panelsOf } from '../../charts/dashboards/queries.ts';
import { type LittleCluster, startLittleCluster } from '../../operator/src/controller/testing/little-cluster.ts';
import { NODE } from '../../operator/src/controller/testing/little-kubelet.ts';
import { type LittleOperator, startOperator } from '../../operator/src/controller/testing/little-operator.ts';
import type { Script } from '../../operator/src/controller/testing/scripted-evidence.ts';
import { ServicePods } from '../../operator/src/controller/testing/service-pods.ts';
import { image, Shop, until } from '../../operator/src/controller/testing/shop.ts';
import { COMPONENTS, LABELS } from '../../operator/src/objects/names.ts';
import { temporaryFolder } from '../../services/common/testing/processes.ts';
import { startRedis } from '../../services/common/testing/redis.ts';
import { binaryPath, ensureBinaries } from '../cluster/binaries.ts';
import { run } from '../cluster/run.ts';
import { checkedBy, promtool, runPrometheus, type TestPrometheus } from '../integration/prometheus.ts';
import { BACK_TO_LOOPBACK, MonitoredPods, OperatorPods } from './monitored-pods.ts';
import {
  filesOf,
  installDefinitions,
  type PrometheusOperator,
  startPrometheusOperator,
} from './prometheus-operator.ts';

const MINUTE = 60_000;
const TEST_MS = 10 * MINUTE;
const CHART = join(import.meta.dirname, '../../charts/devshelf-operator');
const OPERATOR_NAMESPACE = 'devshelf-system';
const MONITORING = 'monitoring';
/** As kube-prometheus-stack selects. */
const SELECTED = { release: 'kube-prometheus-stack' };
/** The service discoveries that prometheus-operator has for Services, each with a Prometheus of its own. */
const ROLES = ['Endpoints', 'EndpointSlice'] as const;
type Role = (typeof ROLES)[number];
const nameOf = (role: Role): string => role.toLowerCase();
const KINDS = ['servicemonitors', 'podmonitors', 'prometheusrules'] as const;

interface Watched {
  readonly metadata: { readonly namespace: string; readonly name: string; readonly generation: number };
  readonly status?: { readonly bindings?: readonly Binding[] };
}

interface Binding {
  readonly name: string;
  readonly namespace: string;
  readonly conditions: readonly {
    readonly type: string;
    readonly status: string;
    readonly message?: string;
    readonly observedGeneration: number;
  }[];
}

interface Pod {
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec: { readonly restartPolicy: string };
  readonly status: { readonly podIP: string };
}

interface Target {
  readonly labels: Readonly<Record<string, string>>;
  readonly health: string;
  readonly lastError: string;
}

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
}

const ends: (() => unknown)[] = [];
const script: Script = new Map();
const prometheuses = new Map<Role, TestPrometheus>();
let cluster: LittleCluster;
let companion: PrometheusOperator;
let operator: LittleOperator;
let market: Shop;
let shelf: Shop;
let services: Readonly<Record<'market' | 'shelf' | 'worker', ServicePods>>;

const post = (path: string, body: object): Promise<unknown> => cluster.api.request('POST', path, body);
const items = async <T>(path: string): Promise<readonly T[]> =>
  ((await cluster.api.request('GET', path)) as { items: readonly T[] }).items;
const watched = (kind: (typeof KINDS)[number]) => items<Watched>(`/apis/monitoring.coreos.com/v1/${kind}`);
const called = ({ metadata: { namespace, name } }: Pick<Watched, 'metadata'>): string => `${namespace}/${name}`;

beforeAll(
  async () => {
    await ensureBinaries('helm', 'prometheus-operator', 'prometheus-config-reloader', 'prometheus', 'promtool');
    const redis = await startRedis();
    ends.push(() => redis.remove());
    services = {
      market: new ServicePods('dashboard', 81, { DASHBOARD_RATELIMIT_ENABLED: 'false' }),
      shelf: new ServicePods('devshelf', 82),
      worker: new ServicePods('worker', 83, { REDIS_URL: redis.url }),
    };
    const ours = new OperatorPods(84, () => operator.metrics());
    ends.push(() => Promise.all([...Object.values(services), ours].map(pods => pods.stopAll())));
    const pods = new MonitoredPods(({ namespace, component }) => {
      if (namespace === OPERATOR_NAMESPACE) return ours;
      if (component === COMPONENTS.worker) return services.worker;
      return namespace === 'market' ? services.market : services.shelf;
    });
    cluster = await startLittleCluster({}, pods, ['endpoints-controller', 'endpointslice-controller']);
    ends.push(() => cluster.stop());
    for (const each of Object.values(services)) each.connect(cluster.transport);
    await post('/api/v1/nodes', { metadata: { name: NODE } });
    await installDefinitions(cluster.api);

    market = new Shop(cluster, 'market');
    shelf = new Shop(cluster, 'shelf', 'shop', 'DevShelfDeployment');
    for (const shop of [market, shelf]) await shop.open();
    await shelf.addSecret('cache', { REDIS_URL: redis.url });
    operator = await startOperator({
      transport: await cluster.connect(),
      namespaces: [market.namespace, shelf.namespace],
      script,
    });
    ends.push(() => operator.stop());
    await installChart();
    companion = await startPrometheusOperator(cluster.api);
    ends.push(() => companion.stop());
    await createPrometheuses();

    const monitoring = { labels: SELECTED, interval: '2s', objective: { latencySeconds: '0.5' } };
    await market.create('1', { monitoring });
    await shelf.create('1', { monitoring, redis: { urlSecretRef: { name: 'cache', key: 'REDIS_URL' } } });
    for (const shop of [market, shelf]) await shop.settles('1', 'AsExpected', MINUTE);
  },
  90 * MINUTE, // the first time prometheus-operator is built
);

afterAll(async () => {
  clearInterval(users);
  for (const end of ends.reverse()) await end();
}, MINUTE);

/** The operator's own objects: its monitor and its rules with them, and a Deployment whose pod is played. */
async function installChart(): Promise<void> {
  await post('/api/v1/namespaces', { metadata: { name: OPERATOR_NAMESPACE } });
  const folder = temporaryFolder('devshelf-helm-');
  const homes = { HELM_CACHE_HOME: folder.path, HELM_CONFIG_HOME: folder.path, HELM_DATA_HOME: folder.path };
  const labels = `labels.release=${SELECTED.release}`;
  const values = [
    ...['serviceMonitor.enabled=true', `serviceMonitor.${labels}`, 'serviceMonitor.interval=2s'],
    ...['prometheusRule.enabled=true', `prometheusRule.${labels}`],
  ];
  const template = ['template', 'devshelf-operator', CHART, '--namespace', OPERATOR_NAMESPACE, '--no-hooks'];
  try {
    const input = await run([binaryPath('helm'), ...template, ...values.flatMap(value => ['--set', value])], {
      env: { ...process.env, ...homes },
    });
    await run([binaryPath('kubectl'), '--kubeconfig', cluster.api.adminKubeconfigPath, 'apply', '-f', '-'], { input });
  } finally {
    folder.remove();
  }
}

/** One for each way to find the pods of a Service, with the rights of prometheus-operator's own example. */
async function createPrometheuses(): Promise<void> {
  const account = { namespace: MONITORING, name: 'prometheus' };
  await post('/api/v1/namespaces', { metadata: { name: MONITORING } });
  await post(`/api/v1/namespaces/${MONITORING}/serviceaccounts`, { metadata: { name: account.name } });
  const verbs = ['get', 'list', 'watch'];
  await post('/apis/rbac.authorization.k8s.io/v1/clusterroles', {
    metadata: { name: account.name },
    rules: [
      { apiGroups: [''], resources: ['services', 'endpoints', 'pods'], verbs },
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs },
    ],
  });
  await post('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: account.name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: account.name },
    subjects: [{ kind: 'ServiceAccount', ...account }],
  });
  const folder = temporaryFolder('devshelf-prometheus-account-');
  ends.push(() => folder.remove());
  const [caFile, credentialsFile] = [join(folder.path, 'ca.pem'), join(folder.path, 'token')];
  writeFileSync(caFile, cluster.api.caPem);
  writeFileSync(credentialsFile, await cluster.api.serviceAccountToken({ ...account, seconds: 3_600 }));
  const selector = { matchLabels: SELECTED };
  for (const role of ROLES)
    await post(`/apis/monitoring.coreos.com/v1/namespaces/${MONITORING}/prometheuses`, {
      apiVersion: 'monitoring.coreos.com/v1',
      kind: 'Prometheus',
      metadata: { name: nameOf(role) },
      spec: {
        serviceAccountName: account.name,
        serviceDiscoveryRole: role,
        ...{ serviceMonitorSelector: selector, serviceMonitorNamespaceSelector: {} },
        ...{ podMonitorSelector: selector, podMonitorNamespaceSelector: {} },
        ...{ ruleSelector: selector, ruleNamespaceSelector: {} },
        apiserverConfig: { host: cluster.api.url, authorization: { credentialsFile }, tlsConfig: { caFile } },
        scrapeClasses: [BACK_TO_LOOPBACK],
      },
    });
}

/** Of a Prometheus object, once all that was selected is in them. */
async function filesFor(role: Role): Promise<Readonly<Record<string, string>>> {
  return until(
    async () => {
      const files = await filesOf(cluster.api, { namespace: MONITORING, name: nameOf(role) });
      const rules = Object.keys(files ?? {}).length - 1;
      return rules === (await watched('prometheusrules')).length && jobsOf(files ?? {}).length === 4
        ? files
        : undefined;
    },
    async () =>
      `${role}: no configuration\n${companion
        .said()
        .map(({ msg }) => msg)
        .join('\n')}`,
    MINUTE,
  );
}

/** promtool of the Prometheus that is run here. */
const checks = (files: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<string> =>
  checkedBy(binaryPath('promtool'), files, ...args);

const jobsOf = (files: Readonly<Record<string, string>>): string[] =>
  ((parse(files['prometheus.yml'] ?? '') as { scrape_configs?: { job_name: string }[] }).scrape_configs ?? [])
    .map(({ job_name }) => job_name)
    .toSorted();

/** What is to be found: all pods that serve, work or look after them. */
async function expected(): Promise<Readonly<Record<string, string>>[]> {
  const pods = (await items<Pod>('/api/v1/pods')).filter(
    ({ metadata, spec }) => spec.restartPolicy === 'Always' && metadata.deletionTimestamp === undefined,
  );
  return pods.map(labelsOf).toSorted(byPod);
}

/** As rules, dashboards and design have them; all but the address. */
function labelsOf({ metadata: { namespace, name, labels } }: Pod): Readonly<Record<string, string>> {
  if (namespace === OPERATOR_NAMESPACE) {
    const service = 'devshelf-operator';
    return { namespace, pod: name, service, job: service, endpoint: 'metrics', container: 'operator' };
  }
  const found = { namespace, pod: name, endpoint: 'http', container: 'app' };
  const release = { devshelf_dev_release: labels[LABELS.release] ?? '' };
  return labels[LABELS.component] === COMPONENTS.worker
    ? { ...found, ...release, service: 'shop-worker', job: `${namespace}/shop-worker` }
    : { ...found, ...release, service: 'shop', job: 'shop' };
}

const byPod = (one: Target['labels'], other: Target['labels']): number =>
  (one['pod'] ?? '').localeCompare(other['pod'] ?? '');

const prometheus = (role: Role = 'EndpointSlice'): TestPrometheus => {
  const found = prometheuses.get(role);
  if (!found) throw new Error(`no Prometheus for ${role}`);
  return found;
};

const query = async (expr: string): Promise<readonly Sample[]> =>
  (await prometheus().ask<{ result: readonly Sample[] }>('query', { query: expr })).result;

/** What they ask for: without a database the dashboard answers with 5xx, and DevShelf says that there is no such page. */
const ASKED = { market: '/', shelf: '/no-such-page' } as const;
const PACE_MS = 100;
let users: NodeJS.Timeout | undefined;

/** From the first time on until the end: what comes before the first reading is in no rate. */
function serveUsers(): void {
  users ??= setInterval(() => {
    for (const [namespace, path] of Object.entries(ASKED) as [keyof typeof ASKED, string][]) {
      const [uid] = cluster.kubelet.endpoints(namespace);
      if (uid !== undefined) void services[namespace].ask(uid, path, {}).catch(() => undefined);
    }
  }, PACE_MS);
}

/** Until both are alike; what they are then is compared. */
async function becomes<T>(find: () => Promise<T>, wanted: () => Promise<T>, timeoutMs = MINUTE): Promise<void> {
  let [found, expected] = [await find(), await wanted()];
  const isAlike = async (): Promise<boolean> => {
    [found, expected] = [await find(), await wanted()];
    try {
      expect(found).toEqual(expected);
      return true;
    } catch {
      return false;
    }
  };
  await until(isAlike, 'not alike', timeoutMs).catch(() => undefined);
  expect(found).toEqual(expected);
}

/** Until exactly these are found, and every one of them is read. */
async function finds(role: Role): Promise<void> {
  const found = async (): Promise<object[]> => {
    const { activeTargets } = await prometheus(role).ask<{ activeTargets: readonly Target[] }>('targets', {
      state: 'active',
    });
    return activeTargets
      .map(({ labels: { instance: _instance, ...labels }, health, lastError }) => ({ ...labels, health, lastError }))
      .toSorted(byPod);
  };
  const wanted = async (): Promise<object[]> =>
    (await expected()).map(labels => ({ ...labels, health: 'up', lastError: '' }));
  await becomes(found, wanted);
}

const words = ({ metadata, status }: Watched): string[] =>
  (status?.bindings ?? []).flatMap(({ namespace, name, conditions }) =>
    conditions
      .filter(({ observedGeneration }) => observedGeneration === metadata.generation)
      .map(({ type, status: is, message = '' }) => `${namespace}/${name}: ${type} ${is} ${message}`.trim()),
  );

/** By kind and object, what every Prometheus that selected it says about it as it is now. */
async function said(): Promise<Readonly<Record<string, readonly string[]>>> {
  const all = await Promise.all(
    KINDS.map(async kind =>
      (await watched(kind)).map(object => [`${kind}/${called(object)}`, words(object).toSorted()]),
    ),
  );
  return Object.fromEntries(all.flat());
}

test(
  'every monitor and every rule is accepted, and was never refused',
  async () => {
    const byBoth = ROLES.map(role => `${MONITORING}/${nameOf(role)}: Accepted True`).toSorted();
    const monitors = ['market/shop', 'shelf/shop', 'devshelf-system/devshelf-operator'];
    const all = {
      ...Object.fromEntries(monitors.map(name => [`servicemonitors/${name}`, byBoth])),
      ...Object.fromEntries(monitors.map(name => [`prometheusrules/${name}`, byBoth])),
      'podmonitors/shelf/shop-worker': byBoth,
    };
    await becomes(said, async () => all);
    // what it says of definitions that are not there is about others
    const complaints = companion.said().filter(({ level, msg }) => level !== 'info' && !msg.includes('not installed'));
    expect(complaints).toEqual([]);
    expect((await companion.metrics()).split('\n').filter(line => /state="rejected".* [1-9]/.test(line))).toEqual([]);
    for (const shop of [market, shelf]) await shop.says('Monitored', 'Monitored');
  },
  TEST_MS,
);

describe.each(ROLES)('found by %s', role => {
  test(
    'promtool takes the configuration and the rules',
    async () => {
      const files = await filesFor(role);
      expect(jobsOf(files)).toEqual([
        'podMonitor/shelf/shop-worker/0',
        'serviceMonitor/devshelf-system/devshelf-operator/0',
        'serviceMonitor/market/shop/0',
        'serviceMonitor/shelf/shop/0',
      ]);
      const { 'prometheus.yml': _config, ...rules } = files;
      expect(await checks(files, 'check', 'config', 'prometheus.yml')).not.toContain('FAILED');
      // Debian's, too: it knows rules as well, but no discovery in Kubernetes
      for (const check of [checks, promtool])
        expect(await check(rules, 'check', 'rules', '--lint-fatal', ...Object.keys(rules))).not.toContain('FAILED');
    },
    TEST_MS,
  );

  test(
    'every pod is found once and read, with the labels that rules and dashboards count on',
    async () => {
      serveUsers();
      const found = await runPrometheus(await filesFor(role), binaryPath('prometheus'));
      ends.push(() => found.remove());
      prometheuses.set(role, found);
      await finds(role);
    },
    TEST_MS,
  );
});

test('no series loses a label of its own to one of where it was read, but for the kind of a job', async () => {
  const labels = await prometheus().ask<readonly string[]>('labels');
  expect(labels.filter(name => name.startsWith('exported_'))).toEqual(['exported_job']);
});

type Rule = { readonly query: string; readonly health: string; readonly lastError?: string };

const rules = async (): Promise<readonly Rule[]> => {
  const { groups } = await prometheus().ask<{ groups: readonly { rules: readonly Rule[] }[] }>('rules');
  return groups.flatMap(of => of.rules);
};

test(
  'every rule is evaluated',
  async () => {
    const unwell = async () => (await rules()).filter(({ health, lastError }) => health !== 'ok' || lastError);
    await becomes(unwell, async () => [], 2 * MINUTE);
    const ofResource = 21;
    expect((await rules()).length).toBeGreaterThan(2 * ofResource);
  },
  TEST_MS,
);

/** What a rule or a panel reads: a series, and by which labels of where it was read or of which resource it tells. */
function selectorsIn(expr: string): readonly { readonly series: string; readonly by: string }[] {
  return [...expr.matchAll(/([a-zA-Z_:][\w:]*)\{([^}]*)\}/g)].map(([, series = '', matchers = '']) => {
    const found = matchers.match(/\w+(=~|!~|!=|=)"[^"]*"/g) ?? [];
    return { series, by: found.filter(matcher => PLACES.test(matcher)).join(',') };
  });
}

const PLACES = /^(namespace|service|pod|job|resource_namespace|resource|kind|devshelf_dev_release)\b/;
const DASHBOARD_OF = {
  'devshelf-api': 'shelf',
  'devshelf-dashboard': 'market',
  'devshelf-operator': 'market',
} as const;

test(
  'rules and dashboards find by their labels whatever series there is',
  async () => {
    const drawn = Object.entries(DASHBOARD_OF).flatMap(([name, namespace]) => {
      const spec = DASHBOARDS[name];
      if (!spec) throw new Error(name);
      const values = { namespace, name: 'shop', __rate_interval: '1m', __range: '5m', objective: '0.995' };
      const asked = panelsOf(built(spec)).flatMap(({ queries }) => queries.map(({ expr }) => expr));
      return [...asked, ...spec.marks.map(({ expr }) => expr)].map(expr => filledIn(expr, values));
    });
    const evaluated = (await rules()).map(rule => rule.query);
    const selectors = [...drawn, ...evaluated].flatMap(selectorsIn).filter(({ by }) => by !== '');
    const names = new Set(await prometheus().ask<readonly string[]>('label/__name__/values'));
    const asked = new Set(
      selectors.filter(({ series }) => names.has(series)).map(({ series, by }) => `${series}{${by}}`),
    );
    const lost: string[] = [];
    for (const selector of asked) if ((await query(`count(${selector})`)).length === 0) lost.push(selector);
    expect(lost).toEqual([]);
    expect(asked.size).toBeGreaterThan(50);
  },
  TEST_MS,
);

test(
  'a candidate is found beside the stable pods, and told apart by its release',
  async () => {
    const releases = () => query('count by (devshelf_dev_release) (up{namespace="market",service="shop"} == 1)');
    script.set(image('2'), { canary: 'Pending' });
    await market.release('2');
    await until(async () => (await releases()).length === 2, 'no second release', MINUTE);
    for (const role of ROLES) await finds(role);
    script.set(image('2'), { canary: 'Bad' });
    await market.annotate({ 'example.com/nudge': '1' });
    await market.settles('1', 'ReleaseRejected', MINUTE);
    for (const role of ROLES) await finds(role);
    await until(async () => (await releases()).length === 1, 'two releases', MINUTE);
  },
  TEST_MS,
);

test(
  'alerts fire by these labels, and where nothing is wrong they are silent',
  async () => {
    const firing = async (): Promise<readonly string[]> => {
      const { alerts } = await prometheus().ask<{ alerts: readonly Alert[] }>('alerts');
      return alerts
        .filter(({ state }) => state === 'firing')
        .map(({ labels }) => alertOf(labels))
        .toSorted();
    };
    const wanted = ['ReleaseTakenBack warning market/shop', 'ServiceErrorBudgetBurn critical market/shop'];
    await becomes(firing, async () => wanted, 8 * MINUTE);
    // not for want of users
    expect(await query('devshelf:http_requests:rate5m{namespace="shelf",service="shop"} > 0')).toHaveLength(1);
  },
  TEST_MS,
);

test(
  'a monitor whose token is gone is refused, the resource says so in its words, and it is mended with the token',
  async () => {
    await shelf.patch({ paused: true });
    await shelf.says('AsExpected');
    await cluster.api.request('DELETE', '/api/v1/namespaces/shelf/secrets/shop-scrape-token');
    const { status } = await shelf.says('MonitorRejected', 'Monitored', MINUTE);
    const word = status?.conditions?.find(({ type }) => type === 'Monitored')?.message;
    expect(word).toMatch(
      /^Prometheus monitoring\/\w+ does not take (ServiceMonitor shop|PodMonitor shop-worker): .*shop-scrape-token.* not found/,
    );
    await shelf.patch({ paused: false });
    await shelf.says('Monitored', 'Monitored', MINUTE);
  },
  TEST_MS,
);

test(
  'what is Disabled is read no more',
  async () => {
    await shelf.patch({ monitoring: { serviceMonitor: 'Disabled', prometheusRule: 'Disabled' } });
    const left = async () => {
      const files = (await filesOf(cluster.api, { namespace: MONITORING, name: nameOf('EndpointSlice') })) ?? {};
      return [...jobsOf(files), ...Object.keys(files)].filter(name => /\bshelf[/-]/.test(name));
    };
    await becomes(left, async () => []);
  },
  TEST_MS,
);

interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly state: string;
}

const alertOf = ({ alertname, severity, namespace, service }: Alert['labels']): string =>
  `${alertname} ${severity} ${[namespace, service].filter(Boolean).join('/')}`;
