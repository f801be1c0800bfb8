// What is kept of a release that was taken back or refused: written once, when it was decided, with the figures of that
// moment. It is the data of a ControllerRevision of its own, which the API server lets nobody change.

import { jsonOf } from './json.ts';
import { noteIn, readNote } from './notes.ts';
import type { VerdictEvidence } from './rollout.ts';
import type { KeyName, RotationState } from './rotation.ts';

export const INCIDENT_SCHEMA = 1;

export interface GroupFigures {
  readonly requests: number;
  readonly errors: number;
  /** Of the errors, those that were overload by the pods' own count; absent without any. */
  readonly shed?: number;
  /** Without 5xx, and later than the threshold; where slow answers are judged. */
  readonly slow?: number;
  readonly pods?: number;
  readonly restarts?: number;
  /** What nineteen of twenty answers did not exceed, milliseconds; absent where nobody asked, or pods do not say. */
  readonly p95Ms?: number;
}

/** From `startedAt` to the decision. */
export interface IncidentFigures {
  /** RFC 3339. */
  readonly startedAt?: string;
  readonly firstErrorAt?: string;
  /** Share of 5xx that is allowed. */
  readonly limit: number;
  readonly candidate: GroupFigures;
  readonly baseline: GroupFigures;
  /** E-values: that the release is above its limit, and that it is worse than the pods beside it. */
  readonly evidence?: {
    readonly absolute: number;
    readonly relative: number;
    /** How much of each proof is there. */
    readonly badPercent?: number;
    readonly goodPercent?: number;
  };
}

export interface ReleaseName {
  readonly hash: string;
  readonly image: string;
}

/** Who asked for a release, when it was tried for the first time or again. */
export interface Requester {
  /** `reference`: nobody wrote the spec; a Secret or ConfigMap that it names has changed. */
  readonly who: 'spec' | 'reference';
  /** The spec's. */
  readonly generation: number;
  /** Field manager of whoever wrote the spec; absent where the API server does not say. */
  readonly by?: string;
  /** RFC 3339: when it was written; of a reference, when that was seen. */
  readonly at?: string;
}

/** Undefined where the annotation is absent, or somebody made it unreadable. */
export const parseRequester = (text: string | undefined): Requester | undefined => readNote('requestedBy', text);

/** Who decided; of a person the request, without secrets, and the field manager that wrote it. */
export interface Decider {
  readonly who: 'operator' | 'spec' | 'person';
  readonly by?: string;
  readonly text?: string;
}

/** What only the moment of the decision knows; in the record of the rollout until the incident is written. */
export interface IncidentFacts {
  /** Migration, Rehearsal, or the rollout's phase. */
  readonly phase: string;
  readonly failed: ReleaseName & { readonly attempt: number };
  /** Who asked for the release that failed. */
  readonly requestedBy?: Requester;
  /** Absent where nothing served. */
  readonly restored?: ReleaseName;
  readonly cause: {
    readonly message: string;
    readonly container?: string;
    /** The worst first. */
    readonly routes?: VerdictEvidence['routes'];
  };
  readonly figures?: IncidentFigures;
  /** Absent: the operator. */
  readonly decidedBy?: Decider;
  readonly actions: readonly { readonly at: string; readonly what: string }[];
}

/**
 * What did not end: a release waits for a person, a dependency of everybody failed for over a minute, or a key could not
 * be replaced for as long.
 */
export type StandingKind = 'held' | 'outage' | 'keys';

/** Which rotation could not go on, or begin. Of keys only their ids, which say nothing of them. */
export interface RotationName {
  readonly key: KeyName;
  readonly state: RotationState;
  /** Id of the key that is to be replaced, or in `Idle` of the one that is in use. */
  readonly from: string;
  /** Absent: none is under way, nor was one refused. */
  readonly to?: string;
  /** RFC 3339: since when it could not. */
  readonly since: string;
}

/** One rotation, whatever it is held by and however often: the ids of keys never come twice. */
export const rotationId = ({ key, from, to }: Pick<RotationName, 'key' | 'from' | 'to'>): string =>
  to === undefined ? `${key}-${from}-idle` : `${key}-${to}`;

export interface IncidentRecord extends IncidentFacts {
  readonly schema: typeof INCIDENT_SCHEMA;
  /** Absent: a release was taken back or refused. */
  readonly kind?: StandingKind;
  /** Of `keys`. */
  readonly rotation?: RotationName;
  /** A word of docs/reasons.md. */
  readonly reason: string;
  /** RFC 3339, when it was decided. */
  readonly at: string;
  readonly decidedBy: Decider;
}

/** What the operator keeps of each in its memory. */
export interface IncidentSummary {
  readonly kind?: StandingKind;
  /** Of `keys`: {@link rotationId}. */
  readonly rotation?: string;
  readonly name: string;
  readonly number: number;
  readonly release: string;
  readonly attempt: number;
  readonly at: string;
  readonly reason: string;
  readonly failedImage: string;
  readonly restoredImage?: string;
  readonly message: string;
  readonly phase?: string;
  readonly figures?: IncidentFigures;
}

/** A refusal that outlives the ControllerRevision that it was written on. */
export interface Refusal {
  readonly hash: string;
  readonly reason: string;
  readonly attempt: number;
  /** spec.rollout.retryToken of that moment. */
  readonly token?: string;
}

/** Undefined where the annotation is absent; what is no refusal in it is left out. */
export function parseRefusals(text: string | undefined): readonly Refusal[] | undefined {
  if (text === undefined) return undefined;
  const list = jsonOf(text);
  return Array.isArray(list) ? list.flatMap(one => noteIn('refusal', one) ?? []) : [];
}
