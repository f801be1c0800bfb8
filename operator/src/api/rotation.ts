// When a key is replaced. Not part of a resource yet: a field is accepted only once it does what it says.
import * as z from 'zod';
import { rules, seconds } from './kubernetes.ts';

const CRON_FIELD = '[0-9A-Za-z*,/-]+';

export const rotation = z
  .object({
    schedule: z
      .string()
      .max(128)
      .optional()
      .meta(
        rules('When, in cron syntax: minute, hour, day of month, month, day of week.', {
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
    intervalSeconds: seconds(3600, 31_536_000).optional().describe('How long a key is current.'),
    overlapSeconds: seconds(60, 2_592_000)
      .default(86_400)
      .describe('How long the old key is accepted beside the new one.'),
    suspend: z.boolean().default(false).describe('No rotation begins while it is true.'),
  })
  .meta(
    rules(
      'When a key is replaced.',
      {
        rule: 'has(self.schedule) != has(self.intervalSeconds)',
        message: 'give either schedule or intervalSeconds, not both and not neither',
      },
      {
        rule: '!has(self.timeZone) || has(self.schedule)',
        message: 'timeZone belongs to schedule; remove it, or give a schedule instead of intervalSeconds',
      },
    ),
  );

export type Rotation = z.output<typeof rotation>;
