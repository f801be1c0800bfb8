import * as z from 'zod';
import { commonSpec, commonSpecRules, containerResources, probes, urlSecret } from './common.ts';
import { rules } from './kubernetes.ts';
import { rotatingKey } from './rotation.ts';

const worker = z
  .object({
    replicas: z.int().min(0).max(1000).default(1).describe('Number of worker pods; 0 for none.'),
    resources: containerResources().describe('CPU and memory of a worker pod.'),
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
  .meta(rules('What is wanted.', ...commonSpecRules));

export type DevShelfDeploymentSpec = z.output<typeof devshelfSpec>;
