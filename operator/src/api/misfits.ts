// What does not fit is zod's: it has the words, and can try each field by itself. Nothing else in the operator and the CLI
// may import the values of a schema: they are eighteen hundred objects, and in the bundles made when the first misfit
// comes (test-e2e/cluster/build.ts, whose test finds who does).
import type * as z from 'zod';
import { appStatus, statusParts } from './schema/status.ts';
import { type ResourceWithoutStatus, withoutStatus } from './schema/whole.ts';
import type { AppStatus } from './status.ts';

/** What zod says of it: which fields do not fit, for people. */
export function parsedByZod(
  resource: unknown,
): { ok: true; resource: ResourceWithoutStatus } | { ok: false; why: string } {
  const parsed = withoutStatus.safeParse(resource);
  if (parsed.success) return { ok: true, resource: parsed.data };
  return { ok: false, why: parsed.error.issues.map(issue => `${issue.path.join('.')}: ${issue.message}`).join('; ') };
}

/** Of a status that does not fit, what does. */
export function readablePartOf(status: unknown): AppStatus {
  const given: Readonly<Record<string, unknown>> = typeof status === 'object' && status !== null ? { ...status } : {};
  const readable = Object.entries(statusParts.shape).flatMap(([name, part]) => {
    const field = readField(part, given[name]);
    return field === undefined ? [] : [[name, field]];
  });
  return appStatus.parse(Object.fromEntries(readable));
}

/** Of a list, the items that can be read. */
function readField(part: z.ZodType, value: unknown): unknown {
  const items = Array.isArray(value) ? value.filter(item => part.safeParse([item]).success) : value;
  const read = part.safeParse(items);
  return read.success ? read.data : undefined;
}
