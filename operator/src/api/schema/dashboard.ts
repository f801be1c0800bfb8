import type * as z from 'zod';
import { commonSpec, commonSpecRules, probes } from './common.ts';
import { rules } from './kubernetes.ts';
import { rotatingKey } from './rotation.ts';

export const dashboardSpec = commonSpec
  .extend({
    probes: probes({ alive: '/live', ready: '/ready' }),
    apiKey: rotatingKey('The key with which callers use the API.'),
  })
  .meta(rules('What is wanted.', ...commonSpecRules));

export type DashboardDeploymentSpec = z.output<typeof dashboardSpec>;
