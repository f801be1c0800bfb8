// The record of an incident: a ControllerRevision that is no release. Asked for twice it is one object.
import { INCIDENT_SCHEMA, type IncidentRecord } from '../api/incident.ts';
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
  const record = isRecord(data) ? data['incident'] : undefined;
  if (!isRecord(record) || typeof record['at'] !== 'string' || typeof record['reason'] !== 'string') return undefined;
  const { failed, cause, rotation } = record;
  const isWhole = isRecord(failed) && typeof failed['hash'] === 'string' && typeof failed['attempt'] === 'number';
  const isKnown =
    isWhole && typeof failed['image'] === 'string' && isRecord(cause) && typeof cause['message'] === 'string';
  const isNamed = rotation === undefined || isRotationName(rotation);
  return isKnown && isNamed && record['schema'] === INCIDENT_SCHEMA ? (record as unknown as IncidentRecord) : undefined;
}

/** An id is made of it: what is no text may not become one. */
function isRotationName(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { key, from, to } = value;
  return [key, from].every(name => typeof name === 'string') && (to === undefined || typeof to === 'string');
}
