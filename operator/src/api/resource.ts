// The two kinds as whole objects, and the guard at the edge where they come in from the API server.
import * as z from 'zod';
import { dashboardSpec } from './dashboard.ts';
import { devshelfSpec } from './devshelf.ts';
import { API_VERSION } from './group.ts';
import { readerOf } from './reading.ts';
import { appStatus, readStatus } from './status.ts';

const metadata = z.object({
  name: z.string(),
  namespace: z.string(),
  uid: z.string(),
  generation: z.int().default(1),
  resourceVersion: z.string().default(''),
  creationTimestamp: z.string().optional(),
  deletionTimestamp: z.string().optional(),
  labels: z.record(z.string(), z.string()).default({}),
  annotations: z.record(z.string(), z.string()).default({}),
  finalizers: z.array(z.string()).default([]),
});

const devshelfDeployment = z.object({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('DevShelfDeployment'),
  metadata,
  spec: devshelfSpec,
  status: appStatus,
});

const dashboardDeployment = z.object({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('DashboardDeployment'),
  metadata,
  spec: dashboardSpec,
  status: appStatus,
});

/** All but the status, which is read by itself. */
const withoutStatus = z.discriminatedUnion('kind', [
  devshelfDeployment.omit({ status: true }),
  dashboardDeployment.omit({ status: true }),
]);
const readWithoutStatus = readerOf(withoutStatus);

export type ResourceMetadata = z.output<typeof metadata>;
export type DevShelfDeployment = z.output<typeof devshelfDeployment>;
export type DashboardDeployment = z.output<typeof dashboardDeployment>;
export type AppResource = DevShelfDeployment | DashboardDeployment;
export type AppKind = AppResource['kind'];

export type ParsedResource = { ok: true; resource: AppResource } | { ok: false; why: string };

/**
 * Reads one of our resources as the API server gives it, defaults filled in.
 * An object stored under an older schema may no longer fit: then `why` names the fields, for people. Of a status that
 * does not fit the rest is read.
 */
export function parseResource(value: unknown): ParsedResource {
  const { status, ...rest } = (value ?? {}) as { status?: unknown };
  const read = readWithoutStatus(rest);
  if (read) return { ok: true, resource: { ...read, status: readStatus(status) } };
  const parsed = withoutStatus.safeParse(rest);
  if (parsed.success) return { ok: true, resource: { ...parsed.data, status: readStatus(status) } };
  return { ok: false, why: parsed.error.issues.map(issue => `${issue.path.join('.')}: ${issue.message}`).join('; ') };
}
