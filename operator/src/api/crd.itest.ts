// The definitions against a real API server: what it accepts, fills in, refuses, and with which words.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ApiServer, startApiServer } from '../../../test-e2e/cluster/apiserver.ts';
import { API_VERSION, GROUP, VERSION } from './common.ts';
import { crdName, resourceSchema } from './crd.ts';
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
    const told = await api.kubectl('explain', `${definition.shortName}.spec.rollout.analysis.maxServerErrorRatio`);
    expect(told).toContain('Share of 5xx among the requests of a release');
  });

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
      expect.arrayContaining(['CANDIDATE', 'REJECTED', 'KEY-ROTATES', 'MESSAGE']),
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
    ['spec.rollout.analysis.maxServerErrorRatio', 'zero', ratio('0.0'), '"0.0" must be a number greater than 0'],
    [
      'spec.rollout.analysis.maxServerErrorRatio',
      'one',
      ratio('1'),
      '"1" must be a number greater than 0 and less than 1',
    ],
    ['spec.rollout.analysis.maxServerErrorRatio', 'a number', ratio(0.05), 'must be of type string'],
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
      'spec.podTemplate.labels',
      'a label of ours',
      { podTemplate: { labels: { 'devshelf.dev/role': 'x' } } },
      'the operator sets these; choose other ones',
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
