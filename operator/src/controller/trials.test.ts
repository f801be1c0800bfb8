import { expect, test } from '@jest/globals';
import { formatRecord, parseRecord, type RolloutRecord } from '../api/rollout.ts';
import { app, at, T0 } from '../lifecycle/testing.ts';
import { trialOf } from './trials.ts';

const record: RolloutRecord = {
  ...{ phase: 'Baking', release: 'v2', stable: 'v1', since: at(0) },
  ...{ stableErrorRatio: 0.01, borne: { all: 40, perPod: 10 } },
};

test('a bake knows what the service served before, after a restart of the operator, too', () => {
  const read = parseRecord(formatRecord(record));
  if (read === undefined || read === 'later') throw new Error('the record cannot be read');
  expect(trialOf(app(), read)).toEqual({
    ...{ mode: 'bake', release: 'v2', startedAt: T0 },
    ...{ stableErrorRatio: 0.01, borne: { all: 40, perPod: 10 } },
  });
});

test('a candidate is compared with the pods beside it, and with nothing of before', () => {
  expect(trialOf(app(), { ...record, phase: 'Candidate' })).toEqual({
    ...{ mode: 'canary', release: 'v2', baseline: 'v1', startedAt: T0 },
  });
});
