import { expect, test } from '@jest/globals';
import { backupJob, cnpgBackup } from './backup-job.ts';
import { releaseOf } from './release.ts';
import { dashboard, dashboardMeta } from './testing.ts';

const app = dashboard();
const release = releaseOf(app, {}, 'db');
const pod = { template: { spec: { containers: [{ name: 'dump', image: 'example/dump:1' }], restartPolicy: 'Never' } } };
const cronJob = { spec: { suspend: true, jobTemplate: { metadata: { labels: { team: 'data' } }, spec: pod } } };
const task = { source: 'nightly', text: 'backup a', databaseIdentity: 'abcdefabcd' };

test('a Job from the template of the CronJob, ours by its labels', () => {
  const job = backupJob(app, release, cronJob, task);
  const name = job?.metadata.name ?? '';
  const labels = {
    team: 'data',
    'app.kubernetes.io/component': 'backup',
    'devshelf.dev/release': release.hash,
    'devshelf.dev/database': 'abcdefabcd',
  };
  expect(name).toMatch(/^dashboard-backup-[0-9a-f]{10}$/);
  expect(job).toStrictEqual({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      ...dashboardMeta(name, labels),
      annotations: { 'cronjob.kubernetes.io/instantiate': 'manual', 'devshelf.dev/task': 'backup a' },
    },
    spec: pod,
  });
});

test('for the same matter it is one Job, for another one another', () => {
  const nameOf = (change: object) => backupJob(app, release, cronJob, { ...task, ...change })?.metadata.name;
  expect(nameOf({})).toBe(nameOf({}));
  for (const change of [{ text: 'backup b' }, { source: 'other' }, { databaseIdentity: 'x' }])
    expect(nameOf(change)).not.toBe(nameOf({}));
});

test('what has no template is none', () => {
  expect(backupJob(app, release, { spec: {} }, task)).toBeUndefined();
  expect(backupJob(app, release, undefined, task)).toBeUndefined();
});

test('a Backup of CloudNativePG, found by its labels, and nobody’s', () => {
  const backup = cnpgBackup(app, release, { ...task, source: 'shop-db' });
  const { ownerReferences: _none, ...metadata } = dashboardMeta(backup.metadata.name, {
    'app.kubernetes.io/component': 'backup',
    'devshelf.dev/release': release.hash,
    'devshelf.dev/database': 'abcdefabcd',
  });
  expect(backup).toStrictEqual({
    apiVersion: 'postgresql.cnpg.io/v1',
    kind: 'Backup',
    metadata: { ...metadata, annotations: { 'devshelf.dev/task': 'backup a' } },
    spec: { cluster: { name: 'shop-db' } },
  });
});
