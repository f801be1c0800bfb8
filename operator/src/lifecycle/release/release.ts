// Dashboard runbook, "Tagging", steps 4 and 5: the release is the new stable, and its first figures are written down.
import { about, type Decision, type Stage } from '../decision.ts';
import { inPhase, iso, type Revision, revisionOf, type Snapshot, versionOf } from '../snapshot.ts';
import { type FirstMetrics, firstMetrics, releasedAnnotations, whyUnread } from './first-metrics.ts';

const { act, proceed, wait } = about('Ready');

export const release: Stage = seen => {
  const record = seen.deployment?.record;
  const revision = revisionOf(seen, record?.release);
  if (!record) return wait('Progressing', 'the Deployment is being made', 1_000);
  if (inPhase(seen, 'Settled')) return proceed('AsExpected', `${nameOf(revision)} serves`);
  if (revision && revision.verdict.verdict !== 'released') return writeDown(seen, revision);
  const {
    withdrawn: _past,
    stableErrorRatio: _baseline,
    held: _decided,
    contract: _over,
    trial: _written,
    borne: _load,
    heldBy: _held,
    byHand: _promoted,
    again: _told,
    ...rest
  } = record;
  return act(
    'Released',
    `${nameOf(revision)} is the stable release`,
    { do: 'setRecord', record: { ...rest, phase: 'Settled', stable: record.release, since: iso(seen.now) } },
    'Normal',
  );
};

function writeDown(seen: Snapshot, revision: Revision): Decision {
  const first = firstMetrics(seen, seen.deployment?.record.stable === undefined ? 'FirstInstall' : 'Bake');
  const message = figures(seen, first);
  const set = releasedAnnotations(seen, message, first);
  return act('Released', message, { do: 'annotateRevision', revision: revision.name, set });
}

function figures(seen: Snapshot, first: FirstMetrics): string {
  if (first.from === undefined) return `not watched while baking: ${whyUnread(seen)}`;
  const p95 = first.p95_ms === undefined ? '' : `, p95 ${Math.round(first.p95_ms)} ms`;
  return `${first.requests_total} requests while baking, ${first.errors} of them 5xx${p95}`;
}

const nameOf = (revision: Revision | undefined): string =>
  revision ? versionOf(revision.release.image) : 'the release';
