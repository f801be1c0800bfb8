import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  costMs,
  isRelaxed,
  longer,
  NO_STRETCH,
  type Paced,
  paceMs,
  STANDINGS,
  type Standing,
  stretchOf,
  wantedMs,
} from './pace.ts';

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
console.log(`evidence/pace properties: SEED=${seed}`);
fc.configureGlobal({ seed });

const budget = { perSecond: 100 };
const many = (count: number, standing: Standing, pods = 3): Paced[] =>
  Array.from({ length: count }, () => ({ pods, standing }));
const paces = (trials: readonly Paced[]) => {
  const stretch = stretchOf(trials, budget);
  return Object.fromEntries(STANDINGS.map(standing => [standing, paceMs({ pods: 3, standing }, stretch)]));
};

test.each([
  [1, 250],
  [10, 250],
  [20, 500],
  [400, 10_000],
])('%s pods are to be read every %s ms', (pods, everyMs) => {
  expect(wantedMs(pods)).toBe(everyMs);
});

test('while the budget suffices everybody is read as often as is wanted', () => {
  expect(paces([...many(2, 'suspicious'), ...many(3, 'canary'), ...many(3, 'bake')])).toEqual({
    suspicious: 250,
    canary: 250,
    bake: 250,
  });
});

test('waits are reckoned anew where one of them has become half of what it was', () => {
  const stretch = { suspicious: 1, canary: 4, bake: 300 };
  expect(isRelaxed(stretch, { ...stretch, bake: 151 })).toBe(false);
  expect(isRelaxed(stretch, { ...stretch, bake: 150 })).toBe(true);
  expect(isRelaxed(stretch, { ...stretch, canary: 2 })).toBe(true);
  expect(isRelaxed(NO_STRETCH, NO_STRETCH)).toBe(false);
  expect(longer(stretch, { suspicious: 2, canary: 1, bake: 301 })).toEqual({ suspicious: 2, canary: 4, bake: 301 });
});

test('when it does not, healthy bakes wait first: a hundred of them are read every few seconds', () => {
  expect(paces([...many(1, 'suspicious'), ...many(1, 'canary'), ...many(100, 'bake')])).toEqual({
    suspicious: 250,
    canary: 250,
    bake: expect.closeTo((100 * 3 * 1_000) / 76, 0),
  });
});

test('then canaries, which are never left so long that they count as unreadable', () => {
  const crowded = [...many(4, 'suspicious'), ...many(20, 'canary'), ...many(10, 'bake')];
  expect(paces(crowded)).toMatchObject({ suspicious: 250, canary: expect.closeTo(60_000 / 52, 0), bake: 6_000 });
  expect(paces(many(500, 'canary'))).toMatchObject({ canary: 2_000 });
  expect(paces(many(500, 'suspicious'))).toMatchObject({ suspicious: 1_000 });
});

test('bakes alone never cost more than the budget, and nobody is read more often than is wanted', () => {
  const trials = fc.array(
    fc.record({ pods: fc.integer({ min: 0, max: 500 }), standing: fc.constant<Standing>('bake') }),
  );
  fc.assert(
    fc.property(trials, all => {
      const stretch = stretchOf(all, budget);
      const perSecond = all.reduce((sum, one) => sum + (one.pods * 1_000) / paceMs(one, stretch), 0);
      return perSecond <= 100 + 1e-9 && all.every(one => paceMs(one, stretch) >= wantedMs(one.pods));
    }),
  );
});

test.each([
  ['two pods of 20 KiB', 40 * 1024, false, 'bake', 10],
  ['ten pods of ours at their largest are read as often as is wanted', 900 * 1024, false, 'bake', 220],
  ['five pods that send all they may wait for it', 5 * 256 * 1024, false, 'bake', 313],
  ['forty of them', 40 * 256 * 1024, false, 'bake', 2_500],
  ['forty of them, under suspicion', 40 * 256 * 1024, false, 'suspicious', 1_000],
  ['one that is too large to be read is asked seldom', 256 * 1024, true, 'bake', 2_000],
  ['the same beside others that can be read, under suspicion', 256 * 1024, true, 'suspicious', 1_000],
] as const)('what a look costs: %s', (_case, bytes, inVain, standing, ms) => {
  expect(Math.round(costMs({ bytes, inVain }, standing))).toBe(ms);
});
