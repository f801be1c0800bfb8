// The two kinds as whole objects.
import * as z from 'zod';
import { API_VERSION } from '../group.ts';
import { dashboardSpec } from './dashboard.ts';
import { devshelfSpec } from './devshelf.ts';
import { appStatus } from './status.ts';

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
export const withoutStatus = z.discriminatedUnion('kind', [
  devshelfDeployment.omit({ status: true }),
  dashboardDeployment.omit({ status: true }),
]);

export type ResourceMetadata = z.output<typeof metadata>;
export type DevShelfDeployment = z.output<typeof devshelfDeployment>;
export type DashboardDeployment = z.output<typeof dashboardDeployment>;
export type ResourceWithoutStatus = z.output<typeof withoutStatus>;
