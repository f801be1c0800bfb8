import { describe, expect, test } from '@jest/globals';
import { servingTemplate, workerTemplate } from './pod-template.ts';
import { container, dashboard, devshelf } from './testing.ts';

test('the whole serving template', () => {
  const labels = {
    'app.kubernetes.io/name': 'devshelf',
    'app.kubernetes.io/instance': 'devshelf',
    'app.kubernetes.io/component': 'server',
    'app.kubernetes.io/managed-by': 'devshelf-operator',
    'devshelf.dev/role': 'serving',
    'devshelf.dev/release': 'aaa',
  };
  const {
    'app.kubernetes.io/component': _c,
    'app.kubernetes.io/managed-by': _m,
    'devshelf.dev/release': _r,
    ...selector
  } = labels;
  const spread = {
    maxSkew: 1,
    whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector: { matchLabels: selector },
    matchLabelKeys: ['pod-template-hash'],
  };
  expect(servingTemplate(devshelf(), 'aaa')).toStrictEqual({
    metadata: { labels },
    spec: {
      serviceAccountName: 'devshelf',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      terminationGracePeriodSeconds: 45,
      topologySpreadConstraints: [
        { ...spread, topologyKey: 'topology.kubernetes.io/zone' },
        { ...spread, topologyKey: 'kubernetes.io/hostname' },
      ],
      volumes: [
        { name: 'tmp', emptyDir: {} },
        { name: 'signing-keyring', secret: { secretName: 'devshelf-signing-keyring' } },
        { name: 'scrape-keyring', secret: { secretName: 'devshelf-scrape-keyring' } },
      ],
      containers: [
        {
          name: 'app',
          image: 'example/devshelf-api:2.4.1',
          ports: [{ name: 'http', containerPort: 8000, protocol: 'TCP' }],
          env: [
            { name: 'NODE_ENV', value: 'production' },
            { name: 'PORT', value: '8000' },
            { name: 'DATABASE_URL', valueFrom: { secretKeyRef: { name: 'devshelf-db', key: 'DATABASE_URL' } } },
            { name: 'REDIS_URL', valueFrom: { secretKeyRef: { name: 'devshelf-redis', key: 'REDIS_URL' } } },
            { name: 'SIGNING_KEYRING_DIR', value: '/var/run/devshelf/signing-keyring' },
            { name: 'SCRAPE_TOKEN_DIR', value: '/var/run/devshelf/scrape-keyring' },
          ],
          resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '512Mi' } },
          securityContext: {
            allowPrivilegeEscalation: false,
            capabilities: { drop: ['ALL'] },
            readOnlyRootFilesystem: true,
          },
          volumeMounts: [
            { name: 'tmp', mountPath: '/tmp' },
            { name: 'signing-keyring', mountPath: '/var/run/devshelf/signing-keyring', readOnly: true },
            { name: 'scrape-keyring', mountPath: '/var/run/devshelf/scrape-keyring', readOnly: true },
          ],
          startupProbe: {
            httpGet: { path: '/health', port: 'http' },
            initialDelaySeconds: 0,
            periodSeconds: 1,
            timeoutSeconds: 2,
            failureThreshold: 60,
          },
          readinessProbe: {
            httpGet: { path: '/ready', port: 'http' },
            initialDelaySeconds: 0,
            periodSeconds: 2,
            timeoutSeconds: 2,
            failureThreshold: 2,
          },
          livenessProbe: {
            httpGet: { path: '/health', port: 'http' },
            initialDelaySeconds: 0,
            periodSeconds: 10,
            timeoutSeconds: 5,
            failureThreshold: 3,
          },
          lifecycle: { preStop: { sleep: { seconds: 5 } } },
        },
      ],
    },
  });
});

test('a worker takes no requests: no role, no readiness, none of the keys that requests need', () => {
  const template = workerTemplate(devshelf(), 'aaa');
  expect(template.metadata.labels).toMatchObject({
    'app.kubernetes.io/component': 'worker',
    'devshelf.dev/release': 'aaa',
  });
  expect(template.metadata.labels).not.toHaveProperty(['devshelf.dev/role']);
  expect(container(template)).toMatchObject({ args: ['worker'], livenessProbe: { httpGet: { path: '/health' } } });
  expect(container(template)).not.toHaveProperty('readinessProbe');
  expect(JSON.stringify(template)).not.toContain('signing-keyring');
});

test('a dashboard listens on 8080 and reads the API keyring', () => {
  const made = container(servingTemplate(dashboard(), 'aaa'));
  expect(made).toMatchObject({ ports: [{ containerPort: 8080 }] });
  expect(made['env']).toContainEqual({ name: 'API_KEYRING_DIR', value: '/var/run/devshelf/api-keyring' });
  expect(made['env']).not.toContainEqual(expect.objectContaining({ name: 'REDIS_URL' }));
});

test('keyrings are mounted as directories: a subPath would never see a new key', () => {
  expect(JSON.stringify(servingTemplate(dashboard(), 'aaa'))).not.toContain('subPath');
});

test('no secret is written out: they are only referred to', () => {
  const env = container(servingTemplate(devshelf(), 'aaa'))['env'] as { name: string; value?: string }[];
  expect(env.filter(({ name }) => name.endsWith('_URL')).map(({ value }) => value)).toEqual([undefined, undefined]);
});

test('the user’s labels and annotations are there, but never in the place of ours', () => {
  const { metadata } = workerTemplate(
    devshelf({
      podTemplate: {
        labels: { team: 'shop', 'devshelf.dev/role': 'serving', 'app.kubernetes.io/instance': 'other' },
        annotations: { 'example.org/inject': 'false' },
      },
    }),
    'aaa',
  );
  expect(metadata.labels).toMatchObject({ team: 'shop', 'app.kubernetes.io/instance': 'devshelf' });
  expect(metadata.labels).not.toHaveProperty(['devshelf.dev/role']);
  expect(metadata.annotations).toEqual({ 'example.org/inject': 'false' });
});

