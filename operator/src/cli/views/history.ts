// PURE: the records of a resource -> releases and incidents as one list by time. What is absent stays absent; what another
// version wrote and this one does not know is left out.
import type { Decider, IncidentFigures, IncidentRecord } from '../../api/incident.ts';
import { jsonOf } from '../../api/json.ts';
import type { PromotedByHand } from '../../api/rollout.ts';

/** A ControllerRevision, as the API server gives it. */
export type SeenRecord = {
  readonly metadata: {
    readonly name: string;
    readonly creationTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly revision?: number;
  readonly data?: {
    readonly release?: { readonly hash?: string; readonly image?: string };
    readonly incident?: Partial<IncidentRecord>;
  };
};

export type Entry = {
  /** RFC 3339: when it was decided; of a release that is not, when it was first seen. */
  readonly at: string;
  readonly number: number;
  readonly image: string;
  readonly hash?: string;
  /** `released`, `pending`, `superseded`; of an incident its reason. */
  readonly what: string;
  readonly isIncident: boolean;
  /** With an incident: it is of what did not end by it (held, an outage), and not of a release that was taken back. */
  readonly stands?: true;
  readonly attempt?: number;
  readonly message?: string;
  readonly restored?: string;
  /** Who asked for it; absent where that is not known. */
  readonly askedBy?: string;
  /** A person who took it back, held it, or let it on; absent: the operator decided by itself. */
  readonly byHand?: { readonly by?: string; readonly text?: string; readonly despite?: string };
  readonly phase?: string;
  readonly figures?: IncidentFigures;
  readonly routes?: readonly { readonly route: string; readonly requests: number; readonly errors: number }[];
  /** Since when it served everybody. */
  readonly servedFrom?: string;
  /** Of its bake alone. */
  readonly firstMetrics?: { readonly requests: number; readonly errors: number; readonly p95Ms?: number };
};

const INCIDENT_LABEL = 'devshelf.dev/record';
const VERDICT = 'devshelf.dev/verdict';
const SERVED = 'devshelf.dev/served';
const FIRST_METRICS = 'devshelf.dev/first-metrics';
const TRIAL = 'devshelf.dev/trial';

/** The newest first. A rejection is told by its incident; where one has none, by its release. */
export function historyView(records: readonly SeenRecord[]): Entry[] {
  const incidents = records.filter(isIncident).flatMap(incidentEntry);
  const told = new Set(incidents.filter(({ stands }) => !stands).map(({ hash }) => hash));
  const releases = records
    .filter(record => !isIncident(record))
    .flatMap(releaseEntry)
    .filter(({ what, hash }) => what !== 'rejected' || !told.has(hash));
  return [...incidents, ...releases].sort((a, b) => Date.parse(b.at) - Date.parse(a.at) || b.number - a.number);
}

const isIncident = ({ metadata: { labels = {} } }: SeenRecord): boolean => labels[INCIDENT_LABEL] === 'incident';

function incidentEntry({ data, revision = 0 }: SeenRecord): Entry[] {
  const { at, reason, failed, restored, cause, figures, phase, requestedBy, kind, decidedBy } = data?.incident ?? {};
  if (at === undefined || reason === undefined || failed === undefined) return [];
  return [
    {
      ...{ at, number: revision, image: failed.image, hash: failed.hash, what: reason, isIncident: true },
      attempt: failed.attempt,
      ...(kind && { stands: true as const }),
      ...(cause?.message !== undefined && { message: cause.message }),
      ...(cause?.routes && cause.routes.length > 0 && { routes: cause.routes }),
      ...(restored && { restored: restored.image }),
      ...(requestedBy?.by !== undefined && { askedBy: requestedBy.by }),
      ...byHand(decidedBy?.who === 'person' ? decidedBy : undefined),
      ...(figures && { figures }),
      ...(phase !== undefined && { phase }),
    },
  ];
}

const byHand = (person: Partial<Decider & PromotedByHand> | undefined): Pick<Entry, 'byHand'> => {
  if (!person) return {};
  const told = (['by', 'text', 'despite'] as const).flatMap(name =>
    typeof person[name] === 'string' ? [[name, person[name]]] : [],
  );
  return { byHand: Object.fromEntries(told) };
};

function releaseEntry({ data, metadata, revision = 0 }: SeenRecord): Entry[] {
  const { hash, image } = data?.release ?? {};
  if (image === undefined) return [];
  const { annotations = {} } = metadata;
  const verdict = parsed<{ verdict?: string; message?: string; at?: string }>(annotations[VERDICT]);
  const served = parsed<{ from?: string }>(annotations[SERVED]);
  const trial = parsed<{ byHand?: PromotedByHand }>(annotations[TRIAL]);
  const first = parsed<{ requests_total?: number; errors?: number; p95_ms?: number }>(annotations[FIRST_METRICS]);
  return [
    {
      ...{ at: verdict.at ?? metadata.creationTimestamp ?? '', number: revision, image, isIncident: false },
      ...(hash !== undefined && { hash }),
      what: verdict.verdict ?? 'pending',
      ...(verdict.message !== undefined && { message: verdict.message }),
      ...(served.from !== undefined && { servedFrom: served.from }),
      ...byHand(trial.byHand),
      ...(typeof first.requests_total === 'number' && {
        firstMetrics: {
          ...{ requests: first.requests_total, errors: first.errors ?? 0 },
          ...(typeof first.p95_ms === 'number' && { p95Ms: first.p95_ms }),
        },
      }),
    },
  ];
}

/** An annotation that is no JSON object says nothing. */
function parsed<T extends object>(text: string | undefined): Partial<T> {
  const value = jsonOf(text);
  return typeof value === 'object' && value !== null ? (value as Partial<T>) : {};
}
