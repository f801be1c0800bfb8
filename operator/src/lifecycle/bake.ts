// Dashboard runbook, "Tagging", step 3: observe 30 to 60 minutes. The release serves everybody and is still judged:
// a Bad verdict brings the stable release back (regression).
import { about, type Decision, type Stage } from './decision.ts';
import { inPhase, iso, type Snapshot, secondsSince } from './snapshot.ts';

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
  if (left <= 0 && isUnread(seen, -left)) return watching('its pods are read once more before it is stable', 1_000);
  if (left <= 0) return proceed('AnalysisPassed', `no fault seen in ${bakeSeconds} s`);
  const until = iso(Date.parse(record.since) + bakeSeconds * 1000);
  const watched = analysis.policy === 'Disabled' ? 'analysis is off' : 'taken back if it turns bad';
  return watching(`serves everybody; watched until ${until} (${watched})`, Math.min(left * 1000 + 1, 60_000));
};

function watching(message: string, recheckMs: number): Decision {
  return { ...wait('Baking', message, recheckMs), ready: true } as Decision;
}

/** An operator that has just started has seen no fault because it has seen nothing. It does not wait forever. */
function isUnread({ judgement, deployment, app }: Snapshot, secondsOver: number): boolean {
  const { policy, blindAfterSeconds } = app.spec.rollout.analysis;
  if (policy === 'Disabled' || secondsOver > blindAfterSeconds) return false;
  return judgement?.release !== deployment?.record.release;
}
