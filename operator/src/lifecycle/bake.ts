// Dashboard runbook, "Tagging", step 3: observe 30 to 60 minutes. The release serves everybody and is still judged:
// a Bad verdict brings the stable release back (regression).
import { about, type Stage } from './decision.ts';
import { inPhase, iso, secondsSince } from './snapshot.ts';

const { act, proceed, wait } = about('AnalysisPassed');

export const bake: Stage = seen => {
  const record = seen.deployment?.record;
  if (!record || inPhase(seen, 'Settled')) return proceed('Released', 'the release is stable');
  if (record.phase !== 'Baking') {
    return act('Baking', 'every pod runs the release; it is watched', {
      do: 'setRecord',
      record: { ...record, phase: 'Baking', since: iso(seen.now) },
    });
  }
  const { bakeSeconds, analysis } = seen.app.spec.rollout;
  const left = bakeSeconds - secondsSince(record.since, seen.now);
  if (left <= 0) return proceed('AnalysisPassed', `no fault seen in ${bakeSeconds} s`);
  const until = iso(Date.parse(record.since) + bakeSeconds * 1000);
  const watched = analysis.policy === 'Disabled' ? 'analysis is off' : 'taken back if it turns bad';
  const decision = wait(
    'Baking',
    `serves everybody; watched until ${until} (${watched})`,
    Math.min(left * 1000 + 1, 60_000),
  );
  return { ...decision, ...(decision.kind === 'wait' && { ready: true }) };
};
