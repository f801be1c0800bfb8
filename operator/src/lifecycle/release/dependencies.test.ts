import { expect, test } from '@jest/globals';
import type { AppResource } from '../../api/resource.ts';
import { decide } from '../plan.ts';
import type { Snapshot } from '../snapshot.ts';
import { app, at, deployment, held, judgement, pod, snapshot } from '../testing.ts';
import { dependencies } from './dependencies.ts';

const secretMissing = { reason: 'SecretMissing', message: 'Secret db does not exist' } as const;
const keyMissing = { reason: 'SecretKeyMissing', message: 'Secret redis has no key REDIS_URL' } as const;
/** It was said so this long ago. */
const since = (seconds: number, status: 'Unknown' | 'False' = 'Unknown'): AppResource => {
  const said = { type: 'DependenciesReady', status, reason: 'SecretMissing', message: '', observedGeneration: 3 };
  return { ...app(), status: { observedGeneration: 3, conditions: [{ ...said, lastTransitionTime: at(-seconds) }] } };
};
const gone = { missing: [secretMissing], wanted: { known: false, why: 'a reference is missing' } } as const;
const unread = { known: false, why: 'a reference is missing' } as const;

test.each<[string, Snapshot, string, string, string]>([
  ['everything is there', snapshot(), 'proceed', 'True', 'DependenciesPresent'],
  ['a Secret is missing', snapshot({ missing: [secretMissing], wanted: unread }), 'wait', 'Unknown', 'SecretMissing'],
  ['it has been for less than two minutes', snapshot({ ...gone, app: since(119) }), 'wait', 'Unknown', 'SecretMissing'],
  ['after two minutes a person is called', snapshot({ ...gone, app: since(120) }), 'fail', 'False', 'SecretMissing'],
  ['who was called stays called', snapshot({ ...gone, app: since(1, 'False') }), 'fail', 'False', 'SecretMissing'],
  ['not in a rollout', held({ ...gone, app: since(600) }), 'proceed', 'False', 'SecretMissing'],
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
    'the seed of its releases’ hashes is not there yet',
    snapshot({ wanted: { known: false, why: 'Secret shop-release-seed is being made' }, lacksSeed: 'both' }),
    'act',
    'Unknown',
    'Minting',
  ],
  [
    'a rollout that has begun goes on without the seed, too',
    held({ wanted: { known: false, why: 'Secret shop-release-seed is being made' }, lacksSeed: 'both' }),
    'proceed',
    'False',
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

test('it is looked at again when the two minutes are over', () => {
  const recheckMs = (seconds: number) => dependencies(snapshot({ ...gone, app: since(seconds) }));
  expect(recheckMs(0)).toMatchObject({ recheckMs: 60_000 });
  expect(recheckMs(110)).toMatchObject({ recheckMs: 10_000 });
});

test('every missing reference is named', () => {
  const { condition } = dependencies(snapshot({ missing: [keyMissing, secretMissing], wanted: unread }));
  expect(condition.message).toContain(keyMissing.message);
  expect(condition.message).toContain(secretMissing.message);
});

const lost = (lacksSeed: 'copy' | 'both'): Partial<Snapshot> => ({
  wanted: { known: false, why: 'Secret shop-release-seed is being made' },
  lacksSeed,
});
const BAKING = { phase: 'Baking', release: 'v2', stable: 'v2', since: at(-10) } as const;
/** The first release answers with errors, and there is nobody to go back to: only a newer spec helps. */
const failing = (lacksSeed: 'copy' | 'both', change: Partial<Snapshot> = {}) =>
  snapshot({
    ...{
      deployment: deployment({ phase: 'Installing', release: 'v2', stable: 'v2', since: at(-60) }),
      pods: [pod('v2', 'shop-a')],
    },
    ...{ judgement: judgement('Bad'), ...lost(lacksSeed), ...change },
  });

test.each<[string, Snapshot, string | undefined]>([
  ['its copy is left', failing('copy'), 'mintSeed'],
  ['nothing is left of it, and nothing would happen any more', failing('both'), 'mintSeed'],
  ['it turns bad when it serves everybody', failing('copy', { deployment: deployment(BAKING) }), 'mintSeed'],
  ['a trial goes on, its copy is left', held(lost('copy')), 'mintSeed'],
  ['a trial goes on, nothing is left: it keeps its hash', held(lost('both')), undefined],
  ['the resource goes', failing('copy', { app: app({}, { deletionTimestamp: at(0) }) }), undefined],
])('the seed in a rollout that has begun: %s', (_sentence, seen, action) => {
  expect(decide(seen).action?.do).toBe(action);
});
