// A rehearsal is asked beside the passes; what it found is written down by the pass that its answer wakes.
import type { Action } from '../lifecycle/decision.ts';
import type { Plan } from '../lifecycle/plan.ts';
import { iso, type Snapshot } from '../lifecycle/snapshot.ts';
import { ANNOTATIONS } from '../objects/names.ts';
import type { Asking } from './inquiries.ts';
import type { Evidence } from './trials.ts';

/** What is done to the cluster: everything but asking. */
export type Effect = Exclude<Action, { do: 'rehearse' }>;
export type EffectivePlan = Omit<Plan, 'action'> & { readonly action?: Effect };

/** The plan with its rehearsal answered: it writes down what was found, or while that is under way waits. */
export function rehearsed(seen: Snapshot, plan: Plan, asking: Asking, rehearse: Evidence['rehearse']): EffectivePlan {
  const { action, ...rest } = plan;
  if (action?.do !== 'rehearse') return { ...rest, ...(action && { action }) };
  const { pod, revision, attempt } = action;
  const { app, rehearsals, now } = seen;
  const { probes, rollout } = app.spec;
  const uid = rehearsals.find(({ name }) => name === pod)?.uid;
  const answer = asking.ask({
    topic: 'rehearsal',
    about: JSON.stringify([uid, revision, attempt, probes, rollout.smokeTests, rollout.rehearsal]),
    find: signal => rehearse(app, pod, signal),
  });
  if (!answer) return rest;
  // nothing was found out: it was no attempt
  const attempts = answer.value.reason === 'DependencyDegraded' ? attempt - 1 : attempt;
  const result = { ...answer.value, attempts, at: iso(now) };
  const set = { [ANNOTATIONS.rehearsal]: JSON.stringify(result) };
  return { ...rest, action: { do: 'annotateRevision', revision, set } };
}
