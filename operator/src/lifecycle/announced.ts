// What an event says of a decision, so that one fault is one Warning, and leads to its record.
import type { AppResource } from '../api/resource.ts';
import { incidentName, names } from '../objects/names.ts';
import type { Action, Announcement } from './decision.ts';

/** Conditions with which a Warning comes, at this status. What is only waited for calls nobody. */
const CALLING: Readonly<Record<string, string>> = {
  Stalled: 'True',
  ChildrenApplied: 'False',
  KeysCurrent: 'False',
  Migrated: 'False',
};

/** The status called for somebody before, of the same spec: the same fault with other figures is no other fault. */
export function isToldAlready({ status, metadata }: AppResource, { reason, message }: Announcement): boolean {
  if (status.observedGeneration !== metadata.generation) return false;
  const words = withoutFigures(message);
  return (status.conditions ?? []).some(
    known => CALLING[known.type] === known.status && known.reason === reason && withoutFigures(known.message) === words,
  );
}

const withoutFigures = (message: string): string => message.replace(/\d+(?:\.\d+)?/g, '#');

/** Name of the record of the incident that this is about, also where it is yet to be written. */
export function recordOf({ metadata: { name } }: AppResource, action: Action | undefined): string | undefined {
  if (action?.do === 'createIncident') return incidentName(name, action.record);
  const failed = action?.do === 'setRecord' ? action.record.withdrawn?.facts?.failed : undefined;
  return failed && names.incident(name, failed.hash, failed.attempt);
}
