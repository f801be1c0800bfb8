// The record of an incident: a ControllerRevision that is no release. Asked for twice it is one object.
import type { IncidentRecord } from '../api/incident.ts';
import { noteIn } from '../api/notes.ts';
import { type App, childLabels, childMeta, type KubeObject } from './app.ts';
import { canonicalJson, isRecord } from './hash.ts';
import { INCIDENT, incidentName, LABELS } from './names.ts';

/** Of the record's JSON. */
export const MAX_INCIDENT_BYTES = 6_144;
/** In characters, of up to three bytes: with it a record stays within its bytes. */
const MAX_MESSAGE = 1_000;

/** @throws RangeError where it is larger than {@link MAX_INCIDENT_BYTES} */
export function incident(app: App, record: IncidentRecord, number: number): KubeObject {
  const { hash } = record.failed;
  const message = record.cause.message.slice(0, MAX_MESSAGE);
  const data = canonicalJson({ incident: { ...record, cause: { ...record.cause, message } } });
  if (Buffer.byteLength(data) > MAX_INCIDENT_BYTES) throw new RangeError(`the record of ${hash} is too large`);
  return {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: childMeta(app, incidentName(app.metadata.name, record), {
      ...childLabels(app),
      [LABELS.release]: hash,
      [LABELS.record]: INCIDENT,
    }),
    revision: number,
    data: JSON.parse(data) as object,
  };
}

/** Undefined where it is not one that this version can read. */
export function parseIncident(data: unknown): IncidentRecord | undefined {
  return isRecord(data) ? noteIn('incident', data['incident']) : undefined;
}
