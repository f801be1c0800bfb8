// The guard at the edge where our resources come in from the API server.
import { parsedByZod } from './misfits.ts';
import { resourcePlan } from './plans.ts';
import { readerOf } from './reading.ts';
import type { DashboardDeployment, DevShelfDeployment, ResourceWithoutStatus } from './schema/whole.ts';
import { readStatus } from './status.ts';

export type { DashboardDeployment, DevShelfDeployment, ResourceMetadata } from './schema/whole.ts';
export type AppResource = DevShelfDeployment | DashboardDeployment;
export type AppKind = AppResource['kind'];

export type ParsedResource = { ok: true; resource: AppResource } | { ok: false; why: string };

/** All but the status, which is read by itself. */
const readWithoutStatus = readerOf<ResourceWithoutStatus>(resourcePlan());

/**
 * Reads one of our resources as the API server gives it, defaults filled in.
 * An object stored under an older schema may no longer fit: then `why` names the fields, for people. Of a status that
 * does not fit the rest is read.
 */
export function parseResource(value: unknown): ParsedResource {
  const { status, ...rest } = (value ?? {}) as { status?: unknown };
  const fitting = readWithoutStatus(rest);
  const read = fitting ? { ok: true as const, resource: fitting } : parsedByZod(rest);
  return read.ok ? { ok: true, resource: { ...read.resource, status: readStatus(status) } } : read;
}
