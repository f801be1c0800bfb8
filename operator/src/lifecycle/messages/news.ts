// What a record tells people: the one thing that every message is made of. Pure: figures are the record's own, and
// nothing is looked up beside it.
import type { IncidentFigures, IncidentRecord, IncidentSummary, ReleaseName } from '../../api/incident.ts';
import { jsonOf } from '../../api/json.ts';
import { readNote } from '../../api/notes.ts';
import type { AppKind } from '../../api/resource.ts';

/** What a sink may ask for, in the words of `on`. */
export const NEWS_KINDS = ['rolled-back', 'rejected', 'held', 'outage', 'keys', 'released'] as const;
export type NewsKind = (typeof NEWS_KINDS)[number];

/** What is sent where `on` says nothing: that all went well is asked for. */
export const USUAL_NEWS: readonly NewsKind[] = NEWS_KINDS.filter(kind => kind !== 'released');

/** The resource that a record belongs to. */
export interface Subject {
  readonly kind: AppKind;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export interface News {
  readonly kind: NewsKind;
  readonly resource: Subject;
  /** The object that it is written in. */
  readonly record: { readonly name: string; readonly uid: string };
  /** RFC 3339: when it was decided. */
  readonly at: string;
  /** A word of docs/reasons.md. */
  readonly reason: string;
  readonly message: string;
  readonly release: ReleaseName;
  /** What serves on, or again. */
  readonly serves?: ReleaseName;
  readonly decidedBy?: { readonly who: string; readonly text?: string };
  readonly figures?: IncidentFigures;
  /** The record as it stands, without series. */
  readonly data: object;
}

export interface Headline {
  readonly kind: NewsKind;
  /** RFC 3339. */
  readonly at: string;
}

export function kindOfIncident({ kind, phase }: Pick<IncidentSummary, 'kind' | 'phase'>): NewsKind {
  if (kind) return kind;
  return phase === 'Migration' || phase === 'Rehearsal' ? 'rejected' : 'rolled-back';
}

export function incidentNews(resource: Subject, object: News['record'], record: IncidentRecord): News {
  const { figures, failed, restored, decidedBy, at, reason, cause } = record;
  return {
    kind: kindOfIncident(record),
    ...{ resource, record: object, at, reason, message: cause.message },
    release: { hash: failed.hash, image: failed.image },
    ...(restored && { serves: restored }),
    decidedBy,
    ...(figures && { figures }),
    data: withoutSeries(record),
  };
}

function withoutSeries({ figures, ...record }: IncidentRecord): object {
  const { series: _left, ...rest } = (figures ?? {}) as IncidentFigures & { series?: unknown };
  return { ...record, ...(figures && { figures: rest }) };
}

/** When a release was found good; undefined of one that was not, or of which nobody can read it. */
export function releasedIn(verdict: string | undefined): { at: string; message: string } | undefined {
  // most are read here that are something else
  if (!verdict?.includes('"released"')) return undefined;
  const found = readNote('verdict', verdict);
  return found?.verdict === 'released' ? { at: found.at, message: found.message } : undefined;
}

/** Texts of the annotations of the release's own record. */
export interface ReleaseNotes {
  readonly verdict?: string;
  readonly attempt?: string;
  readonly firstMetrics?: string;
  readonly trial?: string;
  readonly requestedBy?: string;
}

/** Undefined of a release that was not found good. */
export function releaseNews(
  resource: Subject,
  object: News['record'],
  release: ReleaseName,
  notes: ReleaseNotes,
): News | undefined {
  const found = releasedIn(notes.verdict);
  if (!found) return undefined;
  const { at, message } = found;
  const parts = {
    firstMetrics: jsonOf(notes.firstMetrics),
    trial: jsonOf(notes.trial),
    requestedBy: jsonOf(notes.requestedBy),
  };
  return {
    kind: 'released',
    ...{ resource, record: object, at, reason: 'Released', message, release, serves: release },
    data: {
      schema: 1,
      reason: 'Released',
      at,
      message,
      released: { ...release, attempt: Number(notes.attempt ?? 1) },
      ...parts,
    },
  };
}
