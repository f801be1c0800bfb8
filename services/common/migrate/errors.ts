import { DatabaseError } from 'pg';
import type { Result } from './verdict.ts';

/** Ends a run with this result. Everything done in an open transaction is rolled back. */
export class MigrateError extends Error {
  readonly code = 'MIGRATE_STOPPED';
  readonly result: Result;
  readonly failed: readonly string[];

  constructor(result: Result, message: string, options: ErrorOptions & { failed?: readonly string[] } = {}) {
    super(message, options);
    this.result = result;
    this.failed = options.failed ?? [];
  }
}

/** Somebody else holds a lock, or two waited for each other and this one gave way: nothing is left of the attempt. */
const LOCKED = new Set(['55P03', '40P01']);

export const isLocked = (error: unknown): boolean => error instanceof DatabaseError && LOCKED.has(error.code ?? '');

// administrator's shutdown, crash of another backend, not accepting connections yet: the server is or was going away
const GOING_AWAY = new Set(['57P01', '57P02', '57P03']);

// what node and pg say when a connection ends under a statement
const BROKEN_SOCKET = new Set(['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH']);
const BROKEN_CLIENT = /^Connection terminated|^Client has encountered a connection error|not queryable/;

/** Did the connection break, as opposed to the statement? */
export function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof MigrateError) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (error instanceof DatabaseError) return GOING_AWAY.has(code) || code.startsWith('08');
  return BROKEN_SOCKET.has(code) || BROKEN_CLIENT.test(error.message);
}

/**
 * One line for people: what the database said, its SQLSTATE and the line of the file, of which the characters from
 * `sentFrom` on were sent. Never a connection string.
 */
export function describe(error: unknown, file = '', sentFrom = 0): string {
  if (!(error instanceof DatabaseError)) return error instanceof Error ? firstMessage(error) : String(error);
  const line =
    error.position === undefined ? '' : `, line ${file.slice(0, sentFrom + Number(error.position)).split('\n').length}`;
  const detail = error.detail === undefined ? '' : `: ${error.detail}`;
  return `${error.message}${detail} (SQLSTATE ${error.code}${line})`;
}

/** A connection tried on several addresses fails with an AggregateError whose own message is empty. */
function firstMessage(error: Error): string {
  if (error.message !== '') return error.message;
  const [first] = error instanceof AggregateError ? error.errors : [];
  return first instanceof Error ? first.message : error.name;
}
