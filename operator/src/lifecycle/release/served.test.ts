import { expect, test } from '@jest/globals';
import { decide } from '../plan.ts';
import type { Revision, Snapshot } from '../snapshot.ts';
import { at, carrying, revision, wanted } from '../testing.ts';
import { served } from './served.ts';

const v = (hash: string, from?: number, to?: number): Revision =>
  revision(hash, 'released', {
    ...(from !== undefined && { served: { from: at(from), ...(to !== undefined && { to: at(to) }) } }),
  });
const settled = (revisions: readonly Revision[], release = 'v2'): Snapshot =>
  carrying({ release, stable: release, since: at(-10) }, {}, { revisions, wanted: wanted(release) });

test.each<[string, readonly Revision[], string, unknown]>([
  ['the one before it served until it began to', [v('v1', -900), v('v2', -60)], 'v2', ['shop-v1', -900, -60]],
  [
    'several that nobody wrote down until now: the oldest until the second began',
    [v('v1', -900), v('v2', -300), v('v3', -60)],
    'v3',
    ['shop-v1', -900, -300],
  ],
  ['nothing is left to say', [v('v1', -900, -60), v('v2', -60)], 'v2', undefined],
  ['one that is gone back to serves anew', [v('v1', -900, -60), v('v2', -60)], 'v1', ['shop-v1', -10]],
  ['and then the one between has ended', [v('v1', -10), v('v2', -60)], 'v1', ['shop-v2', -60, -10]],
  ['one that never served is not said to have', [v('v1'), v('v2', -60)], 'v2', undefined],
  ['nobody knows when what serves began', [v('v1', -900), v('v2')], 'v2', ['shop-v1', -900, -10]],
])('%s', (_sentence, revisions, release, expected) => {
  const decision = served(settled(revisions, release));
  if (expected === undefined) return expect(decision).toBeUndefined();
  const [name, from, to] = expected as [string, number, number?];
  const text = JSON.stringify({ from: at(from), ...(to !== undefined && { to: at(to) }) });
  const action = { do: 'annotateRevision', revision: name, set: { 'devshelf.dev/served': text } };
  expect(decision).toMatchObject({ action });
  // in its turn, beside a resource that is as it should be
  expect(decide(settled(revisions, release)).action).toEqual(action);
});

test('not while something is under way', () => {
  const seen = settled([v('v1', -900), v('v2', -60)]);
  const { deployment } = seen;
  if (!deployment) throw new Error('no Deployment');
  const baking = { ...deployment, record: { ...deployment.record, phase: 'Baking' as const } };
  expect(served({ ...seen, deployment: baking })).toBeUndefined();
});
