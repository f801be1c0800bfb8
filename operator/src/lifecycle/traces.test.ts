import { expect, test } from '@jest/globals';
import type { RolloutRecord } from '../api/rollout.ts';
import { ANNOTATIONS } from '../objects/names.ts';
import type { Action } from './decision.ts';
import { decide } from './plan.ts';
import type { Revision, Snapshot } from './snapshot.ts';
import {
  app,
  at,
  carrying,
  held,
  incident,
  job,
  judgement,
  migrated,
  pod,
  revision,
  snapshot,
  stablePods,
  T0,
  wanted,
} from './testing.ts';
import { type Span, spansLeft, traceIdOf } from './traces.ts';

const asked = { who: 'spec', generation: 3, by: 'flux', at: at(-300) } as const;
const v1 = revision('v1', 'released');
const tried = (change: Partial<Revision> = {}): Revision =>
  revision('v2', 'pending', {
    requestedBy: asked,
    migration: migrated('v2'),
    rehearsal: { passed: true, attempts: 1, message: '2 of 2', at: at(-20) },
    ...change,
  });

/** What the next pass does, and what is left by it. */
function left(seen: Snapshot): { action: Action; spans: readonly Span[] } {
  const { action } = decide(seen);
  if (!action) throw new Error(`nothing is done: ${JSON.stringify(decide(seen).conditions)}`);
  return { action, spans: spansLeft(seen, action) };
}

/** Name, seconds from T0, and the words of the end. */
const short = ({ name, startedAt, endedAt, attributes: of, fault }: Span): unknown[] => [
  name,
  (startedAt - T0) / 1000,
  (endedAt - T0) / 1000,
  of['devshelf.verdict'],
  of['devshelf.reason'],
  fault,
];

const onTrial = (change: Partial<Snapshot> = {}): Snapshot => held({ revisions: [v1, tried()], ...change });
const serving = (phase: RolloutRecord['phase'], change: Partial<Snapshot> = {}, record = {}): Snapshot =>
  carrying(
    { phase, release: 'v2', stable: 'v1', since: at(-3_000), ...record },
    {},
    { revisions: [v1, tried()], pods: [pod('v2', 'a'), pod('v2', 'b')], judgement: judgement('Good'), ...change },
  );
const withdrawn = (verdict: 'rejected' | 'superseded') =>
  ({ release: 'v2', verdict, reason: 'Regression', message: '11 of 24', at: at(-40) }) as const;
const back = (verdict: 'rejected' | 'superseded', record: Partial<RolloutRecord> = {}): Snapshot =>
  carrying(
    { phase: 'RollingBack', release: 'v1', stable: 'v1', since: at(-40), withdrawn: withdrawn(verdict), ...record },
    {},
    {
      incidents: [incident('v2', at(-40))],
      revisions: [v1, tried({ verdict: withdrawn(verdict) })],
    },
  );
const released = { verdict: 'released', reason: 'Released', message: '', at: at(-1) } as const;
const good = { requests: 24, errors: 0 };
const REFUSED = 'JobFailed';

