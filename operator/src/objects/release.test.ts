import { expect, test } from '@jest/globals';
import { migrationIdOf, releaseHash, releaseOf, seal } from './release.ts';
import { dashboard, devshelf } from './testing.ts';

const hashOf = (spec: Record<string, unknown> = {}, contents = {}) => releaseHash(devshelf(spec), contents);

test('a release carries its templates, its image and its migration', () => {
  const wanted = releaseOf(devshelf(), {}, 'db');
  expect(wanted.hash).toMatch(/^[0-9a-f]{10}$/);
  expect(wanted.image).toBe('example/devshelf-api:2.4.1');
  expect(wanted.template.metadata.labels['devshelf.dev/release']).toBe(wanted.hash);
  expect(wanted.worker?.metadata.labels['devshelf.dev/release']).toBe(wanted.hash);
  expect(wanted.migrationId).toBe(migrationIdOf(devshelf(), 'db'));
});

// Whoever sees one of these fail is about to restart every pod of every user. A new field needs a default that means
// "as before"; a default that exists never changes.
test.each([
  ['as little as possible', dashboard(), 'c8e590e651'],
  ['a worker and a queue', devshelf(), 'fce0d45bcc'],
  [
    'every default written out',
    devshelf({
      imagePullSecrets: [],
      extraEnv: [],
      envFrom: [],
      resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '512Mi' } },
      worker: { replicas: 1, resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '512Mi' } } },
      podTemplate: { terminationGracePeriodSeconds: 45, preStopSleepSeconds: 5 },
      probes: {
        startup: { path: '/health', initialDelaySeconds: 0, periodSeconds: 1, timeoutSeconds: 2, failureThreshold: 60 },
        readiness: { path: '/ready', initialDelaySeconds: 0, periodSeconds: 2, timeoutSeconds: 2, failureThreshold: 2 },
        liveness: {
          path: '/health',
          initialDelaySeconds: 0,
          periodSeconds: 10,
          timeoutSeconds: 5,
          failureThreshold: 3,
        },
      },
      topologySpread: 'PreferZones',
    }),
    'fce0d45bcc',
  ],
  [
    'something of everything',
    devshelf({
      imagePullSecrets: [{ name: 'registry' }],
      extraEnv: [{ name: 'LOG_LEVEL', value: 'debug' }],
      envFrom: [{ secretRef: { name: 'more' } }],
      resources: { requests: { cpu: 1 } },
      worker: { resources: { requests: { memory: '1Gi' } } },
      podTemplate: { labels: { team: 'shop' }, preStopSleepSeconds: 10 },
      probes: { readiness: { path: '/health' } },
      topologySpread: 'Disabled',
    }),
    'f9105a3d2c',
  ],
])('the hash stays what it was: %s', (_case, app, hash) => {
  expect(releaseHash(app, { 'Secret/x': '1' })).toBe(hash);
});

test.each([
  ['the image', { image: 'example/devshelf-api:2.4.2' }],
  ['pull secrets', { imagePullSecrets: [{ name: 'registry' }] }],
  ['the database Secret', { database: { urlSecretRef: { name: 'other' } } }],
  ['a key of it', { database: { urlSecretRef: { name: 'devshelf-db', key: 'URL' } } }],
  ['no Redis', { redis: undefined }],
  ['a variable', { extraEnv: [{ name: 'LOG_LEVEL', value: 'debug' }] }],
  ['a source of variables', { envFrom: [{ secretRef: { name: 'more' } }] }],
  ['more CPU', { resources: { requests: { cpu: '200m', memory: '128Mi' }, limits: { memory: '512Mi' } } }],
  ['no limit', { resources: { requests: { cpu: '100m', memory: '128Mi' } } }],
  ['no request', { resources: { limits: { memory: '512Mi' } } }],
  ['nothing reserved at all', { resources: {} }],
  ['a probe', { probes: { readiness: { path: '/health' } } }],
  ['a label of the pods', { podTemplate: { labels: { team: 'shop' } } }],
  ['the worker’s memory', { worker: { resources: { limits: { memory: '1Gi' } } } }],
  ['the spread', { topologySpread: 'Disabled' }],
])('another release: %s', (_case, change) => {
  expect(hashOf(change)).not.toBe(hashOf());
});

