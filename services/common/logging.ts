import { type DestinationStream, type Logger, pino } from 'pino';
import { openLogFile } from './log-file.ts';
import type { Rotation } from './log-rotation.ts';
import { standardOutput } from './standard-output.ts';

export type { Logger };

/** Nothing secret is logged on purpose; this is the net under it. */
const SECRET_PATHS = ['authorization', 'password', 'token', 'key', 'headers.authorization', 'headers["x-api-key"]'];

type Thrown = {
  readonly name?: string;
  readonly message?: string;
  readonly code?: unknown;
  readonly stack?: string;
  readonly cause?: unknown;
};

const CAUSES = 5;

/**
 * What a line says of an error. Libraries hang more on theirs: the database driver its whole connection, with the key
 * that cancels its queries.
 */
function errorFields(error: unknown, causes = CAUSES): unknown {
  if (typeof error !== 'object' || error === null) return error;
  const { name, message, code, stack, cause } = error as Thrown;
  return {
    type: name,
    message,
    ...(code !== undefined && { code }),
    stack,
    ...(cause !== undefined && causes > 0 && { cause: errorFields(cause, causes - 1) }),
  };
}

/** A busy process writes many lines within one millisecond: the time is spelled once for all of them. */
function timestamp(field: string): () => string {
  let at = 0;
  let text = '';
  return () => {
    const now = Date.now();
    if (now !== at) text = `,"${field}":"${new Date(now).toISOString()}"`;
    at = now;
    return text;
  };
}

const serializers = { err: (error: unknown) => errorFields(error) };

/** DevShelf's lines: pino's own fields, level as a word, time in ISO 8601. */
export function createLogger(name: string, level: string, destination?: DestinationStream): Logger {
  return pino(
    {
      name,
      level: level.toLowerCase(),
      base: { name },
      timestamp: timestamp('time'),
      formatters: { level: label => ({ level: label }) },
      redact: { paths: SECRET_PATHS, censor: '[secret]' },
      serializers,
    },
    destination ?? standardOutput(),
  );
}

/** The dashboard's lines: `ts level logger msg`, and for a request `request_id path method status duration_ms client_ip`. */
export function createDashboardLogger(name: string, level: string, destination?: DestinationStream): Logger {
  return pino(
    {
      level: level.toLowerCase(),
      base: { logger: name },
      timestamp: timestamp('ts'),
      formatters: { level: label => ({ level: label.toUpperCase() }) },
      redact: { paths: SECRET_PATHS, censor: '[secret]' },
      serializers,
    },
    destination ?? standardOutput(),
  );
}

export type DashboardLogOptions = {
  /** undefined: standard output only */
  readonly directory: string | undefined;
  readonly rotation: Rotation;
  readonly keep: number;
};

/** As pino would mark the line of an error: it leaves at once. */
const URGENT = { lastLevel: pino.levels.values['error'] };

/** Standard output, and `dashboard.log` in the directory where one is given. */
export function dashboardLines({ directory, rotation, keep }: DashboardLogOptions): DestinationStream {
  const standard = standardOutput();
  if (directory === undefined) return standard;
  const onTrouble = (msg: string) => {
    const line = { level: 'ERROR', ts: new Date().toISOString(), logger: 'dashboard', msg };
    standard.write.call(URGENT, `${JSON.stringify(line)}\n`);
  };
  const file = openLogFile({ directory, name: 'dashboard.log', rotation, keep, onTrouble });
  return {
    ...standard, // with what asks pino for a line's level
    write(line: string) {
      standard.write.call(this, line);
      file.write(line);
    },
  };
}

/** Python's and pino's words for a level, both accepted. */
export const LOG_LEVELS = [
  'trace',
  'debug',
  'info',
  'warn',
  'warning',
  'error',
  'fatal',
  'critical',
  'silent',
] as const;

const PYTHON_LEVELS: Readonly<Record<string, string>> = { warning: 'warn', critical: 'fatal' };

export const logLevel = (word: string): string => PYTHON_LEVELS[word.toLowerCase()] ?? word.toLowerCase();
