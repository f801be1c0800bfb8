// Changed specs are skipped over, a Job that runs is not: it ends, then the newest is planned. One that never started goes.
import { about, type Decision } from '../decision.ts';
import type { JobView, Snapshot } from '../snapshot.ts';
import { isHanging } from './backup.ts';
import { removal } from './job-end.ts';

const { act, wait } = about('Migrated');

/** @param isOwn what is no Job of an earlier spec, but of the matter itself */
export function olderFirst(seen: Snapshot, isOwn: (job: JobView) => boolean = () => false): Decision | undefined {
  const other = seen.jobs.find(job => !isOwn(job) && ['pending', 'running'].includes(job.state.kind));
  if (!other) return undefined;
  if (isHanging(seen, other))
    return act('Starting', `the backup by ${other.name} of an earlier spec hangs`, removal(other));
  if (other.state.kind === 'running') return wait('Running', `Job ${other.name} of an earlier spec ends first`, 5_000);
  return act('Starting', `Job ${other.name} of an earlier spec never started`, removal(other));
}
