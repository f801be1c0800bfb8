import type { DashboardSpec } from './panels.ts';
import { decisionMarks, keyAges, now, processOf, releases, resourceOf, serviceVariables, traffic } from './service.ts';

const KIND = 'DashboardDeployment';

export const dashboard: DashboardSpec = {
  uid: 'devshelf-dashboard',
  title: 'DevShelf / Dashboard Mini Market',
  description: 'One DashboardDeployment: requests, errors, latency by route, uptime, its releases and its pods.',
  variables: serviceVariables(KIND),
  marks: decisionMarks(resourceOf(KIND), '{{decision}} {{version}}'),
  rows: [now(KIND), traffic, releases(KIND), processOf([keyAges(KIND)])],
};
