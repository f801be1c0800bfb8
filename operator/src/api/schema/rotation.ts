// When a key is replaced.
import * as z from 'zod';
import { rules, seconds } from './kubernetes.ts';

const CRON_FIELD = '[0-9A-Za-z*,/-]+';

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
