// One error for everything an API server, or the way to it, can refuse.

/** The operation that failed; `code` of the error. */
export type ErrorCode =
  | 'GetFailed'
  | 'ListFailed'
  | 'WatchFailed'
  | 'CreateFailed'
  | 'ApplyFailed'
  | 'PatchFailed'
  | 'UpdateFailed'
  | 'DeleteFailed';

/** The part of a Kubernetes `Status` object that explains a refusal. */
export type StatusBody = {
  kind?: string;
  status?: string;
  code?: number;
  reason?: string;
  message?: string;
  details?: {
    name?: string;
    kind?: string;
    retryAfterSeconds?: number;
    causes?: { reason?: string; field?: string; message?: string }[];
  };
};

export type ApiErrorFields = {
  code: ErrorCode;
  /** HTTP status; 0 when no answer came, and then nobody knows whether a write was done. */
  status: number;
  /** Kubernetes' word for it (`NotFound`, `Conflict`, `Expired`…), or `Unreachable`, `Timeout`, `Aborted`. */
  reason: string;
  message: string;
  details?: StatusBody['details'];
  /** How long the server asks to be left alone. */
  retryAfterMs?: number;
  cause?: unknown;
};

export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly reason: string;
  readonly details: StatusBody['details'];
  readonly retryAfterMs: number | undefined;

  constructor({ code, status, reason, message, details, retryAfterMs, cause }: ApiErrorFields) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.status = status;
    this.reason = reason;
    this.details = details;
    this.retryAfterMs = retryAfterMs;
  }
}

function hasStatus(error: unknown, status: number): error is ApiError {
  return error instanceof ApiError && error.status === status;
}

export const isNotFound = (error: unknown): error is ApiError => hasStatus(error, 404);
/** Somebody else was first: the object changed, or (`AlreadyExists`) is there already. */
export const isConflict = (error: unknown): error is ApiError => hasStatus(error, 409);
export const isAlreadyExists = (error: unknown): error is ApiError =>
  isConflict(error) && error.reason === 'AlreadyExists';
/** The history asked for is no longer kept: list anew. */
export const isGone = (error: unknown): error is ApiError => hasStatus(error, 410);
export const isUnauthorized = (error: unknown): error is ApiError => hasStatus(error, 401);
export const isForbidden = (error: unknown): error is ApiError => hasStatus(error, 403);
/** Its namespace is being removed: nothing new is made in it, whoever asks. */
export const isOfEndingNamespace = (error: unknown): error is ApiError =>
  isForbidden(error) && error.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating') === true;
/** The object breaks a rule of its schema; `details.causes` names the fields. */
export const isInvalid = (error: unknown): error is ApiError => hasStatus(error, 422);
export const isTooManyRequests = (error: unknown): error is ApiError => hasStatus(error, 429);
/** No answer came: a write may or may not have been done. */
export const isUnanswered = (error: unknown): error is ApiError => hasStatus(error, 0);

/** Why an answer that is not JSON, or not a `Status`, was refused: enough of it to recognise who sent it. */
const EXCERPT_CHARS = 200;

function statusBody(text: string): StatusBody | undefined {
  try {
    const body = JSON.parse(text) as StatusBody | null;
    return body?.kind === 'Status' ? body : undefined;
  } catch {
    return undefined; // a proxy's page, or an answer that was cut
  }
}

/** What an API server's own refusal says; undefined for an answer that comes from behind it (a pod, a proxy). */
export function parseStatus(contentType: string | undefined, text: string): StatusBody | undefined {
  return contentType?.includes('json') ? statusBody(text) : undefined;
}

/** Delay of a `Retry-After` header: seconds, or an HTTP date. */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const seconds = Number(header);
  if (header.trim() !== '' && Number.isFinite(seconds)) return Math.max(0, seconds * 1_000);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

/** The error for an answer with a status of 400 or more, or for a watch's ERROR event. */
export function refused(
  code: ErrorCode,
  what: string,
  answer: { status: number; body?: StatusBody | undefined; text?: string; retryAfterMs?: number | undefined },
): ApiError {
  const { status, body, text = '', retryAfterMs } = answer;
  const seconds = Number(body?.details?.retryAfterSeconds);
  const wait = retryAfterMs ?? (Number.isFinite(seconds) ? Math.max(0, seconds * 1_000) : undefined);
  const why = body?.message ?? text.slice(0, EXCERPT_CHARS).trim();
  return new ApiError({
    code,
    status,
    reason: body?.reason ?? `Http${status}`,
    message: `${what}: ${status}${why === '' ? '' : ` ${why}`}`,
    details: body?.details,
    ...(wait !== undefined && { retryAfterMs: wait }),
  });
}

/** The error for a request that got no whole answer. */
export function unanswered(code: ErrorCode, what: string, reason: string, cause: unknown): ApiError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ApiError({ code, status: 0, reason, message: `${what}: ${why}`, cause });
}
