import type { JobsOptions } from 'bullmq';
import * as z from 'zod';

/** The queue's name, and the prefix of its keys; the braces keep them in one slot of a Redis Cluster. */
export const QUEUE = 'jobs';
export const PREFIX = '{devshelf}';

/** What the worker can do. A job is done at least once, so doing it twice must be as good as once. */
export const job = z.discriminatedUnion('name', [
  /** ask a resource's URL, and keep what it answered */
  z.object({ name: z.literal('link.check'), id: z.guid() }),
  /** look for resources whose check is due, or whose job was lost */
  z.object({ name: z.literal('links.sweep') }),
]);

export type Job = z.output<typeof job>;
export type JobName = Job['name'];

export const JOB_NAMES: readonly JobName[] = job.options.map(option => option.shape.name.value);

/** How often the worker looks for what is due, and so how long a lost job stays undone. Milliseconds */
export const SWEEP_MS = 60_000;

const KEPT_FAILURES = { count: 500, age: 7 * 24 * 3_600 };

/**
 * Two jobs of one kind for one resource are one job, until it is done: a job id would say the same, but would also
 * keep out a new job while a failed one is kept. What is asked for while the job runs is done once more afterwards.
 */
export function optionsOf(wanted: Job): JobsOptions {
  const kept = { removeOnComplete: true, removeOnFail: KEPT_FAILURES };
  switch (wanted.name) {
    case 'link.check':
      return {
        ...kept,
        attempts: 4,
        // after 5, 10 and 20 s, each up to half shorter so that failures of one moment do not return together
        backoff: { type: 'exponential', delay: 5_000, jitter: 0.5 },
        deduplication: { id: `link.check ${wanted.id}`, keepLastIfActive: true },
      };
    case 'links.sweep':
      // each worker asks for it, one of them is heard; the next sweep is the retry
      return { ...kept, attempts: 1, deduplication: { id: 'links.sweep', ttl: SWEEP_MS - 5_000 } };
  }
}
