// A backup before something is taken away, where spec.migrations.contract.backup asks for one: the Job of somebody else,
// made from a CronJob's template, or a Backup of CloudNativePG. What it writes, and where, is its own business; it has to
// exit with 0, or to be completed. One of which nothing new is told for too long counts as failed.
import { shownMigration } from '../../api/words.ts';
import { type Action, about, type BackupSource, type Decision } from '../decision.ts';
import {
  isBackupTask,
  iso,
  type JobView,
  type Revision,
  type SchemaTask,
  type Snapshot,
  taskText,
} from '../snapshot.ts';
import { everContracted, waiting } from './result.ts';

const { act, wait } = about('Migrated');

/** `done`: go on; `job` is what made it. `endedAt` in epoch milliseconds. */
export type Backup =
  | { readonly is: 'not asked for' }
  | { readonly is: 'done'; readonly job: JobView; readonly endedAt: number }
  | { readonly is: 'on its way'; readonly decision: Decision }
  | { readonly is: 'failed'; readonly message: string; readonly job: JobView; readonly endedAt: number };

export function backupOf(seen: Snapshot, { release }: Revision, ids: readonly string[]): Backup {
  const source = sourceOf(seen);
  if (!source) return { is: 'not asked for' };
  const task: SchemaTask = { direction: 'backup', ids };
  const text = taskText(task);
  const job = seen.jobs.find(known => known.task === text && known.release === release.hash);
  if (!job && seen.backupsUnread !== undefined)
    return { is: 'on its way', decision: wait('BackingUp', `Backups cannot be read: ${seen.backupsUnread}`, 5_000) };
  if (!job) return { is: 'on its way', decision: begin(seen, { do: 'createBackup', release, task, ...source }) };
  const { state } = job;
  switch (state.kind) {
    case 'succeeded':
      return { is: 'done', job, endedAt: state.endedAt };
    case 'failed': {
      const message = `the backup by ${calledOf(job)} failed (${state.detail}), so nothing was taken away`;
      return { is: 'failed', message, job, endedAt: state.endedAt };
    }
    default:
      return underWay(seen, job, source);
  }
}

function sourceOf({ app }: Pick<Snapshot, 'app'>): BackupSource | undefined {
  const { cronJob, cnpgCluster } = app.spec.migrations.contract.backup ?? {};
  if (cronJob !== undefined) return { cronJob };
  return cnpgCluster === undefined ? undefined : { cnpgCluster };
}

const sourceWords = (source: BackupSource): string =>
  'cronJob' in source ? `CronJob ${source.cronJob}` : `CloudNativePG cluster ${source.cnpgCluster}`;

const calledOf = ({ kind, name }: JobView): string => `${kind ?? 'Job'} ${name}`;

function underWay(seen: Snapshot, job: JobView, source: BackupSource): Backup {
  const endedAt = deadlineOf(seen, job);
  if (seen.now < endedAt) {
    const words = `${calledOf(job)} of ${sourceWords(source)} makes a backup`;
    return { is: 'on its way', decision: wait('BackingUp', words, 5_000) };
  }
  const object = job.kind === 'Backup' ? `backups.postgresql.cnpg.io/${job.name}` : `job/${job.name}`;
  const message = `the backup by ${calledOf(job)} hangs: nothing new is told of it since ${iso(progressOf(job))} (progressDeadlineSeconds of spec.migrations.contract.backup), so nothing was taken away: kubectl describe ${object} says what it waits for`;
  return { is: 'failed', message, job, endedAt };
}

const progressOf = ({ createdAt, progressedAt = 0 }: JobView): number => Math.max(createdAt, progressedAt);

/** Where the spec asks for none any more, what was begun has the time that it has by default. */
const DEFAULT_SECONDS = 21_600;

const deadlineOf = ({ app }: Snapshot, job: JobView): number =>
  progressOf(job) + (app.spec.migrations.contract.backup?.progressDeadlineSeconds ?? DEFAULT_SECONDS) * 1_000;

/** A backup that is under way and of which nothing new is told for too long. */
export const isHanging = (seen: Snapshot, job: JobView): boolean =>
  isBackup(job) && ['pending', 'running'].includes(job.state.kind) && seen.now >= deadlineOf(seen, job);

function begin(seen: Snapshot, action: Extract<Action, { do: 'createBackup' }>): Decision {
  if (seen.databaseBusyWith !== undefined)
    return wait('QueuedBehind', `Job ${seen.databaseBusyWith} migrates the same database`, 5_000);
  return act('BackingUp', `${sourceWords(action)} makes a backup first`, action);
}

const isBackup = ({ task }: JobView): boolean => isBackupTask(task);

export const isBackupFor = (job: JobView, hash: string | undefined): boolean => isBackup(job) && job.release === hash;

/** Whether Backups of CloudNativePG matter to this pass: they are not watched. */
export function needsBackups(seen: Pick<Snapshot, 'app' | 'revisions'>): boolean {
  const { backup, allow, when } = seen.app.spec.migrations.contract;
  if (backup?.cnpgCluster === undefined || allow.length === 0) return false;
  if (seen.revisions.some(({ migration }) => waiting(seen, migration).agreed.length > 0)) return true;
  const gone = everContracted(seen);
  return when === 'BeforeRollout' && allow.some(name => !gone.has(shownMigration(name)));
}
