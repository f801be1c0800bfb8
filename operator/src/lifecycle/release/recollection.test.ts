import { expect, test } from '@jest/globals';
import { deployment, held, revision, snapshot, wanted } from '../testing.ts';
import { recollection } from './recollection.ts';

const onlyNewest = { revisions: [revision('v2', 'pending')] };

test.each([
  ['all are remembered', snapshot(), undefined],
  ['the serving release is forgotten', snapshot(onlyNewest), 'v1'],
  ['the stable release is forgotten while a candidate is held', held(onlyNewest), 'v1'],
  ['the candidate is forgotten', held({ revisions: [revision('v1', 'released')] }), undefined],
  ['the spec asks for the forgotten one', snapshot({ revisions: [], wanted: wanted('v1') }), 'v1'],
  ['nothing runs', snapshot({ revisions: [], deployment: undefined as never }), undefined],
])('%s', (_case, seen, hash) => {
  const decision = recollection(seen);
  const action = decision?.kind === 'act' ? decision.action : undefined;
  expect(action).toEqual(hash === undefined ? undefined : expect.objectContaining({ do: 'recoverRevision', hash }));
});

test('a recovered stable release may be gone back to, one that was not proven stays unproven', () => {
  const verdictOf = (record: Parameters<typeof deployment>[0]) => {
    const decision = recollection(snapshot({ ...onlyNewest, deployment: deployment(record) }));
    if (decision?.kind !== 'act' || decision.action.do !== 'recoverRevision') throw new Error('not recovered');
    return JSON.parse(`${decision.action.set['devshelf.dev/verdict']}`).verdict;
  };
  expect(verdictOf({})).toBe('released');
  expect(verdictOf({ phase: 'Baking', stable: 'v2' })).toBe('pending');
});
