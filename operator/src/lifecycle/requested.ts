// Who asked for what is done: the field manager of whoever wrote it. The API server keeps those, and no tool has to say
// anything. It is the name of a person's tool or of a machine's, and no proof: whoever writes chooses it.
import type { Requester } from '../api/incident.ts';
import { type AnsweredRequest, DESPITE, GATES, type Gate, MAX_REQUEST, type RolloutRecord } from '../api/rollout.ts';
import { scrub } from '../api/words.ts';
import { ANNOTATIONS } from '../objects/names.ts';
import { lastRecord } from './release/ownership.ts';
import { iso, type Snapshot } from './snapshot.ts';

/** Annotations by which people ask for something. */
export const REQUESTS = [
  ANNOTATIONS.adopt,
  ANNOTATIONS.migrate,
  ANNOTATIONS.promote,
  ANNOTATIONS.hold,
  ANNOTATIONS.reject,
  ANNOTATIONS.rotate,
  ANNOTATIONS.rotateScrapeToken,
] as const;

export type RequestAnnotation = (typeof REQUESTS)[number];

/** Whoever wrote the spec last. */
export function requesterBySpec({ app, writers }: Snapshot): Requester {
  const { generation } = app.metadata;
  return { who: 'spec', generation, ...writers?.spec };
}

/** Of a release that is new: a second one for the same spec is there because something that the spec names is another. */
export function requesterOf(seen: Snapshot): Requester {
  const { generation } = seen.app.metadata;
  const isKnown = seen.revisions.some(({ requestedBy }) => requestedBy?.generation === generation);
  return isKnown ? { who: 'reference', generation, at: iso(seen.now) } : requesterBySpec(seen);
}

/** Undefined where nobody is known. */
export function wordsFor({ who, by }: Requester): string | undefined {
  if (who === 'reference') return 'a Secret or ConfigMap that the spec names has changed';
  return by === undefined ? undefined : askedBy(by);
}

/** Undefined where nobody is known. */
export function wordsForRequest({ writers }: Snapshot, annotation: RequestAnnotation): string | undefined {
  const by = writers?.requests?.[annotation];
  return by === undefined ? undefined : askedBy(by);
}

const askedBy = (by: string): string => `asked for by ${by}`;

/** ` (1.4.0, asked for by kubectl-edit)`, of what is known; empty where nothing is. */
export function bracketed(...words: readonly (string | undefined)[]): string {
  const known = words.filter(word => word !== undefined);
  return known.length === 0 ? '' : ` (${known.join(', ')})`;
}

/** `HASH TIME TEXT`: of one release, by its hash. The rest makes it another request than those before it. */
export interface GateRequest {
  readonly gate: Gate;
  /** The whole text in one line, without secrets: as it is remembered and told. */
  readonly request: string;
  readonly hash: string;
  readonly by?: string;
  /** One of its words is `despite-evidence`. */
  readonly isDespite: boolean;
}

const requestText = ({ app }: Snapshot, gate: Gate): string | undefined =>
  scrub(app.metadata.annotations[ANNOTATIONS[gate]]?.trim().slice(0, MAX_REQUEST) ?? '') || undefined;

/** Undefined where nothing is asked, or it was answered. */
export function openRequest(seen: Snapshot, gate: Gate): GateRequest | undefined {
  const request = requestText(seen, gate);
  if (request === undefined || answered(seen)[gate]?.request === request) return undefined;
  const [hash = '', ...words] = request.split(/\s+/);
  const by = seen.writers?.requests?.[ANNOTATIONS[gate]];
  const isDespite = words.includes(DESPITE);
  return { gate, request, hash, isDespite, ...(by !== undefined && { by }) };
}

const answered = (seen: Snapshot): NonNullable<RolloutRecord['asked']> =>
  (seen.deployment?.record ?? lastRecord(seen))?.asked ?? {};

/** What goes into the next record. Where the Deployment is gone with it, whatever stands there is as old as that. */
export function answeredBefore(seen: Snapshot): NonNullable<RolloutRecord['asked']> {
  if (seen.deployment) return answered(seen);
  const past = GATES.flatMap((gate): [Gate, AnsweredRequest][] => {
    const request = requestText(seen, gate);
    const message = 'it is older than the Deployment';
    return request === undefined ? [] : [[gate, { request, result: 'Refused', at: iso(seen.now), message }]];
  });
  return { ...Object.fromEntries(past), ...answered(seen) };
}
