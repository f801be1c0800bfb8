// Who wants another key, and how: the clock, a person, or a person in a hurry.
import type { AppResource } from '../api/resource.ts';
import type { KeyName, Rotation, RotationRecord } from '../api/rotation.ts';
import { ANNOTATIONS } from '../objects/names.ts';
import { type Due, dueAt } from './schedule.ts';
import { iso, type KeyView, type Snapshot } from './snapshot.ts';

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
  metadata.annotations[name === 'scrape' ? ANNOTATIONS.rotateScrapeToken : ANNOTATIONS.rotate] || undefined;

export const isImmediate = ({ metadata }: AppResource): boolean =>
  metadata.annotations[ANNOTATIONS.rotateMode] === 'immediate';

export const isRequested = (app: AppResource, { name, record }: KeyView): boolean => {
  const request = requestOf(app, name);
  return request !== undefined && request !== record?.request;
};

/** When the clock asks for the next key of this kind. */
export const clockOf = (app: AppResource, { name, record, createdAt }: KeyView, now: number): Due =>
  dueAt(
    rotationOf(app, name),
    record?.lastRotationTime === undefined ? (createdAt ?? now) : Date.parse(record.lastRotationTime),
    `${app.metadata.uid}/${name}`,
    now,
  );

/** Whether the pods must be asked for this pass. */
export const needsProofs = (app: AppResource, key: KeyView, now: number): boolean => {
  if (!isRotating(key)) return false;
  switch (key.record.state) {
    case 'Idle':
      return false;
    case 'Draining':
      return isDrained(app, key, key.record, now);
    case 'Switching':
      return key.name === 'signing';
    case 'Accepting':
    case 'Revoking':
      return true;
  }
};

/** A request for an immediate rotation hurries the one that is under way, too; its own comes after it. */
export const isHurried = (app: AppResource, key: KeyView, record: Active): boolean =>
  record.mode === 'immediate' || (isImmediate(app) && isRequested(app, key));

export const isDrained = (app: AppResource, key: KeyView, record: Active, now: number): boolean =>
  isHurried(app, key, record) || now >= Date.parse(record.previousUntil ?? record.since);

/** A key leaked: nothing is waited for but that there is a key to replace. */
export function isEmergency({ app, keys }: Snapshot): boolean {
  if (app.metadata.deletionTimestamp !== undefined) return false;
  if (keys.some(({ keyringPresent, clientPresent, foreign }) => !keyringPresent || !clientPresent || foreign))
    return false;
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
  };
}
