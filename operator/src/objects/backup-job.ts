import type { Release } from '../api/rollout.ts';
import { type App, childLabels, childMeta, type KubeObject } from './app.ts';
import { isRecord, shortHash } from './hash.ts';
import { ANNOTATIONS, COMPONENTS, LABELS, names } from './names.ts';

/** `text` says what it is for; equal texts of one release are one Job. `source`: a CronJob, or a Cluster. */
export interface BackupTask {
  readonly source: string;
  readonly text: string;
  readonly databaseIdentity: string;
}

/**
 * A Job from a CronJob's template, as `kubectl create job --from` makes it: its pods and their rights are as they are
 * there. Undefined where the object has no such template.
 */
export function backupJob(app: App, release: Release, cronJob: unknown, task: BackupTask): KubeObject | undefined {
  const spec = isRecord(cronJob) ? cronJob['spec'] : undefined;
  const template = isRecord(spec) ? spec['jobTemplate'] : undefined;
  if (!isRecord(template) || !isRecord(template['spec'])) return undefined;
  const { labels = {}, annotations = {} } = (template['metadata'] ?? {}) as Record<string, Record<string, string>>;
  const made = metadata(app, release, task);
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      ...made,
      labels: { ...labels, ...made.labels },
      annotations: { ...annotations, 'cronjob.kubernetes.io/instantiate': 'manual', ...made.annotations },
    },
    spec: template['spec'],
  };
}

interface Ownerless {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Omit<KubeObject['metadata'], 'ownerReferences'>;
  readonly spec: unknown;
}

/** A Backup as CloudNativePG takes it. It has no owner: what was backed up is told for as long as anybody wants it. */
export function cnpgBackup(app: App, release: Release, task: BackupTask): Ownerless {
  const { ownerReferences: _none, ...made } = metadata(app, release, task);
  return {
    apiVersion: 'postgresql.cnpg.io/v1',
    kind: 'Backup',
    metadata: made,
    spec: { cluster: { name: task.source } },
  };
}

function metadata(app: App, release: Release, { source: from, text, databaseIdentity }: BackupTask) {
  const name = names.backup(app.metadata.name, shortHash({ release: release.hash, from, text, databaseIdentity }));
  const labels = {
    ...childLabels(app, COMPONENTS.backup),
    [LABELS.release]: release.hash,
    [LABELS.database]: databaseIdentity,
  };
  return { ...childMeta(app, name, labels), annotations: { [ANNOTATIONS.task]: text } };
}
