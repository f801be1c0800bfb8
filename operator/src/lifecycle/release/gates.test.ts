import { expect, test } from '@jest/globals';
import type { RolloutRecord } from '../../api/rollout.ts';
import { decide } from '../plan.ts';
import type { Snapshot } from '../snapshot.ts';
import { statusOf } from '../status.ts';
import { app, at, carrying, held, judgement, migrated, pod, revision, snapshot, wanted } from '../testing.ts';
import { gates } from './gates.ts';

const TIME = '2026-03-01T12:00:00Z';
const asks = (gate: string, text: string, policy = 'Rollback', spec: object = {}) => ({
  app: app({ rollout: { analysis: { policy } }, ...spec }, { annotations: { [`devshelf.dev/${gate}`]: text } }),
  writers: { requests: { [`devshelf.dev/${gate}`]: 'devshelf-cli' } },
});
const recordOf = (seen: Snapshot): RolloutRecord | undefined => {
  const { action } = decide(seen);
  return action?.do === 'setRecord' ? action.record : undefined;
};
const carriedBy = ({ deployment }: Snapshot): RolloutRecord => {
  if (!deployment) throw new Error('no Deployment');
  return deployment.record;
};
const settled = (change: Partial<Snapshot> = {}): Snapshot =>
  snapshot({
    deployment: carrying({ release: 'v2', stable: 'v2' }).deployment as NonNullable<Snapshot['deployment']>,
    revisions: [
      revision('v1', 'released', { served: { from: at(-9_000), to: at(-600) }, migration: migrated('v1') }),
      revision('v2', 'released', { served: { from: at(-600) }, migration: migrated('v2') }),
    ],
    pods: [pod('v2', 'a'), pod('v2', 'b')],
    ...change,
  });
const MORE = `v2 ${TIME} seen by hand`;

test.each<[string, Snapshot, object]>([
  [
    'promote lets on what is held for want of traffic',
    held({ ...asks('promote', MORE), judgement: judgement('Insufficient') }),
    { phase: 'Promoting', release: 'v2', byHand: expect.objectContaining({ phase: 'Candidate', by: 'devshelf-cli' }) },
  ],
  [
    'and what cannot be read',
    held({ ...asks('promote', MORE), judgement: judgement('Blind') }),
    { phase: 'Promoting', trial: expect.objectContaining({ verdict: 'Blind' }) },
  ],
  [
    'and what a person holds, judged or not',
    held({ ...asks('promote', MORE), judgement: judgement('Pending') }, { heldBy: 'asked for by ana' }),
    { phase: 'Promoting' },
  ],
  [
    'a bad one that is held, to whom its figures are known',
    held({ ...asks('promote', `v2 ${TIME} despite-evidence`, 'Hold'), judgement: judgement('Bad') }),
    { phase: 'Promoting', byHand: expect.objectContaining({ despite: expect.stringContaining('11 of 24') }) },
  ],
  [
    'one that was held in the middle of its promotion goes on',
    carrying(
      { phase: 'Promoting', release: 'v2', held: true },
      {},
      { ...asks('promote', `v2 ${TIME} despite-evidence`, 'Hold'), judgement: judgement('Bad') },
    ),
    { phase: 'Promoting', since: at(0), byHand: expect.anything() },
  ],
  [
    'hold keeps a candidate where it is',
    held({ ...asks('hold', MORE), judgement: judgement('Good') }),
    { phase: 'Candidate', heldBy: `asked for by devshelf-cli at ${at(0)}` },
  ],
  [
    'reject takes a candidate back',
    held({ ...asks('reject', MORE), judgement: judgement('Good') }),
    {
      phase: 'RollingBack',
      release: 'v1',
      withdrawn: expect.objectContaining({
        verdict: 'rejected',
        reason: 'RejectedByHand',
        facts: expect.objectContaining({ decidedBy: { who: 'person', by: 'devshelf-cli', text: MORE } }),
      }),
    },
  ],
  [
    'also a bad one that is held',
    held({ ...asks('reject', MORE, 'Hold'), judgement: judgement('Bad') }),
    { phase: 'RollingBack' },
  ],
  ['also while paused', held(asks('reject', MORE, 'Rollback', { paused: true })), { phase: 'RollingBack' }],
  [
    'one that bakes',
    carrying({ phase: 'Baking', release: 'v2' }, {}, asks('reject', MORE)),
    { phase: 'RollingBackAll', release: 'v1' },
  ],
  [
    'one that is long stable: the one that served before comes back',
    settled(asks('reject', MORE)),
    { phase: 'RollingBackAll', release: 'v1', stable: 'v1' },
  ],
])('%s', (_sentence, seen, next) => {
  const record = recordOf(seen);
  expect(record).toMatchObject(next);
  expect(record?.heldBy === undefined || record.phase === 'Candidate').toBe(true);
  expect(record?.held).toBeUndefined();
  expect(Object.values(record?.asked ?? {})).toEqual([expect.objectContaining({ result: 'Done', at: at(0) })]);
});

