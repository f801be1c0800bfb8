import { expect, test } from '@jest/globals';
import type { IncidentSummary } from '../../api/incident.ts';
import { decide } from '../plan.ts';
import type { Snapshot } from '../snapshot.ts';
import { app, at, carrying, held, judgement, revision, T0, wanted } from '../testing.ts';
import { pruning } from './pruning.ts';

const told = (reason: string, change: Parameters<typeof app>[0] = {}) => {
  const base = app(change);
  const conditions = [
    {
      type: 'AnalysisPassed',
      status: 'Unknown',
      reason,
      message: '',
      observedGeneration: 1,
      lastTransitionTime: at(-5),
    },
  ] as const;
  return { ...base, status: { ...base.status, conditions } } as unknown as ReturnType<typeof app>;
};
const HOLDS = { rollout: { analysis: { policy: 'Hold' } } } as const;
const lasting = (seconds: number, change: Partial<Snapshot> = {}): Snapshot =>
  held({
    app: told('DependencyDegraded'),
    judgement: { ...judgement('DependencyDegraded'), since: T0 - seconds * 1_000 },
    ...change,
  });
const written = (kind: IncidentSummary['kind'], attempt = 1): IncidentSummary => ({
  ...{ name: `shop-${kind}-v2-${attempt}`, number: 9, release: 'v2', attempt, at: at(-1) },
  ...{ reason: 'x', failedImage: 'shop:2', message: '', ...(kind && { kind }) },
});

const recordOf = (seen: Snapshot) => {
  const { action } = decide(seen);
  return action?.do === 'createIncident' ? action.record : undefined;
};

test.each<[string, Snapshot, object | undefined]>([
  [
    'bad under Hold: a person is waited for',
    held({ app: told('Held', HOLDS), judgement: judgement('Bad') }),
    {
      kind: 'held',
      reason: 'Held',
      failed: { hash: 'v2', image: 'example/dashboard:2', attempt: 1 },
      phase: 'Candidate',
    },
  ],
  ['it is told first', held({ app: app(HOLDS), judgement: judgement('Bad') }), undefined],
  [
    'no traffic: a person is waited for',
    held({ app: told('InsufficientTraffic'), judgement: judgement('Insufficient') }),
    { kind: 'held', reason: 'InsufficientTraffic' },
  ],
  [
    'written once for each try',
    held({ app: told('InsufficientTraffic'), judgement: judgement('Insufficient'), standing: [written('held')] }),
    undefined,
  ],
  [
    'what was written of an earlier try is another',
    held({ app: told('InsufficientTraffic'), judgement: judgement('Insufficient'), standing: [written('held', 7)] }),
    { kind: 'held' },
  ],
  ['a hiccup is no outage', lasting(60), undefined],
  ['what lasts over a minute is one', lasting(61), { kind: 'outage', reason: 'DependencyDegraded' }],
  ['written once', lasting(600, { standing: [written('outage')] }), undefined],
  ['judged as any: nothing stands', held({ app: told('Analysing'), judgement: judgement('Pending') }), undefined],
])('%s', (_case, seen, expected) => {
  const record = recordOf(seen);
  if (expected === undefined) expect(record).toBeUndefined();
  else
    expect(record).toMatchObject({ schema: 1, decidedBy: { who: 'operator' }, restored: { hash: 'v1' }, ...expected });
});

test('who asked for it to be held stands in its record', () => {
  const message = 'held';
  const asked = { hold: { request: 'v2 now: look at it', result: 'Done', at: at(-9), message } } as const;
  const seen = held({ app: told('Held'), judgement: judgement('Good') });
  const record = { ...seen.deployment?.record, heldBy: 'asked for at noon', asked };
  const deployment = { ...seen.deployment, record } as NonNullable<Snapshot['deployment']>;
  const annotated = told('Held');
  const metadata = { ...annotated.metadata, annotations: { 'devshelf.dev/hold': 'v2 now: look at it' } };
  expect(recordOf({ ...seen, deployment, app: { ...annotated, metadata } })).toMatchObject({
    kind: 'held',
    decidedBy: { who: 'person', text: 'v2 now: look at it' },
  });
});

test('it is counted with the releases', () => {
  const stands = { app: told('InsufficientTraffic'), judgement: judgement('Insufficient') };
  const { action } = decide(held({ ...stands, standing: [written('outage')] }));
  expect(action).toMatchObject({ do: 'createIncident', revision: 10 });
});

test('beyond what is kept the oldest leaves, whatever it tells of', () => {
  const kept = (limit: number, days = 90) =>
    pruning(
      carrying(
        {},
        {},
        {
          app: app({ rollout: { incidents: { limit, days } } }),
          wanted: wanted('v1'),
          revisions: [revision('v1', 'released')],
          incidents: [{ ...written(undefined), name: 'younger', at: at(-10) }],
          standing: [{ ...written('held'), name: 'older', at: at(-20) }],
        },
      ),
    );
  expect(kept(2)).toBeUndefined();
  expect(kept(1)).toMatchObject({ action: { do: 'deleteRevision', revision: 'older' } });
});
