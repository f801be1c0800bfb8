import { expect, test } from '@jest/globals';
import { decide } from '../plan.ts';
import type { Revision, Snapshot } from '../snapshot.ts';
import { at, carrying, deployment, incident, revision, snapshot, wanted } from '../testing.ts';
import { admission } from './admission.ts';
import { pruning } from './pruning.ts';

const DAY = 86_400;
const many = (count: number, from: number, make: (hash: string) => Revision): Revision[] =>
  Array.from({ length: count }, (_, index) => make(`v${from + index}`));

/** Passes until nothing is left to be tidied. */
function tidied(seen: Snapshot): Snapshot {
  const action = decide(seen).action;
  if (action?.do === 'rememberRefusals' && seen.deployment)
    return tidied({ ...seen, deployment: { ...seen.deployment, refusals: action.refusals } });
  if (action?.do !== 'deleteRevision') return seen;
  const isLeft = ({ name }: { name: string }) => name !== action.revision;
  const { revisions, incidents = [] } = seen;
  return tidied({ ...seen, revisions: revisions.filter(isLeft), incidents: incidents.filter(isLeft) });
}

const served = many(5, 1, hash => revision(hash, 'released'));
const refused = many(20, 6, hash => revision(hash, 'rejected'));

test('twenty bad releases in a row leave every release that served, and the three newest of their own', () => {
  const seen = carrying(
    { release: 'v5', stable: 'v5' },
    {},
    { revisions: [...served, ...refused], wanted: wanted('v5') },
  );
  const left = tidied(seen).revisions.map(({ release }) => release.hash);
  expect(left).toEqual(['v1', 'v2', 'v3', 'v4', 'v5', 'v23', 'v24', 'v25']);
});

test('what was rejected stays rejected when it is forgotten otherwise, and is asked for again', () => {
  const token = { retryToken: 'monday', attempt: 2 };
  const revisions = [...served, revision('v6', 'rejected', token), ...refused.slice(1)];
  const { deployment: kept } = tidied(
    carrying({ release: 'v5', stable: 'v5' }, {}, { revisions, wanted: wanted('v5') }),
  );
  const asked = snapshot({ ...(kept && { deployment: kept }), revisions: served, wanted: wanted('v6') });
  const made = admission(asked);
  if (made.kind !== 'act' || made.action.do !== 'createRevision') throw new Error('it is not written down');
  expect(JSON.parse(made.action.set?.['devshelf.dev/verdict'] ?? '')).toMatchObject({ verdict: 'rejected' });
  expect(made.action.set).toMatchObject({ 'devshelf.dev/retry-token': 'monday', 'devshelf.dev/attempt': '2' });
});

test('a hundred refusals are kept, the newest', () => {
  const refusals = Array.from({ length: 100 }, (_, n) => ({ hash: `old${n}`, reason: 'Regression', attempt: 1 }));
  const seen = snapshot({
    deployment: deployment({}, { refusals }),
    revisions: [...served, ...refused],
    wanted: wanted('v1'),
  });
  const kept = tidied(seen).deployment?.refusals ?? [];
  expect(kept).toHaveLength(100);
  expect(kept.at(-1)?.hash).toBe('v22');
  expect(kept[0]?.hash).toBe('old17');
});

test('one that served after another try is no refused one when it is forgotten', () => {
  const refusals = [{ hash: 'v2', reason: 'Regression', attempt: 1 }];
  const revisions = many(8, 1, hash => revision(hash, 'released'));
  const seen = carrying({ release: 'v8', stable: 'v8' }, { refusals }, { revisions, wanted: wanted('v8') });
  expect(tidied(seen).deployment?.refusals).toEqual([]);
});

test.each([
  ['twenty are kept', Array.from({ length: 20 }, (_, n) => incident(`v${n + 2}`, at(n - DAY))), undefined],
  [
    'of more the oldest goes',
    Array.from({ length: 21 }, (_, n) => incident(`v${n + 2}`, at(n - DAY))),
    'shop-incident-v2-1',
  ],
  ['ninety days', [incident('v9', at(-91 * DAY)), incident('v10', at(-89 * DAY))], 'shop-incident-v9-1'],
])('incidents: %s', (_sentence, incidents, gone) => {
  const decision = pruning(snapshot({ incidents }));
  expect(
    decision?.kind === 'act' && decision.action.do === 'deleteRevision' ? decision.action.revision : undefined,
  ).toBe(gone);
});

test('nothing goes while something is under way', () => {
  expect(pruning(carrying({ phase: 'Baking' }, {}, { revisions: [...served, ...refused] }))).toBeUndefined();
});