test.each<[string, Snapshot, string]>([
  [
    'bad, and the policy Hold, without the word',
    held({ ...asks('promote', MORE, 'Hold'), judgement: judgement('Bad') }),
    'say "v2 TIME despite-evidence"',
  ],
  [
    'bad beyond its bake, and the policy Rollback',
    carrying(
      { phase: 'Baking', release: 'v2', since: at(-90_000) },
      {},
      { ...asks('promote', `v2 ${TIME} despite-evidence`), judgement: judgement('Bad') },
    ),
    'it is never promoted',
  ],
  ['it is being judged', held({ ...asks('promote', MORE), judgement: judgement('Pending') }), 'is being judged'],
  [
    'its pods are not ready',
    held({
      ...asks('promote', MORE),
      judgement: judgement('Insufficient'),
      pods: [pod('v1', 'a'), pod('v1', 'b'), pod('v2', 'c', { ready: false })],
    }),
    '0 of 1 candidate pods ready',
  ],
  [
    'what they share is at fault',
    held({ ...asks('promote', MORE), judgement: judgement('DependencyDegraded') }, { heldBy: 'asked for by ana' }),
    'ask again when that is over',
  ],
  ['paused', held({ ...asks('promote', MORE, 'Rollback', { paused: true }) }), 'resume first'],
  ['promote of what serves', settled(asks('promote', MORE)), 'there is nothing to promote (Settled)'],
  ['hold of what bakes', carrying({ phase: 'Baking', release: 'v2' }, {}, asks('hold', MORE)), 'no candidate any more'],
  ['another hash', held(asks('reject', `v7 ${TIME}`)), 'what is there is v2 (2, Candidate)'],
  ['what serves beside the candidate', held(asks('reject', `v1 ${TIME}`)), '1 is not the release that is there'],
  ['what has no pod yet', snapshot(asks('reject', MORE)), '2 has no pod that serves yet'],
  [
    'the first release',
    settled({ ...asks('reject', MORE), revisions: [revision('v2', 'released')] }),
    'none before it that is remembered',
  ],
  [
    'something was taken away since',
    settled({
      ...asks('reject', MORE),
      revisions: [
        revision('v1', 'released', { migration: migrated('v1', { finishedAt: at(-9_000) }) }),
        revision('v2', 'released', { migration: migrated('v2', { contracted: ['2_drop'], contractedAt: at(-60) }) }),
      ],
    }),
    'devshelf.dev/past-contract=v1/2_drop',
  ],
])('refused, and nothing but the answer is written: %s', (_sentence, seen, why) => {
  const { action, announce } = decide(seen);
  expect(announce).toEqual({ type: 'Warning', reason: 'RequestRefused', message: expect.stringContaining(why) });
  const { asked, write, decidedOn, version, decisions, ...rest } = recordOf(seen) as RolloutRecord;
  const { version: _same, ...before } = carriedBy(seen);
  expect([rest, action?.do]).toEqual([before, 'setRecord']);
  expect(Object.values(asked ?? {})).toEqual([expect.objectContaining({ result: 'Refused' })]);
});

test.each<[string, Snapshot]>([
  ['nothing is asked', held({ judgement: judgement('Insufficient') })],
  ['an operator that has just started has read nothing', held(asks('promote', MORE))],
  ['hold of a release that will be a candidate', snapshot(asks('hold', MORE))],
  [
    'what is on its way back is finished first',
    carrying({ phase: 'RollingBackAll' }, {}, asks('reject', `v1 ${TIME}`)),
  ],
])('not answered: %s', (_sentence, seen) => {
  expect(gates(seen)).toBeUndefined();
});

test('the same text is answered once, also with a later try, and another one anew', () => {
  const before = { request: MORE, result: 'Done', at: at(-60), message: '' } as const;
  const seen = held(asks('reject', `  ${MORE} `), { asked: { reject: before } });
  expect(gates(seen)).toBeUndefined();
  expect(gates(held(asks('reject', `${MORE} again`), { asked: { reject: before } }))).toBeDefined();
});

test('what was answered goes from each record to the next, and is told', () => {
  const before = { request: `v1 ${TIME}`, result: 'Refused', at: at(-60), message: 'no' } as const;
  const seen = held({ judgement: judgement('Bad') }, { asked: { promote: before }, write: 7 });
  expect(recordOf(seen)).toMatchObject({ phase: 'RollingBack', asked: { promote: before } });
  expect(statusOf(seen, decide(seen)).requests).toEqual([{ name: 'promote', ...before }]);
});

test('a secret in its text is not remembered', () => {
  expect(recordOf(held(asks('hold', `v2 ${TIME} password=hunter2`)))?.asked).toMatchObject({
    hold: { request: `v2 ${TIME} password=…`, message: expect.not.stringContaining('hunter2') },
  });
});

test('what stands there when the Deployment is made anew is old', () => {
  const { deployment: _gone, ...seen } = settled(asks('reject', MORE));
  expect(recordOf(seen)).toMatchObject({ phase: 'Settled', release: 'v2', asked: { reject: { request: MORE } } });
});

test('a candidate that is held waits for a person, and one that turns bad is taken back', () => {
  const record = { heldBy: 'asked for by ana at 12:00' };
  const { conditions, action } = decide(held({ judgement: judgement('Good') }, record));
  expect(action).toBeUndefined();
  expect(conditions).toContainEqual(
    expect.objectContaining({
      type: 'Stalled',
      status: 'True',
      reason: 'Held',
      message: expect.stringContaining('ana'),
    }),
  );
  expect(recordOf(held({ judgement: judgement('Bad') }, record))?.phase).toBe('RollingBack');
  expect(recordOf(held({ judgement: judgement('Good'), wanted: wanted('v3') }, record))?.phase).toBe('RollingBack');
});

test('let on in spite of its figures it stays so while the policy is Hold', () => {
  const byHand = { at: at(-5), phase: 'Candidate', text: MORE, despite: '11 of 24' } as const;
  const baking = (policy: string): Snapshot =>
    carrying(
      { phase: 'Baking', release: 'v2', byHand },
      {},
      { ...asks('hold', ''), judgement: judgement('Bad'), app: app({ rollout: { analysis: { policy } } }) },
    );
  expect(decide(baking('Hold')).conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }));
  expect(recordOf(baking('Rollback'))?.phase).toBe('RollingBackAll');
});
