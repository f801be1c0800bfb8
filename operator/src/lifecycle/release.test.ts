import { expect, test } from '@jest/globals';
import type { Decision } from './decision.ts';
import { release } from './release.ts';
import type { Snapshot } from './snapshot.ts';
import { app, at, carrying, fresh, judgement, revision, wanted } from './testing.ts';

const serving = (change: Partial<Snapshot> = {}): Snapshot => carrying({}, {}, { wanted: wanted('v1'), ...change });
const past = ['v1', 'v2', 'v3', 'v4'].map(hash => revision(hash, 'released'));
const keeps = (revisionHistoryLimit: number) => ({ app: app({ rollout: { revisionHistoryLimit } }) });
const baked = (change: Partial<Snapshot> = {}): Snapshot =>
  carrying({ phase: 'Baking', release: 'v2', stable: 'v1', stableErrorRatio: 0.001, candidatePods: 1 }, {}, change);

test.each<[string, Snapshot, Decision['kind'], string]>([
  ['there is no Deployment yet', fresh(), 'wait', 'Progressing'],
  ['everything is as it should be', serving(), 'proceed', 'AsExpected'],
  ['the verdict is written down first', baked(), 'act', 'Released'],
  ['then the release is stable', baked({ revisions: [revision('v2', 'released')] }), 'act', 'Released'],
  ['a revision that somebody deleted holds nothing up', baked({ revisions: [] }), 'act', 'Released'],
  ['as many past releases as are to be remembered', serving({ revisions: past, ...keeps(3) }), 'proceed', 'AsExpected'],
  ['one more than are to be remembered', serving({ revisions: past, ...keeps(2) }), 'act', 'AsExpected'],
])('%s', (_sentence, seen, kind, reason) => {
  expect(release(seen)).toMatchObject({ kind, condition: { type: 'Ready', reason } });
});

const actionOf = (seen: Snapshot) => {
  const decision = release(seen);
  return decision.kind === 'act' ? decision.action : undefined;
};

test('the first figures are written down with the verdict', () => {
  const action = actionOf(baked({ judgement: judgement('Good') }));
  if (action?.do !== 'annotateRevision') throw new Error('nothing is written down');
  expect(JSON.parse(action.set['devshelf.dev/first-metrics'] ?? '')).toEqual({ requests_total: 24, error_percent: 0 });
  expect(JSON.parse(action.set['devshelf.dev/verdict'] ?? '')).toMatchObject({ verdict: 'released', at: at(0) });
});

test('what was known only for the rollout is forgotten', () => {
  expect(actionOf(baked({ revisions: [revision('v2', 'released')] }))).toEqual({
    do: 'setRecord',
    record: { phase: 'Settled', release: 'v2', stable: 'v2', since: at(0) },
  });
});

test('the oldest goes first, never the one that serves', () => {
  expect(actionOf(serving({ revisions: past, ...keeps(2) }))).toEqual({ do: 'deleteRevision', revision: 'shop-v2' });
});
