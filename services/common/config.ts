import * as z from 'zod';
import { databaseUrlFault } from './database-url.ts';

/** The environment does not fit the schema. `faults` names every variable that is wrong, never a value. */
export class ConfigError extends Error {
  readonly code = 'CONFIG_INVALID';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`configuration refused:\n${faults.map(fault => `  - ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the environment once, at start. An empty variable counts as absent, as Kubernetes users expect.
 * @throws ConfigError listing all faults at once
 */
export function readConfig<Schema extends z.ZodType>(schema: Schema, environment: Environment): z.output<Schema> {
  const given = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new ConfigError(parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`));
}

export const milliseconds = (fallback: number) =>
  z.coerce.number('must be a number of milliseconds').int().min(0).default(fallback);

export const port = (fallback: number) =>
  z.coerce.number('must be a port number').int().min(0).max(65_535).default(fallback);

export const databaseUrl = z
  .string('is required, for example postgresql://user:password@host:5432/name')
  .superRefine((url, { addIssue }) => {
    const fault = databaseUrlFault(url);
    if (fault !== undefined) addIssue(fault);
  });

/** What every long-running process of both services reads. */
export const processConfig = {
  NODE_ENV: z.enum(['production', 'development', 'test']).default('development'),
  HOST: z.string().default('0.0.0.0'),
  SHUTDOWN_DELAY_MS: milliseconds(0),
  SHUTDOWN_DRAIN_MS: milliseconds(5_000),
  SCRAPE_TOKEN: z.string().optional(),
  SCRAPE_TOKEN_DIR: z.string().optional(),
  /** errors go there (sentry.ts) */
  SENTRY_DSN: z.url('must be a DSN, as https://key@host/1').optional(),
  /** traces go there, as OTLP over HTTP (telemetry.ts) */
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL, as http://collector:4318' })
    .optional(),
};

export type ProcessConfig = z.output<z.ZodObject<typeof processConfig>>;

/** What both services read that answer users. */
export const overloadConfig = {
  /** too much to do is 503, early (overload.ts) */
  SHED_LOAD: z.stringbool('must be true or false').default(true),
  /** the newest addresses that were asked for are told to who may read the metrics (recent-requests.ts) */
  RECENT_REQUESTS: z.stringbool('must be 1 or 0').default(true),
};

/** A database that stands still must cost a request less than two seconds: connecting, then asking. */
export const databaseConfig = {
  DATABASE_URL: databaseUrl,
  DB_POOL_MAX: z.coerce.number('must be a number of connections, 1 to 100').int().min(1).max(100).default(5),
  DB_POOL_TIMEOUT_MS: milliseconds(900),
  DB_QUERY_TIMEOUT_MS: milliseconds(900),
};
