import type * as z from 'zod';
import { commonSpec, commonSpecRules, probes } from './common.ts';
import { rules } from './kubernetes.ts';

export const dashboardSpec = commonSpec
  .extend({ probes: probes({ alive: '/live', ready: '/ready' }) })
  .meta(rules('What is wanted.', ...commonSpecRules));

export type DashboardDeploymentSpec = z.output<typeof dashboardSpec>;
