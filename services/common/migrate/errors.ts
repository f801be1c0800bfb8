import { DatabaseError } from 'pg';
import type { Result, Verdict } from './verdict.ts';

export type Done = Partial<Omit<Verdict, 'result' | 'message' | 'ms' | 'failed'>>;

/** Ends a run with this result. Everything done in an open transaction is rolled back. */
export class MigrateError extends Error {
  readonly code = 'MIGRATE_STOPPED';
  readonly result: Result;
  readonly failed: readonly string[];
  /** what the run had done before */
  readonly done: Done;

  constructor(
    result: Result,
    message: string,
    options: ErrorOptions & { failed?: readonly string[]; done?: Done } = {},
  ) {
    super(message, options);
    this.result = result;
    this.failed = options.failed ?? [];
    this.done = options.done ?? {};
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';

/** Somebody else holds a lock, or two waited for each other and this one gave way: nothing is left of the attempt. */
const LOCKED = new Set(['55P03', '40P01']);

export const isLocked = (error: unknown): boolean => error instanceof DatabaseError && LOCKED.has(codeOf(error));

/** Somebody cancelled the statement: on SIGTERM we do. */
export const isCancelled = (error: unknown): boolean => error instanceof DatabaseError && codeOf(error) === '57014';

/**
 * The same end, with what was done before it, and a note to what failed.
 * @returns what a lost connection or a migration's end threw; anything else as it is
 */
export function withDone(error: unknown, done: Done, note = ''): unknown {
  if (isConnectionLoss(error)) return new MigrateError('unreachable', describe(error), { cause: error, done });
  if (!(error instanceof MigrateError)) return error;
  const { result, message, failed, cause } = error;
  const words = result === 'failed' ? message + note : message;
  return new MigrateError(result, words, { cause, failed, done: { ...done, ...error.done } });
}

/** A standby, or a server that its guards made read-only: no statement of a migration is at fault. */
export const isReadOnly = (error: unknown): boolean => error instanceof DatabaseError && codeOf(error) === '25006';

// administrator's shutdown, crash of another backend, not accepting connections yet: the server is or was going away
const GOING_AWAY = new Set(['57P01', '57P02', '57P03']);

// what node and pg say when a connection ends under a statement
const BROKEN_SOCKET = new Set(['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH']);
const BROKEN_CLIENT = /^Connection terminated|^Client has encountered a connection error|not queryable/;

/** Did the connection break, as opposed to the statement? */
export function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof MigrateError) return false;
  const code = codeOf(error);
  if (error instanceof DatabaseError) return GOING_AWAY.has(code) || code.startsWith('08');
  return BROKEN_SOCKET.has(code) || BROKEN_CLIENT.test(error.message);
}

// OpenSSL's verdicts on a certificate, and node's on its name
const CERTIFICATE = /CERT|^UNABLE_TO_|HOSTNAME_MISMATCH|^ERR_TLS|^ERR_SSL/;
const NO_TLS_THERE = 'The server does not support SSL connections';
/** PgBouncer gives its own refusals the code of a protocol violation */
const POOLER_REFUSES = /authentication failed|no such user|not allowed/;

/**
 * A connection that was answered, with a no that waiting does not change: class 28 is PostgreSQL's for a wrong
 * password, a role without login and what pg_hba.conf does not let in, TLS demanded among it; 42501 says that the role
 * may not connect. A database that does not exist is none: it may yet be made.
 */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = codeOf(error);
  if (!(error instanceof DatabaseError))
    return CERTIFICATE.test(code) || error.message.startsWith('SASL: ') || error.message === NO_TLS_THERE;
  return code.startsWith('28') || code === '42501' || (code === '08P01' && POOLER_REFUSES.test(error.message));
}

/** What PostgreSQL or TLS said, and what DATABASE_URL may lack. Never a connection string. */
export function describeRefusal(error: unknown): string {
  const words = `the database refuses the connection: ${describe(error)}`;
  if (CERTIFICATE.test(codeOf(error)))
    return `${words}. Say sslmode=verify-full&sslrootcert=FILE with the authority's certificate, or sslmode=no-verify to accept any`;
  if (error instanceof Error && error.message === NO_TLS_THERE)
    return `${words}. Say sslmode=disable, or switch TLS on there`;
  if (error instanceof Error && /no encryption|SSL off/.test(error.message))
    return `${words}. If it demands TLS, say sslmode=verify-full or sslmode=no-verify`;
  return words;
}

/**
 * One line for people: what the database said, its detail and hint, its SQLSTATE and the line of the file, of which the
 * characters from `sentFrom` on were sent. Never a connection string.
 */
export function describe(error: unknown, file = '', sentFrom = 0): string {
  if (!(error instanceof DatabaseError)) return error instanceof Error ? firstMessage(error) : String(error);
  const line =
    error.position === undefined ? '' : `, line ${file.slice(0, sentFrom + Number(error.position)).split('\n').length}`;
  const detail = error.detail === undefined ? '' : `: ${error.detail}`;
  const hint = error.hint === undefined ? '' : ` Hint: ${error.hint}`;
  return `${error.message}${detail} (SQLSTATE ${error.code}${line})${hint}`;
}

/** A connection tried on several addresses fails with an AggregateError whose own message is empty. */
function firstMessage(error: Error): string {
  if (error.message !== '') return error.message;
  const [first] = error instanceof AggregateError ? error.errors : [];
  return first instanceof Error ? first.message : error.name;
}
