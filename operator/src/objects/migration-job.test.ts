import { expect, test } from '@jest/globals';
import { migrationJob } from './migration-job.ts';
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
