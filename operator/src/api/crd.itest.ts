// The definitions against a real API server: what it accepts, fills in, refuses, and with which words.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../../../services/common/testing/processes.ts';
import { type ApiServer, startApiServer } from '../../../test-e2e/cluster/apiserver.ts';
import { crdName, resourceSchema } from './crd.ts';
import { API_VERSION, GROUP, VERSION } from './group.ts';
import { KINDS, type KindDefinition } from './kinds.ts';
import { parseResource } from './resource.ts';
import type { StructuralSchema } from './structural.ts';

const BUILD_MS = 15 * 60_000; // the first time the API server itself is built
const CRDS = new URL('../../../crds', import.meta.url).pathname;
let api: ApiServer;

beforeAll(async () => {
  api = await startApiServer();
  await api.installCrds(CRDS);
}, BUILD_MS);
afterAll(() => api?.stop());

interface Stored {
  spec: Record<string, unknown>;
  status?: unknown;
}

const path = ({ plural }: KindDefinition) => `/apis/${GROUP}/${VERSION}/namespaces/default/${plural}`;
const resource = ({ kind }: KindDefinition, name: string, spec: unknown) => ({
  apiVersion: API_VERSION,
  kind,
  metadata: { name },
  spec,
});

const create = (definition: KindDefinition, name: string, spec: unknown, query = '') =>
  api.request('POST', `${path(definition)}${query}`, resource(definition, name, spec)) as Promise<Stored>;
const read = (definition: KindDefinition, name: string) =>
  api.request('GET', `${path(definition)}/${name}`) as Promise<Stored>;

/** The words with which the API server refuses it; nothing is stored. */
const refusal = (definition: KindDefinition, name: string, spec: unknown): Promise<string> =>
  create(definition, name, spec, '?dryRun=All&fieldValidation=Strict').then(
    () => 'accepted',
    (error: Error) => (JSON.parse(error.message.slice(error.message.indexOf('{'))) as { message: string }).message,
  );

/** Fields with rules, as often as they have one. */
function ruledFields(schema: StructuralSchema, path = ''): string[] {
  const own = (schema['x-kubernetes-validations'] ?? []).map(rule => path + (rule.fieldPath ?? ''));
  const below = Object.entries(schema.properties ?? {}).flatMap(([name, child]) =>
    ruledFields(child, path === '' ? name : `${path}.${name}`),
  );
  return [...own, ...below, ...(schema.items ? ruledFields(schema.items, path) : [])];
}

const everything = {
  image: 'localhost:5000/team/app@sha256:'.concat('a'.repeat(64)),
  imagePullSecrets: [{ name: 'pull' }],
  autoscaling: { maxReplicas: 9 },
  database: { urlSecretRef: { name: 'db', key: 'url' } },
  extraEnv: [
    { name: 'PLAIN', value: '' },
    { name: 'SECRET', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
    { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
  ],
  envFrom: [{ prefix: 'X_', configMapRef: { name: 'c' } }],
  migrations: { command: ['alembic', 'upgrade', 'head'] },
  rollout: { retryToken: '2', smokeTests: [{ path: '/x?y=1', headers: { accept: 'text/html' } }], analysis: {} },
  probes: { liveness: { periodSeconds: 3 }, readiness: {} },
  resources: { requests: { cpu: 1, memory: '64Mi' } },
  podTemplate: {
    labels: { team: 'shop' },
    nodeSelector: { disk: 'ssd' },
    tolerations: [{ key: 'a', operator: 'Exists' }],
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } },
  },
  service: { type: 'NodePort' },
  monitoring: { labels: { release: 'prometheus' } },
  disruption: { maxUnavailable: '25%' },
  topologySpread: 'Disabled',
  paused: true,
};