test('labels of the custom resource are not copied', () => {
  expect(JSON.stringify(servingTemplate(devshelf(), 'aaa'))).not.toContain('argocd');
});

test('further variables come last, each name once, and only NODE_ENV may be replaced', () => {
  const extraEnv = [
    { name: 'NODE_ENV', value: 'development' },
    { name: 'SCRAPE_TOKEN_DIR', value: '/elsewhere' },
    { name: 'LOG_LEVEL', value: 'debug' },
  ];
  const env = container(servingTemplate(dashboard({ extraEnv }), 'aaa'))['env'] as { name: string; value?: string }[];
  expect(env.map(({ name, value }) => `${name}=${value ?? '…'}`)).toEqual([
    'PORT=8080',
    'DATABASE_URL=…',
    'API_KEYRING_DIR=/var/run/devshelf/api-keyring',
    'SCRAPE_TOKEN_DIR=/var/run/devshelf/scrape-keyring',
    'NODE_ENV=development',
    'LOG_LEVEL=debug',
  ]);
});

test('what the spec says about pods arrives in them', () => {
  const affinity = { nodeAffinity: {} };
  const { spec } = servingTemplate(
    dashboard({
      imagePullSecrets: [{ name: 'registry' }],
      envFrom: [{ prefix: 'X_', configMapRef: { name: 'flags' } }],
      podTemplate: {
        nodeSelector: { disk: 'ssd' },
        tolerations: [{ key: 'spot', operator: 'Exists' }],
        affinity,
        priorityClassName: 'high',
        serviceAccountName: 'mine',
        terminationGracePeriodSeconds: 90,
        preStopSleepSeconds: 12,
      },
    }),
    'aaa',
  );
  expect(spec).toMatchObject({
    imagePullSecrets: [{ name: 'registry' }],
    nodeSelector: { disk: 'ssd' },
    tolerations: [{ key: 'spot', operator: 'Exists' }],
    affinity,
    priorityClassName: 'high',
    serviceAccountName: 'mine',
    terminationGracePeriodSeconds: 90,
    containers: [
      {
        envFrom: [{ prefix: 'X_', configMapRef: { name: 'flags' } }],
        lifecycle: { preStop: { sleep: { seconds: 12 } } },
      },
    ],
  });
});

test('a sleep of zero seconds is none: older API servers refuse it', () => {
  const template = servingTemplate(dashboard({ podTemplate: { preStopSleepSeconds: 0 } }), 'aaa');
  expect(container(template)).not.toHaveProperty('lifecycle');
});

test.each([
  ['PreferZones', ['ScheduleAnyway', 'ScheduleAnyway']],
  ['RequireZones', ['DoNotSchedule', 'ScheduleAnyway']],
])('%s: zones, then nodes', (topologySpread, expected) => {
  const { spec } = servingTemplate(dashboard({ topologySpread }), 'aaa');
  const constraints = spec['topologySpreadConstraints'] as { whenUnsatisfiable: string }[];
  expect(constraints.map(({ whenUnsatisfiable }) => whenUnsatisfiable)).toEqual(expected);
});

test('Disabled: pods go where the scheduler likes', () => {
  const { spec } = servingTemplate(dashboard({ topologySpread: 'Disabled' }), 'aaa');
  expect(spec).not.toHaveProperty('topologySpreadConstraints');
});

test('an annotation that loosens the sandbox, stored before it was refused, is left out', () => {
  const annotations = {
    'container.apparmor.security.beta.kubernetes.io/app': 'unconfined',
    'seccomp.security.alpha.kubernetes.io/pod': 'unconfined',
    'io.kubernetes.cri-o.userns-mode': 'auto',
    'example.com/team': 'shop',
  };
  const app = dashboard({ podTemplate: { annotations } });
  expect(servingTemplate(app, 'aaa').metadata.annotations).toEqual({ 'example.com/team': 'shop' });
});

describe('pods that send traces say of which release they are', () => {
  const sends = { name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: 'http://otel:4318' };
  const told = (spec: Parameters<typeof devshelf>[0]) =>
    [servingTemplate(devshelf(spec), 'aaa'), workerTemplate(devshelf(spec), 'aaa')].map(template =>
      (container(template)['env'] as { name: string; value?: string }[]).filter(
        ({ name }) => name === 'OTEL_RESOURCE_ATTRIBUTES',
      ),
    );

  test('also its worker; a digest is written as the variable wants it', () => {
    const set = (value: string) => [{ name: 'OTEL_RESOURCE_ATTRIBUTES', value }];
    const value = 'service.version=2.4.1,devshelf.release=aaa';
    expect(told({ extraEnv: [sends] })).toEqual([set(value), set(value)]);
    const image = `example/devshelf-api@sha256:${'ab'.repeat(32)}`;
    const digest = `service.version=sha256%3A${'ab'.repeat(32)},devshelf.release=aaa`;
    expect(told({ image, extraEnv: [sends] })[0]).toEqual(set(digest));
  });

  test('not where they send none, and never over what the user says, or may say', () => {
    const own = { name: 'OTEL_RESOURCE_ATTRIBUTES', value: 'team=shop' };
    expect(told({})).toEqual([[], []]);
    expect(told({ extraEnv: [sends, own] })).toEqual([[own], [own]]);
    expect(told({ extraEnv: [sends], envFrom: [{ configMapRef: { name: 'env' } }] })).toEqual([[], []]);
  });
});
