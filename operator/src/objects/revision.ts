// One release as it is remembered: what to run, as rendered when the release was first seen, and what came of it.
// The API server refuses a change of `data`, so it can be trusted after any crash; all that changes are annotations.
import type { PodTemplate, Release } from '../api/rollout.ts';
import { type App, childLabels, childMeta, type KubeObject } from './app.ts';
import { canonicalJson, isRecord } from './hash.ts';
import { ANNOTATIONS, LABELS, names } from './names.ts';

/** Texts of the annotations; the lifecycle decides what they say. */
export type RevisionNotes = Partial<Record<(typeof NOTES)[number], string>>;

export interface ParsedRevision {
  readonly name: string;
  /** Counts up: the newest release has the highest. */
  readonly number: number;
  readonly release: Release;
  readonly notes: RevisionNotes;
}

const NOTES = [
  ...(['verdict', 'migration', 'downgrade', 'gone', 'rehearsal', 'retryToken', 'firstMetrics'] as const),
  ...(['trial', 'served', 'attempt', 'requestedBy'] as const),
] as const;

export function revision(app: App, release: Release, number: number, notes: RevisionNotes = {}): KubeObject {
  const meta = childMeta(app, names.revision(app.metadata.name, release.hash), {
    ...childLabels(app),
    [LABELS.release]: release.hash,
  });
  const annotations = Object.fromEntries(
    NOTES.flatMap(note => (notes[note] === undefined ? [] : [[ANNOTATIONS[note], notes[note]]])),
  );
  return {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: Object.keys(annotations).length > 0 ? { ...meta, annotations } : meta,
    revision: number,
    // the garbage collector cannot patch an object whose data has its keys in another order
    data: JSON.parse(canonicalJson({ release })) as object,
  };
}

/** Undefined when the object is not one that this operator wrote. */
export function parseRevision(object: {
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly revision?: unknown;
  readonly data?: unknown;
}): ParsedRevision | undefined {
  const release = isRecord(object.data) ? object.data['release'] : undefined;
  if (!isRelease(release) || typeof object.revision !== 'number') return undefined;
  const annotations = object.metadata.annotations ?? {};
  const notes: RevisionNotes = Object.fromEntries(
    NOTES.flatMap(note => {
      const text = annotations[ANNOTATIONS[note]];
      return text === undefined ? [] : [[note, text]];
    }),
  );
  return { name: object.metadata.name, number: object.revision, release, notes };
}

function isRelease(value: unknown): value is Release & Record<string, unknown> {
  return (
    isRecord(value) &&
    typeof value['hash'] === 'string' &&
    typeof value['image'] === 'string' &&
    isTemplate(value['template']) &&
    (value['worker'] === undefined || isTemplate(value['worker']))
  );
}

function isTemplate(value: unknown): value is PodTemplate {
  return (
    isRecord(value) && isRecord(value['metadata']) && isRecord(value['metadata']['labels']) && isRecord(value['spec'])
  );
}
