// How often each trial is looked at, so that all of them together cost no more readings a second than are to be had.
// Suspicious releases come first, then canaries, then bakes: what these do not get, a healthy bake goes without.

export const STANDINGS = ['suspicious', 'canary', 'bake'] as const;
export type Standing = (typeof STANDINGS)[number];

export interface Paced {
  readonly pods: number;
  readonly standing: Standing;
}

/**
 * Every 250 ms finds a fault soonest (docs/statistics.md); with more than ten pods less often, so that a trial costs at
 * most 40 readings a second.
 */
const OFTENEST_MS = 250;
const MS_PER_POD = 25;

/**
 * Longest waits. Up to these the budget is exceeded rather than kept: a release under suspicion is being decided on, and
 * a canary that is looked at less often than this would soon count as one that cannot be read.
 */
export const LONGEST_MS: Readonly<Record<Standing, number>> = {
  suspicious: 1_000,
  canary: 2_000,
  bake: Number.POSITIVE_INFINITY,
};

export const wantedMs = (pods: number, oftenestMs = OFTENEST_MS): number => Math.max(oftenestMs, MS_PER_POD * pods);

export interface Budget {
  /** Readings a second, of all trials together. */
  readonly perSecond: number;
  readonly oftenestMs?: number;
}

/** By how much each standing's waits are longer than wanted: 1 where the budget suffices. */
export type Stretch = Readonly<Record<Standing, number>>;

export const NO_STRETCH: Stretch = { suspicious: 1, canary: 1, bake: 1 };

export function stretchOf(trials: Iterable<Paced>, { perSecond, oftenestMs }: Budget): Stretch {
  const wanted: Record<Standing, number> = { suspicious: 0, canary: 0, bake: 0 };
  for (const { pods, standing } of trials) wanted[standing] += (pods * 1_000) / wantedMs(pods, oftenestMs);
  const stretch: Record<Standing, number> = { ...NO_STRETCH };
  let left = perSecond;
  for (const standing of STANDINGS) {
    // something is always left: the least is a twentieth of the budget
    const share = Math.max(left, perSecond / 20);
    stretch[standing] = Math.max(1, wanted[standing] / share);
    left -= Math.min(wanted[standing], share);
  }
  return stretch;
}

/** Of each standing the longer waits of both. */
export const longer = (a: Stretch, b: Stretch): Stretch => ({
  suspicious: Math.max(a.suspicious, b.suspicious),
  canary: Math.max(a.canary, b.canary),
  bake: Math.max(a.bake, b.bake),
});

/** Whether some standing waits half as long as it did, or less. */
export const isRelaxed = (before: Stretch, now: Stretch): boolean =>
  STANDINGS.some(standing => 2 * now[standing] <= before[standing]);

/** Milliseconds between two looks. */
export function paceMs({ pods, standing }: Paced, stretch: Stretch, oftenestMs?: number): number {
  const wanted = wantedMs(pods, oftenestMs);
  return Math.min(Math.max(wanted, LONGEST_MS[standing]), wanted * stretch[standing]);
}

/**
 * Of one resource, whatever its pods send: a millisecond of this process for each 64 KiB, a few if all of it is samples.
 * Ten pods of ours at their largest (90 KiB), read four times a second, stay below it.
 */
export const BYTES_PER_SECOND = 4 * 1024 * 1024;

/** What is too large to be read says nothing, however often it is read. */
const IN_VAIN_MS = 2_000;

export interface Look {
  readonly bytes: number;
  /** An answer was too large to be read. */
  readonly inVain: boolean;
}

/** Milliseconds that a look has to last until the next one, for what it cost. */
export function costMs({ bytes, inVain }: Look, standing: Standing): number {
  const ms = Math.max((bytes * 1_000) / BYTES_PER_SECOND, inVain ? IN_VAIN_MS : 0);
  return Math.min(ms, LONGEST_MS[standing]);
}
