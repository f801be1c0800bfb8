// PURE: a resource and its records -> what it waits for now, the last incident, and what can be done.
import { isHeldReason, REASONS } from '../../api/reasons.ts';
import type { Entry } from './history.ts';
import { type SeenResource, type Stage, type State, shortOf, stalledBy, statusView } from './status.ts';

export type WhyModel = {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  readonly state: State;
  /** What Ready, Stalled or Reconciling says now. */
  readonly now?: { readonly reason: string; readonly message: string; readonly means?: string };
  readonly stage?: Stage;
  readonly serves?: string;
  readonly incident?: Entry & { readonly means?: string; readonly runbookURL?: string };
  /** Why there is no incident to show, where that is not known. */
  readonly unread?: string;
  /** Commands and edits that lead on. */
  readonly ways: readonly string[];
};

type Given = {
  readonly entries: readonly Entry[];
  /** Why the records could not be read. */
  readonly unread?: string;
};

export function whyView(seen: SeenResource, { entries, unread }: Given): WhyModel {
  const { kind, name, namespace, state, stage, serves } = statusView(seen);
  // what was refused is answered for first, whatever stood since
  const isRefused = seen.status?.conditions?.some(({ reason }) => reason === 'ReleaseRejected');
  const incidents = entries.filter(({ isIncident }) => isIncident);
  const incident = (isRefused ? incidents.find(({ stands }) => !stands) : undefined) ?? incidents[0];
  const now = nowOf(seen, state);
  const runbookURL = seen.status?.incidents?.find(({ at }) => at === incident?.at)?.runbookURL;
  return {
    ...{ kind, name, namespace, state },
    ...(now && { now }),
    ...(stage && { stage }),
    ...(serves !== undefined && { serves }),
    ...(incident && {
      incident: { ...incident, ...means(incident.what), ...(runbookURL !== undefined && { runbookURL }) },
    }),
    ...(unread !== undefined && { unread }),
    ways: waysOf(seen, state, incident),
  };
}

function nowOf({ status }: SeenResource, state: State): WhyModel['now'] {
  const type = state === 'stalled' ? 'Stalled' : state === 'under way' ? 'Reconciling' : 'Ready';
  const found = status?.conditions?.find(condition => condition.type === type);
  if (!found) return undefined;
  const { reason = '?', message = '' } = found;
  return { reason, message, ...means(reason) };
}

const means = (reason: string): { means?: string } => {
  const text = Object.entries(REASONS).find(([known]) => known === reason)?.[1];
  return text === undefined ? {} : { means: text };
};

function waysOf(seen: SeenResource, state: State, incident: Entry | undefined): string[] {
  const { kind, metadata, status } = seen;
  const target = `${shortOf({ kind, name: metadata.name })} -n ${metadata.namespace ?? 'default'}`;
  const says = (wanted: string) => status?.conditions?.some(({ reason }) => reason === wanted) === true;
  if (says('ReleaseRejected') && incident) {
    return ['release another image: the spec decides', `try this one again: kubectl devshelf retry ${target}`];
  }
  if (says('MigrationPending')) return [`agree to the migration: kubectl devshelf migrate ${target}`];
  if (isHeldReason(stalledBy(seen))) {
    const despite = status?.analysis?.verdict === 'Bad' ? ' --despite-evidence' : '';
    return [
      `let it on: kubectl devshelf promote ${target}${despite}`,
      `take it back, and keep it out: kubectl devshelf reject ${target}`,
      'or release another image: the spec decides',
    ];
  }
  if (says('RotationHeld')) return [`who still uses the old key: kubectl devshelf keys ${target}`];
  if (state === 'stalled') return ['mend what is said above; it goes on by itself then'];
  return [];
}