test('all of these are releases of their own', () => {
  const resources = [
    {},
    { requests: { cpu: '100m' } },
    { requests: { cpu: '100m', memory: '128Mi' } },
    { requests: {}, limits: { memory: '512Mi' } },
    { limits: { memory: '512Mi' } },
  ];
  expect(new Set(resources.map(value => hashOf({ resources: value }))).size).toBe(resources.length);
});

test.each([
  ['replicas', { replicas: 9 }],
  ['autoscaling', { autoscaling: { maxReplicas: 9 } }],
  ['how many workers', { worker: { replicas: 9 } }],
  ['migrations', { migrations: { policy: 'Disabled', command: ['up'] } }],
  ['rollout settings', { rollout: { canaryReplicas: 3, retryToken: 'x', analysis: { policy: 'Observe' } } }],
  ['the Service', { service: { port: 81 } }],
  ['monitoring', { monitoring: { serviceMonitor: 'Disabled' } }],
  ['the network policy', { networkPolicy: 'Disabled' }],
  ['the disruption budget', { disruption: { policy: 'Disabled' } }],
  ['a pause', { paused: true }],
  ['when keys rotate', { scrapeToken: { rotation: { intervalSeconds: 86_400 } } }],
])('the same release: %s', (_case, change) => {
  expect(hashOf(change)).toBe(hashOf());
});

test('a changed Secret is another release, the order in which Secrets were read is not', () => {
  expect(hashOf({}, { a: '1', b: '2' })).toBe(hashOf({}, { b: '2', a: '1' }));
  expect(hashOf({}, { a: '1', b: '2' })).not.toBe(hashOf({}, { a: '1', b: '3' }));
});

test('without a queue there is no worker whose memory could matter', () => {
  const worker = { resources: { limits: { memory: '1Gi' } } };
  expect(hashOf({ redis: undefined, worker })).toBe(hashOf({ redis: undefined }));
});

test('both kinds with the same words are two releases', () => {
  const spec = { image: 'example/x:1', database: { urlSecretRef: { name: 'db' } }, redis: undefined };
  expect(releaseHash(devshelf(spec), {})).not.toBe(releaseHash(dashboard(spec), {}));
});

test.each([
  ['another image', { image: 'example/dashboard:1.0.1' }, 'db'],
  ['another command', { migrations: { command: ['up'] } }, 'db'],
  ['another database', {}, 'db2'],
  ['something is taken away by it', { migrations: { contract: { allow: ['a'], when: 'BeforeRollout' } } }, 'db'],
  ['its end is asked for', { migrations: { command: ['x'], verifyCommand: ['y'] } }, 'db'],
])('another migration: %s', (_case, change, database) => {
  const id = migrationIdOf(dashboard(change), database);
  expect(id).toMatch(/^[0-9a-f]{10}$/);
  expect(id).not.toBe(migrationIdOf(dashboard(), 'db'));
});

test('the same migration whatever else changes', () => {
  const app = dashboard({
    replicas: 5,
    extraEnv: [{ name: 'A', value: 'b' }],
    migrations: { backoffLimit: 3, contract: { allow: ['a'] }, downOnRollback: 'IfSafe' },
  });
  expect(migrationIdOf(app, 'db')).toBe(migrationIdOf(dashboard(), 'db'));
});

test('no migration when disabled', () => {
  const wanted = releaseOf(dashboard({ migrations: { policy: 'Disabled' } }), {}, 'db');
  expect(wanted).not.toHaveProperty('migrationId');
});

test('sealed contents tell what changed, and nothing that could be tried out', () => {
  const contents = { 'Secret/a': '1', 'ConfigMap/b': '2' };
  const sealed = seal(contents, 'seed');
  expect(sealed).toEqual(seal(contents, 'seed'));
  expect(seal({ ...contents, 'Secret/a': '3' }, 'seed')).toEqual({
    ...sealed,
    'Secret/a': expect.not.stringMatching(sealed['Secret/a'] ?? ''),
  });
  for (const [key, hash] of Object.entries(seal(contents, 'another'))) expect(hash).not.toBe(sealed[key]);
  expect(JSON.stringify(sealed)).not.toContain('"1"');
  const release = releaseOf(dashboard(), contents, 'db', sealed);
  expect(release.hash).toBe(releaseHash(dashboard(), sealed));
  expect(release.hash).not.toBe(releaseHash(dashboard(), contents));
});
