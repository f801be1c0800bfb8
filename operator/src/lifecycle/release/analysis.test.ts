import { expect, test } from '@jest/globals';
import type { Decision } from '../decision.ts';
import type { Snapshot } from '../snapshot.ts';
import { app, held, judgement, snapshot } from '../testing.ts';
import { analysis } from './analysis.ts';

const settings = (change: object) => ({ app: app({ rollout: { analysis: change } }) });

test.each<[string, Snapshot, Decision['kind'], string, string]>([
  ['analysis is off', held(settings({ policy: 'Disabled' })), 'proceed', 'True', 'AnalysisDisabled'],
  ['no candidate is held', snapshot(), 'proceed', 'True', 'AnalysisPassed'],
  ['nothing was read yet', held(), 'wait', 'Unknown', 'Analysing'],
  [
    'what was read is about another release',
    held({ judgement: judgement('Good', 'v1') }),
    'wait',
    'Unknown',
    'Analysing',
  ],
  ['the evidence does not suffice yet', held({ judgement: judgement('Pending') }), 'wait', 'Unknown', 'Analysing'],
  ['it is good', held({ judgement: judgement('Good') }), 'proceed', 'True', 'AnalysisPassed'],
  ['it is bad and only observed', held({ judgement: judgement('Bad') }), 'proceed', 'False', 'Regression'],
  [
    'both releases fail alike',
    held({ judgement: judgement('DependencyDegraded') }),
    'wait',
    'Unknown',
    'DependencyDegraded',
  ],
  ['there is too much to do', held({ judgement: judgement('Overloaded') }), 'wait', 'Unknown', 'Overloaded'],
  ['too few requests', held({ judgement: judgement('Insufficient') }), 'wait', 'Unknown', 'InsufficientTraffic'],
  [
    'too few requests, and that is accepted',
    held({ judgement: judgement('Insufficient'), ...settings({ onInsufficientTraffic: 'Promote' }) }),
    'proceed',
    'False',
    'InsufficientTraffic',
  ],
  ['its metrics cannot be read', held({ judgement: judgement('Blind') }), 'wait', 'Unknown', 'Blind'],
  [
    'they cannot, and that is accepted',
    held({ judgement: judgement('Blind'), ...settings({ onBlind: 'Promote' }) }),
    'proceed',
    'False',
    'Blind',
  ],
  [
    'they cannot, and that is not accepted',
    held({ judgement: judgement('Blind'), ...settings({ onBlind: 'Rollback' }) }),
    'act',
    'Unknown',
    'Blind',
  ],
])('%s', (_sentence, seen, kind, status, reason) => {
  expect(analysis(seen)).toMatchObject({ kind, condition: { type: 'AnalysisPassed', status, reason } });
});

test('what cannot be read is taken back as rejected', () => {
  const decision = analysis(held({ judgement: judgement('Blind'), ...settings({ onBlind: 'Rollback' }) }));
  expect(decision).toMatchObject({
    action: { record: { phase: 'RollingBack', release: 'v1', withdrawn: { verdict: 'rejected', reason: 'Blind' } } },
  });
});

test('a pass by policy names the figures', () => {
  const seen = held({ judgement: judgement('Insufficient'), ...settings({ onInsufficientTraffic: 'Promote' }) });
  expect(analysis(seen).condition.message).toBe(
    '0 of 24 requests failed; promoted because onInsufficientTraffic is Promote',
  );
});

test('while it is judged, what the judgement waits for is said', () => {
  const seen = held({ judgement: { ...judgement('Pending'), pending: 'suspicious, still counting' } });
  expect(analysis(seen).condition.message).toBe(
    'the candidate is judged (suspicious, still counting): at least 30 s and 50 requests',
  );
});
