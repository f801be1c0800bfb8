import { expect, test } from '@jest/globals';
import type { Decision } from '../decision.ts';
import { decide } from '../plan.ts';
import { everContracted } from '../schema/result.ts';
import type { Gone, Revision, Snapshot } from '../snapshot.ts';
import { app, at, carrying, fresh, judgement, migrated, revision, snapshot, T0, wanted } from '../testing.ts';
import { pruning } from './pruning.ts';
import { release } from './release.ts';

const serving = (change: Partial<Snapshot> = {}): Snapshot => carrying({}, {}, { wanted: wanted('v1'), ...change });
const past = ['v1', 'v2', 'v3', 'v4'].map(hash => revision(hash, 'released'));
const keeps = (revisionHistoryLimit: number) => ({ app: app({ rollout: { revisionHistoryLimit } }) });
const baked = (change: Partial<Snapshot> = {}): Snapshot =>
  carrying({ phase: 'Baking', release: 'v2', stable: 'v1', stableErrorRatio: 0.001 }, {}, change);

test.each<[string, Snapshot, Decision['kind'], string]>([
  ['there is no Deployment yet', fresh(), 'wait', 'Progressing'],
  ['everything is as it should be', serving(), 'proceed', 'AsExpected'],
  ['the verdict is written down first', baked(), 'act', 'Released'],
  ['then the release is stable', baked({ revisions: [revision('v2', 'released')] }), 'act', 'Released'],
  ['a revision that somebody deleted holds nothing up', baked({ revisions: [] }), 'act', 'Released'],
])('%s', (_sentence, seen, kind, reason) => {
  expect(release(seen)).toMatchObject({ kind, condition: { type: 'Ready', reason } });
});

const actionOf = (seen: Snapshot) => {
  const decision = release(seen);
  return decision.kind === 'act' ? decision.action : undefined;
};

test('the first figures are written down with the verdict', () => {
  const p95 = { ms: 41.25, source: 'http_request_duration_seconds' };
  const window = { from: T0 - 60_000, requests: 1246, errors: 30, p95 };
  const action = actionOf(baked({ judgement: { ...judgement('Good'), window } }));
  if (action?.do !== 'annotateRevision') throw new Error('nothing is written down');
  expect(JSON.parse(action.set['devshelf.dev/first-metrics'] ?? '')).toEqual({
    ...{ window: 'Bake', from: at(-60), to: at(0) },
    ...{ requests_total: 1246, errors: 30, error_percent: 2.41 },
    ...{ p95_ms: 41.25, p95_source: p95.source },
  });
  expect(JSON.parse(action.set['devshelf.dev/verdict'] ?? '')).toMatchObject({
    ...{ verdict: 'released', at: at(0), message: '1246 requests while baking, 30 of them 5xx, p95 41 ms' },
  });
});

test.each<[string, Partial<Snapshot>, string]>([
  ['analysis is off', { app: app({ rollout: { analysis: { policy: 'Disabled' } } }) }, 'analysis is off'],
  ['no pod could be read', { judgement: { ...judgement('Blind'), message: 'unread for 30 s' } }, 'unread for 30 s'],
])('where nothing was read no figures are told: %s', (_case, change, why) => {
  expect(release(baked(change)).condition.message).toBe(`not watched while baking: ${why}`);
});

const trial = {
  ...{ verdict: 'Good', at: at(-1_800) },
  ...{ candidate: { requests: 120, errors: 0, p95Ms: 41.25 }, baseline: { requests: 350, errors: 1 } },
};

test('what it was promoted on is written down with it', () => {
  const seen = carrying({ phase: 'Baking', release: 'v2', stable: 'v1', trial });
  const action = actionOf(seen);
  if (action?.do !== 'annotateRevision') throw new Error('nothing is written down');
  expect(JSON.parse(action.set['devshelf.dev/trial'] ?? '')).toEqual(trial);
});

test('what was known only for the rollout is forgotten', () => {
  const over = { phase: 'Baking', release: 'v2', stable: 'v1', stableErrorRatio: 0.001, trial } as const;
  expect(actionOf(carrying(over, {}, { revisions: [revision('v2', 'released')] }))).toEqual({
    do: 'setRecord',
    record: { phase: 'Settled', release: 'v2', stable: 'v2', since: at(0), version: 2 },
  });
});

const forgets = (seen: Snapshot) => {
  const decision = pruning(seen);
  return decision?.kind === 'act' && decision.action.do === 'deleteRevision' ? decision.action.revision : undefined;
};

test.each([
  ['as many past releases as are to be remembered', serving({ revisions: past, ...keeps(3) }), undefined],
  ['one more: the oldest goes, never the one that serves', serving({ revisions: past, ...keeps(2) }), 'shop-v2'],
  ['nor the one that is asked for', serving({ revisions: past, wanted: wanted('v2'), ...keeps(1) }), 'shop-v3'],
  ['not while something is under way', baked({ revisions: past, ...keeps(1) }), undefined],
])('%s', (_sentence, seen, name) => {
  expect(forgets(seen)).toBe(name);
});

test('what a release took out of the schema is remembered longer than the release', () => {
  const took = (hash: string, id: string, day: number) => ({
    ...revision(hash, 'released'),
    migration: migrated(hash, { contracted: [id], contractedAt: `2026-11-0${day}T00:00:00Z` }),
  });
  const revisions = [
    took('v1', '20261103_own', 3),
    took('v2', '20261101_first', 1),
    took('v3', '20261102_next', 2),
    revision('v4', 'released'),
  ];
  const noted = (seen: Snapshot): Gone => {
    const decision = pruning(seen);
    if (decision?.kind !== 'act' || decision.action.do !== 'annotateRevision') throw new Error('nothing is noted');
    expect(decision.action.revision).toBe('shop-v1');
    return JSON.parse(decision.action.set['devshelf.dev/gone'] ?? '');
  };
  const [own, oldest, next, newest] = revisions as [Revision, Revision, Revision, Revision];
  const gone = noted(serving({ revisions, ...keeps(2) }));
  expect(gone).toEqual({ ids: ['20261101_first'], at: '2026-11-01T00:00:00Z' });
  const keeper = { ...own, gone };
  expect(forgets(serving({ revisions: [keeper, oldest, next, newest], ...keeps(2) }))).toBe('shop-v2');
  const both = noted(serving({ revisions: [keeper, next, newest], ...keeps(1) }));
  expect(both).toEqual({ ids: ['20261101_first', '20261102_next'], at: '2026-11-02T00:00:00Z' });
  const left = serving({ revisions: [{ ...own, gone: both }] });
  expect([...everContracted(left)].sort()).toEqual(['20261101_first', '20261102_next', '20261103_own']);
});

test('rejected releases are forgotten, too, although the newest was rejected', () => {
  const rejected = ['v2', 'v3', 'v4', 'v5', 'v6'].map(hash => revision(hash, 'rejected'));
  const seen = snapshot({ revisions: [revision('v1', 'released'), ...rejected], wanted: wanted('v6') });
  expect(decide(seen).action).toMatchObject({ do: 'rememberRefusals', refusals: [{ hash: 'v2' }] });
});
