import { expect, test } from '@jest/globals';
import { at, fresh, revision, snapshot } from '../testing.ts';
import { restoration } from './restoration.ts';

const released = (hash: string, seconds: number) =>
  revision(hash, 'released', { verdict: { verdict: 'released', reason: 'Released', message: '', at: at(seconds) } });

test.each([
  ['the Deployment is there', snapshot()],
  ['nothing was ever released', fresh({ revisions: [revision('v1', 'pending'), revision('v2', 'rejected')] })],
])('nothing to restore: %s', (_sentence, seen) => {
  expect(restoration(seen)).toBeUndefined();
});

test('what was found good last serves again, whatever the spec wants', () => {
  const revisions = [released('v1', -10), released('v2', -300), revision('v3', 'rejected')];
  expect(restoration(fresh({ revisions }))).toMatchObject({
    kind: 'act',
    announce: { type: 'Warning' },
    action: { do: 'setRecord', record: { phase: 'Settled', release: 'v1', stable: 'v1' } },
  });
});
