// The status: a projection of what the cluster holds. It may be deleted and comes back.
import * as z from 'zod';
import { GATES } from '../rollout.ts';
import { KEY_NAMES, ROTATION_STATES } from '../rotation.ts';
import { mapList } from './kubernetes.ts';

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

const placed = z.object({
  hash: z.string().describe('Hash over everything that changes the pods.'),
  image: z.string().describe('Its image.'),
  revisionName: z.string().optional().describe('ControllerRevision that holds the whole release.'),
  since: time('Since when it is in this place.').optional(),
  reason: z.string().optional().describe('Why it is in this place.'),
  evidence: z.string().optional().describe('The figures behind that.'),
});

const release = (description: string) => placed.optional().describe(description);

const traced = placed.extend({
  traceID: z.string().optional().describe('The trace of its rollout, where the operator sends traces.'),
});

const counters = (description: string) =>
  z
    .object({
      requests: count('Requests answered.'),
      errors: count('Of these, with 5xx.'),
      shed: count('Of the 5xx, those that the pods themselves call overload; absent without any.').optional(),
      slow: count('Of these, without 5xx and later than analysis.latency.thresholdSeconds.').optional(),
    })
    .optional()
    .describe(description);

const incident = z.object({
  at: time('When it was decided.'),
  reason: z.string().describe('One word; docs/reasons.md explains each.'),
  failedImage: z.string().describe('Image that was taken back.'),
  restoredImage: z.string().optional().describe('Image that serves again.'),
  evidence: z.string().describe('What was seen, with figures.'),
  runbookURL: z
    .string()
    .optional()
    .describe('What to do now; absent where the operator was not told where its pages are (--docs-url).'),
  record: z.string().optional().describe('ControllerRevision that holds all that is known of it.'),
});

const request = z.object({
  name: z.enum(GATES).describe('The annotation that asked: devshelf.dev/promote, hold or reject.'),
  request: z.string().describe('Its text; the same text is never answered twice.'),
  result: z.enum(['Done', 'Refused']).describe('Whether what was asked for was done.'),
  at: time('When it was answered.'),
  message: z.string().describe('What was done, or why not and what can be done.'),
});

const stage = z.object({
  name: z
    .string()
    .describe(
      'Installing, Dependencies, Keys, Migration, Rehearsal, Candidate, Analysis, Promoting, Baking, RollingBack or Settled.',
    ),
  since: time('Since when.').optional(),
  deadline: time('When it ends, or is given up, at the latest; absent where nothing limits it.').optional(),
  waitsFor: z.string().optional().describe('What it waits for, without figures.'),
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
  currentKeyDigest: z
    .string()
    .optional()
    .describe('SHA-256 of the key that callers are to use: a keyring that is lost comes back with that one, or anew.'),
  revoked: z
    .array(z.object({ id: z.string().describe('Its id.'), digest: z.string().describe('Its SHA-256.') }))
    .max(10)
    .optional()
    .describe('Keys that were revoked, newest last, and stay so: also where a keyring comes back from a backup.'),
  previousUses: count('Requests with the old key since callers were given the new one.').optional(),
  previousUsePerMinute: count('Of these, in the last minute.').optional(),
  previousUsedAt: time('When the old key was last seen in use.').optional(),
  previousCounters: count('How the pods’ counters of the old key stood then, summed.').optional(),
});

