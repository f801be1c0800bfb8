// How far the replacement of a key is: one annotation on the keyring Secret, written in the same patch as the
// keys. Deciding and acting are one write, so a crash can neither lose a step nor mint a second key.

import { readNote } from './notes.ts';

export type { Rotation } from './schema/rotation.ts';

/** The API key of the dashboard, the key that signs DevShelf's tokens, the token that reads the metrics of both. */
export const KEY_NAMES = ['api', 'signing', 'scrape'] as const;
export type KeyName = (typeof KEY_NAMES)[number];

/**
 * Where a rotation of key N by key N+1 stands.
 *
 * ```
 *            one write:                one write:                    one write:
 *            N+1 beside N              N+1 is current                N leaves
 *   Idle ────────────────► Accepting ─────────────► Switching ──► Draining ────────► Revoking ──► Idle
 *                          every pod:               clients get   N and N+1          every pod:
 *                          N 200, N+1 200           N+1           are accepted       N 401, N+1 200
 * ```
 */
export const ROTATION_STATES = ['Idle', 'Accepting', 'Switching', 'Draining', 'Revoking'] as const;
export type RotationState = (typeof ROTATION_STATES)[number];

export interface RotationRecord {
  readonly state: RotationState;
  /** Id of the key that clients are to use. */
  readonly current: string;
  /** While a rotation is under way: the ids of the old and the new key. */
  readonly from?: string;
  readonly to?: string;
  readonly mode?: 'graceful' | 'immediate';
  /** The person's request that was taken up last: value of the annotation on the resource. */
  readonly request?: string;
  /** RFC 3339, when this state began. */
  readonly since: string;
  /** RFC 3339, from when on the old key may be refused; once clients were given the new one. */
  readonly previousUntil?: string;
  /** RFC 3339, when the last rotation ended. */
  readonly lastRotationTime?: string;
  /** RFC 3339, when the rotation that is under way, or the last one, began: the clock counts from there. */
  readonly begunAt?: string;
  /** SHA-256 of the keys that were written, by id: what comes from elsewhere is told from them. */
  readonly digests?: Readonly<Record<string, string>>;
  /** What was revoked, newest last, so that it stays so: not more than the last 20. */
  readonly revoked?: readonly { readonly id: string; readonly digest: string }[];
}

/** Ids count up; one that was never a number, or is too long to be one of ours, is left alone. */
export const idAfter = (ids: readonly (string | undefined)[]): string =>
  String(1 + Math.max(0, ...ids.filter(id => id !== undefined && /^\d{1,9}$/.test(id)).map(Number)));

/** The annotation's text. Keys in a fixed order, so that equal records are equal text. */
export function formatRotation(record: RotationRecord): string {
  const { state, current, from, to, mode, request, since, previousUntil, lastRotationTime } = record;
  const { begunAt, digests, revoked } = record;
  const known = { state, current, from, to, mode, request, since, previousUntil, lastRotationTime };
  return JSON.stringify({ ...known, begunAt, digests, revoked });
}

/** Undefined when the annotation is absent or is not one that this operator wrote. */
export function parseRotation(text: string | undefined): RotationRecord | undefined {
  const record = readNote('rotation', text);
  const isWhole = record?.state === 'Idle' || (record?.from !== undefined && record.to !== undefined);
  return isWhole ? record : undefined;
}
