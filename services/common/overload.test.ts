import { expect, test } from '@jest/globals';
import { overloadOf, watchLoop } from './overload.ts';

/** A loop whose ticks come so late, one after the other, in milliseconds. */
function loopAfter(...lateness: readonly number[]) {
  let at = 0;
  const loop = watchLoop(() => at);
  for (const late of lateness) {
    at += 100 + late;
    loop.tick();
  }
  const wait = (ms: number) => {
    at += ms;
  };
  return { loop, wait };
}

test.each([
  ['on time', [0, 5, 20], false],
  ['one pause, as for a collection of garbage', [0, 900], false],
  ['two in a row', [0, 900, 300], true],
  ['two, and on time again', [900, 900, 0], false],
  ['always somewhat late', [200, 250, 290, 200], false],
])('%s: starved is %j', (_case, lateness, starved) => {
  expect(loopAfter(...lateness).loop.starved).toBe(starved);
});

test('a tick that has not come yet is late, too', () => {
  const { loop, wait } = loopAfter(0);
  expect(loop.wasLate(1_000)).toBe(false);
  wait(400);
  expect(loop.wasLate(1_000)).toBe(true);
});

test('what was late is remembered as long as asked', () => {
  const { loop, wait } = loopAfter(500, 0);
  wait(50);
  expect([loop.wasLate(200), loop.wasLate(100)]).toEqual([true, false]);
});

const onTime = { starved: false, wasLate: () => false };
const pool = { size: 5, waiting: () => 0, answeredAt: () => Number.NEGATIVE_INFINITY };
const WAITED = new Error('timeout exceeded when trying to connect');
const CONNECTING = new Error('Connection terminated due to connection timeout');
const UNANSWERED = new Error('Query read timeout');

test.each([
  ['nothing waits', {}, {}, undefined],
  ['forty wait for each connection', {}, { waiting: () => 200 }, undefined],
  ['more than that', {}, { waiting: () => 201 }, 'database'],
  ['the loop is starved', { starved: true }, {}, 'event_loop'],
])('a new request is turned away: %s', (_case, loopChange, poolChange, reason) => {
  expect(overloadOf({ ...onTime, ...loopChange }, { ...pool, ...poolChange }).reason()).toBe(reason);
});

const at = (answeredAt: number) => ({ answeredAt: () => answeredAt });
test.each([
  ['no connection was free, but others were answered', WAITED, {}, at(9_500), 'database'],
  ['no connection was free, and nobody was answered', WAITED, {}, at(9_000), undefined],
  ['the query was not answered, though others were', UNANSWERED, {}, at(9_500), undefined],
  ['the query was answered, and nobody read it', UNANSWERED, { wasLate: () => true }, {}, 'event_loop'],
  ['no connection was free, for nobody gave one back', WAITED, { wasLate: () => true }, {}, 'event_loop'],
  ['a new connection came about, and nobody saw it', CONNECTING, { wasLate: () => true }, {}, 'event_loop'],
  ['a new connection did not come about, though others were answered', CONNECTING, {}, at(9_500), undefined],
  ['the database refused', new Error('connect ECONNREFUSED'), { wasLate: () => true }, at(9_500), undefined],
  ['no error at all', 'x', { wasLate: () => true }, at(9_500), undefined],
])('a request that failed after 900 ms: %s', (_case, error, loopChange, poolChange, reason) => {
  const overload = overloadOf({ ...onTime, ...loopChange }, { ...pool, ...poolChange }, () => 10_000);
  expect(overload.reasonFor(error, 900)).toBe(reason);
});