export const statusParts = z.object({
  observedGeneration: z
    .int()
    .default(-1)
    .meta({ description: 'Generation of the spec that this status speaks of; -1: none yet.', format: 'int64' }),
  phase: z.string().optional().describe('The stage that is under way, for people.'),
  stage: stage.optional().describe('The stage that is under way, since when, and what it waits for.'),
  replicas: z.int().optional().meta({ description: 'Serving pods that exist.', format: 'int32' }),
  readyReplicas: z.int().optional().meta({ description: 'Serving pods that are ready.', format: 'int32' }),
  updatedReplicas: z.int().optional().meta({ description: 'Serving pods of the newest release.', format: 'int32' }),
  selector: z
    .string()
    .optional()
    .describe('Selects the serving pods; read by autoscalers through the scale subresource.'),
  currentImage: z.string().optional().describe('Image of the release that serves users.'),
  url: z.string().optional().describe('Where the service is reached inside the cluster.'),
  publicURLs: z
    .array(z.string())
    .optional()
    .describe('Where the service is reached from outside, while condition Exposed is True.'),
  rollout: z
    .object({
      stable: release('The release that serves, and that a rollback goes back to.'),
      candidate: traced.optional().describe('The release that is being tried.'),
      rejected: release('The last release that was refused. It is not tried again by itself.'),
      record: z
        .string()
        .optional()
        .describe(
          'The newest record of the rollout. One that comes back from the Deployment’s history is known by it.',
        ),
    })
    .optional()
    .describe('Which release is where.'),
  analysis: z
    .object({
      verdict: z.string().describe('Pending, Good, Bad, DependencyDegraded, Overloaded, Insufficient or Blind.'),
      release: z.string().optional().describe('Hash of the release that is or was judged.'),
      mode: z
        .enum(['canary', 'bake'])
        .optional()
        .describe('Beside pods of the stable release, or alone while it serves everybody.'),
      startedAt: time('When the trial began.').optional(),
      candidate: counters('What the new pods answered.'),
      baseline: counters('What the stable pods beside them answered in the same time.'),
      evidence: z
        .object({
          badPercent: z.int().min(0).max(100).describe('How much of the proof that it is bad is there; 100: proven.'),
          goodPercent: z.int().min(0).max(100).describe('The same for good.'),
        })
        .optional()
        .describe('ln(e-value) as a share of ln(1/alpha).'),
      waitsFor: z.string().optional().describe('While Pending: what it waits for.'),
      decidesBy: time('When it is decided at the latest, one way or another.').optional(),
      decidedAt: time('When the verdict was made.').optional(),
      readAt: time('When these figures were read.').optional(),
    })
    .optional()
    .describe('The trial that is under way, or the last one, and its figures.'),
  migration: z
    .object({
      id: z.string().describe('Hash of what the Job does.'),
      jobName: z.string().optional().describe('The Job.'),
      result: z.string().optional().describe('Its verdict.'),
      applied: z.array(z.string()).optional().describe('Migrations that it applied.'),
      withheld: z
        .array(
          z.object({
            id: z.string().describe('Its name.'),
            what: z.string().describe('What it takes away.'),
          }),
        )
        .optional()
        .describe('Migrations that take something away and wait.'),
      contracted: z.array(z.string()).optional().describe('Migrations that took something away.'),
      irreversible: z.array(z.string()).optional().describe('Applied ones that cannot be undone.'),
      backup: z.string().optional().describe('The Job that made the backup before something was taken away.'),
      finishedAt: time('When it ended.').optional(),
    })
    .optional()
    .describe('The last migration.'),
  keys: z
    .array(key)
    .optional()
    .meta({ description: 'The keys and how far their rotation is.', ...mapList('name') }),
  requests: z
    .array(request)
    .optional()
    .meta({ description: 'The last request of each kind by a person, and its answer.', ...mapList('name') }),
  incidents: z.array(incident).max(10).optional().describe('The last ten releases that were taken back, newest first.'),
  conditions: z
    .array(condition)
    .optional()
    .meta({ description: 'What is true now.', ...mapList('type') }),
});

export const appStatus = statusParts.prefault({}).describe('What the operator saw. Never edited by people.');

export type AppStatus = z.output<typeof appStatus>;
export type StatusCondition = z.output<typeof condition>;
export type Incident = z.output<typeof incident>;
export type KeyStatus = z.output<typeof key>;
export type ReleaseStatus = NonNullable<NonNullable<AppStatus['rollout']>['stable']>;
