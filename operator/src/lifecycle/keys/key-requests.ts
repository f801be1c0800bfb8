// Who wants another key, and how: the clock, a person, or a person in a hurry.
import type { AppResource } from '../../api/resource.ts';
import type { KeyName, Rotation, RotationRecord } from '../../api/rotation.ts';
import { ANNOTATIONS } from '../../objects/names.ts';
import { iso, type KeyView, type Snapshot } from '../snapshot.ts';
import { type Due, dueAt } from './schedule.ts';

/** Both keys of a rotation that is under way. */
export type Active = RotationRecord & { readonly from: string; readonly to: string };

export const isRotating = (key: KeyView): key is KeyView & { record: Active } =>
  key.record !== undefined && key.record.state !== 'Idle';

export const rotationOf = (app: AppResource, name: KeyName): Rotation | undefined => {
  if (name === 'scrape') return app.spec.scrapeToken?.rotation;
  return app.kind === 'DashboardDeployment' ? app.spec.apiKey?.rotation : app.spec.signingKey?.rotation;
};

/** The annotation by which a person asks for another key: whatever its value is, another value asks again. */
export const requestOf = ({ metadata }: AppResource, name: KeyName): string | undefined =>
  metadata.annotations[requestAnnotation(name)] || undefined;

export const requestAnnotation = (name: KeyName) =>
  name === 'scrape' ? ANNOTATIONS.rotateScrapeToken : ANNOTATIONS.rotate;

export const isImmediate = ({ metadata }: AppResource): boolean =>
  metadata.annotations[ANNOTATIONS.rotateMode] === 'immediate';

export const isRequested = (app: AppResource, { name, record }: KeyView): boolean => {
  const request = requestOf(app, name);
  return request !== undefined && request !== record?.request;
};

const DEFAULT_OVERLAP_SECONDS = 86_400;

export const overlapMs = (app: AppResource, name: KeyName): number =>
  1000 * (rotationOf(app, name)?.overlapSeconds ?? DEFAULT_OVERLAP_SECONDS);

/** Epoch milliseconds from which the clock counts: the beginning of the last rotation, however long it took. */
export function lastTurn(record: RotationRecord | undefined): number | undefined {
  const at = record?.begunAt ?? record?.lastRotationTime;
  return at === undefined ? undefined : Date.parse(at);
}

/**
 * SHA-256 of the key that was written under this id: by the keyring's record, and where that is lost with the keyring, by
 * the status. Undefined where nobody remembers.
 */
export function writtenDigest(app: AppResource, name: KeyName, record: RotationRecord | undefined, id: string) {
  const inStatus = app.status?.keys?.find(key => key.name === name);
  return record?.digests?.[id] ?? (inStatus?.currentKeyId === id ? inStatus.currentKeyDigest : undefined);
}

/** What was revoked, newest last: by the keyring's record, and by the status where that was lost or is an old one. */
export function revokedKeys(app: AppResource, name: KeyName, record: RotationRecord | undefined) {
  const known = record?.revoked ?? [];
  const before = app.status?.keys?.find(key => key.name === name)?.revoked ?? [];
  return [...before.filter(({ digest }) => !known.some(other => other.digest === digest)), ...known];
}

/** When the clock asks for the next key of this kind. */
export const clockOf = (app: AppResource, { name, record, createdAt }: KeyView, now: number): Due =>
  dueAt(rotationOf(app, name), lastTurn(record) ?? createdAt ?? now, `${app.metadata.uid}/${name}`, now);

/** A request for an immediate rotation hurries the one that is under way, too; its own comes after it. */
export const isHurried = (app: AppResource, key: KeyView, record: Active): boolean =>
  record.mode === 'immediate' || (isImmediate(app) && isRequested(app, key));

/** Also where a release cannot begin, as something that the spec names is missing. */
export const areKeysThere = ({ keys }: Snapshot): boolean =>
  keys.every(({ keyringPresent, clientPresent, foreign }) => keyringPresent && clientPresent && !foreign);

/** A key leaked: nothing is waited for but that there is a key to replace. */
export function isEmergency(seen: Snapshot): boolean {
  const { app, keys } = seen;
  if (app.metadata.deletionTimestamp !== undefined || !areKeysThere(seen)) return false;
  return keys.some(key =>
    isRotating(key) ? isHurried(app, key, key.record) : isImmediate(app) && isRequested(app, key),
  );
}

/**
 * The record of a keyring that is made. Whoever asks for another key together with the first one has it; a keyring that
 * comes back remembers from the status what was asked and done before.
 */
export function firstRecord(
  { app, now }: Snapshot,
  name: KeyName,
  current: string,
  comesBack: boolean,
): RotationRecord {
  const before = comesBack ? app.status.keys?.find(key => key.name === name) : undefined;
  const done = before?.state === 'Idle' ? before.request : undefined;
  const request = comesBack ? done : requestOf(app, name);
  return {
    state: 'Idle',
    current,
    since: iso(now),
    ...(request !== undefined && { request }),
    ...(before?.lastRotationTime !== undefined && { lastRotationTime: before.lastRotationTime }),
    ...(before?.revoked && { revoked: before.revoked }),
  };
}
