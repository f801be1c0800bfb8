// Dashboard runbook, "Tagging", steps 4 and 5: the release is the new stable, and its first figures are written down.
import { ANNOTATIONS } from '../objects/names.ts';
import { about, type Decision, type Stage } from './decision.ts';
import { inPhase, iso, type Revision, revisionOf, type Snapshot, versionOf } from './snapshot.ts';
import { verdictAnnotations } from './verdict.ts';

const { act, proceed, wait } = about('Ready');

export const release: Stage = seen => {
  const record = seen.deployment?.record;
  const revision = revisionOf(seen, record?.release);
  if (!record) return wait('Progressing', 'the Deployment is being made', 1_000);
  if (inPhase(seen, 'Settled')) return prune(seen) ?? proceed('AsExpected', `${nameOf(revision)} serves`);
  if (revision && revision.verdict.verdict !== 'released') return writeDown(seen, revision);
  const { candidatePods: _none, withdrawn: _past, stableErrorRatio: _baseline, ...rest } = record;
  return act(
    'Released',
    `${nameOf(revision)} is the stable release`,
    { do: 'setRecord', record: { ...rest, phase: 'Settled', stable: record.release, since: iso(seen.now) } },
    'Normal',
  );
};

function writeDown(seen: Snapshot, revision: Revision): Decision {
  const { requests, errors } = seen.judgement?.candidate ?? { requests: 0, errors: 0 };
  const first = { requests_total: requests, error_percent: requests > 0 ? (100 * errors) / requests : 0 };
  const message = `${requests} requests while baking, ${errors} of them 5xx`;
  const set = {
    ...verdictAnnotations(
      { verdict: 'released', reason: 'Released', message, at: iso(seen.now) },
      seen.app.spec.rollout.retryToken,
    ),
    [ANNOTATIONS.firstMetrics]: JSON.stringify(first),
  };
  return act('Released', message, { do: 'annotateRevision', revision: revision.name, set });
}

/** The oldest release beyond the history limit; never the one that serves. */
function prune(seen: Snapshot): Decision | undefined {
  const record = seen.deployment?.record;
  const keep = new Set([
    record?.release,
    record?.stable,
    seen.wanted.known ? seen.wanted.value.release.hash : undefined,
  ]);
  const past = seen.revisions.filter(({ release: { hash } }) => !keep.has(hash));
  const [oldest] = past;
  if (!oldest || past.length <= seen.app.spec.rollout.revisionHistoryLimit) return undefined;
  return act('AsExpected', `${oldest.name} is beyond revisionHistoryLimit`, {
    do: 'deleteRevision',
    revision: oldest.name,
  });
}

const nameOf = (revision: Revision | undefined): string =>
  revision ? versionOf(revision.release.image) : 'the release';