test.each<[string, Snapshot, unknown[][]]>([
  [
    'the schema moved: the Job’s own times',
    snapshot({
      revisions: [v1, revision('v2', 'pending', { requestedBy: asked })],
      jobs: [
        {
          ...job({
            kind: 'succeeded',
            endedAt: T0 - 4_000,
            podRead: true,
            verdict: { result: 'up to date', applied: ['20260301_cart'], pending: [] },
          }),
          createdAt: T0 - 9_000,
        },
      ],
    }),
    [['migration', -9, -4, 'passed', 'UpToDate', undefined]],
  ],
  [
    'the rehearsal has passed: from its pod’s birth to what was written down',
    snapshot({
      revisions: [v1, tried()],
      rehearsals: [{ ...pod('v2', 'shop-rehearsal-v2'), createdAt: T0 - 30_000 }],
    }),
    [['rehearsal', -30, -20, 'passed', 'RehearsalPassed', undefined]],
  ],
  ['it meets its first users: nothing is left', snapshot({ revisions: [v1, tried()] }), []],
  [
    'promoted on proof',
    onTrial({ judgement: judgement('Good') }),
    [['candidate', -10, 0, 'passed', 'AnalysisPassed', undefined]],
  ],
  [
    'taken back',
    onTrial({ judgement: judgement('Bad') }),
    [['candidate', -10, 0, 'rejected', 'Regression', expect.stringContaining('11 of 24')]],
  ],
  [
    'overtaken by a newer spec: no fault of its own',
    onTrial({ wanted: wanted('v3') }),
    [['candidate', -10, 0, 'superseded', 'WaitingForRollback', undefined]],
  ],
  ['every pod runs it', serving('Promoting'), [['promotion', -3_000, 0, 'passed', undefined, undefined]]],
  ['its verdict is written, and it is not stable yet', serving('Baking'), []],
  [
    'it is stable: the whole began when it was asked for',
    serving('Baking', { revisions: [v1, tried({ verdict: released })] }),
    [
      ['bake', -3_000, 0, 'passed', 'Released', undefined],
      ['release', -300, 0, 'released', 'Released', undefined],
    ],
  ],
  [
    'the stable one serves again',
    back('rejected'),
    [
      ['rollback', -40, 0, 'passed', 'RollbackComplete', undefined],
      ['release', -300, 0, 'rejected', 'Regression', '11 of 24'],
    ],
  ],
  [
    'the same of one that was overtaken',
    back('superseded'),
    [
      ['rollback', -40, 0, 'passed', 'RollbackComplete', undefined],
      ['release', -300, 0, 'superseded', 'Regression', undefined],
    ],
  ],
])('%s', (_sentence, seen, spans) => {
  const found = left(seen).spans;
  expect(found.map(short)).toEqual(spans);
  for (const { name, traceId, spanId, parentId } of found) {
    expect([traceId, spanId]).toEqual([
      expect.stringMatching(/^[0-9a-f]{32}$/),
      expect.stringMatching(/^[0-9a-f]{16}$/),
    ]);
    expect(parentId).toEqual(name === 'release' ? undefined : expect.stringMatching(/^[0-9a-f]{16}$/));
  }
});

test('what is counted goes with it, and what it is about', () => {
  const [candidate] = left(onTrial({ judgement: judgement('Good') })).spans;
  expect(candidate?.attributes).toEqual({
    'k8s.namespace.name': 'prod',
    'devshelf.kind': 'DashboardDeployment',
    'devshelf.name': 'shop',
    'devshelf.release': 'v2',
    'devshelf.attempt': 1,
    'devshelf.image': 'example/dashboard:2',
    'devshelf.version': '2',
    'devshelf.verdict': 'passed',
    'devshelf.reason': 'AnalysisPassed',
    'devshelf.requests': 24,
    'devshelf.errors': 0,
  });
  const window = { from: T0 - 3_000_000, requests: 512, errors: 1 };
  const revisions = [v1, tried({ verdict: released })];
  const [bake] = left(
    serving('Baking', { revisions, judgement: { ...judgement('Good'), candidate: good, window } }),
  ).spans;
  expect(bake?.attributes).toMatchObject({ 'devshelf.requests': 512, 'devshelf.errors': 1 });
});

/** Refused in two writes: what the first one wrote down tells when. */
const refusal = (phase: 'Migration' | 'Rehearsal', message = 'exit code 1'): readonly Span[] =>
  spansLeft(
    snapshot({
      revisions: [v1, revision('v2', 'pending', { requestedBy: asked })],
      incidents: [incident('v2', at(-2), { phase, reason: REFUSED, message })],
      jobs: [job({ kind: 'running' })].map(one => ({ ...one, createdAt: T0 - 9_000 })),
      rehearsals: [{ ...pod('v2', 'shop-rehearsal-v2'), createdAt: T0 - 7_000 }],
    }),
    {
      do: 'annotateRevision',
      revision: 'shop-v2',
      set: { [ANNOTATIONS.verdict]: JSON.stringify({ verdict: 'rejected', reason: REFUSED, message, at: at(-2) }) },
    },
  );

test.each(['Migration', 'Rehearsal'] as const)('refused in its %s: that, and the whole', phase => {
  expect(refusal(phase).map(short)).toEqual([
    [phase.toLowerCase(), phase === 'Migration' ? -9 : -7, -2, 'rejected', REFUSED, 'exit code 1'],
    ['release', -300, -2, 'rejected', REFUSED, 'exit code 1'],
  ]);
});

