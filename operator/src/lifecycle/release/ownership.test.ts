import { expect, test } from '@jest/globals';
import { formatRecord, type RolloutRecord } from '../../api/rollout.ts';
import { decide } from '../plan.ts';
import type { Snapshot } from '../snapshot.ts';
import { app, at, carrying, held, judgement, revision, snapshot, stablePods, wanted } from '../testing.ts';
import { foreignTemplate, isBehind, laterRecord, oldRecord } from './ownership.ts';

/** The status remembers this record. */
const remembers = (record: Partial<RolloutRecord>) => {
  const text = formatRecord({ phase: 'Settled', release: 'v1', stable: 'v1', since: at(-60), version: 2, ...record });
  const known = app();
  return { app: { ...known, status: { ...known.status, rollout: { record: text } } } };
};
const rejected = { revisions: [revision('v1', 'released'), revision('v2', 'rejected')] };
const kubectl = { foreign: [{ manager: 'kubectl-rollout', field: 'spec.containers[app].env[FAIL].value' }] };

const setTo = (seen: Snapshot): RolloutRecord | undefined => {
  const decision = oldRecord(seen);
  return decision?.kind === 'act' && decision.action.do === 'setRecord' ? decision.action.record : undefined;
};

test.each<[string, Snapshot, Partial<RolloutRecord> | undefined]>([
  ['nothing was ever said', snapshot(), undefined],
  ['the record is the newest', carrying({ write: 7 }, {}, remembers({ write: 7 })), undefined],
  ['the status is behind', carrying({ write: 8 }, {}, remembers({ write: 7 })), undefined],
  [
    'an undo after a rollback brought the trial of the rejected release back',
    carrying({ phase: 'Promoting', release: 'v2', write: 4 }, {}, { ...remembers({ write: 7 }), ...rejected }),
    { phase: 'Settled', release: 'v1', write: 7 },
  ],
  [
    'an undo in the bake brought the earlier release back',
    carrying({ write: 4 }, {}, remembers({ phase: 'Baking', release: 'v2', write: 7 })),
    { phase: 'Baking', release: 'v2', write: 7 },
  ],
  [
    'an undo brought a record back that an earlier version wrote',
    carrying({ phase: 'Settled', version: undefined as never }, {}, remembers({ write: 1 })),
    { phase: 'Settled', write: 1 },
  ],
  [
    'the status was deleted, but a rejected release is not tried',
    carrying({ phase: 'Baking', release: 'v2', since: at(-1801) }, {}, { ...rejected, pods: stablePods() }),
    { phase: 'Settled', release: 'v1', stable: 'v1' },
  ],
  ['a release that is tried again is not rejected', held(), undefined],
  [
    'a trial in the shape of an earlier version is taken back, to begin again',
    held({}, { version: undefined as never }),
    { phase: 'RollingBack', release: 'v1' },
  ],
  ['a settled release in that shape is left as it is', carrying({ version: undefined as never }), undefined],
  ['and so is one that bakes', carrying({ phase: 'Baking', release: 'v2', version: undefined as never }), undefined],
])('%s', (_sentence, seen, record) => {
  if (record === undefined) expect(setTo(seen)).toBeUndefined();
  else expect(setTo(seen)).toMatchObject(record);
});

const decidedOn = (generation: number, uid = 'uid-of-shop') => carrying({ decidedOn: { uid, generation } });

test.each<[string, Snapshot, boolean]>([
  ['the record is of the spec that is seen', decidedOn(3), false],
  ['the spec was changed since', decidedOn(2), false],
  ['the record is of a later spec', decidedOn(4), true],
  ['the record is of a resource that was deleted', decidedOn(4, 'uid-of-another'), false],
  ['an earlier version wrote the record', carrying({}), false],
])('%s', (_sentence, seen, expected) => {
  expect(isBehind(seen)).toBe(expected);
});

test('a record of a spec that nobody wrote is put right: what it was decided on is what there is', () => {
  const seen: Snapshot = { ...carrying({ decidedOn: { uid: 'uid-of-shop', generation: 9 } }), isForetold: true };
  const { action, conditions } = decide(seen);
  expect(action).toMatchObject({ do: 'setRecord', record: { phase: 'Settled', decidedOn: { generation: 3 } } });
  expect(JSON.stringify(conditions)).toContain('decided on generation 9 of a resource that has only come to 3');
});

test('a trial of an earlier version is only overtaken: it is tried again', () => {
  expect(setTo(held({}, { version: undefined as never }))?.withdrawn).toMatchObject({ verdict: 'superseded' });
});

test('who brought it back is named', () => {
  const seen = carrying({ write: 4 }, kubectl, remembers({ write: 7 }));
  expect(oldRecord(seen)?.condition.message).toContain('(kubectl-rollout)');
});

test('the verdict of a rejected release is not overwritten from a record that is behind', () => {
  const seen = carrying(
    { phase: 'Baking', release: 'v2', since: at(-1801) },
    {},
    { ...rejected, wanted: wanted('v2') },
  );
  expect(JSON.stringify(decide({ ...seen, judgement: judgement('Pending') }).action)).not.toContain('\\"released');
});

test('every record that is written has a higher number than all before it', () => {
  const numberOf = (seen: Snapshot) => {
    const { action } = decide(seen);
    return action?.do === 'setRecord' ? [action.record.version, action.record.write] : action?.do;
  };
  const passed = { rehearsal: { passed: true, attempts: 1, message: '', at: at(-1) } };
  const migration = { id: 'm2', jobName: 'j', result: 'UpToDate', applied: [], finishedAt: at(-9) } as const;
  const ready = { revisions: [revision('v1', 'released'), revision('v2', 'pending', { ...passed, migration })] };
  expect(numberOf(carrying({ write: 7 }, {}, { ...ready, ...remembers({ write: 5 }) }))).toEqual([2, 8]);
  expect(numberOf(carrying({ write: 3 }, {}, { ...remembers({ write: 7 }) }))).toEqual([2, 8]);
  expect(numberOf(carrying({}, {}, ready))).toEqual([2, 1]);
});

test('what somebody else put into the template is named, with who did it', () => {
  expect(foreignTemplate(snapshot())).toBeUndefined();
  expect(foreignTemplate(carrying({}, kubectl))).toMatchObject({
    action: { do: 'setRecord', record: { phase: 'Settled', release: 'v1', restoredAt: at(0) } },
    announce: { type: 'Warning', reason: 'TemplateRestored' },
    condition: { message: expect.stringContaining('kubectl-rollout wrote spec.containers[app].env[FAIL].value') },
  });
});

test('a writer that insists is met again later: each time costs a rollout', () => {
  expect(foreignTemplate(carrying({ restoredAt: at(-599) }, kubectl))).toBeUndefined();
  expect(foreignTemplate(carrying({ restoredAt: at(-600) }, kubectl))).toBeDefined();
});

test('the rollout of a later version of the operator is not touched', () => {
  expect(laterRecord(snapshot())).toBeUndefined();
  const { action, conditions } = decide(snapshot({ deployment: undefined as never, isLaterRecord: true }));
  expect(action).toBeUndefined();
  expect(conditions).toContainEqual(expect.objectContaining({ type: 'Stalled', reason: 'RecordNotUnderstood' }));
  expect(conditions).toContainEqual(expect.objectContaining({ type: 'Available', status: 'Unknown' }));
});
