import { expect, test } from '@jest/globals';
import { dependencies } from './dependencies.ts';
import type { Snapshot } from './snapshot.ts';
import { held, snapshot } from './testing.ts';

const secretMissing = { reason: 'SecretMissing', message: 'Secret db does not exist' } as const;
const keyMissing = { reason: 'SecretKeyMissing', message: 'Secret redis has no key REDIS_URL' } as const;
const unread = { known: false, why: 'a reference is missing' } as const;

test.each<[string, Snapshot, string, string, string]>([
  ['everything is there', snapshot(), 'proceed', 'True', 'DependenciesPresent'],
  ['a Secret is missing', snapshot({ missing: [secretMissing], wanted: unread }), 'wait', 'Unknown', 'SecretMissing'],
  [
    'the first of several missing ones gives the reason',
    snapshot({ missing: [keyMissing, secretMissing], wanted: unread }),
    'wait',
    'Unknown',
    'SecretKeyMissing',
  ],
  [
    'a Secret could not be read',
    snapshot({ wanted: { known: false, why: 'GET secrets/db: 503' } }),
    'wait',
    'Unknown',
    'DependencyUnreadable',
  ],
  [
    'a rollout that has begun goes on without them, and says so',
    held({ missing: [secretMissing], wanted: unread }),
    'proceed',
    'False',
    'SecretMissing',
  ],
])('%s', (_sentence, seen, kind, status, reason) => {
  expect(dependencies(seen)).toMatchObject({ kind, condition: { type: 'DependenciesReady', status, reason } });
});

test('every missing reference is named', () => {
  const { condition } = dependencies(snapshot({ missing: [keyMissing, secretMissing], wanted: unread }));
  expect(condition.message).toContain(keyMissing.message);
  expect(condition.message).toContain(secretMissing.message);
});
