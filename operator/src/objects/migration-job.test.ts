import { expect, test } from '@jest/globals';
import { migrationJob, schemaJob } from './migration-job.ts';
import { releaseOf } from './release.ts';
import { dashboard, dashboardMeta, devshelf } from './testing.ts';

const migration = { migrationId: '0123456789', databaseIdentity: 'abcdefabcd' };

test('the whole Job', () => {
  const app = dashboard();
  const wanted = releaseOf(app, {}, 'db');
  const labels = {
    'app.kubernetes.io/component': 'migration',
    'devshelf.dev/release': wanted.hash,
    'devshelf.dev/migration': '0123456789',
    'devshelf.dev/database': 'abcdefabcd',
  };
  const meta = dashboardMeta('dashboard-migrate-0123456789', labels);
  expect(migrationJob(app, wanted, migration)).toStrictEqual({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: meta,
    spec: {
      backoffLimit: 0,
      activeDeadlineSeconds: 900,
      ttlSecondsAfterFinished: 86_400,
      podReplacementPolicy: 'Failed',
      podFailurePolicy: {
        rules: [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }],
      },
      template: {
        metadata: { labels: meta.labels },
        spec: {
          restartPolicy: 'Never',
          serviceAccountName: 'dashboard',
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
          terminationGracePeriodSeconds: 45,
          volumes: [{ name: 'tmp', emptyDir: {} }],
          containers: [
            {
              name: 'app',
              image: 'example/dashboard:1.0.0',
              args: ['migrate', 'up'],
              env: [
                { name: 'NODE_ENV', value: 'production' },
                { name: 'PORT', value: '8080' },
                {
                  name: 'DATABASE_URL',
                  valueFrom: { secretKeyRef: { name: 'dashboard-db', key: 'DATABASE_URL' } },
                },
                { name: 'MIGRATE_CONTRACT', value: 'withhold' },
              ],
              resources: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '256Mi' } },
              securityContext: {
                allowPrivilegeEscalation: false,
                capabilities: { drop: ['ALL'] },
                readOnlyRootFilesystem: true,
              },
              volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
            },
          ],
        },
      },
    },
  });
});

test('command and limits are the spec’s', () => {
  const app = devshelf({
    migrations: { command: ['alembic', 'upgrade', 'head'], backoffLimit: 2, activeDeadlineSeconds: 60 },
  });
  expect(migrationJob(app, releaseOf(app, {}, 'db'), migration)['spec']).toMatchObject({
    backoffLimit: 2,
    activeDeadlineSeconds: 60,
    template: { spec: { containers: [{ args: ['alembic', 'upgrade', 'head'] }] } },
  });
});

type Pod = { containers: Container[]; initContainers?: Container[] };
type Container = { name: string; args: string[]; env: { name: string; value?: string }[] };
const podOf = (job: { readonly [field: string]: unknown }): Pod =>
  (job['spec'] as { template: { spec: Pod } }).template.spec;
const contractIn = ({ containers: [container] }: Pod) =>
  container?.env.filter(({ name }) => name === 'MIGRATE_CONTRACT').map(({ value }) => value);
const DROPS = ['20261129_b', '20261128_a'];

test.each([
  ['nothing is agreed to', {}, ['withhold']],
  ['what is agreed to has time', { contract: { allow: DROPS } }, ['withhold']],
  ['it cannot wait', { contract: { allow: DROPS, when: 'BeforeRollout' } }, ['withhold,20261128_a,20261129_b']],
  ['a word that means all', { contract: { allow: ['all'], when: 'BeforeRollout' } }, ['withhold,all']],
  ['a command of somebody else', { command: ['alembic', 'upgrade', 'head'] }, []],
])('what may be taken away: %s', (_case, migrations, wanted) => {
  const app = dashboard({ migrations });
  expect(contractIn(podOf(migrationJob(app, releaseOf(app, {}, 'db'), migration)))).toEqual(wanted);
});

test('nobody agrees to it through the environment', () => {
  const app = dashboard({ extraEnv: [{ name: 'MIGRATE_CONTRACT', value: 'all' }] });
  expect(contractIn(podOf(migrationJob(app, releaseOf(app, {}, 'db'), migration)))).toEqual(['withhold']);
});

test('a command without a verdict runs first, then the one that asks what came of it', () => {
  const app = dashboard({
    migrations: { command: ['alembic', 'upgrade', 'head'], verifyCommand: ['alembic', 'current'] },
  });
  const { initContainers, containers } = podOf(migrationJob(app, releaseOf(app, {}, 'db'), migration));
  expect(initContainers).toMatchObject([{ name: 'migrate', args: ['alembic', 'upgrade', 'head'] }]);
  expect(containers).toMatchObject([{ name: 'app', args: ['alembic', 'current'] }]);
});

test.each([
  ['contract', ['migrate', 'up'], ['withhold,a,b']],
  ['down', ['migrate', 'down', '--only', 'a,b', '--if-lossless'], []],
  ['status', ['migrate', 'status'], ['withhold,a,b']],
] as const)('a Job that does something else: %s', (direction, args, contract) => {
  const app = dashboard();
  const make = (ids: readonly string[]) =>
    schemaJob(app, releaseOf(app, {}, 'db'), { direction, ids, text: `${direction} ${ids.join()}` }, 'db');
  const job = make(['a', 'b']);
  const pod = podOf(job);
  expect(pod.containers).toMatchObject([{ args }]);
  expect(contractIn(pod)).toEqual(contract);
  expect(job.metadata.annotations).toEqual({ 'devshelf.dev/task': `${direction} a,b` });
  // asked twice it is one Job, asked for something else it is another
  expect(make(['a', 'b']).metadata.name).toBe(job.metadata.name);
  expect(make(['a']).metadata.name).not.toBe(job.metadata.name);
});

test('two releases of one image have a Job each', () => {
  const app = dashboard();
  const release = releaseOf(app, {}, 'db');
  const nameFor = (hash: string) =>
    schemaJob(app, { ...release, hash }, { direction: 'status', ids: [], text: 'status' }, 'db').metadata.name;
  expect(nameFor('v1')).not.toBe(nameFor('v2'));
});

test('a name reaches the runner as it is, and never as the value of a variable', () => {
  const app = dashboard();
  const task = { direction: 'contract', ids: ['a$(DATABASE_URL)'], text: 'contract' } as const;
  const pod = podOf(schemaJob(app, releaseOf(app, {}, 'db'), task, 'db'));
  expect(JSON.stringify(pod)).toContain('withhold,a$$(DATABASE_URL)');
});
