// When a key is replaced, and how far that is: one annotation on the keyring Secret, written in the same patch as the
// keys. Deciding and acting are one write, so a crash can neither lose a step nor mint a second key.
import * as z from 'zod';
import { rules, seconds } from './kubernetes.ts';

const CRON_FIELD = '[0-9A-Za-z*,/-]+';

/** The API key of the dashboard, the key that signs DevShelf's tokens, the token that reads the metrics of both. */
export const KEY_NAMES = ['api', 'signing', 'scrape'] as const;
export type KeyName = (typeof KEY_NAMES)[number];

/** @param minOverlap seconds; a signing key must outlive the tokens that it signed */
const rotation = (minOverlap: number) =>
  z
    .object({
      schedule: z
        .string()
        .max(128)
        .optional()
        .meta(
          rules('When, in cron syntax: minute, hour, day of month, month, day of week. Begins up to an hour later.', {
            rule: `self.matches('^${CRON_FIELD}( ${CRON_FIELD}){4}$')`,
            message: 'schedule must have five cron fields, for example "0 4 1 * *"',
            messageExpression: '\'schedule "\' + self + \'" must have five cron fields, for example "0 4 1 * *"\'',
          }),
        ),
      timeZone: z
        .string()
        .max(64)
        .optional()
        .describe('Time zone of the schedule, for example Europe/Madrid; UTC without.'),
      intervalSeconds: seconds(3600, 31_536_000)
        .optional()
        .describe('How long a key is current; up to a tenth of it longer, at most an hour.'),
      overlapSeconds: seconds(minOverlap, 2_592_000)
        .default(86_400)
        .describe('How long the old key is accepted after the new one was given out.'),
      forceAfterOverlaps: z.int().min(1).max(100).optional().meta({
        description:
          'A key that callers still use when the overlap is over is held until they use the new one, or until a person forces it; with this number it leaves by itself after so many overlaps. 1: by the clock alone.',
        format: 'int32',
      }),
      suspend: z.boolean().default(false).describe('No rotation begins by the clock while it is true.'),
    })
    .meta(
      rules(
        'When the key is replaced by the clock. Without schedule and intervalSeconds only when it is asked for.',
        {
          rule: '!has(self.schedule) || !has(self.intervalSeconds)',
          message: 'give either schedule or intervalSeconds, not both',
        },
        {
          rule: '!has(self.timeZone) || has(self.schedule)',
          message: 'timeZone belongs to schedule; remove it, or give a schedule instead of intervalSeconds',
        },
      ),
    )
    .optional();

/** A key of the spec with its rotation. */
export const rotatingKey = (description: string, minOverlap = 60) =>
  z
    .object({ rotation: rotation(minOverlap) })
    .optional()
    .describe(description);

export type Rotation = NonNullable<z.output<ReturnType<typeof rotation>>>;

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
  if (text === undefined) return undefined;
  try {
    const record = JSON.parse(text) as RotationRecord;
    const isOurs = ROTATION_STATES.includes(record.state) && typeof record.current === 'string';
    const isWhole = record.state === 'Idle' || (typeof record.from === 'string' && typeof record.to === 'string');
    return isOurs && isWhole && !Number.isNaN(Date.parse(record.since)) ? record : undefined;
  } catch {
    return undefined;
  }
}