test('no secret is told, and no text that is endless', () => {
  const [phase] = refusal('Migration', `password=hunter2 at postgresql://shop:hunter2@db ${'x '.repeat(2_000)}`);
  expect(phase?.fault).not.toContain('hunter2');
  expect(phase?.fault?.length).toBeLessThanOrEqual(600);
});

test('all parts of one rollout are in one trace, under one whole', () => {
  const all = [
    onTrial({ judgement: judgement('Good') }),
    serving('Promoting'),
    serving('Baking', { revisions: [v1, tried({ verdict: released })] }),
  ].flatMap(seen => left(seen).spans);
  const whole = all.find(({ name }) => name === 'release');
  expect(new Set(all.map(({ traceId }) => traceId))).toEqual(
    new Set([traceIdOf({ app: app(), revision: tried(), again: undefined })]),
  );
  expect(all.filter(span => span !== whole).map(({ parentId }) => parentId)).toEqual(
    Array(all.length - 1).fill(whole?.spanId),
  );
});

test('another try, another coming, another resource: another trace', () => {
  const of = (change: Partial<Revision>, again?: string, uid = 'a') =>
    traceIdOf({ app: app({}, { uid }), revision: tried(change), again });
  const ids = [of({}), of({ attempt: 2 }), of({ number: 7 }), of({}, at(0)), of({}, at(1)), of({}, undefined, 'b')];
  expect(new Set(ids).size).toBe(ids.length);
  expect(of({})).toBe(of({ verdict: released, name: 'other' }));
});

test('one that served before begins another story with its first pod, and takes that along', () => {
  const before = revision('v2', 'released', {
    requestedBy: asked,
    migration: migrated('v2', { phaseSince: at(-600) }),
  });
  const { action, spans } = left(snapshot({ revisions: [v1, before] }));
  expect(spans).toEqual([]);
  expect(action).toMatchObject({ do: 'setRecord', record: { phase: 'Candidate', again: at(0) } });
  const again = { again: at(-100) };
  const taken = left(held({ revisions: [v1, before], judgement: judgement('Bad') }, again));
  expect(taken.action).toMatchObject({ record: { phase: 'RollingBack', ...again } });
  expect(taken.spans.map(({ traceId }) => traceId)).toEqual([
    traceIdOf({ app: app(), revision: before, again: at(-100) }),
  ]);
  const end = left(back('rejected', again));
  expect(end.action).not.toHaveProperty('record.again');
  expect(end.spans.map(short)[1]?.slice(0, 3)).toEqual(['release', -100, 0]);
});

test('where nobody knows when it was asked for there is no whole, and a forgotten release has no spans', () => {
  const { requestedBy: _nobody, ...unknown } = tried({ verdict: released });
  expect(left(serving('Baking', { revisions: [v1, unknown] })).spans.map(({ name }) => name)).toEqual(['bake']);
  const { action } = left(serving('Baking', { revisions: [v1, unknown] }));
  expect(spansLeft(serving('Baking', { revisions: [v1] }), action)).toEqual([]);
});

test('a record that is put right, or written once more, leaves nothing', () => {
  const seen = serving('Baking');
  const { deployment } = seen;
  if (!deployment) throw new Error('there is none');
  const write = (record: Partial<RolloutRecord>) =>
    spansLeft(seen, { do: 'setRecord', record: { ...deployment.record, ...record } });
  expect(write({ restoredAt: at(0) })).toEqual([]);
  expect(write({ phase: 'Settled', release: 'v1', stable: 'v1', since: at(-600) })).toEqual([]);
  expect(write({ phase: 'Settled', release: 'v1', stable: 'v1', since: at(0) })).toEqual([]);
});

test('clocks that differ make no span that ends before it begins', () => {
  const [candidate] = left(
    held(
      { revisions: [v1, tried()], pods: [...stablePods(), pod('v2', 'c')], judgement: judgement('Good') },
      { since: at(5) },
    ),
  ).spans;
  expect(candidate).toMatchObject({ startedAt: T0 + 5_000, endedAt: T0 + 5_000 });
});
