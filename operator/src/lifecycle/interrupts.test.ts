import { expect, test } from '@jest/globals';
import { deletion } from './release/deletion.ts';
import { paused } from './release/paused.ts';
import { app, fresh, held, snapshot, wanted } from './testing.ts';

const stop = { app: app({ paused: true }) };

test.each([
  ['not paused', snapshot(), undefined],
  ['paused with a new release', snapshot(stop), 'Paused'],
  ['paused before the first install', fresh(stop), 'Paused'],
  ['paused while a candidate is held', held(stop), 'Paused'],
  ['paused with nothing to do', snapshot({ ...stop, wanted: wanted('v1') }), undefined],
])('%s', (_sentence, seen, reason) => {
  expect(paused(seen)?.condition.reason).toBe(reason);
});

test('a resource that is being deleted does nothing more', () => {
  expect(deletion(snapshot())).toBeUndefined();
  expect(deletion(held({ app: app({}, { deletionTimestamp: '2026-03-01T12:00:00Z' }) }))).toMatchObject({
    kind: 'wait',
    condition: { reason: 'Deleting' },
  });
});
