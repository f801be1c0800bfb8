// The policy is Manual: a person is told what would run before it does. A Job with `migrate status`, which writes nothing,
// is asked once; a command that is not ours cannot be asked.
import { ANNOTATIONS } from '../../objects/names.ts';
import { about, type Decision } from '../decision.ts';
import { type JobVerdict, type JobView, type Revision, type SchemaTask, type Snapshot, taskText } from '../snapshot.ts';
import { endOf, removal } from './job-end.ts';
import { listed, named } from './result.ts';

const { act, fail, wait } = about('Migrated');

export function pending(seen: Snapshot, { release }: Revision, id: string): Decision {
  const { command, contract } = seen.app.spec.migrations;
  const held = (what: string): Decision =>
    fail(
      'MigrationPending',
      `the policy is Manual${what}: annotate the resource with ${ANNOTATIONS.migrate}=${id} to let the Job run`,
    );
  if (command[0] !== 'migrate') return held('');
  const ids = contract.when === 'BeforeRollout' ? contract.allow : [];
  const task: SchemaTask = { direction: 'status', ids };
  const job = seen.jobs.find(known => known.task === taskText(task) && known.release === release.hash);
  if (!job) {
    if (seen.databaseBusyWith !== undefined)
      return wait('QueuedBehind', `Job ${seen.databaseBusyWith} migrates the same database`, 5_000);
    return act('MigrationPending', 'the database is asked what is pending', { do: 'createSchemaJob', release, task });
  }
  const end = endOf(seen, job, true);
  switch (end.means) {
    case 'wait':
      return wait('MigrationPending', `the database is asked what is pending: ${end.message}`, end.recheckMs);
    case 'again':
      return end.waitMs > 0 ? wait(end.reason, end.message, end.waitMs) : act(end.reason, end.message, removal(job));
    case 'said':
    case 'failed':
      return held(end.verdict ? `; ${pendingWords(end.verdict)}` : '; what is pending could not be found out');
    case 'stuck':
    case 'refused':
      return held(`; what is pending could not be found out (${end.message})`);
  }
}

/** "3 pending: …; 1 waits for agreement besides: …" */
function pendingWords({ pending: ids, withheld = [], more = {} }: JobVerdict): string {
  const now = ids.filter(id => !withheld.some(one => one.id === id));
  // what is withheld may be among those that are not named
  const unnamed = Math.max(0, (more.pending ?? 0) - (more.withheld ?? 0));
  const count = now.length + unnamed;
  const first = count > 0 ? `${count} pending: ${listed(now, unnamed)}` : 'nothing else is pending';
  if (withheld.length === 0) return count > 0 ? first : 'nothing is pending';
  return `${first}; not in it without agreement: ${named(withheld, more.withheld)}`;
}

export const isStatusOf = ({ task, release }: JobView, hash: string | undefined): boolean =>
  task?.startsWith('status') === true && release === hash;
