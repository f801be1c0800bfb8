// Dashboard runbook, "Tagging", step 3: observe 30 to 60 minutes. The release serves everybody and is still judged:
// a Bad verdict brings the stable release back (regression). The bake ends by itself, whatever the spec asks for by
// then: a newer one that is refused, or whose Secret is missing, does not keep it open for ever.
import type { RolloutRecord } from '../../api/rollout.ts';
import { about, type Decision, type Interrupt, type Stage } from '../decision.ts';
import { fenced, passage } from '../schema/fence.ts';
import { inPhase, iso, isReleaseComing, revisionOf, type Snapshot, secondsSince, versionIn } from '../snapshot.ts';
import { isUnread } from './first-metrics.ts';
import { release } from './release.ts';
import { hasStable, withdraw } from './withdrawal.ts';

const { act, fail, proceed, wait } = about('AnalysisPassed');

export const bake: Stage = seen => {
  const record = seen.deployment?.record;
  if (!record || inPhase(seen, 'Settled')) return proceed('Released', 'the release is stable');
  if (record.phase !== 'Baking') {
    return act('Baking', 'every pod runs the release; it is watched', {
      do: 'setRecord',
      record: { ...record, phase: 'Baking', since: iso(seen.now) },
    });
  }
  const left = -secondsOver(seen, record);
  if (isIdle(seen, record))
    return watching('ScaledToZero', 'no pod is wanted: it is watched further when the service is scaled up', 60_000);
  if (left <= 0 && isBlind(seen)) {
    const why = seen.judgement?.message ?? 'its pods’ metrics were not read';
    return watching('Blind', `${why}; not stable until they can be read (onBlind is Hold)`, 1_000);
  }
  if (left <= 0) return watching('Baking', 'its pods are read once more before it is stable', 1_000);
  if (isOverloaded(seen, record))
    return watching('Overloaded', `${seen.judgement?.message ?? ''}; it is watched further`, 1_000);
  const until = iso(Date.parse(record.since) + seen.app.spec.rollout.bakeSeconds * 1000);
  const watched =
    seen.app.spec.rollout.analysis.policy === 'Disabled' ? 'analysis is off' : 'taken back if it turns bad';
  return watching('Baking', `serves everybody; watched until ${until} (${watched})`, Math.min(left * 1000 + 1, 60_000));
};

const isOverloaded = ({ judgement }: Snapshot, { release }: RolloutRecord): boolean =>
  judgement?.verdict === 'Overloaded' && judgement.release === release;

const watching = (
  reason: 'Baking' | 'Blind' | 'Overloaded' | 'ScaledToZero',
  message: string,
  recheckMs: number,
): Decision => ({ ...wait(reason, message, recheckMs), ready: true }) as Decision;

/** The bake is over: what was seen in it decides. Undefined while it goes on. */
export const bakeEnd: Interrupt = seen => {
  const record = seen.deployment?.record;
  if (!record || !inPhase(seen, 'Baking') || secondsOver(seen, record) < 0 || isIdle(seen, record)) return undefined;
  if (seen.app.spec.rollout.analysis.policy === 'Disabled') return release(seen);
  const isBad = seen.judgement?.verdict === 'Bad';
  if (!isBad && isFoundGood(seen, record)) return release(seen);
  if (isUnread(seen)) return isBlind(seen) ? blind(seen, record) : undefined;
  if (seen.judgement?.verdict === 'Blind') return blind(seen, record);
  if (isBad && seen.app.spec.rollout.analysis.policy !== 'Observe') return late(seen, record);
  return release(seen);
};

/** It was decided, and written down with its release: that its pods cannot be read by now undoes nothing. */
function isFoundGood(seen: Snapshot, { release: hash, since }: RolloutRecord): boolean {
  const { verdict, at } = revisionOf(seen, hash)?.verdict ?? {};
  return verdict === 'released' && at !== undefined && Date.parse(at) >= Date.parse(since);
}

const secondsOver = (seen: Snapshot, record: RolloutRecord): number =>
  secondsSince(record.since, seen.now) - seen.app.spec.rollout.bakeSeconds;

/** Scaled to zero, it shows nothing. A first release has nobody to go back to: it is what it is. */
const isIdle = ({ deployment }: Snapshot, record: RolloutRecord): boolean =>
  deployment?.wantedReplicas === 0 && hasStable(record);

/** It was tried for long enough after the end, or the whole bake was unreadable. */
function isBlind(seen: Snapshot): boolean {
  const record = seen.deployment?.record;
  if (!record) return false;
  const { blindAfterSeconds } = seen.app.spec.rollout.analysis;
  return isUnread(seen) ? secondsOver(seen, record) > blindAfterSeconds : seen.judgement?.verdict === 'Blind';
}

/** Never a silent pass. */
function blind(seen: Snapshot, record: RolloutRecord): Decision | undefined {
  if (!hasStable(record)) return release(seen); // nobody to go back to, and nobody to protect
  const why = seen.judgement?.message ?? 'its pods’ metrics were not read';
  switch (seen.app.spec.rollout.analysis.onBlind) {
    case 'Promote':
      return release(seen);
    case 'Hold': // the stage says so, and a newer spec may come
      return record.byHand?.phase === 'Baking' ? release(seen) : undefined;
    case 'Rollback': {
      const message = `${versionIn(seen, record.release)}: ${why} in its bake; onBlind is Rollback`;
      const way = passage(seen, record);
      if (!way.isOpen) return fenced(seen, record, message, way.words ?? '');
      return act(
        'Blind',
        message,
        { do: 'setRecord', record: withdraw(seen, record, 'rejected', 'Blind', message) },
        'Warning',
      );
    }
  }
}

/** Bad figures of a release that has served for longer than it was to be watched (the operator was away meanwhile). */
export const isLate = (seen: Snapshot, record: RolloutRecord): boolean =>
  record.phase === 'Baking' && secondsOver(seen, record) > seen.app.spec.rollout.analysis.blindAfterSeconds;

/** A person let it on in spite of its figures; where the policy has become Rollback they count again. */
export const isDespite = ({ app }: Snapshot, { byHand }: RolloutRecord): boolean =>
  byHand?.despite !== undefined && app.spec.rollout.analysis.policy === 'Hold';

function late(seen: Snapshot, record: RolloutRecord): Decision | undefined {
  if (isDespite(seen, record)) return release(seen);
  // a newer spec may be the remedy
  if (isReleaseComing(seen)) return undefined;
  return fail(
    'Held',
    `${seen.judgement?.message ?? ''}; it has served since ${record.since}, longer than bakeSeconds, so it is not taken back by itself: apply the earlier spec, or a new one`,
  );
}