describe.each(KINDS)('$kind', definition => {
  test('is served and structural', async () => {
    const crd = await api.request(
      'GET',
      `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crdName(definition)}`,
    );
    const { conditions } = (crd as { status: { conditions: { type: string; status: string }[] } }).status;
    expect(conditions.map(({ type, status }) => [type, status])).toEqual(
      expect.arrayContaining([
        ['Established', 'True'],
        ['NamesAccepted', 'True'],
      ]),
    );
    expect(conditions.filter(({ type, status }) => type === 'NonStructuralSchema' && status === 'True')).toEqual([]);
  });

  test('the API server fills in the same defaults as zod, whatever is left out', async () => {
    await create(definition, 'smallest', definition.smallestSpec);
    const stored = await read(definition, 'smallest');
    expect(stored.spec).toEqual(definition.spec.parse(definition.smallestSpec));
    expect(stored.status).toEqual({ observedGeneration: -1 });
    const { spec, status } = stored;
    expect(parseResource(stored)).toMatchObject({ ok: true, resource: { spec, status } });
  });

  test('everything that may be said is kept as it was said', async () => {
    await create(definition, 'everything', everything, '?fieldValidation=Strict');
    expect((await read(definition, 'everything')).spec).toEqual(definition.spec.parse(everything));
  });

  test('kubectl explain tells what a field is for', async () => {
    const field = `${definition.shortName}.spec.rollout.analysis.maxServerErrorRatio`;
    // the API server tells of a new kind some time after it serves it
    const explained = () => api.kubectl('explain', field).catch(String);
    await until('the kind to be told of', async () => !(await explained()).includes("doesn't have a resource type"));
    expect(await explained()).toContain('Share of 5xx among the requests of a release');
  }, 30_000);

  test('kubectl scale and an autoscaler see replicas and selector', async () => {
    await create(definition, 'scaled', definition.smallestSpec);
    await api.kubectl('scale', definition.shortName, 'scaled', '--replicas=5');
    expect((await read(definition, 'scaled')).spec).toMatchObject({ replicas: 5 });
    await api.kubectl(
      ...['patch', definition.shortName, 'scaled', '--subresource=status', '--type=merge'],
      ...['-p', JSON.stringify({ status: { replicas: 4, selector: 'app=x' } })],
    );
    expect(await api.request('GET', `${path(definition)}/scaled/scale`)).toMatchObject({
      spec: { replicas: 5 },
      status: { replicas: 4, selector: 'app=x' },
    });
  });

  test('kubectl get has the columns', async () => {
    const columns = async (...args: string[]) =>
      (await api.kubectl('get', definition.shortName, ...args)).split('\n')[0]?.split(/\s+/);
    expect(await columns()).toEqual(['NAME', 'READY', 'PHASE', 'IMAGE', 'REPLICAS', 'AGE']);
    expect(await columns('-o', 'wide')).toEqual(
      expect.arrayContaining(['CANDIDATE', 'REJECTED', 'KEY-ROTATES', 'URL', 'MESSAGE']),
    );
  });

  const good = definition.smallestSpec;
  const accepted = async (spec: unknown) => expect(await refusal(definition, 'ok', spec)).toBe('accepted');

  test.each([
    'app:1',
    'registry.example:5000/team/app:1.4.0-rc.1',
    `app@sha256:${'0'.repeat(64)}`,
    `localhost/app:1@sha256:${'0'.repeat(64)}`,
  ])('image %s is accepted', async image => accepted({ ...good, image }));

  test.each(['0.05', '0.001', '0.999'])('ratio %s is accepted', async maxServerErrorRatio =>
    accepted({ ...good, rollout: { analysis: { maxServerErrorRatio } } }),
  );

  const name41 = 'a'.repeat(41);
  const env = (entry: object) => ({ extraEnv: [entry] });
  const ratio = (maxServerErrorRatio: unknown) => ({ rollout: { analysis: { maxServerErrorRatio } } });
  // field with the rule, what is wrong, a change to a good spec, the words
  const refused: [field: string, wrong: string, change: object, words: string][] = [
    [
      'spec.image',
      'latest',
      { image: 'app:latest' },
      'image "app:latest" must not be :latest, a rollback could not tell two builds apart; name a version or a digest',
    ],
    [
      'spec.image',
      'no tag',
      { image: 'registry.example:5000/app' },
      'image "registry.example:5000/app" names neither tag nor digest; add an explicit one, for example :1.4.0',
    ],
    [
      'spec.image',
      'a tag that is too long',
      { image: `app:${'a'.repeat(129)}` },
      'image is longer than a registry takes',
    ],
    [
      'spec.image',
      'a name that is too long',
      { image: `${'a/'.repeat(128)}b:1` },
      'image is longer than a registry takes',
    ],
    ['spec.image', 'not an image', { image: 'Not An Image:1' }, 'image "Not An Image:1" is not an image reference'],
    [
      'spec.autoscaling',
      'autoscaling without requested CPU',
      { autoscaling: { maxReplicas: 3 }, resources: { requests: { memory: '1Gi' } } },
      'autoscaling needs resources.requests.cpu',
    ],
    [
      'spec.autoscaling',
      'minimum over maximum',
      { autoscaling: { minReplicas: 5, maxReplicas: 3 } },
      'minReplicas must not be greater than maxReplicas; lower the one or raise the other',
    ],
    [
      'spec.extraEnv',
      'value and valueFrom',
      env({ name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }),
      'A: give exactly one of value and valueFrom',
    ],
    ['spec.extraEnv', 'neither of them', env({ name: 'A' }), 'A: give exactly one of value and valueFrom'],
    [
      'spec.extraEnv',
      'a variable of ours',
      env({ name: 'DATABASE_URL', value: 'x' }),
      'DATABASE_URL is set by the operator; use its own field (spec.database, spec.redis) or another name',
    ],
    [
      'spec.extraEnv.valueFrom',
      'an empty source',
      env({ name: 'A', valueFrom: {} }),
      'valueFrom needs exactly one of secretKeyRef, configMapKeyRef and fieldRef',
    ],
    [
      'spec.extraEnv.valueFrom',
      'two sources',
      env({ name: 'A', valueFrom: { fieldRef: { fieldPath: 'x' }, secretKeyRef: { name: 's', key: 'k' } } }),
      'valueFrom needs exactly one of',
    ],
    [
      'spec.envFrom',
      'an empty entry',
      { envFrom: [{ prefix: 'A' }] },
      'an entry of envFrom needs exactly one of secretRef and configMapRef',
    ],
    [
      'spec.rollout.analysis.minimumSeconds',
      'a minimum after the timeout',
      { rollout: { analysis: { minimumSeconds: 60, timeoutSeconds: 60 } } },
      'spec.rollout.analysis.minimumSeconds: Invalid value: "object": minimumSeconds must be less than timeoutSeconds',
    ],
    [
      'spec.rollout.smokeTests.path',
      'a relative path',
      { rollout: { smokeTests: [{ path: 'health' }] } },
      'path "health" must begin with "/"',
    ],
    [
      'spec.rollout.analysis.maxServerErrorRatio',
      'a percentage',
      ratio('5%'),
      '"5%" must be a number greater than 0 and less than 1, written as a string, for example "0.05" for 5 %',
    ],
    [
      'spec.migrations.contract.backup',
      'two sources of a backup',
      { migrations: { contract: { backup: { cronJob: 'nightly', cnpgCluster: 'db' } } } },
      'a backup needs exactly one of cronJob and cnpgCluster',
    ],
    [
      'spec.migrations.contract.backup',
      'no source of a backup',
      { migrations: { contract: { backup: { progressDeadlineSeconds: 60 } } } },
      'a backup needs exactly one of cronJob and cnpgCluster',
    ],
    ['spec.rollout.analysis.maxServerErrorRatio', 'zero', ratio('0.0'), '"0.0" must be a number greater than 0'],
    [
      'spec.rollout.analysis.maxServerErrorRatio',
      'one',
      ratio('1'),
      '"1" must be a number greater than 0 and less than 1',
    ],
    ['spec.rollout.analysis.maxServerErrorRatio', 'a number', ratio(0.05), 'must be of type string'],
    [
      'spec.rollout.analysis.latency.maxSlowRatio',
      'a percentage',
      { rollout: { analysis: { latency: { maxSlowRatio: '5%' } } } },
      '"5%" must be a number greater than 0 and less than 1',
    ],
    [
      'spec.rollout.analysis.latency.thresholdSeconds',
      'a unit',
      { rollout: { analysis: { latency: { thresholdSeconds: '500ms' } } } },
      '"500ms" must be a number of seconds above 0, written as a string, for example "0.5"',
    ],
    [
      'spec.probes.startup.path',
      'a relative path',
      { probes: { startup: { path: 'x' } } },
      'path "x" must begin with "/"',
    ],
    [
      'spec.probes.readiness.path',
      'a relative path',
      { probes: { readiness: { path: '' } } },
      'path "" must begin with "/"',
    ],
    [
      'spec.probes.liveness.path',
      'a relative path',
      { probes: { liveness: { path: 'x' } } },
      'path "x" must begin with "/"',
    ],
    [
      'spec.podTemplate.preStopSleepSeconds',
      'a sleep longer than the grace',
      { podTemplate: { terminationGracePeriodSeconds: 5 } },
      'preStopSleepSeconds must be less than terminationGracePeriodSeconds',
    ],
    [
      'spec.podTemplate.annotations',
      'a sandbox that is loosened',
      { podTemplate: { annotations: { 'container.apparmor.security.beta.kubernetes.io/app': 'unconfined' } } },
      'runtimes loosen the pods’ sandbox by them',
    ],
    ...['Content-Length', 'transfer-encoding', 'Host', 'Connection', 'Impersonate-User', 'Proxy-Authorization'].map(
      (name): [string, string, object, string] => [
        'spec.rollout.smokeTests.headers',
        `the header ${name}`,
        { rollout: { smokeTests: [{ path: '/', headers: { [name]: '1' } }] } },
        'they belong to the connection, or speak for somebody else',
      ],
    ),
    [
      'spec.rollout.smokeTests.headers',
      'a header that is none',
      { rollout: { smokeTests: [{ path: '/', headers: { 'a b': '1' } }] } },
      'headers must have names of HTTP',
    ],
    [
      'spec.rollout.smokeTests.headers',
      'another token for /metrics',
      { rollout: { smokeTests: [{ path: '/metrics', headers: { Authorization: 'Bearer x' } }] } },
      'the operator shows its own token there',
    ],
    [
      'spec.podTemplate.labels',
      'a label of ours',
      { podTemplate: { labels: { 'devshelf.dev/role': 'x' } } },
      'the operator sets these; choose other ones',
    ],
    [
      'spec.monitoring.interval',
      'an interval beyond the alerts',
      { monitoring: { interval: '2m1s' } },
      'interval must be at most 2m',
    ],
    [
      'spec.monitoring.objective.availability',
      'an objective that no alert can tell',
      { monitoring: { objective: { availability: '0.9' } } },
      'availability "0.9" must be a number from 0.95 to 0.9999',
    ],
    [
      '',
      'no canary',
      { rollout: { canaryReplicas: 0 } },
      'spec.rollout.canaryReplicas in body should be greater than or equal to 1',
    ],
    [
      '',
      'an unknown policy',
      { migrations: { policy: 'Never' } },
      'supported values: "BeforeRollout", "Manual", "Disabled"',
    ],
    ['', 'an unknown field', { replica: 3 }, 'unknown field "spec.replica"'],
    ['', 'no database', { database: undefined }, 'spec.database: Required value'],
    ['', 'a quantity that is none', { resources: { limits: { memory: 'lots' } } }, 'spec.resources.limits.memory'],
    ['', 'more than 100 percent', { disruption: { maxUnavailable: '101%' } }, 'spec.disruption.maxUnavailable'],
    [
      '',
      'a variable twice',
      {
        extraEnv: [
          { name: 'A', value: '1' },
          { name: 'A', value: '2' },
        ],
      },
      'Duplicate value: {"name":"A"}',
    ],
  ];

  refused.push([
    'spec.migrations.verifyCommand',
    'a command that asks after one that says itself what it did',
    { migrations: { verifyCommand: ['alembic', 'current', '--check-heads'] } },
    'migrate does: leave verifyCommand out, or set command',
  ]);

  const hosts = ['shop.example'];
  const parentRefs = [{ name: 'public', sectionName: 'https' }];
  const trustedProxies = ['10.244.0.0/16'];
  const exposed = (field: string, wrong: string, exposure: object, words: string): (typeof refused)[number] => [
    `spec.exposure.${field}`,
    wrong,
    { exposure },
    words,
  ];
  refused.push(
    exposed('hosts', 'no host', { type: 'Ingress' }, 'exposure needs hosts'),
    exposed('hosts', 'a wildcard', { type: 'Ingress', hosts: ['*.shop.example'] }, 'should match'),
    exposed('gateway', 'a Gateway without parents', { type: 'Gateway', hosts }, 'needs gateway.parentRefs'),
    exposed('ingress', 'an Ingress’ class for nothing', { hosts, ingress: { className: 'x' } }, 'ingress is for type'),
    exposed('tls', 'TLS for nothing', { hosts, tls: { secretName: 'x' } }, 'tls is for type Ingress or Gateway'),
    exposed(
      'gateway',
      'a certificate for a listener that is there',
      { type: 'Gateway', hosts, gateway: { parentRefs }, tls: { secretName: 'x' } },
      'without sectionName',
    ),
    exposed(
      'gateway',
      'a certificate at two Gateways',
      { type: 'Gateway', hosts, gateway: { parentRefs: [{ name: 'a' }, { name: 'b' }] }, tls: { secretName: 'x' } },
      'name one in parentRefs',
    ),
    exposed(
      'gateway.httpsPort',
      'a port for no listener',
      { type: 'Gateway', hosts, gateway: { parentRefs, httpsPort: 8443 } },
      'httpsPort is the port of listeners that tls brings',
    ),
    exposed('tls', 'TLS from nowhere', { type: 'Ingress', hosts, tls: {} }, 'tls needs issuer, secretName or both'),
    exposed(
      'forceHTTPS',
      'no proxy to be believed',
      { type: 'Ingress', hosts, tls: { secretName: 'x' }, forceHTTPS: true },
      'forceHTTPS needs trustedProxies',
    ),
    exposed(
      'gateway',
      'a redirect onto itself',
      { type: 'Gateway', hosts, trustedProxies, forceHTTPS: true, gateway: { parentRefs, httpSection: 'https' } },
      'forceHTTPS needs gateway.httpSection',
    ),
    exposed('trustedProxies', 'the whole world', { trustedProxies: ['0.0.0.0/0'] }, 'should match'),
  );

  refused.push(
    [
      'spec.exposure.from',
      'a policy that shuts the router out',
      { networkPolicy: 'Strict', exposure: { type: 'Ingress', hosts } },
      'name the namespace of its pods in exposure.from',
    ],
    [
      'spec.networkPolicy',
      'a policy about what has no namespace',
      { networkPolicy: 'Strict', service: { type: 'NodePort' } },
      'Strict needs service.type ClusterIP',
    ],
    [
      'spec.autoscaling.requestsPerSecondPerReplica',
      'requests without KEDA',
      { autoscaling: { maxReplicas: 9, requestsPerSecondPerReplica: 20 } },
      'requestsPerSecondPerReplica needs provider KEDA',
    ],
  );
  if (definition.kind === 'DevShelfDeployment')
    refused.push(
      [
        'spec.worker.autoscaling',
        'more workers than at most',
        { worker: { autoscaling: { minReplicas: 3, maxReplicas: 2, waitingJobsPerReplica: 9 } } },
        'minReplicas must not be greater than maxReplicas',
      ],
      [
        'spec.worker.autoscaling.minReplicas',
        'no worker at all',
        { worker: { autoscaling: { minReplicas: 0, maxReplicas: 2, waitingJobsPerReplica: 9 } } },
        'should be greater than or equal to 1',
      ],
    );

  test('strict and exposed is accepted', async () => {
    const exposure = { type: 'Ingress', hosts, from: ['edge'] };
    await accepted({ ...good, networkPolicy: 'Strict', exposure, monitoring: { from: ['observability'] } });
  });

  test.each([
    ['an Ingress', { type: 'Ingress', hosts, tls: { issuer: { name: 'x' } }, trustedProxies, forceHTTPS: true }],
    [
      'a Gateway',
      { type: 'Gateway', hosts, trustedProxies, forceHTTPS: true, gateway: { parentRefs, httpSection: 'http' } },
    ],
    [
      'a Gateway with listeners of our own',
      {
        type: 'Gateway',
        hosts,
        tls: { issuer: { name: 'x' } },
        trustedProxies,
        forceHTTPS: true,
        gateway: { parentRefs: [{ name: 'public', namespace: 'edge' }], httpSection: 'http', httpsPort: 8443 },
      },
    ],
  ])('exposed by %s', async (_case, exposure) => {
    await accepted({ ...good, exposure });
  });

  const authenticates = { rollout: { smokeTests: [{ path: '/', authenticate: 'ApiKey' }] } };
  if (definition.kind === 'DevShelfDeployment')
    refused.push([
      'spec.rollout.smokeTests',
      'a key that it does not have',
      authenticates,
      'authenticate must be None: DevShelf has no API key; leave it out',
    ]);
  else
    test('a smoke test that shows the API key is accepted', async () => {
      await accepted({ ...good, ...authenticates });
    });

  const keys = ['scrapeToken', definition.kind === 'DashboardDeployment' ? 'apiKey' : 'signingKey'];
  const rotates = (key: string, rotation: object) => ({ [key]: { rotation } });
  for (const key of keys) {
    refused.push(
      [
        `spec.${key}.rotation`,
        'both ways to rotate',
        rotates(key, { schedule: '0 4 1 * *', intervalSeconds: 86_400 }),
        'give either schedule or intervalSeconds, not both',
      ],
      [
        `spec.${key}.rotation`,
        'a time zone for an interval',
        rotates(key, { intervalSeconds: 86_400, timeZone: 'UTC' }),
        'timeZone belongs to schedule',
      ],
      [
        `spec.${key}.rotation.schedule`,
        'a schedule of four fields',
        rotates(key, { schedule: '0 4 1 *' }),
        'must have five cron fields',
      ],
    );
  }

  test.each([
    ['a schedule', { schedule: '0 4 1 * *', timeZone: 'Europe/Madrid' }],
    ['an interval', { intervalSeconds: 86_400 }],
    ['only when asked for', { overlapSeconds: 900 }],
  ])('rotation by %s is accepted', async (_case, rotation) => {
    for (const key of keys) await accepted({ ...good, ...rotates(key, rotation) });
  });

  test.each(refused)('%s: %s is refused, and why', async (_field, _wrong, change, words) => {
    expect(await refusal(definition, 'bad', { ...good, ...change })).toContain(words);
  });

  const refusedNames: [wrong: string, name: string, words: string][] = [
    ['too long', name41, 'metadata.name must have at most 40 characters'],
    ['a dot', 'a.b', 'metadata.name must begin with a letter and have only a-z, 0-9 and "-"'],
    ['a digit first', '1a', 'metadata.name must begin with a letter'],
  ];

  test.each(refusedNames)('a name with %s is refused, and why', async (_wrong, name, words) => {
    expect(await refusal(definition, name, good)).toContain(words);
  });

  test('no rule is left without an input that it refuses', () => {
    const ruled = ruledFields(resourceSchema(definition)).filter(field => field !== '');
    const tried = refused.map(([field]) => field);
    const untried = ruled.filter(
      field => tried.filter(other => other === field).length < ruled.filter(other => other === field).length,
    );
    expect(untried).toEqual([]);
  });
});
