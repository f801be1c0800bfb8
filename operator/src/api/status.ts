// The status: a projection of what the cluster holds. It may be deleted and comes back.
import * as z from 'zod';
import { mapList } from './kubernetes.ts';
import { KEY_NAMES, ROTATION_STATES } from './rotation.ts';

const time = (description: string) => z.string().meta({ description, format: 'date-time' });
const count = (description: string) => z.int().min(0).meta({ description, format: 'int64' });

const condition = z.object({
  type: z.string().min(1).max(316).describe('What the condition is about.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Whether it holds.'),
  observedGeneration: z.int().min(0).optional().meta({
    description: 'Generation of the spec that was looked at.',
    format: 'int64',
  }),
  lastTransitionTime: time('When the status last changed.'),
  reason: z.string().min(1).max(1024).describe('One word; docs/reasons.md explains each.'),
  message: z.string().max(32_768).describe('The same for people, with figures and the next step.'),
});

const release = (description: string) =>
  z
    .object({
      hash: z.string().describe('Hash over everything that changes the pods.'),
      image: z.string().describe('Its image.'),
      revisionName: z.string().optional().describe('ControllerRevision that holds the whole release.'),
      since: time('Since when it is in this place.').optional(),
      reason: z.string().optional().describe('Why it is in this place.'),
      evidence: z.string().optional().describe('The figures behind that.'),
    })
    .optional()
    .describe(description);

const counters = (description: string) =>
  z
    .object({ requests: count('Requests answered.'), errors: count('Of these, with 5xx.') })
    .optional()
    .describe(description);

const incident = z.object({
  at: time('When it was decided.'),
  reason: z.string().describe('One word; docs/reasons.md explains each.'),
  failedImage: z.string().describe('Image that was taken back.'),
  restoredImage: z.string().optional().describe('Image that serves again.'),
  evidence: z.string().describe('What was seen, with figures.'),
  runbookURL: z.string().optional().describe('What to do now.'),
});

const key = z.object({
  name: z.enum(KEY_NAMES).describe('Which key.'),
  secret: z.string().describe('Secret with every key that the pods accept.'),
  state: z
    .enum(ROTATION_STATES)
    .describe('Idle, or how far its rotation is. From Draining on, callers hold the new key.'),
  currentKeyId: z.string().optional().describe('Id of the key that callers are to use; never the key.'),
  nextKeyId: z.string().optional().describe('Id of the key that is to replace it.'),
  mode: z.enum(['graceful', 'immediate']).optional().describe('How the rotation that is under way treats the old key.'),
  request: z.string().optional().describe('The request that was taken up last: value of the annotation that asked.'),
  previousUntil: time('Until then the key before this one is accepted.').optional(),
  lastRotationTime: time('When the last rotation ended.').optional(),
  nextRotationTime: time('When the next one begins by the clock.').optional(),
});

export const appStatus = z
  .object({
    observedGeneration: z
      .int()
      .default(-1)
      .meta({ description: 'Generation of the spec that this status speaks of; -1: none yet.', format: 'int64' }),
    phase: z.string().optional().describe('The stage that is under way, for people.'),
    replicas: z.int().optional().meta({ description: 'Serving pods that exist.', format: 'int32' }),
    readyReplicas: z.int().optional().meta({ description: 'Serving pods that are ready.', format: 'int32' }),
    updatedReplicas: z.int().optional().meta({ description: 'Serving pods of the newest release.', format: 'int32' }),
    selector: z
      .string()
      .optional()
      .describe('Selects the serving pods; read by autoscalers through the scale subresource.'),
    currentImage: z.string().optional().describe('Image of the release that serves users.'),
    url: z.string().optional().describe('Where the service is reached inside the cluster.'),
    rollout: z
      .object({
        stable: release('The release that serves, and that a rollback goes back to.'),
        candidate: release('The release that is being tried.'),
        rejected: release('The last release that was refused. It is not tried again by itself.'),
      })
      .optional()
      .describe('Which release is where.'),
    analysis: z
      .object({
        verdict: z.string().describe('Good, Bad, DependencyDegraded, Insufficient or Blind.'),
        release: z.string().optional().describe('Hash of the release that was judged.'),
        candidate: counters('What the new pods answered.'),
        baseline: counters('What the stable pods beside them answered in the same time.'),
        decidedAt: time('When the verdict was made.').optional(),
      })
      .optional()
      .describe('The last verdict and its figures.'),
    migration: z
      .object({
        id: z.string().describe('Hash of what the Job does.'),
        jobName: z.string().optional().describe('The Job.'),
        result: z.string().optional().describe('Its verdict.'),
        applied: z.array(z.string()).optional().describe('Migrations that it applied.'),
        finishedAt: time('When it ended.').optional(),
      })
      .optional()
      .describe('The last migration.'),
    keys: z
      .array(key)
      .optional()
      .meta({ description: 'The keys and how far their rotation is.', ...mapList('name') }),
    incidents: z
      .array(incident)
      .max(10)
      .optional()
      .describe('The last ten releases that were taken back, newest first.'),
    conditions: z
      .array(condition)
      .optional()
      .meta({ description: 'What is true now.', ...mapList('type') }),
  })
  .prefault({})
  .describe('What the operator saw. Never edited by people.');

export type AppStatus = z.output<typeof appStatus>;
export type StatusCondition = z.output<typeof condition>;
export type Incident = z.output<typeof incident>;
export type KeyStatus = z.output<typeof key>;
export type ReleaseStatus = NonNullable<NonNullable<AppStatus['rollout']>['stable']>;
