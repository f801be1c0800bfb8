import * as z from 'zod';
import { commonSpec, commonSpecRules, containerResources, probes, urlSecret } from './common.ts';
import { rules } from './kubernetes.ts';
import { rotatingKey } from './rotation.ts';

const workerAutoscaling = z
  .object({
    // not 0: retries, sweeps and stalled jobs live in the worker
    minReplicas: z.int().min(1).max(1000).default(1).describe('Fewest workers.'),
    maxReplicas: z.int().min(1).max(1000).describe('Most workers.'),
    waitingJobsPerReplica: z.int().min(1).max(1_000_000).describe('Waiting jobs that one worker is to have.'),
  })
  .meta(
    rules('Lets KEDA choose the number of workers by the jobs that wait; `replicas` is then ignored.', {
      rule: 'self.minReplicas <= self.maxReplicas',
      message: 'minReplicas must not be greater than maxReplicas; lower the one or raise the other',
    }),
  );

const worker = z
  .object({
    replicas: z.int().min(0).max(1000).default(1).describe('Number of worker pods; 0 for none.'),
    resources: containerResources().describe('CPU and memory of a worker pod.'),
    autoscaling: workerAutoscaling.optional(),
  })
  .prefault({})
  .describe('The background worker. It runs where spec.redis is set, from the same image and in its own Deployment.');

export const devshelfSpec = commonSpec
  .extend({
    probes: probes({ alive: '/health', ready: '/ready' }),
    redis: urlSecret('REDIS_URL', 'Redis')
      .optional()
      .describe('Redis, for the queue of the worker. Without it there is no worker.'),
    worker,
    signingKey: rotatingKey(
      'The key that signs access tokens. They live for at most 15 minutes, and verify meanwhile.',
      900,
    ),
  })
  .meta(
    rules('What is wanted.', ...commonSpecRules, {
      rule: "self.rollout.smokeTests.all(test, test.authenticate == 'None')",
      fieldPath: '.rollout.smokeTests',
      message: 'authenticate must be None: DevShelf has no API key; leave it out',
    }),
  );

export type DevShelfDeploymentSpec = z.output<typeof devshelfSpec>;
