import type { Client } from 'pg';
import type { z } from 'zod';
import { MigrateError } from './errors.ts';

/** Writes sample rows over this connection. */
export type Plant = (client: Client) => Promise<void>;

type Flag = { readonly name: string; readonly help: string };

/** A service's sample rows. Writing them must be harmless when it is done twice. */
export type Seed = {
  readonly flags: readonly Flag[];
  /** @throws MigrateError `misused` when a flag's value is not allowed */
  prepare(values: Readonly<Record<string, string | undefined>>): Plant;
};

/** A seed whose flags are the schema's keys; each key's `describe` is its help. */
export function seedOf<Schema extends z.ZodObject>(
  schema: Schema,
  plant: (client: Client, options: z.output<Schema>) => Promise<void>,
): Seed {
  const flags = Object.entries<z.ZodType>(schema.shape).map(([name, { description = '' }]) => ({
    name,
    help: description,
  }));
  return {
    flags,
    prepare: values => {
      const parsed = schema.safeParse(values);
      if (parsed.success) return client => plant(client, parsed.data);
      const faults = parsed.error.issues.map(({ path, message }) => `--${path.join('.')}: ${message}`);
      throw new MigrateError('misused', faults.join('; '));
    },
  };
}

/** One line for each flag, for --help. */
export const describeFlags = ({ flags }: Seed): string =>
  flags.map(({ name, help }) => `    ${`--${name}`.padEnd(14)}${help}\n`).join('');
