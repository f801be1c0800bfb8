// What one version of the operator wrote in the middle of a rotation is read by the version before it and the one after.
import { expect, test } from '@jest/globals';
import { formatRotation, idAfter, parseRotation, ROTATION_STATES, type RotationRecord } from './rotation.ts';

const SINCE = '2026-03-01T12:00:00.000Z';

/** As 0.1 writes it: what came later is not in it. */
const written = (state: string): string =>
  JSON.stringify({
    ...{ state, current: state === 'Accepting' ? '1' : '2', from: '1', to: '2', mode: 'graceful', request: 'a' },
    ...{ since: SINCE, previousUntil: '2026-03-02T12:00:00.000Z', lastRotationTime: SINCE },
  });

test.each(ROTATION_STATES)('%s, as an earlier version wrote it, is gone on with, and written again the same', state => {
  const record = parseRotation(written(state));
  expect(record).toMatchObject({ state, from: '1', to: '2' });
  expect(record && formatRotation(record)).toBe(written(state));
});

/** The fields that an earlier version asks for, and how. */
function readEarlier(text: string): RotationRecord | undefined {
  const record = JSON.parse(text) as RotationRecord;
  const isOurs = ['Idle', 'Accepting', 'Switching', 'Draining', 'Revoking'].includes(record.state);
  const isWhole = record.state === 'Idle' || (typeof record.from === 'string' && typeof record.to === 'string');
  return isOurs && isWhole && typeof record.current === 'string' && !Number.isNaN(Date.parse(record.since))
    ? record
    : undefined;
}

test.each(ROTATION_STATES)('%s, as this version writes it, is read by an earlier one', state => {
  const record: RotationRecord = {
    ...{ state, current: '2', from: '1', to: '2', mode: 'graceful', since: SINCE, begunAt: SINCE },
    ...{ digests: { '2': 'x' }, revoked: [{ id: '1', digest: 'y' }] },
  };
  expect(readEarlier(formatRotation(record))).toMatchObject({ state, from: '1', to: '2' });
  expect(parseRotation(formatRotation(record))).toEqual(record);
});

test.each([
  [['1', '2'], '3'],
  [[], '1'],
  [[undefined, 'mine', '12345678901'], '1'],
])('after %j comes %s', (ids, expected) => {
  expect(idAfter(ids)).toBe(expected);
});
