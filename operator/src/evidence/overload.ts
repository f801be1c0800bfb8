// Whether requests that a pod turned away for too much to do (503, counted by itself as shed) count against its release.
// By themselves they do not: more traffic than pods can bear is nobody's fault. A release that serves less than others do
// at the same time, or than was served before, and turns requests away all the same, has no more to do than they: it is
// slow, or starved.

/** Requests that were answered without 5xx, those that were not, and how many of these were shed. */
export type Answers = { readonly served: number; readonly failed: number; readonly shed: number };

/** Of a group, a second: of all its pods together. `ageMs`: for how long the one has been read that is known longest. */
export type Load = {
  readonly served: number;
  readonly failed: number;
  readonly pods: number;
  readonly ageMs: number;
};

/** The most that was served at any time: by the service as a whole, and by one pod of it; requests a second. */
export type Borne = { readonly all: number; readonly perPod: number };

/** What a pod answered of late: each request counts for less as time goes by. */
export type Recent = Answers & { readonly firstAt: number; readonly readAt: number };

/** After so long a request counts for a third. */
export const RECENT_MS = 10_000;
/** What was read for less long is no rate: beside others that were read for as long, and by itself. */
const YOUNG_MS = { beside: 500, alone: 2_000 } as const;
/** Where the pods beside it are in trouble, too, only one that serves far less is slower than they. */
const FAR_LESS = 1 / 2;
/** Under overload pods serve no less than before; turning away costs something, too. */
const AS_BEFORE = 3 / 4;

export const NOTHING_BORNE: Borne = { all: 0, perPod: 0 };

/** What something that was counted at `readAt` still counts at `at`. */
export const fade = (readAt: number, at: number): number => Math.exp((readAt - at) / RECENT_MS);

/** `added`: requests since the reading before; undefined for the first reading, of which nobody knows how long it took. */
export function recent(known: Recent | undefined, added: Answers | undefined, at: number): Recent {
  if (!known || !added) return { served: 0, failed: 0, shed: 0, firstAt: known?.firstAt ?? at, readAt: at };
  const left = fade(known.readAt, at);
  return {
    served: known.served * left + added.served,
    failed: known.failed * left + added.failed,
    shed: known.shed * left + added.shed,
    firstAt: known.firstAt,
    readAt: at,
  };
}

/** Requests, each for what it counts at that time. */
export const shedOfLate = ({ shed, readAt }: Recent, at: number): number => shed * fade(readAt, at);

export function loadOf(pods: readonly Recent[], at: number): Load {
  let [served, failed, ageMs] = [0, 0, 0];
  for (const pod of pods) {
    const age = at - pod.firstAt;
    // what a steady rate of 1/s would have come to by now
    const seconds = (RECENT_MS / 1_000) * (1 - fade(pod.firstAt, at));
    if (seconds === 0) continue;
    const left = fade(pod.readAt, at) / seconds;
    served += pod.served * left;
    failed += pod.failed * left;
    ageMs = Math.max(ageMs, age);
  }
  return { served, failed, pods: pods.length, ageMs };
}

const perPod = ({ served, pods }: Load): number => (pods === 0 ? 0 : served / pods);

/** In a bake `beside` is without pods. Of what was counted two deviations less: not what chance added for a moment. */
export function borneAfter(before: Borne, own: Load, beside: Load): Borne {
  const pod = beside.pods > 0 ? beside : own;
  if (pod.ageMs < RECENT_MS) return before;
  return {
    all: Math.max(before.all, certainly(own.served + beside.served)),
    perPod: Math.max(before.perPod, certainly(pod.served) / pod.pods),
  };
}

const certainly = (perSecond: number): number => Math.max(0, perSecond - 2 * Math.sqrt(perSecond / (RECENT_MS / 500)));

/** Beside stable pods: it serves no less than one of them does. `limit`: the share of errors from which on these are in trouble, too. */
export function isExcusedBeside(own: Load, beside: Load, limit: number): boolean {
  if (Math.min(own.ageMs, beside.ageMs) < YOUNG_MS.beside || beside.served === 0) return true;
  const isShared = beside.failed >= limit * (beside.served + beside.failed);
  return perPod(own) >= perPod(beside) * (isShared ? FAR_LESS : 1);
}

/** With nothing beside it: as much is served as ever was, by all pods, or by each of those that are left or have come. */
export function isExcusedAlone(own: Load, borne: Borne): boolean {
  if (own.ageMs < YOUNG_MS.alone) return true;
  return own.served >= AS_BEFORE * borne.all || perPod(own) >= AS_BEFORE * borne.perPod;
}

/** For people: what the verdict compared. */
export function servedWords(own: Load, beside: Load, borne: Borne): string {
  const theirs =
    beside.pods > 0 ? `one beside it ${rate(perPod(beside))}` : `one was seen to bear ${rate(borne.perPod)}`;
  return `a pod of it served ${rate(perPod(own))}, ${theirs}`;
}

const rate = (perSecond: number): string => `${Number(perSecond.toPrecision(2))}/s`;
