// What both services refuse with, and the shapes of it for their OpenAPI documents: FastAPI's, which clients know.
import * as z from 'zod';
import type { Place } from './routes.ts';
import { NOT_AN_INTEGER } from './schemas.ts';

/** An answer that is not the expected one, in the shape `{"detail": …}`. */
export class HttpError extends Error {
  readonly code = 'HTTP_ERROR';
  readonly statusCode: number;
  readonly detail: unknown;

  constructor(statusCode: number, detail: unknown) {
    super(`HTTP ${statusCode}`);
    this.statusCode = statusCode;
    this.detail = detail;
  }
}

export type Words = { readonly msg: string; readonly type: string };

export const wordsOf = ({ code, message }: z.core.$ZodIssue): Words => ({
  msg: message,
  type: message === NOT_AN_INTEGER ? 'int_parsing' : code,
});

/**
 * Guards the edge: what comes in fits the schema or the answer is 422, one entry for each fault.
 * @throws HttpError
 */
export function parse<Schema extends z.ZodType>(
  schema: Schema,
  place: Place,
  value: unknown,
  words: (issue: z.core.$ZodIssue) => Words = wordsOf,
): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new HttpError(
    422,
    parsed.error.issues.map(issue => ({ loc: [place, ...issue.path], ...words(issue) })),
  );
}

export const refusal = z.object({ detail: z.string() }).meta({ id: 'HTTPError' });

export const invalid = z
  .object({
    detail: z.array(
      z
        .object({ loc: z.array(z.union([z.string(), z.int()])), msg: z.string(), type: z.string() })
        .meta({ id: 'ValidationError' }),
    ),
  })
  .meta({ id: 'HTTPValidationError' });
