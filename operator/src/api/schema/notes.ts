// What the operator writes for itself into annotations, and into the records of incidents. Whoever may annotate an object
// may change it, and an earlier version wrote less: what is read is of this shape, or is not read at all (notes.ts).
import * as z from 'zod';
import { INCIDENT_SCHEMA } from '../incident.ts';
import { PHASES, RECORD_VERSION } from '../rollout.ts';
import { KEY_NAMES, ROTATION_STATES } from '../rotation.ts';

/** RFC 3339, of a moment that there is. */
const time = z
  .string()
  .regex(
    /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/,
  );
const count = z.int().min(0);
const texts = z.array(z.string());

/** What nothing is decided on. Where it does not fit the rest is read without it. */
const besides = <T extends z.ZodType>(schema: T) => schema.optional().catch(undefined);

const counted = z.object({ requests: z.number(), errors: z.number() });

const group = counted.extend({
  shed: z.number().optional(),
  slow: z.number().optional(),
  pods: z.number().optional(),
  restarts: z.number().optional(),
  p95Ms: z.number().optional(),
});

const routes = z.array(counted.extend({ route: z.string() }));

const evidence = z.object({
  absolute: z.number(),
  relative: z.number(),
  candidate: counted,
  baseline: counted,
  routes,
});

const requestedBy = z.object({
  who: z.enum(['spec', 'reference']),
  generation: z.number(),
  by: besides(z.string()),
  at: besides(time),
});

const decidedBy = z.object({
  who: z.enum(['operator', 'spec', 'person']),
  by: z.string().optional(),
  text: z.string().optional(),
});

const named = z.object({ hash: z.string(), image: z.string() });

const figures = z.object({
  startedAt: time.optional(),
  firstErrorAt: time.optional(),
  limit: z.number(),
  candidate: group,
  baseline: group,
  evidence: z
    .object({
      absolute: z.number(),
      relative: z.number(),
      badPercent: z.number().optional(),
      goodPercent: z.number().optional(),
    })
    .optional(),
});

const facts = z.object({
  phase: z.string(),
  failed: named.extend({ attempt: z.number() }),
  requestedBy: besides(requestedBy),
  restored: named.optional(),
  cause: z.object({ message: z.string(), container: z.string().optional(), routes: routes.optional() }),
  figures: besides(figures),
  decidedBy: decidedBy.optional(),
  actions: z.array(z.object({ at: time, what: z.string() })),
});

const byHand = z.object({
  at: time,
  phase: z.enum(PHASES),
  by: z.string().optional(),
  text: z.string(),
  despite: z.string().optional(),
});

const trial = z.object({
  verdict: z.string(),
  at: time,
  candidate: group,
  baseline: group,
  byHand: byHand.optional(),
});

const answered = z.object({ request: z.string(), result: z.enum(['Done', 'Refused']), at: time, message: z.string() });

const rollout = z.object({
  phase: z.enum(PHASES),
  release: z.string(),
  stable: z.string().optional(),
  since: time,
  held: z.literal(true).optional(),
  restoredAt: time.optional(),
  withdrawn: z
    .object({
      facts: besides(facts),
      release: z.string(),
      verdict: z.enum(['rejected', 'superseded']),
      reason: z.string(),
      message: z.string(),
      at: time,
      evidence: besides(evidence),
    })
    .optional(),
  stableErrorRatio: z.number().optional(),
  borne: besides(z.object({ all: z.number(), perPod: z.number() })),
  contract: z.object({ ids: texts, served: counted, proven: z.boolean() }).optional(),
  version: z.literal(RECORD_VERSION).optional(),
  write: count.optional(),
  decidedOn: z.object({ uid: z.string(), generation: count }).optional(),
  wanted: z.object({ sources: z.string(), release: z.string(), database: z.string() }).optional(),
  trial: besides(trial),
  asked: besides(z.object({ promote: answered.optional(), hold: answered.optional(), reject: answered.optional() })),
  heldBy: z.string().optional(),
  byHand: besides(byHand),
  again: time.optional(),
  decisions: besides(z.record(z.string(), z.object({ release: z.string(), reason: z.string(), at: time }))),
});

const rotation = z.object({
  state: z.enum(ROTATION_STATES),
  current: z.string(),
  from: z.string().optional(),
  to: z.string().optional(),
  mode: z.enum(['graceful', 'immediate']).optional(),
  request: z.string().optional(),
  since: time,
  previousUntil: time.optional(),
  lastRotationTime: time.optional(),
  begunAt: time.optional(),
  digests: z.record(z.string(), z.string()).optional(),
  revoked: z.array(z.object({ id: z.string(), digest: z.string() })).optional(),
});

const verdict = z.object({
  verdict: z.enum(['pending', 'released', 'rejected', 'superseded']),
  reason: z.string(),
  message: z.string(),
  at: time,
  evidence: besides(evidence),
});

const migration = z.object({
  id: z.string(),
  jobName: z.string(),
  result: z.enum(['UpToDate', 'Expanded', 'Verified', 'ExitCodeOnly', 'Partial']),
  applied: texts,
  finishedAt: time,
  phaseSince: time.optional(),
  database: z.string().optional(),
  withheld: z.array(z.object({ id: z.string(), what: z.string() })).optional(),
  contracted: texts.optional(),
  irreversible: texts.optional(),
  ahead: texts.optional(),
  more: besides(
    z.object({
      applied: z.number().optional(),
      pending: z.number().optional(),
      withheld: z.number().optional(),
      contracted: z.number().optional(),
      irreversible: z.number().optional(),
      ahead: z.number().optional(),
    }),
  ),
  contractedAt: time.optional(),
  backup: z.string().optional(),
  failure: z
    .object({
      reason: z.enum(['ContractFailed', 'BackupFailed']),
      ids: texts,
      message: z.string(),
      retryToken: z.string().optional(),
      at: time,
    })
    .optional(),
});

/** By what they are of. */
export const notes = z.object({
  rollout,
  rotation,
  verdict,
  migration,
  downgrade: z.object({
    result: z.enum(['Reverted', 'Kept']),
    reverted: texts.optional(),
    why: z.string().optional(),
    at: time,
  }),
  gone: z.object({ ids: texts, at: time }),
  rehearsal: z.object({
    passed: z.boolean(),
    attempts: z.number(),
    message: z.string(),
    at: time,
    reason: z.enum(['RehearsalFailed', 'DependencyDegraded']).optional(),
    evidence: besides(evidence),
    differences: besides(texts),
  }),
  served: z.object({ from: time, to: time.optional() }),
  firstMetrics: z.object({ scraped: besides(z.object({ seen: z.boolean(), labels: z.string() })) }),
  requestedBy,
  refusal: z.object({ hash: z.string(), reason: z.string(), attempt: z.number(), token: z.string().optional() }),
  putBack: z.object({ count: z.number(), at: time, keyId: besides(z.string()), by: besides(z.string()) }),
  incident: facts.extend({
    schema: z.literal(INCIDENT_SCHEMA),
    kind: z.enum(['held', 'outage', 'keys']).optional(),
    rotation: z
      .object({
        key: z.enum(KEY_NAMES),
        state: z.enum(ROTATION_STATES),
        from: z.string(),
        to: z.string().optional(),
        since: time,
      })
      .optional(),
    reason: z.string(),
    at: time,
    decidedBy,
  }),
});
